// Each limit of TransportLimits: what is refused, with which reason, where it is counted, and that
// it goes on afterwards.
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "catch.hpp"
#include "siptls/keep_alive.hpp"
#include "transport/harness.hpp"
#include "transport/raw_peer.hpp"

using namespace siptls;
using namespace siptls_test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// A server whose clock is moved by hand, and who can come to it.
struct Stage {
  explicit Stage(const TransportLimits& limits)
      : clock(std::make_shared<ManualClock>(Clock::system()->now())), server(with(limits)) {
    at = server.listen(world().context(world().alpha.leaf));
  }

  TransportOptions with(const TransportLimits& limits) const {
    TransportOptions options;
    options.clock = clock;
    options.limits = limits;
    return options;
  }
  void advance(milliseconds by) {
    clock->advance(by);
    server.take_events();
  }
  // From another address than others.
  RawPeer peer_from(const std::string& address) const {
    auto socket = net::start_connect(at, *Endpoint::parse(address, 0));
    REQUIRE(socket);
    return RawPeer(std::move(*socket));
  }
  Target target_from(const std::string& address) const {
    Target found = target(at, world().context(world().beta));
    found.local = *Endpoint::parse(address, 0);
    return found;
  }
  RawTlsClient connected_client() {
    RawTlsClient client(at, world().context(world().beta));
    const std::size_t before = server.count("Connected");
    run_until({&server}, [&] { return client.step(), server.count("Connected") > before; });
    return client;
  }
  void check_serves(const std::string& address = "127.0.0.1") {
    Host client;
    const std::size_t before = server.count("Connected");
    REQUIRE(client.transport().connect(target_from(address)));
    run_until({&server, &client}, [&] { return server.count("Connected") == before + 1; });
    client.transport().close_all();
    run_until({&server, &client}, [&] { return client.transport().connection_count() == 0; });
  }

  std::shared_ptr<ManualClock> clock;
  Host server;
  Endpoint at;
};

std::uint64_t counted(const TransportMetrics::ByReason& counts, Errc reason) {
  const auto found = counts.find(reason);
  return found == counts.end() ? 0 : found->second;
}

void check_reset(Stage& stage, RawPeer& peer) {
  run_until({&stage.server}, [&] { return peer.poll(), peer.ended; });
  CHECK(peer.was_reset);
  CHECK(peer.received.empty());
}

}  // namespace

TEST_CASE("One address has so many connections and no more, and others are served") {
  TransportLimits limits;
  limits.max_connections_per_address = 2;
  Stage stage(limits);
  RawTlsClient first = stage.connected_client();
  RawTlsClient second = stage.connected_client();
  RawPeer third = stage.peer_from("127.0.0.1");
  check_reset(stage, third);
  TransportMetrics metrics = stage.server.transport().metrics();
  CHECK(counted(metrics.accepts_refused, Errc::too_many_from_address) == 1);
  CHECK(metrics.accepted == 3);
  CHECK(metrics.connections == 2);
  CHECK(stage.server.seen.size() == 2);  // Connected, twice
  stage.check_serves("127.0.0.2");
  first.peer().reset();
  run_until({&stage.server}, [&] { return stage.server.transport().connection_count() == 1; });
  stage.check_serves("127.0.0.1");
  CHECK(stage.server.count("ListenerPaused") == 0);
}

