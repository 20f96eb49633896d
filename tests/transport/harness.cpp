#include "transport/harness.hpp"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "catch.hpp"

namespace siptls_test {
namespace {

using namespace siptls;

Seen describe(const Connected& e) {
  Seen seen;
  seen.kind = "Connected";
  seen.connection = e.connection;
  seen.local = e.local;
  seen.remote = e.remote;
  seen.wire_remote = e.wire_remote;
  seen.peer = e.peer;
  return seen;
}
Seen describe(const AuthorisePeer& e) {
  Seen seen;
  seen.kind = "AuthorisePeer";
  seen.connection = e.connection;
  seen.local = e.local;
  seen.remote = e.remote;
  seen.peer = e.peer;
  return seen;
}
Seen describe(const SignatureWanted& e) {
  Seen seen;
  seen.kind = "SignatureWanted";
  seen.connection = e.connection;
  seen.request = e.request;
  return seen;
}
Seen describe(const ConnectFailed& e) {
  Seen seen;
  seen.kind = "ConnectFailed";
  seen.connection = e.connection;
  seen.attempts = e.attempts;
  seen.error = e.attempts.back().error;
  return seen;
}
Seen describe(const HandshakeFailed& e) {
  Seen seen;
  seen.kind = "HandshakeFailed";
  seen.connection = e.connection;
  seen.error = e.error;
  seen.local = e.local;
  seen.remote = e.remote;
  seen.attempts = e.earlier;
  return seen;
}
Seen describe(const Message& e) {
  Seen seen;
  seen.kind = "Message";
  seen.connection = e.connection;
  const auto bytes = e.message.bytes();
  seen.text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  seen.local = e.local;
  seen.remote = e.remote;
  return seen;
}
Seen describe(const KeepAliveReceived& e) {
  Seen seen;
  seen.kind = e.kind == KeepAlive::Kind::ping ? "Ping" : "Pong";
  seen.connection = e.connection;
  return seen;
}
Seen describe(const Sent& e) {
  Seen seen;
  seen.kind = "Sent";
  seen.connection = e.connection;
  seen.token = e.token;
  return seen;
}
Seen describe(const SendFailed& e) {
  Seen seen;
  seen.kind = "SendFailed";
  seen.connection = e.connection;
  seen.token = e.token;
  seen.error = e.error;
  seen.delivery = e.delivery;
  seen.bytes_written = e.bytes_written;
  return seen;
}
Seen describe(const Writable& e) {
  Seen seen;
  seen.kind = "Writable";
  seen.connection = e.connection;
  return seen;
}
Seen describe(const PeerClosing& e) {
  Seen seen;
  seen.kind = "PeerClosing";
  seen.connection = e.connection;
  return seen;
}
Seen describe(const FlowFailed& e) {
  Seen seen;
  seen.kind = "FlowFailed";
  seen.connection = e.connection;
  seen.error = e.error;
  return seen;
}
Seen describe(const Closed& e) {
  Seen seen;
  seen.kind = "Closed";
  seen.connection = e.connection;
  seen.error = e.error;
  seen.truncated = e.truncated;
  return seen;
}
Seen describe(const ListenerPaused& e) {
  Seen seen;
  seen.kind = "ListenerPaused";
  seen.error = e.why;
  return seen;
}
Seen describe(const ListenerResumed&) {
  Seen seen;
  seen.kind = "ListenerResumed";
  return seen;
}
Seen describe(const Posted& e) {
  Seen seen;
  seen.kind = "Posted";
  seen.value = e.value;
  return seen;
}
Seen describe(const Warning& e) {
  Seen seen;
  seen.kind = "Warning";
  seen.error = e.error;
  return seen;
}

TlsTransport make_transport(TransportOptions options) {
  auto transport = TlsTransport::create(std::move(options));
  REQUIRE(transport);
  return std::move(*transport);
}

bool readable(Host& host) {
  pollfd wait{host.transport().fd(), POLLIN, 0};
  return ::poll(&wait, 1, 0) == 1;
}

}  // namespace

Host::Host(TransportOptions options, Pace pace)
    : transport_(make_transport(std::move(options))), pace_(pace) {}

bool Host::take_events() {
  bool any = false;
  while (auto event = transport_.next_event()) {
    any = true;
    seen.push_back(std::visit([](const auto& e) { return describe(e); }, *event));
    if (seen.back().kind == "Warning") {
      warnings.push_back(*seen.back().error);
      seen.pop_back();
    } else if (on_event) {
      on_event(*event, seen.back());
    }
    if (pace_ == Pace::one_event) break;
  }
  return any;
}

std::vector<Seen> Host::all(std::string_view kind) const {
  std::vector<Seen> found;
  for (const Seen& one : seen) {
    if (one.kind == kind) found.push_back(one);
  }
  return found;
}

std::size_t Host::count(std::string_view kind) const {
  return static_cast<std::size_t>(
      std::count_if(seen.begin(), seen.end(), [&](const Seen& one) { return one.kind == kind; }));
}

std::size_t Host::count_warnings(Errc reason) const {
  return static_cast<std::size_t>(
      std::count_if(warnings.begin(), warnings.end(),
                    [&](const Error& warning) { return warning.reason() == reason; }));
}

const Seen& Host::last(std::string_view kind) const {
  for (auto one = seen.rbegin(); one != seen.rend(); ++one) {
    if (one->kind == kind) return *one;
  }
  std::string kinds;
  for (const Seen& one : seen) {
    kinds += " " + one.kind;
    if (one.error) kinds += "(" + one.error->message() + ")";
  }
  FAIL("no " << kind << " among:" << kinds);
  return seen.front();
}

Endpoint Host::listen(const TlsContext& context, std::string_view address) {
  const auto local = Endpoint::parse(address, 0);
  REQUIRE(local);
  const auto listening = transport_.listen(ListenOptions{*local, context});
  REQUIRE(listening);
  listener = *listening;
  const auto bound = transport_.local_endpoint(listener);
  REQUIRE(bound);
  return *bound;
}

void run_until(std::initializer_list<Host*> hosts, const std::function<bool()>& done) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!done()) {
    if (std::chrono::steady_clock::now() > give_up) {
      std::string kinds;
      for (Host* host : hosts) {
        kinds += " |";
        for (const Seen& one : host->seen) {
          kinds += " " + one.kind;
          if (one.error) kinds += "(" + one.error->message() + ")";
        }
      }
      FAIL("nothing more happens; seen so far:" << kinds);
    }
    std::vector<pollfd> waits;
    for (Host* host : hosts) waits.push_back({host->transport().fd(), POLLIN, 0});
    ::poll(waits.data(), waits.size(), 100);
    std::size_t i = 0;
    for (Host* host : hosts) {
      if ((waits[i++].revents & POLLIN) != 0) host->take_events();
    }
  }
}

