// Connection reuse (RFC 5923): requests in both directions on one connection, and who gets none.
#include "catch.hpp"
#include "transport/harness.hpp"
#include "transport/raw_peer.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

using demo_pki::Entity;

// A request that asks for an alias (section 7): `via` is what stands behind "SIP/2.0/".
std::string request_with_via(const std::string& via) {
  std::string text = options_request(1);
  const std::string before = "Via: SIP/2.0/TLS beta.example;branch=z9hG4bK1";
  return text.replace(text.find(before), before.size(), "Via: SIP/2.0/" + via);
}
std::string asking(std::uint16_t port, const std::string& host = "beta.example") {
  return request_with_via("TLS " + host + ":" + std::to_string(port) + ";branch=z9hG4bK1;alias");
}

const Entity& gamma() {
  static const Entity the_gamma =
      Entity::issued_by(world().alpha.intermediates.front(), demo_pki::sip_spec("gamma.example"));
  return the_gamma;
}

// A server that makes an alias for whoever asks, and a client that serves requests too.
struct Stage {
  explicit Stage(std::optional<TlsContext> listener_context = {}) {
    at = server.listen(listener_context ? *listener_context : world().context(world().alpha.leaf));
    serves_at = client.listen(world().context(world().beta));
    server.on_event = [this](const Event& event, const Seen&) {
      const auto* message = std::get_if<Message>(&event);
      if (message == nullptr) return;
      outcomes.push_back(server.transport().accept_alias(message->connection, message->message));
      REQUIRE(
          server.transport().respond(message->connection, octets(ok_response(message->message))));
    };
    answer_requests(client);
  }

  // Sends on the connection to `to`; gives the server's id of it.
  ConnectionId ask(const std::string& request, const Target& to) {
    const std::size_t before = server.count("Message");
    REQUIRE(client.transport().send(to, octets(request)));
    run_until({&server, &client}, [&] { return server.count("Message") == before + 1; });
    settle({&server, &client});
    return server.last("Message").connection;
  }
  ConnectionId ask(const std::string& request) { return ask(request, here()); }
  // One more connection of the same client.
  ConnectionId ask_anew(const std::string& request) {
    Target another = here();
    another.context = world().context(world().beta);
    return ask(request, another);
  }
  Target here(const std::string& domain = "alpha.example") const {
    return target(at, client_context, domain);
  }
  // The server's way back, by a context that was made apart from the listener's.
  Target back() const {
    return target(serves_at, world().context(world().alpha.leaf), "beta.example");
  }
  bool reuses(const Target& to, ConnectionId connection) {
    const auto used = server.transport().connect(to);
    REQUIRE(used);
    if (*used == connection) return true;
    REQUIRE(server.transport().abort(*used));
    return false;
  }

  Host server;
  Host client;
  TlsContext client_context = world().context(world().beta);
  Endpoint at;
  Endpoint serves_at;
  std::vector<Result<void>> outcomes;
};

}  // namespace

TEST_CASE("A connection carries requests in both directions once its server made an alias") {
  Stage stage;
  Host& server = stage.server;
  Host& client = stage.client;
  const ConnectionId connection = stage.ask(asking(stage.serves_at.port()));
  REQUIRE(stage.outcomes.size() == 1);
  CHECK(stage.outcomes[0]);
  CHECK(server.transport().metrics().aliases == 1);
  server.on_event = nullptr;

  for (unsigned number = 2; number < 5; ++number) {
    REQUIRE(server.transport().send(stage.back(), octets(options_request(number))));
    run_until({&server, &client}, [&] { return server.count("Message") == number; });
    // Section 8.1: the client takes requests on the connection that it opened, and answers there.
    CHECK(client.last("Message").text == options_request(number));
    CHECK(server.last("Message").connection == connection);
    CHECK(server.last("Message").text.find("SIP/2.0 200") == 0);
  }
  CHECK(server.count("Connected") == 1);
  CHECK(client.count("Connected") == 1);
  CHECK(client.last("Message").connection == client.last("Connected").connection);
  CHECK(server.transport().metrics().connections_reused == 3);

  // The client's own requests go on, and do not need the alias: it opened the connection.
  REQUIRE(client.transport().send(stage.here(), octets(options_request(9))));
  run_until({&server, &client}, [&] { return server.count("Message") == 5; });
  CHECK(server.last("Message").connection == connection);
}

