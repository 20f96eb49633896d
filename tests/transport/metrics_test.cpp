// What a transport counts, and what it tells its log.
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "catch.hpp"
#include "siptls/cipher_suites.hpp"
#include "siptls/siptls.hpp"
#include "transport/harness.hpp"

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

TEST_CASE("merge adds up every number") {
  TransportMetrics one;
  one.accepted = 3;
  one.connections = 2;
  one.closed[Errc::idle_timeout] = 4;
  one.handshakes_by_group[0x001d] = 5;
  one.handshakes_by_version[ProtocolVersion::tls1_2] = 6;
  TransportMetrics sum = one;
  sum.closed[Errc::truncated] = 1;
  sum.merge(one);
  CHECK(sum.accepted == 6);
  CHECK(sum.connections == 4);
  CHECK(sum.closed == TransportMetrics::ByReason{{Errc::idle_timeout, 8}, {Errc::truncated, 1}});
  CHECK(sum.handshakes_by_group[0x001d] == 10);
  CHECK(sum.handshakes_by_version[ProtocolVersion::tls1_2] == 12);
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
