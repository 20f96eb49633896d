// siptls-relay's pairs: each TLS connection outside belongs to one TCP connection inside, and the
// end of one is the end of the other. So the flow that a stack sees is the flow that there is.
//
// Only so much is read from one side as the other takes: a TLS connection whose inner stack does
// not read is paused, and an inner connection whose TLS peer does not read is not read from.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "forwarding.hpp"
#include "inner_socket.hpp"
#include "open_requests.hpp"
#include "siptls/siptls.hpp"
#include "tool/output.hpp"

namespace relay {

struct Settings {
  std::optional<siptls::Endpoint> listen;        // outside, for TLS
  std::optional<siptls::Endpoint> inner;         // where requests from outside are delivered
  std::optional<siptls::Endpoint> inner_listen;  // where the inner stack connects to
  std::optional<siptls::Target> next_hop;        // where its requests go
  std::string advertise;                         // host:port outside; empty: the address itself
  std::string identity_header;
  std::chrono::milliseconds drain{5000};
};

class Relay {
 public:
  Relay(siptls::TlsTransport& transport, Settings settings, const tool::Output& output)
      : transport_(transport), settings_(std::move(settings)), output_(output) {}

  // Opens what it listens on, and says so. `server` is for connections that come from outside.
  siptls::Result<void> open(const std::optional<siptls::TlsContext>& server);
  // Serves until `signals` (a signalfd) has something; then lets transactions end.
  int run(int signals);

 private:
  // The outer connection has the pair's id, and so has the inner one in epoll.
  struct Pair {
    siptls::ConnectionId id = siptls::ConnectionId::none;
    InnerSocket inner;
    siptls::SipFramer framer;  // of what the inner stack sends
    siptls::Endpoint inner_remote;
    Side inner_side;
    Side outer_side;
    std::string identity;          // the value of the identity header
    std::string refused_for_room;  // a message that waits for room outside
    std::uint32_t interest = 0;    // in epoll
    OpenRequests open_outward;
    OpenRequests open_inward;
    siptls::MonoTime due = siptls::MonoTime::max();  // when it is looked after again
    // Behind the end of the outer connection: what the inner stack had still to take when it was
    // last looked at, and since when that is so.
    std::size_t undelivered = 0;
    siptls::MonoTime undelivered_since;
    bool outer_open = false;  // the peer is proven
    bool outer_ended = false;
    bool outer_paused = false;
    bool outward_over = false;  // the peer gets nothing more
    bool inner_input_over = false;
  };

  // Inside (relay_inner.cpp).
  void accept_inner();
  Pair* add_pair(siptls::ConnectionId id, InnerSocket inner, siptls::FramerRole role);
  void inner_ready(Pair& pair, std::uint32_t what);
  void finish_connect(Pair& pair);
  void read_inner(Pair& pair);
  void take_messages(Pair& pair);
  void handle_inner(Pair& pair, const siptls::SipMessageView& message);
  void inner_input_ended(Pair& pair);
  void inner_failed(Pair& pair, const siptls::Error& error);
  void write_inward(Pair& pair, std::string_view octets);
  void flush_inner(Pair& pair);
  void end_inner(Pair& pair);
  void linger(Pair& pair);
  void report_dropped(const Pair& pair, siptls::Errc reason) const;
  void update_interest(Pair& pair);

  // Outside.
  void send_outward(Pair& pair, std::string message);
  void send_again(Pair& pair);
  void close_outer(const Pair& pair);
  void handle_events();
  void handle(const siptls::Connected& connected);
  void handle(const siptls::Message& received);
  void handle(const siptls::Writable& writable);
  void handle(const siptls::ConnectFailed& failed);
  void handle(const siptls::HandshakeFailed& failed);
  void handle(const siptls::Closed& closed);
  void handle(const siptls::SendFailed& failed) { report(failed.connection, failed.error); }
  void handle(const siptls::FlowFailed& failed) { report(failed.connection, failed.error); }
  void handle(const siptls::Warning& warning) { output_.warning(warning.error); }
  void handle(const siptls::ListenerPaused& paused) { output_.warning(paused.why); }
  // Nothing is left to be done about these.
  void handle(const siptls::KeepAliveReceived&) {}
  void handle(const siptls::PeerClosing&) {}
  void handle(const siptls::ListenerResumed&) {}
  // Not asked for.
  void handle(const siptls::AuthorisePeer&) {}
  void handle(const siptls::SignatureWanted&) {}
  void handle(const siptls::Sent&) {}
  void handle(const siptls::Posted&) {}

  siptls::Result<void> watch(int fd, std::uint64_t key);
  void handle_ready(std::uint64_t key, std::uint32_t what);
  Pair* find(siptls::ConnectionId id);
  void remove_if_over(siptls::ConnectionId id);
  void begin_drain();
  void close_if_idle(const Pair& pair);
  void set_due(Pair& pair, siptls::MonoTime at);
  void do_what_is_due();
  int wait_time() const;
  void print_message(const Pair& pair, const siptls::SipMessageView& message,
                     std::string_view direction) const;
  void report(siptls::ConnectionId id, const siptls::Error& error) const;

  siptls::TlsTransport& transport_;
  Settings settings_;
  const tool::Output& output_;
  Descriptor epoll_;
  Descriptor inner_listener_;
  std::string inner_address_;  // of the inner listener
  std::string outer_address_;  // of the TLS listener, or what is advertised
  std::unordered_map<siptls::ConnectionId, std::unique_ptr<Pair>> pairs_;
  std::array<std::byte, 64 * 1024> buffer_{};
  std::set<std::pair<siptls::MonoTime, siptls::ConnectionId>> due_;  // Pair::due
  siptls::MonoTime accept_again_ = siptls::MonoTime::max();
  siptls::MonoTime end_ = siptls::MonoTime::max();  // of the drain
  bool draining_ = false;
};

}  // namespace relay