TEST_CASE("A row of a connection that has ended gives way to a new connection") {
  Stage stage;
  Host& server = stage.server;
  Host& client = stage.client;
  const ConnectionId connection = stage.ask(asking(stage.serves_at.port()));
  REQUIRE(stage.reuses(stage.back(), connection));
  SECTION("its peer closed it") {
    REQUIRE(client.transport().close(client.last("Connected").connection));
  }
  SECTION("its peer broke it") {
    REQUIRE(client.transport().abort(client.last("Connected").connection));
  }
  SECTION("this side closes it") {
    REQUIRE(server.transport().close(connection));
    // At once, before Closed.
    CHECK(server.transport().metrics().aliases == 0);
    CHECK_FALSE(stage.reuses(stage.back(), connection));
  }
  run_until({&server, &client}, [&] { return server.count("Closed") > 0; });
  settle({&server, &client});
  CHECK(server.transport().metrics().aliases == 0);
  server.on_event = nullptr;
  const std::size_t before = client.count("Connected");
  REQUIRE(server.transport().send(stage.back(), octets(options_request(2))));
  run_until({&server, &client}, [&] {
    return client.count("Connected") == before + 1 &&
           server.last("Message").text.find("SIP/2.0 200") == 0;
  });
  CHECK(server.last("Message").connection != connection);
  // The response of the old one's requests cannot be sent on a connection that is not theirs.
  CHECK_FALSE(server.transport().respond(connection, octets(options_request(3))));
}

TEST_CASE("An alias is used for the address, the domain and the party that it was made for") {
  const World& w = world();
  const TlsContextConfig same = w.config(w.alpha.leaf);
  TlsContextConfig changed_policy = same;
  changed_policy.policy.eku = EkuPolicy::sip_strict;
  TlsContextConfig changed_trust = same;
  changed_trust.trust =
      *TrustStore::from_pem(w.alpha.root.certificate_pem() + w.stranger_root.certificate_pem());
  TlsContextConfig changed_list = same;
  changed_list.allowed_peers = {"beta.example"};
  TlsContextConfig nobody = same;
  nobody.credentials.reset();

  const TlsContext listener_context = make_context(same);
  Stage stage(listener_context);
  const ConnectionId connection = stage.ask(asking(stage.serves_at.port()));
  struct Row {
    const char* what;
    Target target;
    bool reused;
  };
  const auto with = [&](const TlsContext& context) {
    Target to = stage.back();
    to.context = context;
    return to;
  };
  const auto to_domain = [&](const char* domain) {
    Target to = stage.back();
    to.domain = domain;
    return to;
  };
  const auto to_remotes = [&](std::vector<Endpoint> remotes) {
    Target to = stage.back();
    to.remotes = std::move(remotes);
    return to;
  };
  const auto from = [&](const char* local) {
    Target to = stage.back();
    to.local = *Endpoint::parse(local, 0);
    return to;
  };
  const std::uint16_t port = stage.serves_at.port();
  const Endpoint elsewhere = Endpoint::ipv4({127, 0, 0, 9}, port);
  const Row rows[] = {
      {"a context of the same files", with(make_context(same)), true},
      {"the listener's context", with(listener_context), true},
      {"a domain in capitals", to_domain("BETA.example"), true},
      {"a second address", to_remotes({elsewhere, stage.serves_at}), true},
      {"its source address", from("127.0.0.1"), true},
      {"any source address", from("0.0.0.0"), true},
      {"another domain", to_domain("alpha.example"), false},
      {"a domain above", to_domain("example"), false},
      {"a domain below", to_domain("sip.beta.example"), false},
      {"another address", to_remotes({elsewhere}), false},
      {"the connection's own port", to_remotes({stage.server.last("Connected").remote}), false},
      {"another source address", from("127.0.0.2"), false},
      {"another party", with(w.context(gamma())), false},
      {"another policy", with(make_context(changed_policy)), false},
      {"other trust", with(make_context(changed_trust)), false},
      {"another list of peers", with(make_context(changed_list)), false},
      {"no credentials", with(make_context(nobody)), false},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    CHECK(stage.reuses(row.target, connection) == row.reused);
  }
  CHECK(stage.server.transport().metrics().aliases == 1);
}