TEST_CASE("Behind a load balancer it is the address in its header that counts") {
  TransportLimits limits;
  limits.max_connections_per_address = 1;
  Stage stage(limits);
  ListenOptions options{*Endpoint::parse("127.0.0.1", 0), world().context(world().alpha.leaf)};
  options.proxy = ProxyProtocol::version1;
  options.proxy_sources = {*AddressRange::parse("127.0.0.0/8")};
  const auto listener = stage.server.transport().listen(options);
  REQUIRE(listener);
  const Endpoint behind = *stage.server.transport().local_endpoint(*listener);
  const auto come = [&](const std::string& address) {
    RawPeer peer = RawPeer::connect(behind);
    peer.write("PROXY TCP4 " + address + " 192.0.2.100 1000 5061\r\n");
    settle({&stage.server});
    return peer;
  };
  RawPeer first = come("192.0.2.1");
  RawPeer other = come("192.0.2.2");
  CHECK(stage.server.transport().connection_count() == 2);
  RawPeer second = come("192.0.2.1");
  check_reset(stage, second);
  CHECK(counted(stage.server.transport().metrics().accepts_refused, Errc::too_many_from_address) ==
        1);
  CHECK(stage.server.seen.empty());
  first.reset();
  run_until({&stage.server}, [&] { return stage.server.count("HandshakeFailed") == 1; });
  RawPeer again = come("192.0.2.1");
  CHECK(stage.server.transport().connection_count() == 2);
}

