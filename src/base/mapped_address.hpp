// IPv4 addresses that are written as IPv6 ones.
#pragma once

#include "siptls/endpoint.hpp"

namespace siptls {

// The IPv4 endpoint of ::ffff:192.0.2.1 (RFC 4291 section 2.5.5.2), or the endpoint as it is.
Endpoint unmapped(const Endpoint& endpoint) noexcept;

}  // namespace siptls
