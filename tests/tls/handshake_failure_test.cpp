// Handshakes that fail: both ends know why, and each failure has a reason of its own.
#include <openssl/err.h>

#include "catch.hpp"
#include "peers.hpp"
#include "tls/ssl_errors.hpp"

using namespace siptls;
using namespace siptls_test;
using demo_pki::CertificateSpec;
using demo_pki::KeyType;

namespace {

constexpr auto k12 = ProtocolVersion::tls1_2;
constexpr auto k13 = ProtocolVersion::tls1_3;

const Site& stranger() {
  static const Site other = [] {
    const auto made = demo_pki::make_hierarchy(kDomain);
    return Site{made.root, made.leaf, credentials_of(made.leaf), trust_of(made.root)};
  }();
  return other;
}

Change with_leaf(const std::function<void(CertificateSpec&)>& change) {
  return [change](TlsContextConfig& made) { made.credentials = leaf_of(site(), change); };
}
void expired(CertificateSpec& spec) { spec.not_after = parse_time("2026-05-31T00:00:00Z").value(); }
void not_yet_valid(CertificateSpec& spec) {
  spec.not_before = parse_time("2026-06-02T00:00:00Z").value();
}
void nothing(TlsContextConfig&) {}
void of_stranger(TlsContextConfig& made) { made.credentials = stranger().credentials; }

Change both(Change first, Change second) {
  return [first, second](TlsContextConfig& made) {
    first(made);
    second(made);
  };
}

struct Failure {
  const char* what;
  Change client;
  Change server;
  ProtocolVersion version;
  Errc client_reason;
  Errc server_reason;
  Alert alert;           // sent by the side that found the fault, received by the other
  const char* evidence;  // in the words of that side
};

// Who found the fault is the side whose reason is not in category peer_alert.
void check(const Failure& row) {
  CAPTURE(row.what, to_string(row.version));
  SessionEnd a = client(context(both(only(row.version), row.client)));
  SessionEnd b = server(context(both(only(row.version), row.server)));
  connect(a, b);
  REQUIRE(a.error.has_value());
  REQUIRE(b.error.has_value());
  CAPTURE(a.error->message(), b.error->message());
  CHECK(a.error->reason() == row.client_reason);
  CHECK(b.error->reason() == row.server_reason);
  CHECK(a.error->alert() == row.alert);
  CHECK(b.error->alert() == row.alert);
  CHECK(a.session.state() == SessionState::failed);
  CHECK(b.session.state() == SessionState::failed);
  const bool client_found = a.error->category() != Category::peer_alert;
  CHECK((client_found ? a : b).error->evidence().find(row.evidence) != std::string::npos);
  CHECK(a.received.empty());
  CHECK(b.received.empty());
  // The error stays.
  const auto later = a.session.send(octets_of("x"), a.now);
  REQUIRE_FALSE(later);
  CHECK(later.error().reason() == row.client_reason);
}

}  // namespace

TEST_CASE("A certificate that proves nothing is refused, and both ends know why") {
  constexpr auto kRejected = Errc::peer_rejected_certificate;
  for (const auto version : {k12, k13}) {
    const Failure rows[] = {
        {"server of an unknown CA", nothing, of_stranger, version, Errc::unknown_ca, kRejected,
         Alert::unknown_ca, ""},
        {"client of an unknown CA", of_stranger, nothing, version, kRejected, Errc::unknown_ca,
         Alert::unknown_ca, ""},
        {"expired server", nothing, with_leaf(expired), version, Errc::certificate_expired,
         kRejected, Alert::certificate_expired, "2026-05-31"},
        {"expired client", with_leaf(expired), nothing, version, kRejected,
         Errc::certificate_expired, Alert::certificate_expired, "2026-05-31"},
        {"server not yet valid", nothing, with_leaf(not_yet_valid), version,
         Errc::certificate_not_yet_valid, kRejected, Alert::certificate_expired, "2026-06-02"},
        {"client not yet valid", with_leaf(not_yet_valid), nothing, version, kRejected,
         Errc::certificate_not_yet_valid, Alert::certificate_expired, "2026-06-02"},
        {"server of another name", nothing,
         with_leaf([](CertificateSpec& spec) { spec = demo_pki::sip_spec("other.example"); }),
         version, Errc::identity_mismatch, kRejected, Alert::bad_certificate, "other.example"},
        {"client without any identity", with_leaf([](CertificateSpec& spec) {
           spec.uris = {"sip:alice@server.example"};
           spec.dns_names.clear();
         }),
         nothing, version, kRejected, Errc::no_sip_identity, Alert::bad_certificate, ""},
        {"client not on the list", nothing,
         [](TlsContextConfig& made) { made.allowed_peers = {"friend.example"}; }, version,
         Errc::peer_denied_access, Errc::identity_not_allowed, Alert::access_denied, kDomain},
    };
    for (const Failure& row : rows) check(row);
  }
}

