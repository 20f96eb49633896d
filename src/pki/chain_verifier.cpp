#include "pki/chain_verifier.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pki/guarded.hpp"
#include "pki/identity.hpp"
#include "pki/ocsp_response.hpp"
#include "pki/path_builder.hpp"
#include "pki/path_checks.hpp"
#include "pki/revocation.hpp"
#include "pki/verify_result.hpp"

namespace siptls::pki {
namespace {

// What a peer may present at most, beside the certificates that max_ca_depth allows.
constexpr std::size_t kSpareCertificates = 5;
constexpr std::size_t kMaxChainOctets = 64 * 1024;
// Evidence is for people.
constexpr std::size_t kMaxRefusedText = 2000;

Result<void> check_size(const TrustStoreImpl& store, const PresentedChain& chain) {
  const std::size_t count = chain.size();
  if (count == 0) return Unexpected(Errc::certificate_missing, "no certificate was presented");
  const std::size_t limit = 1 + store.limits().max_ca_depth + kSpareCertificates;
  if (count > limit) {
    return Unexpected(Errc::chain_too_deep,
                      fmt::format("{} certificates were presented; with max_ca_depth {} no more "
                                  "than {} are looked at",
                                  count, store.limits().max_ca_depth, limit));
  }
  std::size_t octets = 0;
  for (std::size_t i = 0; i < count; ++i) octets += chain.octets(i).size();
  if (octets > kMaxChainOctets) {
    return Unexpected(Errc::certificate_invalid,
                      fmt::format("the presented chain has {} octets; at most {} are looked at",
                                  octets, kMaxChainOctets));
  }
  return {};
}

Result<std::vector<Certificate>> parse_all(const PresentedChain& chain) {
  std::vector<Certificate> out;
  out.reserve(chain.size());
  for (std::size_t i = 0; i < chain.size(); ++i) {
    auto certificate = chain.parse(i);
    if (!certificate) {
      const auto index = static_cast<std::uint32_t>(i);
      return Unexpected(Error(Errc::certificate_unreadable,
                              fmt::format("certificate {} ({} octets) is no DER certificate", index,
                                          chain.octets(i).size()))
                            .with_certificate(index));
    }
    out.push_back(std::move(*certificate));
  }
  return out;
}

bool push(STACK_OF(X509) * stack, const Certificate& certificate) {
  if (!sk_X509_push(stack, certificate.x509())) return false;
  X509_up_ref(certificate.x509());
  return true;
}

// BoringSSL takes a certificate for expired in the last second of its validity. Validity has been
// judged already, so what BoringSSL says about it is passed over.
int pass_over_time(int ok, X509_STORE_CTX* context) {
  if (ok != 0) return ok;
  const int error = X509_STORE_CTX_get_error(context);
  return error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID ? 1 : 0;
}

// Signatures, names and everything else of RFC 5280 section 6, on exactly this path.
Result<void> verify_with_boringssl(const TrustStoreImpl& store, const CandidatePath& path,
                                   const Now& at) {
  const bssl::UniquePtr<STACK_OF(X509)> anchors(sk_X509_new_null());
  const bssl::UniquePtr<STACK_OF(X509)> between(sk_X509_new_null());
  const bssl::UniquePtr<X509_STORE_CTX> context(X509_STORE_CTX_new());
  bool ready = store.empty_x509_store() != nullptr && anchors && between && context &&
               push(anchors.get(), path.anchor());
  for (std::size_t i = 1; ready && i + 1 < path.size(); ++i) {
    ready = push(between.get(), path.certificates[i]);
  }
  if (!ready || !X509_STORE_CTX_init(context.get(), store.empty_x509_store(), path.leaf().x509(),
                                     between.get())) {
    return Unexpected(Errc::out_of_memory);
  }
  set_trusted_stack(context.get(), anchors.get());
  X509_VERIFY_PARAM* const parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_flags(parameters, kVerifyFlags);
  X509_VERIFY_PARAM_set_depth(parameters, static_cast<int>(path.size()) + 1);
  X509_VERIFY_PARAM_set_time(parameters, std::chrono::system_clock::to_time_t(at.wall));
  X509_STORE_CTX_set_verify_cb(context.get(), pass_over_time);
  if (X509_verify_cert(context.get()) == 1) return {};
  return verify_failure(path, X509_STORE_CTX_get_error(context.get()),
                        X509_STORE_CTX_get_error_depth(context.get()));
}

// Gives the time in which the CRLs keep their standing.
Result<ValidityWindow> judge_candidate(const TrustStoreImpl& store, const CandidatePath& path,
                                       const VerifyOptions& options, NameBudget& budget) {
  auto verdict = check_depth(path, store.limits());
  if (verdict) verdict = check_certificates(path, options.at);
  if (verdict) verdict = check_usage(path, options.role, options.eku);
  // A leaf that is an entry itself has no path to be validated (RFC 5280 section 6.1).
  if (verdict && path.size() > 1) {
    verdict = budget.spend(path);
    if (verdict) verdict = verify_with_boringssl(store, path, options.at);
    if (verdict) verdict = check_sip_names(path);
  }
  if (!verdict) return Unexpected(std::move(verdict).error());
  if (!store.checks_revocation()) return ValidityWindow{};
  return check_revocation(path, store.revocation_lists(), options.at);
}

Result<JudgedPath> judge_path(const TrustStoreImpl& store, const PresentedChain& chain,
                              const VerifyOptions& options) {
  const ErrorQueueScope errors;
  auto presented = parse_all(chain);
  if (!presented) return Unexpected(std::move(presented).error());
  ValidityWindow window;
  NameBudget budget;
  auto path = find_path(store, *presented, [&](const CandidatePath& candidate) -> Result<void> {
    auto lists = judge_candidate(store, candidate, options, budget);
    if (!lists) return Unexpected(std::move(lists).error());
    window = *lists;
    return {};
  });
  if (!path) return Unexpected(std::move(path).error());
  for (const auto& certificate : path->certificates) {
    window.narrow(certificate.not_before(), certificate.not_after());
  }
  return JudgedPath{std::move(path->certificates), window.from, window.until};
}

// From memory, or judged now.
Result<std::shared_ptr<const JudgedChain>> find_or_judge(const TrustStoreImpl& store,
                                                         const PresentedChain& chain,
                                                         const VerifyOptions& options) {
  if (store.anchors().empty()) {
    return Unexpected(Errc::trust_store_empty, "the trust store has no entry, so it trusts nobody");
  }
  if (auto clock = check_clock(options.at, options.clock); !clock) {
    return Unexpected(std::move(clock).error());
  }
  if (auto size = check_size(store, chain); !size) return Unexpected(std::move(size).error());
  const RememberedChains::Question question{chain, options.role, options.eku, options.at.wall};
  if (auto known = store.memory().find(question)) return known;
  auto path = judge_path(store, chain, options);
  if (!path) return Unexpected(std::move(path).error());
  return store.memory().keep(question, std::move(*path));
}

Result<std::optional<Reference>> reference_of(const VerifyOptions& options) {
  if (!options.identity) return std::optional<Reference>();
  auto reference = Reference::parse(*options.identity);
  if (!reference) return Unexpected(std::move(reference).error());
  return std::optional(std::move(*reference));
}

// Index of the identity that the reference equals.
std::optional<std::size_t> match(std::span<const Identity> identities, const Reference& reference,
                                 WildcardPolicy wildcard) {
  for (std::size_t i = 0; i < identities.size(); ++i) {
    if (reference.matches(identities[i], wildcard)) return i;
  }
  return std::nullopt;
}

// The names of a leaf, against what is asked for.
class NameQuestion {
 public:
  NameQuestion(const Certificate& leaf, const std::optional<Reference>& reference,
               const VerifyOptions& options)
      : leaf_(leaf), reference_(reference), options_(options) {}

