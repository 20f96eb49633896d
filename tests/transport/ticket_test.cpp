// Tickets, and what must not come through with one.
#include "catch.hpp"
#include "transport/harness.hpp"
#include "transport/raw_peer.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

using demo_pki::Entity;
using std::chrono::hours;

constexpr ProtocolVersion kVersions[] = {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3};

TlsPolicy with_tickets(ProtocolVersion version) {
  TlsPolicy policy = policy_of(version);
  policy.resumption = Resumption::tickets;
  return policy;
}

std::shared_ptr<TicketKeyRing> ring() {
  auto keys = TicketKeyRing::create();
  REQUIRE(keys);
  return *keys;
}

TrustStore other_trust() {
  auto trust = TrustStore::from_pem(world().stranger_root.certificate_pem());
  REQUIRE(trust);
  return *trust;
}

// Valid for two hours.
Entity short_lived(const std::string& name, WallTime now) {
  demo_pki::CertificateSpec spec = demo_pki::sip_spec(name);
  spec.not_before = now - hours(1);
  spec.not_after = now + hours(2);
  return Entity::issued_by(world().alpha.intermediates.front(), spec);
}

// What became of a connection, seen from both ends.
struct Outcome {
  std::string server;  // "full", "resumed", or why not
  std::string client;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};
std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << "server " << outcome.server << ", client " << outcome.client;
}
const Outcome kFull{"full", "full"};
const Outcome kResumed{"resumed", "resumed"};

std::string outcome_of(const Host& host) {
  for (const Seen& one : host.seen) {
    if (one.kind == "HandshakeFailed") return std::string(to_string(one.error->reason()));
  }
  return host.last("Connected").peer->resumed ? "resumed" : "full";
}

struct Stage {
  explicit Stage(ProtocolVersion version)
      : clock(std::make_shared<ManualClock>(
            Now{Clock::system()->now().mono, Clock::system()->now().wall, ClockStanding::given})),
        server(options()),
        client(options()),
        server_config(world().config(world().alpha.leaf, with_tickets(version))),
        client_config(world().config(world().beta, with_tickets(version))) {
    server_config.ticket_keys = ring();
    answer_requests(server);
  }

  TransportOptions options() const {
    TransportOptions result;
    result.clock = clock;
    result.limits.idle_timeout = hours(1000);
    return result;
  }
  void start() {
    at = server.listen(make_context(server_config));
    REQUIRE(client.transport().update_outgoing(make_context(client_config)));
  }
  // A connection for one request and its response, closed again.
  Outcome connect() {
    server.seen.clear();
    client.seen.clear();
    const Target bare{{at}, "alpha.example", std::nullopt, std::nullopt, nullptr};
    REQUIRE(client.transport().send(bare, octets(options_request(1))));
    run_until({&server, &client},
              [&] { return client.count("Message") + client.count("SendFailed") == 1; });
    settle({&server, &client});
    const Outcome outcome{outcome_of(server), outcome_of(client)};
    if (client.count("Message") == 1) {
      REQUIRE(client.transport().close(client.last("Connected").connection));
    }
    run_until({&server, &client}, [&] {
      return server.transport().connection_count() + client.transport().connection_count() == 0;
    });
    return outcome;
  }

  std::shared_ptr<ManualClock> clock;
  Host server;
  Host client;
  TlsContextConfig server_config;
  TlsContextConfig client_config;
  Endpoint at;
};

}  // namespace

TEST_CASE("A peer comes back with a ticket, and its proof with it") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    Stage stage(version);
    stage.start();
    CHECK(stage.connect() == kFull);
    for (int i = 0; i < 3; ++i) {
      CHECK(stage.connect() == kResumed);
      REQUIRE(stage.server.last("Connected").peer->authenticated());
      CHECK(covers(stage.server.last("Connected").peer->path->identities, "beta.example"));
      REQUIRE(stage.client.last("Connected").peer->authenticated());
      CHECK(covers(stage.client.last("Connected").peer->path->identities, "alpha.example"));
    }
    // The same again, by a new context: whatever it is, it is not refused.
    REQUIRE(
        stage.server.transport().update(stage.server.listener, make_context(stage.server_config)));
    const Outcome after_update = stage.connect();
    CHECK((after_update == kResumed || after_update == kFull));
    // And one whose ring has other keys.
    stage.server_config.ticket_keys = ring();
    REQUIRE(
        stage.server.transport().update(stage.server.listener, make_context(stage.server_config)));
    CHECK(stage.connect() == kFull);
    CHECK(stage.connect() == kResumed);
  }
}

