// Two transports on loopback: connecting, sending, answering, closing.
#include <thread>

#include "catch.hpp"
#include "transport/harness.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

TlsPolicy only(ProtocolVersion version) {
  TlsPolicy policy = TlsPolicy::modern();
  policy.min_version = policy.max_version = version;
  return policy;
}

// A server that answers, a client, and a connection between them.
struct Pair {
  explicit Pair(const TlsPolicy& policy = TlsPolicy::modern(), Pace pace = Pace::drain,
                TransportOptions options = {})
      : server(options, pace),
        client(options, pace),
        server_context(world().context(world().alpha.leaf, policy)),
        client_context(world().context(world().beta, policy)) {
    at = server.listen(server_context);
  }

  ConnectionId connect() {
    const auto id = client.transport().connect(target(at, client_context));
    REQUIRE(id);
    run_until({&server, &client},
              [&] { return client.count("Connected") > 0 && server.count("Connected") > 0; });
    return *id;
  }

  Host server;
  Host client;
  TlsContext server_context;
  TlsContext client_context;
  Endpoint at;
};

}  // namespace

TEST_CASE("A request crosses mutual TLS and its answer comes back") {
  struct Row {
    const char* address;
    ProtocolVersion version;
  };
  const Row rows[] = {{"127.0.0.1", ProtocolVersion::tls1_2},
                      {"127.0.0.1", ProtocolVersion::tls1_3},
                      {"::1", ProtocolVersion::tls1_2},
                      {"::1", ProtocolVersion::tls1_3}};
  for (const Row& row : rows) {
    CAPTURE(row.address, to_string(row.version));
    Host server;
    Host client;
    const TlsContext context = world().context(world().alpha.leaf, only(row.version));
    const Endpoint at = server.listen(context, row.address);
    answer_requests(server);

    const std::string request = options_request(1);
    const auto token = client.transport().send(
        target(at, world().context(world().beta, only(row.version))), octets(request));
    REQUIRE(token);
    run_until({&server, &client}, [&] { return client.count("Message") == 1; });

    CHECK(server.last("Message").text == request);
    CHECK(client.last("Message").text.starts_with("SIP/2.0 200 OK\r\n"));
    const Seen& client_side = client.last("Connected");
    const Seen& server_side = server.last("Connected");
    CHECK(client_side.peer->version == row.version);
    REQUIRE(client_side.peer->authenticated());
    REQUIRE(server_side.peer->authenticated());
    CHECK(covers(client_side.peer->path->identities, "alpha.example"));
    CHECK(covers(server_side.peer->path->identities, "beta.example"));
    CHECK(client_side.remote == at);
    CHECK(client_side.local == server_side.remote);

    REQUIRE(client.transport().close(client_side.connection));
    run_until({&server, &client},
              [&] { return client.count("Closed") == 1 && server.count("Closed") == 1; });
    CHECK_FALSE(client.last("Closed").error);
    CHECK_FALSE(client.last("Closed").truncated);
    CHECK_FALSE(server.last("Closed").error);
    CHECK_FALSE(server.last("Closed").truncated);
    CHECK(server.count("PeerClosing") == 1);
    CHECK(client.count("SendFailed") == 0);
    CHECK(client.transport().connection_count() == 0);
    CHECK(server.transport().connection_count() == 0);
  }
}

TEST_CASE("A thousand pipelined requests are answered in order") {
  Pair pair;
  answer_requests(pair.server);
  const ConnectionId id = pair.connect();
  unsigned sent = 0;
  while (sent < 1000 || pair.client.count("Message") < 1000) {
    while (sent < 1000 && pair.client.transport().send(id, octets(options_request(sent + 1))))
      ++sent;
    const std::size_t before = pair.client.count("Message");
    run_until({&pair.server, &pair.client}, [&] { return pair.client.count("Message") > before; });
  }
  const auto answers = pair.client.all("Message");
  REQUIRE(answers.size() == 1000);
  for (unsigned i = 0; i < 1000; ++i) {
    CHECK(answers[i].text.find("Call-ID: " + std::to_string(i + 1) + "@") != std::string::npos);
  }
  CHECK(pair.client.count("SendFailed") == 0);
}

TEST_CASE("A message larger than a record and than the socket buffers arrives whole") {
  Pair pair;
  const ConnectionId id = pair.connect();
  std::string body(900 * 1024, 'x');
  for (std::size_t i = 0; i < body.size(); i += 997) body[i] = static_cast<char>('a' + i % 26);
  const std::string request = options_request(7, body);
  REQUIRE(pair.client.transport().send(id, octets(request), {std::nullopt, Report::always}));
  run_until({&pair.server, &pair.client},
            [&] { return pair.server.count("Message") == 1 && pair.client.count("Sent") == 1; });
  CHECK(pair.server.last("Message").text == request);
}

