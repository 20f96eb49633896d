// A host that takes one event for each wake-up and one that drains to empty see the same.
#include <map>

#include "catch.hpp"
#include "transport/harness.hpp"
#include "transport/raw_peer.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

struct Stage {
  explicit Stage(Pace pace)
      : server({}, pace),
        client({}, pace),
        at(server.listen(world().context(world().alpha.leaf))),
        context(world().context(world().beta)) {}

  ConnectionId connect() {
    const auto id = client.transport().connect(target(at, context));
    REQUIRE(id);
    until([&] { return client.count("Connected") == 1 && server.count("Connected") == 1; });
    return *id;
  }
  void until(const std::function<bool()>& done) { run_until({&server, &client}, done); }

  Host server;
  Host client;
  Endpoint at;
  TlsContext context;
};

// What a host saw, connection by connection in the order in which they appeared.
std::string transcript(const Host& host) {
  std::map<ConnectionId, std::string> by_connection;
  std::vector<ConnectionId> order;
  for (const Seen& one : host.seen) {
    if (by_connection.find(one.connection) == by_connection.end()) order.push_back(one.connection);
    std::string& text = by_connection[one.connection];
    text += one.kind;
    if (one.error) text += "(" + std::string(to_string(one.error->reason())) + ")";
    if (one.truncated) text += "(truncated)";
    if (!one.text.empty()) text += "[" + one.text.substr(0, one.text.find('\r')) + "]";
    text += "\n";
  }
  std::string all;
  for (const ConnectionId id : order) all += "--\n" + by_connection[id];
  return all;
}

void exchange_and_close(Stage& stage) {
  answer_requests(stage.server);
  const ConnectionId id = stage.connect();
  for (unsigned i = 1; i <= 5; ++i) {
    REQUIRE(stage.client.transport().send(id, octets(options_request(i))));
  }
  stage.until([&] { return stage.client.count("Message") == 5; });
  REQUIRE(stage.client.transport().close(id));
  stage.until([&] { return stage.client.count("Closed") + stage.server.count("Closed") == 2; });
}

void burst_with_pings(Stage& stage) {
  answer_requests(stage.server);
  const ConnectionId id = stage.connect();
  std::string burst;
  for (unsigned i = 1; i <= 40; ++i) {
    burst += options_request(i, std::string(i * 40, 'b'));
    if (i % 10 == 0) burst += kPing;
  }
  REQUIRE(stage.client.transport().send(id, octets(burst)));
  stage.until(
      [&] { return stage.client.count("Message") == 40 && stage.client.count("Pong") == 4; });
}

void several_clients(Stage& stage) {
  answer_requests(stage.server);
  for (unsigned i = 0; i < 10; ++i) {
    const TlsContext own = world().context(world().beta);
    REQUIRE(stage.client.transport().send(target(stage.at, own), octets(options_request(7))));
  }
  stage.until([&] { return stage.client.count("Message") == 10; });
  stage.client.transport().close_all();
  stage.until([&] { return stage.client.count("Closed") + stage.server.count("Closed") == 20; });
}

void refused_client(Stage& stage) {
  const TlsContext stranger = world().context(world().stranger);
  REQUIRE(stage.client.transport().send(target(stage.at, stranger), octets(options_request(1))));
  stage.until([&] {
    return stage.client.count("Closed") == 1 && stage.server.count("HandshakeFailed") == 1;
  });
}

void wrong_domain(Stage& stage) {
  REQUIRE(stage.client.transport().send(target(stage.at, stage.context, "gamma.example"),
                                        octets(options_request(1))));
  stage.until([&] {
    return stage.client.count("HandshakeFailed") + stage.server.count("HandshakeFailed") == 2;
  });
}

void nobody_there(Stage& stage) {
  stage.server.transport().close_all();
  REQUIRE(stage.client.transport().send(target(stage.at, stage.context), octets("x")));
  stage.until([&] { return stage.client.count("ConnectFailed") == 1; });
}

void broken_framing(Stage& stage) {
  const ConnectionId id = stage.connect();
  REQUIRE(stage.client.transport().send(
      id, octets(options_request(1) + options_request(2) + "nonsense\r\n\r\n")));
  stage.until([&] { return stage.server.count("Closed") + stage.client.count("Closed") == 2; });
}

void cut_message(Stage& stage) {
  const ConnectionId id = stage.connect();
  REQUIRE(stage.client.transport().send(id, octets(options_request(1) + "OPTIONS sip:")));
  stage.until([&] { return stage.server.count("Message") == 1; });
  REQUIRE(stage.client.transport().close(id));
  stage.until([&] { return stage.server.count("Closed") + stage.client.count("Closed") == 2; });
}

