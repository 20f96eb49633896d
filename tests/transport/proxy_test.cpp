// Listeners behind a load balancer: the PROXY header in front of TLS.
#include "catch.hpp"
#include "transport/harness.hpp"
#include "transport/raw_peer.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

using namespace std::string_literals;

const std::string kText = "PROXY TCP4 192.0.2.1 192.0.2.2 40000 5061\r\n";
const std::string kBinary =
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0C\xC0\x00\x02\x01\xC0\x00\x02\x02\x9C\x40\x13\xC5"s;
const std::string kIpv6 = "PROXY TCP6 2001:db8::1 2001:db8::2 40000 5061\r\n";
const std::string kLocal = "\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"s;
const std::string kUnknown = "PROXY UNKNOWN\r\n";
// With addresses that mean nothing.
const std::string kLocalWithBlock =
    "\r\n\r\n\0\r\nQUIT\n\x20\x11\x00\x0C\xC0\x00\x02\x01\xC0\x00\x02\x02\x9C\x40\x13\xC5"s;

std::vector<AddressRange> ranges(std::initializer_list<const char*> texts) {
  std::vector<AddressRange> result;
  for (const char* text : texts) result.push_back(*AddressRange::parse(text));
  return result;
}

// A server behind balancers on 127.0.0.0/30, and what a client of the other side needs.
struct Stage {
  explicit Stage(ProxyProtocol allowed = ProxyProtocol::either,
                 std::initializer_list<const char*> sources = {"127.0.0.0/30"})
      : clock(std::make_shared<ManualClock>(Clock::system()->now())), server(options()) {
    ListenOptions listening{*Endpoint::parse("127.0.0.1", 0), world().context(world().alpha.leaf)};
    listening.proxy = allowed;
    listening.proxy_sources = ranges(sources);
    const auto listener = server.transport().listen(listening);
    REQUIRE(listener);
    at = *server.transport().local_endpoint(*listener);
    answer_requests(server);
  }

  TransportOptions options() const {
    TransportOptions result;
    result.clock = clock;
    result.log.level = LogLevel::debug;
    result.log.write = [count = lines](const LogLine& line) {
      if (line.text.find("load balancer 127.0.0.1:") != std::string_view::npos) ++*count;
    };
    return result;
  }
  RawTlsClient connect(std::string_view header) const {
    return {at, context, "alpha.example", {}, header};
  }
  void run_to(RawTlsClient& client, std::string_view kind) {
    run_until({&server}, [&] { return client.step(), server.count(kind) == 1; });
  }

  std::shared_ptr<ManualClock> clock;
  // Of the log, about the balancer.
  std::shared_ptr<std::uint64_t> lines = std::make_shared<std::uint64_t>(0);
  Host server;
  TlsContext context = world().context(world().beta);
  Endpoint at;
};

}  // namespace

TEST_CASE("A PROXY header gives the peer's address, and the balancer's stays known") {
  struct Row {
    ProxyProtocol allowed;
    std::string header;
    const char* remote;  // null: TCP's own
    const char* local;
  };
  const Row rows[] = {
      {ProxyProtocol::version1, kText, "192.0.2.1:40000", "192.0.2.2:5061"},
      {ProxyProtocol::version2, kBinary, "192.0.2.1:40000", "192.0.2.2:5061"},
      {ProxyProtocol::either, kText, "192.0.2.1:40000", "192.0.2.2:5061"},
      {ProxyProtocol::either, kBinary, "192.0.2.1:40000", "192.0.2.2:5061"},
      {ProxyProtocol::either, kIpv6, "[2001:db8::1]:40000", "[2001:db8::2]:5061"},
      {ProxyProtocol::either, kLocal, nullptr, nullptr},
      {ProxyProtocol::either, kUnknown, nullptr, nullptr},
  };
  for (const Row& row : rows) {
    CAPTURE(row.remote == nullptr ? "wire" : row.remote, row.header.size());
    Stage stage(row.allowed);
    RawTlsClient client = stage.connect(row.header);
    stage.run_to(client, "Connected");
    const Seen connected = stage.server.last("Connected");
    client.send(options_request(1));
    stage.run_to(client, "Message");
    const Seen& message = stage.server.last("Message");
    CHECK(connected.wire_remote.address_text() == "127.0.0.1");
    CHECK(connected.wire_remote.port() != stage.at.port());
    if (row.remote == nullptr) {
      CHECK(connected.remote == connected.wire_remote);
      CHECK(connected.local == stage.at);
    } else {
      CHECK(connected.remote.to_string() == row.remote);
      CHECK(connected.local.to_string() == row.local);
    }
    CHECK(message.remote == connected.remote);
    CHECK(message.local == connected.local);
    run_until({&stage.server}, [&] { return client.step(), !client.plaintext.empty(); });
    client.peer().reset();
    stage.run_to(client, "Closed");
  }
}

