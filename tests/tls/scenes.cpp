#include "scenes.hpp"

#include "catch.hpp"
#include "tls/session_memory.hpp"
#include "tls/tls_context_impl.hpp"

namespace siptls_test {

using namespace siptls;

namespace {

constexpr const char* kScope = "remembered";

TlsContext resuming(ProtocolVersion version) {
  return context([version](TlsContextConfig& made) {
    only(version)(made);
    made.policy.resumption = Resumption::tickets;
  });
}

SessionOptions scope(const std::string& name) {
  SessionOptions options;
  options.resumption_scope = name;
  return options;
}

tls::SessionMemory& memory_of(const TlsContext& context) {
  return TlsContextImpl::of(context).session_memory();
}

}  // namespace

Scene::Scene(ProtocolVersion version, bool resumed)
    : version_(version),
      resumed_(resumed),
      client_context_(resuming(version)),
      server_context_(resuming(version)) {
  if (!resumed) return;
  SessionEnd a = client(client_context_, kDomain, scope(kScope));
  SessionEnd b = server(server_context_);
  connect(a, b);
  REQUIRE(b.session.send(octets_of("."), b.now));
  connect(a, b);
  auto ticket = memory_of(client_context_).take(tls::SessionMemory::key(kScope, kDomain));
  REQUIRE(ticket != nullptr);
  ticket_ = std::shared_ptr<SSL_SESSION>(ticket.release(), SSL_SESSION_free);
}

std::string Scene::name() const {
  return std::string(to_string(version_)) + (resumed_ ? ", resumed" : ", full");
}

SessionEnd Scene::make_client() const {
  if (!resumed_) {
    static std::size_t count = 0;
    return client(client_context_, kDomain, scope("nobody " + std::to_string(++count)));
  }
  memory_of(client_context_)
      .put(tls::SessionMemory::key(kScope, kDomain), bssl::UpRef(ticket_.get()));
  return client(client_context_, kDomain, scope(kScope));
}

SessionEnd Scene::make_server() const { return server(server_context_); }

const std::vector<Scene>& all_scenes() {
  static const std::vector<Scene> scenes = {
      Scene(ProtocolVersion::tls1_2, false), Scene(ProtocolVersion::tls1_2, true),
      Scene(ProtocolVersion::tls1_3, false), Scene(ProtocolVersion::tls1_3, true)};
  return scenes;
}

void deliver(const Flight& flight, SessionEnd& end) { end.receive(flight.octets); }

Connection::Connection(const Scene& scene, const Delivery& delivery)
    : a(scene.make_client()), b(scene.make_server()) {
  pump(delivery);
  if (a.established() && a.session.send(octets_of(kQuestion), a.now)) pump(delivery);
  if (b.established() && b.session.send(octets_of(kAnswer), b.now)) pump(delivery);
  // Who has closed does not mind what is lost afterwards, so the client has its answer first.
  if (a.received == kAnswer && a.established() && a.session.close(a.now)) pump(delivery);
  if (b.session.state() == SessionState::peer_closed && b.session.close(b.now)) pump(delivery);
  finish(a);
  finish(b);
}

void Connection::pump(const Delivery& delivery) {
  std::size_t sent[2] = {0, 0};
  for (const Flight& flight : flights) sent[static_cast<int>(flight.to)] += flight.octets.size();
  const auto carry = [&](SessionEnd& from, SessionEnd& to, PeerRole receiver) {
    Octets octets = from.take_output();
    if (octets.empty()) return false;
    std::size_t& offset = sent[static_cast<int>(receiver)];
    flights.push_back({receiver, offset, std::move(octets)});
    offset += flights.back().octets.size();
    delivery(flights.back(), to);
    return true;
  };
  for (bool moved = true; moved;) {
    moved = carry(a, b, PeerRole::server);
    moved = carry(b, a, PeerRole::client) || moved;
  }
}

void Connection::finish(SessionEnd& end) {
  if (end.error || end.session.state() == SessionState::closed) return;
  if (end.session.next_deadline()) {
    end.now.mono = *end.session.next_deadline();
    if (auto waited = end.session.on_deadline(end.now); !waited) end.error = waited.error();
    return;
  }
  end.end_of_stream();
}

bool Connection::whole() const {
  return a.session.state() == SessionState::closed && b.session.state() == SessionState::closed &&
         a.received == kAnswer && b.received == kQuestion && !any_error();
}

bool Connection::content_is_genuine() const {
  const auto ended = [](const SessionEnd& end) {
    return end.error.has_value() || end.session.state() == SessionState::closed ||
           end.session.state() == SessionState::peer_closed;
  };
  return (a.received.empty() || a.received == kAnswer) &&
         (b.received.empty() || b.received == kQuestion) && ended(a) && ended(b);
}

std::string Connection::outcome() const {
  const auto of = [](const SessionEnd& end) {
    return (end.error ? end.error->message()
                      : "state " + std::to_string(int(end.session.state()))) +
           ", received \"" + end.received + "\"";
  };
  return "client: " + of(a) + "; server: " + of(b);
}

std::vector<Octets> records_of(const Octets& flight) {
  std::vector<Octets> records;
  for (std::size_t place = 0; place + 5 <= flight.size();) {
    const std::size_t size = 5 + (std::to_integer<std::size_t>(flight[place + 3]) << 8 |
                                  std::to_integer<std::size_t>(flight[place + 4]));
    const auto begin = flight.begin() + static_cast<std::ptrdiff_t>(place);
    REQUIRE(place + size <= flight.size());
    records.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(size));
    place += size;
  }
  return records;
}

}  // namespace siptls_test
