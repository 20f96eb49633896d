// buffers_full: a send that all connections together had no room for, and who is told of room.
#include <poll.h>

#include <tuple>

#include "catch.hpp"
#include "transport/harness.hpp"
#include "transport/raw_peer.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

struct Stage {
  Stage() : server(limited()) { at = server.listen(world().context(world().alpha.leaf)); }
  static TransportOptions limited() {
    TransportOptions options;
    options.limits.max_buffered_bytes = 100'000;
    return options;
  }
  void connect(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      clients.emplace_back(at, world().context(world().beta));
      const std::size_t before = server.count("Connected");
      run_until({&server},
                [&] { return clients.back().step(), server.count("Connected") > before; });
      ids.push_back(server.last("Connected").connection);
    }
  }
  // Sends until it is refused; the reason of that.
  Errc fill(ConnectionId id) {
    for (;;) {
      const auto sent = server.transport().send(id, octets(large));
      if (!sent) return sent.error().reason();
      ++accepted;
    }
  }
  std::vector<ConnectionId> told() const {
    std::vector<ConnectionId> found;
    for (const Seen& one : server.all("Writable")) found.push_back(one.connection);
    return found;
  }
  bool readable() {
    pollfd wait{server.transport().fd(), POLLIN, 0};
    return ::poll(&wait, 1, 0) == 1;
  }

  Host server;
  Endpoint at;
  std::vector<RawTlsClient> clients;
  std::vector<ConnectionId> ids;
  std::size_t accepted = 0;
  const std::string large = options_request(1, std::string(30'000, 'x'));
};

}  // namespace

TEST_CASE("Who was refused for want of room is told when there is room, in the order of asking") {
  Stage stage;
  stage.connect(4);
  REQUIRE(stage.fill(stage.ids[0]) == Errc::buffers_full);
  for (const std::size_t i : {2u, 1u, 3u, 2u}) {
    REQUIRE(stage.fill(stage.ids[i]) == Errc::buffers_full);
  }
  settle({&stage.server});
  CHECK(stage.told().empty());
  REQUIRE_FALSE(stage.readable());
  REQUIRE(stage.server.transport().abort(stage.ids[0]));
  // That is an occasion of its own: nothing else need happen.
  CHECK(stage.readable());
  std::vector<bool> sent;
  stage.server.on_event = [&](const Event&, const Seen& seen) {
    if (seen.kind != "Writable") return;
    sent.push_back(stage.server.transport().send(seen.connection, octets(stage.large)).has_value());
  };
  stage.server.take_events();
  CHECK(stage.told() == std::vector<ConnectionId>{stage.ids[2], stage.ids[1], stage.ids[3]});
  // As long as there was room for what had been refused, so that no call was in vain.
  CHECK(sent == std::vector<bool>{true, true, true});
  settle({&stage.server});
  CHECK(stage.told().size() == 3);
  CHECK_FALSE(stage.readable());
}

TEST_CASE("A host that waits for Writable gets all its messages through, and never spins") {
  Stage stage;
  stage.connect(6);
  constexpr std::size_t kEach = 150;
  std::vector<std::size_t> given(stage.ids.size());
  std::size_t refusals = 0;
  const auto give = [&](std::size_t i) {
    for (; given[i] < kEach; ++given[i]) {
      if (!stage.server.transport().send(stage.ids[i], octets(stage.large))) {
        ++refusals;
        return;
      }
    }
  };
  stage.server.on_event = [&](const Event&, const Seen& seen) {
    for (std::size_t i = 0; seen.kind == "Writable" && i < stage.ids.size(); ++i) {
      if (stage.ids[i] == seen.connection) give(i);
    }
  };
  for (std::size_t i = 0; i < stage.ids.size(); ++i) give(i);
  REQUIRE(refusals > 0);
  std::size_t rounds = 0;
  run_until({&stage.server}, [&] {
    ++rounds;
    std::size_t received = 0;
    for (RawTlsClient& client : stage.clients) {
      client.step();
      received += client.plaintext.size();
    }
    return received == stage.ids.size() * kEach * stage.large.size();
  });
  CHECK(stage.told().size() <= refusals);
  // Each Writable was good for a message.
  CHECK(refusals <= stage.ids.size() * (kEach + 1));
  CHECK(stage.server.count("SendFailed") == 0);
}

TEST_CASE("A large message that still has no room keeps nobody from being told") {
  Stage stage;
  stage.connect(4);
  const auto [full, wants_much, wants_little, unfinished] =
      std::tuple(stage.ids[0], stage.ids[1], stage.ids[2], stage.ids[3]);
  stage.clients[3].send(options_request(9, std::string(40'000, 'y')).substr(0, 20'000));
  settle({&stage.server});
  REQUIRE(stage.fill(full) == Errc::buffers_full);
  TlsTransport& server = stage.server.transport();
  const std::string huge = options_request(2, std::string(90'000, 'x'));
  const std::string small = options_request(3);
  REQUIRE_FALSE(server.send(wants_much, octets(huge)));
  while (server.send(full, octets(small))) {
  }
  REQUIRE_FALSE(server.send(wants_little, octets(small)));
  REQUIRE(server.abort(full));
  settle({&stage.server});
  CHECK(stage.told() == std::vector<ConnectionId>{wants_little});
  CHECK_FALSE(stage.readable());
  // What else it sends meanwhile takes nothing from what it is owed.
  REQUIRE(server.send(wants_much, octets(small)));
  settle({&stage.server});
  CHECK(stage.told().size() == 1);
  REQUIRE(server.abort(unfinished));
  run_until({&stage.server}, [&] { return stage.clients[1].step(), stage.told().size() == 2; });
  CHECK(stage.told().back() == wants_much);
  CHECK(server.send(wants_much, octets(huge)));
}

TEST_CASE("A connection that is coming about is told of room after its Connected") {
  Stage stage;
  stage.connect(1);
  Host other;
  const Endpoint there = other.listen(world().context(world().alpha.leaf));
  TlsTransport& server = stage.server.transport();
  const auto coming = server.connect(target(there, world().context(world().beta)));
  REQUIRE(coming);
  REQUIRE(stage.fill(stage.ids[0]) == Errc::buffers_full);
  const auto refused = server.send(*coming, octets(stage.large));
  REQUIRE_FALSE(refused);
  REQUIRE(refused.error().reason() == Errc::buffers_full);
  REQUIRE(server.abort(stage.ids[0]));
  stage.server.take_events();
  CHECK(stage.told().empty());
  std::vector<std::string> seen;
  stage.server.on_event = [&](const Event&, const Seen& one) { seen.push_back(one.kind); };
  run_until({&stage.server, &other}, [&] { return stage.server.count("Writable") == 1; });
  CHECK(seen == std::vector<std::string>{"Connected", "Writable"});
  CHECK(stage.told() == std::vector<ConnectionId>{*coming});
}

TEST_CASE("A message that would never have room is refused as too large, and nothing is owed") {
  TransportOptions options = Stage::limited();
  options.limits.max_queued_bytes = 1'000'000;
  Host server(options);
  const Endpoint at = server.listen(world().context(world().alpha.leaf));
  RawTlsClient client(at, world().context(world().beta));
  run_until({&server}, [&] { return client.step(), server.count("Connected") == 1; });
  const auto sent = server.transport().send(server.last("Connected").connection,
                                            octets(std::string(100'001, 'x')));
  REQUIRE_FALSE(sent);
  CHECK(sent.error().reason() == Errc::message_too_large);
  settle({&server});
  CHECK(server.count("Writable") == 0);
}