TEST_CASE("Without a PROXY header both ends are TCP's own") {
  Host server;
  Host client;
  const Endpoint at = server.listen(world().context(world().alpha.leaf));
  REQUIRE(client.transport().connect(target(at, world().context(world().beta))));
  run_until({&server, &client},
            [&] { return server.count("Connected") + client.count("Connected") == 2; });
  const Seen& here = server.last("Connected");
  const Seen& there = client.last("Connected");
  CHECK(here.wire_remote == here.remote);
  CHECK(there.wire_remote == there.remote);
  CHECK(there.wire_remote == at);
}

TEST_CASE("A PROXY header that comes in two pieces is put together") {
  for (const std::string& header : {kText, kBinary}) {
    for (const std::size_t cut : {std::size_t{1}, std::size_t{5}, std::size_t{12}, std::size_t{15},
                                  std::size_t{16}, header.size() - 1, header.size()}) {
      CAPTURE(header.size(), cut);
      Stage stage;
      RawPeer peer = RawPeer::connect(stage.at);
      auto session = TlsSession::client(stage.context, "alpha.example", stage.clock->now());
      REQUIRE(session);
      const auto hello = session->pending_output();
      peer.write(header.substr(0, cut));
      settle({&stage.server});
      CHECK(stage.server.seen.empty());
      // The rest of the header and the first octets of TLS in one.
      peer.write(header.substr(cut) +
                 std::string(reinterpret_cast<const char*>(hello.data()), hello.size()));
      // The server's answer proves that it has got the whole ClientHello.
      run_until({&stage.server}, [&] { return peer.poll(), peer.received.size() > 100; });
      CHECK(peer.received[0] == '\x16');
      CHECK_FALSE(peer.plain_alert());
      CHECK(stage.server.seen.empty());
    }
  }
}

TEST_CASE("Who is no balancer of a listener is reset, counted, and makes no event") {
  Stage stage(ProxyProtocol::either, {"192.0.2.0/24", "127.0.0.2", "::1"});
  RawPeer peer = RawPeer::connect(stage.at);
  peer.write(kText);
  run_until({&stage.server}, [&] { return peer.poll(), peer.ended; });
  CHECK(peer.was_reset);
  settle({&stage.server});
  CHECK(stage.server.seen.empty());
  CHECK(stage.server.transport().connection_count() == 0);
  const TransportMetrics metrics = stage.server.transport().metrics();
  CHECK(metrics.accepts_refused == TransportMetrics::ByReason{{Errc::proxy_source_not_allowed, 1}});
  CHECK(metrics.handshake_failures.empty());
}

TEST_CASE("A balancer that sends no good header is reset and told about") {
  struct Row {
    ProxyProtocol allowed;
    std::string sent;
  };
  const Row rows[] = {
      {ProxyProtocol::either, "\x16\x03\x01\x02\x00\x01"s},  // TLS at once
      {ProxyProtocol::either, "\r\n\r\n\r\n\r\n"},           // pings
      {ProxyProtocol::version1, kBinary},
      {ProxyProtocol::version2, kText},
      {ProxyProtocol::version2, kBinary.substr(0, 12) + "\x21\x11\x00\x04\x01\x02\x03\x04"s},
  };
  for (const Row& row : rows) {
    CAPTURE(row.sent.size());
    Stage stage(row.allowed);
    RawPeer peer = RawPeer::connect(stage.at);
    peer.write(row.sent);
    run_until({&stage.server}, [&] { return stage.server.count("HandshakeFailed") == 1; });
    CHECK(stage.server.last("HandshakeFailed").failed_with(Errc::proxy_header_invalid));
    run_until({&stage.server}, [&] { return peer.poll(), peer.ended; });
    CHECK(peer.was_reset);
    CHECK(peer.received.empty());
    CHECK(stage.server.transport().connection_count() == 0);
    // The next one is served.
    RawTlsClient good = stage.connect(row.allowed == ProxyProtocol::version2 ? kBinary : kText);
    stage.run_to(good, "Connected");
  }
}

