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

TEST_CASE("A range of addresses holds those that begin with its prefix") {
  const struct {
    const char* range;
    const char* inside;
    const char* outside;
  } rows[] = {
      {"192.0.2.0/24", "192.0.2.255:5061", "192.0.3.0:5061"},
      {"192.0.2.128/25", "192.0.2.128", "192.0.2.127"},
      {"192.0.2.7", "192.0.2.7:1", "192.0.2.6:1"},
      {"10.0.0.0/9", "10.127.255.255", "10.128.0.0"},
      {"0.0.0.0/0", "203.0.113.9", "2001:db8::1"},
      {"2001:db8::/32", "[2001:db8:ffff::1]:5061", "[2001:db9::1]:5061"},
      {"2001:db8::8000/113", "2001:db8::ffff", "2001:db8::7fff"},
      {"::/0", "2001:db8::1", "192.0.2.1"},
      {"192.0.2.0/24", "::ffff:192.0.2.9", "::ffff:192.0.3.9"},
  };
  for (const auto& row : rows) {
    INFO(row.range);
    const auto range = siptls::AddressRange::parse(row.range);
    REQUIRE(range);
    CHECK(range->contains(*siptls::Endpoint::parse(row.inside)));
    CHECK_FALSE(range->contains(*siptls::Endpoint::parse(row.outside)));
  }
}

TEST_CASE("A range of addresses is written as it is read") {
  for (const char* text : {"192.0.2.0/24", "0.0.0.0/0", "192.0.2.1/32", "2001:db8::/32"}) {
    CHECK(siptls::AddressRange::parse(text)->to_string() == text);
  }
  CHECK(siptls::AddressRange::parse("192.0.2.1")->to_string() == "192.0.2.1/32");
  CHECK(*siptls::AddressRange::parse("192.0.2.1") == *siptls::AddressRange::parse("192.0.2.1/32"));
}

TEST_CASE("What is no range of addresses is refused with the reason") {
  for (const char* text : {"", "/24", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1",
                           "192.0.2.0/24/1", "192.0.2.1/24", "192.0.2.0:5061/24", "2001:db8::/129",
                           "example.com/8", "192.0.2.0/ 24", "2001:db8::1/64"}) {
    INFO(text);
    const auto range = siptls::AddressRange::parse(text);
    REQUIRE_FALSE(range);
    CHECK(range.error().reason() == siptls::Errc::invalid_endpoint);
    CHECK_FALSE(range.error().evidence().empty());
  }
}
