// What is held back, and that it comes in the end, or is told: input of paused connections, output
// that a drain gathers, messages that run out, connections at an address that is given up.
#include "catch.hpp"
#include "transport/harness.hpp"
#include "transport/raw_peer.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

struct Pair {
  explicit Pair(const TlsPolicy& server_policy = TlsPolicy::modern(), TransportOptions options = {})
      : server(std::make_unique<Host>(options)), client(options) {
    at = server->listen(world().context(world().alpha.leaf, server_policy));
  }
  ConnectionId connect() {
    const auto id = client.transport().connect(target(at, beta));
    REQUIRE(id);
    run_until({server.get(), &client},
              [&] { return client.count("Connected") > 0 && server->count("Connected") > 0; });
    return *id;
  }
  std::unique_ptr<Host> server;
  Host client;
  TlsContext beta = world().context(world().beta);
  Endpoint at;
};

std::string burst(unsigned count) {
  std::string text;
  for (unsigned i = 1; i <= count; ++i) text += options_request(i);
  return text;
}

}  // namespace

TEST_CASE("A transport can end while a paused connection keeps its input") {
  Pair pair;
  const ConnectionId id = pair.connect();
  pair.server->on_event = [&](const Event&, const Seen& seen) {
    if (seen.kind == "Message") REQUIRE(pair.server->transport().pause(seen.connection));
  };
  REQUIRE(pair.client.transport().send(id, octets(burst(20) + "OPTIONS sip:unfinished")));
  run_until({pair.server.get(), &pair.client}, [&] { return pair.server->count("Message") == 1; });
  settle({pair.server.get(), &pair.client});
  pair.server.reset();  // memory checkers watch
  run_until({&pair.client}, [&] { return pair.client.count("Closed") == 1; });
}

TEST_CASE("A connection that is paused again before it went on still has its input later") {
  Pair pair;
  const ConnectionId id = pair.connect();
  TlsTransport& server = pair.server->transport();
  const ConnectionId at_server = pair.server->last("Connected").connection;
  pair.server->on_event = [&](const Event&, const Seen& seen) {
    if (seen.kind == "Message" && pair.server->count("Message") == 1) {
      REQUIRE(server.pause(at_server));
    }
  };
  REQUIRE(pair.client.transport().send(id, octets(burst(5))));
  run_until({pair.server.get(), &pair.client}, [&] { return pair.server->count("Message") == 1; });
  REQUIRE(server.resume(at_server));
  REQUIRE(server.pause(at_server));
  settle({pair.server.get(), &pair.client});
  CHECK(pair.server->count("Message") == 1);
  REQUIRE(server.resume(at_server));
  run_until({pair.server.get(), &pair.client}, [&] { return pair.server->count("Message") == 5; });
}

TEST_CASE("What came behind a handshake is kept when the host pauses at once") {
  TlsPolicy asking = TlsPolicy::modern();
  asking.authorise = PeerAuthorisation::host;
  Pair pair(asking);
  TlsTransport& server = pair.server->transport();
  pair.server->on_event = [&](const Event& event, const Seen& seen) {
    if (std::holds_alternative<AuthorisePeer>(event)) {
      // What the client sends with its last flight is there when the answer is given.
      settle({&pair.client});
      REQUIRE(server.authorise(seen.connection, Verdict::admit));
    }
    if (std::holds_alternative<Connected>(event)) REQUIRE(server.pause(seen.connection));
  };
  REQUIRE(pair.client.transport().send(target(pair.at, pair.beta), octets(burst(3))));
  run_until({pair.server.get(), &pair.client},
            [&] { return pair.server->count("Connected") == 1; });
  settle({pair.server.get(), &pair.client});
  CHECK(pair.server->count("Message") == 0);
  REQUIRE(server.resume(pair.server->last("Connected").connection));
  run_until({pair.server.get(), &pair.client}, [&] { return pair.server->count("Message") == 3; });
}

