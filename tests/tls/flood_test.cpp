// Peers that send a great deal of little use: each flood ends in an error with its reason.
#include "catch.hpp"
#include "peers.hpp"
#include "record_maker.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

constexpr auto k12 = ProtocolVersion::tls1_2;
constexpr auto k13 = ProtocolVersion::tls1_3;
constexpr PeerRole kRoles[] = {PeerRole::client, PeerRole::server};

constexpr std::uint8_t kChangeCipherSpec = 20;
constexpr std::uint8_t kAlert = 21;
constexpr std::uint8_t kHandshake = 22;

// Feeds `unit` until the session fails; how often. None within `most` is a failure of the test.
std::size_t flood(SessionEnd& end, const Octets& unit, std::size_t most) {
  for (std::size_t count = 1; count <= most; ++count) {
    end.receive(unit);
    if (end.error) return count;
  }
  FAIL("the flood was taken");
  return most;
}

void check_refused(SessionEnd& end, Errc reason, const char* evidence) {
  REQUIRE(end.error.has_value());
  CAPTURE(end.error->message());
  CHECK(end.error->reason() == reason);
  CHECK(end.error->evidence().find(evidence) != std::string::npos);
  // The peer is told, and nothing more is taken.
  CHECK(end.error->alert().has_value());
  CHECK_FALSE(end.take_output().empty());
  CHECK(end.session.state() == SessionState::failed);
}

SessionEnd waiting_client() {
  SessionEnd end = client(context());
  end.take_output();
  return end;
}

}  // namespace

TEST_CASE("Empty records end a handshake") {
  for (const bool to_server : {true, false}) {
    CAPTURE(to_server);
    SessionEnd end = to_server ? server(context()) : waiting_client();
    CHECK(flood(end, plain_record(kHandshake, {}), 100) <= 40);
    check_refused(end, Errc::tls_protocol_error, "TOO_MANY_EMPTY_FRAGMENTS");
  }
}

TEST_CASE("Warnings end a handshake, and change-cipher-spec messages do") {
  SessionEnd warned = waiting_client();
  // user_canceled, as a warning
  CHECK(flood(warned, plain_record(kAlert, from_hex("015a")), 100) <= 10);
  check_refused(warned, Errc::tls_protocol_error, "");

  SessionEnd a = client(context(only(k13)));
  SessionEnd b = server(context(only(k13)));
  b.receive(a.take_output());
  b.take_output();
  CHECK(flood(b, plain_record(kChangeCipherSpec, from_hex("01")), 100) <= 40);
  check_refused(b, Errc::tls_protocol_error, "");
}

