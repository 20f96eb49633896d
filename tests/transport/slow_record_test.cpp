// Input that is held and cannot be handed out: records of TLS that come an octet now and then, and
// what was received for connections that are paused. Time and memory of both have limits.
#include "catch.hpp"
#include "transport/harness.hpp"
#include "transport/raw_peer.hpp"

using namespace siptls;
using namespace siptls_test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// A server whose clock is moved by hand.
struct Stage {
  explicit Stage(const TransportLimits& limits = {})
      : clock(std::make_shared<ManualClock>(Clock::system()->now())), server(with(limits)) {
    at = server.listen(world().context(world().alpha.leaf));
  }
  TransportOptions with(const TransportLimits& limits) const {
    TransportOptions options;
    options.clock = clock;
    options.limits = limits;
    return options;
  }
  RawTlsClient connected_client(ProtocolVersion version = ProtocolVersion::tls1_3) {
    RawTlsClient client(at, world().context(world().beta, policy_of(version)));
    const std::size_t before = server.count("Connected");
    run_until({&server}, [&] { return client.step(), server.count("Connected") > before; });
    return client;
  }
  // What the peer has written is there, and then time goes on.
  void advance(milliseconds by) {
    settle({&server});
    clock->advance(by);
    server.take_events();
  }
  std::uint64_t buffered() { return server.transport().metrics().buffered_bytes; }

  std::shared_ptr<ManualClock> clock;
  Host server;
  Endpoint at;
};

// The octets that carry this plaintext; the caller writes them.
std::string records(RawTlsClient& client, std::string_view plaintext) {
  TlsSession& session = client.session();
  REQUIRE(session.send(octets(plaintext), Clock::system()->now()));
  const auto output = session.pending_output();
  std::string text(reinterpret_cast<const char*>(output.data()), output.size());
  session.consume_output(output.size());
  return text;
}

constexpr ProtocolVersion kVersions[] = {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3};

}  // namespace