TEST_CASE("A pause holds back messages, and neither a handshake nor a clean end") {
  Pair pair;
  const auto id = pair.client.transport().connect(target(pair.at, pair.beta));
  REQUIRE(id);
  REQUIRE(pair.client.transport().pause(*id));
  run_until({pair.server.get(), &pair.client}, [&] {
    return pair.client.count("Connected") == 1 && pair.server->count("Connected") == 1;
  });
  const ConnectionId at_server = pair.server->last("Connected").connection;
  REQUIRE(pair.server->transport().send(at_server, octets(options_request(1))));
  settle({pair.server.get(), &pair.client});
  CHECK(pair.client.count("Message") == 0);
  REQUIRE(pair.client.transport().resume(*id));
  run_until({pair.server.get(), &pair.client}, [&] { return pair.client.count("Message") == 1; });

  REQUIRE(pair.client.transport().close(*id));
  REQUIRE(pair.client.transport().pause(*id));
  run_until({pair.server.get(), &pair.client}, [&] { return pair.client.count("Closed") == 1; });
  CHECK_FALSE(pair.client.last("Closed").error);
  CHECK_FALSE(pair.client.last("Closed").truncated);
}

TEST_CASE("What a drain sends on other connections goes out though events never end") {
  Pair pair;
  pair.connect();
  const ConnectionId at_server = pair.server->last("Connected").connection;
  // Events without end, as in a storm of peers that come back.
  constexpr std::uint64_t kStorm = 5000;
  const Sender sender = pair.server->transport().sender();
  bool out = false;
  std::uint64_t posts = 0;
  std::uint64_t when_out = 0;

  pair.server->on_event = [&](const Event& event, const Seen&) {
    if (!std::holds_alternative<Posted>(event)) return;
    if (++posts == 1) {
      REQUIRE(pair.server->transport().send(at_server, octets(options_request(7))));
    }
    if (posts < kStorm) REQUIRE(sender.post(posts));
    if (!out) {
      pair.client.take_events();
      out = pair.client.count("Message") == 1;
      when_out = posts;
    }
  };
  REQUIRE(sender.post(0));
  run_until({pair.server.get()}, [&] { return posts == kStorm; });
  CHECK(out);
  CHECK(when_out < 100);
}

TEST_CASE("A target that names another address is not served at the one that is given up") {
  Pair pair;
  Host second;
  const Endpoint other = second.listen(world().context(world().alpha.leaf));
  answer_requests(*pair.server);
  answer_requests(second);
  Target both = target(pair.at, pair.beta);
  both.remotes.push_back(other);
  REQUIRE(pair.client.transport().send(both, octets(options_request(1))));
  run_until({pair.server.get(), &second, &pair.client},
            [&] { return pair.client.count("Message") == 1; });
  // RFC 3263 section 4.3: the next one, after a 503 perhaps.
  REQUIRE(pair.client.transport().send(target(other, pair.beta), octets(options_request(2))));
  run_until({pair.server.get(), &second, &pair.client},
            [&] { return pair.client.count("Message") == 2; });
  CHECK(pair.server->count("Message") == 1);
  CHECK(second.count("Message") == 1);
  // And both go on being found.
  REQUIRE(pair.client.transport().send(both, octets(options_request(3))));
  REQUIRE(pair.client.transport().send(target(other, pair.beta), octets(options_request(4))));
  run_until({pair.server.get(), &second, &pair.client},
            [&] { return pair.client.count("Message") == 4; });
  CHECK(pair.client.count("Connected") == 2);
}

TEST_CASE("A message whose time has come is not sent, however late its host is") {
  const auto clock = std::make_shared<ManualClock>(Clock::system()->now());
  TransportOptions options;
  options.clock = clock;
  Pair pair(TlsPolicy::modern(), options);
  const ConnectionId id = pair.connect();
  SendOptions soon;
  soon.expires_at = clock->now().mono + std::chrono::seconds(5);
  SECTION("it had to wait for the host's next drain") {
    pair.client.on_event = [&](const Event& event, const Seen&) {
      if (!std::holds_alternative<Posted>(event)) return;
      REQUIRE(pair.client.transport().send(id, octets(options_request(1)), soon));
      clock->advance(std::chrono::seconds(10));
    };
    REQUIRE(pair.client.transport().sender().post(0));
  }
  SECTION("it was late when it was sent") {
    clock->advance(std::chrono::seconds(10));
    REQUIRE(pair.client.transport().send(id, octets(options_request(1)), soon));
  }
  run_until({pair.server.get(), &pair.client},
            [&] { return pair.client.count("SendFailed") == 1; });
  CHECK(pair.client.last("SendFailed").failed_with(Errc::expired));
  settle({pair.server.get(), &pair.client});
  CHECK(pair.server->count("Message") == 0);
}

