// The key of a connection that lasts: RFC 9846 section 5.5 limits what is sent under it. The
// program is linked so that BoringSSL's count of records passes through here, and can be begun
// late.
#include <openssl/ssl.h>

#include <algorithm>
#include <atomic>

#include "catch.hpp"
#include "peers.hpp"

namespace {

constexpr std::uint64_t kRecordsOfOneKey = std::uint64_t{1} << 24;
std::atomic<std::uint64_t> records_before{0};

}  // namespace

extern "C" {
std::uint64_t __real_SSL_get_write_sequence(const SSL* ssl);
std::uint64_t __wrap_SSL_get_write_sequence(const SSL* ssl);
std::uint64_t __wrap_SSL_get_write_sequence(const SSL* ssl) {
  return __real_SSL_get_write_sequence(ssl) + records_before;
}
}

using namespace siptls;
using namespace siptls_test;

namespace {

// How long the records are in which one octet travels, one after the other. With a KeyUpdate before
// it there are more octets.
std::vector<std::size_t> sizes_of(SessionEnd& from, SessionEnd& to, int count) {
  std::vector<std::size_t> sizes;
  for (int i = 0; i < count; ++i) {
    REQUIRE(from.session.send(octets_of("x"), test_now()));
    const Octets wire = from.take_output();
    sizes.push_back(wire.size());
    to.receive(wire);
    REQUIRE_FALSE(to.error);
  }
  return sizes;
}

}  // namespace

TEST_CASE("A key is renewed before it has sealed as many records as it may, in TLS 1.3") {
  for (const bool client_sends : {true, false}) {
    CAPTURE(client_sends);
    const TlsContext both = context(only(ProtocolVersion::tls1_3));
    SessionEnd a = client(both);
    SessionEnd b = server(both);
    connect(a, b);
    REQUIRE(a.established());
    REQUIRE(b.established());
    SessionEnd& from = client_sends ? a : b;
    SessionEnd& to = client_sends ? b : a;
    // Tickets travel with the first octets of a server.
    sizes_of(from, to, 1);
    sizes_of(to, from, 1);
    const std::size_t one = sizes_of(from, to, 1).front();
    records_before = kRecordsOfOneKey - 10;
    const auto sizes = sizes_of(from, to, 30);
    records_before = 0;
    CHECK(sizes.front() == one);
    const auto renewed =
        std::find_if(sizes.begin(), sizes.end(), [one](std::size_t size) { return size > one; });
    REQUIRE(renewed != sizes.end());
    CHECK(to.received == std::string(32, 'x'));
    // The other direction has a key and a count of its own, and nothing was asked of it.
    CHECK(sizes_of(to, from, 3) == std::vector<std::size_t>(3, one));
  }
}

TEST_CASE("Sixteen million records and more go over one TLS 1.3 connection", "[long]") {
  const TlsContext both = context(only(ProtocolVersion::tls1_3));
  SessionEnd a = client(both);
  SessionEnd b = server(both);
  connect(a, b);
  REQUIRE(a.established());
  const Octets octet = octets_of("x");
  std::size_t longer = 0;
  std::size_t one = 0;
  for (std::uint64_t i = 0; i < 2 * kRecordsOfOneKey + 100; ++i) {
    if (!a.session.send(octet, a.now)) FAIL("send");
    const Octets wire = a.take_output();
    if (one == 0) one = wire.size();
    if (wire.size() > one) ++longer;
    b.received.clear();
    b.receive(wire);
    if (b.received.size() != 1) FAIL("lost at " << i);
  }
  CHECK(longer == 2);
}
