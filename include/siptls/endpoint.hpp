// Endpoint: an IP address and a port. Never a host name: there is no DNS in siptls.
// A small value, cheap to copy and to compare.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "siptls/export.hpp"
#include "siptls/result.hpp"

namespace siptls {

// The port of SIP over TLS, used where text names none (RFC 3261 section 19.1.2).
inline constexpr std::uint16_t kDefaultPort = 5061;

enum class AddressFamily : std::uint8_t { ipv4 = 4, ipv6 = 6 };

class SIPTLS_API Endpoint {
 public:
  // 0.0.0.0:0
  Endpoint() noexcept = default;
  static Endpoint ipv4(std::array<std::uint8_t, 4> address, std::uint16_t port) noexcept;
  // `scope` is the interface index of a link-local address (RFC 4007), otherwise 0.
  static Endpoint ipv6(std::array<std::uint8_t, 16> address, std::uint16_t port,
                       std::uint32_t scope = 0) noexcept;

  // Reads "192.0.2.1", "192.0.2.1:5061", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:5061";
  // a link-local address may carry "%" and an interface number. Fails with `invalid_endpoint`.
  static Result<Endpoint> parse(std::string_view text, std::uint16_t default_port = kDefaultPort);

  AddressFamily family() const noexcept { return family_; }
  // 4 or 16 octets in network order.
  const std::uint8_t* address_data() const noexcept { return address_.data(); }
  std::size_t address_size() const noexcept { return family_ == AddressFamily::ipv4 ? 4 : 16; }
  std::uint16_t port() const noexcept { return port_; }
  std::uint32_t scope() const noexcept { return scope_; }
  Endpoint with_port(std::uint16_t port) const noexcept;

  // "192.0.2.1" or "2001:db8::1", without brackets.
  std::string address_text() const;
  // "192.0.2.1:5061" or "[2001:db8::1]:5061".
  std::string to_string() const;

  friend bool operator==(const Endpoint&, const Endpoint&) noexcept = default;
  friend auto operator<=>(const Endpoint&, const Endpoint&) noexcept = default;

 private:
  std::array<std::uint8_t, 16> address_{};
  std::uint32_t scope_ = 0;
  std::uint16_t port_ = 0;
  AddressFamily family_ = AddressFamily::ipv4;
};

// A block of addresses, such as 192.0.2.0/24: addresses that begin with the same bits.
class SIPTLS_API AddressRange {
 public:
  // Reads "192.0.2.0/24", "2001:db8::/32", or one address. Bits behind the prefix must be 0. Fails
  // with `invalid_endpoint`.
  static Result<AddressRange> parse(std::string_view text);

  // Whether the address of `endpoint` is in it. An IPv4 address that is written as an IPv6 one
  // (::ffff:192.0.2.1) is the IPv4 address.
  bool contains(const Endpoint& endpoint) const noexcept;
  // "192.0.2.0/24"
  std::string to_string() const;

  friend bool operator==(const AddressRange&, const AddressRange&) noexcept = default;

 private:
  Endpoint first_;
  unsigned prefix_ = 0;  // bits
};

}  // namespace siptls

template <>
struct std::hash<siptls::Endpoint> {
  std::size_t operator()(const siptls::Endpoint& endpoint) const noexcept {
    const std::string_view octets(reinterpret_cast<const char*>(endpoint.address_data()),
                                  endpoint.address_size());
    return std::hash<std::string_view>{}(octets) ^ (std::size_t{endpoint.port()} << 1) ^
           (std::size_t{endpoint.scope()} << 20);
  }
};
