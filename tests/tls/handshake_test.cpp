// Handshakes that succeed, and what is known afterwards.
#include <atomic>
#include <thread>

#include "catch.hpp"
#include "peers.hpp"
#include "siptls/cipher_suites.hpp"

using namespace siptls;
using namespace siptls_test;
using demo_pki::KeyType;

namespace {

struct Combination {
  ProtocolVersion version;
  KeyType key;
  const char* key_text;
};
constexpr Combination kCombinations[] = {
    {ProtocolVersion::tls1_2, KeyType::p256, "P-256"},
    {ProtocolVersion::tls1_3, KeyType::p256, "P-256"},
    {ProtocolVersion::tls1_2, KeyType::rsa2048, "RSA 2048"},
    {ProtocolVersion::tls1_3, KeyType::rsa2048, "RSA 2048"},
    {ProtocolVersion::tls1_2, KeyType::ed25519, "Ed25519"},
    {ProtocolVersion::tls1_3, KeyType::ed25519, "Ed25519"},
    {ProtocolVersion::tls1_2, KeyType::p384, "P-384"},
    {ProtocolVersion::tls1_2, KeyType::p521, "P-521"},
    {ProtocolVersion::tls1_3, KeyType::p521, "P-521"},
};

TlsContext context_of(const Combination& combination) {
  return context([&](TlsContextConfig& made) {
    only(combination.version)(made);
    made.credentials = site(combination.key).credentials;
    made.trust = site(combination.key).trust;
  });
}

}  // namespace

TEST_CASE(
    "Both ends prove themselves and exchange data, in each version and with each kind of key") {
  for (const Combination& combination : kCombinations) {
    CAPTURE(to_string(combination.version), combination.key_text);
    const TlsContext both = context_of(combination);
    SessionEnd a = client(both);
    SessionEnd b = server(both);
    connect(a, b);
    REQUIRE(a.session.state() == SessionState::established);
    REQUIRE(b.session.state() == SessionState::established);

    for (const SessionEnd* end : {&a, &b}) {
      const PeerInfo& peer = end->session.peer();
      REQUIRE(peer.authenticated());
      CHECK(peer.path->certificates.front().key == combination.key_text);
      CHECK(peer.path->certificates.size() == 3);
      CHECK(peer.version == combination.version);
      CHECK_FALSE(peer.resumed);
      CHECK(peer.application_protocol.empty());
      CHECK(peer.group != 0);
      REQUIRE(find_cipher_suite(peer.cipher_suite) != nullptr);
      CHECK(find_cipher_suite(peer.cipher_suite)->status == SuiteStatus::offered);
      CHECK_FALSE(end->session.next_deadline().has_value());
    }
    CHECK(a.session.peer().path->matched.has_value());

    REQUIRE(a.session.send(octets_of("OPTIONS"), a.now));
    REQUIRE(b.session.send(octets_of("SIP/2.0 200 OK"), b.now));
    connect(a, b);
    CHECK(b.received == "OPTIONS");
    CHECK(a.received == "SIP/2.0 200 OK");
  }
}

TEST_CASE("A client of TLS 1.3 knows that it was accepted when the first record comes") {
  const TlsContext both = context(only(ProtocolVersion::tls1_3));
  SessionEnd a = client(both);
  SessionEnd b = server(both);
  connect(a, b);
  REQUIRE(a.established());
  CHECK_FALSE(a.session.peer_has_answered());
  CHECK(b.session.peer_has_answered());
  REQUIRE(b.session.send(octets_of("x"), b.now));
  connect(a, b);
  CHECK(a.session.peer_has_answered());
}

TEST_CASE("A client of TLS 1.3 takes a NewSessionTicket as answer") {
  const TlsContext mine = context(only(ProtocolVersion::tls1_3));
  SessionEnd a = client(mine);
  BareEnd b(PeerRole::server, [](SSL_CTX* made) { use_credentials(made, site().leaf); });
  connect(a, b);
  REQUIRE(a.established());
  REQUIRE_FALSE(a.session.peer_has_answered());
  // BoringSSL keeps its tickets until it has something to say.
  b.write("data");
  const Octets output = b.take_output();
  REQUIRE(output.size() > 5);
  const std::size_t first_record =
      5 + (std::to_integer<std::size_t>(output[3]) << 8 | std::to_integer<std::size_t>(output[4]));
  REQUIRE(first_record < output.size());
  a.receive(std::span(output).first(first_record));
  CHECK(a.received.empty());
  CHECK(a.session.peer_has_answered());
  a.receive(std::span(output).subspan(first_record));
  CHECK(a.received == "data");
}