TEST_CASE("A ticket does not bring back a client that the server's new context does not let in") {
  enum class Change { trust, allowed, time };
  struct Row {
    const char* what;
    Change change;
    const char* reason;
    const char* alert;
  };
  const Row rows[] = {
      {"the CA was removed", Change::trust, "unknown_ca", "peer_rejected_certificate"},
      {"the list lost the name", Change::allowed, "identity_not_allowed", "peer_denied_access"},
      {"the certificate ran out", Change::time, "certificate_expired",
       "peer_rejected_certificate"}};
  for (const ProtocolVersion version : kVersions) {
    for (const Row& row : rows) {
      CAPTURE(to_string(version), row.what);
      Stage stage(version);
      stage.server_config.allowed_peers = {"beta.example", "gamma.example"};
      if (row.change == Change::time) {
        const Entity beta = short_lived("beta.example", stage.clock->now().wall);
        stage.client_config.credentials = world().credentials(beta);
      }
      stage.start();
      CHECK(stage.connect() == kFull);
      CHECK(stage.connect() == kResumed);
      if (row.change == Change::trust) stage.server_config.trust = other_trust();
      if (row.change == Change::allowed) stage.server_config.allowed_peers = {"gamma.example"};
      if (row.change == Change::time) {
        stage.clock->advance(hours(3));
      } else {
        REQUIRE(stage.server.transport().update(stage.server.listener,
                                                make_context(stage.server_config)));
      }
      for (int i = 0; i < 2; ++i) {
        const Outcome outcome = stage.connect();
        CHECK(outcome.server == row.reason);
        CHECK(outcome.client == row.alert);
        CHECK(stage.server.count("Connected") == 0);
        CHECK(stage.server.count("Message") == 0);
      }
    }
  }
}

TEST_CASE("A ticket does not bring back a server that the client's new context does not let in") {
  enum class Change { trust, allowed, time };
  struct Row {
    const char* what;
    Change change;
    const char* reason;
  };
  const Row rows[] = {{"the CA was removed", Change::trust, "unknown_ca"},
                      {"the list lost the name", Change::allowed, "identity_not_allowed"},
                      {"the certificate ran out", Change::time, "certificate_expired"}};
  for (const ProtocolVersion version : kVersions) {
    for (const Row& row : rows) {
      CAPTURE(to_string(version), row.what);
      Stage stage(version);
      if (row.change == Change::time) {
        const Entity alpha = short_lived("alpha.example", stage.clock->now().wall);
        stage.server_config.credentials = world().credentials(alpha);
      }
      stage.start();
      CHECK(stage.connect() == kFull);
      CHECK(stage.connect() == kResumed);
      if (row.change == Change::trust) stage.client_config.trust = other_trust();
      if (row.change == Change::allowed) stage.client_config.allowed_peers = {"gamma.example"};
      if (row.change == Change::time) {
        stage.clock->advance(hours(3));
      } else {
        REQUIRE(stage.client.transport().update_outgoing(make_context(stage.client_config)));
      }
      for (int i = 0; i < 2; ++i) {
        const Outcome outcome = stage.connect();
        CHECK(outcome.client == row.reason);
        CHECK(outcome.server != "resumed");
        CHECK(stage.client.count("Connected") == 0);
        CHECK(stage.server.count("Message") == 0);
      }
    }
  }
}

namespace {

// A client that takes all servers for one place, so that only theirs decides.
Outcome come_to(Host& server, const Endpoint& at, const TlsContext& client_context) {
  server.seen.clear();
  SessionOptions options;
  options.resumption_scope = "anywhere";
  RawTlsClient client(at, client_context, "alpha.example", options);
  bool sent = false;
  run_until({&server}, [&] {
    client.step();
    if (!sent && client.session().state() == SessionState::established) {
      client.send(options_request(1));
      sent = true;
    }
    return server.count("Message") == 1;
  });
  settle({&server});
  client.step();
  REQUIRE(client.session().state() == SessionState::established);
  return Outcome{outcome_of(server), client.session().peer().resumed ? "resumed" : "full"};
}

}  // namespace

TEST_CASE("A ticket of one listener is none at another with the same keys") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    Host server;
    TlsContextConfig config = world().config(world().alpha.leaf, with_tickets(version));
    config.ticket_keys = ring();
    const TlsContext context = make_context(config);
    answer_requests(server);
    const Endpoint first = server.listen(context);
    const Endpoint second = server.listen(context);
    const TlsContext client = world().context(world().beta, with_tickets(version));
    CHECK(come_to(server, first, client) == kFull);
    CHECK(come_to(server, first, client) == kResumed);
    CHECK(come_to(server, second, client) == kFull);
    CHECK(come_to(server, second, client) == kResumed);
    CHECK(come_to(server, first, client) == kFull);
  }
}

TEST_CASE("Machines that share keys and a scope take each other's tickets") {
  struct Row {
    const char* first;
    const char* second;
    Outcome outcome;
  };
  const Row rows[] = {{"farm", "farm", kResumed}, {"farm", "other farm", kFull}, {"", "", kFull}};
  for (const ProtocolVersion version : kVersions) {
    const auto keys = ring();
    for (const Row& row : rows) {
      CAPTURE(to_string(version), row.first, row.second);
      const auto listen = [&](Host& host, const char* address, const char* scope) {
        // As on two machines, each has a context of its own.
        TlsContextConfig config = world().config(world().alpha.leaf, with_tickets(version));
        config.ticket_keys = keys;
        ListenOptions options{*Endpoint::parse(address, 0), make_context(config)};
        options.ticket_scope = scope;
        const auto listener = host.transport().listen(options);
        REQUIRE(listener);
        answer_requests(host);
        return *host.transport().local_endpoint(*listener);
      };
      Host first;
      Host second;
      const Endpoint first_at = listen(first, "127.0.0.2", row.first);
      const Endpoint second_at = listen(second, "127.0.0.3", row.second);
      const TlsContext client = world().context(world().beta, with_tickets(version));
      CHECK(come_to(first, first_at, client) == kFull);
      CHECK(come_to(second, second_at, client) == row.outcome);
    }
  }
}