TEST_CASE("What a server never came to read is told, though it ended without a word") {
  RawServer listening;
  Host client;
  const TlsContext beta = world().context(world().beta);
  const auto id = client.transport().connect(target(listening.endpoint(), beta));
  REQUIRE(id);
  std::optional<RawPeer> peer;
  auto session = TlsSession::server(world().context(world().alpha.leaf), Clock::system()->now());
  REQUIRE(session);
  run_until({&client}, [&] {
    if (!peer) peer = listening.accept();
    return peer.has_value();
  });
  // The server's first flight, and nothing of what comes after it is looked at.
  run_until({&client}, [&] {
    peer->poll();
    if (peer->received.empty()) return false;
    REQUIRE(session->feed(octets(peer->received), Clock::system()->now()));
    const auto flight = session->pending_output();
    peer->write({reinterpret_cast<const char*>(flight.data()), flight.size()});
    return true;
  });
  run_until({&client}, [&] { return client.count("Connected") == 1; });
  const auto token = client.transport().send(*id, octets(options_request(1)));
  REQUIRE(token);
  REQUIRE(client.transport().close(*id));
  settle({&client});
  peer->end();
  run_until({&client}, [&] { return client.count("Closed") == 1; });
  REQUIRE(client.count("SendFailed") == 1);
  CHECK(client.last("SendFailed").token == *token);
  CHECK(client.last("SendFailed").delivery == Delivery::unknown);
}

TEST_CASE("Many connections to one address are told apart by what their peers have proven") {
  // As a border element has it: one address, many names.
  Pair pair;
  constexpr unsigned kNames = 40;
  std::vector<std::string> names;
  for (unsigned i = 0; i < kNames; ++i) names.push_back("trunk" + std::to_string(i) + ".example");
  TlsContextConfig config = world().config(world().alpha.leaf);
  for (const std::string& name : names) {
    config.more_credentials.push_back(world().credentials(demo_pki::Entity::issued_by(
        world().alpha.intermediates.front(), demo_pki::sip_spec(name))));
  }
  REQUIRE(pair.server->transport().update(pair.server->listener, make_context(config)));
  answer_requests(*pair.server);
  for (int round = 0; round < 2; ++round) {
    for (const std::string& name : names) {
      const std::size_t before = pair.client.count("Message");
      REQUIRE(pair.client.transport().send(target(pair.at, pair.beta, name),
                                           octets(options_request(1))));
      run_until({pair.server.get(), &pair.client},
                [&] { return pair.client.count("Message") > before; });
    }
  }
  CHECK(pair.client.count("Connected") == kNames);
  // One that ends is opened anew, and leaves the others alone.
  REQUIRE(pair.client.transport().close(pair.client.all("Connected")[7].connection));
  run_until({pair.server.get(), &pair.client}, [&] { return pair.client.count("Closed") == 1; });
  for (const std::string& name : names) {
    REQUIRE(pair.client.transport().connect(target(pair.at, pair.beta, name)));
  }
  run_until({pair.server.get(), &pair.client},
            [&] { return pair.client.count("Connected") == kNames + 1; });
}

TEST_CASE("Durations may be as long as their type allows") {
  TransportOptions options;
  TransportLimits& limits = options.limits;
  for (auto* limit : {&limits.connect_timeout, &limits.handshake_timeout, &limits.idle_timeout,
                      &limits.first_message_timeout, &limits.message_timeout, &limits.write_timeout,
                      &limits.close_timeout}) {
    *limit = std::chrono::milliseconds::max();
  }
  Pair pair(TlsPolicy::modern(), options);
  answer_requests(*pair.server);
  REQUIRE(pair.client.transport().send(pair.connect(), octets(options_request(1))));
  run_until({pair.server.get(), &pair.client}, [&] { return pair.client.count("Message") == 1; });
  CHECK(pair.client.count("Closed") == 0);
}
