#include "siptls/handshake_trace.hpp"

#include "catch.hpp"
#include "peers.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

using Kind = TraceEntry::Kind;

struct Traced {
  std::shared_ptr<HandshakeTrace> of_client = std::make_shared<HandshakeTrace>();
  std::shared_ptr<HandshakeTrace> of_server = std::make_shared<HandshakeTrace>();
};

// A whole connection: handshake, one message each way, close_notify each way.
Traced trace(const Change& change) {
  Traced traced;
  const TlsContext both = context(change);
  SessionOptions of_client;
  of_client.trace = traced.of_client;
  SessionOptions of_server;
  of_server.trace = traced.of_server;
  SessionEnd a = client(both, kDomain, of_client);
  SessionEnd b = server(both, of_server);
  connect(a, b);
  REQUIRE(a.established());
  REQUIRE(b.established());
  REQUIRE(a.session.send(octets_of("OPTIONS"), a.now));
  connect(a, b);
  REQUIRE(b.session.send(octets_of("200"), b.now));
  connect(a, b);
  REQUIRE(a.session.close(a.now));
  connect(a, b);
  REQUIRE(b.session.close(b.now));
  connect(a, b);
  return traced;
}

void img2020(TlsContextConfig& made) { made.policy = TlsPolicy::img2020(); }

// "1C 2S 3S": step and sender of every entry; "-" where there is no step.
std::string steps(const HandshakeTrace& trace) {
  std::string text;
  for (const TraceEntry& entry : trace.entries()) {
    if (!text.empty()) text += ' ';
    text += entry.img2020_step ? std::to_string(int{*entry.img2020_step}) : "-";
    text += entry.direction == TraceDirection::client_to_server ? 'C' : 'S';
  }
  return text;
}

std::string names(const HandshakeTrace& trace) {
  std::string text;
  for (const TraceEntry& entry : trace.entries()) {
    if (!text.empty()) text += ' ';
    text += entry.direction == TraceDirection::client_to_server ? ">" : "<";
    text += entry.name();
  }
  return text;
}

}  // namespace

TEST_CASE("A mutual TLS 1.2 handshake shows the fifteen steps in the order of the wire") {
  const Traced traced = trace(img2020);
  const std::string expected = "1C 2S 3S 5S 4S 6S 7C 8C 9C 10C 11C 12S 13S 14C 14S 15C 15S";
  CHECK(steps(*traced.of_client) == expected);
  CHECK(steps(*traced.of_server) == expected);
  CHECK(names(*traced.of_client) ==
        ">ClientHello <ServerHello <Certificate <ServerKeyExchange <CertificateRequest "
        "<ServerHelloDone >Certificate >ClientKeyExchange >CertificateVerify >ChangeCipherSpec "
        ">Finished <ChangeCipherSpec <Finished >Application data <Application data "
        ">Alert close_notify <Alert close_notify");
  CHECK(names(*traced.of_server) == names(*traced.of_client));
}

TEST_CASE("TLS 1.3 has no numbers, and its records are told apart") {
  const Traced traced = trace(only(ProtocolVersion::tls1_3));
  for (const auto& one : {traced.of_client, traced.of_server}) {
    CHECK(steps(*one).find_first_of("0123456789") == std::string::npos);
  }
  // The client queues its ChangeCipherSpec as soon as it has the ServerHello, and the server gets
  // it with the rest of that flight.
  CHECK(names(*traced.of_client) ==
        ">ClientHello <ServerHello >ChangeCipherSpec <ChangeCipherSpec <EncryptedExtensions "
        "<CertificateRequest <Certificate <CertificateVerify <Finished >Certificate "
        ">CertificateVerify >Finished >Application data <Application data >Alert close_notify "
        "<Alert close_notify");
  CHECK(names(*traced.of_server) ==
        ">ClientHello <ServerHello <ChangeCipherSpec <EncryptedExtensions <CertificateRequest "
        "<Certificate <CertificateVerify <Finished >ChangeCipherSpec >Certificate "
        ">CertificateVerify >Finished >Application data <Application data >Alert close_notify "
        "<Alert close_notify");
}

