// Addresses from and to text, by the system's own functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace siptls::os {

std::optional<std::array<std::uint8_t, 4>> parse_ipv4(const std::string& text);
std::optional<std::array<std::uint8_t, 16>> parse_ipv6(const std::string& text);
std::string format_ipv4(const std::uint8_t* octets);
std::string format_ipv6(const std::uint8_t* octets);

}  // namespace siptls::os
