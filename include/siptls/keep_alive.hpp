// Keep-alive octets of RFC 5626 section 3.5.1. They stand between messages only.
#pragma once

#include <string_view>

namespace siptls {

inline constexpr std::string_view kPing = "\r\n\r\n";  // from the side that opened the connection
inline constexpr std::string_view kPong = "\r\n";      // its answer; a pong is never answered

}  // namespace siptls
