// Several addresses of one host: listeners, source addresses, both families.
#include "catch.hpp"
#include "transport/harness.hpp"
#include "transport/raw_peer.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

const demo_pki::Entity& gamma() {
  static const demo_pki::Entity the_gamma = demo_pki::Entity::issued_by(
      world().alpha.intermediates.front(), demo_pki::sip_spec("gamma.example"));
  return the_gamma;
}

TlsContext alpha_context() { return world().context(world().alpha.leaf); }

Endpoint endpoint(const char* text, std::uint16_t port = 0) {
  const auto parsed = Endpoint::parse(text, port);
  REQUIRE(parsed);
  return *parsed;
}

// A port that nobody listens at on the addresses of the tests.
std::uint16_t dead_port() { return RawServer().endpoint().port(); }

bool connects(Host& server, Host& client, const Target& to) {
  client.seen.clear();
  server.seen.clear();
  REQUIRE(client.transport().connect(to));
  run_until({&server, &client}, [&] {
    return client.count("ConnectFailed") + client.count("HandshakeFailed") == 1 ||
           client.count("Connected") + server.count("Connected") == 2;
  });
  return client.count("Connected") == 1;
}

}  // namespace

TEST_CASE("Each virtual server proves its own domain on its own address") {
  Host server;
  Host client;
  const Endpoint alpha_at = server.listen(alpha_context(), "127.0.0.2");
  const ListenerId alpha_listener = server.listener;
  const Endpoint gamma_at = server.listen(world().context(gamma()), "127.0.0.3");
  const TlsContext context = world().context(world().beta);
  CHECK(connects(server, client, target(alpha_at, context, "alpha.example")));
  CHECK(server.last("Connected").local == alpha_at);
  CHECK(connects(server, client, target(gamma_at, context, "gamma.example")));
  CHECK(server.last("Connected").local == gamma_at);
  CHECK_FALSE(connects(server, client, target(gamma_at, context, "alpha.example")));
  CHECK(client.last("HandshakeFailed").failed_with(Errc::identity_mismatch));
  CHECK(server.transport().local_endpoint(alpha_listener)->address_text() == "127.0.0.2");
}

TEST_CASE("A connection leaves from the address that its target names") {
  struct Row {
    const char* server;
    const char* source;
  };
  for (const Row& row :
       {Row{"127.0.0.1", "127.0.0.5"}, Row{"127.0.0.1", "127.0.0.6"}, Row{"::1", "::1"}}) {
    CAPTURE(row.server, row.source);
    Host server;
    Host client;
    Target to = target(server.listen(alpha_context(), row.server), world().context(world().beta));
    to.local = endpoint(row.source);
    REQUIRE(connects(server, client, to));
    CHECK(server.last("Connected").remote.address_text() == row.source);
    CHECK(client.last("Connected").local == server.last("Connected").remote);
    CHECK(client.last("Connected").local.port() != 0);
  }
}

TEST_CASE("Connections from two source addresses are not each other's") {
  Host server;
  Host client;
  Target to = target(server.listen(alpha_context()), world().context(world().beta));
  to.local = endpoint("127.0.0.5");
  const auto first = client.transport().connect(to);
  CHECK(*client.transport().connect(to) == *first);
  to.local = endpoint("127.0.0.6");
  CHECK(*client.transport().connect(to) != *first);
}

TEST_CASE("A source address of the wrong family is told as such") {
  Host server;
  Host client;
  const Endpoint at = server.listen(alpha_context());
  Target to = target(at, world().context(world().beta));
  to.local = endpoint("::1");
  const auto refused = client.transport().connect(to);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().reason() == Errc::invalid_argument);
  CHECK(refused.error().evidence().find("family") != std::string::npos);
  CHECK_FALSE(client.transport().send(to, octets(options_request(1))));
  CHECK(client.transport().connection_count() == 0);

  // With one address that suits, the others just do not work.
  const std::uint16_t dead = dead_port();
  to.remotes = {endpoint("::1", dead), endpoint("127.0.0.1", dead)};
  to.local = endpoint("127.0.0.5");
  CHECK_FALSE(connects(server, client, to));
  const auto& attempts = client.last("ConnectFailed").attempts;
  REQUIRE(attempts.size() == 2);
  CHECK(attempts[0].error.reason() == Errc::connect_failed);
  CHECK(attempts[0].error.evidence().find("families") != std::string::npos);
  CHECK(attempts[1].error.reason() == Errc::connection_refused);
  to.remotes.push_back(at);
  CHECK(connects(server, client, to));
}

