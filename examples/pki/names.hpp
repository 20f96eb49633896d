// GeneralNames (RFC 5280 section 4.2.1.6) as words: "dns:a.example", "uri:sip:a.example",
// "ip:192.0.2.1", "email:user@a.example", "dir:COMMON NAME", "rid:1.3.6.1", "other:TEXT". In name
// constraints an address stands with its mask: "ip:192.0.2.0/255.255.255.0".
#pragma once

#include <string_view>

#include "pki/demo_pki.hpp"

namespace demo_pki {

// Throws std::runtime_error for a form that is not one of these, or cannot be constrained here.
void add_name(CertificateSpec& leaf, std::string_view word);
void permit_name(CertificateSpec& issuer, std::string_view word);
void exclude_name(CertificateSpec& issuer, std::string_view word);

}  // namespace demo_pki
