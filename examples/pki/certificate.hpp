// The DER of certificates and CRLs (RFC 5280 sections 4 and 5).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pki/demo_pki.hpp"
#include "pki/key.hpp"

namespace demo_pki {

std::string name_der(std::string_view common_name);
std::string new_serial();
std::string extension(std::string_view oid, bool critical, std::string_view content);
// An extension that nobody knows.
std::string unknown_critical_extension();

struct CertificateParts {
  const CertificateSpec& spec;
  std::string_view serial;  // magnitude
  std::string_view subject;
  std::string_view spki;
  std::string_view issuer;
  EVP_PKEY& issuer_key;
  std::string_view issuer_spki;
};
std::string encode_certificate(const CertificateParts& parts);

struct CrlParts {
  const CrlSpec& spec;
  const std::vector<std::string>& serials;  // magnitudes
  std::string_view issuer;
  EVP_PKEY& issuer_key;
  std::string_view issuer_spki;
};
std::string encode_crl(const CrlParts& parts);

}  // namespace demo_pki
