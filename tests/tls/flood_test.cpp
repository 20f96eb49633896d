// Peers that send a great deal of little use: each flood ends in an error with its reason.
#include <openssl/aead.h>
#include <openssl/digest.h>
#include <openssl/hkdf.h>

#include <algorithm>
#include <array>

#include "catch.hpp"
#include "peers.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

constexpr auto k12 = ProtocolVersion::tls1_2;
constexpr auto k13 = ProtocolVersion::tls1_3;

Octets record(std::uint8_t type, std::span<const std::byte> content) {
  constexpr std::size_t kHeaderSize = 5;
  Octets octets(kHeaderSize + content.size());
  octets[0] = std::byte{type};
  octets[1] = std::byte{3};
  octets[2] = std::byte{3};
  octets[3] = static_cast<std::byte>(content.size() >> 8);
  octets[4] = static_cast<std::byte>(content.size() & 0xff);
  std::copy(content.begin(), content.end(), octets.begin() + kHeaderSize);
  return octets;
}
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

// The sending side of a TLS 1.3 connection from its secret: makes records that no library makes.
class RecordMaker {
 public:
  // `line` is of the key log, for the suite with AES-128-GCM and SHA-256.
  explicit RecordMaker(const std::string& line)
      : secret_(octets_from_hex(line.substr(line.rfind(' ') + 1))) {
    REQUIRE(secret_.size() == 32);
    use_secret();
  }

  // KeyUpdate, and the keys that follow it (RFC 9846 section 7.2).
  Octets make_key_update(bool answer_wanted) {
    Octets made = make(22, std::string("\x18\0\0\1", 4) + (answer_wanted ? '\1' : '\0'));
    secret_ = expand("traffic upd", secret_.size());
    use_secret();
    return made;
  }

  // RFC 9846 section 5.2: content, then its type.
  Octets make(std::uint8_t type, std::string_view content) {
    std::string inner(content);
    inner += static_cast<char>(type);
    std::vector<std::uint8_t> sealed(inner.size() + 16);
    const std::array<std::uint8_t, 5> header{23, 3, 3,
                                             static_cast<std::uint8_t>(sealed.size() >> 8),
                                             static_cast<std::uint8_t>(sealed.size())};
    auto nonce = iv_;
    for (std::size_t i = 0; i < 8; ++i) {
      nonce[11 - i] ^= static_cast<std::uint8_t>(number_ >> (8 * i));
    }
    ++number_;
    std::size_t size = 0;
    REQUIRE(EVP_AEAD_CTX_seal(aead_.get(), sealed.data(), &size, sealed.size(), nonce.data(),
                              nonce.size(), reinterpret_cast<const std::uint8_t*>(inner.data()),
                              inner.size(), header.data(), header.size()));
    Octets octets;
    for (const std::uint8_t octet : header) octets.push_back(std::byte{octet});
    for (const std::uint8_t octet : sealed) octets.push_back(std::byte{octet});
    return octets;
  }

 private:
  using Key = std::vector<std::uint8_t>;

  static Key octets_from_hex(const std::string& hex) {
    Key key;
    for (const std::byte octet : from_hex(hex)) key.push_back(std::to_integer<std::uint8_t>(octet));
    return key;
  }

  void use_secret() {
    const Key key = expand("key", 16);
    iv_ = expand("iv", 12);
    number_ = 0;
    aead_.reset(EVP_AEAD_CTX_new(EVP_aead_aes_128_gcm(), key.data(), key.size(),
                                 EVP_AEAD_DEFAULT_TAG_LENGTH));
    REQUIRE(aead_);
  }

  // HKDF-Expand-Label with an empty context (RFC 9846 section 7.1).
  Key expand(const std::string& label, std::size_t size) const {
    const std::string full = "tls13 " + label;
    Key info{0, static_cast<std::uint8_t>(size), static_cast<std::uint8_t>(full.size())};
    for (const char c : full) info.push_back(static_cast<std::uint8_t>(c));
    info.push_back(0);
    Key key(size);
    REQUIRE(HKDF_expand(key.data(), key.size(), EVP_sha256(), secret_.data(), secret_.size(),
                        info.data(), info.size()));
    return key;
  }

  Key secret_;
  Key iv_;
  bssl::UniquePtr<EVP_AEAD_CTX> aead_;
  std::uint64_t number_ = 0;
};

// An established server of TLS 1.3, and what makes its client's records.
struct Served {
  SessionEnd server;
  RecordMaker maker;
};

Served served() {
  std::string secret;
  const TlsContext logging = context([&](TlsContextConfig& made) {
    only(k13)(made);
    made.dangerous_key_log = [&](std::string_view line) {
      if (line.rfind("CLIENT_TRAFFIC_SECRET_0 ", 0) == 0) secret = std::string(line);
    };
  });
  SessionEnd a = client(context(only(k13)));
  SessionEnd b = server(logging);
  connect(a, b);
  REQUIRE(b.established());
  REQUIRE(b.session.peer().cipher_suite == 0x1301);
  return {std::move(b), RecordMaker(secret)};
}

}  // namespace

