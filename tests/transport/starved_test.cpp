// A kernel that has no memory for sockets (ENOBUFS): what happens to connections meanwhile.
#include "catch.hpp"
#include "transport/fault_scenarios.hpp"
#include "transport/raw_peer.hpp"

using namespace siptls;
using namespace siptls_test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// The stage's server with a TLS client that is moved by hand.
struct HandMoved {
  explicit HandMoved(FaultStage& its_stage) : stage(its_stage) {
    start_usual(stage);
    {
      const Unfaulted no_trouble;
      client.emplace(stage.at, fault_contexts().client);
    }
    for (int i = 0; i < 1000 && stage.server().count("Connected") == 0; ++i) {
      stage.settle();
      const Unfaulted no_trouble;
      client->step();
    }
    REQUIRE(stage.server().count("Connected") == 1);
    id = stage.server().last("Connected");
    stage.server().on_event = [this](Party&, const Event& event) {
      if (const auto* closed = std::get_if<Closed>(&event)) error = closed->error;
    };
  }
  std::uint64_t calls(Call call) const { return stage.log().count(call); }
  // What the client writes, outside the stage's faults.
  void write(std::string_view octets) {
    const Unfaulted no_trouble;
    client->peer().write(octets);
  }
  void finish() {
    client.reset();
    stage.finish();
    std::string why;
    for (const std::string& one : stage.invariants().violations()) why += "\n  " + one;
    CHECK(why == "");
  }

  FaultStage& stage;
  std::optional<RawTlsClient> client;
  ConnectionId id = ConnectionId::none;
  std::optional<Error> error;  // of Closed
};

}  // namespace

TEST_CASE("A lingering socket whose rest was written meanwhile is not called writable for ever") {
  for (const Pace pace : {Pace::drain, Pace::one_event}) {
    CAPTURE(pace == Pace::drain);
    FaultStage stage({}, pace, true);
    HandMoved hand(stage);
    stage.plan().no_buffers = true;
    {
      const Unfaulted no_trouble;
      hand.client->send("no SIP\r\n\r\n");
    }
    stage.settle();
    REQUIRE(stage.server().count("Closed") == 1);
    stage.plan().no_buffers = false;
    const std::uint64_t sends = hand.calls(Call::send);
    hand.write("\x17");
    stage.settle();
    REQUIRE(hand.calls(Call::send) > sends);  // the occasion to write the rest
    const std::uint64_t polls = hand.calls(Call::poll);
    const std::uint64_t receives = hand.calls(Call::receive);
    const MonoTime began = stage.clock().now().mono;
    REQUIRE(stage.clock().fire_earliest_timer());
    stage.settle();
    CHECK(stage.clock().now().mono - began <= milliseconds(10));
    CHECK(hand.calls(Call::poll) <= polls + 8);
    CHECK(hand.calls(Call::receive) <= receives + 2);
    {
      const Unfaulted no_trouble;
      hand.client->step();
    }
    CHECK(hand.client->peer().ended);
    CHECK_FALSE(hand.client->peer().was_reset);
    hand.finish();
  }
}

TEST_CASE("A reset of a paused connection is noticed although the kernel lacked memory for it") {
  for (const Pace pace : {Pace::drain, Pace::one_event}) {
    CAPTURE(pace == Pace::drain);
    FaultStage stage({}, pace, true);
    HandMoved hand(stage);
    REQUIRE(stage.server().transport().pause(hand.id));
    stage.plan().no_buffers = true;
    REQUIRE(stage.server().send(hand.id, 100, kTold));
    stage.settle();
    {
      const Unfaulted no_trouble;
      hand.client->peer().reset();
    }
    stage.settle();
    const MonoTime began = stage.clock().now().mono;
    const std::uint64_t polls = hand.calls(Call::poll);
    // The memory is missing for a while yet.
    for (int i = 0; i < 5; ++i) {
      REQUIRE(stage.clock().fire_earliest_timer());
      stage.settle();
    }
    CHECK(hand.calls(Call::poll) <= polls + 5 * 8);
    stage.plan().no_buffers = false;
    REQUIRE(stage.until([&] { return stage.server().count("Closed") == 1; }));
    CHECK(stage.clock().now().mono - began < seconds(3));
    REQUIRE(hand.error);
    CHECK(hand.error->reason() != Errc::write_timeout);
    CHECK(stage.server().count("SendFailed") == 1);
    hand.finish();
  }
}

TEST_CASE("A connection that the poller does not take back ends, and is not deaf") {
  enum class Way { resume, close };
  for (const Way way : {Way::resume, Way::close}) {
    CAPTURE(way == Way::resume);
    FaultStage stage({}, Pace::drain, true);
    HandMoved hand(stage);
    REQUIRE(stage.server().transport().pause(hand.id));
    {
      const Unfaulted no_trouble;
      hand.client->peer().reset();
    }
    stage.settle();  // hung up while nobody reads
    REQUIRE(stage.server().count("Closed") == 0);
    stage.plan().fault = &faults_of(Call::watch).front();
    stage.plan().at = stage.log().count(Call::watch) + 1;
    const MonoTime began = stage.clock().now().mono;
    REQUIRE((way == Way::resume ? stage.server().transport().resume(hand.id)
                                : stage.server().transport().close(hand.id)));
    REQUIRE(stage.log().struck == 1);
    REQUIRE(stage.until([&] { return stage.server().count("Closed") == 1; }));
    CHECK(stage.clock().now().mono - began < seconds(1));
    if (way == Way::resume) {
      REQUIRE(hand.error);
      CHECK(hand.error->evidence().find("epoll_ctl") != std::string::npos);
    }
    hand.finish();
  }
}

TEST_CASE("Where this host's kernel had no memory, the peer is not said to have read nothing") {
  for (const int ticks : {0, 1, 3}) {
    CAPTURE(ticks);
    FaultStage stage({}, Pace::drain, true);
    HandMoved hand(stage);
    stage.plan().no_buffers = true;
    REQUIRE(stage.server().send(hand.id, 100, kTold));
    const MonoTime began = stage.clock().now().mono;
    stage.settle();
    for (int i = 0; i < ticks; ++i) {
      REQUIRE(stage.clock().fire_earliest_timer());
      stage.settle();
    }
    // The next attempt is due at the same time as the end.
    const milliseconds limit = TransportLimits{}.write_timeout;
    stage.clock().advance(began + limit - stage.clock().now().mono);
    stage.settle();
    REQUIRE(stage.server().count("Closed") == 1);
    REQUIRE(hand.error);
    CHECK(hand.error->reason() == Errc::write_timeout);
    const std::string evidence(hand.error->evidence());
    CAPTURE(evidence);
    CHECK(evidence.find("this host's kernel had no memory") != std::string::npos);
    CHECK(evidence.find("the peer") == evidence.find("the peer, "));
    stage.plan().no_buffers = false;
    hand.finish();
  }
}
