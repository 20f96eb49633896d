// The DER of OCSP responses (RFC 6960 section 4.2.1).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pki/demo_pki.hpp"
#include "pki/key.hpp"

namespace demo_pki {

struct OcspAnswerParts {
  const OcspAnswer& answer;
  std::string_view serial;  // magnitude
  std::string_view issuer;
  std::string_view issuer_spki;
};

struct OcspParts {
  const OcspSpec& spec;
  const std::vector<OcspAnswerParts>& answers;
  const std::vector<std::string>& certificates;
  std::string_view responder;
  std::string_view responder_spki;
  EVP_PKEY& key;
};
std::string encode_ocsp_response(const OcspParts& parts);

}  // namespace demo_pki
