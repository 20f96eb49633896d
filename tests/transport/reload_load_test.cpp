// Contexts that are exchanged under load: no message is lost, and no handshake fails but those that
// must.
#include <set>

#include "catch.hpp"
#include "scale.hpp"
#include "transport/harness.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

using demo_pki::Entity;

constexpr std::size_t kConnections = 200;

std::string call_id_of(std::string_view text) {
  const auto begin = text.find("Call-ID: ");
  return std::string(text.substr(begin, text.find('\r', begin) - begin));
}

// Connections that exchange messages while everything behind them changes.
struct Load {
  Load() : server(), client() {
    answer_requests(server);
    at = server.listen(world().context(world().alpha.leaf));
    listener = server.listener;
    strict_at = server.listen(world().context(world().alpha.leaf));
    strict_listener = server.listener;
    client.on_event = [this](const Event& event, const Seen& seen) {
      const auto* message = std::get_if<Message>(&event);
      if (message == nullptr) return;
      CHECK(open.erase(call_id_of(seen.text)) == 1);
      ++answered;
    };
  }

  void request(ConnectionId connection) {
    const std::string text = options_request(++number);
    open.insert(call_id_of(text));
    REQUIRE(client.transport().send(connection, octets(text)));
  }
  void request_by_target(const TlsContext& context) {
    const std::string text = options_request(++number);
    open.insert(call_id_of(text));
    REQUIRE(client.transport().send(target(at, context), octets(text)));
  }
  void until(const std::function<bool()>& done) { run_until({&server, &client}, done); }

  Host server;
  Host client;
  Endpoint at;
  Endpoint strict_at;
  ListenerId listener = ListenerId::none;
  ListenerId strict_listener = ListenerId::none;
  std::set<std::string> open;  // requests without a response
  std::size_t answered = 0;
  unsigned number = 0;
};

}  // namespace

TEST_CASE("Contexts are exchanged under load without losing a message or a handshake") {
  const std::size_t updates = scaled("updates under load", 100);
  Load load;
  std::vector<ConnectionId> connections;
  for (std::size_t i = 0; i < kConnections; ++i) {
    const auto id = load.client.transport().connect(target(load.at, world().context(world().beta)));
    REQUIRE(id);
    connections.push_back(*id);
  }
  load.until([&] { return load.server.count("Connected") == kConnections; });

  demo_pki::CertificateSpec expired_spec = demo_pki::sip_spec("alpha.example");
  expired_spec.not_after = demo_pki::Time(std::chrono::seconds(1735689600));  // 2025-01-01
  const TlsContext expired =
      world().context(Entity::issued_by(world().alpha.intermediates.front(), expired_spec));
  TlsContextConfig without_credentials = world().config(world().alpha.leaf);
  without_credentials.credentials.reset();
  const TlsContext mute = make_context(without_credentials);
  const Entity second_leaf =
      Entity::issued_by(world().alpha.intermediates.front(), demo_pki::sip_spec("alpha.example"));
  TlsContextConfig narrow = world().config(world().alpha.leaf);
  narrow.allowed_peers = {"gamma.example"};

  std::size_t good = 0;
  std::size_t must_fail = 0;
  std::size_t fresh = 0;
  TlsTransport& transport = load.server.transport();
  for (std::size_t round = 0; round < updates; ++round) {
    for (std::size_t i = round % 4; i < kConnections; i += 4) load.request(connections[i]);
    if (round % 4 == 3) {
      const auto refused = transport.update(load.listener, round % 8 == 3 ? expired : mute);
      REQUIRE_FALSE(refused);
    } else {
      // The second listener lets nobody in; the first one changes its certificate.
      ContextUpdate contexts;
      contexts.listeners = {
          {load.listener, world().context(round % 2 == 0 ? second_leaf : world().alpha.leaf)},
          {load.strict_listener, make_context(narrow)}};
      const auto report = transport.update_all(contexts);
      REQUIRE(report);
      REQUIRE(report->generation == ++good);
      REQUIRE(report->older_connections >= kConnections);
      if (round % 3 == 0) REQUIRE(transport.reverify(report->generation));
    }
    // New connections: one that must come about, and one that must not.
    load.request_by_target(world().context(world().beta));
    ++fresh;
    if (good > 0) {
      REQUIRE(
          load.client.transport().connect(target(load.strict_at, world().context(world().beta))));
      ++must_fail;
    }
    load.server.take_events();
    load.client.take_events();
  }
  load.until([&] {
    return load.open.empty() && load.server.count("HandshakeFailed") == must_fail &&
           load.client.count("HandshakeFailed") == must_fail;
  });
  settle({&load.server, &load.client});
  CHECK(load.answered == load.number);
  CHECK(load.client.count("SendFailed") + load.server.count("SendFailed") == 0);
  CHECK(load.server.count("Connected") == kConnections + fresh);
  for (const Host* host : {&load.server, &load.client}) {
    for (const Seen& failed : host->all("HandshakeFailed")) {
      const bool expected = host == &load.server ? failed.failed_with(Errc::identity_not_allowed)
                                                 : failed.error->category() == Category::peer_alert;
      CHECK(expected);
    }
  }
  // Of the client's, only those that it took for good before the server had judged them.
  CHECK(load.server.count("Closed") == 0);
  CHECK(load.client.count("Closed") == must_fail);
  CHECK(load.server.transport().connection_count() == kConnections + fresh);
}
