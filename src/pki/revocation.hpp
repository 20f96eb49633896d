// Revocation by complete and direct CRLs (RFC 5280 sections 5 and 6.3).
#pragma once

#include <span>

#include "pki/certificate.hpp"
#include "pki/path_builder.hpp"
#include "siptls/clock.hpp"
#include "siptls/result.hpp"

namespace siptls::pki {

// Every certificate below the anchor must be judged by a valid CRL of its issuer. Gives the time
// until which the CRLs that were used are valid. Errors: certificate_revoked, crl_missing,
// crl_stale, crl_invalid, crl_unsupported.
Result<WallTime> check_revocation(const CandidatePath& path, std::span<const RevocationList> lists,
                                  const Now& at);

}  // namespace siptls::pki
