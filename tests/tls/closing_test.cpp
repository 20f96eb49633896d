// The end of a connection: close_notify both ways, truncation, deadlines.
#include <array>

#include "catch.hpp"
#include "peers.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

constexpr ProtocolVersion kVersions[] = {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3};

struct Pair {
  explicit Pair(ProtocolVersion version)
      : both(context(only(version))), a(client(both)), b(server(both)) {
    connect(a, b);
    REQUIRE(a.established());
    REQUIRE(b.established());
  }
  TlsContext both;
  SessionEnd a;
  SessionEnd b;
};

Errc reason_of(const Result<void>& result) {
  REQUIRE_FALSE(result);
  return result.error().reason();
}

}  // namespace

TEST_CASE("Both ends close in turn") {
  for (const auto version : kVersions) {
    CAPTURE(to_string(version));
    Pair pair(version);
    REQUIRE(pair.a.session.send(octets_of("last words"), pair.a.now));
    REQUIRE(pair.a.session.close(pair.a.now));
    CHECK(pair.a.session.state() == SessionState::established);
    connect(pair.a, pair.b);
    CHECK(pair.b.received == "last words");
    CHECK(pair.b.session.state() == SessionState::peer_closed);
    // What is under way may still be sent; the end that has closed drops it.
    REQUIRE(pair.b.session.send(octets_of("response"), pair.b.now));
    REQUIRE(pair.b.session.close(pair.b.now));
    CHECK(pair.b.session.state() == SessionState::closed);
    CHECK(reason_of(pair.b.session.send(octets_of("x"), pair.b.now)) == Errc::connection_closed);
    connect(pair.a, pair.b);
    CHECK(pair.a.session.state() == SessionState::closed);
    CHECK(pair.a.received.empty());
    CHECK_FALSE(pair.a.error.has_value());
    CHECK_FALSE(pair.b.error.has_value());
    // The end of the stream is expected now.
    CHECK(pair.a.session.feed_end(pair.a.now));
    CHECK(pair.b.session.feed_end(pair.b.now));
  }
}

TEST_CASE("Both ends close at once") {
  for (const auto version : kVersions) {
    Pair pair(version);
    REQUIRE(pair.a.session.close(pair.a.now));
    REQUIRE(pair.b.session.close(pair.b.now));
    connect(pair.a, pair.b);
    CHECK(pair.a.session.state() == SessionState::closed);
    CHECK(pair.b.session.state() == SessionState::closed);
  }
}

TEST_CASE("close_notify is sent once, and nothing after it") {
  Pair pair(ProtocolVersion::tls1_3);
  REQUIRE(pair.a.session.close(pair.a.now));
  const std::uint64_t after_close = pair.a.session.output_total();
  REQUIRE(pair.a.session.close(pair.a.now));
  CHECK(reason_of(pair.a.session.send(octets_of("x"), pair.a.now)) == Errc::connection_closed);
  CHECK(pair.a.session.output_total() == after_close);
}

TEST_CASE("What the peer still sends after close() is dropped") {
  for (const auto version : kVersions) {
    Pair pair(version);
    REQUIRE(pair.b.session.send(octets_of("too late"), pair.b.now));
    REQUIRE(pair.a.session.close(pair.a.now));
    connect(pair.a, pair.b);
    CHECK(pair.a.received.empty());
    CHECK_FALSE(pair.a.error.has_value());
  }
}

TEST_CASE("A stream that ends without close_notify is truncated") {
  for (const auto version : kVersions) {
    Pair pair(version);
    REQUIRE(pair.b.session.send(octets_of("half"), pair.b.now));
    connect(pair.a, pair.b);
    CHECK(pair.a.received == "half");
    CHECK(reason_of(pair.a.session.feed_end(pair.a.now)) == Errc::truncated);
    CHECK(pair.a.session.state() == SessionState::failed);
    CHECK(pair.a.session.error()->category() == Category::io);
    CHECK(reason_of(pair.a.session.send(octets_of("x"), pair.a.now)) == Errc::truncated);
  }
}

TEST_CASE("A stream that ends inside a record is truncated, and what came whole is handed out") {
  Pair pair(ProtocolVersion::tls1_3);
  REQUIRE(pair.b.session.send(octets_of("first"), pair.b.now));
  REQUIRE(pair.b.session.send(octets_of("second"), pair.b.now));
  Octets output = pair.b.take_output();
  output.pop_back();
  // The end is told before the plaintext was fetched.
  REQUIRE(pair.a.session.feed(output, pair.a.now));
  REQUIRE(pair.a.session.feed_end(pair.a.now));
  std::array<std::byte, 100> buffer;
  const auto first = pair.a.session.next_plaintext(buffer, pair.a.now);
  REQUIRE(first);
  CHECK(text_of(*first) == "first");
  const auto second = pair.a.session.next_plaintext(buffer, pair.a.now);
  REQUIRE_FALSE(second);
  CHECK(second.error().reason() == Errc::truncated);
}