TEST_CASE("What one virtual server accepted never carries requests of another") {
  const World& w = world();
  Stage stage;
  const Endpoint gamma_at = stage.server.listen(w.context(gamma()), "127.0.0.2");
  const std::string request = asking(stage.serves_at.port());
  const ConnectionId to_alpha = stage.ask(request);
  const ConnectionId to_gamma =
      stage.ask(request, target(gamma_at, stage.client_context, "gamma.example"));
  REQUIRE(to_alpha != to_gamma);
  CHECK(stage.server.transport().metrics().aliases == 2);
  Target as_gamma = stage.back();
  as_gamma.context = w.context(gamma());
  CHECK(stage.reuses(stage.back(), to_alpha));
  CHECK(stage.reuses(as_gamma, to_gamma));
}

TEST_CASE("A connection belongs to the virtual server whose certificate its client had asked for") {
  const World& w = world();
  TlsContextConfig both = w.config(w.alpha.leaf);
  both.more_credentials = {w.credentials(gamma())};
  const TlsContext context = make_context(both);
  for (const std::string domain : {"alpha.example", "gamma.example"}) {
    CAPTURE(domain);
    Stage stage(context);
    const ConnectionId connection = stage.ask(asking(stage.serves_at.port()), stage.here(domain));
    const bool is_alpha = domain == "alpha.example";
    Target as_gamma = stage.back();
    as_gamma.context = w.context(gamma());
    // The context itself shows its first certificate where it opens a connection.
    Target as_both = stage.back();
    as_both.context = context;
    CHECK(stage.reuses(as_both, connection) == is_alpha);
    CHECK(stage.reuses(stage.back(), connection) == is_alpha);
    CHECK(stage.reuses(as_gamma, connection) == !is_alpha);
  }
}

TEST_CASE("Of several connections of a peer the newest is used") {
  Stage stage;
  const std::string request = asking(stage.serves_at.port());
  const ConnectionId first = stage.ask(request);
  const ConnectionId second = stage.ask_anew(request);
  REQUIRE(first != second);
  CHECK(stage.reuses(stage.back(), second));
  // A connection has one row, however often it is asked for.
  stage.ask(request);
  CHECK(stage.server.transport().metrics().aliases == 2);
  CHECK(stage.reuses(stage.back(), first));
  REQUIRE(stage.server.transport().abort(first));
  CHECK(stage.reuses(stage.back(), second));
  REQUIRE(stage.server.transport().abort(second));
  CHECK_FALSE(stage.reuses(stage.back(), second));
  CHECK(stage.server.transport().metrics().aliases == 0);
}

TEST_CASE("A row stands for the port of sent-by, and moves with it") {
  Stage stage;
  const auto at_port = [&](std::uint16_t port) {
    return target(Endpoint::ipv4({127, 0, 0, 1}, port), world().context(world().alpha.leaf),
                  "beta.example");
  };
  const ConnectionId connection =
      stage.ask(request_with_via("tls proxy7.beta.example;alias;branch=z9hG4bK1"));
  CHECK(stage.outcomes.back());
  CHECK(stage.reuses(at_port(kDefaultPort), connection));
  stage.ask(asking(5070));
  CHECK(stage.reuses(at_port(5070), connection));
  CHECK_FALSE(stage.reuses(at_port(kDefaultPort), connection));
}

