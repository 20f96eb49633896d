// Revocation by complete and direct CRLs (RFC 5280 sections 5 and 6.3).
#pragma once

#include <algorithm>
#include <span>

#include "pki/certificate.hpp"
#include "pki/path_builder.hpp"
#include "siptls/clock.hpp"
#include "siptls/result.hpp"

namespace siptls::pki {

// A span of time, both ends included.
struct ValidityWindow {
  WallTime from = WallTime::min();
  WallTime until = WallTime::max();

  void narrow(WallTime other_from, WallTime other_until) noexcept {
    from = std::max(from, other_from);
    until = std::min(until, other_until);
  }
};

// Every certificate below the anchor must be judged by a valid CRL of its issuer. Gives the time in
// which no CRL of the issuers becomes valid or runs out, so that the verdict stays as it is.
// Errors: certificate_revoked, crl_missing, crl_stale, crl_invalid, crl_unsupported.
Result<ValidityWindow> check_revocation(const CandidatePath& path,
                                        std::span<const RevocationList> lists, const Now& at);

}  // namespace siptls::pki
