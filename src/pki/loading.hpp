// Texts and files that hold certificates, as far as TrustStore and Credentials share it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "pki/certificate.hpp"
#include "siptls/result.hpp"

namespace siptls::pki {

// No file that siptls loads needs more.
inline constexpr std::size_t kMaxFileOctets = 1024 * 1024;

// All certificates of a PEM text: pem_*, certificate_malformed.
Result<std::vector<Certificate>> read_certificates(std::string_view pem);
// One DER certificate: certificate_malformed.
Result<std::vector<Certificate>> read_der_certificate(std::span<const std::uint8_t> der);
// All CRLs of a PEM text: pem_*, crl_malformed.
Result<std::vector<RevocationList>> read_revocation_lists(std::string_view pem);

// The same error with the file that it is about.
Error in_file(const std::string& path, const Error& error);

std::span<const std::uint8_t> as_octets(std::span<const std::byte> bytes);
std::span<const std::uint8_t> as_octets(std::string_view text);

}  // namespace siptls::pki