void settle(std::initializer_list<Host*> hosts) {
  // On loopback whatever was written is readable at once, so a round without anything readable
  // means that nothing is under way; several, to be sure of what crosses the stack's softirq.
  for (int quiet = 0; quiet < 20;) {
    bool any = false;
    for (Host* host : hosts) {
      if (readable(*host)) any = host->take_events() || any;
    }
    quiet = any ? 0 : quiet + 1;
  }
}

World::World()
    : alpha(demo_pki::make_hierarchy("alpha.example")),
      beta(demo_pki::Entity::issued_by(alpha.intermediates.front(),
                                       demo_pki::sip_spec("beta.example"))),
      stranger_root(demo_pki::Entity::self_signed(demo_pki::ca_spec("Stranger CA"))),
      stranger(demo_pki::Entity::issued_by(stranger_root, demo_pki::sip_spec("alpha.example"))) {}

Credentials World::credentials(const demo_pki::Entity& entity) const {
  auto credentials = Credentials::from_pem(entity.private_key_pem(), entity.chain_pem());
  REQUIRE(credentials);
  return *credentials;
}

TrustStore World::trust() const {
  auto trust = TrustStore::from_pem(alpha.root.certificate_pem());
  REQUIRE(trust);
  return *trust;
}

TlsContextConfig World::config(const demo_pki::Entity& entity, const TlsPolicy& policy) const {
  TlsContextConfig config;
  config.credentials = credentials(entity);
  config.trust = trust();
  config.policy = policy;
  return config;
}

TlsContext World::context(const demo_pki::Entity& entity, const TlsPolicy& policy) const {
  return make_context(config(entity, policy));
}

TlsContext make_context(TlsContextConfig config) {
  auto context = TlsContext::create(std::move(config));
  REQUIRE(context);
  return *context;
}

TlsPolicy policy_of(ProtocolVersion version) {
  TlsPolicy policy = TlsPolicy::modern();
  policy.min_version = policy.max_version = version;
  return policy;
}

const World& world() {
  static const World the_world;
  return the_world;
}

Target target(const Endpoint& remote, const TlsContext& context, const std::string& domain) {
  return Target{{remote}, domain, context, std::nullopt, nullptr};
}

std::string options_request(unsigned number, const std::string& body) {
  const std::string n = std::to_string(number);
  return "OPTIONS sip:alpha.example SIP/2.0\r\n"
         "Via: SIP/2.0/TLS beta.example;branch=z9hG4bK" +
         n +
         "\r\n"
         "Max-Forwards: 70\r\n"
         "From: <sip:beta.example>;tag=" +
         n +
         "\r\n"
         "To: <sip:alpha.example>\r\n"
         "Call-ID: " +
         n +
         "@beta.example\r\n"
         "CSeq: " +
         n +
         " OPTIONS\r\n"
         "Content-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string ok_response(const SipMessageView& request) {
  std::string text = "SIP/2.0 200 OK\r\n";
  for (std::size_t i = 0; i < request.row_count(); ++i) {
    const HeaderRow row = request.row(i);
    if (row.id == HeaderId::via || row.id == HeaderId::from || row.id == HeaderId::to ||
        row.id == HeaderId::call_id || row.id == HeaderId::cseq) {
      text += std::string(row.name) + ": " + std::string(row.value) + "\r\n";
    }
  }
  return text + "Content-Length: 0\r\n\r\n";
}

std::span<const std::byte> octets(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

void answer_requests(Host& host) {
  host.on_event = [&host](const Event& event, const Seen&) {
    const auto* message = std::get_if<Message>(&event);
    if (message == nullptr || !message->message.is_request()) return;
    REQUIRE(host.transport().send(message->connection, octets(ok_response(message->message))));
  };
}

}  // namespace siptls_test
