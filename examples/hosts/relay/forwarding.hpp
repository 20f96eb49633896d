// What siptls-relay changes in a message that it forwards: it is a stateless proxy (RFC 3261
// section 16.11) that records its route and tells in the topmost Via where a request came from, and
// it owns one header field. All other octets stay as they are.
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

// The way of a message through the relay.
struct Hop {
  const Side& from;         // what it came to
  const Side& to;           // what it leaves by
  siptls::Endpoint sender;  // where it came from
  std::string_view peer;    // what the outer end of the connection has proven: identity_value()
};

// The header field that tells the inner stack who the peer has proven to be. Only the relay writes
// it: rows of this name that come from either side are taken out.
struct IdentityHeader {
  std::string_view name;
  std::string_view value;  // empty: no row is put in
};

struct Forwarded {
  std::string message;
  // The same in a request and its responses: branch and method, on the side where the request left.
  std::string transaction;
};
// A request that goes no further, and what it is answered with.
struct Refused {
  std::uint16_t status = 0;
  std::string_view reason_phrase;
  std::string unsupported;  // value of a row Unsupported; empty: there is none
};
// A message that nobody is to get.
struct Dropped {
  std::string why;
};
using Outcome = std::variant<Forwarded, Refused, Dropped>;

Outcome forward(const siptls::SipMessageView& message, const Hop& hop,
                const IdentityHeader& identity);

// The response to a request that was refused, which is no ACK.
std::string make_response(const siptls::SipMessageView& request, const siptls::Endpoint& sender,
                          const Refused& refused);

// "a.example;source=sip_uri, b.example;source=sip_uri"; empty if nothing was proven.
std::string identity_value(const siptls::PeerInfo& peer);

// Whether `name` can be the identity header: a token that is no field which the relay or the
// framing depends on.
bool is_good_header_name(std::string_view name);

}  // namespace relay