TEST_CASE("A target's addresses are tried in their order, whatever their family") {
  Host server;
  Host client;
  const Endpoint four = server.listen(alpha_context(), "127.0.0.1");
  const Endpoint six = server.listen(alpha_context(), "::1");
  const std::uint16_t dead = dead_port();
  struct Row {
    std::vector<Endpoint> remotes;
    Endpoint reached;
  };
  const Row rows[] = {{{six, four}, six},
                      {{four, six}, four},
                      {{endpoint("::1", dead), four, six}, four},
                      {{endpoint("127.0.0.1", dead), endpoint("::1", dead), six}, six}};
  for (const Row& row : rows) {
    CAPTURE(row.remotes.size(), row.reached.to_string());
    Target to = target(row.reached, world().context(world().beta));
    to.remotes = row.remotes;
    REQUIRE(connects(server, client, to));
    CHECK(client.last("Connected").remote == row.reached);
    CHECK(server.last("Connected").local == row.reached);
  }
}

TEST_CASE("A listener can wait for an address that this host does not have yet") {
  Host server;
  for (const char* address : {"192.0.2.77", "2001:db8::77"}) {
    CAPTURE(address);
    ListenOptions options{endpoint(address), alpha_context()};
    const auto refused = server.transport().listen(options);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason() == Errc::address_not_available);
    options.binding = ListenOptions::Binding::may_come_later;
    const auto listening = server.transport().listen(options);
    REQUIRE(listening);
    CHECK(server.transport().local_endpoint(*listening)->address_text() == address);
  }
  CHECK(server.transport().metrics().listeners == 2);
}

TEST_CASE("Listeners come and go while connections stay") {
  Host server;
  Host client;
  answer_requests(server);
  const TlsContext context = world().context(world().beta);
  const Endpoint first = server.listen(alpha_context(), "127.0.0.2");
  const ListenerId first_listener = server.listener;
  REQUIRE(connects(server, client, target(first, context)));
  const ConnectionId open = client.last("Connected").connection;

  const Endpoint second = server.listen(alpha_context(), "127.0.0.3");
  REQUIRE(connects(server, client, target(second, context)));
  REQUIRE(server.transport().stop_listening(first_listener));
  const auto gone = server.transport().local_endpoint(first_listener);
  REQUIRE_FALSE(gone);
  CHECK(gone.error().reason() == Errc::unknown_listener);
  CHECK_FALSE(connects(server, client, target(first, world().context(world().beta))));
  CHECK(client.last("ConnectFailed").failed_with(Errc::connection_refused));

  REQUIRE(client.transport().send(open, octets(options_request(1))));
  run_until({&server, &client}, [&] { return client.count("Message") == 1; });

  // The address and port are free for another one.
  const auto again = server.transport().listen(ListenOptions{first, alpha_context()});
  REQUIRE(again);
  CHECK(connects(server, client, target(first, world().context(world().beta))));
  CHECK(server.last("Connected").local == first);
}

TEST_CASE("A listener on all IPv6 addresses takes no IPv4, unless it is to be dual") {
  using Families = ListenOptions::Families;
  const TlsContext context = world().context(world().beta);
  for (const Families families : {Families::own, Families::dual}) {
    CAPTURE(families == Families::dual);
    Host server;
    Host client;
    ListenOptions options{endpoint("::"), alpha_context()};
    options.families = families;
    const auto listening = server.transport().listen(options);
    REQUIRE(listening);
    const std::uint16_t port = server.transport().local_endpoint(*listening)->port();
    const Endpoint four = endpoint("127.0.0.1", port);
    const Endpoint six = endpoint("::1", port);
    REQUIRE(connects(server, client, target(six, context)));
    CHECK(server.last("Connected").local == six);
    if (families == Families::own) {
      // The port of IPv4 is another one's.
      const auto other = server.transport().listen(ListenOptions{four, alpha_context()});
      REQUIRE(other);
      REQUIRE(server.transport().stop_listening(*other));
      CHECK_FALSE(connects(server, client, target(four, context)));
      continue;
    }
    REQUIRE(connects(server, client, target(four, context)));
    // IPv4 looks like IPv4.
    const Seen& connected = server.last("Connected");
    CHECK(connected.local == four);
    CHECK(connected.remote == client.last("Connected").local);
    CHECK(connected.remote.family() == AddressFamily::ipv4);
    CHECK(connected.wire_remote == connected.remote);
  }
}

TEST_CASE("Only a listener on all IPv6 addresses can be dual") {
  Host server;
  for (const char* address : {"::1", "127.0.0.1", "0.0.0.0"}) {
    CAPTURE(address);
    ListenOptions options{endpoint(address), alpha_context()};
    options.families = ListenOptions::Families::dual;
    const auto listening = server.transport().listen(options);
    REQUIRE_FALSE(listening);
    CHECK(listening.error().reason() == Errc::invalid_argument);
  }
}
