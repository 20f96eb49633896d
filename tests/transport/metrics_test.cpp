// What a transport counts, and what it tells its log.
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "catch.hpp"
#include "siptls/cipher_suites.hpp"
#include "siptls/siptls.hpp"
#include "transport/harness.hpp"
#include "transport/metrics_table.hpp"

using namespace siptls;       // NOLINT
using namespace siptls_test;  // NOLINT

namespace {

struct Line {
  LogLevel level;
  ConnectionId connection;
  std::string text;
};

TransportOptions logging(LogLevel level, std::vector<Line>& lines) {
  TransportOptions options;
  options.log.level = level;
  options.log.write = [&lines](const LogLine& line) {
    lines.push_back({line.level, line.connection, std::string(line.text)});
  };
  return options;
}

// A request of alpha's peer and its answer.
void exchange(Host& client, Host& server, const Endpoint& address) {
  const std::size_t before = client.count("Message");
  static const TlsContext beta = world().context(world().beta);
  const auto sent = client.transport().send(target(address, beta), octets(options_request(1)));
  REQUIRE(sent);
  run_until({&client, &server}, [&] { return client.count("Message") > before; });
}

// Every line of OpenMetrics text that is no comment: name, labels, value.
std::map<std::string, std::uint64_t> samples(const std::string& text) {
  std::map<std::string, std::uint64_t> found;
  std::istringstream lines(text);
  const std::regex sample("(siptls_[a-z0-9_]+(\\{[a-z]+=\"[^\"]+\"\\})?) ([0-9]+)");
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    std::smatch parts;
    INFO(line);
    REQUIRE(std::regex_match(line, parts, sample));
    REQUIRE(found.emplace(parts[1], std::stoull(parts[3])).second);
  }
  return found;
}

}  // namespace

TEST_CASE("Handshakes are counted by role, version, suite and group, and messages by direction") {
  Host server;
  Host client;
  answer_requests(server);
  const Endpoint address = server.listen(world().context(world().alpha.leaf));
  exchange(client, server, address);
  exchange(client, server, address);

  const TransportMetrics at_client = client.transport().metrics();
  const TransportMetrics at_server = server.transport().metrics();
  CHECK(at_client.handshakes_client == 1);
  CHECK(at_client.handshakes_server == 0);
  CHECK(at_client.connect_attempts == 1);
  CHECK(at_client.connections_reused == 1);
  CHECK(at_client.messages_accepted == 2);
  CHECK(at_client.messages_received == 2);
  CHECK(at_server.accepted == 1);
  CHECK(at_server.handshakes_server == 1);
  CHECK(at_server.handshakes_authenticated == 1);
  CHECK(at_server.handshakes_by_version ==
        std::map<ProtocolVersion, std::uint64_t>{{ProtocolVersion::tls1_3, 1}});
  const PeerInfo peer = *server.last("Connected").peer;
  CHECK(at_server.handshakes_by_suite == TransportMetrics::ByCode{{peer.cipher_suite, 1}});
  CHECK(at_server.handshakes_by_group == TransportMetrics::ByCode{{peer.group, 1}});
  CHECK(at_server.messages_received == 2);
  CHECK(at_server.message_bytes_received == at_client.message_bytes_accepted);
  CHECK(at_server.message_bytes_accepted == at_client.message_bytes_received);
  CHECK(at_server.connections == 1);
  CHECK(at_server.handshakes == 0);
  CHECK(at_server.listeners == 1);
  CHECK(at_server.queued_messages == 0);
  CHECK(at_server.queued_bytes == 0);
}

TEST_CASE("What fails is counted by its reason") {
  Host server;
  Host client;
  answer_requests(server);
  const Endpoint address = server.listen(world().context(world().alpha.leaf));
  SECTION("a handshake, at both ends") {
    const auto stranger = make_context([] {
      TlsContextConfig config = world().config(world().stranger);
      return config;
    }());
    REQUIRE(client.transport().connect(target(address, stranger)));
    run_until({&client, &server}, [&] { return server.count("HandshakeFailed") == 1; });
    run_until({&client, &server}, [&] { return client.transport().connection_count() == 0; });
    CHECK(server.transport().metrics().handshake_failures ==
          TransportMetrics::ByReason{{Errc::unknown_ca, 1}});
    CHECK(client.transport().metrics().handshake_failures.size() == 1);
  }
  SECTION("the end of a connection, and the messages that it took along") {
    exchange(client, server, address);
    const ConnectionId id = client.last("Connected").connection;
    REQUIRE(client.transport().send(id, octets(options_request(2))));
    REQUIRE(client.transport().abort(id));
    run_until({&client, &server}, [&] { return server.count("Closed") == 1; });
    CHECK(client.transport().metrics().closed ==
          TransportMetrics::ByReason{{Errc::connection_aborted, 1}});
    CHECK(client.transport().metrics().closed_clean == 0);
    CHECK(server.transport().metrics().connections == 0);
  }
  SECTION("a clean end is none") {
    exchange(client, server, address);
    REQUIRE(client.transport().close(client.last("Connected").connection));
    run_until({&client, &server},
              [&] { return client.count("Closed") + server.count("Closed") == 2; });
    CHECK(client.transport().metrics().closed_clean == 1);
    CHECK(client.transport().metrics().closed.empty());
  }
}

