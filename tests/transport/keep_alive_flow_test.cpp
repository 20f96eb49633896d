// Keep-alives of this side (RFC 5626): when pings go out, what pongs mean, and flows that fail.
#include "catch.hpp"
#include "siptls/keep_alive.hpp"
#include "transport/connection.hpp"
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
  ConnectionId connect(const std::optional<KeepAliveOptions>& keep_alive) {
    Target to_server = target(at, *context);
    to_server.keep_alive = keep_alive;
    const auto id = client.transport().connect(to_server);
    REQUIRE(id);
    run_until({&server, &client}, [&] { return server.count("Connected") == 1; });
    settle({&server, &client});
    return *id;
  }
  // The server is not run, so nothing answers.
  void advance(milliseconds by) {
    clock->advance(by);
    client.take_events();
  }
  void advance_both(milliseconds by) {
    advance(by);
    settle({&server, &client});
  }

  std::shared_ptr<ManualClock> clock;
  Host server;
  Host client;
  Endpoint at;
  std::unique_ptr<TlsContext> context;
};

const KeepAliveOptions kOptions{seconds(100), seconds(10)};

}  // namespace

TEST_CASE("A flow pings within 80 and 100 percent of its interval, and its pongs keep it") {
  Stage stage;
  stage.connect(kOptions);
  // Beyond idle_timeout: it is the pings that judge this connection.
  for (std::size_t round = 1; round <= 10; ++round) {
    CAPTURE(round);
    stage.advance_both(milliseconds(79'900));
    CHECK(stage.server.count("Ping") == round - 1);
    int steps = 0;
    while (stage.server.count("Ping") < round && ++steps <= 203) {
      stage.advance_both(milliseconds(100));
    }
    CHECK(stage.server.count("Ping") == round);
    CHECK(stage.client.count("Pong") == round);
  }
  CHECK(stage.client.count("Closed") == 0);
  const TransportMetrics metrics = stage.client.transport().metrics();
  CHECK(metrics.pings_sent == 10);
  CHECK(metrics.pongs_received == 10);
  CHECK(metrics.flows_failed == 0);
  CHECK(stage.server.transport().metrics().pings_received == 10);
}

TEST_CASE("Without a pong the flow fails, its messages are answered for, and its connection ends") {
  Stage stage;
  const ConnectionId id = stage.connect(kOptions);
  stage.advance(seconds(101));
  CHECK(stage.client.transport().metrics().pings_sent == 1);
  stage.advance(milliseconds(9'900));
  CHECK(stage.client.count("FlowFailed") == 0);
  const std::string large = options_request(1, std::string(50'000, 'x'));
  std::size_t accepted = 0;
  while (stage.client.transport().send(id, octets(large))) ++accepted;
  stage.client.seen.clear();
  stage.advance(milliseconds(200));
  REQUIRE(stage.client.count("FlowFailed") == 1);
  CHECK(stage.client.seen.front().kind == "FlowFailed");
  CHECK(stage.client.seen.front().failed_with(Errc::flow_failed));
  CHECK(stage.client.seen.back().kind == "Closed");
  CHECK(stage.client.seen.back().failed_with(Errc::flow_failed));
  CHECK(stage.client.count("SendFailed") > 0);
  CHECK(stage.client.count("SendFailed") <= accepted);
  CHECK(stage.client.count("SendFailed") + 2 == stage.client.seen.size());
  const TransportMetrics metrics = stage.client.transport().metrics();
  CHECK(metrics.flows_failed == 1);
  CHECK(metrics.closed.at(Errc::flow_failed) == 1);
  CHECK(stage.client.transport().connection_count() == 0);
}

TEST_CASE("A pong that came in time counts, though the host looks late and much came before it") {
  for (const std::size_t messages_before : {0u, 300u}) {
    CAPTURE(messages_before);
    Stage stage;
    stage.connect(kOptions);
    const ConnectionId at_server = stage.server.last("Connected").connection;
    stage.advance(seconds(101));
    for (std::size_t i = 1; i <= messages_before; ++i) {
      REQUIRE(stage.server.transport().send(
          at_server, octets(options_request(static_cast<unsigned>(i), std::string(500, 'x')))));
    }
    run_until({&stage.server}, [&] {
      return stage.server.count("Ping") == 1 &&
             stage.server.transport().metrics().queued_bytes == 0;
    });
    stage.advance(seconds(60));
    CHECK(stage.client.count("FlowFailed") == 0);
    CHECK(stage.client.count("Pong") == 1);
    CHECK(stage.client.count("Message") == messages_before);
    stage.advance(seconds(100));
    stage.advance(seconds(10));
    CHECK(stage.client.count("FlowFailed") == 1);
  }
}

TEST_CASE("A ping never stands inside a message") {
  Stage stage;
  // Soon enough that the peer is not given up for reading nothing.
  const ConnectionId id = stage.connect(KeepAliveOptions{seconds(30), seconds(10)});
  const std::string large = options_request(1, std::string(60'000, 'x'));
  std::size_t accepted = 0;
  while (stage.client.transport().send(id, octets(large))) ++accepted;
  REQUIRE(stage.client.transport().metrics().queued_bytes > 0);
  stage.advance(seconds(31));
  run_until({&stage.server, &stage.client}, [&] { return stage.client.count("Pong") == 1; });
  std::size_t intact = 0;
  for (const Seen& message : stage.server.all("Message")) intact += message.text == large ? 1 : 0;
  CHECK(intact == accepted);
  CHECK(stage.server.seen.back().kind == "Ping");
}

TEST_CASE("A host that does not read is not told that its flow has failed") {
  Stage stage;
  const ConnectionId id = stage.connect(kOptions);
  stage.advance(seconds(101));
  REQUIRE(stage.client.transport().pause(id));
  settle({&stage.server, &stage.client});
  stage.advance(seconds(60));
  CHECK(stage.client.count("FlowFailed") == 0);
  REQUIRE(stage.client.transport().resume(id));
  stage.client.take_events();
  CHECK(stage.client.count("Pong") == 1);
  CHECK(stage.client.count("FlowFailed") == 0);
  stage.advance(seconds(101));
  stage.advance(seconds(11));
  CHECK(stage.client.count("FlowFailed") == 1);
}

TEST_CASE("A paused flow goes on with its pings, and is judged again when it is read again") {
  for (const bool peer_is_there : {true, false}) {
    CAPTURE(peer_is_there);
    Stage stage;
    const ConnectionId id = stage.connect(kOptions);
    const auto pings = [&] { return stage.client.transport().metrics().pings_sent; };
    const auto pass = [&](int hundred_milliseconds) {
      for (int i = 0; i < hundred_milliseconds; ++i) {
        stage.advance(milliseconds(100));
        if (peer_is_there) settle({&stage.server});
      }
    };
    REQUIRE(stage.client.transport().pause(id));
    pass(6000);
    // Each after 80 to 100 s, or with the 10 s in which the pong would have been missed.
    CHECK(pings() >= 5);
    CHECK(pings() <= 7);
    if (peer_is_there) CHECK(stage.server.count("Ping") == pings());
    CHECK(stage.client.count("Pong") == 0);
    CHECK(stage.client.count("FlowFailed") == 0);
    CHECK(stage.client.count("Closed") == 0);
    const std::uint64_t before = pings();
    REQUIRE(stage.client.transport().resume(id));
    settle({&stage.client});
    CHECK(stage.client.count("Pong") == (peer_is_there ? before : 0));
    pass(1000);
    if (peer_is_there) CHECK(pings() > before);
    pass(101);
    CHECK(stage.client.count("FlowFailed") == (peer_is_there ? 0 : 1));
  }
}

TEST_CASE("After a pause a pong has its whole time again") {
  Stage stage;
  const ConnectionId id = stage.connect(kOptions);
  stage.advance(seconds(101));
  REQUIRE(stage.client.transport().metrics().pings_sent == 1);
  stage.advance(seconds(4));
  REQUIRE(stage.client.transport().pause(id));
  stage.advance(seconds(5));
  REQUIRE(stage.client.transport().resume(id));
  stage.advance(milliseconds(9'900));
  CHECK(stage.client.count("FlowFailed") == 0);
  stage.advance(milliseconds(200));
  CHECK(stage.client.count("FlowFailed") == 1);
}

TEST_CASE("keep_alive() begins and changes the interval of an open connection") {
  Stage stage;
  const ConnectionId id = stage.connect(std::nullopt);
  stage.advance_both(seconds(500));
  CHECK(stage.server.count("Ping") == 0);
  REQUIRE(stage.client.transport().keep_alive(id, kOptions));
  stage.advance_both(seconds(101));
  CHECK(stage.server.count("Ping") == 1);
  REQUIRE(stage.client.transport().keep_alive(id, {seconds(10), seconds(10)}));
  stage.advance_both(seconds(11));
  CHECK(stage.server.count("Ping") == 2);
}

TEST_CASE("keep_alive() says why it refuses") {
  Stage stage;
  TlsTransport& client = stage.client.transport();
  const ConnectionId id = stage.connect(std::nullopt);
  const auto reason = [](const Result<void>& result) {
    return result ? std::string("accepted") : std::string(to_string(result.error().reason()));
  };
  CHECK(reason(stage.server.transport().keep_alive(stage.server.last("Connected").connection)) ==
        "invalid_argument");
  CHECK(reason(client.keep_alive(id, {seconds(0), seconds(10)})) == "invalid_argument");
  CHECK(reason(client.keep_alive(id, {seconds(10), seconds(0)})) == "invalid_argument");
  CHECK(reason(client.keep_alive(ConnectionId{77})) == "unknown_connection");
  Target never = target(stage.at, *stage.context, "gamma.example");
  never.keep_alive = KeepAliveOptions{seconds(0), seconds(10)};
  const auto refused = client.connect(never);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().reason() == Errc::invalid_argument);
  REQUIRE(client.close(id));
  CHECK(reason(client.keep_alive(id)) == "connection_closed");
}

TEST_CASE("A pong that may take for ever is waited for as long as a clock can say") {
  const MonoTime now = Clock::system()->now().mono;
  const Flow endless({seconds(100), milliseconds::max()}, now, 1);
  CHECK(endless.pong_timeout > std::chrono::hours(24 * 365));
  CHECK(now + endless.pong_timeout > now);
  CHECK(endless.pong_timeout <= std::chrono::hours(24 * 365 * 100));
}

TEST_CASE("A connection that does not ping has no flow to pay for") {
  CHECK(sizeof(std::declval<Connection>().flow) == sizeof(void*));
  CHECK(sizeof(TokenBucket) == sizeof(MonoTime));
  CHECK(sizeof(Connection) <= 1024);
}
