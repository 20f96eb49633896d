// For which certificates a CRL speaks (RFC 5280 sections 5.2.5 and 6.3.3 (b)).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pki/boringssl_compat.hpp"

namespace siptls::pki {

// What an issuingDistributionPoint says.
struct CrlScope {
  bool user_certificates_only = false;
  bool ca_certificates_only = false;
  bool attribute_certificates_only = false;
  bool some_reasons_only = false;
  bool indirect = false;
  // Names of the distribution point, as encoded GeneralNames; none if it is not named.
  std::optional<std::vector<std::string>> names;

  // The content of the extension of a CRL by `issuer`. None if it cannot be read.
  static std::optional<CrlScope> parse(std::span<const std::uint8_t> extension,
                                       const X509_NAME* issuer);

  // Is `certificate`, of which the CRL's issuer is the issuer, within a direct CRL of this scope?
  bool covers(X509* certificate) const;
};

}  // namespace siptls::pki