TEST_CASE("A ping is answered by a pong, and a pong by nothing") {
  Pair pair;
  const ConnectionId id = pair.connect();
  REQUIRE(pair.client.transport().send(id, octets(kPing)));
  run_until({&pair.server, &pair.client}, [&] { return pair.client.count("Pong") == 1; });
  CHECK(pair.server.count("Ping") == 1);
  settle({&pair.server, &pair.client});
  CHECK(pair.client.count("Pong") == 1);
  CHECK(pair.server.count("Pong") == 0);
  CHECK(pair.server.count("Ping") == 1);
}

TEST_CASE("A pong takes its place between the messages that were sent before and after") {
  Pair pair;
  const ConnectionId id = pair.connect();
  pair.server.on_event = [&](const Event& event, const Seen& seen) {
    if (seen.kind != "Message" && seen.kind != "Ping") return;
    const ConnectionId connection = seen.connection;
    static_cast<void>(event);
    REQUIRE(pair.server.transport().send(connection, octets(options_request(1))));
  };
  REQUIRE(pair.client.transport().send(
      id, octets(options_request(1) + std::string(kPing) + options_request(2))));
  run_until({&pair.server, &pair.client}, [&] { return pair.client.count("Message") == 3; });
  std::string order;
  for (const Seen& one : pair.client.seen) {
    if (one.kind == "Message") order += "m";
    if (one.kind == "Pong") order += "p";
  }
  CHECK(order == "mpmm");
}

TEST_CASE("A connection is reused for a target only if its peer has proven the domain") {
  Pair pair;
  answer_requests(pair.server);
  const ConnectionId first = pair.connect();
  const auto same = pair.client.transport().connect(target(pair.at, pair.client_context));
  REQUIRE(same);
  CHECK(*same == first);
  const auto other_case =
      pair.client.transport().connect(target(pair.at, pair.client_context, "ALPHA.example"));
  REQUIRE(other_case);
  CHECK(*other_case == first);

  const TlsContext other_context = world().context(world().beta);
  const auto with_context = pair.client.transport().connect(target(pair.at, other_context));
  REQUIRE(with_context);
  CHECK(*with_context != first);

  // Same address, a domain that this peer cannot prove: a connection of its own, and it fails.
  REQUIRE(pair.client.transport().send(target(pair.at, pair.client_context, "beta.example"),
                                       octets(options_request(1))));
  run_until({&pair.server, &pair.client},
            [&] { return pair.client.count("HandshakeFailed") == 1; });
  CHECK(pair.client.last("HandshakeFailed").failed_with(Errc::identity_mismatch));
  CHECK(pair.client.last("SendFailed").failed_with(Errc::identity_mismatch));
  CHECK(pair.client.last("SendFailed").delivery == Delivery::none);
  CHECK(pair.server.count("Message") == 0);
}

TEST_CASE("The addresses of a target are tried in order") {
  Pair pair;
  answer_requests(pair.server);
  Host closed_host;
  const Endpoint closed = closed_host.listen(pair.server_context);
  closed_host.transport().close_all();
  Target two = target(closed, pair.client_context);
  two.remotes.push_back(pair.at);
  REQUIRE(pair.client.transport().send(two, octets(options_request(1))));
  run_until({&pair.server, &pair.client}, [&] { return pair.client.count("Message") == 1; });
  CHECK(pair.client.last("Connected").remote == pair.at);

  Target none = target(closed, world().context(world().beta));
  none.remotes.push_back(closed);
  const auto token = pair.client.transport().send(none, octets(options_request(2)));
  REQUIRE(token);
  run_until({&pair.client}, [&] { return pair.client.count("ConnectFailed") == 1; });
  const Seen& failed = pair.client.last("ConnectFailed");
  REQUIRE(failed.attempts.size() == 2);
  CHECK(failed.attempts[0].remote == closed);
  CHECK(failed.attempts[0].error.reason() == Errc::connection_refused);
  CHECK(pair.client.last("SendFailed").token == *token);
  CHECK(pair.client.last("SendFailed").failed_with(Errc::connection_refused));
}

