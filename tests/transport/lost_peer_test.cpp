// Connections that are known to be dead before their end is reported: nothing new goes to them.
#include "catch.hpp"
#include "transport/harness.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

// A client with a connection that it has paused, so that it does not read of the peer's end. The
// server's listener stays up, as after a restart.
struct Stage {
  Stage() {
    at = server.listen(world().context(world().alpha.leaf));
    const auto opened = client.transport().connect(to_server());
    REQUIRE(opened);
    id = *opened;
    run_until({&server, &client},
              [&] { return server.count("Connected") == 1 && client.count("Connected") == 1; });
    at_server = server.last("Connected").connection;
    // A peer that has never said anything may not serve at all; see end_refused().
    REQUIRE(server.transport().send(at_server, octets(options_request(1))));
    run_until({&server, &client}, [&] { return client.count("Message") == 1; });
  }
  Target to_server() const { return target(at, context); }

  Host server;
  Host client;
  TlsContext context = world().context(world().beta);
  Endpoint at;
  ConnectionId id = ConnectionId::none;
  ConnectionId at_server = ConnectionId::none;
};

}  // namespace

TEST_CASE("A paused connection that its peer has reset is not used for a target any more") {
  Stage stage;
  REQUIRE(stage.client.transport().pause(stage.id));
  REQUIRE(stage.server.transport().abort(stage.at_server));
  settle({&stage.server, &stage.client});
  REQUIRE(stage.client.count("Closed") == 0);  // nobody has read of it
  REQUIRE(stage.client.transport().send(stage.to_server(), octets(options_request(2))));
  run_until({&stage.server, &stage.client}, [&] { return stage.server.count("Message") == 1; });
  CHECK(stage.server.last("Message").text == options_request(2));
  CHECK(stage.client.count("SendFailed") == 0);
  // Told when the host reads again.
  REQUIRE(stage.client.transport().resume(stage.id));
  run_until({&stage.server, &stage.client}, [&] { return stage.client.count("Closed") == 1; });
  CHECK(stage.client.last("Closed").failed_with(Errc::connection_reset));
}

TEST_CASE(
    "After a write that failed, the next message for the target goes out on a new connection") {
  Stage stage;
  REQUIRE(stage.client.transport().pause(stage.id));
  REQUIRE(stage.server.transport().abort(stage.at_server));
  const auto lost = stage.client.transport().send(stage.to_server(), octets(options_request(2)));
  REQUIRE(lost);
  REQUIRE(stage.client.transport().send(stage.to_server(), octets(options_request(3))));
  run_until({&stage.server, &stage.client}, [&] {
    return stage.server.count("Message") == 1 && stage.client.count("SendFailed") == 1;
  });
  CHECK(stage.server.last("Message").text == options_request(3));
  const Seen& failed = stage.client.last("SendFailed");
  CHECK(failed.token == *lost);
  CHECK(failed.failed_with(Errc::connection_reset));
  CHECK(failed.bytes_written == 0);
  CHECK(failed.delivery == Delivery::none);
}

TEST_CASE("A response for a connection that is known to be dead takes its other way") {
  enum class Told { by_silence, by_write, by_silence_and_heard_again };
  for (const Told told : {Told::by_silence, Told::by_write, Told::by_silence_and_heard_again}) {
    CAPTURE(static_cast<int>(told));
    Stage stage;
    const Endpoint serves_at = stage.client.listen(world().context(world().beta));
    TlsTransport& server = stage.server.transport();
    REQUIRE(server.pause(stage.at_server));
    REQUIRE(stage.client.transport().abort(stage.id));
    if (told == Told::by_write) {
      REQUIRE(server.send(stage.at_server, octets(options_request(2))));
    } else {
      settle({&stage.server, &stage.client});
    }
    if (told == Told::by_silence_and_heard_again) REQUIRE(server.resume(stage.at_server));
    const std::string response = "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n";
    ResponseFallback fallback;
    fallback.remotes = {serves_at};
    fallback.sent_by = "beta.example";
    REQUIRE(server.respond(stage.at_server, octets(response), fallback));
    run_until({&stage.server, &stage.client}, [&] { return stage.client.count("Message") == 2; });
    CHECK(stage.client.last("Message").text == response);
    const auto nowhere = server.respond(stage.at_server, octets(response));
    REQUIRE_FALSE(nowhere);
    CHECK(nowhere.error().reason() == Errc::connection_closed);
  }
}

TEST_CASE("A dead connection with an alias is not used for its target") {
  Stage stage;
  const Endpoint serves_at = stage.client.listen(world().context(world().beta));
  std::string asking = options_request(2);
  const std::string before = "beta.example;branch=z9hG4bK2";
  asking.replace(asking.find(before), before.size(),
                 "beta.example:" + std::to_string(serves_at.port()) + ";branch=z9hG4bK2;alias");
  stage.server.on_event = [&](const Event& event, const Seen&) {
    const auto* message = std::get_if<Message>(&event);
    if (message == nullptr) return;
    REQUIRE(stage.server.transport().accept_alias(message->connection, message->message));
  };
  REQUIRE(stage.client.transport().send(stage.id, octets(asking)));
  run_until({&stage.server, &stage.client}, [&] { return stage.server.count("Message") == 1; });
  const Target back = target(serves_at, world().context(world().alpha.leaf), "beta.example");
  const auto aliased = stage.server.transport().connect(back);
  REQUIRE(aliased);
  REQUIRE(*aliased == stage.at_server);
  REQUIRE(stage.server.transport().pause(stage.at_server));
  REQUIRE(stage.client.transport().abort(stage.id));
  settle({&stage.server, &stage.client});
  const auto anew = stage.server.transport().connect(back);
  REQUIRE(anew);
  CHECK(*anew != stage.at_server);
}
