// Peers of open connections that are judged again.
#include <poll.h>

#include "catch.hpp"
#include "transport/harness.hpp"
#include "transport/raw_peer.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

using demo_pki::Entity;
using std::chrono::hours;

std::shared_ptr<ManualClock> manual_clock() {
  const Now now = Clock::system()->now();
  return std::make_shared<ManualClock>(Now{now.mono, now.wall, ClockStanding::given});
}

TransportOptions options_with(const std::shared_ptr<ManualClock>& clock) {
  TransportOptions options;
  options.clock = clock;
  options.limits.idle_timeout = hours(1000);
  return options;
}

// A leaf that is valid for two hours.
Entity short_lived(const std::string& name, WallTime now) {
  demo_pki::CertificateSpec spec = demo_pki::sip_spec(name);
  spec.not_before = now - hours(1);
  spec.not_after = now + hours(2);
  return Entity::issued_by(world().alpha.intermediates.front(), spec);
}

// A context that trusts another CA.
TlsContextConfig distrusting(const Entity& entity) {
  TlsContextConfig config = world().config(entity);
  auto trust = TrustStore::from_pem(world().stranger_root.certificate_pem());
  REQUIRE(trust);
  config.trust = *trust;
  return config;
}

TlsContextConfig allowing(const Entity& entity, const std::string& name) {
  TlsContextConfig config = world().config(entity);
  config.allowed_peers = {name};
  return config;
}

bool is_readable(Host& host) {
  pollfd wait{host.transport().fd(), POLLIN, 0};
  return ::poll(&wait, 1, 0) == 1;
}

template <typename T>
std::string reason(const Result<T>& result) {
  return result ? "accepted" : std::string(to_string(result.error().reason()));
}

}  // namespace

TEST_CASE("A peer that is no longer good is closed with the reason, and a good one goes on") {
  enum class Change { none, trust, allowed, time };
  struct Row {
    const char* what;
    Change change;
    Errc reason;
  };
  const Row rows[] = {{"nothing", Change::none, Errc::internal},
                      {"the CA was removed", Change::trust, Errc::unknown_ca},
                      {"the list lost the name", Change::allowed, Errc::identity_not_allowed},
                      {"the certificate ran out", Change::time, Errc::certificate_expired}};
  for (const ProtocolVersion version : {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3}) {
    for (const bool server_judges : {true, false}) {
      for (const Row& row : rows) {
        CAPTURE(to_string(version), server_judges, row.what);
        const auto clock = manual_clock();
        const TlsPolicy policy = policy_of(version);
        const Entity alpha =
            server_judges ? world().alpha.leaf : short_lived("alpha.example", clock->now().wall);
        const Entity beta =
            server_judges ? short_lived("beta.example", clock->now().wall) : world().beta;
        Host server(options_with(clock));
        Host client(options_with(clock));
        answer_requests(server);
        const Endpoint at = server.listen(world().context(alpha, policy));
        REQUIRE(client.transport().update_outgoing(world().context(beta, policy)));
        const Target bare{{at}, "alpha.example", std::nullopt, std::nullopt, nullptr};
        const auto id = client.transport().connect(bare);
        REQUIRE(id);
        run_until({&server, &client},
                  [&] { return client.count("Connected") == 1 && server.count("Connected") == 1; });

        const Entity& own = server_judges ? alpha : beta;
        TlsContextConfig config = row.change == Change::trust     ? distrusting(own)
                                  : row.change == Change::allowed ? allowing(own, "gamma.example")
                                                                  : world().config(own);
        config.policy = policy;
        Host& judge = server_judges ? server : client;
        Host& judged = server_judges ? client : server;
        const auto report = server_judges
                                ? judge.transport().update(server.listener, make_context(config))
                                : judge.transport().update_outgoing(make_context(config));
        REQUIRE(report);
        CHECK(report->older_connections == 1);
        if (row.change == Change::time) clock->advance(hours(3));
        settle({&server, &client});
        CHECK(judge.count("Closed") == 0);
        REQUIRE(judge.transport().reverify(report->generation));
        if (row.change == Change::none) {
          REQUIRE(client.transport().send(*id, octets(options_request(1))));
          run_until({&server, &client}, [&] { return client.count("Message") == 1; });
          CHECK(judge.count("Closed") == 0);
          continue;
        }
        run_until({&server, &client},
                  [&] { return judge.count("Closed") == 1 && judged.count("Closed") == 1; });
        REQUIRE(judge.last("Closed").error);
        CHECK(to_string(judge.last("Closed").error->reason()) == to_string(row.reason));
        CHECK_FALSE(judge.last("Closed").error->evidence().empty());
        CHECK_FALSE(judge.last("Closed").truncated);
        // Told by close_notify.
        CHECK_FALSE(judged.last("Closed").truncated);
        CHECK(judge.transport().connection_count() == 0);
      }
    }
  }
}