TEST_CASE("A client of TLS 1.2 knows that it was accepted when the handshake is done") {
  const TlsContext both = context(only(ProtocolVersion::tls1_2));
  SessionEnd a = client(both);
  SessionEnd b = server(both);
  CHECK_FALSE(a.session.peer_has_answered());
  connect(a, b);
  CHECK(a.session.peer_has_answered());
}

TEST_CASE("No data goes in or out before the peer is proven") {
  const TlsContext both = context();
  SessionEnd a = client(both);
  const auto refused = a.session.send(octets_of("early"), a.now);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().reason() == Errc::handshake_not_complete);
  CHECK(a.session.state() == SessionState::handshaking);
  SessionEnd b = server(both);
  connect(a, b);
  CHECK(a.established());
}

TEST_CASE("A server that only requests a certificate serves a client without one, unproven") {
  for (const auto version : {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3}) {
    for (const auto mode : {ClientCertificate::requested, ClientCertificate::none}) {
      CAPTURE(to_string(version), static_cast<int>(mode));
      const TlsContext bare_client = context([&](TlsContextConfig& made) {
        only(version)(made);
        made.credentials.reset();
      });
      const TlsContext relaxed = context([&](TlsContextConfig& made) {
        only(version)(made);
        made.policy.client_certificate = mode;
      });
      SessionEnd a = client(bare_client);
      SessionEnd b = server(relaxed);
      connect(a, b);
      REQUIRE(a.established());
      REQUIRE(b.established());
      CHECK_FALSE(b.session.peer().authenticated());
      CHECK(a.session.peer().authenticated());
    }
  }
}

TEST_CASE("A server that requests a certificate judges the one that comes") {
  const TlsContext relaxed = context([&](TlsContextConfig& made) {
    made.policy.client_certificate = ClientCertificate::requested;
  });
  SessionEnd a = client(context());
  SessionEnd b = server(relaxed);
  connect(a, b);
  REQUIRE(b.established());
  CHECK(b.session.peer().authenticated());
}

TEST_CASE("A server without trust store serves when it asks for no client certificate") {
  const TlsContext open = context([](TlsContextConfig& made) {
    made.trust = TrustStore();
    made.policy.client_certificate = ClientCertificate::none;
  });
  SessionEnd a = client(context());
  SessionEnd b = server(open);
  connect(a, b);
  CHECK(a.established());
  CHECK(b.established());
}

TEST_CASE("A handshake may have all the time there is") {
  SessionOptions patient;
  patient.handshake_timeout = std::chrono::milliseconds::max();
  SessionEnd a = client(context(), kDomain, patient);
  SessionEnd b = server(context(), patient);
  for (SessionEnd* const end : {&a, &b}) {
    CHECK(end->session.next_deadline() == MonoTime::max());
    CHECK(end->session.on_deadline(test_now()));
  }
  connect(a, b);
  CHECK(a.established());
  CHECK(b.established());
}

TEST_CASE("A handshake without any time is over at once, however far below zero it is") {
  for (const auto none : {std::chrono::milliseconds(0), std::chrono::milliseconds::min()}) {
    SessionOptions hasty;
    hasty.handshake_timeout = none;
    const auto over = TlsSession::client(context(), kDomain, test_now(), hasty);
    REQUIRE_FALSE(over);
    CHECK(over.error().reason() == Errc::handshake_timeout);
  }
}

TEST_CASE("A peer on the allow-list gets in, in both roles") {
  const TlsContext picky = context([](TlsContextConfig& made) {
    made.allowed_peers = {"other.example", kDomain};
  });
  SessionEnd a = client(picky);
  SessionEnd b = server(picky);
  connect(a, b);
  CHECK(a.established());
  CHECK(b.established());
}

