#include "tls/client_hello.hpp"

#include "catch.hpp"
#include "peers.hpp"

using namespace siptls_test;
using siptls::tls::parse_client_hello;

namespace {

std::vector<std::uint8_t> bytes(const std::string& hex) {
  std::vector<std::uint8_t> result;
  for (const std::byte octet : from_hex(hex))
    result.push_back(std::to_integer<std::uint8_t>(octet));
  return result;
}

const std::string kRandom(64, '5');
// TLS 1.2, suites C02B, 002F and a GREASE value, no compression.
const std::string kHead = "0303" + kRandom + "00" + "0006c02b002f1a1a" + "0100";
// Groups X25519 and P-256; schemes 0403 and 0804; ALPN h2, sip/2; EMS; RI; versions 1.3, 1.2.
const std::string kExtensions = std::string("000a00060004001d0017") + "000d0006000404030804" +
                                "0010000b0009026832057369702f32" + "00170000" + "ff01000100" +
                                "002b00050403040303";

std::string with_length(const std::string& hex) {
  const std::size_t size = hex.size() / 2;
  const char* digits = "0123456789abcdef";
  std::string length;
  for (int shift = 12; shift >= 0; shift -= 4) length += digits[size >> shift & 0xf];
  return length + hex;
}

}  // namespace

TEST_CASE("What a ClientHello offers is read from it") {
  const auto hello = parse_client_hello(bytes(kHead + with_length(kExtensions)));
  REQUIRE(hello.has_value());
  CHECK(hello->versions == std::vector<std::uint16_t>{0x0304, 0x0303});
  CHECK(hello->suites == std::vector<std::uint16_t>{0xc02b, 0x002f});
  CHECK(hello->groups == std::vector<std::uint16_t>{0x001d, 0x0017});
  CHECK(hello->signature_schemes == std::vector<std::uint16_t>{0x0403, 0x0804});
  CHECK(hello->protocols == std::vector<std::string>{"h2", "sip/2"});
  CHECK(hello->extended_master_secret);
  CHECK(hello->secure_renegotiation);
}

TEST_CASE("A ClientHello without extensions offers its legacy version") {
  const auto hello = parse_client_hello(bytes("0301" + kRandom + "00" + "0004003500ff" + "0100"));
  REQUIRE(hello.has_value());
  CHECK(hello->versions == std::vector<std::uint16_t>{0x0301});
  CHECK_FALSE(hello->extended_master_secret);
  CHECK(hello->secure_renegotiation);  // by the signalling suite
}

TEST_CASE("A ClientHello that ends too early is malformed wherever it is cut") {
  const auto whole = bytes(kHead + with_length(kExtensions));
  const std::size_t without_extensions = kHead.size() / 2;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    const auto cut = parse_client_hello(std::span(whole).first(size));
    CHECK(cut.has_value() == (size == without_extensions));
  }
}

TEST_CASE("Versions have names") {
  CHECK(siptls::tls::version_name(0x0300) == "SSL 3.0");
  CHECK(siptls::tls::version_name(0x0302) == "TLS 1.1");
  CHECK(siptls::tls::version_name(0x0304) == "TLS 1.3");
  CHECK(siptls::tls::version_name(0x7f1c) == "0x7F1C");
}
