// Who is served first: established connections before handshakes, and no connection without end.
#include <poll.h>

#include "catch.hpp"
#include "transport/harness.hpp"
#include "transport/raw_peer.hpp"

using namespace siptls;
using namespace siptls_test;
using std::chrono::milliseconds;
using std::chrono::minutes;

namespace {

// Each reading takes time, as all work does.
class TickingClock final : public Clock {
 public:
  Now now() const noexcept override {
    ++readings;
    if (on_reading) on_reading();
    now_.mono += tick;
    return now_;
  }
  void advance(milliseconds by) { now_.mono += by; }
  milliseconds tick{0};
  mutable std::size_t readings = 0;
  std::function<void()> on_reading;

 private:
  mutable Now now_ = Clock::system()->now();
};

struct Stage {
  explicit Stage(Pace pace = Pace::drain)
      : clock(std::make_shared<TickingClock>()), server(options(), pace) {
    at = server.listen(world().context(world().alpha.leaf));
    answer_requests(server);
  }

  TransportOptions options() const {
    TransportOptions found;
    found.clock = clock;
    found.limits.handshake_timeout = minutes(10);
    found.limits.first_message_timeout = found.limits.idle_timeout = minutes(60);
    return found;
  }
  ConnectionId connect(Host& host) {
    const std::size_t before = server.count("Connected");
    const auto id = host.transport().connect(target(at, world().context(world().beta)));
    REQUIRE(id);
    run_until({&server, &host}, [&] { return server.count("Connected") > before; });
    settle({&server, &host});
    return *id;
  }
  // Accepted, and not yet saying anything.
  std::vector<RawPeer> strangers(std::size_t count) {
    std::vector<RawPeer> found;
    for (std::size_t i = 0; i < count; ++i) found.push_back(RawPeer::connect(at));
    const std::size_t all = server.transport().connection_count() + count;
    run_until({&server}, [&] { return server.transport().connection_count() == all; });
    return found;
  }

  std::shared_ptr<TickingClock> clock;
  Host server;
  Endpoint at;
};

constexpr const char* kGarbage = "GET / HTTP/1.1\r\n\r\n";

}  // namespace

TEST_CASE("What proven peers have said comes before what strangers have said earlier") {
  Stage stage;
  Host client;
  const ConnectionId id = stage.connect(client);
  std::vector<RawPeer> strangers = stage.strangers(60);
  stage.server.seen.clear();
  for (RawPeer& stranger : strangers) stranger.write(kGarbage);
  REQUIRE(client.transport().send(id, octets(options_request(1))));
  stage.server.take_events();
  REQUIRE_FALSE(stage.server.seen.empty());
  CHECK(stage.server.seen.front().kind == "Message");
  CHECK(stage.server.count("HandshakeFailed") == 60);
}

TEST_CASE("What proven peers have said comes before new connections are accepted") {
  Stage stage;
  Host client;
  const ConnectionId id = stage.connect(client);
  std::vector<RawPeer> strangers;
  for (int i = 0; i < 50; ++i) strangers.push_back(RawPeer::connect(stage.at));
  REQUIRE(client.transport().send(id, octets(options_request(1))));
  std::size_t accepted = 1000;
  stage.server.on_event = [&](const Event&, const Seen& seen) {
    if (seen.kind == "Message") accepted = stage.server.transport().connection_count() - 1;
  };
  stage.server.take_events();
  CHECK(accepted == 0);
  CHECK(stage.server.transport().connection_count() == 51);
}

TEST_CASE("A crowd of handshakes, or of their ends, does not keep proven peers waiting") {
  struct Row {
    const char* what;
    std::function<void(Stage&, std::vector<RawPeer>&)> begin;
    std::size_t most_in_a_row;
  };
  const Row rows[] = {
      {"garbage",
       [](Stage& stage, std::vector<RawPeer>& strangers) {
         stage.clock->tick = milliseconds(1);
         for (RawPeer& stranger : strangers) stranger.write(kGarbage);
       },
       8},
      {"silence", [](Stage& stage, std::vector<RawPeer>&) { stage.clock->advance(minutes(11)); },
       40},
  };
  constexpr std::size_t kStrangers = 200;
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Stage stage(Pace::one_event);
    Host client;
    const ConnectionId id = stage.connect(client);
    std::vector<RawPeer> strangers = stage.strangers(kStrangers);
    row.begin(stage, strangers);
    unsigned number = 1;
    const auto next_request = [&] {
      REQUIRE(client.transport().send(id, octets(options_request(number++))));
    };
    client.on_event = [&](const Event&, const Seen& seen) {
      if (seen.kind == "Message") next_request();
    };
    next_request();
    std::size_t in_a_row = 0;
    std::size_t most_in_a_row = 0;
    for (int i = 0; i < 10'000 && stage.server.count("HandshakeFailed") < kStrangers; ++i) {
      const std::size_t failures = stage.server.count("HandshakeFailed");
      const std::size_t messages = stage.server.count("Message");
      stage.server.take_events();
      in_a_row += stage.server.count("HandshakeFailed") - failures;
      if (stage.server.count("Message") > messages) in_a_row = 0;
      most_in_a_row = std::max(most_in_a_row, in_a_row);
      client.take_events();
    }
    // All are served in the end, and the client many times meanwhile.
    CHECK(stage.server.count("HandshakeFailed") == kStrangers);
    CHECK(most_in_a_row <= row.most_in_a_row);
    CHECK(client.count("Message") >= kStrangers / row.most_in_a_row - 1);
  }
}

TEST_CASE("The host has its loop back soon, whoever keeps the transport busy without an event") {
  Stage stage;
  std::vector<RawPeer> strangers = stage.strangers(10);
  // Records of 16 KiB that come octet by octet, one with each reading of the clock.
  for (RawPeer& stranger : strangers) {
    stranger.write(std::string("\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03", 11));
  }
  stage.clock->tick = milliseconds(1);
  std::size_t sent = 0;
  stage.clock->on_reading = [&] {
    if (sent++ < 10'000) {
      for (RawPeer& stranger : strangers) stranger.write("x");
    }
  };
  const std::size_t before = stage.clock->readings;
  CHECK_FALSE(stage.server.transport().next_event());
  CHECK(stage.clock->readings - before < 100);
  CHECK(stage.clock->readings - before > 10);
  // What is left wakes the host at once.
  pollfd wait{stage.server.transport().fd(), POLLIN, 0};
  CHECK(::poll(&wait, 1, 0) == 1);
  stage.clock->on_reading = nullptr;
}

TEST_CASE("A busy peer yields to a small one after its turn") {
  Stage stage;
  Host large;
  Host small;
  const ConnectionId at_large = stage.connect(large);
  const ConnectionId at_small = stage.connect(small);
  const ConnectionId small_at_server = stage.server.last("Connected").connection;
  for (unsigned i = 1; i <= 1000; ++i) {
    REQUIRE(large.transport().send(at_large, octets(options_request(i, std::string(800, 'x')))));
  }
  settle({&large});  // as much as the kernel takes
  REQUIRE(small.transport().send(at_small, octets(options_request(1))));
  stage.server.seen.clear();
  run_until({&stage.server, &large, &small}, [&] { return stage.server.count("Message") == 1001; });
  std::size_t before_small = 0;
  std::size_t position = 0;
  for (const Seen& one : stage.server.all("Message")) {
    if (one.connection == small_at_server) before_small = position;
    ++position;
  }
  // One turn is 64 KiB.
  CHECK(before_small <= 64 * 1024 / 1000);
}
