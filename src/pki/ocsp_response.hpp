// OCSP responses (RFC 6960), as servers staple them (RFC 6066 section 8). BoringSSL has no code for
// them.
#pragma once

#include <optional>
#include <span>

#include "pki/certificate.hpp"
#include "pki/chain_verifier.hpp"
#include "siptls/clock.hpp"
#include "siptls/result.hpp"
#include "siptls/trust_store.hpp"

namespace siptls::pki {

// No more is looked at.
inline constexpr std::size_t kMaxOcspOctets = 64 * 1024;

// Is this a basic OCSP response at all? Error: ocsp_response_invalid.
Result<void> check_ocsp_shape(std::span<const std::uint8_t> response);

// Does `response` say now that `leaf` is good? Gives the time until which it says so. `issuer` may
// be null where it is not known: then only what does not need it is checked. Errors:
// certificate_revoked, ocsp_response_invalid.
Result<WallTime> judge_ocsp_response(std::span<const std::uint8_t> response,
                                     const Certificate& leaf, const Certificate* issuer,
                                     const Now& at);

// What `options` ask about the leaf of a judged path. None if no response was judged. Errors as
// above, and ocsp_response_missing.
Result<std::optional<WallTime>> check_ocsp_response(const JudgedPath& path,
                                                    const VerifyOptions& options);

}  // namespace siptls::pki
