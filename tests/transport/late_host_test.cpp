// A host that works for a long time on one message: what it begins afterwards has its whole time.
#include "catch.hpp"
#include "transport/harness.hpp"

using namespace siptls;
using namespace siptls_test;
using std::chrono::seconds;

namespace {

// The host is given two messages of one record, and works for six seconds on the first.
struct Stage {
  Stage() : clock(std::make_shared<ManualClock>(Clock::system()->now())), host(with_clock()) {
    at = peer.listen(world().context(world().alpha.leaf));
    const auto opened = host.transport().connect(from("127.0.0.1"));
    REQUIRE(opened);
    id = *opened;
    run_until({&peer, &host},
              [&] { return peer.count("Connected") == 1 && host.count("Connected") == 1; });
  }
  TransportOptions with_clock() const {
    TransportOptions options;
    options.clock = clock;
    return options;
  }
  Target from(const std::string& address) const {
    Target found = target(at, context);
    found.local = *Endpoint::parse(address, 0);
    return found;
  }
  template <typename Act>
  void act_late(Act act) {
    host.on_event = [this, act](const Event&, const Seen& seen) {
      if (seen.kind != "Message" || host.count("Message") != 1) return;
      clock->advance(seconds(6));
      act();
    };
    REQUIRE(peer.transport().send(peer.last("Connected").connection,
                                  octets(options_request(1) + options_request(2))));
    run_until({&peer, &host}, [&] { return host.count("Message") >= 1; });
    settle({&peer, &host});
  }

  std::shared_ptr<ManualClock> clock;
  Host peer;
  Host host;
  TlsContext context = world().context(world().beta);
  Endpoint at;
  ConnectionId id = ConnectionId::none;
};

}  // namespace

TEST_CASE("A connection that a late host opens has its whole time to come about") {
  for (const bool by_send : {false, true}) {
    CAPTURE(by_send);
    Stage stage;
    stage.act_late([&] {
      const Target target = stage.from("127.0.0.2");
      if (by_send) {
        REQUIRE(stage.host.transport().send(target, octets(options_request(3))));
      } else {
        REQUIRE(stage.host.transport().connect(target));
      }
    });
    CHECK(stage.host.count("ConnectFailed") == 0);
    CHECK(stage.host.count("HandshakeFailed") == 0);
    CHECK(stage.host.count("Connected") == 2);
  }
}

TEST_CASE("A connection that a late host closes has its whole time to end in order") {
  Stage stage;
  stage.act_late([&] { REQUIRE(stage.host.transport().close(stage.id)); });
  run_until({&stage.peer, &stage.host}, [&] { return stage.host.count("Closed") == 1; });
  CHECK_FALSE(stage.host.last("Closed").error);
  CHECK_FALSE(stage.host.last("Closed").truncated);
}

TEST_CASE("A message that a late host gives too late is not sent") {
  Stage stage;
  std::optional<SendToken> late;
  // So much that it is written at once.
  const std::string large = options_request(3, std::string(20'000, 'x'));
  const MonoTime until = stage.clock->now().mono + seconds(5);
  stage.act_late([&] {
    const auto sent = stage.host.transport().send(stage.id, octets(large), {until});
    REQUIRE(sent);
    late = *sent;
  });
  CHECK(stage.peer.count("Message") == 0);
  CHECK(stage.host.last("SendFailed").failed_with(Errc::expired));
  CHECK(stage.host.last("SendFailed").token == *late);
}
