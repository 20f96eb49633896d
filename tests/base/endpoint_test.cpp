#include "siptls/endpoint.hpp"

#include <string>

#include "catch.hpp"

using namespace siptls;

TEST_CASE("An endpoint is read from text and written as it was meant") {
  struct Row {
    const char* text;
    const char* written;
    AddressFamily family;
  };
  const Row rows[] = {
      {"192.0.2.1", "192.0.2.1:5061", AddressFamily::ipv4},
      {"192.0.2.1:5060", "192.0.2.1:5060", AddressFamily::ipv4},
      {"0.0.0.0:0", "0.0.0.0:0", AddressFamily::ipv4},
      {"255.255.255.255:65535", "255.255.255.255:65535", AddressFamily::ipv4},
      {"2001:db8::1", "[2001:db8::1]:5061", AddressFamily::ipv6},
      {"[2001:db8::1]", "[2001:db8::1]:5061", AddressFamily::ipv6},
      {"[2001:DB8:0:0::1]:5070", "[2001:db8::1]:5070", AddressFamily::ipv6},
      // RFC 5118 section 4.4: without brackets this is an address, not a port.
      {"2001:db8::10:5070", "[2001:db8::10:5070]:5061", AddressFamily::ipv6},
      {"fe80::1%3", "[fe80::1%3]:5061", AddressFamily::ipv6},
      {"[fe80::1%3]:5061", "[fe80::1%3]:5061", AddressFamily::ipv6},
      {"::ffff:192.0.2.1", "[::ffff:192.0.2.1]:5061", AddressFamily::ipv6},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    const auto endpoint = Endpoint::parse(row.text);
    REQUIRE(endpoint);
    CHECK(endpoint->to_string() == row.written);
    CHECK(endpoint->family() == row.family);
    CHECK(*Endpoint::parse(endpoint->to_string()) == *endpoint);
  }
  CHECK(Endpoint::parse("192.0.2.1", 99)->port() == 99);
  CHECK(Endpoint::parse("192.0.2.1:5")->with_port(6).to_string() == "192.0.2.1:6");
}

TEST_CASE("What is no address is refused, names above all") {
  for (const char* text : {"",
                           ":",
                           "example.com",
                           "example.com:5061",
                           "localhost",
                           "192.0.2",
                           "192.0.2.256",
                           "192.0.2.1:",
                           "192.0.2.1:65536",
                           "192.0.2.1:-1",
                           "192.0.2.1:5061x",
                           "[2001:db8::1",
                           "[2001:db8::1]x",
                           "[2001:db8::1]:",
                           "[192.0.2.1]:5061",
                           "[]:5061",
                           "2001:db8::1::2",
                           "fe80::1%eth0",
                           "[fe80::1%]:1",
                           " 192.0.2.1",
                           "192.0.2.1 ",
                           "[::1]5061"}) {
    INFO(text);
    const auto endpoint = Endpoint::parse(text);
    REQUIRE_FALSE(endpoint);
    CHECK(endpoint.error().reason() == Errc::invalid_endpoint);
    CHECK(endpoint.error().evidence().find(text) != std::string::npos);
  }
  CHECK_FALSE(Endpoint::parse(std::string_view("192.0.2.1\0", 10)));
}

TEST_CASE("Endpoints compare and hash by family, address, port and scope") {
  const Endpoint a = *Endpoint::parse("192.0.2.1:5061");
  CHECK(a == *Endpoint::parse("192.0.2.1"));
  CHECK(a != *Endpoint::parse("192.0.2.1:5060"));
  CHECK(a != *Endpoint::parse("192.0.2.2"));
  CHECK(*Endpoint::parse("fe80::1%1") != *Endpoint::parse("fe80::1%2"));
  CHECK(std::hash<Endpoint>{}(a) == std::hash<Endpoint>{}(*Endpoint::parse("192.0.2.1")));
  CHECK(std::hash<Endpoint>{}(a) != std::hash<Endpoint>{}(*Endpoint::parse("192.0.2.2")));
}