TEST_CASE("Only earlier generations are judged, each by what has taken its context's place") {
  Host server;
  Host client;
  const Endpoint first_at = server.listen(world().context(world().alpha.leaf));
  const ListenerId first = server.listener;
  const Endpoint second_at = server.listen(world().context(world().alpha.leaf));
  const ListenerId second = server.listener;
  const TlsContext context = world().context(world().beta);
  for (const Endpoint& at : {first_at, second_at}) {
    REQUIRE(client.transport().connect(target(at, context)));
  }
  run_until({&server, &client}, [&] { return server.count("Connected") == 2; });

  const TlsContext strict = make_context(allowing(world().alpha.leaf, "gamma.example"));
  const auto report = server.transport().update(first, strict);
  REQUIRE(report);
  REQUIRE(server.transport().reverify(0));
  settle({&server, &client});
  CHECK(server.count("Closed") == 0);
  REQUIRE(server.transport().reverify(report->generation));
  run_until({&server, &client}, [&] { return server.count("Closed") == 1; });
  settle({&server, &client});
  CHECK(server.transport().connection_count() == 1);

  // A listener that is gone leaves its context to its connections.
  REQUIRE(server.transport().stop_listening(second));
  REQUIRE(server.transport().reverify(99));
  settle({&server, &client});
  CHECK(server.count("Closed") == 1);

  // A target's own context stays its own.
  const auto outgoing = client.transport().update_outgoing(make_context(distrusting(world().beta)));
  REQUIRE(outgoing);
  CHECK(outgoing->older_connections == 0);
  REQUIRE(client.transport().reverify(outgoing->generation));
  settle({&server, &client});
  CHECK(client.transport().connection_count() == 1);
}

TEST_CASE("Connections of a listener that has stopped are judged by the context it had last") {
  enum class Stop { listener, everything };
  for (const Stop stop : {Stop::listener, Stop::everything}) {
    CAPTURE(stop == Stop::listener);
    const auto clock = manual_clock();
    Host server(options_with(clock));
    Host client(options_with(clock));
    const Endpoint at = server.listen(world().context(world().alpha.leaf));
    REQUIRE(client.transport().connect(target(at, world().context(world().beta))));
    run_until({&server, &client},
              [&] { return server.count("Connected") == 1 && client.count("Connected") == 1; });
    const auto report =
        server.transport().update(server.listener, make_context(distrusting(world().alpha.leaf)));
    REQUIRE(report);
    if (stop == Stop::listener) {
      REQUIRE(server.transport().stop_listening(server.listener));
      // The next one to stop is not taken for it.
      server.listen(world().context(world().alpha.leaf));
      REQUIRE(server.transport().stop_listening(server.listener));
    } else {
      server.transport().drain_all(clock->now().mono + hours(1));
    }
    settle({&server, &client});
    REQUIRE(server.count("Closed") == 0);
    REQUIRE(server.transport().reverify(report->generation));
    run_until({&server, &client}, [&] { return server.count("Closed") == 1; });
    CHECK(server.last("Closed").failed_with(Errc::unknown_ca));
  }
}

TEST_CASE("Judgements are done in slices, and fd() tells of the ones that are left") {
  constexpr std::size_t kConnections = 50;
  Host server;
  Host client;
  const Endpoint at = server.listen(world().context(world().alpha.leaf));
  for (std::size_t i = 0; i < kConnections; ++i) {
    REQUIRE(client.transport().connect(target(at, world().context(world().beta))));
  }
  run_until({&server, &client}, [&] { return server.count("Connected") == kConnections; });
  settle({&server, &client});

  const TlsContext renewed = world().context(world().alpha.leaf);
  const auto judgements = [&] {
    const ChainMemory memory = renewed.trust().chain_memory();
    return memory.answered + memory.judged;
  };
  const auto report = server.transport().update(server.listener, renewed);
  REQUIRE(report);
  CHECK(report->older_connections == kConnections);
  REQUIRE(server.transport().reverify(report->generation));
  REQUIRE(server.transport().reverify(report->generation));
  CHECK(judgements() == 0);
  std::size_t slices = 0;
  while (judgements() < kConnections) {
    REQUIRE(is_readable(server));
    const auto before = judgements();
    CHECK_FALSE(server.take_events());
    CHECK(judgements() > before);
    CHECK(judgements() - before <= 16);
    REQUIRE(++slices <= kConnections);
  }
  CHECK(slices >= kConnections / 16);
  settle({&server, &client});
  CHECK_FALSE(is_readable(server));
  CHECK(judgements() == kConnections);
  // They were judged in this generation.
  REQUIRE(server.transport().reverify(report->generation));
  settle({&server, &client});
  CHECK(judgements() == kConnections);
  CHECK(server.count("Closed") == 0);

  // And a context that lets none of them in.
  const auto strict = server.transport().update(
      server.listener, make_context(allowing(world().alpha.leaf, "gamma.example")));
  REQUIRE(strict);
  REQUIRE(server.transport().reverify(strict->generation));
  REQUIRE(server.transport().reverify(strict->generation));
  run_until({&server, &client}, [&] {
    return server.count("Closed") == kConnections && client.count("Closed") == kConnections;
  });
}

