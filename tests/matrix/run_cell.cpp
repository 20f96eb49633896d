#include "matrix/run_cell.hpp"

#include <unistd.h>

#include <algorithm>

#include "siptls/cipher_suites.hpp"

namespace matrix {

using siptls::Now;
using siptls::Result;
using siptls::TlsContext;
using siptls::TlsSession;

namespace {

constexpr const char* kServerName = "server.example";

Now matrix_now() {
  static const Now now{siptls::MonoTime{} + std::chrono::hours(1),
                       siptls::parse_time("2026-06-01T12:00:00Z").value()};
  return now;
}

Words request_for(const Cell& cell, const Certificates& certificates) {
  const bool far_serves = !we_serve(cell);
  Words request{{"side", far_serves ? "server" : "client"},
                {"min", cell[kFarVersions] == kOnly13 ? "1.3" : "1.2"},
                {"max", cell[kFarVersions] == kOnly12 ? "1.2" : "1.3"},
                {"suites", dimensions()[kSuites].values[cell[kSuites]]},
                {"groups", far_group_names(cell)},
                {"tickets", cell[kFarTickets] == 1 ? "1" : "0"},
                {"trust", certificates.trust_path()},
                {"host", kServerName}};
  if (far_serves || certificate_given(cell)) {
    request["certificate"] = certificates.path(far_key(cell), far_serves);
  }
  constexpr std::array<const char*, 5> kModes{"require", "request", "request", "none", "require"};
  if (far_serves) request["certificates"] = kModes[cell[kClientCertificate]];
  constexpr std::array<const char*, 4> kProtocols{"", "sip/2", "other", "other,sip/2"};
  request["alpn"] = kProtocols[cell[kFarAlpn]];
  if (cell[matrix::kServerName] == kNamed) request["sni"] = kServerName;
  if (cell[matrix::kServerName] == kUnusual) request["sni"] = "other.example";
  return request;
}

Result<TlsContext> context_for(const Cell& cell, const Certificates& certificates) {
  siptls::TlsContextConfig config;
  config.trust = certificates.trust();
  config.policy = policy_of(cell);
  if (we_serve(cell) || certificate_given(cell)) {
    config.credentials = certificates.credentials(our_key(cell), we_serve(cell));
  }
  return TlsContext::create(std::move(config));
}

Result<TlsSession> session_for(const Cell& cell, const TlsContext& context,
                               const std::shared_ptr<siptls::HandshakeTrace>& trace) {
  siptls::SessionOptions options;
  options.trace = trace;
  options.resumption_scope = "matrix";
  if (we_serve(cell)) return TlsSession::server(context, matrix_now(), options);
  // SNI is never an address (RFC 6066 section 3), and a name in lower case without the final dot.
  constexpr std::array<const char*, 3> kDomains{kServerName, "127.0.0.1", "SERVER.example."};
  return TlsSession::client(context, kDomains[cell[matrix::kServerName]], matrix_now(), options);
}

// What both ends saw of one connection, against what is expected.
class Comparison {
 public:
  Comparison(const Cell& cell, const Expectation& expected, const OurView& ours,
             const Words& theirs, std::vector<std::string>& problems)
      : cell_(cell), expected_(expected), ours_(ours), theirs_(theirs), problems_(problems) {}

  void success(bool resumed) {
    if (!ours_.complete) problem("our end", "complete", ours_failure());
    if (!is_set(theirs_, "ok")) problem("the far end", "complete", to_line(theirs_));
    if (!ours_.complete || !is_set(theirs_, "ok")) return;
    const siptls::PeerInfo& peer = ours_.peer;
    const auto version = static_cast<unsigned>(expected_.version);
    equal("our version", hex(version), hex(static_cast<unsigned>(peer.version)));
    equal("far version", hex(version), value(theirs_, "version"));
    const auto& suites = expected_.suites;
    if (std::find(suites.begin(), suites.end(), peer.cipher_suite) == suites.end()) {
      problem("our suite", siptls::cipher_suite_name(suites.front()),
              siptls::cipher_suite_name(peer.cipher_suite));
    }
    equal("far suite", hex(peer.cipher_suite), value(theirs_, "suite"));
    const bool tls12 = expected_.version == siptls::ProtocolVersion::tls1_2;
    // No group is negotiated when TLS 1.2 resumes.
    if (!resumed || !tls12) {
      equal("our group", hex(expected_.group), hex(peer.group));
      equal("far group", hex(expected_.group), value(theirs_, "group"));
    }
    equal("resumed at our end", yes(resumed), yes(peer.resumed));
    equal("resumed at the far end", yes(resumed), value(theirs_, "resumed"));
    equal("retried at our end", yes(expected_.retried), yes(ours_.retried));
    equal("retried at the far end", yes(expected_.retried), value(theirs_, "retried"));
    equal("our protocol", expected_.protocol, peer.application_protocol);
    equal("far protocol", expected_.protocol, value(theirs_, "alpn"));
    proofs();
  }

  void failure() {
    if (!ours_.error) {
      problem("our end", "an error", ours_.complete ? "a connection" : ours_.trouble);
      return;
    }
    const siptls::Error& error = *ours_.error;
    if (expected_.reasons.count(error.reason()) == 0) problem("reason", wanted(), error.message());
    if (error.evidence().empty()) problem("evidence", "some", "none");
    if (is_set(theirs_, "ok")) problem("the far end", "an error", "a connection");
    alerts(error);
    names_what_was_offered(error);
  }

 private:
  static std::string yes(bool value) { return value ? "1" : "0"; }