TEST_CASE("A HelloRetryRequest has its own name") {
  auto of_client = std::make_shared<HandshakeTrace>();
  SessionOptions options;
  options.trace = of_client;
  SessionEnd a = client(context([](TlsContextConfig& made) {
                          made.policy.groups = {0x1d, 0x17};
                        }),
                        kDomain, options);
  SessionEnd b = server(context([](TlsContextConfig& made) { made.policy.groups = {0x17}; }));
  connect(a, b);
  REQUIRE(a.established());
  CHECK(names(*of_client).rfind(">ClientHello <HelloRetryRequest", 0) == 0);
}

TEST_CASE("A NewSessionTicket and a KeyUpdate are no application data") {
  auto of_client = std::make_shared<HandshakeTrace>();
  SessionOptions options;
  options.trace = of_client;
  SessionEnd a = client(context(only(ProtocolVersion::tls1_3)), kDomain, options);
  BareEnd b(PeerRole::server, [](SSL_CTX* bare) { use_credentials(bare, site().leaf); });
  connect(a, b);
  REQUIRE(a.established());
  SSL_key_update(b.ssl(), SSL_KEY_UPDATE_REQUESTED);
  b.write("data");
  connect(a, b);
  REQUIRE(a.session.send(octets_of("answer"), a.now));
  connect(a, b);
  CHECK(a.received == "data");
  CHECK(b.received == "answer");
  std::size_t data = 0;
  std::size_t tickets = 0;
  std::size_t updates = 0;
  for (const TraceEntry& entry : of_client->entries()) {
    data += entry.kind == Kind::application_data ? 1U : 0U;
    tickets += entry.name() == "NewSessionTicket" ? 1U : 0U;
    updates += entry.name() == "KeyUpdate" ? 1U : 0U;
  }
  CHECK(data == 2);
  CHECK(tickets >= 1);
  CHECK(updates == 2);
}

TEST_CASE("A failed handshake ends in the ladder with its alert") {
  auto of_client = std::make_shared<HandshakeTrace>();
  SessionOptions options;
  options.trace = of_client;
  SessionEnd a = client(context(img2020), "other.example", options);
  SessionEnd b = server(context(img2020));
  connect(a, b);
  REQUIRE(a.error.has_value());
  REQUIRE_FALSE(of_client->entries().empty());
  const TraceEntry& last = of_client->entries().back();
  CHECK(last.kind == Kind::alert);
  CHECK(last.fatal);
  CHECK(last.name() == "Alert bad_certificate");
  CHECK_FALSE(last.img2020_step.has_value());
}

TEST_CASE("The ladder is readable text with a line for each entry") {
  const std::string text = trace(img2020).of_client->ladder();
  CAPTURE(text);
  CHECK(text.find("TLS 1.2") != std::string::npos);
  CHECK(text.find("   1  ClientHello             ------------------->") != std::string::npos);
  CHECK(text.find("   2  ServerHello             <-------------------") != std::string::npos);
  CHECK(text.find("  15  Alert close_notify") != std::string::npos);
  std::size_t lines = 0;
  for (const char c : text) lines += c == '\n' ? 1U : 0U;
  CHECK(lines == 18);
}

TEST_CASE("Entries have sizes and the time of their call") {
  const Traced traced = trace(img2020);
  for (const TraceEntry& entry : traced.of_client->entries()) {
    CHECK(entry.size > 0);
    CHECK(entry.at == test_now().mono);
  }
}

TEST_CASE("A trace does not grow without bound") {
  HandshakeTrace trace;
  TraceEntry data;
  data.kind = Kind::application_data;
  for (std::size_t i = 0; i < HandshakeTrace::kMaxEntries + 7; ++i) trace.add(data);
  CHECK(trace.entries().size() == HandshakeTrace::kMaxEntries);
  CHECK(trace.ladder().find("and 7 more") != std::string::npos);
}
