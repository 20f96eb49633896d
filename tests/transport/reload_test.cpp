// Contexts that are exchanged while connections are open.
#include "catch.hpp"
#include "transport/harness.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

using demo_pki::Entity;
using std::chrono::hours;
using std::chrono::minutes;

const WallTime kIn2025{std::chrono::seconds(1735689600)};
const WallTime kIn2099{std::chrono::seconds(4070908800)};

Entity leaf(const demo_pki::CertificateSpec& spec) {
  return Entity::issued_by(world().alpha.intermediates.front(), spec);
}

Entity alpha_leaf(WallTime not_before, WallTime not_after) {
  demo_pki::CertificateSpec spec = demo_pki::sip_spec("alpha.example");
  spec.not_before = not_before;
  spec.not_after = not_after;
  return leaf(spec);
}

std::shared_ptr<ManualClock> manual_clock() {
  return std::make_shared<ManualClock>(
      Now{Clock::system()->now().mono, Clock::system()->now().wall, ClockStanding::given});
}

template <typename T>
std::string reason(const Result<T>& result) {
  return result ? "accepted" : std::string(to_string(result.error().reason()));
}

std::string serial_of(const TlsContext& context) {
  return context.credentials()->certificates().front().serial;
}

struct Stage {
  explicit Stage(TransportOptions options = {})
      : server(options),
        client(options),
        old_context(world().context(world().alpha.leaf)),
        client_context(world().context(world().beta)),
        at(server.listen(old_context)) {
    answer_requests(server);
  }

  void until(const std::function<bool()>& done) { run_until({&server, &client}, done); }

  // The serial number of what the server shows to a new connection.
  std::string shown_now() {
    const std::size_t before = client.count("Connected");
    REQUIRE(client.transport().connect(target(at, world().context(world().beta))));
    until([&] {
      return client.count("Connected") > before &&
             server.count("Connected") == client.count("Connected");
    });
    return client.last("Connected").peer->path->certificates.front().serial;
  }

  Host server;
  Host client;
  TlsContext old_context;
  TlsContext client_context;
  Endpoint at;
};

}  // namespace

TEST_CASE("An update is for new connections; open ones go on as they are") {
  Stage stage;
  REQUIRE(stage.client.transport().send(target(stage.at, stage.client_context),
                                        octets(options_request(1))));
  stage.until([&] { return stage.client.count("Message") == 1; });
  const ConnectionId old_connection = stage.client.last("Connected").connection;

  const TlsContext renewed = world().context(leaf(demo_pki::sip_spec("alpha.example")));
  REQUIRE(serial_of(renewed) != serial_of(stage.old_context));
  const auto report = stage.server.transport().update(stage.server.listener, renewed);
  REQUIRE(report);
  CHECK(report->generation == 1);
  CHECK(report->older_connections == 1);
  CHECK(stage.shown_now() == serial_of(renewed));

  REQUIRE(stage.client.transport().send(old_connection, octets(options_request(2))));
  stage.until([&] { return stage.client.count("Message") == 2; });
  CHECK(stage.client.count("Closed") + stage.server.count("Closed") == 0);

  const auto again = stage.server.transport().update(stage.server.listener, stage.old_context);
  REQUIRE(again);
  CHECK(again->generation == 2);
  CHECK(again->older_connections == 2);
  CHECK(stage.shown_now() == serial_of(stage.old_context));
}