TEST_CASE("A client without certificate is refused by a server that requires one") {
  const Change without = [](TlsContextConfig& made) { made.credentials.reset(); };
  check({"TLS 1.2", without, nothing, k12, Errc::peer_found_nothing_in_common,
         Errc::certificate_missing, Alert::handshake_failure, "sent none"});
  check({"TLS 1.3", without, nothing, k13, Errc::peer_rejected_certificate,
         Errc::certificate_missing, Alert::certificate_required, "sent none"});
}

TEST_CASE("Where nothing is common the server says what was offered and what is allowed") {
  const auto suites = [](std::vector<std::uint16_t> codes) {
    return [codes](TlsContextConfig& made) { made.policy.cipher_suites = codes; };
  };
  const auto groups = [](std::vector<std::uint16_t> codes) {
    return [codes](TlsContextConfig& made) { made.policy.groups = codes; };
  };
  const auto schemes = [](std::vector<std::uint16_t> codes) {
    return [codes](TlsContextConfig& made) {
      made.policy.signature_schemes = codes;
      if (codes[0] != 0x0403) made.credentials.reset();
    };
  };
  constexpr auto kNothing = Errc::peer_found_nothing_in_common;
  const Failure rows[] = {
      {"suites", suites({0xcca9}), suites({0xc02b, 0xc02c}), k12, kNothing,
       Errc::no_common_cipher_suite, Alert::handshake_failure,
       "offers TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256; this side allows "
       "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
      {"suites of another kind of key", suites({0xc02f}), suites({0xc02f, 0xc02b}), k12, kNothing,
       Errc::no_common_cipher_suite, Alert::handshake_failure, "with an ECDSA key"},
      {"groups in 1.2", groups({0x18, 0x17}),
       [](TlsContextConfig& made) {
         made.credentials = site(KeyType::rsa2048).credentials;
         made.policy.groups = {0x1d};
       },
       k12, kNothing, Errc::no_common_group, Alert::handshake_failure,
       "groups P-384, P-256; this side allows X25519"},
      {"groups in 1.3", groups({0x18}), groups({0x1d, 0x17}), k13, kNothing, Errc::no_common_group,
       Alert::handshake_failure, "groups P-384; this side allows X25519, P-256"},
      {"schemes in 1.3", schemes({0x0804}), schemes({0x0403}), k13, kNothing,
       Errc::no_common_signature_algorithm, Alert::handshake_failure,
       "rsa_pss_rsae_sha256; this side allows ecdsa_secp256r1_sha256"},
      {"ALPN required by the server", nothing,
       [](TlsContextConfig& made) { made.policy.alpn = Alpn::require; }, k13, kNothing,
       Errc::no_common_application_protocol, Alert::no_application_protocol, "sip/2"},
      {"ALPN required by the client",
       [](TlsContextConfig& made) { made.policy.alpn = Alpn::require; }, nothing, k12,
       Errc::no_common_application_protocol, kNothing, Alert::no_application_protocol, "sip/2"},
      {"ALPN required by the client in 1.3",
       [](TlsContextConfig& made) { made.policy.alpn = Alpn::require; }, nothing, k13,
       Errc::no_common_application_protocol, kNothing, Alert::no_application_protocol, "sip/2"},
  };
  for (const Failure& row : rows) check(row);
}

TEST_CASE("Versions that do not meet are told apart from everything else") {
  SessionEnd a = client(context(only(k13)));
  SessionEnd b = server(context(only(k12)));
  connect(a, b);
  REQUIRE(b.error.has_value());
  CHECK(b.error->reason() == Errc::protocol_version_unsupported);
  CHECK(b.error->alert() == Alert::protocol_version);
  CHECK(b.error->evidence().find("offers TLS 1.3") != std::string::npos);
  REQUIRE(a.error.has_value());
  CHECK(a.error->reason() == Errc::peer_rejected_version);
  CHECK(a.error->alert() == Alert::protocol_version);
}

TEST_CASE("A client that knows TLS 1.1 at most is refused with the versions that it offers") {
  BareEnd a(PeerRole::client, [](SSL_CTX* bare) {
    SSL_CTX_set_min_proto_version(bare, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(bare, TLS1_1_VERSION);
  });
  SessionEnd b = server(context());
  connect(a, b);
  REQUIRE(b.error.has_value());
  CHECK(b.error->reason() == Errc::protocol_version_unsupported);
  CHECK(b.error->evidence().find("offers TLS 1.1") != std::string::npos);
  CHECK(b.error->evidence().find("TLS 1.2 to TLS 1.3") != std::string::npos);
  CHECK(b.error->alert() == Alert::protocol_version);
  CHECK(a.alert_received == SSL_AD_PROTOCOL_VERSION);
}

TEST_CASE("A server that chooses TLS 1.1 is refused with the version that it chose") {
  // A ServerHello of TLS 1.1 with TLS_RSA_WITH_AES_128_CBC_SHA, no session id, no extensions.
  std::string random(64, '7');
  const Octets hello = from_hex(
      "1603020"
      "02a"
      "02000026"
      "0302" +
      random +
      "00"
      "002f"
      "00");
  SessionEnd a = client(context());
  a.take_output();
  a.receive(hello);
  REQUIRE(a.error.has_value());
  CHECK(a.error->reason() == Errc::protocol_version_unsupported);
  CHECK(a.error->evidence().find("chose TLS 1.1") != std::string::npos);
  CHECK(a.error->alert() == Alert::protocol_version);
  CHECK_FALSE(a.take_output().empty());
}

TEST_CASE("What is no TLS is told so at its first octets") {
  struct Row {
    const char* what;
    std::string octets;
    const char* evidence;
  };
  const Row rows[] = {
      {"SIP without TLS", "OPTIONS sip:server.example SIP/2.0\r\n", "\"OPTIONS sip:serv\""},
      {"HTTP", "GET / HTTP/1.1\r\n\r\n", "\"GET / HTTP/1.1"},
      {"one octet", "I", "\"I\""},
      {"ping", "\r\n\r\n", "\\r\\n"},
      {"a record of SSL 2 or noise", std::string("\x16\x02\x00\x00\x10", 5), "16 02 00 00 10"},
      {"noise", std::string("\xff\xfe\x00\x01\x02", 5), "ff fe"},
  };
  for (const Row& row : rows) {
    for (const auto role : {PeerRole::client, PeerRole::server}) {
      CAPTURE(row.what, static_cast<int>(role));
      SessionEnd end = role == PeerRole::server ? server(context()) : client(context());
      end.take_output();
      end.receive(octets_of(row.octets));
      REQUIRE(end.error.has_value());
      CHECK(end.error->reason() == Errc::not_tls);
      CAPTURE(end.error->evidence());
      CHECK(end.error->evidence().find(row.evidence) != std::string::npos);
    }
  }
}

TEST_CASE("Garbage behind a good beginning is a protocol error") {
  SessionEnd b = server(context());
  b.receive(from_hex("160301000401000000"));  // an empty ClientHello
  REQUIRE(b.error.has_value());
  CHECK(b.error->reason() == Errc::tls_protocol_error);
  CHECK(b.error->alert().has_value());
  CHECK_FALSE(b.take_output().empty());
}

namespace {

// Takes an extension out of the first handshake message in a flight of plaintext records.
void strip_extension(Octets& flight, std::uint16_t type, std::size_t fixed_part) {
  const auto at = [&](std::size_t i) { return std::to_integer<std::size_t>(flight[i]); };
  const auto number = [&](std::size_t i) { return at(i) << 8 | at(i + 1); };
  const auto set = [&](std::size_t i, std::size_t value) {
    flight[i] = static_cast<std::byte>(value >> 8);
    flight[i + 1] = static_cast<std::byte>(value & 0xff);
  };
  std::size_t place = 9 + 34;    // record and message header, version, random
  place += 1 + at(place);        // session id
  if (fixed_part == 0) {         // ClientHello
    place += 2 + number(place);  // suites
    place += 1 + at(place);      // compression methods
  } else {
    place += fixed_part;
  }
  const std::size_t list = place;
  const std::size_t end = list + 2 + number(list);
  for (std::size_t i = list + 2; i < end;) {
    const std::size_t size = 4 + number(i + 2);
    if (number(i) == type) {
      flight.erase(flight.begin() + static_cast<std::ptrdiff_t>(i),
                   flight.begin() + static_cast<std::ptrdiff_t>(i + size));
      set(list, number(list) - size);
      set(3, number(3) - size);
      set(7, number(7) - size);
      return;
    }
    i += size;
  }
  FAIL("the extension is not there");
}
constexpr std::uint16_t kMasterSecret = 23;
constexpr std::uint16_t kRenegotiation = 0xff01;

}  // namespace

TEST_CASE("TLS 1.2 clients without RFC 5746 or RFC 7627 are refused") {
  const std::pair<std::uint16_t, Errc> rows[] = {
      {kMasterSecret, Errc::extended_master_secret_missing},
      {kRenegotiation, Errc::insecure_renegotiation}};
  for (const auto& [type, reason] : rows) {
    SessionEnd a = client(context(only(k12)));
    SessionEnd b = server(context());
    Octets hello = a.take_output();
    strip_extension(hello, type, 0);
    b.receive(hello);
    REQUIRE(b.error.has_value());
    CHECK(b.error->reason() == reason);
    CHECK(b.error->alert() == Alert::handshake_failure);
    connect(a, b);
    REQUIRE(a.error.has_value());
    CHECK(a.error->reason() == Errc::peer_found_nothing_in_common);
  }
}

TEST_CASE("TLS 1.2 servers without RFC 5746 or RFC 7627 are refused") {
  const std::pair<std::uint16_t, Errc> rows[] = {
      {kMasterSecret, Errc::extended_master_secret_missing},
      {kRenegotiation, Errc::insecure_renegotiation}};
  for (const auto& [type, reason] : rows) {
    SessionEnd a = client(context(only(k12)));
    SessionEnd b = server(context(only(k12)));
    b.receive(a.take_output());
    Octets flight = b.take_output();
    strip_extension(flight, type, 3);
    a.receive(flight);
    REQUIRE(a.error.has_value());
    CHECK(a.error->reason() == reason);
    CHECK(a.error->alert() == Alert::handshake_failure);
    connect(a, b);
    REQUIRE(b.error.has_value());
    CHECK(b.error->reason() == Errc::peer_found_nothing_in_common);
  }
}

TEST_CASE("A record of data cannot pass for one of the handshake") {
  SessionEnd a = client(context(only(k12)));
  BareEnd b(PeerRole::server, [](SSL_CTX* bare) { use_credentials(bare, site().leaf); });
  connect(a, b);
  REQUIRE(a.established());
  b.write("data");
  Octets record = b.take_output();
  record[0] = std::byte{22};
  a.receive(record);
  REQUIRE(a.error.has_value());
  CHECK(a.error->reason() == Errc::decrypt_error);
  CHECK(a.error->alert() == Alert::bad_record_mac);
  CHECK(a.received.empty());
}

TEST_CASE("The TLS library's reasons and the peer's alerts have their own names") {
  const std::pair<int, Errc> reasons[] = {
      {SSL_R_NO_RENEGOTIATION, Errc::renegotiation_refused},
      {SSL_R_RENEGOTIATION_MISMATCH, Errc::insecure_renegotiation},
      {SSL_R_DIGEST_CHECK_FAILED, Errc::decrypt_error},
      {SSL_R_BAD_SIGNATURE, Errc::decrypt_error},
      {SSL_R_EXCESSIVE_MESSAGE_SIZE, Errc::handshake_too_large},
      {SSL_R_UNEXPECTED_MESSAGE, Errc::tls_protocol_error},
      {ERR_R_MALLOC_FAILURE, Errc::out_of_memory},
  };
  for (const auto& [library_reason, reason] : reasons) {
    ERR_clear_error();
    ERR_put_error(ERR_LIB_CIPHER, 0, 100, __FILE__, __LINE__);
    ERR_put_error(ERR_LIB_SSL, 0, library_reason, __FILE__, __LINE__);
    const auto failure = tls::take_library_failure();
    CHECK(tls::reason_for(failure) == reason);
    CHECK_FALSE(failure.text.empty());
    CHECK(ERR_peek_error() == 0);
  }
  const std::pair<int, Errc> alerts[] = {{40, Errc::peer_found_nothing_in_common},
                                         {42, Errc::peer_rejected_certificate},
                                         {46, Errc::peer_rejected_certificate},
                                         {48, Errc::peer_rejected_certificate},
                                         {49, Errc::peer_denied_access},
                                         {70, Errc::peer_rejected_version},
                                         {71, Errc::peer_found_nothing_in_common},
                                         {80, Errc::peer_alert},
                                         {116, Errc::peer_rejected_certificate},
                                         {120, Errc::peer_found_nothing_in_common},
                                         {255, Errc::peer_alert}};
  for (const auto& [alert, reason] : alerts) {
    CHECK(tls::reason_for_alert(static_cast<std::uint8_t>(alert)) == reason);
  }
}

TEST_CASE("A client that is refused in TLS 1.3 after it has sent learns of it at the first read") {
  SessionEnd a = client(context(both(only(k13), of_stranger)));
  SessionEnd b = server(context(only(k13)));
  b.receive(a.take_output());
  a.receive(b.take_output());
  REQUIRE(a.established());
  REQUIRE(a.session.send(octets_of("REGISTER"), a.now));
  b.receive(a.take_output());
  REQUIRE(b.error.has_value());
  CHECK(b.error->reason() == Errc::unknown_ca);
  CHECK(b.received.empty());
  a.receive(b.take_output());
  REQUIRE(a.error.has_value());
  CHECK(a.error->reason() == Errc::peer_rejected_certificate);
  CHECK(a.error->alert() == Alert::unknown_ca);
  CHECK_FALSE(a.session.peer_has_answered());
}

TEST_CASE("A refusal in the clear is understood by a server of TLS 1.3") {
  // OpenSSL's client refuses before it encrypts.
  SessionEnd a = client(context(only(k13)));
  SessionEnd b = server(context(only(k13)));
  b.receive(a.take_output());
  b.take_output();
  b.receive(from_hex("15030300020230"));
  REQUIRE(b.error.has_value());
  CHECK(b.error->reason() == Errc::peer_rejected_certificate);
  CHECK(b.error->alert() == Alert::unknown_ca);
}

TEST_CASE("A peer that offers only another application protocol is refused") {
  BareEnd a(PeerRole::client, [](SSL_CTX* bare) {
    static const std::uint8_t protocols[] = {3, 's', 'i', 'p', 2, 'h', '2'};
    use_credentials(bare, site().leaf);
    SSL_CTX_set_alpn_protos(bare, protocols, sizeof(protocols));
  });
  SessionEnd b = server(context([](TlsContextConfig& made) { made.policy.alpn = Alpn::offer; }));
  connect(a, b);
  REQUIRE(b.error.has_value());
  CHECK(b.error->reason() == Errc::no_common_application_protocol);
  CHECK(b.error->evidence().find("offers sip, h2") != std::string::npos);
  CHECK(a.alert_received == static_cast<int>(Alert::no_application_protocol));
}

TEST_CASE("A clock behind the floor is blamed, and not the certificate") {
  Now behind = at("2000-01-01T00:00:00Z");
  behind.standing = ClockStanding::behind_floor;
  SessionEnd a = client(context(), kDomain, {}, behind);
  SessionEnd b = server(context());
  connect(a, b);
  REQUIRE(a.error.has_value());
  CHECK(a.error->reason() == Errc::clock_not_trusted);
  CHECK(a.error->alert() == Alert::internal_error);
}

TEST_CASE("A handshake that fails leaves its context able to serve others") {
  const TlsContext shared = context();
  for (int round = 0; round < 3; ++round) {
    SessionEnd bad = server(shared);
    bad.receive(octets_of("garbage"));
    CHECK(bad.error.has_value());
    SessionEnd a = client(shared);
    SessionEnd b = server(shared);
    connect(a, b);
    CHECK(a.established());
    CHECK(b.established());
  }
}
