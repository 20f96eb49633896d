#include "transport/account.hpp"

#include <algorithm>
#include <utility>

#include "siptls/cipher_suites.hpp"

namespace siptls {
namespace {

std::string_view name_of(ConnectionRole role) noexcept {
  return role == ConnectionRole::server ? "from " : "to ";
}

std::string suite_name(std::uint16_t code) { return std::string(cipher_suite_name(code)); }

// Who the peer has proven to be, in the words of a log line.
std::string proven(const PeerInfo& peer) {
  if (!peer.path) return "without certificate";
  if (peer.path->identities.empty()) return "without names";
  const std::size_t chosen = peer.path->matched.value_or(0);
  return "as " + peer.path->identities[chosen].name;
}

std::map<Errc, std::uint64_t> by_reason(const std::array<std::uint64_t, kErrcCount>& counts) {
  std::map<Errc, std::uint64_t> map;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] != 0) map.emplace(static_cast<Errc>(i), counts[i]);
  }
  return map;
}

// What an operator has to look at, by whose fault it is.
LogLevel gravity(const Error& error) noexcept {
  switch (error.category()) {
    case Category::internal:
    case Category::config:
    case Category::usage:
      return LogLevel::error;
    case Category::clock:
    case Category::limit:
    case Category::certificate:
      return LogLevel::warning;
    default:
      return LogLevel::info;
  }
}

}  // namespace

void Account::log(LogLevel level, ConnectionId connection, const Now& now,
                  const std::string& text) const {
  if (!logs(level)) return;
  // Evidence can quote what a peer sent; a line stays one line.
  std::string line = text;
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  std::replace_if(line.begin(), line.end(), is_control, ' ');
  log_.write(LogLine{level, now, connection, line});
}

void Account::note(const Event& event, const Now& now) {
  std::visit([&](const auto& what) { note_one(what, now); }, event);
}

void Account::note_accept_refused(const Endpoint& remote, const Error& why, const Now& now) {
  ++accept_refusals_[index(why.reason())];
  if (!logs(LogLevel::debug)) return;
  log(LogLevel::debug, ConnectionId::none, now,
      "refused " + remote.to_string() + ": " + why.message());
}

void Account::note_health_check(ConnectionId connection, const Endpoint& balancer, const Now& now) {
  ++counters_.health_checks;
  if (!logs(LogLevel::debug)) return;
  log(LogLevel::debug, connection, now,
      "the load balancer " + balancer.to_string() + " has looked whether this listener is there");
}

void Account::note_connect_failure(ConnectionId connection, const Endpoint& remote,
                                   const Error& why, const Now& now) {
  ++connect_failures_[index(why.reason())];
  if (!logs(LogLevel::info)) return;
  log(LogLevel::info, connection, now, remote.to_string() + " did not work: " + why.message());
}

void Account::note_update(const Now& now) {
  ++counters_.context_updates;
  if (logs(LogLevel::info)) log(LogLevel::info, ConnectionId::none, now, "contexts were exchanged");
}

void Account::note_listening(const Endpoint& local, const Now& now) {
  if (!logs(LogLevel::info)) return;
  log(LogLevel::info, ConnectionId::none, now, "listening on " + local.to_string());
}

void Account::note_one(const Connected& event, const Now& now) {
  const PeerInfo& peer = event.peer;
  ++(event.role == ConnectionRole::server ? counters_.handshakes_server
                                          : counters_.handshakes_client);
  if (peer.resumed) ++counters_.handshakes_resumed;
  if (peer.authenticated()) ++counters_.handshakes_authenticated;
  ++counters_.handshakes_by_version[peer.version];
  ++counters_.handshakes_by_suite[peer.cipher_suite];
  ++counters_.handshakes_by_group[peer.group];
  if (!logs(LogLevel::info)) return;
  log(LogLevel::info, event.connection, now,
      "connected " + std::string(name_of(event.role)) + event.remote.to_string() + " " +
          proven(peer) + ", " + std::string(to_string(peer.version)) + " " +
          suite_name(peer.cipher_suite) + (peer.resumed ? ", resumed" : ""));
}