TEST_CASE("A peer that sends a record an octet now and then is closed in the time of a message") {
  for (const ProtocolVersion version : kVersions) {
    // Octets that come at once before the slow ones: none, half a header, the header, half a body.
    for (const std::size_t at_once : {0u, 2u, 5u, 9000u}) {
      CAPTURE(to_string(version), at_once);
      Stage stage;
      RawTlsClient client = stage.connected_client(version);
      client.send(options_request(1));  // it is no newcomer any more
      run_until({&stage.server}, [&] { return stage.server.count("Message") == 1; });
      stage.advance(seconds(100));
      const std::string slow = records(client, options_request(2, std::string(15'000, 'x')));
      client.peer().write(slow.substr(0, at_once));
      settle({&stage.server});
      std::size_t sent = at_once;
      for (int second = 0; second < 20; ++second) {
        client.peer().write(slow.substr(sent++, 1));
        settle({&stage.server});
        CHECK(stage.server.count("Closed") == 0);
        stage.advance(milliseconds(999));
        stage.advance(milliseconds(second < 19 ? 1 : 0));
      }
      CHECK(stage.server.count("Closed") == 0);
      stage.advance(milliseconds(1));
      REQUIRE(stage.server.count("Closed") == 1);
      const Seen& closed = stage.server.last("Closed");
      CHECK(closed.failed_with(Errc::message_timeout));
      CHECK(closed.truncated);
      CHECK(closed.error->evidence().find("TLS record") != std::string::npos);
      CHECK(stage.server.transport().metrics().closed ==
            TransportMetrics::ByReason{{Errc::message_timeout, 1}});
      CHECK(stage.buffered() == 0);
    }
  }
}

TEST_CASE(
    "A record that is finished in time begins no message, and the next one has its own time") {
  Stage stage;
  RawTlsClient client = stage.connected_client();
  client.send(options_request(1));
  run_until({&stage.server}, [&] { return stage.server.count("Message") == 1; });
  // A line break alone is neither message nor keep-alive for a server (RFC 3261 section 7.5).
  const std::string nothing = records(client, "\r\n");
  client.peer().write(nothing.substr(0, 3));
  stage.advance(seconds(19));
  client.peer().write(nothing.substr(3));
  stage.advance(seconds(19));
  CHECK(stage.server.count("Closed") == 0);
  // In the time of the first one, this one could not be finished.
  const std::string message = records(client, options_request(2));
  client.peer().write(message.substr(0, 30));
  stage.advance(seconds(19));
  client.peer().write(message.substr(30));
  run_until({&stage.server}, [&] { return stage.server.count("Message") == 2; });
  stage.advance(seconds(500));
  CHECK(stage.server.count("Closed") == 0);
}

TEST_CASE("A message does not get new time with each of its records") {
  Stage stage;
  RawTlsClient client = stage.connected_client();
  const std::string text = options_request(1, std::string(3000, 'x'));
  for (std::size_t i = 0; i < 4; ++i) {
    const std::string piece = records(client, text.substr(i * 700, 700));
    client.peer().write(piece.substr(0, 10));
    stage.advance(seconds(3));
    client.peer().write(piece.substr(10));
    CHECK(stage.server.count("Closed") == 0);
    stage.advance(seconds(2));
  }
  REQUIRE(stage.server.count("Closed") == 1);
  CHECK(stage.server.last("Closed").failed_with(Errc::message_timeout));
}

TEST_CASE("The time of a record does not pass while the host has paused its connection") {
  Stage stage;
  RawTlsClient client = stage.connected_client();
  const ConnectionId id = stage.server.last("Connected").connection;
  const std::string record = records(client, options_request(1));
  client.peer().write(record.substr(0, 100));
  settle({&stage.server});
  REQUIRE(stage.server.transport().pause(id));
  stage.advance(seconds(100));
  REQUIRE(stage.server.transport().resume(id));
  stage.advance(seconds(19));
  CHECK(stage.server.count("Closed") == 0);
  stage.advance(seconds(1));
  REQUIRE(stage.server.count("Closed") == 1);
  CHECK(stage.server.last("Closed").failed_with(Errc::message_timeout));
}

TEST_CASE("Unfinished records of all peers together are bounded") {
  TransportLimits limits;
  limits.max_buffered_bytes = 40'000;
  Stage stage(limits);
  const std::string whole = options_request(1, std::string(15'000, 'x'));
  std::vector<RawTlsClient> clients;
  std::vector<std::string> rests;
  for (std::size_t i = 0; i < 2; ++i) {
    clients.push_back(stage.connected_client());
    const std::string record = records(clients[i], whole);
    clients[i].peer().write(record.substr(0, 6));
    rests.push_back(record.substr(6));
    settle({&stage.server});
    // Room for all of it is taken with its first octets.
    CHECK(stage.buffered() >= (i + 1) * whole.size());
    CHECK(stage.buffered() <= (i + 1) * (whole.size() + 100));
  }
  RawTlsClient third = stage.connected_client();
  const ConnectionId id_of_third = stage.server.last("Connected").connection;
  third.peer().write(records(third, whole).substr(0, 6));
  run_until({&stage.server}, [&] { return stage.server.count("Closed") == 1; });
  CHECK(stage.server.last("Closed").failed_with(Errc::buffers_full));
  CHECK(stage.server.last("Closed").connection == id_of_third);
  // The others are served.
  for (std::size_t i = 0; i < 2; ++i) clients[i].peer().write(rests[i]);
  run_until({&stage.server}, [&] { return stage.server.count("Message") == 2; });
  settle({&stage.server});
  CHECK(stage.buffered() == 0);
}

TEST_CASE("What was received for paused connections counts, and is bounded for all together") {
  TransportLimits limits;
  limits.max_buffered_bytes = 100'000;
  Stage stage(limits);
  // At the first message of each, as an overloaded host would.
  stage.server.on_event = [&](const Event&, const Seen& seen) {
    if (seen.kind == "Message" && stage.server.count("Closed") == 0) {
      REQUIRE(stage.server.transport().pause(seen.connection));
    }
  };
  std::string burst;
  for (unsigned i = 1; i <= 100; ++i) burst += options_request(i, std::string(100, 'x'));
  std::vector<RawTlsClient> clients;
  std::vector<ConnectionId> ids;
  while (stage.server.count("Closed") == 0 && clients.size() < 20) {
    const std::uint64_t before = stage.buffered();
    clients.push_back(stage.connected_client());
    ids.push_back(stage.server.last("Connected").connection);
    // In one piece, so that it is received in one.
    clients.back().peer().write(records(clients.back(), burst));
    settle({&stage.server});
    CHECK(stage.buffered() <= limits.max_buffered_bytes);
    if (stage.server.count("Closed") == 0) CHECK(stage.buffered() > before + burst.size() * 9 / 10);
  }
  REQUIRE(stage.server.count("Closed") == 1);
  CHECK(clients.size() <= 2 * limits.max_buffered_bytes / burst.size());
  CHECK(stage.server.last("Closed").failed_with(Errc::buffers_full));
  CHECK(stage.server.last("Closed").connection == ids.back());
  // Nothing of what the others have sent is missing, and nothing is held behind it.
  for (std::size_t i = 0; i + 1 < ids.size(); ++i) REQUIRE(stage.server.transport().resume(ids[i]));
  const std::size_t expected = (clients.size() - 1) * 100;
  run_until({&stage.server}, [&] {
    std::size_t whole = 0;
    for (const Seen& one : stage.server.all("Message")) whole += one.connection != ids.back();
    return whole == expected;
  });
  settle({&stage.server});
  CHECK(stage.buffered() == 0);
}

TEST_CASE("Who holds the most input is closed for the room of all, not who has half a record") {
  TransportLimits limits;
  limits.max_buffered_bytes = 100'000;
  Stage stage(limits);
  struct Hog {
    RawTlsClient client;
    ConnectionId id;
    std::size_t octets;
  };
  // Unfinished messages that fill the room. The second one holds the most.
  std::vector<Hog> hogs;
  for (const std::size_t octets : {30'000u, 38'000u, 26'000u}) {
    RawTlsClient client = stage.connected_client();
    client.send(options_request(1, std::string(60'000, 'x')).substr(0, octets));
    settle({&stage.server});
    hogs.push_back({std::move(client), stage.server.last("Connected").connection, octets});
  }
  REQUIRE(stage.server.count("Closed") == 0);
  CHECK(stage.buffered() == 94'000);
  RawTlsClient good = stage.connected_client();
  const ConnectionId good_id = stage.server.last("Connected").connection;
  for (std::size_t round = 0; round < 8; ++round) {
    CAPTURE(round);
    const std::string record =
        records(good, options_request(static_cast<unsigned>(round), std::string(15'000, 'x')));
    good.peer().write(record.substr(0, record.size() / 2));
    settle({&stage.server});
    CHECK(stage.buffered() <= limits.max_buffered_bytes);
    good.peer().write(record.substr(record.size() / 2));
    settle({&stage.server});
    CHECK(stage.server.all("Message").size() == round + 1);
    CHECK(stage.server.last("Message").connection == good_id);
  }
  REQUIRE(stage.server.count("Closed") == 1);
  const Seen& closed = stage.server.last("Closed");
  CHECK(closed.connection == hogs[1].id);
  CHECK(closed.failed_with(Errc::buffers_full));
  CHECK(closed.truncated);
  CHECK(closed.error->evidence().find("38000 of this one's input") != std::string::npos);
  CHECK(stage.buffered() == 56'000);
  CHECK(stage.server.transport().metrics().closed ==
        TransportMetrics::ByReason{{Errc::buffers_full, 1}});
}

TEST_CASE("Who is set aside by a pause is not closed for another one's input") {
  TransportLimits limits;
  limits.max_buffered_bytes = 60'000;
  Stage stage(limits);
  RawTlsClient hog = stage.connected_client();
  const ConnectionId hog_id = stage.server.last("Connected").connection;
  hog.send(options_request(1, std::string(100'000, 'x')).substr(0, 50'000));
  settle({&stage.server});
  RawTlsClient good = stage.connected_client();
  const ConnectionId good_id = stage.server.last("Connected").connection;
  stage.server.on_event = [&](const Event&, const Seen& seen) {
    if (seen.kind != "Message" || stage.server.count("Message") > 1) return;
    REQUIRE(stage.server.transport().pause(seen.connection));
  };
  std::string burst;
  for (unsigned i = 1; i <= 30; ++i) burst += options_request(i, std::string(300, 'x'));
  good.send(burst);
  settle({&stage.server});
  REQUIRE(burst.size() > 12'000);
  REQUIRE(stage.server.count("Closed") == 1);
  CHECK(stage.server.last("Closed").connection == hog_id);
  CHECK(stage.server.count("Message") == 1);
  CHECK(stage.buffered() <= limits.max_buffered_bytes);
  REQUIRE(stage.server.transport().resume(good_id));
  run_until({&stage.server}, [&] { return stage.server.count("Message") == 30; });
}

TEST_CASE("Where output of stalled readers fills the room, nobody is closed for half a record") {
  TransportLimits limits;
  limits.max_buffered_bytes = 400'000;
  limits.max_queued_bytes = 250'000;
  Stage stage(limits);
  std::vector<RawTlsClient> readers;
  std::vector<ConnectionId> ids;
  for (std::size_t i = 0; i < 2; ++i) {
    readers.push_back(stage.connected_client());
    ids.push_back(stage.server.last("Connected").connection);
  }
  // Until the kernel takes nothing more, and then until there is no room: the second has less.
  const std::string message = options_request(1, std::string(10'000, 'x'));
  for (const ConnectionId id : ids) {
    std::optional<Error> refused;
    for (int i = 0; i < 10'000 && !refused; ++i) {
      const auto sent = stage.server.transport().send(id, octets(message));
      if (!sent) refused = sent.error();
    }
    REQUIRE(refused);
    CHECK(refused->reason() == (id == ids[0] ? Errc::queue_full : Errc::buffers_full));
  }
  const std::uint64_t full = stage.buffered();
  REQUIRE(full > limits.max_buffered_bytes - 12'000);
  RawTlsClient good = stage.connected_client();
  const std::string record = records(good, options_request(2, std::string(15'000, 'x')));
  good.peer().write(record.substr(0, 100));
  settle({&stage.server});
  CHECK(stage.buffered() <= limits.max_buffered_bytes);
  good.peer().write(record.substr(100));
  run_until({&stage.server}, [&] { return stage.server.count("Message") == 1; });
  REQUIRE(stage.server.count("Closed") == 1);
  const Seen& closed = stage.server.last("Closed");
  CHECK(closed.connection == ids[0]);
  CHECK(closed.failed_with(Errc::buffers_full));
  CHECK(closed.error->evidence().find("wait for this peer") != std::string::npos);
  CHECK(stage.server.all("SendFailed").size() >= 20);
  for (const Seen& one : stage.server.all("SendFailed")) CHECK(one.connection == ids[0]);
}
