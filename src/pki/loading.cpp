#include "pki/loading.hpp"

#include <fmt/format.h>

#include <utility>

#include "pki/pem.hpp"

namespace siptls::pki {

Result<std::vector<Certificate>> read_certificates(std::string_view pem) {
  const auto blocks =
      read_pem_of_type(pem, "CERTIFICATE", "certificates are wanted here, not keys or requests");
  if (!blocks) return Unexpected(blocks.error());
  std::vector<Certificate> out;
  for (const auto& block : *blocks) {
    auto certificate = Certificate::parse(block.der);
    if (!certificate) {
      return Unexpected(Errc::certificate_malformed,
                        fmt::format("the CERTIFICATE block in line {} is not one DER certificate "
                                    "({} octets)",
                                    block.line, block.der.size()));
    }
    out.push_back(std::move(*certificate));
  }
  return out;
}

Result<std::vector<Certificate>> read_der_certificate(std::span<const std::uint8_t> der) {
  auto certificate = Certificate::parse(der);
  if (!certificate) {
    return Unexpected(Errc::certificate_malformed,
                      fmt::format("{} octets that are not one DER certificate", der.size()));
  }
  return std::vector<Certificate>{std::move(*certificate)};
}

Result<std::vector<RevocationList>> read_revocation_lists(std::string_view pem) {
  const auto blocks = read_pem_of_type(pem, "X509 CRL", "only CRLs are wanted here");
  if (!blocks) return Unexpected(blocks.error());
  std::vector<RevocationList> out;
  for (const auto& block : *blocks) {
    auto list = RevocationList::parse(block.der);
    if (!list) {
      return Unexpected(Errc::crl_malformed,
                        fmt::format("the X509 CRL block in line {} is not one DER CRL ({} octets)",
                                    block.line, block.der.size()));
    }
    out.push_back(std::move(*list));
  }
  return out;
}

Error in_file(const std::string& path, const Error& error) {
  Error out(error.reason(), path + ": " + error.evidence());
  if (error.alert()) out.with_alert(*error.alert());
  if (error.certificate()) out = std::move(out).with_certificate(*error.certificate());
  if (error.offset()) out = std::move(out).with_offset(*error.offset());
  return out;
}

std::span<const std::uint8_t> as_octets(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

std::span<const std::uint8_t> as_octets(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace siptls::pki
