#include "pki/revocation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace siptls::pki {
namespace {

// Is this CRL signed by the issuer of certificate `i`? An issuer that is changing its key has a
// certificate for each in the path, and one of them signs the CRLs (RFC 5280 section 6.3.3 (f)).
Result<void> check_signer(const RevocationList& list, const CandidatePath& path, std::size_t i,
                          const std::string& name) {
  const X509_NAME* const issuer = X509_CRL_get_issuer(list.crl());
  bool may_sign = false;
  for (std::size_t above = i + 1; above < path.size(); ++above) {
    X509* const signer = path.certificates[above].x509();
    if (above > i + 1 && X509_NAME_cmp(X509_get_subject_name(signer), issuer) != 0) continue;
    if ((X509_get_extension_flags(signer) & EXFLAG_KUSAGE) != 0 &&
        (X509_get_key_usage(signer) & KU_CRL_SIGN) == 0) {
      continue;
    }
    may_sign = true;
    const auto key = public_key(signer);
    if (key && X509_CRL_verify(list.crl(), key.get()) == 1) return {};
  }
  if (may_sign) {
    return Unexpected(Errc::crl_invalid, fmt::format("the signature of {} is wrong", name));
  }
  return Unexpected(Errc::crl_invalid,
                    fmt::format("the keyUsage of {}'s issuer lacks cRLSign", name));
}

// Is this CRL one that certificate `i` may be judged by, at this time?
Result<void> check_list(const RevocationList& list, const CandidatePath& path, std::size_t i,
                        const Now& at) {
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
  if (auto signer = check_signer(list, path, i, name); !signer) return signer;
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

// The time around `at` in which this CRL is, as now, not yet valid, valid, or stale. One that comes
// into force later may revoke what those of today do not.
ValidityWindow unchanged(const RevocationList& list, const Now& at) {
  const auto now = std::chrono::floor<std::chrono::seconds>(at.wall);
  const auto second = std::chrono::seconds(1);
  ValidityWindow out;
  if (now < list.this_update()) {
    out.until = list.this_update() - second;
  } else if (list.next_update() && now > *list.next_update()) {
    out.from = *list.next_update() + second;
  } else {
    out.from = list.this_update();
    out.until = list.next_update().value_or(WallTime::max());
  }
  return out;
}

// Judges certificate `i`; gives the time in which the CRLs of its issuer stay as they are.
Result<ValidityWindow> check_one(const CandidatePath& path, std::size_t i,
                                 std::span<const RevocationList> lists, const Now& at) {
  const Certificate& certificate = path.certificates[i];
  const Certificate& issuer = path.certificates[i + 1];
  std::optional<Error> first_problem;
  ValidityWindow window;
  bool judged = false;
  bool all_understood = true;
  for (const auto& list : lists) {
    if (X509_NAME_cmp(X509_CRL_get_issuer(list.crl()), X509_get_issuer_name(certificate.x509())) !=
        0) {
      continue;
    }
    // What is not supported is not passed over either, whatever it says that it covers.
    if (list.unsupported().empty() && !list.covers(certificate)) continue;
    const ValidityWindow same = unchanged(list, at);
    window.narrow(same.from, same.until);
    if (auto usable = check_list(list, path, i, at); !usable) {
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
    judged = true;
  }
  if (judged && all_understood) return window;
  if (first_problem) {
    return path.fail(i, first_problem->reason(), "cannot be judged: " + first_problem->evidence());
  }
  return path.fail(i, Errc::crl_missing,
                   fmt::format("was issued by \"{}\", of which there is no CRL for it among {}",
                               certificate.issuer(), lists.size()));
}

}  // namespace

Result<ValidityWindow> check_revocation(const CandidatePath& path,
                                        std::span<const RevocationList> lists, const Now& at) {
  ValidityWindow window;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    auto verdict = check_one(path, i, lists, at);
    if (!verdict) return verdict;
    window.narrow(verdict->from, verdict->until);
  }
  return window;
}

}  // namespace siptls::pki
