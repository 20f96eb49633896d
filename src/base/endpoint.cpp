#include "siptls/endpoint.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/mapped_address.hpp"
#include "base/os/ip_text.hpp"

namespace siptls {
namespace {

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Unexpected invalid(std::string_view text, std::string_view why) {
  return Unexpected(Errc::invalid_endpoint, "\"" + std::string(text) + "\": " + std::string(why));
}

// "2001:db8::1" or "fe80::1%3", without brackets.
std::optional<Endpoint> parse_ipv6_address(std::string_view text, std::uint16_t port) {
  std::uint32_t scope = 0;
  if (const auto percent = text.find('%'); percent != std::string_view::npos) {
    const auto number = parse_number<std::uint32_t>(text.substr(percent + 1));
    if (!number) return std::nullopt;
    scope = *number;
    text = text.substr(0, percent);
  }
  const auto octets = os::parse_ipv6(std::string(text));
  if (!octets) return std::nullopt;
  return Endpoint::ipv6(*octets, port, scope);
}

}  // namespace

Endpoint Endpoint::ipv4(std::array<std::uint8_t, 4> address, std::uint16_t port) noexcept {
  Endpoint endpoint;
  std::copy(address.begin(), address.end(), endpoint.address_.begin());
  endpoint.port_ = port;
  return endpoint;
}

Endpoint Endpoint::ipv6(std::array<std::uint8_t, 16> address, std::uint16_t port,
                        std::uint32_t scope) noexcept {
  Endpoint endpoint;
  endpoint.address_ = address;
  endpoint.port_ = port;
  endpoint.scope_ = scope;
  endpoint.family_ = AddressFamily::ipv6;
  return endpoint;
}

Result<Endpoint> Endpoint::parse(std::string_view text, std::uint16_t default_port) {
  std::string_view address = text;
  std::string_view port_text;
  bool bracketed = false;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return invalid(text, "the bracket is not closed");
    address = text.substr(1, close - 1);
    port_text = text.substr(close + 1);
    bracketed = true;
    if (!port_text.empty() && !port_text.starts_with(':')) {
      return invalid(text, "only a port can follow the bracket");
    }
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    address = text.substr(0, text.find(':'));
    port_text = text.substr(text.find(':'));
  }
  std::uint16_t port = default_port;
  if (!port_text.empty()) {
    const auto number = parse_number<std::uint16_t>(port_text.substr(1));
    if (!number) return invalid(text, "the port is no number from 0 to 65535");
    port = *number;
  }
  if (!bracketed) {
    if (const auto octets = os::parse_ipv4(std::string(address))) return ipv4(*octets, port);
  }
  if (const auto endpoint = parse_ipv6_address(address, port)) return *endpoint;
  return invalid(text, "no IPv4 or IPv6 address (names are resolved by the host)");
}

Endpoint Endpoint::with_port(std::uint16_t port) const noexcept {
  Endpoint copy = *this;
  copy.port_ = port;
  return copy;
}

std::string Endpoint::address_text() const {
  if (family_ == AddressFamily::ipv4) return os::format_ipv4(address_.data());
  std::string text = os::format_ipv6(address_.data());
  if (scope_ != 0) text += "%" + std::to_string(scope_);
  return text;
}

std::string Endpoint::to_string() const {
  const std::string port = ":" + std::to_string(port_);
  if (family_ == AddressFamily::ipv4) return address_text() + port;
  return "[" + address_text() + "]" + port;
}

Endpoint unmapped(const Endpoint& endpoint) noexcept {
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (endpoint.family() == AddressFamily::ipv4) return endpoint;
  const std::uint8_t* octets = endpoint.address_data();
  if (!std::equal(kMapped.begin(), kMapped.end(), octets)) return endpoint;
  return Endpoint::ipv4({octets[12], octets[13], octets[14], octets[15]}, endpoint.port());
}

namespace {

// Whether the first `bits` bits of both are the same.
bool equal_prefix(const std::uint8_t* a, const std::uint8_t* b, unsigned bits) noexcept {
  const unsigned octets = bits / 8;
  if (!std::equal(a, a + octets, b)) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || ((a[octets] ^ b[octets]) >> (8 - rest)) == 0;
}

}  // namespace

Result<AddressRange> AddressRange::parse(std::string_view text) {
  const auto slash = text.find('/');
  auto first = Endpoint::parse(text.substr(0, slash), 0);
  if (!first) return Unexpected(std::move(first).error());
  if (first->port() != 0) return invalid(text, "a range of addresses has no port");
  const unsigned bits = static_cast<unsigned>(first->address_size()) * 8;
  AddressRange range;
  range.prefix_ = bits;
  if (slash != std::string_view::npos) {
    const auto prefix = parse_number<unsigned>(text.substr(slash + 1));
    if (!prefix || *prefix > bits) {
      return invalid(text, "the prefix is no number from 0 to " + std::to_string(bits));
    }
    range.prefix_ = *prefix;
  }
  for (unsigned bit = range.prefix_; bit < bits; ++bit) {
    if ((first->address_data()[bit / 8] >> (7 - bit % 8) & 1) != 0) {
      return invalid(text, "the address has bits behind the prefix");
    }
  }
  range.first_ = *first;
  return range;
}

bool AddressRange::contains(const Endpoint& endpoint) const noexcept {
  const Endpoint address = unmapped(endpoint);
  return address.family() == first_.family() &&
         equal_prefix(address.address_data(), first_.address_data(), prefix_);
}

std::string AddressRange::to_string() const {
  return first_.address_text() + "/" + std::to_string(prefix_);
}

}  // namespace siptls
