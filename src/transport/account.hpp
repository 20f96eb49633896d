// Account: what a transport counts, and what it tells the log. Everything that happens passes here
// once, as the event that the host gets, or as one of the few things that give no event.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "siptls/event.hpp"
#include "siptls/log.hpp"
#include "siptls/metrics.hpp"

namespace siptls {

class Account {
 public:
  explicit Account(LogOptions log) : log_(std::move(log)) {}

  // An event that the host will get; counted when it comes about.
  void note(const Event& event, const Now& now);
  // A Message never waits as an event, so it is counted when it is handed out.
  void note_message(std::size_t octets) noexcept {
    ++counters_.messages_received;
    counters_.message_bytes_received += octets;
  }

  void note_accepted() noexcept { ++counters_.accepted; }
  // A connection that was ended at once, by a limit.
  void note_accept_refused(const Endpoint& remote, const Error& why, const Now& now);
  // A load balancer has connected and ended, on its own behalf.
  void note_health_check(ConnectionId connection, const Endpoint& balancer, const Now& now);
  void note_connect_attempt() noexcept { ++counters_.connect_attempts; }
  void note_connect_failure(ConnectionId connection, const Endpoint& remote, const Error& why,
                            const Now& now);
  // A token was given.
  void note_send(std::size_t octets) noexcept {
    ++counters_.messages_accepted;
    counters_.message_bytes_accepted += octets;
  }
  void note_send_refused(Errc reason) noexcept { ++send_refusals_[index(reason)]; }
  void note_reuse() noexcept { ++counters_.connections_reused; }
  void note_ping_sent() noexcept { ++counters_.pings_sent; }
  void note_update(const Now& now);
  void note_listening(const Endpoint& local, const Now& now);

  // The counters; the gauges are the transport's to add.
  TransportMetrics counters() const;

  bool logs(LogLevel level) const noexcept { return log_.write && level <= log_.level; }
  void log(LogLevel level, ConnectionId connection, const Now& now, const std::string& text) const;

 private:
  using Reasons = std::array<std::uint64_t, kErrcCount>;
  static std::size_t index(Errc reason) noexcept { return static_cast<std::size_t>(reason); }

  void note_one(const Connected& event, const Now& now);
  void note_one(const AuthorisePeer& event, const Now& now);
  void note_one(const SignatureWanted& event, const Now& now);
  void note_one(const ConnectFailed& event, const Now& now);
  void note_one(const HandshakeFailed& event, const Now& now);
  void note_one(const Message& event, const Now& now);
  void note_one(const KeepAliveReceived& event, const Now& now);
  void note_one(const Sent& event, const Now& now);
  void note_one(const SendFailed& event, const Now& now);
  void note_one(const Writable& event, const Now& now);
  void note_one(const PeerClosing& event, const Now& now);
  void note_one(const FlowFailed& event, const Now& now);
  void note_one(const Closed& event, const Now& now);
  void note_one(const ListenerPaused& event, const Now& now);
  void note_one(const ListenerResumed& event, const Now& now);
  void note_one(const Posted& event, const Now& now);
  void note_one(const Warning& event, const Now& now);

  LogOptions log_;
  TransportMetrics counters_;  // its maps by reason are filled from the arrays below
  Reasons accept_refusals_{};
  Reasons listener_pauses_{};
  Reasons connect_failures_{};
  Reasons handshake_failures_{};
  Reasons send_refusals_{};
  Reasons send_failures_{};
  Reasons ends_{};
  Reasons warnings_{};
};

}  // namespace siptls