TEST_CASE("A context that cannot serve is refused with its reason, and the old one goes on") {
  const auto clock = manual_clock();
  TransportOptions options;
  options.clock = clock;
  Stage stage(options);
  TlsTransport& transport = stage.server.transport();
  const ListenerId listener = stage.server.listener;

  TlsContextConfig without_credentials = world().config(world().alpha.leaf);
  without_credentials.credentials.reset();
  CHECK(reason(transport.update(listener, make_context(without_credentials))) ==
        "credentials_missing");

  TlsPolicy staples = TlsPolicy::modern();
  staples.ocsp = OcspPolicy::require;
  const TlsContext requiring = world().context(world().alpha.leaf, staples);
  CHECK(reason(transport.update(listener, requiring)) == "policy_unsupported");
  const auto refused = transport.listen(ListenOptions{stage.at.with_port(0), requiring});
  CHECK(reason(refused) == "policy_unsupported");

  const TlsContext expired = world().context(alpha_leaf(kIn2025 - hours(24), kIn2025));
  const auto too_late = transport.update(listener, expired);
  REQUIRE(reason(too_late) == "certificate_expired");
  CHECK(too_late.error().evidence().find("2025-01-01T00:00:00Z") != std::string::npos);
  CHECK(too_late.error().evidence().find(format_time(clock->now().wall)) != std::string::npos);
  const TlsContext early = world().context(alpha_leaf(kIn2099, kIn2099 + hours(24)));
  const auto too_early = transport.update(listener, early);
  REQUIRE(reason(too_early) == "certificate_not_yet_valid");
  CHECK(too_early.error().evidence().find("2099-01-01T00:00:00Z") != std::string::npos);
  // The last second counts (RFC 5280 section 4.1.2.5).
  clock->set_wall(kIn2025 + std::chrono::milliseconds(999));
  CHECK(reason(transport.update(listener, expired)) == "accepted");
  CHECK(reason(transport.update(listener, stage.old_context)) == "accepted");
  clock->set_wall(kIn2025 + std::chrono::milliseconds(1000));
  CHECK(reason(transport.update(listener, expired)) == "certificate_expired");

  const TlsContext good = world().context(leaf(demo_pki::sip_spec("alpha.example")));
  CHECK(reason(transport.update(ListenerId{77}, good)) == "unknown_listener");
  ContextUpdate twice;
  twice.listeners = {{listener, good}, {listener, good}};
  CHECK(reason(transport.update_all(twice)) == "invalid_argument");

  clock->set_wall(WallTime(std::chrono::seconds(86400)));
  clock->set_standing(ClockStanding::behind_floor);
  CHECK(reason(transport.update(listener, good)) == "clock_not_trusted");
  clock->set_wall(kIn2025 + hours(24 * 500));
  clock->set_standing(ClockStanding::unsynchronised);
  CHECK(reason(transport.update(listener, good)) == "accepted");
  TlsPolicy strict = TlsPolicy::modern();
  strict.clock = ClockPolicy::require;
  CHECK(reason(transport.update(listener, world().context(world().alpha.leaf, strict))) ==
        "clock_not_trusted");
  CHECK(reason(transport.update(listener, stage.old_context)) == "accepted");

  CHECK(stage.shown_now() == serial_of(stage.old_context));
  // Only what was accepted counts.
  const auto report = transport.update(listener, good);
  REQUIRE(report);
  CHECK(report->generation == 5);
}

TEST_CASE("An update of several contexts exchanges all or none") {
  Stage stage;
  TlsTransport& transport = stage.server.transport();
  const ListenerId first = stage.server.listener;
  const Endpoint first_at = stage.at;
  const Endpoint second_at = stage.server.listen(stage.old_context);
  const ListenerId second = stage.server.listener;
  const TlsContext renewed = world().context(leaf(demo_pki::sip_spec("alpha.example")));
  const TlsContext expired = world().context(alpha_leaf(kIn2025 - hours(24), kIn2025));
  TlsContextConfig no_trust = world().config(world().alpha.leaf);
  no_trust.trust = TrustStore();
  no_trust.policy.client_certificate = ClientCertificate::none;

  ContextUpdate bad;
  bad.listeners = {{first, renewed}, {second, expired}};
  CHECK(reason(transport.update_all(bad)) == "certificate_expired");
  bad.listeners = {{first, renewed}, {ListenerId{99}, renewed}};
  CHECK(reason(transport.update_all(bad)) == "unknown_listener");
  bad.listeners = {{first, renewed}, {second, renewed}};
  bad.outgoing = expired;
  CHECK(reason(transport.update_all(bad)) == "certificate_expired");
  bad.outgoing = make_context(no_trust);
  CHECK(reason(transport.update_all(bad)) == "trust_store_empty");
  for (const Endpoint& at : {first_at, second_at}) {
    stage.at = at;
    CHECK(stage.shown_now() == serial_of(stage.old_context));
  }

  ContextUpdate good;
  good.listeners = {{first, renewed}, {second, renewed}};
  good.outgoing = renewed;
  const auto report = transport.update_all(good);
  REQUIRE(report);
  CHECK(report->generation == 1);
  CHECK(report->older_connections == 2);
  for (const Endpoint& at : {first_at, second_at}) {
    stage.at = at;
    CHECK(stage.shown_now() == serial_of(renewed));
  }
  // Of one listener, its own connections only.
  const auto one = transport.update(first, renewed);
  REQUIRE(one);
  CHECK(one->older_connections == 2);
}