TEST_CASE("Empty records end a handshake") {
  for (const bool to_server : {true, false}) {
    CAPTURE(to_server);
    SessionEnd end = to_server ? server(context()) : waiting_client();
    CHECK(flood(end, record(kHandshake, {}), 100) <= 40);
    check_refused(end, Errc::tls_protocol_error, "TOO_MANY_EMPTY_FRAGMENTS");
  }
}

TEST_CASE("Warnings end a handshake, and change-cipher-spec messages do") {
  SessionEnd warned = waiting_client();
  // user_canceled, as a warning
  CHECK(flood(warned, record(kAlert, from_hex("015a")), 100) <= 10);
  check_refused(warned, Errc::tls_protocol_error, "");

  SessionEnd a = client(context(only(k13)));
  SessionEnd b = server(context(only(k13)));
  b.receive(a.take_output());
  b.take_output();
  CHECK(flood(b, record(kChangeCipherSpec, from_hex("01")), 100) <= 40);
  check_refused(b, Errc::tls_protocol_error, "");
}

TEST_CASE("A message of the handshake in tiny records is taken up to the bound, and no further") {
  // A message of 90,000 octets that may be one: BoringSSL lets a chain be as long. One octet each
  // record makes six of it.
  SessionEnd end = waiting_client();
  end.receive(record(kHandshake, from_hex("02015f90")));
  REQUIRE_FALSE(end.error.has_value());
  const Octets tiny = record(kHandshake, from_hex("00"));
  const std::size_t taken = flood(end, tiny, 90'000);
  CHECK(taken * tiny.size() >= 127 * 1024);
  CHECK(taken * tiny.size() <= 129 * 1024);
  check_refused(end, Errc::handshake_too_large, "131072 octets");
  CHECK(end.error->category() == Category::limit);
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
  b.receive(record(kHandshake, from_hex("01ffffff")));
  check_refused(b, Errc::handshake_too_large, "EXCESSIVE_MESSAGE_SIZE");

  SessionEnd a = waiting_client();
  a.receive(record(kHandshake, from_hex("02ffffff")));
  check_refused(a, Errc::handshake_too_large, "EXCESSIVE_MESSAGE_SIZE");
}

TEST_CASE("A record that is too large is refused at its header") {
  SessionEnd b = server(context());
  b.receive(from_hex("160301ffff"));
  check_refused(b, Errc::tls_protocol_error, "ENCRYPTED_LENGTH_TOO_LONG");
}

TEST_CASE("Changes of keys end a connection that nothing else is sent on") {
  for (const bool answer_wanted : {true, false}) {
    CAPTURE(answer_wanted);
    Served end = served();
    // Many are taken as long as there is data between them.
    for (int i = 0; i < 100; ++i) {
      end.server.receive(end.maker.make_key_update(answer_wanted));
      end.server.receive(end.maker.make(23, "x"));
    }
    if (end.server.error) FAIL(end.server.error->message());
    CHECK(end.server.received == std::string(100, 'x'));
    // Answers wait for data of this side and do not pile up (RFC 9846 section 4.7.3).
    CHECK(end.server.take_output().size() < 200);
    REQUIRE(end.server.session.send(octets_of("y"), end.server.now));
    CHECK(end.server.take_output().size() < 200);

    int taken = 0;
    while (!end.server.error && taken < 100) {
      end.server.receive(end.maker.make_key_update(answer_wanted));
      ++taken;
    }
    CHECK(taken > 3);
    CHECK(taken <= 40);
    check_refused(end.server, Errc::tls_protocol_error, "TOO_MANY_KEY_UPDATES");
  }
}

TEST_CASE("Empty records of data end a connection, and those of one octet are data") {
  Served tiny = served();
  std::string expected;
  for (int i = 0; i < 2000; ++i) {
    tiny.server.receive(tiny.maker.make(23, "x"));
    expected += 'x';
  }
  if (tiny.server.error) FAIL(tiny.server.error->message());
  CHECK(tiny.server.received == expected);
  for (int i = 0; i < 5; ++i) tiny.server.receive(tiny.maker.make(23, ""));
  tiny.server.receive(tiny.maker.make(23, "y"));
  CHECK(tiny.server.received == expected + 'y');

  int taken = 0;
  while (!tiny.server.error && taken < 100) {
    tiny.server.receive(tiny.maker.make(23, ""));
    ++taken;
  }
  CHECK(taken <= 40);
  check_refused(tiny.server, Errc::tls_protocol_error, "TOO_MANY_EMPTY_FRAGMENTS");
  CHECK(tiny.server.received == expected + 'y');
}

TEST_CASE("Warnings end an established connection of TLS 1.3 at once") {
  Served warned = served();
  // In TLS 1.3 all but close_notify and user_canceled are errors (RFC 9846 section 6).
  int taken = 0;
  while (!warned.server.error && taken < 100) {
    warned.server.receive(warned.maker.make(21, std::string("\x01\x5a", 2)));
    ++taken;
  }
  CHECK(taken <= 10);
  check_refused(warned.server, Errc::tls_protocol_error, "");
}
