// Streams that cannot go on: not framed, not read by the host, not read by the peer.
#include <poll.h>

#include "catch.hpp"
#include "transport/harness.hpp"
#include "transport/raw_peer.hpp"

using namespace siptls;
using namespace siptls_test;

TEST_CASE("A request whose framing fails is answered before its connection is closed") {
  for (const bool answers : {true, false}) {
    CAPTURE(answers);
    TransportOptions options;
    options.unframed_request = answers ? UnframedRequest::answer : UnframedRequest::close;
    Host server(options);
    RawTlsClient client(server.listen(world().context(world().alpha.leaf)),
                        world().context(world().beta));
    run_until({&server}, [&] {
      client.step();
      return client.session().state() == SessionState::established;
    });
    const std::string request = options_request(1);
    const auto row = request.find("Content-Length");
    client.send(request.substr(0, row) + request.substr(request.find("\r\n", row) + 2));
    run_until({&server}, [&] {
      client.step();
      return server.count("Closed") == 1 && client.session().state() == SessionState::peer_closed;
    });
    CHECK(server.last("Closed").failed_with(Errc::missing_content_length));
    const std::string expected = "SIP/2.0 400 Missing content length\r\nVia: ";
    CHECK(client.plaintext.substr(0, expected.size()) == (answers ? expected : ""));
    CHECK(server.count("Message") == 0);
  }
}

TEST_CASE("A paused connection hands out nothing, also after a write to it has failed") {
  Host server;
  ConnectionId paused = ConnectionId::none;
  server.on_event = [&](const Event& event, const Seen& seen) {
    if (!std::holds_alternative<Connected>(event)) return;
    paused = seen.connection;
    REQUIRE(server.transport().pause(paused));
  };
  RawTlsClient client(server.listen(world().context(world().alpha.leaf)),
                      world().context(world().beta));
  run_until({&server}, [&] {
    client.step();
    return server.count("Connected") == 1;
  });
  client.send(options_request(1));
  client.peer().reset();
  // The first may still be taken by the kernel.
  for (unsigned i = 1; i <= 3; ++i) {
    static_cast<void>(server.transport().send(paused, octets(options_request(i))));
  }
  run_until({&server}, [&] { return server.count("Closed") == 1; });
  CHECK(server.count("Message") == 0);
  CHECK(server.last("Closed").error.has_value());
}

TEST_CASE("A peer that ended its stream while our last octets wait does not keep the host awake") {
  TransportOptions options;
  const auto clock = std::make_shared<ManualClock>(Clock::system()->now());
  options.clock = clock;
  Host server(options);
  RawTlsClient client(server.listen(world().context(world().alpha.leaf)),
                      world().context(world().beta));
  run_until({&server}, [&] {
    client.step();
    return server.count("Connected") == 1;
  });
  const ConnectionId id = server.last("Connected").connection;
  // The client does not read: one message after the other, until one is encrypted and cannot go.
  const std::string request = options_request(1, std::string(8000, 'x'));
  std::size_t sent = 0;
  do {
    sent = server.count("Sent");
    REQUIRE(server.transport().send(id, octets(request), {std::nullopt, Report::always}));
    server.take_events();
  } while (server.count("Sent") > sent);
  REQUIRE(server.transport().close(id));
  client.peer().end();
  run_until({&server}, [&] {
    server.take_events();
    pollfd wait{server.transport().fd(), POLLIN, 0};
    return ::poll(&wait, 1, 0) == 0;
  });
  for (int i = 0; i < 20; ++i) {
    pollfd wait{server.transport().fd(), POLLIN, 0};
    CHECK(::poll(&wait, 1, 1) == 0);
  }
  CHECK(server.count("Closed") == 0);
  clock->advance(options.limits.close_timeout);
  server.take_events();
  CHECK(server.count("Closed") == 1);
}

TEST_CASE(
    "Behind this side's close_notify the end of the peer's stream is no error, with one or "
    "without") {
  struct Row {
    const char* what;
    bool truncated;  // more than the peer's close_notify is missing
  };
  const Row rows[] = {{"close_notify", false},
                      {"end of stream", false},
                      {"a message, then end of stream", false},
                      {"half a record, then end of stream", false},
                      {"reset", true},
                      {"nothing", true}};
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const std::string what = row.what;
    TransportOptions options;
    const auto clock = std::make_shared<ManualClock>(Clock::system()->now());
    options.clock = clock;
    Host server(options);
    RawTlsClient peer(server.listen(world().context(world().alpha.leaf)),
                      world().context(world().beta));
    run_until({&server}, [&] { return peer.step(), server.count("Connected") == 1; });
    REQUIRE(server.transport().close(server.last("Connected").connection));
    // It is there, so that what follows is behind it.
    run_until({&server}, [&] {
      peer.step();
      return peer.session().state() == SessionState::peer_closed;
    });
    CHECK(server.count("Closed") == 0);
    if (what == "close_notify") {
      REQUIRE(peer.session().close(clock->now()));
      peer.step();
    } else if (what == "reset") {
      peer.peer().reset();
    } else if (what == "nothing") {
      clock->advance(options.limits.close_timeout);
      server.take_events();
    } else {
      if (what[0] == 'a') peer.send(options_request(1));
      if (what[0] == 'h') peer.peer().write("\x17\x03\x03\x01");
      peer.peer().end();
    }
    run_until({&server}, [&] { return server.count("Closed") == 1; });
    CHECK_FALSE(server.last("Closed").error);
    CHECK(server.last("Closed").truncated == row.truncated);
    CHECK(server.count("Message") == 0);
    CHECK(server.count("PeerClosing") == 0);
  }
}