  void problem(const std::string& what, const std::string& wanted, const std::string& found) {
    problems_.push_back(what + ": " + wanted + " expected, found: " + found);
  }
  void equal(const char* what, const std::string& wanted, const std::string& found) {
    if (wanted != found) problem(what, '"' + wanted + '"', '"' + found + '"');
  }
  std::string ours_failure() const { return ours_.error ? ours_.error->message() : ours_.trouble; }
  std::string wanted() const {
    std::string all;
    for (const siptls::Errc reason : expected_.reasons) {
      all += (all.empty() ? "" : " or ") + std::string(siptls::to_string(reason));
    }
    return all;
  }

  void proofs() {
    const siptls::PeerInfo& peer = ours_.peer;
    const bool proven = !we_serve(cell_) || expected_.client_proven;
    equal("the peer is proven to us", yes(proven), yes(peer.authenticated()));
    if (peer.authenticated()) {
      constexpr std::array<const char*, kKeys> kNames{"P-256",    "P-384",    "P-521",
                                                      "RSA 2048", "RSA 3072", "Ed25519"};
      equal("key of the peer", kNames[far_key(cell_)], peer.path->certificates.front().key);
      equal("identity of the peer", we_serve(cell_) ? "client.example" : kServerName,
            peer.path->identities.front().name);
    }
    const bool known = we_serve(cell_) || expected_.client_proven;
    equal("our certificate is there at the far end", yes(known), value(theirs_, "peer"));
    equal("we are proven to the far end", yes(known), value(theirs_, "verified"));
    if (!we_serve(cell_)) {
      equal("server name at the far end", expected_.server_name, value(theirs_, "sni"));
    }
  }

  // Whoever found the obstacle has told the other.
  void alerts(const siptls::Error& error) {
    const bool told = error.category() == siptls::Category::peer_alert;
    const std::string far = value(theirs_, told ? "sent" : "got");
    const std::string ours =
        error.alert() ? std::to_string(static_cast<int>(*error.alert())) : "none";
    equal(told ? "the alert that came" : "the alert that arrived", ours, far);
  }

  // A server's error lists what its peer has offered.
  void names_what_was_offered(const siptls::Error& error) {
    if (!we_serve(cell_) || error.reason() != siptls::Errc::no_common_cipher_suite) return;
    const auto code = offered_suite();
    if (error.evidence().find(siptls::cipher_suite_name(code)) == std::string::npos) {
      problem("evidence", siptls::cipher_suite_name(code), error.evidence());
    }
  }
  // One that is offered by both libraries in this cell.
  std::uint16_t offered_suite() const {
    const auto codes = far_suites(cell_, FarLibrary::openssl);
    const bool tls13 = cell_[kFarVersions] == kOnly13;
    const auto found = std::find_if(codes.begin(), codes.end(), [&](std::uint16_t code) {
      return (code >> 8 == 0x13) == tls13;
    });
    return found == codes.end() ? codes.front() : *found;
  }

  const Cell& cell_;
  const Expectation& expected_;
  const OurView& ours_;
  const Words& theirs_;
  std::vector<std::string>& problems_;
};

struct Connection {
  OurView ours;
  Words theirs;
};

std::string tell(const Connection& connection) {
  const OurView& ours = connection.ours;
  std::string far;
  for (const auto& [key, text] : connection.theirs) far += ' ' + key + '=' + text;
  const std::string end = ours.error ? ours.error->message() : ours.trouble;
  return "our end: " + (ours.complete ? std::string("complete") : end) + "\nfar end:" + far + '\n' +
         ours.ladder;
}

std::optional<Connection> connect(const Cell& cell, const TlsContext& context, FarProcess& far,
                                  const Words& request, std::vector<std::string>& problems) {
  const auto trace = std::make_shared<siptls::HandshakeTrace>();
  auto session = session_for(cell, context, trace);
  if (!session) {
    problems.push_back("session: " + session.error().message());
    return std::nullopt;
  }
  const auto descriptor = far.begin(request);
  if (!descriptor) {
    problems.emplace_back("the far end could not be started");
    return std::nullopt;
  }
  Connection made;
  made.ours = play(*std::move(session), we_serve(cell), *descriptor, matrix_now(), trace);
  const auto answer = far.finish();
  close(*descriptor);
  if (!answer) {
    problems.push_back("the far end HANGS or has ended; ours: " +
                       (made.ours.error ? made.ours.error->message() : made.ours.trouble));
    return std::nullopt;
  }
  made.theirs = *answer;
  return made;
}

}  // namespace

CellReport run_cell(const Cell& cell, FarLibrary library, const Certificates& certificates,
                    FarProcess& far) {
  CellReport report;
  const Expectation expected = expect(cell, library);
  const auto context = context_for(cell, certificates);
  if (!context) {
    report.problems.push_back("context: " + context.error().message());
    return report;
  }
  Words request = request_for(cell, certificates);
  // The second connection shows whether there is anything to resume, and for both ends.
  const bool again = expected.agrees() && (cell[kOurResumption] == 1 || cell[kFarTickets] == 1);
  for (std::size_t round = 0; round < (again ? 2U : 1U); ++round) {
    request["again"] = round == 0 ? "0" : "1";
    const auto connection = connect(cell, *context, far, request, report.problems);
    if (!connection) {
      report.hung = true;
      return report;
    }
    ++report.connections;
    Comparison comparison(cell, expected, connection->ours, connection->theirs, report.problems);
    if (expected.agrees()) {
      comparison.success(round == 1 && expected.resumable);
    } else {
      comparison.failure();
    }
    report.hung = report.hung || connection->ours.hung;
    report.resumed = report.resumed || connection->ours.peer.resumed;
    report.retried = report.retried || connection->ours.retried;
    report.story = tell(*connection);
    if (!report.problems.empty()) {
      report.problems.insert(report.problems.begin(),
                             "connection " + std::to_string(round + 1) + ":");
      return report;
    }
  }
  return report;
}

}  // namespace matrix
