#include "pki/path_builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace siptls::pki {
namespace {

// A peer could present many certificates of one name, which have a path for each of their orders.
constexpr int kMaxSteps = 200;
constexpr int kMaxJudgedPaths = 8;

enum class Relation { none, other_key, issuer };

// By names and key identifiers; an issuer that may not sign certificates is one, and is judged
// later (`not_a_ca`).
Relation relation(const Certificate& issuer, const Certificate& subject) {
  if (X509_NAME_cmp(X509_get_subject_name(issuer.x509()), X509_get_issuer_name(subject.x509())) !=
      0) {
    return Relation::none;
  }
  const int verdict = X509_check_issued(issuer.x509(), subject.x509());
  return verdict == X509_V_OK || verdict == X509_V_ERR_KEYUSAGE_NO_CERTSIGN ? Relation::issuer
                                                                            : Relation::other_key;
}

class Search {
 public:
  Search(const TrustStoreImpl& store, std::span<const Certificate> presented,
         const PathJudge& judge)
      : store_(store), presented_(presented), judge_(judge) {}

  Result<CandidatePath> run() {
    path_.certificates.reserve(presented_.size() + 1);
    path_.positions.reserve(presented_.size() + 1);
    push(presented_[0], 0);
    const bool found = store_.find(presented_[0]) != nullptr ? accepted() : extend();
    if (found) return std::move(path_);
    if (first_verdict_) return Unexpected(std::move(*first_verdict_));
    if (dead_end_) return Unexpected(std::move(*dead_end_));
    return Unexpected(Errc::unknown_ca, "no path to an entry of the trust store was found");
  }

 private:
  void push(const Certificate& certificate, std::optional<std::uint32_t> position) {
    path_.certificates.push_back(certificate);
    path_.positions.push_back(position);
  }
  void pop() {
    path_.certificates.pop_back();
    path_.positions.pop_back();
  }

  std::optional<std::uint32_t> position_of(const Certificate& certificate) const {
    const auto at = std::find(presented_.begin(), presented_.end(), certificate);
    if (at == presented_.end()) return std::nullopt;
    return static_cast<std::uint32_t>(at - presented_.begin());
  }

  bool in_path(const Certificate& certificate) const {
    return std::find(path_.certificates.begin(), path_.certificates.end(), certificate) !=
           path_.certificates.end();
  }

  bool accepted() {
    if (++judged_ > kMaxJudgedPaths) return false;
    auto verdict = judge_(path_);
    if (verdict) return true;
    if (!first_verdict_) first_verdict_ = std::move(verdict).error();
    return false;
  }

  // Tries every way upwards from the end of the path.
  bool extend() {
    if (++steps_ > kMaxSteps || judged_ > kMaxJudgedPaths) return false;
    const Certificate last = path_.certificates.back();
    bool name_known = false;
    bool issuer_known = false;
    for (const auto& anchor : store_.anchors()) {
      const Relation found = relation(anchor, last);
      name_known = name_known || found == Relation::other_key;
      if (found != Relation::issuer || in_path(anchor)) continue;
      issuer_known = true;
      push(anchor, position_of(anchor));
      if (accepted()) return true;
      pop();
    }
    for (std::size_t i = 1; i < presented_.size(); ++i) {
      const Certificate& next = presented_[i];
      if (in_path(next) || store_.find(next) != nullptr) continue;
      if (relation(next, last) != Relation::issuer) continue;
      issuer_known = true;
      push(next, static_cast<std::uint32_t>(i));
      if (extend()) return true;
      pop();
    }
    if (!issuer_known && !dead_end_) note_dead_end(last, name_known);
    return false;
  }

  void note_dead_end(const Certificate& last, bool name_known) {
    const std::size_t at = path_.size() - 1;
    const std::size_t entries = store_.anchors().size();
    std::string evidence;
    if (last.is_self_issued()) {
      evidence =
          fmt::format("is self-signed and none of the {} entries of the trust store{}", entries,
                      name_known ? ", one of which has its name but another key" : "");
    } else if (name_known) {
      evidence = fmt::format(
          "was issued by \"{}\"; the trust store has an entry of this name with "
          "another key",
          last.issuer());
    } else {
      evidence = fmt::format(
          "was issued by \"{}\", which is neither among the {} entries of the "
          "trust store nor presented",
          last.issuer(), entries);
    }
    dead_end_ = path_.fail(at, Errc::unknown_ca, evidence).error();
  }

  const TrustStoreImpl& store_;
  std::span<const Certificate> presented_;
  const PathJudge& judge_;
  CandidatePath path_;
  std::optional<Error> first_verdict_;
  std::optional<Error> dead_end_;
  int steps_ = 0;
  int judged_ = 0;
};

}  // namespace

std::string CandidatePath::describe(std::size_t index) const {
  const std::string subject = certificates[index].subject();
  if (index + 1 == size() && index > 0) return fmt::format("trust anchor \"{}\"", subject);
  return fmt::format("certificate {} \"{}\"", positions[index].value_or(0), subject);
}

Unexpected CandidatePath::fail(std::size_t index, Errc reason, const std::string& evidence) const {
  Error error(reason, describe(index) + " " + evidence);
  if (positions[index]) error = std::move(error).with_certificate(*positions[index]);
  return Unexpected(std::move(error));
}

Result<CandidatePath> find_path(const TrustStoreImpl& store, std::span<const Certificate> presented,
                                const PathJudge& judge) {
  return Search(store, presented, judge).run();
}

}  // namespace siptls::pki
