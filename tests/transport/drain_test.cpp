// Connections that run out: no target finds them, their transactions go on, and they end in time.
#include "catch.hpp"
#include "transport/harness.hpp"
#include "transport/raw_peer.hpp"

using namespace siptls;
using namespace siptls_test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct Stage {
  Stage() : clock(std::make_shared<ManualClock>(Clock::system()->now())), client(with_clock()) {
    at = server.listen(world().context(world().alpha.leaf));
    context = std::make_unique<TlsContext>(world().context(world().beta));
  }
  TransportOptions with_clock() const {
    TransportOptions options;
    options.clock = clock;
    return options;
  }
  ConnectionId connect() {
    const auto id = client.transport().connect(to_server());
    REQUIRE(id);
    run_until({&server, &client},
              [&] { return client.count("Connected") == 1 && server.count("Connected") == 1; });
    return *id;
  }
  Target to_server() const { return target(at, *context); }
  MonoTime in(milliseconds later) const { return clock->now().mono + later; }
  void advance(milliseconds by) {
    clock->advance(by);
    client.take_events();
  }

  std::shared_ptr<ManualClock> clock;
  Host server;
  Host client;
  Endpoint at;
  std::unique_ptr<TlsContext> context;
};

std::string reason_of(const Result<void>& result) {
  return result ? "accepted" : std::string(to_string(result.error().reason()));
}
template <typename T>
std::string reason_of(const Result<T>& result) {
  return result ? "accepted" : std::string(to_string(result.error().reason()));
}

}  // namespace

