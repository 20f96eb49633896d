// What siptls-relay changes in a message that it forwards: it is a stateless proxy (RFC 3261
// section 16.11) that records its route, and it owns one header field. All other octets stay as
// they are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "siptls/siptls.hpp"

namespace relay {

// One side of the relay, as Via and Record-Route name it.
struct Side {
  std::string_view transport;  // "TLS", "TCP"
  std::string sent_by;         // "192.0.2.1:5061", "[2001:db8::1]:5061", "a.example:5061"
};

// The header field that tells the inner stack who the peer has proven to be. Only the relay writes
// it: rows of this name that come from either side are taken out.
struct IdentityHeader {
  std::string_view name;
  std::string_view value;  // empty: no row is put in
};

struct Forwarded {
  std::string message;
};
// A request that goes no further, and what it is answered with.
struct Refused {
  std::uint16_t status = 0;
  std::string_view reason_phrase;
};
// A message that nobody is to get.
struct Dropped {
  std::string why;
};
using Outcome = std::variant<Forwarded, Refused, Dropped>;

// `from` is the side of the relay that the message came to, `to` the one that it leaves by.
Outcome forward(const siptls::SipMessageView& message, const Side& from, const Side& to,
                const IdentityHeader& identity);

// "a.example;source=sip_uri, b.example;source=sip_uri"; empty if nothing was proven.
std::string identity_value(const siptls::PeerInfo& peer);

// Whether `name` can be the identity header: a token that is no field which the relay or the
// framing depends on.
bool is_good_header_name(std::string_view name);

}  // namespace relay