void Account::note_one(const AuthorisePeer& event, const Now& now) {
  if (!logs(LogLevel::debug)) return;
  log(LogLevel::debug, event.connection, now,
      "the host is asked about " + event.remote.to_string() + " " + proven(event.peer));
}

void Account::note_one(const SignatureWanted& event, const Now& now) {
  if (!logs(LogLevel::debug)) return;
  log(LogLevel::debug, event.connection, now,
      "a signature by key " + event.request.key_id + " is waited for");
}

void Account::note_one(const ConnectFailed& event, const Now& now) {
  if (!logs(LogLevel::warning)) return;
  log(LogLevel::warning, event.connection, now,
      "no address of " + event.domain + " could be reached, of " +
          std::to_string(event.attempts.size()));
}

void Account::note_one(const HandshakeFailed& event, const Now& now) {
  ++handshake_failures_[index(event.error.reason())];
  const LogLevel level = gravity(event.error);
  if (!logs(level)) return;
  log(level, event.connection, now,
      "handshake failed " + std::string(name_of(event.role)) + event.remote.to_string() + ": " +
          event.error.message());
}

void Account::note_one(const Message& event, const Now&) {
  note_message(event.message.bytes().size());
}

void Account::note_one(const KeepAliveReceived& event, const Now&) {
  ++(event.kind == KeepAlive::Kind::ping ? counters_.pings_received : counters_.pongs_received);
}

void Account::note_one(const Sent&, const Now&) {}

void Account::note_one(const SendFailed& event, const Now& now) {
  ++send_failures_[index(event.error.reason())];
  if (!logs(LogLevel::warning)) return;
  log(LogLevel::warning, event.connection, now,
      "a message was not delivered for certain: " + event.error.message());
}

void Account::note_one(const Writable&, const Now&) {}

void Account::note_one(const PeerClosing& event, const Now& now) {
  if (logs(LogLevel::debug)) log(LogLevel::debug, event.connection, now, "the peer is closing");
}

void Account::note_one(const FlowFailed& event, const Now& now) {
  ++counters_.flows_failed;
  if (!logs(LogLevel::warning)) return;
  log(LogLevel::warning, event.connection, now, "the flow failed: " + event.error.message());
}

void Account::note_one(const Closed& event, const Now& now) {
  if (event.error) {
    ++ends_[index(event.error->reason())];
  } else {
    ++(event.truncated ? ends_[index(Errc::truncated)] : counters_.closed_clean);
  }
  const LogLevel level = event.error ? gravity(*event.error) : LogLevel::info;
  if (!logs(level)) return;
  log(level, event.connection, now,
      event.error ? "closed: " + event.error->message()
                  : std::string(event.truncated ? "closed, truncated" : "closed"));
}

void Account::note_one(const ListenerPaused& event, const Now& now) {
  ++listener_pauses_[index(event.why.reason())];
  if (!logs(LogLevel::warning)) return;
  log(LogLevel::warning, ConnectionId::none, now, "a listener is paused: " + event.why.message());
}

void Account::note_one(const ListenerResumed&, const Now& now) {
  if (!logs(LogLevel::info)) return;
  log(LogLevel::info, ConnectionId::none, now, "a listener goes on");
}

void Account::note_one(const Posted&, const Now&) {}

void Account::note_one(const Warning& event, const Now& now) {
  ++warnings_[index(event.error.reason())];
  if (!logs(LogLevel::warning)) return;
  log(LogLevel::warning, ConnectionId::none, now, event.error.message());
}

TransportMetrics Account::counters() const {
  TransportMetrics metrics = counters_;
  metrics.accepts_refused = by_reason(accept_refusals_);
  metrics.listener_pauses = by_reason(listener_pauses_);
  metrics.connect_failures = by_reason(connect_failures_);
  metrics.handshake_failures = by_reason(handshake_failures_);
  metrics.sends_refused = by_reason(send_refusals_);
  metrics.sends_failed = by_reason(send_failures_);
  metrics.closed = by_reason(ends_);
  metrics.warnings = by_reason(warnings_);
  return metrics;
}

}  // namespace siptls
