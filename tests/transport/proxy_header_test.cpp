// The parser of PROXY headers, octet by octet.
#include "transport/proxy_header.hpp"

#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "scale.hpp"

using namespace siptls;

namespace {

using namespace std::string_literals;

Result<std::optional<ProxyHeader>> parse(std::string_view octets,
                                         ProxyProtocol allowed = ProxyProtocol::either) {
  return parse_proxy_header(std::as_bytes(std::span(octets.data(), octets.size())), allowed);
}

// "source > destination", "wire" if TCP's own addresses hold, "more", or the evidence.
std::string told(std::string_view octets, ProxyProtocol allowed = ProxyProtocol::either) {
  const auto parsed = parse(octets, allowed);
  if (!parsed) {
    REQUIRE(parsed.error().reason() == Errc::proxy_header_invalid);
    return parsed.error().evidence();
  }
  if (!*parsed) return "more";
  const auto& relayed = (*parsed)->relayed;
  if (!relayed) return "wire";
  return relayed->source.to_string() + " > " + relayed->destination.to_string();
}

std::string number(std::size_t value) {
  return {static_cast<char>(value >> 8 & 0xFF), static_cast<char>(value & 0xFF)};
}

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;
const std::string kIpv4 = "\xC0\x00\x02\x01\xC0\x00\x02\x02\x9C\x40\x13\xC5"s;
const std::string kIpv6 =
    "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01"s
    "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x02\x9C\x40\x13\xC5"s;
const std::string kMapped =
    "\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xC0\x00\x02\x01"s
    "\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xC0\x00\x02\x02\x9C\x40\x13\xC5"s;

std::string binary(char command, char family, const std::string& block) {
  return kSignature + command + family + number(block.size()) + block;
}
std::string extension(char type, const std::string& value) {
  return type + number(value.size()) + value;
}

// The definition of CRC32C by division, another way than the parser's: octets reflected on the way
// in and the remainder on the way out.
std::uint32_t reflected(std::uint32_t value, int bits) {
  std::uint32_t result = 0;
  for (int i = 0; i < bits; ++i) result |= (value >> i & 1U) << (bits - 1 - i);
  return result;
}
std::uint32_t crc32c(std::string_view octets) {
  std::uint32_t remainder = 0xFFFFFFFFU;
  for (const char c : octets) {
    remainder ^= reflected(static_cast<std::uint8_t>(c), 8) << 24;
    for (int bit = 0; bit < 8; ++bit) {
      const bool carry = (remainder & 0x80000000U) != 0;
      remainder = remainder << 1 ^ (carry ? 0x1EDC6F41U : 0U);
    }
  }
  return ~reflected(remainder, 32);
}

// A header with its checksum behind `before`, which ends the addresses and extensions so far.
std::string with_checksum(char family, const std::string& before, const std::string& after = {}) {
  std::string header = binary(0x21, family, before + extension(3, "\0\0\0\0"s) + after);
  const std::uint32_t sum = crc32c(header);
  header.replace(16 + before.size() + 3, 4, number(sum >> 16) + number(sum & 0xFFFF));
  return header;
}

std::vector<std::string> good_headers() {
  return {"PROXY TCP4 192.0.2.1 192.0.2.2 40000 5061\r\n",
          "PROXY TCP6 2001:db8::1 2001:db8::2 40000 5061\r\n",
          "PROXY UNKNOWN\r\n",
          "PROXY UNKNOWN " + std::string(91, 'x') + "\r\n",
          binary(0x21, 0x11, kIpv4),
          binary(0x21, 0x21, kIpv6),
          binary(0x21, 0x31, std::string(216, 'u')),
          binary(0x21, 0x00, {}),
          binary(0x20, 0x00, {}),
          binary(0x20, 0x11, kIpv4 + "anything"),
          binary(0x21, 0x11, kIpv4 + extension(4, std::string(300, '\0')) + extension(0x20, "abc")),
          with_checksum(0x11, kIpv4),
          with_checksum(0x21, kIpv6 + extension(2, "alpha.example"), extension(4, "padding"))};
}

}  // namespace

TEST_CASE("A PROXY header tells who the peer is, or that it cannot") {
  struct Row {
    std::string header;
    std::string told;
  };
  const std::string ipv4 = "192.0.2.1:40000 > 192.0.2.2:5061";
  const std::string ipv6 = "[2001:db8::1]:40000 > [2001:db8::2]:5061";
  const Row rows[] = {
      {"PROXY TCP4 192.0.2.1 192.0.2.2 40000 5061\r\n", ipv4},
      {"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", "0.0.0.0:0 > 255.255.255.255:65535"},
      {"PROXY TCP6 2001:db8::1 2001:db8::2 40000 5061\r\n", ipv6},
      {"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 40000 5061\r\n", ipv4},
      {"PROXY UNKNOWN\r\n", "wire"},
      {"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", "wire"},
      {binary(0x21, 0x11, kIpv4), ipv4},
      {binary(0x21, 0x21, kIpv6), ipv6},
      {binary(0x21, 0x21, kMapped), ipv4},
      // The balancer speaks for itself: family and block mean nothing.
      {binary(0x20, 0x00, {}), "wire"},
      {binary(0x20, 0x11, kIpv4), "wire"},
      {binary(0x20, 0x7F, "\x03\xFF\xFFgarbage"), "wire"},
      // It does not know the peer, or knows it by another kind of address.
      {binary(0x21, 0x00, {}), "wire"},
      {binary(0x21, 0x00, "garbage"), "wire"},
      {binary(0x21, 0x10, kIpv4), "wire"},
      {binary(0x21, 0x31, std::string(216, 'u')), "wire"},
      // What is behind the addresses is skipped.
      {binary(0x21, 0x11, kIpv4 + extension(4, "") + extension('\xEA', "vpce-1")), ipv4},
      {with_checksum(0x11, kIpv4), ipv4},
      {with_checksum(0x11, kIpv4 + extension(1, "sip/2"), extension(5, "id")), ipv4},
  };
  for (const Row& row : rows) {
    INFO(row.told);
    CHECK(told(row.header) == row.told);
    const auto parsed = parse(row.header + "\x16\x03\x01");
    REQUIRE(parsed);
    REQUIRE(*parsed);
    CHECK((*parsed)->length == row.header.size());
  }
}