TEST_CASE("A message of the handshake in tiny records is taken up to the bound, and no further") {
  // A message of 90,000 octets that may be one: BoringSSL lets a chain be as long. One octet each
  // record makes six of it.
  SessionEnd end = waiting_client();
  end.receive(plain_record(kHandshake, from_hex("02015f90")));
  REQUIRE_FALSE(end.error.has_value());
  const Octets tiny = plain_record(kHandshake, from_hex("00"));
  const std::size_t taken = flood(end, tiny, 90'000);
  CHECK(taken * tiny.size() >= 127 * 1024);
  CHECK(taken * tiny.size() <= 129 * 1024);
  check_refused(end, Errc::handshake_too_large, "131072 octets");
  CHECK(end.error->category() == Category::limit);
}

TEST_CASE("A server bounds the octets of a handshake too") {
  SessionEnd a = client(context(only(k12)));
  SessionEnd b = server(context(only(k12)));
  b.receive(a.take_output());
  b.take_output();
  // A Certificate of 90,000 octets, one each record.
  b.receive(plain_record(kHandshake, from_hex("0b015f90")));
  REQUIRE_FALSE(b.error.has_value());
  const Octets tiny = plain_record(kHandshake, from_hex("00"));
  const std::size_t taken = flood(b, tiny, 90'000);
  CHECK(taken * tiny.size() >= 126 * 1024);
  CHECK(taken * tiny.size() <= 129 * 1024);
  check_refused(b, Errc::handshake_too_large, "131072 octets");
}

TEST_CASE("The bound of a handshake counts what it takes, and not what comes behind it") {
  for (const ProtocolVersion version : {k12, k13}) {
    CAPTURE(to_string(version));
    SessionEnd a = client(context(only(version)));
    SessionEnd b = server(context(only(version)));
    b.receive(a.take_output());
    a.receive(b.take_output());
    const std::string data(300'000, 'x');
    if (version == k12) {
      // The server is done first: its Finished and its data come together.
      b.receive(a.take_output());
      REQUIRE(b.established());
      REQUIRE(b.session.send(octets_of(data), b.now));
      a.receive(b.take_output());
      REQUIRE(a.established());
      CHECK(a.received.size() == data.size());
    } else {
      REQUIRE(a.established());
      REQUIRE(a.session.send(octets_of(data), a.now));
      b.receive(a.take_output());
      REQUIRE(b.established());
      CHECK(b.received.size() == data.size());
    }
  }
}

TEST_CASE("A message that is too large is refused at its header") {
  SessionEnd b = server(context());
  b.receive(plain_record(kHandshake, from_hex("01ffffff")));
  check_refused(b, Errc::handshake_too_large, "EXCESSIVE_MESSAGE_SIZE");

  SessionEnd a = waiting_client();
  a.receive(plain_record(kHandshake, from_hex("02ffffff")));
  check_refused(a, Errc::handshake_too_large, "EXCESSIVE_MESSAGE_SIZE");
}

TEST_CASE("A record that is too large is refused at its header") {
  SessionEnd b = server(context());
  b.receive(from_hex("160301ffff"));
  check_refused(b, Errc::tls_protocol_error, "ENCRYPTED_LENGTH_TOO_LONG");
}

TEST_CASE("Changes of keys end a connection that nothing else is sent on, in both roles") {
  for (const bool answer_wanted : {true, false}) {
    for (const PeerRole role : kRoles) {
      CAPTURE(answer_wanted, static_cast<int>(role));
      Forged forged = established_as(role);
      // Many are taken as long as there is data between them.
      for (int i = 0; i < 100; ++i) {
        forged.end.receive(forged.maker.make_key_update(answer_wanted));
        forged.end.receive(forged.maker.make(23, "x"));
      }
      if (forged.end.error) FAIL(forged.end.error->message());
      CHECK(forged.end.received == std::string(100, 'x'));
      // Answers wait for data of this side and do not pile up (RFC 9846 section 4.7.3).
      CHECK(forged.end.take_output().size() < 200);
      REQUIRE(forged.end.session.send(octets_of("y"), forged.end.now));
      CHECK(forged.end.take_output().size() < 200);

      int taken = 0;
      while (!forged.end.error && taken < 100) {
        forged.end.receive(forged.maker.make_key_update(answer_wanted));
        ++taken;
      }
      CHECK(taken > 3);
      CHECK(taken <= 40);
      check_refused(forged.end, Errc::too_many_key_updates, "TOO_MANY_KEY_UPDATES");
    }
  }
}

TEST_CASE("Empty records of data end a connection, and those of one octet are data") {
  for (const PeerRole role : kRoles) {
    CAPTURE(static_cast<int>(role));
    Forged tiny = established_as(role);
    std::string expected;
    for (int i = 0; i < 2000; ++i) {
      tiny.end.receive(tiny.maker.make(23, "x"));
      expected += 'x';
    }
    if (tiny.end.error) FAIL(tiny.end.error->message());
    CHECK(tiny.end.received == expected);
    for (int i = 0; i < 5; ++i) tiny.end.receive(tiny.maker.make(23, ""));
    tiny.end.receive(tiny.maker.make(23, "y"));
    CHECK(tiny.end.received == expected + 'y');

    int taken = 0;
    while (!tiny.end.error && taken < 100) {
      tiny.end.receive(tiny.maker.make(23, ""));
      ++taken;
    }
    CHECK(taken <= 40);
    check_refused(tiny.end, Errc::tls_protocol_error, "TOO_MANY_EMPTY_FRAGMENTS");
    CHECK(tiny.end.received == expected + 'y');
  }
}

TEST_CASE("Warnings end an established connection of TLS 1.3 at once") {
  for (const PeerRole role : kRoles) {
    Forged warned = established_as(role);
    // In TLS 1.3 all but close_notify and user_canceled are errors (RFC 9846 section 6).
    int taken = 0;
    while (!warned.end.error && taken < 100) {
      warned.end.receive(warned.maker.make(21, std::string("\x01\x5a", 2)));
      ++taken;
    }
    CHECK(taken <= 10);
    check_refused(warned.end, Errc::tls_protocol_error, "");
  }
}
