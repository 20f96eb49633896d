#include "pki/revocation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace siptls::pki {
namespace {

// Is this CRL one that may be judged by, at this time, if `issuer` issued it?
Result<void> check_list(const RevocationList& list, const Certificate& issuer, const Now& at) {
  const std::string name = fmt::format("the CRL of \"{}\"", list.issuer());
  if (!list.unsupported().empty()) {
    return Unexpected(Errc::crl_unsupported, fmt::format("{} {}; only complete and direct CRLs are "
                                                         "supported",
                                                         name, list.unsupported()));
  }
  if (list.signature_digest().weak()) {
    return Unexpected(Errc::crl_invalid,
                      fmt::format("{} is signed with {}", name, list.signature_digest().name));
  }
  if ((X509_get_extension_flags(issuer.x509()) & EXFLAG_KUSAGE) != 0 &&
      (X509_get_key_usage(issuer.x509()) & KU_CRL_SIGN) == 0) {
    return Unexpected(Errc::crl_invalid,
                      fmt::format("the keyUsage of {}'s issuer lacks cRLSign", name));
  }
  const auto key = public_key(issuer.x509());
  if (!key || X509_CRL_verify(list.crl(), key.get()) != 1) {
    return Unexpected(Errc::crl_invalid, fmt::format("the signature of {} is wrong", name));
  }
  const auto now = std::chrono::floor<std::chrono::seconds>(at.wall);
  if (now < list.this_update()) {
    return Unexpected(Errc::crl_invalid,
                      fmt::format("{} is valid from {}; judged at {}", name,
                                  format_time(list.this_update()), format_time(at.wall)));
  }
  if (!list.next_update()) {
    return Unexpected(Errc::crl_invalid,
                      fmt::format("{} does not say when the next one comes", name));
  }
  if (now > *list.next_update()) {
    return Unexpected(Errc::crl_stale,
                      fmt::format("{} was to be replaced at {}; judged at {}", name,
                                  format_time(*list.next_update()), format_time(at.wall)));
  }
  return {};
}

// Judges certificate `i`; gives the end of validity of the CRLs used.
Result<WallTime> check_one(const CandidatePath& path, std::size_t i,
                           std::span<const RevocationList> lists, const Now& at) {
  const Certificate& certificate = path.certificates[i];
  const Certificate& issuer = path.certificates[i + 1];
  std::optional<Error> first_problem;
  std::optional<WallTime> until;
  bool all_understood = true;
  for (const auto& list : lists) {
    if (X509_NAME_cmp(X509_CRL_get_issuer(list.crl()), X509_get_issuer_name(certificate.x509())) !=
        0) {
      continue;
    }
    if (auto usable = check_list(list, issuer, at); !usable) {
      // A CRL that is not understood may revoke what a complete one does not, so it is not passed
      // over in silence.
      const bool understood = usable.error().reason() != Errc::crl_unsupported;
      if (!first_problem || (all_understood && !understood)) {
        first_problem = std::move(usable).error();
      }
      all_understood = all_understood && understood;
      continue;
    }
    X509_REVOKED* revoked = nullptr;
    if (X509_CRL_get0_by_cert(list.crl(), &revoked, certificate.x509()) != 0) {
      const auto since = to_wall_time(X509_REVOKED_get0_revocationDate(revoked));
      return path.fail(i, Errc::certificate_revoked,
                       fmt::format("was revoked by \"{}\" at {}", issuer.subject(),
                                   since ? format_time(*since) : "an unreadable time"));
    }
    until = std::min(until.value_or(*list.next_update()), *list.next_update());
  }
  if (until && all_understood) return *until;
  if (first_problem) {
    return path.fail(i, first_problem->reason(), "cannot be judged: " + first_problem->evidence());
  }
  return path.fail(i, Errc::crl_missing,
                   fmt::format("was issued by \"{}\", of which there is no CRL among {}",
                               certificate.issuer(), lists.size()));
}

}  // namespace

Result<WallTime> check_revocation(const CandidatePath& path, std::span<const RevocationList> lists,
                                  const Now& at) {
  WallTime until = WallTime::max();
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    auto verdict = check_one(path, i, lists, at);
    if (!verdict) return verdict;
    until = std::min(until, *verdict);
  }
  return until;
}

}  // namespace siptls::pki