TEST_CASE("A PROXY header that does not come is waited for as long as a handshake") {
  for (const std::string& sent : {""s, kText.substr(0, 20), kBinary.substr(0, 14), kLocal}) {
    CAPTURE(sent.size());
    Stage stage;
    RawPeer peer = RawPeer::connect(stage.at);
    peer.write(sent);
    run_until({&stage.server}, [&] { return stage.server.transport().connection_count() == 1; });
    settle({&stage.server});
    stage.clock->advance(std::chrono::milliseconds(9'999));
    stage.server.take_events();
    CHECK(stage.server.seen.empty());
    stage.clock->advance(std::chrono::milliseconds(1));
    stage.server.take_events();
    REQUIRE(stage.server.count("HandshakeFailed") == 1);
    CHECK(stage.server.last("HandshakeFailed").failed_with(Errc::handshake_timeout));
  }
}

TEST_CASE("A balancer that ends inside its header is told about") {
  Stage stage;
  RawPeer peer = RawPeer::connect(stage.at);
  peer.write(kBinary.substr(0, 20));
  settle({&stage.server});
  peer.end();
  run_until({&stage.server}, [&] { return stage.server.count("HandshakeFailed") == 1; });
  CHECK(stage.server.last("HandshakeFailed").failed_with(Errc::truncated));
  CHECK(stage.server.transport().connection_count() == 0);
}

TEST_CASE("A balancer's health checks are counted and told to the log, and make no event") {
  for (const bool by_reset : {false, true}) {
    for (const std::string& sent : {""s, kLocal, kUnknown, kLocalWithBlock}) {
      CAPTURE(by_reset, sent.size());
      Stage stage;
      for (std::uint64_t i = 1; i <= 3; ++i) {
        RawPeer check = RawPeer::connect(stage.at);
        check.write(sent);
        run_until({&stage.server},
                  [&] { return stage.server.transport().connection_count() == 1; });
        settle({&stage.server});
        by_reset ? check.reset() : check.end();
        run_until({&stage.server},
                  [&] { return stage.server.transport().connection_count() == 0; });
        settle({&stage.server});
        CHECK(stage.server.transport().metrics().health_checks == i);
        CHECK(*stage.lines == i);
      }
      CHECK(stage.server.seen.empty());
      const TransportMetrics metrics = stage.server.transport().metrics();
      CHECK(metrics.accepted == 3);
      CHECK(metrics.handshakes == 0);
      CHECK(metrics.handshake_failures.empty());
      CHECK(metrics.accepts_refused.empty());
    }
  }
}

TEST_CASE("What a balancer brings and does not bring to an end is no health check") {
  const std::string hello = "\x16\x03\x01\x02\x00\x01"s;
  // A peer that goes, before or inside its first record, through a balancer that names it or not.
  for (const std::string& sent :
       {kText, kBinary, kText + hello, kLocal + hello, kUnknown + hello}) {
    for (const bool in_two : {false, true}) {
      CAPTURE(sent.size(), in_two);
      Stage stage;
      RawPeer peer = RawPeer::connect(stage.at);
      const std::size_t cut = in_two ? sent.size() - 6 : 0;
      peer.write(sent.substr(0, cut));
      settle({&stage.server});
      peer.write(sent.substr(cut));
      settle({&stage.server});
      peer.end();
      run_until({&stage.server}, [&] { return stage.server.count("HandshakeFailed") == 1; });
      CHECK(stage.server.last("HandshakeFailed").failed_with(Errc::truncated));
      CHECK(stage.server.transport().metrics().health_checks == 0);
    }
  }
}

TEST_CASE("A listener with PROXY headers must be told from whom it takes them") {
  Host server;
  ListenOptions options{*Endpoint::parse("127.0.0.1", 0), world().context(world().alpha.leaf)};
  options.proxy = ProxyProtocol::either;
  const auto listening = server.transport().listen(options);
  REQUIRE_FALSE(listening);
  CHECK(listening.error().reason() == Errc::invalid_argument);
}

TEST_CASE("A PROXY header is never guessed") {
  Host server;
  const Endpoint at = server.listen(world().context(world().alpha.leaf));
  RawTlsClient client(at, world().context(world().beta), "alpha.example", {}, kBinary);
  run_until({&server}, [&] { return client.step(), server.count("HandshakeFailed") == 1; });
  CHECK(server.last("HandshakeFailed").failed_with(Errc::not_tls));
}

TEST_CASE("A peer behind a balancer is reused by the address that its PROXY header told") {
  Stage stage;
  RawTlsClient client = stage.connect(kText);
  stage.server.on_event = [&](const Event& event, const Seen&) {
    const auto* message = std::get_if<Message>(&event);
    if (message == nullptr) return;
    CHECK(stage.server.transport().accept_alias(message->connection, message->message));
  };
  stage.run_to(client, "Connected");
  std::string request = options_request(1);
  request.replace(request.find(";branch"), 7, ":5070;alias;branch");
  client.send(request);
  stage.run_to(client, "Message");
  const ConnectionId connection = stage.server.last("Message").connection;
  const auto connect = [&](const char* remote) {
    return stage.server.transport().connect(
        target(*Endpoint::parse(remote), world().context(world().alpha.leaf), "beta.example"));
  };
  CHECK(*connect("192.0.2.1:5070") == connection);
  CHECK(*connect("127.0.0.1:5070") != connection);
}