TEST_CASE("sip/2 is negotiated where both policies want it") {
  for (const auto version : {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3}) {
    for (const auto mode : {Alpn::offer, Alpn::require}) {
      const TlsContext both = context([&](TlsContextConfig& made) {
        only(version)(made);
        made.policy.alpn = mode;
      });
      SessionEnd a = client(both);
      SessionEnd b = server(both);
      connect(a, b);
      REQUIRE(a.established());
      CHECK(a.session.peer().application_protocol == "sip/2");
      CHECK(b.session.peer().application_protocol == "sip/2");
    }
  }
}

TEST_CASE("An offer of sip/2 that the other side knows nothing about is no error") {
  const TlsContext offering =
      context([](TlsContextConfig& made) { made.policy.alpn = Alpn::offer; });
  SessionEnd a = client(offering);
  SessionEnd b = server(context());
  connect(a, b);
  CHECK(a.established());
  SessionEnd c = client(context());
  SessionEnd d = server(offering);
  connect(c, d);
  CHECK(d.established());
  CHECK(d.session.peer().application_protocol.empty());
}

TEST_CASE("SNI carries a DNS name and never an address") {
  const auto sni_of = [](const std::string& domain, TlsContextConfig made) {
    const TlsContext with = TlsContext::create(std::move(made)).value();
    SessionEnd a = client(with, domain);
    BareEnd b(PeerRole::server, [](SSL_CTX* bare) { use_credentials(bare, site().leaf); });
    b.receive(a.take_output());
    const char* name = SSL_get_servername(b.ssl(), TLSEXT_NAMETYPE_host_name);
    return std::string(name != nullptr ? name : "(none)");
  };
  CHECK(sni_of("Server.Example.", config()) == "server.example");
  CHECK(sni_of("192.0.2.7", config()) == "(none)");
  CHECK(sni_of("2001:db8::1", config()) == "(none)");
}

TEST_CASE("A client that is asked for 127.0.0.1 proves an IP address entry") {
  const auto with_address =
      leaf_of(site(), [](demo_pki::CertificateSpec& spec) { spec.ip_addresses = {"127.0.0.1"}; });
  const TlsContext both = context([&](TlsContextConfig& made) { made.credentials = with_address; });
  SessionEnd a = client(both, "127.0.0.1");
  SessionEnd b = server(both);
  connect(a, b);
  CHECK(a.established());
}

TEST_CASE("Sessions that cannot be made say what is missing") {
  const TlsContext without_credentials =
      context([](TlsContextConfig& made) { made.credentials.reset(); });
  const auto no_server = TlsSession::server(without_credentials, test_now());
  REQUIRE_FALSE(no_server);
  CHECK(no_server.error().reason() == Errc::credentials_missing);

  const TlsContext without_trust = context([](TlsContextConfig& made) {
    made.trust = TrustStore();
    made.policy.client_certificate = ClientCertificate::none;
  });
  const auto no_client = TlsSession::client(without_trust, kDomain, test_now());
  REQUIRE_FALSE(no_client);
  CHECK(no_client.error().reason() == Errc::trust_store_empty);

  for (const char* domain : {"", "a b", "under score\r\n", "x..y", "sip:x"}) {
    const auto bad = TlsSession::client(context(), domain, test_now());
    CAPTURE(domain);
    REQUIRE_FALSE(bad);
    CHECK(bad.error().reason() == Errc::invalid_domain);
  }
}

TEST_CASE("One context serves sessions at different times") {
  const auto short_lived = leaf_of(site(), [](demo_pki::CertificateSpec& spec) {
    spec.not_before = parse_time("2026-05-01T00:00:00Z").value();
    spec.not_after = parse_time("2026-06-15T00:00:00Z").value();
  });
  const TlsContext both = context([&](TlsContextConfig& made) { made.credentials = short_lived; });
  SessionEnd early_a = client(both, kDomain, {}, at("2026-06-01T00:00:00Z"));
  SessionEnd late_a = client(both, kDomain, {}, at("2026-07-01T00:00:00Z"));
  SessionEnd early_b = server(both, {}, at("2026-06-01T00:00:00Z"));
  SessionEnd late_b = server(both, {}, at("2026-07-01T00:00:00Z"));
  // Interleaved, so that neither may leave its time behind for the other.
  late_b.receive(late_a.take_output());
  early_b.receive(early_a.take_output());
  connect(late_a, late_b);
  connect(early_a, early_b);
  CHECK(early_a.established());
  CHECK(early_b.established());
  REQUIRE(late_a.error.has_value());
  CHECK(late_a.error->reason() == Errc::certificate_expired);
}

