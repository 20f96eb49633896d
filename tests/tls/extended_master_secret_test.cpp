// TLS 1.2 peers without the extended master secret (RFC 7627), where a policy lets them in.
#include <array>

#include "catch.hpp"
#include "peers.hpp"
#include "tls/session_callbacks.hpp"
#include "tls/tls_context_impl.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

constexpr std::uint16_t kExtension = 23;
// No extension has this number.
constexpr std::uint8_t kHiding = 0xfa;

// BoringSSL always offers and accepts the extension. A server is made blind to it while it looks
// at a ClientHello; the octets are as they were when they go into the transcript, so the handshake
// is sound, and neither end uses the extension.
struct Blindfold {
  std::uint8_t* type = nullptr;
};
Blindfold& blindfold() {
  static Blindfold one;
  return one;
}

void hide(const SSL_CLIENT_HELLO& hello) {
  const std::uint8_t* content = nullptr;
  std::size_t size = 0;
  REQUIRE(SSL_early_callback_ctx_extension_get(&hello, kExtension, &content, &size) == 1);
  // The octets are the connection's own buffer. Before the content stand type and size.
  blindfold().type = const_cast<std::uint8_t*>(content) - 4;
  *blindfold().type = kHiding;
}

int show(SSL*, int*, void*) {
  if (blindfold().type != nullptr) *blindfold().type = 0;
  blindfold().type = nullptr;
  return SSL_TLSEXT_ERR_OK;
}

// A bare server without the extension.
void blind(SSL_CTX* server) {
  SSL_CTX_set_select_certificate_cb(server, [](const SSL_CLIENT_HELLO* hello) {
    hide(*hello);
    return ssl_select_cert_success;
  });
  SSL_CTX_set_tlsext_servername_callback(server, show);
}

// A server of ours for which every client is without the extension.
TlsContext blind_context(const Change& change) {
  TlsContext made = context(change);
  SSL_CTX* server = TlsContextImpl::of(made).ssl_context();
  SSL_CTX_set_select_certificate_cb(server, [](const SSL_CLIENT_HELLO* hello) {
    hide(*hello);
    return tls::inspect_client_hello(hello);
  });
  SSL_CTX_set_tlsext_servername_callback(server, show);
  return made;
}

void sight(const TlsContext& context) {
  SSL_CTX_set_select_certificate_cb(TlsContextImpl::of(context).ssl_context(),
                                    tls::inspect_client_hello);
}

void optional(TlsContextConfig& made) {
  only(ProtocolVersion::tls1_2)(made);
  made.policy.extended_master_secret = ExtendedMasterSecret::dangerous_optional;
}
void resuming(TlsContextConfig& made) {
  optional(made);
  made.policy.resumption = Resumption::tickets;
}

BareEnd bare_server() {
  return BareEnd(PeerRole::server, [](SSL_CTX* bare) {
    use_credentials(bare, site().leaf);
    blind(bare);
  });
}

}  // namespace

TEST_CASE("A server without the extended master secret is refused, or served by a policy") {
  SECTION("refused") {
    SessionEnd a = client(context(only(ProtocolVersion::tls1_2)));
    BareEnd b = bare_server();
    connect(a, b);
    REQUIRE(a.error.has_value());
    CHECK(a.error->reason() == Errc::extended_master_secret_missing);
    CHECK(a.error->alert() == Alert::handshake_failure);
    CHECK(b.alert_received == static_cast<int>(Alert::handshake_failure));
    CHECK_FALSE(b.established);
  }
  SECTION("served") {
    SessionEnd a = client(context(optional));
    BareEnd b = bare_server();
    connect(a, b);
    if (a.error) FAIL(a.error->message());
    REQUIRE(a.established());
    REQUIRE(b.established);
    CHECK_FALSE(SSL_get_extms_support(b.ssl()));
    REQUIRE(a.session.peer().authenticated());
    REQUIRE(a.session.send(octets_of("hello"), a.now));
    b.write("you");
    connect(a, b);
    CHECK(a.received == "you");
    CHECK(b.received == "hello");
  }
}