TEST_CASE("A drained connection serves no target, goes on both ways, and is closed in time") {
  Stage stage;
  TlsTransport& client = stage.client.transport();
  const ConnectionId old = stage.connect();
  const ConnectionId old_at_server = stage.server.last("Connected").connection;
  CHECK(*client.connect(stage.to_server()) == old);
  REQUIRE(client.drain(old, stage.in(seconds(30))));

  // Both ways by its id.
  REQUIRE(client.send(old, octets(options_request(1))));
  REQUIRE(stage.server.transport().send(old_at_server, octets(options_request(2))));
  run_until({&stage.server, &stage.client}, [&] {
    return stage.server.count("Message") == 1 && stage.client.count("Message") == 1;
  });
  CHECK(stage.server.last("Message").connection == old_at_server);
  CHECK(stage.client.last("Message").connection == old);

  // A target opens another one.
  REQUIRE(client.send(stage.to_server(), octets(options_request(3))));
  run_until({&stage.server, &stage.client}, [&] { return stage.server.count("Message") == 2; });
  CHECK(stage.server.last("Message").connection != old_at_server);
  CHECK(client.connection_count() == 2);

  // A later deadline, and then an earlier one.
  REQUIRE(client.drain(old, stage.in(seconds(60))));
  stage.advance(seconds(31));
  settle({&stage.server, &stage.client});
  CHECK(stage.client.count("Closed") == 0);
  REQUIRE(client.drain(old, stage.in(seconds(5))));
  stage.advance(milliseconds(4'900));
  CHECK(reason_of(client.send(old, octets(options_request(4)))) == "accepted");
  stage.advance(milliseconds(200));
  CHECK(reason_of(client.send(old, octets(options_request(5)))) == "connection_closed");
  CHECK(reason_of(client.drain(old, stage.in(seconds(5)))) == "connection_closed");
  run_until({&stage.server, &stage.client},
            [&] { return stage.server.count("Closed") == 1 && stage.client.count("Closed") == 1; });
  CHECK(stage.client.last("Closed").connection == old);
  CHECK_FALSE(stage.client.last("Closed").error);
  CHECK_FALSE(stage.server.last("Closed").error);
  CHECK(stage.server.count("Message") == 3);
  CHECK(reason_of(client.drain(old, stage.in(seconds(5)))) == "unknown_connection");
  CHECK(client.connection_count() == 1);
}

TEST_CASE("A connection that is drained before it is connected still delivers what it has taken") {
  Stage stage;
  REQUIRE(stage.client.transport().send(stage.to_server(), octets(options_request(1))));
  const auto id = stage.client.transport().connect(stage.to_server());
  REQUIRE(id);
  REQUIRE(stage.client.transport().drain(*id, stage.in(seconds(5))));
  run_until({&stage.server, &stage.client}, [&] { return stage.server.count("Message") == 1; });
  stage.advance(seconds(6));
  run_until({&stage.server, &stage.client}, [&] { return stage.client.count("Closed") == 1; });
  CHECK_FALSE(stage.client.last("Closed").error);

  // One that is not connected by then is given up.
  RawServer mute;
  const auto hanging = stage.client.transport().connect(target(mute.endpoint(), *stage.context));
  REQUIRE(hanging);
  stage.client.take_events();
  REQUIRE(stage.client.transport().drain(*hanging, stage.in(seconds(1))));
  stage.advance(seconds(2));
  CHECK(stage.client.transport().connection_count() == 0);
  CHECK(stage.client.last("HandshakeFailed").failed_with(Errc::connection_closed));
}

TEST_CASE("Draining everything opens nothing new, lets the open ones finish, and ends in time") {
  Stage stage;
  TlsTransport& client = stage.client.transport();
  const Endpoint own = stage.client.listen(world().context(world().alpha.leaf));
  const ConnectionId gone = stage.connect();
  REQUIRE(client.abort(gone));
  settle({&stage.server, &stage.client});
  stage.server.seen.clear();
  stage.client.seen.clear();
  const ConnectionId open = stage.connect();
  const ConnectionId open_at_server = stage.server.last("Connected").connection;
  // One that comes in and one that goes out, at their handshakes; the second has a message.
  RawPeer stranger = RawPeer::connect(own);
  run_until({&stage.client}, [&] { return client.connection_count() == 2; });
  RawServer mute;
  const auto lost =
      client.send(target(mute.endpoint(), *stage.context), octets(options_request(1)));
  REQUIRE(lost);
  settle({&stage.client});

  client.drain_all(stage.in(seconds(30)));
  stage.client.take_events();
  CHECK(stage.client.count("HandshakeFailed") == 2);
  for (const Seen& failed : stage.client.all("HandshakeFailed")) {
    CHECK(failed.failed_with(Errc::transport_draining));
  }
  CHECK(stage.client.last("SendFailed").token == *lost);
  CHECK(stage.client.last("SendFailed").failed_with(Errc::transport_draining));
  CHECK(client.connection_count() == 1);
  run_until({&stage.client}, [&] { return stranger.poll(), stranger.ended; });

  // Nothing new, in any way.
  const auto message = options_request(2);
  CHECK(reason_of(client.connect(stage.to_server())) == "transport_draining");
  CHECK(reason_of(client.send(stage.to_server(), octets(message))) == "transport_draining");
  CHECK(reason_of(client.respond(gone, octets(message),
                                 ResponseFallback{{stage.at}, "alpha.example", *stage.context})) ==
        "transport_draining");
  CHECK(reason_of(client.listen(ListenOptions{own, world().context(world().alpha.leaf)})) ==
        "transport_draining");
  const auto late = net::start_connect(own, std::nullopt);
  CHECK((!late || net::connect_outcome(late->get()) != 0));
  CHECK(client.metrics().sends_refused.at(Errc::transport_draining) == 2);

  // What is open finishes.
  REQUIRE(client.send(open, octets(options_request(3))));
  REQUIRE(stage.server.transport().send(open_at_server, octets(options_request(4))));
  run_until({&stage.server, &stage.client}, [&] {
    return stage.server.count("Message") == 1 && stage.client.count("Message") == 1;
  });
  stage.advance(milliseconds(29'900));
  CHECK(client.connection_count() == 1);
  stage.advance(milliseconds(200));
  run_until({&stage.server, &stage.client}, [&] { return client.connection_count() == 0; });
  CHECK_FALSE(stage.client.last("Closed").error);
}