TEST_CASE("One context serves threads that are at different times") {
  const auto short_lived = leaf_of(site(), [](demo_pki::CertificateSpec& spec) {
    spec.not_before = parse_time("2026-05-01T00:00:00Z").value();
    spec.not_after = parse_time("2026-06-15T00:00:00Z").value();
  });
  const TlsContext both = context([&](TlsContextConfig& made) { made.credentials = short_lived; });
  const Now times[] = {at("2026-06-01T00:00:00Z"), at("2026-07-01T00:00:00Z"),
                       at("2026-06-02T00:00:00Z"), at("2026-07-02T00:00:00Z")};
  std::atomic<int> established{0};
  std::atomic<int> expired{0};
  std::vector<std::thread> threads;
  for (const Now& now : times) {
    threads.emplace_back([&both, &established, &expired, now] {
      for (int round = 0; round < 10; ++round) {
        SessionEnd a = client(both, kDomain, {}, now);
        SessionEnd b = server(both, {}, now);
        connect(a, b);
        if (a.established() && b.established()) ++established;
        if (a.error && a.error->reason() == Errc::certificate_expired) ++expired;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(established == 20);
  CHECK(expired == 20);
}

TEST_CASE("The key log gets the secrets of each connection, and only when asked for") {
  std::string log;
  const TlsContext logging = context([&](TlsContextConfig& made) {
    made.dangerous_key_log = [&log](std::string_view line) { log.append(line).push_back('\n'); };
  });
  SessionEnd a = client(logging);
  SessionEnd b = server(context());
  connect(a, b);
  REQUIRE(a.established());
  CHECK(log.find("CLIENT_HANDSHAKE_TRAFFIC_SECRET ") != std::string::npos);
  CHECK(log.find("SERVER_TRAFFIC_SECRET_0 ") != std::string::npos);

  log.clear();
  SessionEnd c = client(context([&](TlsContextConfig& made) {
    only(ProtocolVersion::tls1_2)(made);
    made.dangerous_key_log = [&log](std::string_view line) { log.append(line).push_back('\n'); };
  }));
  SessionEnd d = server(context());
  connect(c, d);
  CHECK(log.find("CLIENT_RANDOM ") == 0);
}

TEST_CASE("A session can be moved at any point") {
  const TlsContext both = context();
  SessionEnd b = server(both);
  TlsSession first = TlsSession::client(both, kDomain, test_now()).value();
  SessionEnd a(std::move(first), test_now());
  b.receive(a.take_output());
  SessionEnd moved(std::move(a.session), test_now());
  connect(moved, b);
  CHECK(moved.established());
}

TEST_CASE(
    "A server that does not resume gives no ticket, and judges each connection like the first") {
  for (const auto version : {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3}) {
    const TlsContext mine = context([version](TlsContextConfig& made) {
      only(version)(made);
      made.policy.resumption = Resumption::off;
    });
    for (int round = 0; round < 2; ++round) {
      BareEnd a(PeerRole::client, [](SSL_CTX* bare) {
        use_credentials(bare, site().leaf);
        SSL_CTX_set_session_cache_mode(bare, SSL_SESS_CACHE_CLIENT);
      });
      SessionEnd b = server(mine);
      connect(a, b);
      REQUIRE(b.established());
      CHECK_FALSE(SSL_session_reused(a.ssl()));
      CHECK(b.session.peer().authenticated());
      CHECK(SSL_SESSION_has_ticket(SSL_get_session(a.ssl())) == 0);
    }
  }
}

TEST_CASE("Sessions of a thread hand their output storage on to each other") {
  const TlsContext both = context();
  SessionEnd a = client(both);
  SessionEnd b = server(both);
  connect(a, b);
  REQUIRE(a.session.send(octets_of(std::string(50000, 'x')), a.now));
  const std::byte* const place = a.session.pending_output().data();
  connect(a, b);
  CHECK(b.received == std::string(50000, 'x'));
  CHECK(a.session.pending_output().empty());
  REQUIRE(b.session.send(octets_of(std::string(40000, 'y')), b.now));
  CHECK(b.session.pending_output().data() == place);
  connect(a, b);
  CHECK(a.received == std::string(40000, 'y'));
}