TEST_CASE("A connection that is paused, closing or at its handshake is judged in its own way") {
  for (const bool reverify : {false, true}) {
    CAPTURE(reverify);
    Host server;
    Host client;
    const Endpoint at = server.listen(world().context(world().alpha.leaf));
    const auto connect = [&] {
      const std::size_t before = server.count("Connected");
      const auto id = client.transport().connect(target(at, world().context(world().beta)));
      REQUIRE(id);
      run_until({&server, &client}, [&] { return server.count("Connected") > before; });
      return server.last("Connected").connection;
    };
    const ConnectionId paused = connect();
    REQUIRE(server.transport().pause(paused));
    const ConnectionId closing = connect();
    RawTlsClient at_handshake(at, world().context(world().beta));
    settle({&server});  // its ClientHello is answered
    REQUIRE(server.transport().close(closing));

    const auto report = server.transport().update(
        server.listener, make_context(allowing(world().alpha.leaf, "gamma.example")));
    REQUIRE(report);
    CHECK(report->older_connections == 2);
    if (reverify) REQUIRE(server.transport().reverify(report->generation));
    run_until({&server, &client}, [&] {
      at_handshake.step();
      return server.count("Closed") == (reverify ? 2U : 1U) &&
             server.count("Connected") + server.count("HandshakeFailed") == 3;
    });
    for (const Seen& closed : server.all("Closed")) {
      if (closed.connection == closing) {
        CHECK_FALSE(closed.error);
      } else {
        CHECK(closed.connection == paused);
        CHECK(closed.failed_with(Errc::identity_not_allowed));
      }
    }
    // What was begun with the old context ends with it, unless everything is to be judged anew.
    CHECK(server.count("HandshakeFailed") == (reverify ? 1U : 0U));
    if (reverify) {
      CHECK(server.last("HandshakeFailed").failed_with(Errc::identity_not_allowed));
    }
    CHECK(server.transport().connection_count() == (reverify ? 0U : 2U));
  }
}

TEST_CASE("A step of the clock is noticed before the next judgement") {
  constexpr std::size_t kConnections = 40;
  const auto clock = manual_clock();
  const Now start = clock->now();
  const auto step_back = [&] {
    clock->set_wall(WallTime(std::chrono::seconds(60)));
    clock->set_standing(ClockStanding::behind_floor);
  };
  const auto step_on = [&] {
    clock->set_wall(start.wall);
    clock->set_standing(ClockStanding::given);
  };
  Host server(options_with(clock));
  Host client;
  const Endpoint at = server.listen(world().context(world().alpha.leaf));
  const auto connect = [&] {
    REQUIRE(client.transport().connect(target(at, world().context(world().beta))));
  };
  for (std::size_t i = 0; i < kConnections; ++i) connect();
  run_until({&server, &client}, [&] { return server.count("Connected") == kConnections; });
  settle({&server, &client});

  step_back();
  connect();
  run_until({&server, &client}, [&] { return server.count("HandshakeFailed") == 1; });
  CHECK(server.last("HandshakeFailed").failed_with(Errc::clock_not_trusted));
  // It says nothing about anybody, so nobody is judged by it.
  CHECK(reason(server.transport().reverify(99)) == "clock_not_trusted");
  settle({&server, &client});
  CHECK(server.count("Closed") == 0);

  step_on();
  connect();
  run_until({&server, &client}, [&] { return server.count("Connected") == kConnections + 1; });
  settle({&server, &client});
  REQUIRE(server.transport().reverify(99));
  CHECK_FALSE(server.take_events());  // the first slice
  step_back();
  run_until({&server, &client}, [&] { return server.count("Closed") == kConnections + 1 - 16; });
  settle({&server, &client});
  CHECK(server.count("Closed") == kConnections + 1 - 16);
  for (const Seen& closed : server.all("Closed")) {
    CHECK(closed.failed_with(Errc::clock_not_trusted));
  }
}
