#include "base/os/ip_text.hpp"

#include <arpa/inet.h>

namespace siptls::os {

std::optional<std::array<std::uint8_t, 4>> parse_ipv4(const std::string& text) {
  std::array<std::uint8_t, 4> octets{};
  if (text.find('\0') != std::string::npos) return std::nullopt;
  if (inet_pton(AF_INET, text.c_str(), octets.data()) != 1) return std::nullopt;
  return octets;
}

std::optional<std::array<std::uint8_t, 16>> parse_ipv6(const std::string& text) {
  std::array<std::uint8_t, 16> octets{};
  if (text.find('\0') != std::string::npos) return std::nullopt;
  if (inet_pton(AF_INET6, text.c_str(), octets.data()) != 1) return std::nullopt;
  return octets;
}

std::string format_ipv4(const std::uint8_t* octets) {
  std::array<char, INET_ADDRSTRLEN> text{};
  inet_ntop(AF_INET, octets, text.data(), text.size());
  return text.data();
}

std::string format_ipv6(const std::uint8_t* octets) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(AF_INET6, octets, text.data(), text.size());
  return text.data();
}

}  // namespace siptls::os
