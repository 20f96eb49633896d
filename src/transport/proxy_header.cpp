#include "transport/proxy_header.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/mapped_address.hpp"
#include "base/os/ip_text.hpp"

namespace siptls {
namespace {

using Parsed = Result<std::optional<ProxyHeader>>;

constexpr std::string_view kWord = "PROXY ";
constexpr std::string_view kSignature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t kLongestLine = 107;  // with its CRLF
constexpr std::size_t kHead = 16;          // of version 2, with the signature
constexpr std::uint8_t kChecksumType = 0x03;

Unexpected invalid(const std::string& why) {
  return Unexpected(Errc::proxy_header_invalid, "PROXY header: " + why);
}

// Text of a peer as evidence: short, and nothing but printable ASCII.
std::string quoted(std::string_view text) {
  constexpr std::size_t kMost = 60;
  std::string shown = "\"";
  for (const char c : text.substr(0, kMost)) shown += c >= ' ' && c <= '~' ? c : '?';
  return shown + (text.size() > kMost ? "...\"" : "\"");
}

std::string hex(std::uint8_t octet) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return std::string("0x") + kDigits[octet >> 4] + kDigits[octet & 0x0F];
}

// Do both begin alike, as far as they reach?
bool agree(std::string_view a, std::string_view b) noexcept {
  const std::size_t common = std::min(a.size(), b.size());
  return a.substr(0, common) == b.substr(0, common);
}

// --- Version 1: a line of text ---

std::optional<Endpoint> parse_address(std::string_view text, AddressFamily family) {
  if (family == AddressFamily::ipv4) {
    const auto octets = os::parse_ipv4(std::string(text));
    if (!octets) return std::nullopt;
    return Endpoint::ipv4(*octets, 0);
  }
  const auto octets = os::parse_ipv6(std::string(text));
  if (!octets) return std::nullopt;
  return unmapped(Endpoint::ipv6(*octets, 0));
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

// "TCP4 192.0.2.1 192.0.2.2 40000 5061": exactly one space between two fields.
Parsed parse_line(std::string_view line, std::size_t length) {
  std::array<std::string_view, 5> fields;
  std::string_view rest = line;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::size_t space = rest.find(' ');
    fields.at(i) = rest.substr(0, space);
    if (i == 0 && fields[0] == "UNKNOWN") return ProxyHeader{length, std::nullopt};
    const bool last = i + 1 == fields.size();
    if ((space == std::string_view::npos) != last) {
      return invalid("the line is no protocol, two addresses and two ports: " + quoted(line));
    }
    rest.remove_prefix(last ? rest.size() : space + 1);
  }
  if (fields[0] != "TCP4" && fields[0] != "TCP6") {
    return invalid("the protocol is neither TCP4, TCP6 nor UNKNOWN: " + quoted(line));
  }
  const AddressFamily family = fields[0] == "TCP4" ? AddressFamily::ipv4 : AddressFamily::ipv6;
  const auto source = parse_address(fields[1], family);
  const auto destination = parse_address(fields[2], family);
  if (!source || !destination) return invalid("an address that is none: " + quoted(line));
  const auto source_port = parse_port(fields[3]);
  const auto destination_port = parse_port(fields[4]);
  if (!source_port || !destination_port) return invalid("a port that is none: " + quoted(line));
  return ProxyHeader{length, ProxyHeader::Relayed{source->with_port(*source_port),
                                                  destination->with_port(*destination_port)}};
}

Parsed parse_version1(std::string_view text) {
  const std::string_view line = text.substr(0, kLongestLine);
  const std::size_t end = line.find("\r\n");
  if (end != std::string_view::npos) {
    return parse_line(line.substr(kWord.size(), end - kWord.size()), end + 2);
  }
  if (line.size() < kLongestLine) return std::optional<ProxyHeader>();
  return invalid("the line does not end within " + std::to_string(kLongestLine) + " octets");
}

// --- Version 2: binary ---

std::uint8_t octet_at(std::string_view text, std::size_t at) noexcept {
  return static_cast<std::uint8_t>(text[at]);
}
std::uint16_t number_at(std::string_view text, std::size_t at) noexcept {
  return static_cast<std::uint16_t>(octet_at(text, at) << 8 | octet_at(text, at + 1));
}

// CRC32C (RFC 9260 appendix A): reflected, polynomial 0x1EDC6F41.
std::uint32_t add_to_checksum(std::uint32_t sum, std::string_view octets) noexcept {
  for (const char c : octets) {
    sum ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ ((sum & 1) != 0 ? 0x82F63B78U : 0U);
  }
  return sum;
}

// Over the whole header, with the field itself as zeros.
bool has_checksum(std::string_view header, std::size_t field) noexcept {
  constexpr std::string_view kZeros{"\0\0\0\0", 4};
  std::uint32_t sum = add_to_checksum(0xFFFFFFFFU, header.substr(0, field));
  sum = add_to_checksum(sum, kZeros);
  sum = ~add_to_checksum(sum, header.substr(field + 4));
  const std::uint32_t found =
      std::uint32_t{number_at(header, field)} << 16 | number_at(header, field + 2);
  return sum == found;
}

// What stands behind the addresses: type, length, value. Only the checksum means something here.
Result<void> check_extensions(std::string_view header, std::size_t at) {
  bool checked = false;
  while (at < header.size()) {
    const std::size_t left = header.size() - at;
    if (left < 3 || left - 3 < number_at(header, at + 1)) {
      return invalid("an extension that is longer than the header, at octet " + std::to_string(at));
    }
    const std::size_t length = number_at(header, at + 1);
    if (octet_at(header, at) == kChecksumType) {
      if (length != 4 || checked) return invalid("a checksum that is none");
      if (!has_checksum(header, at + 3)) return invalid("the checksum (CRC32C) is wrong");
      checked = true;
    }
    at += 3 + length;
  }
  return {};
}

Endpoint endpoint_at(std::string_view header, std::size_t address, std::size_t size,
                     std::size_t port) noexcept {
  std::array<std::uint8_t, 16> octets{};
  for (std::size_t i = 0; i < size; ++i) octets.at(i) = octet_at(header, address + i);
  const std::uint16_t number = number_at(header, port);
  if (size == 16) return unmapped(Endpoint::ipv6(octets, number));
  return Endpoint::ipv4({octets[0], octets[1], octets[2], octets[3]}, number);
}

// What a family's addresses look like: two of them, then two ports for those that have any.
struct Addresses {
  std::size_t size = 0;   // of one address
  std::size_t total = 0;  // with ports
};
constexpr std::array<Addresses, 4> kFamilies{{{0, 0}, {4, 12}, {16, 36}, {108, 216}}};

Parsed parse_relayed(std::string_view header) {
  const std::uint8_t kind = octet_at(header, 13);
  const std::uint8_t family = kind >> 4;
  const std::uint8_t protocol = kind & 0x0F;
  if (family >= kFamilies.size() || protocol > 2) {
    return invalid("family and protocol " + hex(kind) + " are unknown");
  }
  // Nothing is said about the peer, nor where extensions would begin.
  if (family == 0 || protocol == 0) return ProxyHeader{header.size(), std::nullopt};
  if (protocol == 2) return invalid("family and protocol " + hex(kind) + " are of datagrams");
  const Addresses& addresses = kFamilies.at(family);
  if (header.size() < kHead + addresses.total) {
    return invalid("its addresses need " + std::to_string(addresses.total) +
                   " octets, and its length is " + std::to_string(header.size() - kHead));
  }
  if (auto good = check_extensions(header, kHead + addresses.total); !good) {
    return Unexpected(std::move(good).error());
  }
  if (addresses.size > 16) return ProxyHeader{header.size(), std::nullopt};  // a Unix socket
  const std::size_t ports = kHead + 2 * addresses.size;
  return ProxyHeader{
      header.size(),
      ProxyHeader::Relayed{endpoint_at(header, kHead, addresses.size, ports),
                           endpoint_at(header, kHead + addresses.size, addresses.size, ports + 2)}};
}

Parsed parse_version2(std::string_view text) {
  if (text.size() <= kSignature.size()) return std::optional<ProxyHeader>();
  const std::uint8_t command = octet_at(text, kSignature.size());
  if (command != 0x20 && command != 0x21) {
    return invalid("version and command " + hex(command) + " are unknown");
  }
  if (text.size() < kHead) return std::optional<ProxyHeader>();
  const std::size_t length = kHead + number_at(text, 14);
  if (text.size() < length) return std::optional<ProxyHeader>();
  // The balancer's own connection, a health check: whatever the block says is passed over.
  if (command == 0x20) return ProxyHeader{length, std::nullopt};
  return parse_relayed(text.substr(0, length));
}

}  // namespace

Parsed parse_proxy_header(std::span<const std::byte> octets, ProxyProtocol allowed) {
  const std::string_view text(reinterpret_cast<const char*>(octets.data()), octets.size());
  if (text.empty()) return std::optional<ProxyHeader>();
  const bool version1 = agree(text, kWord);
  const bool version2 = agree(text, kSignature);
  if (!version1 && !version2) {
    return invalid("the connection begins with " + quoted(text.substr(0, 12)) + " (" +
                   hex(octet_at(text, 0)) + "...), which is none");
  }
  if (version1 && allowed == ProxyProtocol::version2) return invalid("version 1, not version 2");
  if (version2 && allowed == ProxyProtocol::version1) return invalid("version 2, not version 1");
  if (text.size() < kWord.size()) return std::optional<ProxyHeader>();
  return version1 ? parse_version1(text) : parse_version2(text);
}

}  // namespace siptls