TEST_CASE("A target without a context uses the transport's, and the newest of them") {
  Stage stage;
  Target bare{{stage.at}, "alpha.example", std::nullopt, std::nullopt, nullptr};
  TlsTransport& transport = stage.client.transport();
  const auto without = transport.send(bare, octets(options_request(1)));
  REQUIRE(reason(without) == "invalid_argument");
  CHECK(without.error().evidence().find("context") != std::string::npos);
  CHECK(reason(transport.connect(bare)) == "invalid_argument");

  REQUIRE(transport.update_outgoing(stage.client_context));
  const auto first = transport.connect(bare);
  REQUIRE(first);
  // By the context and not by the way in which it was given.
  CHECK(*transport.connect(target(stage.at, stage.client_context)) == *first);
  const TlsContext own = world().context(world().beta);
  const auto with_own = transport.connect(target(stage.at, own));
  REQUIRE(with_own);
  CHECK(*with_own != *first);
  stage.until([&] { return stage.client.count("Connected") == 2; });

  const auto report = transport.update_outgoing(world().context(world().beta));
  REQUIRE(report);
  CHECK(report->generation == 2);
  CHECK(report->older_connections == 1);
  const auto second = transport.connect(bare);
  REQUIRE(second);
  CHECK(*second != *first);
  CHECK(*transport.connect(target(stage.at, own)) == *with_own);
  // The older one goes on for whoever knows it.
  REQUIRE(transport.send(*first, octets(options_request(1))));
  REQUIRE(transport.send(*second, octets(options_request(2))));
  stage.until([&] { return stage.client.count("Message") == 2; });
}

TEST_CASE("A transport begins with an outgoing context of its options") {
  TransportOptions options;
  options.outgoing = world().context(world().beta);
  Stage stage(options);
  const Target bare{{stage.at}, "alpha.example", std::nullopt, std::nullopt, nullptr};
  REQUIRE(stage.client.transport().send(bare, octets(options_request(1))));
  stage.until([&] { return stage.client.count("Message") == 1; });
  CHECK(covers(stage.server.last("Connected").peer->path->identities, "beta.example"));

  TlsContextConfig no_trust = world().config(world().alpha.leaf);
  no_trust.trust = TrustStore();
  no_trust.policy.client_certificate = ClientCertificate::none;
  options.outgoing = make_context(no_trust);
  CHECK(reason(TlsTransport::create(options)) == "trust_store_empty");
}

TEST_CASE("A response that needs a new connection is sent by the newest context") {
  Stage stage;
  stage.server.on_event = nullptr;
  Host beta;  // where beta.example listens for responses
  const Endpoint beta_at = beta.listen(world().context(world().beta));
  const auto id = stage.client.transport().connect(target(stage.at, stage.client_context));
  REQUIRE(id);
  stage.until([&] { return stage.server.count("Connected") == 1; });
  const ConnectionId lost = stage.server.last("Connected").connection;
  REQUIRE(stage.client.transport().close(*id));
  stage.until([&] { return stage.server.count("Closed") == 1; });

  // beta.example's CA is not trusted any more.
  TlsContextConfig config = world().config(world().alpha.leaf);
  config.trust = *TrustStore::from_pem(world().stranger_root.certificate_pem());
  REQUIRE(stage.server.transport().update(stage.server.listener, make_context(config)));
  ResponseFallback fallback;
  fallback.remotes = {beta_at};
  fallback.sent_by = "beta.example";
  const std::string response = "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n";
  REQUIRE(stage.server.transport().respond(lost, octets(response), fallback));
  run_until({&stage.server, &beta}, [&] { return stage.server.count("SendFailed") == 1; });
  CHECK(stage.server.last("SendFailed").failed_with(Errc::unknown_ca));

  REQUIRE(stage.server.transport().update(stage.server.listener, stage.old_context));
  REQUIRE(stage.server.transport().respond(lost, octets(response), fallback));
  run_until({&stage.server, &beta}, [&] { return beta.count("Message") == 1; });
}

TEST_CASE("A response for a connection that this transport never had goes nowhere") {
  Stage stage;
  Host beta;
  ResponseFallback fallback;
  fallback.remotes = {beta.listen(world().context(world().beta))};
  fallback.sent_by = "beta.example";
  fallback.context = stage.old_context;
  REQUIRE(stage.server.transport().update_outgoing(stage.old_context));
  const auto id = stage.client.transport().connect(target(stage.at, stage.client_context));
  REQUIRE(id);
  stage.until([&] { return stage.server.count("Connected") == 1; });
  const auto own = static_cast<std::uint64_t>(stage.server.last("Connected").connection);
  // What its peer has proven, if there ever was one, nobody knows here: the sent-by host alone may
  // be whoever wrote the Via.
  const ConnectionId never[] = {ConnectionId::none, ConnectionId{5}, *id, ConnectionId{own + 1}};
  for (const ConnectionId one : never) {
    CAPTURE(static_cast<std::uint64_t>(one));
    CHECK(reason(stage.server.transport().respond(one, octets(options_request(1)), fallback)) ==
          "unknown_connection");
  }
  CHECK(stage.server.transport().connection_count() == 1);
}

