// What the BoringSSL of this process can do, asked of it at run time.
#pragma once

#include <cstdint>
#include <string>

namespace siptls::tls {

// TLS 1.2 suites only: those of TLS 1.3 cannot be chosen.
bool library_has_suite(std::uint16_t code) noexcept;
// Of the groups that siptls uses; null if the library (or siptls) does not have it.
const char* library_group_name(std::uint16_t code) noexcept;
// False also for schemes with SHA-1 or MD5, which are never used (RFC 9325 section 4.5, RFC 9155).
bool library_has_signature_scheme(std::uint16_t code) noexcept;
// "ecdsa_secp256r1_sha256", or "0xABCD".
std::string signature_scheme_name(std::uint16_t code);

}  // namespace siptls::tls
