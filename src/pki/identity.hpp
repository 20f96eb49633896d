// SIP identities of certificates and their comparison (RFC 5922 sections 7.1 and 7.2).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pki/certificate.hpp"
#include "pki/reference.hpp"
#include "siptls/peer_info.hpp"
#include "siptls/result.hpp"
#include "siptls/trust_store.hpp"

namespace siptls::pki {

// The host of a URI that is a SIP domain identity: scheme sip, no userinfo; lower case, without
// port and parameters. None for every other URI.
std::optional<std::string> sip_uri_host(std::string_view uri);

// The identities of a certificate, in its order. Names that are no identity are put into `refused`
// with the reason, for evidence. Error: certificate_invalid for a subjectAltName that cannot be
// read.
Result<std::vector<Identity>> identities_of(const Certificate& certificate,
                                            const IdentityPolicy& policy,
                                            std::vector<std::string>* refused = nullptr);

// "sip:a.example, dns:b.example" in the notation of evidence.
std::string list_identities(std::span<const Identity> identities);

}  // namespace siptls::pki