TEST_CASE("A client without the extended master secret is refused, or served by a policy") {
  SECTION("refused") {
    SessionEnd a = client(context(optional));
    SessionEnd b = server(blind_context(only(ProtocolVersion::tls1_2)));
    connect(a, b);
    blindfold().type = nullptr;
    REQUIRE(b.error.has_value());
    CHECK(b.error->reason() == Errc::extended_master_secret_missing);
    CHECK(b.error->alert() == Alert::handshake_failure);
    REQUIRE(a.error.has_value());
    CHECK(a.error->reason() == Errc::peer_found_nothing_in_common);
  }
  SECTION("served") {
    SessionEnd a = client(context(optional));
    SessionEnd b = server(blind_context(optional));
    connect(a, b);
    if (b.error) FAIL(b.error->message());
    REQUIRE(a.established());
    REQUIRE(b.established());
    REQUIRE(b.session.peer().authenticated());
    REQUIRE(a.session.send(octets_of("hello"), a.now));
    connect(a, b);
    CHECK(b.received == "hello");
  }
}

TEST_CASE("A peer without the extended master secret is never resumed") {
  const TlsContext a = context(resuming);
  const TlsContext b = blind_context(resuming);
  const auto meet = [&]() {
    SessionEnd first = client(a);
    SessionEnd second = server(b);
    connect(first, second);
    if (second.error) FAIL(second.error->message());
    REQUIRE(first.established());
    REQUIRE(second.established());
    CHECK(first.session.peer().resumed == second.session.peer().resumed);
    return first.session.peer().resumed;
  };
  for (int round = 0; round < 3; ++round) CHECK_FALSE(meet());
  // The same contexts resume as soon as the extension is there.
  sight(b);
  CHECK_FALSE(meet());
  CHECK(meet());
}

TEST_CASE("A server gives no ticket to a client without the extended master secret") {
  const TlsContext b = blind_context(resuming);
  for (const bool blinded : {true, false}) {
    CAPTURE(blinded);
    if (!blinded) sight(b);
    auto trace = std::make_shared<HandshakeTrace>();
    SessionOptions options;
    options.trace = trace;
    SessionEnd a = client(context(resuming), kDomain, options);
    SessionEnd c = server(b);
    connect(a, c);
    REQUIRE(a.established());
    std::size_t tickets = 0;
    for (const TraceEntry& entry : trace->entries()) {
      tickets += entry.name() == "NewSessionTicket" ? 1U : 0U;
    }
    CHECK(tickets == (blinded ? 0U : 1U));
  }
}

TEST_CASE("A client keeps no ticket of a server without the extended master secret") {
  const TlsContext a = context(resuming);
  for (int round = 0; round < 2; ++round) {
    SessionEnd ours = client(a);
    BareEnd b(PeerRole::server, [](SSL_CTX* bare) {
      use_credentials(bare, site().leaf);
      // The keys of all these servers are one: they could resume.
      static const std::array<std::uint8_t, 48> keys{};
      SSL_CTX_set_tlsext_ticket_keys(bare, const_cast<std::uint8_t*>(keys.data()), keys.size());
      static const std::uint8_t id[] = {1};
      SSL_CTX_set_session_id_context(bare, id, sizeof(id));
      blind(bare);
    });
    connect(ours, b);
    if (ours.error) FAIL(ours.error->message());
    REQUIRE(ours.established());
    REQUIRE(b.established);
    CHECK_FALSE(ours.session.peer().resumed);
    CHECK_FALSE(SSL_session_reused(b.ssl()));
  }
}

TEST_CASE("The switch is of no concern to peers that have the extended master secret") {
  for (const ProtocolVersion version : {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3}) {
    CAPTURE(to_string(version));
    const TlsContext both = context([&](TlsContextConfig& made) {
      resuming(made);
      only(version)(made);
    });
    for (const bool resumed : {false, true}) {
      SessionEnd a = client(both);
      SessionEnd b = server(both);
      connect(a, b);
      REQUIRE(b.established());
      REQUIRE(b.session.send(octets_of("."), b.now));
      connect(a, b);
      CHECK(a.session.peer().resumed == resumed);
    }
  }
}