TEST_CASE("A certificate of this side that is not valid is warned of and prevents no start") {
  Host server;
  const Endpoint at = server.listen(world().context(alpha_leaf(kIn2025 - hours(24), kIn2025)));
  server.take_events();
  CHECK(server.count_warnings(Errc::certificate_expired) == 1);
  Host client;
  REQUIRE(client.transport().connect(target(at, world().context(world().beta))));
  run_until({&server, &client}, [&] { return client.count("HandshakeFailed") == 1; });
  CHECK(client.last("HandshakeFailed").failed_with(Errc::certificate_expired));
}

TEST_CASE("What runs out while it is in use is warned of once") {
  const auto clock = manual_clock();
  TransportOptions options;
  options.clock = clock;
  options.limits.idle_timeout = hours(1000);
  const WallTime end = std::chrono::floor<std::chrono::seconds>(clock->now().wall) + hours(2);
  const Entity server_leaf = alpha_leaf(kIn2025, end + hours(24));
  demo_pki::OcspSpec spec;
  spec.produced_at = clock->now().wall - hours(1);
  const demo_pki::OcspAnswer answer{server_leaf, clock->now().wall - hours(1), end};
  const std::string staple = world().alpha.intermediates.front().ocsp_response_der({answer}, spec);
  TlsContextConfig config = world().config(server_leaf);
  const auto with_staple = config.credentials->with_ocsp_response(octets(staple));
  REQUIRE(with_staple);
  config.credentials = *with_staple;
  const TlsContext context = make_context(config);

  Host server(options);
  Host client(options);
  answer_requests(server);
  const Endpoint at = server.listen(context);
  server.listen(context);  // a second address of the same service
  const auto id = client.transport().connect(target(at, world().context(world().beta)));
  REQUIRE(id);
  run_until({&server, &client}, [&] { return client.count("Connected") == 1; });
  CHECK(client.last("Connected").peer->path->ocsp_valid_until == end);
  const auto exchange = [&] {
    const std::size_t before = client.count("Message");
    REQUIRE(client.transport().send(*id, octets(options_request(1))));
    run_until({&server, &client}, [&] { return client.count("Message") > before; });
  };
  exchange();
  CHECK(server.count_warnings(Errc::ocsp_response_invalid) == 0);
  clock->advance(hours(3));
  exchange();
  CHECK(server.count_warnings(Errc::ocsp_response_invalid) == 1);
  for (int i = 0; i < 5; ++i) {
    clock->advance(minutes(2));
    exchange();
  }
  CHECK(server.count_warnings(Errc::ocsp_response_invalid) == 1);
  CHECK(server.count_warnings(Errc::certificate_expired) == 0);
  clock->advance(hours(48));
  exchange();
  CHECK(server.count_warnings(Errc::certificate_expired) == 1);
  // The clock is set back, and on again.
  clock->set_wall(end - hours(1));
  clock->advance(minutes(2));
  exchange();
  clock->set_wall(end + hours(1));
  clock->advance(minutes(2));
  exchange();
  CHECK(server.count_warnings(Errc::ocsp_response_invalid) == 2);
}

TEST_CASE("An event that is held survives an update and a judgement of its connection") {
  Stage stage;
  TlsContextConfig strict = world().config(world().alpha.leaf);
  strict.allowed_peers = {"gamma.example"};
  stage.server.on_event = [&](const Event& event, const Seen& seen) {
    const auto* message = std::get_if<Message>(&event);
    if (message == nullptr || stage.server.count("Message") != 1) return;
    const auto report =
        stage.server.transport().update(stage.server.listener, make_context(strict));
    REQUIRE(report);
    REQUIRE(stage.server.transport().reverify(report->generation));
    const auto bytes = message->message.bytes();
    CHECK(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) == seen.text);
    CHECK(message->message.call_id() == "1@beta.example");
  };
  std::string burst;
  for (unsigned i = 1; i <= 5; ++i) burst += options_request(i);
  REQUIRE(stage.client.transport().send(target(stage.at, stage.client_context), octets(burst)));
  stage.until([&] { return stage.server.count("Closed") == 1; });
  CHECK(stage.server.last("Closed").failed_with(Errc::identity_not_allowed));
  // What had come before the judgement was handed out; nothing after it.
  CHECK(stage.server.seen.back().kind == "Closed");
}

TEST_CASE(
    "An expired certificate of a further name is no reason to give up the old context either") {
  Stage stage;
  TlsContextConfig config = world().config(world().alpha.leaf, TlsPolicy::modern());
  demo_pki::CertificateSpec spec = demo_pki::sip_spec("gamma.example");
  spec.not_after = kIn2025;
  config.more_credentials = {world().credentials(leaf(spec))};
  const auto context = TlsContext::create(config);
  REQUIRE(context);
  const ListenerId id = stage.server.listener;
  CHECK(reason(stage.server.transport().update(id, *context)) == "certificate_expired");
}
