// SIP identities of certificates and their comparison (RFC 5922 sections 7.1 and 7.2).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pki/certificate.hpp"
#include "siptls/peer_info.hpp"
#include "siptls/result.hpp"
#include "siptls/trust_store.hpp"

namespace siptls::pki {

// The name that a peer is expected to prove.
class Reference {
 public:
  // A DNS name in ASCII (a trailing dot is dropped), or an IP address (IPv6 with or without
  // brackets). Anything else is `invalid_domain`.
  static Result<Reference> parse(std::string_view text);

  bool is_ip_address() const noexcept { return ip_; }
  const std::string& name() const noexcept { return name_; }

  // Whole names, ASCII case-insensitively. An IP address equals an iPAddress entry only.
  bool matches(const Identity& identity, WildcardPolicy wildcard) const noexcept;

 private:
  Reference(std::string name, bool ip) : name_(std::move(name)), ip_(ip) {}
  std::string name_;  // lower case; an address in its usual spelling
  bool ip_;
};

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