TEST_CASE("An alias is refused to who does not ask rightly, and nothing is changed") {
  const World& w = world();
  struct Row {
    const char* what;
    std::string request;
  };
  const Row rows[] = {
      {"no parameter", options_request(1)},
      {"another transport", request_with_via("TCP beta.example:5070;branch=z9hG4bK1;alias")},
      {"port 0", request_with_via("TLS beta.example:0;branch=z9hG4bK1;alias")},
      {"in a Via below", request_with_via("TLS beta.example;branch=z9hG4bK1\r\n"
                                          "Via: SIP/2.0/TLS beta.example;branch=z9hG4bK2;alias")},
  };
  Stage stage;
  for (const Row& row : rows) {
    INFO(row.what);
    stage.ask(row.request);
    REQUIRE_FALSE(stage.outcomes.back());
    CHECK(stage.outcomes.back().error().reason() == Errc::alias_refused);
    CHECK(stage.server.transport().metrics().aliases == 0);
  }

  SipFramer framer;
  const std::string text = asking(5070);
  framer.push(octets(text));
  const FramerOutput framed = framer.next();
  const auto& request = std::get<SipMessageView>(framed);
  const auto refusal = [&](Host& host, ConnectionId connection) {
    const auto outcome = host.transport().accept_alias(connection, request);
    return outcome ? "accepted" : std::string(to_string(outcome.error().reason()));
  };
  CHECK(refusal(stage.server, ConnectionId::none) == "unknown_connection");
  CHECK(refusal(stage.client, stage.client.last("Connected").connection) == "alias_refused");
  const ConnectionId connection = stage.server.last("Connected").connection;
  CHECK(refusal(stage.server, connection) == "accepted");
  REQUIRE(stage.server.transport().close(connection));
  CHECK(refusal(stage.server, connection) == "connection_closed");

  // Section 9.2: without a certificate there is nobody to send to.
  TlsContextConfig lenient = w.config(w.alpha.leaf);
  lenient.policy.client_certificate = ClientCertificate::requested;
  Stage anonymous(make_context(lenient));
  TlsContextConfig nobody = w.config(w.beta);
  nobody.credentials.reset();
  anonymous.client_context = make_context(nobody);
  anonymous.ask(text);
  REQUIRE_FALSE(anonymous.outcomes.back());
  CHECK(anonymous.outcomes.back().error().reason() == Errc::alias_refused);
  CHECK(anonymous.server.transport().metrics().aliases == 0);
}

TEST_CASE("A connection whose peer has said close_notify takes no alias and serves no target") {
  Stage stage;
  const ConnectionId connection = stage.ask(asking(stage.serves_at.port()));
  bool looked = false;
  stage.server.on_event = [&](const Event& event, const Seen&) {
    if (!std::holds_alternative<PeerClosing>(event)) return;
    looked = true;
    CHECK_FALSE(stage.reuses(stage.back(), connection));
  };
  REQUIRE(stage.client.transport().close(stage.client.last("Connected").connection));
  run_until({&stage.server, &stage.client}, [&] { return stage.server.count("Closed") > 0; });
  CHECK(looked);
}

TEST_CASE("A connection that runs out serves no target, and takes no alias any more") {
  Stage stage;
  const std::string request = asking(stage.serves_at.port());
  const ConnectionId connection = stage.ask(request);
  REQUIRE(stage.reuses(stage.back(), connection));
  REQUIRE(stage.server.transport().drain(connection,
                                         Clock::system()->now().mono + std::chrono::seconds(30)));
  CHECK(stage.server.transport().metrics().aliases == 0);
  CHECK_FALSE(stage.reuses(stage.back(), connection));
  CHECK(stage.ask(request) == connection);
  REQUIRE_FALSE(stage.outcomes.back());
  CHECK(stage.outcomes.back().error().reason() == Errc::connection_closed);
}