TEST_CASE("JSON and OpenMetrics carry the same numbers under the same names") {
  Host server;
  Host client;
  answer_requests(server);
  exchange(client, server, server.listen(world().context(world().alpha.leaf)));
  REQUIRE(client.transport().abort(client.last("Connected").connection));
  run_until({&client, &server}, [&] { return server.count("Closed") == 1; });
  TransportMetrics metrics = client.transport().metrics();
  metrics.merge(server.transport().metrics());

  const auto json = nlohmann::json::parse(to_json(metrics));
  const std::string text = to_openmetrics(metrics);
  CHECK(text.ends_with("\n# EOF\n"));
  std::map<std::string, std::uint64_t> from_json;
  const std::map<std::string, std::string> labels = {{"handshakes_by_version", "version"},
                                                     {"handshakes_by_suite", "suite"},
                                                     {"handshakes_by_group", "group"}};
  for (const auto& [name, value] : json.items()) {
    const bool gauge = text.find("# TYPE siptls_" + name + " gauge\n") != std::string::npos;
    const bool counter = text.find("# TYPE siptls_" + name + " counter\n") != std::string::npos;
    INFO(name);
    CHECK(gauge != counter);
    const std::string sample = "siptls_" + name + (counter ? "_total" : "");
    if (value.is_number()) {
      from_json[sample] = value.get<std::uint64_t>();
      continue;
    }
    const auto label = labels.find(name);
    for (const auto& [of, count] : value.items()) {
      from_json[sample + "{" + (label == labels.end() ? "reason" : label->second) + "=\"" + of +
                "\"}"] = count.get<std::uint64_t>();
    }
  }
  CHECK(samples(text) == from_json);
  CHECK(from_json.at("siptls_handshakes_server_total") == 1);
  CHECK(from_json.at("siptls_closed_total{reason=\"connection_aborted\"}") == 1);
  CHECK(from_json.at("siptls_handshakes_by_version_total{version=\"TLS 1.3\"}") == 2);
}

TEST_CASE("merge adds up every number, and every number has its name in JSON and OpenMetrics") {
  // What is no row of the tables would be forgotten by all three; each row is another one.
  CHECK(sizeof(TransportMetrics) ==
        std::size(metrics::kNumbers) * sizeof(std::uint64_t) +
            std::size(metrics::kReasons) * sizeof(TransportMetrics::ByReason) +
            std::size(metrics::kCodes) * sizeof(TransportMetrics::ByCode) +
            sizeof(TransportMetrics::handshakes_by_version));
  const auto fill = [](TransportMetrics& metrics, std::uint64_t times) {
    std::uint64_t number = 0;
    for (const metrics::Number& row : metrics::kNumbers) metrics.*row.value = ++number * times;
    for (const metrics::Reasons& row : metrics::kReasons) {
      metrics.*row.values = {{Errc::idle_timeout, ++number * times}};
    }
    for (const metrics::Codes& row : metrics::kCodes) {
      metrics.*row.values = {{0x001d, ++number * times}};
    }
    metrics.handshakes_by_version = {{ProtocolVersion::tls1_2, ++number * times}};
  };
  TransportMetrics sum;
  TransportMetrics other;
  fill(sum, 1);
  fill(other, 2);
  // There alone: it is not in what it is added to.
  for (const metrics::Reasons& row : metrics::kReasons) (other.*row.values)[Errc::truncated] = 7;
  for (const metrics::Codes& row : metrics::kCodes) (other.*row.values)[0x0017] = 7;
  other.handshakes_by_version[ProtocolVersion::tls1_3] = 7;
  sum.merge(other);

  const auto json = nlohmann::json::parse(to_json(sum));
  const std::string text = to_openmetrics(sum);
  std::uint64_t number = 0;
  const auto check_names = [&](std::string_view name, std::string_view label,
                               std::uint64_t expected) {
    INFO(name);
    CHECK(text.find("siptls_" + std::string(name)) != std::string::npos);
    REQUIRE(json.contains(std::string(name)));
    const auto& value = json[std::string(name)];
    CHECK((label.empty() ? value : value[std::string(label)]).get<std::uint64_t>() == expected);
  };
  for (const metrics::Number& row : metrics::kNumbers) {
    check_names(row.name, {}, ++number * 3);
    CHECK(sum.*row.value == number * 3);
  }
  for (const metrics::Reasons& row : metrics::kReasons) {
    check_names(row.name, "idle_timeout", ++number * 3);
    CHECK(sum.*row.values ==
          TransportMetrics::ByReason{{Errc::idle_timeout, number * 3}, {Errc::truncated, 7}});
  }
  for (const metrics::Codes& row : metrics::kCodes) {
    check_names(row.name, row.name_of(0x001d), ++number * 3);
    CHECK(sum.*row.values == TransportMetrics::ByCode{{0x0017, 7}, {0x001d, number * 3}});
  }
  check_names("handshakes_by_version", "TLS 1.2", ++number * 3);
  CHECK(sum.handshakes_by_version ==
        std::map<ProtocolVersion, std::uint64_t>{{ProtocolVersion::tls1_2, number * 3},
                                                 {ProtocolVersion::tls1_3, 7}});
}

