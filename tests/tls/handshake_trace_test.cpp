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

// Tickets have tests of their own.
void tls13(TlsContextConfig& made) {
  only(ProtocolVersion::tls1_3)(made);
  made.policy.resumption = Resumption::off;
}
void img2020(TlsContextConfig& made) {
  made.policy = TlsPolicy::img2020();
  made.policy.resumption = Resumption::off;
}

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
  const Traced traced = trace(tls13);
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

namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

// The texts of a ladder's picture, in the order of the document.
std::vector<std::string> texts_of(const std::string& svg) {
  std::vector<std::string> texts;
  for (std::size_t at = svg.find("<text "); at != std::string::npos; at = svg.find("<text ", at)) {
    const std::size_t begin = svg.find('>', at) + 1;
    const std::size_t end = svg.find("</text>", begin);
    texts.push_back(svg.substr(begin, end - begin));
    at = end;
  }
  return texts;
}

// Each element that is opened is closed, in order, and every quotation mark has its pair.
bool is_well_formed(const std::string& svg) {
  std::vector<std::string> open;
  std::size_t at = 0;
  while ((at = svg.find('<', at)) != std::string::npos) {
    const std::size_t end = svg.find('>', at);
    if (end == std::string::npos) return false;
    const std::string tag = svg.substr(at + 1, end - at - 1);
    at = end;
    if (tag.find('<') != std::string::npos || count(tag, "\"") % 2 != 0) return false;
    if (tag[0] == '/') {
      if (open.empty() || open.back() != tag.substr(1)) return false;
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(tag.substr(0, tag.find(' ')));
    }
  }
  return open.empty();
}

// What every picture must be, beside the text of the same trace.
void check_picture(const HandshakeTrace& trace) {
  const std::string svg = trace.ladder_svg();
  CAPTURE(svg);
  CHECK(svg.rfind("<svg xmlns=\"http://www.w3.org/2000/svg\"", 0) == 0);
  CHECK(is_well_formed(svg));
  CHECK(svg == trace.ladder_svg());
  // Nothing comes from elsewhere, and nothing has a name that another picture could have.
  for (const char* part : {"<script", "<style", "href", "url(", " id=", "@import", "&#"}) {
    CHECK(svg.find(part) == std::string::npos);
  }
  CHECK(count(svg, "http") == 1);
  // The rows are those of the text.
  const auto texts = texts_of(svg);
  std::size_t next = 3;
  REQUIRE(texts.size() >= next);
  CHECK(texts[1] == "client");
  CHECK(texts[2] == "server");
  for (const TraceEntry& entry : trace.entries()) {
    CAPTURE(entry.name());
    if (entry.img2020_step) {
      REQUIRE(texts.size() > next);
      CHECK(texts[next++] == std::to_string(int{*entry.img2020_step}));
    }
    REQUIRE(texts.size() >= next + 2);
    CHECK(texts[next++] == entry.name());
    const std::string size =
        std::to_string(entry.size) + " octets" + (entry.fatal ? ", fatal" : "");
    CHECK(texts[next++] == size);
    CHECK(trace.ladder().find(size) != std::string::npos);
  }
  CHECK(next == texts.size());
  CHECK(count(svg, "<polygon ") == trace.entries().size());
}

}  // namespace

TEST_CASE("The ladder's picture stands alone and has the rows of the text, in each version") {
  const Traced old = trace(img2020);
  check_picture(*old.of_client);
  check_picture(*old.of_server);
  CHECK(texts_of(old.of_client->ladder_svg()).front() == "TLS 1.2 call flow");
  const Traced newer = trace(tls13);
  check_picture(*newer.of_client);
  check_picture(*newer.of_server);
  CHECK(texts_of(newer.of_client->ladder_svg()).front() == "TLS 1.3 call flow");
  // Nothing happened yet.
  check_picture(HandshakeTrace());
  CHECK(texts_of(HandshakeTrace().ladder_svg()).front() == "TLS call flow");
}

TEST_CASE("Arrows point to the receiver") {
  HandshakeTrace trace;
  TraceEntry entry;
  entry.direction = TraceDirection::client_to_server;
  trace.add(entry);
  CHECK(trace.ladder_svg().find("<polygon points=\"510,96 502,92 502,100\"/>") !=
        std::string::npos);
  HandshakeTrace back;
  entry.direction = TraceDirection::server_to_client;
  back.add(entry);
  CHECK(back.ladder_svg().find("<polygon points=\"90,96 98,92 98,100\"/>") != std::string::npos);
}

TEST_CASE("The ladder of a resumed handshake has no certificates, in text and picture") {
  for (const ProtocolVersion version : {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3}) {
    CAPTURE(to_string(version));
    const TlsContext both = context([&](TlsContextConfig& made) {
      only(version)(made);
      made.policy.resumption = Resumption::tickets;
    });
    for (const bool resumed : {false, true}) {
      CAPTURE(resumed);
      Traced traced;
      SessionOptions of_client;
      of_client.trace = traced.of_client;
      SessionOptions of_server;
      of_server.trace = traced.of_server;
      SessionEnd a = client(both, kDomain, of_client);
      SessionEnd b = server(both, of_server);
      connect(a, b);
      REQUIRE(b.established());
      REQUIRE(b.session.send(octets_of("."), b.now));
      connect(a, b);
      REQUIRE(a.session.peer().resumed == resumed);
      for (const auto& one : {traced.of_client, traced.of_server}) {
        CHECK((one->ladder().find("Certificate ") == std::string::npos) == resumed);
        // In TLS 1.2 a session that was resumed keeps its ticket.
        const bool has_ticket = one->ladder().find("NewSessionTicket") != std::string::npos;
        CHECK(has_ticket == (!resumed || version == ProtocolVersion::tls1_3));
        check_picture(*one);
      }
      // An abbreviated handshake of TLS 1.2 ends with the client (RFC 5077 section 3.1).
      if (resumed && version == ProtocolVersion::tls1_2) {
        CHECK(names(*traced.of_client) ==
              ">ClientHello <ServerHello <ChangeCipherSpec <Finished >ChangeCipherSpec >Finished "
              "<Application data");
      }
    }
  }
}

TEST_CASE("The picture of a failed handshake ends with its alert, marked as fatal") {
  for (const ProtocolVersion version : {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3}) {
    CAPTURE(to_string(version));
    Traced traced;
    SessionOptions of_client;
    of_client.trace = traced.of_client;
    SessionOptions of_server;
    of_server.trace = traced.of_server;
    SessionEnd a = client(context(only(version)), "other.example", of_client);
    SessionEnd b = server(context(only(version)), of_server);
    connect(a, b);
    REQUIRE(a.error.has_value());
    REQUIRE(b.error.has_value());
    for (const auto& one : {traced.of_client, traced.of_server}) {
      check_picture(*one);
      const auto texts = texts_of(one->ladder_svg());
      REQUIRE(texts.size() > 2);
      CHECK(texts[texts.size() - 2] == "Alert bad_certificate");
      CHECK(texts.back() == "2 octets, fatal");
      CHECK(count(one->ladder_svg(), "#b00020") == 2);
      CHECK(one->ladder().find("2 octets, fatal\n") != std::string::npos);
    }
  }
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
  CHECK(texts_of(trace.ladder_svg()).back() == "and 7 more");
  CHECK(is_well_formed(trace.ladder_svg()));
}