TEST_CASE("One address has so many handshakes and no more, and others are served") {
  TransportLimits limits;
  limits.max_handshakes_per_address = 3;
  Stage stage(limits);
  std::vector<RawPeer> silent;
  for (int i = 0; i < 3; ++i) silent.push_back(stage.peer_from("127.0.0.1"));
  run_until({&stage.server}, [&] { return stage.server.transport().connection_count() == 3; });
  RawPeer fourth = stage.peer_from("127.0.0.1");
  check_reset(stage, fourth);
  CHECK(counted(stage.server.transport().metrics().accepts_refused, Errc::too_many_from_address) ==
        1);
  CHECK(stage.server.seen.empty());
  stage.check_serves("127.0.0.2");
  stage.advance(milliseconds(10'100));
  CHECK(stage.server.count("HandshakeFailed") == 3);
  stage.check_serves("127.0.0.1");
}

TEST_CASE("At the limit of handshakes the listener pauses until some are done") {
  TransportLimits limits;
  limits.max_handshakes = 8;
  Stage stage(limits);
  std::vector<RawPeer> silent;
  for (int i = 0; i < 10; ++i) {
    silent.push_back(stage.peer_from("127.0.0." + std::to_string(1 + i % 4)));
  }
  run_until({&stage.server}, [&] { return stage.server.count("ListenerPaused") == 1; });
  CHECK(stage.server.last("ListenerPaused").failed_with(Errc::too_many_handshakes));
  TransportMetrics metrics = stage.server.transport().metrics();
  CHECK(metrics.handshakes == 8);
  CHECK(metrics.listeners_paused == 1);
  CHECK(counted(metrics.listener_pauses, Errc::too_many_handshakes) == 1);
  stage.advance(milliseconds(10'100));
  CHECK(stage.server.count("HandshakeFailed") == 8);
  CHECK(stage.server.count("ListenerResumed") == 1);
  stage.check_serves();
  metrics = stage.server.transport().metrics();
  CHECK(metrics.handshakes == 2);
  CHECK(metrics.listeners_paused == 0);
}

TEST_CASE("Connections are accepted at the rate, and the host is not flooded with pauses") {
  TransportLimits limits;
  limits.accept_rate = {20, 5};
  limits.handshake_timeout = seconds(100);
  Stage stage(limits);
  std::vector<RawPeer> waiting;
  for (int i = 0; i < 120; ++i) waiting.push_back(stage.peer_from("127.0.0.1"));
  run_until({&stage.server}, [&] { return stage.server.count("ListenerPaused") == 1; });
  CHECK(stage.server.last("ListenerPaused").failed_with(Errc::accept_rate_reached));
  CHECK(stage.server.transport().connection_count() == 5);
  milliseconds passed{0};
  for (const int step : {10, 40, 49, 1, 100, 250, 20, 80, 400, 37, 63, 500, 450, 999, 1}) {
    stage.advance(milliseconds(step));
    passed += milliseconds(step);
    CAPTURE(passed.count());
    const double seconds_passed = static_cast<double>(passed.count()) / 1000.0;
    CHECK(static_cast<double>(stage.server.transport().connection_count()) <=
          5.0 + 20.0 * seconds_passed);
    CHECK(static_cast<double>(stage.server.count("ListenerPaused")) <= 1.0 + 10.0 * seconds_passed);
  }
  CHECK(stage.server.transport().connection_count() >= 30);
  CHECK(stage.server.count("ListenerResumed") >= 5);
  const TransportMetrics metrics = stage.server.transport().metrics();
  CHECK(counted(metrics.listener_pauses, Errc::accept_rate_reached) ==
        stage.server.count("ListenerPaused"));
  CHECK(metrics.accepts_refused.empty());
}

TEST_CASE("Connections that come and go at the limit make no flood of pauses") {
  TransportLimits limits;
  limits.max_connections = 1;
  Stage stage(limits);
  std::vector<RawPeer> waiting;
  for (int i = 0; i < 10; ++i) waiting.push_back(stage.peer_from("127.0.0.1"));
  std::size_t ended = 0;
  for (int step = 0; step < 100 && ended < waiting.size(); ++step) {
    settle({&stage.server});
    CHECK(stage.server.count("ListenerPaused") <= 2u + static_cast<std::size_t>(step / 10));
    if (stage.server.transport().connection_count() == 1) {
      waiting[ended++].reset();
    } else {
      stage.advance(milliseconds(10));
    }
  }
  settle({&stage.server});
  CHECK(stage.server.count("HandshakeFailed") == waiting.size());
}

TEST_CASE("Out of descriptors the listener pauses without spinning, and goes on") {
#ifdef __SANITIZE_ADDRESS__
  // UndefinedBehaviorSanitizer opens pipes to look at memory, and takes it for bad without any.
  SUCCEED("not under sanitizers, which need descriptors of their own");
  return;
#endif
  Stage stage({});
  std::vector<RawPeer> waiting;
  for (int i = 0; i < 3; ++i) waiting.push_back(stage.peer_from("127.0.0.1"));
  rlimit usual{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &usual) == 0);
  const int lowest_free = ::dup(0);
  ::close(lowest_free);
  rlimit none = usual;
  none.rlim_cur = static_cast<rlim_t>(lowest_free);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  stage.server.take_events();
  stage.server.take_events();
  const std::size_t pauses = stage.server.count("ListenerPaused");
  const bool busy = [&] {
    pollfd wait{stage.server.transport().fd(), POLLIN, 0};
    return ::poll(&wait, 1, 0) != 0;
  }();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &usual) == 0);
  REQUIRE(pauses == 1);
  CHECK_FALSE(busy);
  CHECK(stage.server.last("ListenerPaused").failed_with(Errc::too_many_files));
  CHECK(counted(stage.server.transport().metrics().listener_pauses, Errc::too_many_files) == 1);
  stage.advance(milliseconds(249));
  CHECK(stage.server.count("ListenerResumed") == 0);
  stage.advance(milliseconds(1));
  CHECK(stage.server.count("ListenerResumed") == 1);
  CHECK(stage.server.transport().connection_count() == 3);
}

TEST_CASE("A peer that never says anything after its handshake is closed") {
  struct Row {
    const char* what;
    std::string says;
    bool host_pauses;
    std::string expected;  // why it is closed 151 s after the handshake
  };
  const Row rows[] = {
      {"nothing", "", false, "first_message_timeout"},
      {"a line break, which means nothing yet", "\r\n", false, "first_message_timeout"},
      {"a message", options_request(1), false, "open"},
      {"a ping", std::string(kPing), false, "open"},
      {"nothing, since the host does not listen", "", true, "open"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Stage stage({});
    RawTlsClient client = stage.connected_client();
    const ConnectionId id = stage.server.last("Connected").connection;
    if (row.host_pauses) REQUIRE(stage.server.transport().pause(id));
    if (!row.says.empty()) client.send(row.says);
    stage.advance(seconds(149));
    CHECK(stage.server.count("Closed") == 0);
    stage.advance(seconds(2));
    const bool closed = stage.server.count("Closed") == 1;
    CHECK((closed ? std::string(to_string(stage.server.last("Closed").error->reason())) : "open") ==
          row.expected);
    CHECK(counted(stage.server.transport().metrics().closed, Errc::first_message_timeout) ==
          (row.expected == "open" ? 0 : 1));
    if (!row.host_pauses) continue;
    // The time begins anew with the host's attention.
    REQUIRE(stage.server.transport().resume(id));
    stage.advance(seconds(149));
    CHECK(stage.server.count("Closed") == 0);
    stage.advance(seconds(2));
    CHECK(stage.server.last("Closed").failed_with(Errc::first_message_timeout));
  }
}

TEST_CASE("A peer that reads nothing of what waits for it is reset; one that reads slowly is not") {
  TransportLimits limits;
  limits.max_queued_bytes = 16 * 1024 * 1024;  // much more than the kernel takes at once
  Stage stage(limits);
  RawTlsClient client = stage.connected_client();
  const ConnectionId id = stage.server.last("Connected").connection;
  client.send(options_request(1));
  run_until({&stage.server}, [&] { return stage.server.count("Message") == 1; });
  const std::string large = options_request(1, std::string(50'000, 'x'));
  std::size_t accepted = 0;
  const auto fill = [&] {
    while (stage.server.transport().send(id, octets(large))) ++accepted;
  };
  fill();
  stage.advance(seconds(31));
  CHECK(stage.server.count("Closed") == 0);
  client.peer().poll();
  stage.server.take_events();
  REQUIRE(stage.server.transport().metrics().queued_bytes > 0);
  fill();
  stage.advance(seconds(31));
  CHECK(stage.server.count("Closed") == 0);
  stage.advance(seconds(2));
  REQUIRE(stage.server.count("Closed") == 1);
  CHECK(stage.server.last("Closed").failed_with(Errc::write_timeout));
  CHECK(stage.server.last("Closed").error->evidence().find("the peer has read nothing") !=
        std::string::npos);
  REQUIRE(stage.server.count("SendFailed") > 0);
  CHECK(stage.server.last("SendFailed").failed_with(Errc::write_timeout));
  CHECK(stage.server.seen.back().kind == "Closed");
  const TransportMetrics metrics = stage.server.transport().metrics();
  CHECK(counted(metrics.closed, Errc::write_timeout) == 1);
  CHECK(counted(metrics.sends_failed, Errc::write_timeout) == stage.server.count("SendFailed"));
  CHECK(counted(metrics.sends_refused, Errc::queue_full) == 2);
  CHECK(metrics.messages_accepted == accepted);
  CHECK(metrics.queued_bytes == 0);
  stage.check_serves();
}

TEST_CASE("Unfinished messages of all peers together are bounded") {
  TransportLimits limits;
  limits.max_buffered_bytes = 50'000;
  Stage stage(limits);
  const std::string whole = options_request(1, std::string(40'000, 'x'));
  RawTlsClient first = stage.connected_client();
  RawTlsClient second = stage.connected_client();
  const ConnectionId id_of_second = stage.server.last("Connected").connection;
  first.send(whole.substr(0, 30'000));
  settle({&stage.server});
  CHECK(stage.server.transport().metrics().buffered_bytes == 30'000);
  second.send(whole.substr(0, 30'000));
  run_until({&stage.server}, [&] { return stage.server.count("Closed") == 1; });
  CHECK(stage.server.last("Closed").failed_with(Errc::buffers_full));
  CHECK(stage.server.last("Closed").connection == id_of_second);
  CHECK(counted(stage.server.transport().metrics().closed, Errc::buffers_full) == 1);
  first.send(whole.substr(30'000));
  run_until({&stage.server}, [&] { return stage.server.count("Message") == 1; });
  // What is whole is not held any more, so there is room again and again.
  RawTlsClient third = stage.connected_client();
  for (int i = 0; i < 3; ++i) {
    third.send(whole.substr(0, 30'000));
    settle({&stage.server});
    third.send(whole.substr(30'000));
    settle({&stage.server});
  }
  CHECK(stage.server.count("Message") == 4);
  CHECK(stage.server.transport().metrics().buffered_bytes == 0);
}

TEST_CASE("Messages that wait for peers that do not read are bounded for all together") {
  TransportLimits limits;
  limits.max_buffered_bytes = 100'000;
  Stage stage(limits);
  std::vector<RawTlsClient> clients;
  std::vector<ConnectionId> ids;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(stage.connected_client());
    ids.push_back(stage.server.last("Connected").connection);
  }
  const std::string large = options_request(1, std::string(30'000, 'x'));
  const auto fill = [&](std::size_t which) {
    for (;;) {
      const auto sent = stage.server.transport().send(ids[which], octets(large));
      if (!sent) return sent.error().reason();
    }
  };
  CHECK(fill(0) == Errc::buffers_full);
  // The others have room of their own, but there is none left for all.
  CHECK(fill(1) == Errc::buffers_full);
  const TransportMetrics metrics = stage.server.transport().metrics();
  CHECK(counted(metrics.sends_refused, Errc::buffers_full) == 2);
  CHECK(metrics.queued_bytes <= 100'000);
  CHECK(metrics.queued_bytes > 50'000);
  REQUIRE(stage.server.transport().abort(ids[0]));
  stage.server.take_events();
  CHECK(stage.server.transport().send(ids[1], octets(large)));
  for (int i = 0; i < 200 && stage.server.transport().metrics().queued_bytes > 0; ++i) {
    clients[1].peer().poll();
    stage.server.take_events();
  }
  CHECK(stage.server.transport().metrics().queued_bytes == 0);
  CHECK(stage.server.transport().send(ids[2], octets(large)));
}

TEST_CASE("A peer that pings more often than it may is closed") {
  TransportLimits limits;
  limits.ping_rate = {10, 5};
  Stage stage(limits);
  RawTlsClient client = stage.connected_client();
  const auto ping = [&](int times) {
    std::string pings;
    for (int i = 0; i < times; ++i) pings += kPing;
    client.send(pings);
    settle({&stage.server});
    client.step();
  };
  ping(5);
  stage.advance(milliseconds(100));
  ping(1);
  stage.advance(milliseconds(300));
  ping(3);
  CHECK(client.plaintext.size() == 9 * kPong.size());
  CHECK(stage.server.count("Closed") == 0);
  ping(1);
  REQUIRE(stage.server.count("Closed") == 1);
  CHECK(stage.server.last("Closed").failed_with(Errc::too_many_pings));
  const TransportMetrics metrics = stage.server.transport().metrics();
  CHECK(counted(metrics.closed, Errc::too_many_pings) == 1);
  CHECK(metrics.pings_received == 9);
  stage.check_serves();
}

TEST_CASE("Each address that does not work is counted with its reason") {
  RawServer nobody;
  const Endpoint refused = nobody.endpoint();
  { const RawServer gone(std::move(nobody)); }
  Stage stage({});
  Host client;
  Target two = target(refused, world().context(world().beta));
  two.remotes.push_back(stage.at);
  REQUIRE(client.transport().connect(two));
  run_until({&stage.server, &client}, [&] { return client.count("Connected") == 1; });
  REQUIRE(client.transport().connect(target(refused, world().context(world().beta))));
  run_until({&client}, [&] { return client.count("ConnectFailed") == 1; });
  const TransportMetrics metrics = client.transport().metrics();
  CHECK(metrics.connect_attempts == 3);
  CHECK(counted(metrics.connect_failures, Errc::connection_refused) == 2);
}

TEST_CASE("With a close_timeout of 0 nobody waits for the peer's close_notify") {
  TransportLimits limits;
  limits.close_timeout = milliseconds(0);
  Stage stage(limits);
  const RawTlsClient client = stage.connected_client();
  REQUIRE(stage.server.transport().close(stage.server.last("Connected").connection));
  stage.server.take_events();
  REQUIRE(stage.server.count("Closed") == 1);
  CHECK_FALSE(stage.server.last("Closed").error);
}