TEST_CASE("Each address that was tried ends as a handshake or is counted with its reason") {
  // Nobody accepts, so that nothing is decided before this side gives up.
  Host server;
  const Endpoint address = server.listen(world().context(world().alpha.leaf));
  Host client;
  const auto connect = [&] {
    const auto id = client.transport().connect(target(address, world().context(world().beta)));
    REQUIRE(id);
    return *id;
  };
  const auto check = [&](Errc reason) {
    settle({&client});
    CHECK(client.transport().connection_count() == 0);
    const TransportMetrics metrics = client.transport().metrics();
    CHECK(metrics.connect_failures == TransportMetrics::ByReason{{reason, 1}});
    CHECK(metrics.connect_attempts == 1);
    CHECK(metrics.handshake_failures.empty());
    REQUIRE(client.count("ConnectFailed") == 1);
    CHECK(client.last("ConnectFailed").attempts.size() == 1);
    CHECK(client.last("ConnectFailed").failed_with(reason));
  };
  SECTION("abort") {
    REQUIRE(client.transport().abort(connect()));
    check(Errc::connection_aborted);
  }
  SECTION("close") {
    REQUIRE(client.transport().close(connect()));
    check(Errc::connection_closed);
  }
  SECTION("drain_all") {
    connect();
    client.transport().drain_all(Clock::system()->now().mono);
    check(Errc::transport_draining);
  }
}

TEST_CASE("The log tells of connections that come and go, with their ids, one line each") {
  std::vector<Line> lines;
  Host server(logging(LogLevel::info, lines));
  Host client;
  answer_requests(server);
  exchange(client, server, server.listen(world().context(world().alpha.leaf)));
  const ConnectionId id = server.last("Connected").connection;
  REQUIRE(client.transport().close(client.last("Connected").connection));
  run_until({&client, &server}, [&] { return server.count("Closed") == 1; });

  const auto told = [&](ConnectionId connection, const std::string& word) {
    return std::any_of(lines.begin(), lines.end(), [&](const Line& line) {
      return line.connection == connection && line.text.find(word) != std::string::npos;
    });
  };
  CHECK(told(ConnectionId::none, "listening on 127.0.0.1:"));
  CHECK(told(id, "as beta.example, TLS 1.3"));
  CHECK(told(id, "closed"));
  for (const Line& line : lines) {
    INFO(line.text);
    CHECK(line.level <= LogLevel::info);
    CHECK(line.text.find('\n') == std::string::npos);
    CHECK(line.text.find("Call-ID") == std::string::npos);
  }
}

TEST_CASE("The log is silent by default, and below its level") {
  std::vector<Line> lines;
  Host silent(logging(LogLevel::off, lines));
  Host grave(logging(LogLevel::error, lines));
  Host client;
  answer_requests(silent);
  answer_requests(grave);
  exchange(client, silent, silent.listen(world().context(world().alpha.leaf)));
  exchange(client, grave, grave.listen(world().context(world().alpha.leaf)));
  CHECK(lines.empty());
}