TEST_CASE("A response goes on the request's connection, or on one that proves the same identity") {
  Pair pair;
  Host beta;  // where beta.example listens for responses
  const Endpoint beta_at = beta.listen(world().context(world().beta));
  const ConnectionId id = pair.connect();
  REQUIRE(pair.client.transport().send(id, octets(options_request(1))));
  run_until({&pair.server, &pair.client}, [&] { return pair.server.count("Message") == 1; });
  const ConnectionId at_server = pair.server.last("Message").connection;
  const std::string response = "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n";

  REQUIRE(pair.server.transport().respond(at_server, octets(response)));
  run_until({&pair.server, &pair.client}, [&] { return pair.client.count("Message") == 1; });

  REQUIRE(pair.client.transport().close(id));
  run_until({&pair.server, &pair.client}, [&] { return pair.server.count("Closed") == 1; });
  const auto nowhere = pair.server.transport().respond(at_server, octets(response));
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().reason() == Errc::connection_closed);

  ResponseFallback fallback;
  fallback.remotes = {beta_at};
  fallback.sent_by = "elsewhere.example";
  REQUIRE(pair.server.transport().respond(at_server, octets(response), fallback));
  run_until({&pair.server, &beta}, [&] { return beta.count("Message") == 1; });
  CHECK(covers(beta.last("Connected").peer->path->identities, "alpha.example"));

  // An element that cannot prove it does not get the response.
  fallback.remotes = {pair.at};
  const auto token = pair.server.transport().respond(at_server, octets(response), fallback);
  REQUIRE(token);
  run_until({&pair.server}, [&] { return pair.server.count("SendFailed") == 1; });
  CHECK(pair.server.last("SendFailed").token == *token);
  CHECK(pair.server.last("SendFailed").failed_with(Errc::identity_mismatch));
}

TEST_CASE("Where the client had proven nothing, the response goes to who proves the sent-by host") {
  TlsPolicy policy = TlsPolicy::modern();
  policy.client_certificate = ClientCertificate::none;
  Pair pair(policy);
  const ConnectionId id = pair.connect();
  REQUIRE(pair.client.transport().send(id, octets(options_request(1))));
  run_until({&pair.server, &pair.client}, [&] { return pair.server.count("Message") == 1; });
  const ConnectionId at_server = pair.server.last("Message").connection;
  REQUIRE(pair.client.transport().close(id));
  run_until({&pair.server, &pair.client}, [&] { return pair.server.count("Closed") == 1; });

  ResponseFallback fallback;
  fallback.remotes = {pair.at};
  fallback.sent_by = "[2001:db8::1]";  // as Via has it
  fallback.context = world().context(world().alpha.leaf);
  const auto token = pair.server.transport().respond(
      at_server, octets("SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"), fallback);
  REQUIRE(token);
  run_until({&pair.server}, [&] { return pair.server.count("SendFailed") == 1; });
  CHECK(pair.server.last("SendFailed").token == *token);
  CHECK(pair.server.last("SendFailed").failed_with(Errc::identity_mismatch));
}

TEST_CASE("A transport tells who the peer of an open connection is, and of no other") {
  Pair pair;
  const ConnectionId coming =
      *pair.client.transport().connect(target(pair.at, pair.client_context));
  CHECK(pair.client.transport().peer(coming) == nullptr);
  CHECK(pair.client.transport().peer(ConnectionId::none) == nullptr);
  const ConnectionId id = pair.connect();
  REQUIRE(id == coming);
  const PeerInfo* peer = pair.client.transport().peer(id);
  REQUIRE(peer != nullptr);
  CHECK(peer->path == pair.client.last("Connected").peer->path);
  REQUIRE(pair.client.transport().close(id));
  CHECK(pair.client.transport().peer(id) != nullptr);
  run_until({&pair.server, &pair.client}, [&] { return pair.client.count("Closed") == 1; });
  CHECK(pair.client.transport().peer(id) == nullptr);
}

TEST_CASE("Sent is reported only where it was asked for") {
  Pair pair;
  const ConnectionId id = pair.connect();
  REQUIRE(pair.client.transport().send(id, octets(options_request(1))));
  const auto wanted =
      pair.client.transport().send(id, octets(options_request(2)), {std::nullopt, Report::always});
  REQUIRE(wanted);
  run_until({&pair.server, &pair.client}, [&] { return pair.server.count("Message") == 2; });
  REQUIRE(pair.client.count("Sent") == 1);
  CHECK(pair.client.last("Sent").token == *wanted);
}