TEST_CASE("What is no PROXY header is refused, and says why") {
  struct Row {
    std::string header;
    std::string evidence;  // a part of it
  };
  std::string wrong_sum = with_checksum(0x11, kIpv4);
  wrong_sum[20] = static_cast<char>(wrong_sum[20] ^ 1);
  const Row rows[] = {
      {"\x16\x03\x01", "0x16"},
      {"GET / HTTP/1.1\r\n", "GET /"},
      {"\r\n\r\nOPTIONS", "which is none"},
      {"PROXY\r", "which is none"},
      {"proxy TCP4", "which is none"},
      {"PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "no protocol"},
      {"PROXY \r\n", "no protocol"},
      {"PROXY TCP4\r\n", "no protocol"},
      {"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", "no protocol"},
      {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", "no protocol"},
      {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n", "no protocol"},
      {"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", "neither TCP4"},
      {"PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n", "neither TCP4"},
      {"PROXY UNKNOWNX 192.0.2.1 192.0.2.2 1 2\r\n", "neither TCP4"},
      {"PROXY TCP4 192.0.2.1  1 2\r\n", "address"},
      {"PROXY TCP4 192.0.2.1 192.0.2.256 1 2\r\n", "address"},
      {"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n", "address"},
      {"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", "address"},
      {"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", "address"},
      {"PROXY TCP6 fe80::1%1 2001:db8::2 1 2\r\n", "address"},
      {"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", "port"},
      {"PROXY TCP4 192.0.2.1 192.0.2.2 1 -2\r\n", "port"},
      {"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", "port"},
      {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n\r\n", "port"},
      {"PROXY UNKNOWN " + std::string(92, 'x') + "\r\n", "within 107"},
      {"PROXY " + std::string(101, 'x'), "within 107"},
      {kSignature + "\x11", "0x11"},
      {kSignature + "\x31", "0x31"},
      {kSignature + "\x22", "0x22"},
      {binary(0x21, 0x41, kIpv4), "0x41"},
      {binary(0x21, 0x13, kIpv4), "0x13"},
      {binary(0x21, 0x12, kIpv4), "datagrams"},
      {binary(0x21, 0x11, kIpv4.substr(1)), "need 12"},
      {binary(0x21, 0x21, kIpv4), "need 36"},
      {binary(0x21, 0x31, std::string(215, 'u')), "need 216"},
      {binary(0x21, 0x11, kIpv4 + "\x04"), "longer than the header"},
      {binary(0x21, 0x11, kIpv4 + "\x04\x00"s), "longer than the header"},
      {binary(0x21, 0x11, kIpv4 + "\x04\x00\x02x"s), "longer than the header"},
      {binary(0x21, 0x11, kIpv4 + extension(3, "abc")), "checksum"},
      {with_checksum(0x11, kIpv4, extension(3, "\0\0\0\0"s)), "checksum"},
      {wrong_sum, "CRC32C"},
  };
  for (const Row& row : rows) {
    INFO(row.evidence);
    const std::string found = told(row.header);
    CAPTURE(found);
    CHECK(found.find(row.evidence) != std::string::npos);
  }
  const std::string one = good_headers().front();
  const std::string two = binary(0x21, 0x11, kIpv4);
  CHECK(told(one, ProxyProtocol::version1) == told(two, ProxyProtocol::version2));
  CHECK(told(one, ProxyProtocol::version2).find("version 1") != std::string::npos);
  CHECK(told(two, ProxyProtocol::version1).find("version 2") != std::string::npos);
}

TEST_CASE("The checksum of the parser's tests is CRC32C") {
  // RFC 3720 appendix B.4.
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAU);
  CHECK(crc32c(std::string(32, '\xFF')) == 0x62A8AB43U);
}

TEST_CASE("A PROXY header may come in any pieces, and nothing behind it counts") {
  for (const std::string& header : good_headers()) {
    const std::string whole = told(header);
    CAPTURE(whole);
    const std::string stream = header + std::string("\x16\x03\x01\x02\x00\r\nPROXY ", 13);
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
      CAPTURE(cut);
      REQUIRE(told(stream.substr(0, cut)) == (cut < header.size() ? "more" : whole));
    }
  }
}

TEST_CASE("A spoilt PROXY header is refused or understood, and never waited for without end") {
  std::mt19937 random(20261123);
  const std::vector<std::string> headers = good_headers();
  const std::size_t rounds = siptls_test::scaled("spoilt PROXY headers", 3000);
  for (std::size_t round = 0; round < rounds; ++round) {
    std::string header = headers[random() % headers.size()];
    header[random() % header.size()] = static_cast<char>(random());
    CAPTURE(round);
    // The longest header there is has 16 + 65535 octets.
    const std::string stream = header + std::string(70'000 - header.size(), 'x');
    const auto parsed = parse(stream);
    if (!parsed) {
      CHECK(parsed.error().reason() == Errc::proxy_header_invalid);
      continue;
    }
    REQUIRE(*parsed);
    const std::size_t length = (*parsed)->length;
    REQUIRE(length <= 16 + 65535);
    CHECK(told(std::string_view(stream).substr(0, length)) == told(stream));
    CHECK(told(std::string_view(stream).substr(0, length - 1)) == "more");
  }
}
