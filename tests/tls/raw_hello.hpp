// ClientHellos that no library makes.
#pragma once

#include <string_view>
#include <vector>

#include "peers.hpp"

namespace siptls_test {

// One with these suites and extensions (as hex), no session id, no compression, in one record.
Octets raw_client_hello(const std::vector<std::uint16_t>& suites, std::string_view extensions);

// The size of an extension's content in a ClientHello in one record; none if it is not there.
std::optional<std::size_t> extension_size(const Octets& hello, std::uint16_t type);

}  // namespace siptls_test
