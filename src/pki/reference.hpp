// The name that a peer is expected to prove (RFC 5922 section 7.2).
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "siptls/peer_info.hpp"
#include "siptls/result.hpp"
#include "siptls/trust_store.hpp"

namespace siptls::pki {

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

}  // namespace siptls::pki
