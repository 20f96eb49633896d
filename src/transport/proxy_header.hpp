// The header that a load balancer puts in front of a connection (PROXY protocol, haproxy's
// proxy-protocol.txt). Pure logic: octets in, verdict out.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "siptls/endpoint.hpp"
#include "siptls/result.hpp"
#include "siptls/tls_transport.hpp"

namespace siptls {

struct ProxyHeader {
  struct Relayed {
    Endpoint source;       // the peer
    Endpoint destination;  // what the peer connected to
  };
  std::size_t length = 0;  // octets; the peer's own begin behind it
  // None where the balancer speaks for itself (LOCAL), or does not know or cannot say who the peer
  // is: then TCP's own addresses hold.
  std::optional<Relayed> relayed;
};

// Reads the header at the beginning of `octets`, of a version that `allowed` names. None: more
// octets are needed. Errors: `proxy_header_invalid`, as soon as it shows.
Result<std::optional<ProxyHeader>> parse_proxy_header(std::span<const std::byte> octets,
                                                      ProxyProtocol allowed);

}  // namespace siptls