TEST_CASE("A close_notify that was received before the end of the stream counts") {
  Pair pair(ProtocolVersion::tls1_2);
  REQUIRE(pair.b.session.close(pair.b.now));
  const Octets output = pair.b.take_output();
  REQUIRE(pair.a.session.feed(output, pair.a.now));
  REQUIRE(pair.a.session.feed_end(pair.a.now));
  std::array<std::byte, 100> buffer;
  const auto plaintext = pair.a.session.next_plaintext(buffer, pair.a.now);
  REQUIRE(plaintext);
  CHECK(plaintext->empty());
  CHECK(pair.a.session.state() == SessionState::peer_closed);
}

TEST_CASE("The end of the stream after close() is no truncation") {
  Pair pair(ProtocolVersion::tls1_3);
  REQUIRE(pair.a.session.close(pair.a.now));
  CHECK(pair.a.session.feed_end(pair.a.now));
  CHECK(pair.a.session.state() == SessionState::closed);
}

TEST_CASE("Closing during the handshake tells the peer so") {
  const TlsContext both = context();
  SessionEnd a = client(both);
  SessionEnd b = server(both);
  b.receive(a.take_output());
  REQUIRE(b.session.close(b.now));
  CHECK(b.session.state() == SessionState::closed);
  CHECK_FALSE(b.session.next_deadline().has_value());
  const Octets output = b.take_output();
  a.receive(output);
  REQUIRE(a.error.has_value());
  CHECK(a.error->reason() == Errc::peer_alert);
  CHECK(a.error->alert() == Alert::user_canceled);
}

TEST_CASE("A handshake that does not end in time is given up") {
  const TlsContext both = context();
  SessionOptions options;
  options.handshake_timeout = std::chrono::seconds(3);
  SessionEnd b = server(both, options);
  REQUIRE(b.session.next_deadline().has_value());
  CHECK(*b.session.next_deadline() == b.now.mono + std::chrono::seconds(3));
  b.now.mono += std::chrono::milliseconds(2999);
  CHECK(b.session.on_deadline(b.now));
  b.now.mono += std::chrono::milliseconds(1);
  CHECK(reason_of(b.session.on_deadline(b.now)) == Errc::handshake_timeout);
  CHECK(b.session.error()->evidence().find("nothing") != std::string::npos);
  CHECK(b.session.state() == SessionState::failed);
  CHECK_FALSE(b.session.next_deadline().has_value());
  CHECK(reason_of(b.session.feed({}, b.now)) == Errc::handshake_timeout);
}

TEST_CASE("A peer that sends an octet now and then does not outlive the deadline, in both roles") {
  for (const auto version : kVersions) {
    for (const bool at_server : {true, false}) {
      CAPTURE(to_string(version), at_server);
      const TlsContext both = context(only(version));
      SessionEnd a = client(both);
      SessionEnd b = server(both);
      if (!at_server) b.receive(a.take_output());
      const Octets flight = at_server ? a.take_output() : b.take_output();
      SessionEnd& slow = at_server ? b : a;
      const MonoTime deadline = *slow.session.next_deadline();
      std::size_t fed = 0;
      while (!slow.error && fed < flight.size()) {
        slow.now.mono += std::chrono::milliseconds(200);
        slow.receive(std::span(flight).subspan(fed++, 1));
        if (!slow.error) CHECK(*slow.session.next_deadline() == deadline);
      }
      REQUIRE(slow.error.has_value());
      CHECK(slow.error->reason() == Errc::handshake_timeout);
      CHECK(slow.now.mono >= deadline);
      CHECK(fed == 50);  // ten seconds
    }
  }
}

TEST_CASE("Octets that come after the deadline do not save a handshake") {
  const TlsContext both = context();
  SessionEnd a = client(both);
  SessionEnd b = server(both);
  b.receive(a.take_output());
  b.now.mono += std::chrono::minutes(1);
  a.receive(b.take_output());
  b.receive(a.take_output());
  REQUIRE(b.error.has_value());
  CHECK(b.error->reason() == Errc::handshake_timeout);
  CHECK(b.error->evidence().find("state") != std::string::npos);
}

TEST_CASE("The deadline is of no concern once the handshake is done") {
  Pair pair(ProtocolVersion::tls1_3);
  pair.a.now.mono += std::chrono::hours(100);
  CHECK(pair.a.session.on_deadline(pair.a.now));
  CHECK(pair.a.established());
}