TEST_CASE("A full queue refuses, and says when there is room again") {
  TransportOptions options;
  options.limits.max_queued_bytes = 64 * 1024;
  Pair pair(TlsPolicy::modern(), Pace::drain, options);
  const ConnectionId id = pair.connect();
  const ConnectionId at_server = pair.server.last("Connected").connection;
  REQUIRE(pair.server.transport().pause(at_server));
  const std::string request = options_request(1, std::string(20'000, 'x'));
  std::size_t accepted = 0;
  for (;; ++accepted) {
    const auto sent = pair.client.transport().send(id, octets(request));
    if (!sent) {
      CHECK(sent.error().reason() == Errc::queue_full);
      break;
    }
    REQUIRE(accepted < 10'000);
  }
  settle({&pair.server, &pair.client});
  CHECK(pair.client.count("Writable") == 0);
  CHECK(pair.server.count("Message") == 0);
  REQUIRE(pair.server.transport().resume(at_server));
  run_until({&pair.server, &pair.client}, [&] {
    return pair.client.count("Writable") == 1 && pair.server.count("Message") == accepted;
  });
  const auto too_large =
      pair.client.transport().send(id, octets(options_request(1, std::string(70'000, 'x'))));
  REQUIRE_FALSE(too_large);
  CHECK(too_large.error().reason() == Errc::message_too_large);
}

TEST_CASE("A message that waits too long comes back as expired and is never sent") {
  const auto clock = std::make_shared<ManualClock>(Clock::system()->now());
  clock->set_standing(ClockStanding::given);
  TransportOptions options;
  options.clock = clock;
  options.limits.idle_timeout = std::chrono::hours(1);
  Pair pair(TlsPolicy::modern(), Pace::drain, options);
  const ConnectionId id = pair.connect();
  const ConnectionId at_server = pair.server.last("Connected").connection;
  REQUIRE(pair.server.transport().pause(at_server));
  std::size_t before = 0;
  const std::string filler = options_request(1, std::string(100'000, 'x'));
  while (pair.client.transport().send(id, octets(filler))) ++before;
  settle({&pair.server, &pair.client});
  const auto late =
      pair.client.transport().send(id, octets(options_request(99)),
                                   {clock->now().mono + std::chrono::seconds(2), Report::failures});
  REQUIRE(late);
  clock->advance(std::chrono::seconds(3));
  pair.client.take_events();
  REQUIRE(pair.client.count("SendFailed") == 1);
  CHECK(pair.client.last("SendFailed").token == *late);
  CHECK(pair.client.last("SendFailed").failed_with(Errc::expired));
  CHECK(pair.client.last("SendFailed").bytes_written == 0);
  REQUIRE(pair.server.transport().resume(at_server));
  run_until({&pair.server, &pair.client}, [&] { return pair.server.count("Message") == before; });
  settle({&pair.server, &pair.client});
  CHECK(pair.server.count("Message") == before);
}

TEST_CASE("A paused connection keeps its messages and gives them first on resume") {
  Pair pair;
  const ConnectionId id = pair.connect();
  const ConnectionId at_server = pair.server.last("Connected").connection;
  pair.server.on_event = [&](const Event&, const Seen& seen) {
    if (seen.kind == "Message" && pair.server.count("Message") == 1) {
      REQUIRE(pair.server.transport().pause(at_server));
    }
  };
  std::string burst;
  for (unsigned i = 1; i <= 50; ++i) burst += options_request(i);
  REQUIRE(pair.client.transport().send(id, octets(burst)));
  run_until({&pair.server, &pair.client}, [&] { return pair.server.count("Message") == 1; });
  REQUIRE(pair.client.transport().send(id, octets(options_request(51))));
  settle({&pair.server, &pair.client});
  CHECK(pair.server.count("Message") == 1);
  REQUIRE(pair.server.transport().resume(at_server));
  run_until({&pair.server, &pair.client}, [&] { return pair.server.count("Message") == 51; });
  const auto messages = pair.server.all("Message");
  for (unsigned i = 0; i < 51; ++i) {
    CHECK(messages[i].text.find("\r\nCSeq: " + std::to_string(i + 1) + " ") != std::string::npos);
  }
}

TEST_CASE("After close and abort no further message is handed out") {
  for (const bool abort : {false, true}) {
    CAPTURE(abort);
    Pair pair;
    const ConnectionId id = pair.connect();
    pair.server.on_event = [&](const Event& event, const Seen& seen) {
      if (seen.kind != "Message" || pair.server.count("Message") != 1) return;
      auto ended = abort ? pair.server.transport().abort(seen.connection)
                         : pair.server.transport().close(seen.connection);
      REQUIRE(ended);
      // The event that is held stays whole.
      const auto& message = std::get<Message>(event).message;
      CHECK(message.method() == "OPTIONS");
      CHECK(message.call_id() == "1@beta.example");
    };
    std::string burst;
    for (unsigned i = 1; i <= 20; ++i) burst += options_request(i);
    REQUIRE(pair.client.transport().send(id, octets(burst)));
    run_until({&pair.server, &pair.client},
              [&] { return pair.server.count("Closed") == 1 && pair.client.count("Closed") == 1; });
    CHECK(pair.server.count("Message") == 1);
    if (abort) {
      CHECK(pair.server.last("Closed").failed_with(Errc::connection_aborted));
      CHECK(pair.client.last("Closed").failed_with(Errc::connection_reset));
    } else {
      CHECK_FALSE(pair.server.last("Closed").error);
    }
    const auto gone = pair.client.transport().send(id, octets(options_request(1)));
    REQUIRE_FALSE(gone);
    CHECK(gone.error().reason() == Errc::unknown_connection);
  }
}

TEST_CASE("What is sent while PeerClosing is held still goes out") {
  Pair pair;
  const ConnectionId id = pair.connect();
  pair.server.on_event = [&](const Event&, const Seen& seen) {
    if (seen.kind == "PeerClosing") {
      REQUIRE(pair.server.transport().send(seen.connection, octets(options_request(5)),
                                           {std::nullopt, Report::always}));
    }
  };
  REQUIRE(pair.client.transport().close(id));
  run_until({&pair.server, &pair.client},
            [&] { return pair.server.count("Closed") == 1 && pair.client.count("Closed") == 1; });
  CHECK(pair.server.count("Sent") == 1);
  CHECK(pair.server.count("SendFailed") == 0);
}

TEST_CASE("Other threads reach a transport through its Sender") {
  auto pair = std::make_unique<Pair>();
  answer_requests(pair->server);
  const ConnectionId id = pair->connect();
  const Sender sender = pair->client.transport().sender();
  std::thread other([&] {
    for (unsigned i = 1; i <= 100; ++i) {
      if (!sender.send(id, octets(options_request(i)))) return;
    }
    static_cast<void>(sender.post(42));
    static_cast<void>(sender.send(ConnectionId{12345}, octets("x")));
  });
  run_until({&pair->server, &pair->client}, [&] {
    return pair->client.count("Message") == 100 && pair->client.count("Posted") == 1 &&
           pair->client.count("SendFailed") == 1;
  });
  other.join();
  CHECK(pair->client.last("Posted").value == 42);
  CHECK(pair->client.last("SendFailed").failed_with(Errc::unknown_connection));
  pair.reset();
  const auto after = sender.post(1);
  REQUIRE_FALSE(after);
  CHECK(after.error().reason() == Errc::transport_closed);
}

TEST_CASE("The limit of connections pauses the listener and resumes it") {
  TransportOptions options;
  options.limits.max_connections = 2;
  Host server(options);
  const Endpoint at = server.listen(world().context(world().alpha.leaf));
  Host client;
  std::vector<ConnectionId> ids;
  for (int i = 0; i < 3; ++i) {
    const auto id = client.transport().connect(target(at, world().context(world().beta)));
    REQUIRE(id);
    ids.push_back(*id);
  }
  run_until({&server, &client},
            [&] { return client.count("Connected") == 2 && server.count("ListenerPaused") == 1; });
  CHECK(server.last("ListenerPaused").failed_with(Errc::too_many_connections));
  REQUIRE(client.transport().close(client.all("Connected").front().connection));
  run_until({&server, &client}, [&] { return client.count("Connected") == 3; });
  CHECK(server.count("ListenerResumed") == 1);
}

TEST_CASE("Bad arguments are refused before anything is accepted") {
  Pair pair;
  TlsTransport& transport = pair.client.transport();
  const auto reason = [](const auto& result) {
    return result ? std::string("accepted") : std::string(to_string(result.error().reason()));
  };
  const auto request = options_request(1);
  CHECK(reason(transport.send(ConnectionId{77}, octets(request))) == "unknown_connection");
  CHECK(reason(transport.send(target(pair.at, pair.client_context), octets(""))) ==
        "invalid_argument");
  Target nowhere = target(pair.at, pair.client_context);
  nowhere.remotes.clear();
  CHECK(reason(transport.send(nowhere, octets(request))) == "invalid_argument");
  CHECK(reason(transport.send(target(pair.at.with_port(0), pair.client_context),
                              octets(request))) == "invalid_argument");
  CHECK(reason(transport.send(target(pair.at, pair.client_context, "not a domain"),
                              octets(request))) == "invalid_domain");
  CHECK(reason(transport.close(ConnectionId{77})) == "unknown_connection");
  CHECK(reason(transport.local_endpoint(ListenerId{9})) == "unknown_listener");
  CHECK(reason(transport.listen(ListenOptions{pair.at, pair.server_context})) == "address_in_use");
  CHECK(transport.connection_count() == 0);
  pair.client.take_events();
  CHECK(pair.client.seen.empty());
}