  Result<std::optional<std::size_t>> judge(std::span<const Identity> identities) const {
    if (identities.empty()) {
      return fail(Errc::no_sip_identity,
                  fmt::format("certificate 0 \"{}\" names no domain that RFC 5922 section 7.1 "
                              "accepts{}",
                              leaf_.subject(), refused_text()));
    }
    std::optional<std::size_t> matched;
    if (reference_) {
      matched = match(identities, *reference_, options_.names.wildcard);
      if (!matched) {
        return fail(Errc::identity_mismatch,
                    fmt::format("expected {}; presented {}{}", reference_->name(),
                                list_identities(identities), refused_text()));
      }
    }
    if (!options_.allowed.empty() && !is_allowed(identities)) {
      return fail(Errc::identity_not_allowed,
                  fmt::format("proven: {}; none of these is among the {} allowed names",
                              list_identities(identities), options_.allowed.size()));
    }
    return matched;
  }

 private:
  static Unexpected fail(Errc reason, std::string evidence) {
    return Unexpected(Error(reason, std::move(evidence)).with_certificate(0));
  }

  bool is_allowed(std::span<const Identity> identities) const {
    return std::any_of(
        options_.allowed.begin(), options_.allowed.end(), [&](const std::string& name) {
          const auto allowed = Reference::parse(name);
          return allowed && match(identities, *allowed, options_.names.wildcard).has_value();
        });
  }

  std::string refused_text() const {
    std::vector<std::string> refused;
    const auto ignored = identities_of(leaf_, options_.names, &refused);
    std::string out;
    for (const auto& name : refused) {
      out += (out.empty() ? "; refused: " : ", ") + name;
      if (out.size() > kMaxRefusedText) return out + " and more";
    }
    return out;
  }

  const Certificate& leaf_;
  const std::optional<Reference>& reference_;
  const VerifyOptions& options_;
};

}  // namespace

Result<std::shared_ptr<const ProvenPath>> verify_chain(const TrustStoreImpl& store,
                                                       const PresentedChain& chain,
                                                       const VerifyOptions& options) {
  using Proven = std::shared_ptr<const ProvenPath>;
  return guarded([&]() -> Result<Proven> {
    // A reference that is no name is the caller's mistake, whatever the peer presented.
    const auto reference = reference_of(options);
    if (!reference) return Unexpected(reference.error());
    const auto judged = find_or_judge(store, chain, options);
    if (!judged) return Unexpected(judged.error());
    const JudgedPath& path = (*judged)->path();
    const auto ocsp_valid_until = check_ocsp_response(path, options);
    if (!ocsp_valid_until) return Unexpected(ocsp_valid_until.error());
    const NameQuestion names(path.certificates[0], *reference, options);
    return (*judged)->prove(
        options.names, *ocsp_valid_until,
        [&names](std::span<const Identity> identities) { return names.judge(identities); });
  });
}

Result<std::shared_ptr<const ProvenPath>> verify_chain(const TrustStoreImpl& store,
                                                       const STACK_OF(CRYPTO_BUFFER) * chain,
                                                       const VerifyOptions& options) {
  return verify_chain(store, PresentedChain(chain), options);
}

}  // namespace siptls::pki