void paused_and_resumed(Stage& stage) {
  const ConnectionId id = stage.connect();
  const ConnectionId at_server = stage.server.last("Connected").connection;
  std::string burst;
  for (unsigned i = 1; i <= 20; ++i) burst += options_request(i);
  stage.server.on_event = [&](const Event&, const Seen& seen) {
    if (seen.kind == "Message" && stage.server.count("Message") == 3) {
      REQUIRE(stage.server.transport().pause(at_server));
    }
  };
  REQUIRE(stage.client.transport().send(id, octets(burst)));
  stage.until([&] { return stage.server.count("Message") == 3; });
  REQUIRE(stage.client.transport().close(id));
  settle({&stage.server, &stage.client});
  REQUIRE(stage.server.transport().resume(at_server));
  stage.until([&] { return stage.server.count("Closed") + stage.client.count("Closed") == 2; });
}

void aborted(Stage& stage) {
  const ConnectionId id = stage.connect();
  stage.server.on_event = [&](const Event&, const Seen& seen) {
    if (seen.kind == "Message") REQUIRE(stage.server.transport().abort(seen.connection));
  };
  REQUIRE(stage.client.transport().send(id, octets(options_request(1) + options_request(2))));
  stage.until([&] { return stage.server.count("Closed") + stage.client.count("Closed") == 2; });
}

void asked(Stage& stage) {
  TlsPolicy policy = TlsPolicy::modern();
  policy.authorise = PeerAuthorisation::host;
  REQUIRE(stage.server.transport().update(stage.server.listener,
                                          world().context(world().alpha.leaf, policy)));
  stage.server.on_event = [&](const Event&, const Seen& seen) {
    if (seen.kind != "AuthorisePeer") return;
    REQUIRE(stage.server.transport().authorise(seen.connection, Verdict::admit));
  };
  REQUIRE(stage.client.transport().send(target(stage.at, stage.context),
                                        octets(options_request(1) + options_request(2))));
  stage.until([&] { return stage.server.count("Message") == 2; });
}

void judged_again(Stage& stage) {
  for (unsigned i = 0; i < 5; ++i) {
    const TlsContext own = world().context(world().beta);
    REQUIRE(stage.client.transport().connect(target(stage.at, own)));
  }
  stage.until([&] { return stage.server.count("Connected") == 5; });
  TlsContextConfig strict = world().config(world().alpha.leaf);
  strict.allowed_peers = {"gamma.example"};
  const auto report = stage.server.transport().update(stage.server.listener, make_context(strict));
  REQUIRE(report);
  REQUIRE(stage.server.transport().reverify(report->generation));
  stage.until([&] { return stage.client.count("Closed") + stage.server.count("Closed") == 10; });
}

void not_tls(Stage& stage) {
  RawPeer peer = RawPeer::connect(stage.at);
  peer.write("OPTIONS sip:alpha.example SIP/2.0\r\n");
  stage.until([&] { return peer.poll(), peer.ended; });
}

}  // namespace

TEST_CASE("A host that takes one event per wake-up sees what a host that drains sees") {
  struct Row {
    const char* what;
    void (*scenario)(Stage&);
  };
  const Row rows[] = {
      {"exchange and close", exchange_and_close},
      {"burst with pings", burst_with_pings},
      {"several clients", several_clients},
      {"refused client", refused_client},
      {"wrong domain", wrong_domain},
      {"nobody there", nobody_there},
      {"broken framing", broken_framing},
      {"cut message", cut_message},
      {"paused and resumed", paused_and_resumed},
      {"aborted", aborted},
      {"asked", asked},
      {"judged again", judged_again},
      {"not TLS", not_tls},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    std::string seen[2][2];
    for (const Pace pace : {Pace::drain, Pace::one_event}) {
      Stage stage(pace);
      row.scenario(stage);
      const auto index = static_cast<std::size_t>(pace);
      seen[index][0] = transcript(stage.server);
      seen[index][1] = transcript(stage.client);
      CHECK_FALSE((seen[index][0] + seen[index][1]).empty());
    }
    CHECK(seen[0][0] == seen[1][0]);
    CHECK(seen[0][1] == seen[1][1]);
  }
}

TEST_CASE("A host that stops after any event loses nothing when it comes back") {
  Stage stage(Pace::one_event);
  answer_requests(stage.server);
  const ConnectionId id = stage.connect();
  std::string burst;
  for (unsigned i = 1; i <= 30; ++i) burst += options_request(i);
  REQUIRE(stage.client.transport().send(id, octets(burst)));
  // The client does nothing until the server has answered all; then it takes one at a time.
  run_until({&stage.server}, [&] { return stage.server.count("Message") == 30; });
  settle({&stage.server});
  CHECK(stage.client.count("Message") == 0);
  stage.until([&] { return stage.client.count("Message") == 30; });
}
