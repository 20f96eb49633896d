// TransportCore: the inside of TlsTransport.
//
// In:  poll -> ready connection -> receive -> TlsSession -> SipFramer -> Event.
// Out: send -> WriteQueue -> TlsSession -> socket.
//
// Everything that happens becomes an event in events_, in order, except a Message, which is handed
// out straight from the framer. A connection that has ended is kept in graveyard_ until the next
// next_event(), because the host may still hold views of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/net.hpp"
#include "siptls/tls_transport.hpp"
#include "transport/connection.hpp"
#include "transport/deadline_queue.hpp"
#include "transport/sender_queue.hpp"

namespace siptls {

class TransportCore {
 public:
  static Result<std::unique_ptr<TransportCore>> create(TransportOptions options);
  TransportCore(const TransportCore&) = delete;
  TransportCore& operator=(const TransportCore&) = delete;
  ~TransportCore();

  int fd() const noexcept { return poller_.fd(); }
  std::optional<Event> next_event();
  void flush();

  Result<ListenerId> listen(const ListenOptions& options);
  Result<Endpoint> local_endpoint(ListenerId id) const;
  Result<void> stop_listening(ListenerId id);

  Result<ConnectionId> connect(const Target& target);
  Result<SendToken> send(ConnectionId id, std::span<const std::byte> message,
                         const SendOptions& options, SendToken token);
  Result<SendToken> send(const Target& target, std::span<const std::byte> message,
                         const SendOptions& options, SendToken token);
  Result<SendToken> respond(ConnectionId id, std::span<const std::byte> message,
                            const ResponseFallback& fallback, const SendOptions& options,
                            SendToken token);

  Result<void> close(ConnectionId id);
  Result<void> abort(ConnectionId id);
  void close_all();
  Result<void> pause(ConnectionId id);
  Result<void> resume(ConnectionId id);

  std::size_t connection_count() const noexcept { return connections_.size(); }
  Sender sender() const { return Sender(senders_); }

 private:
  // What a key of the poller or of the deadlines names. Connections have their id.
  static constexpr std::uint64_t kTimerKey = 1;
  static constexpr std::uint64_t kWakerKey = 2;
  static constexpr std::uint64_t kListenerKeys = 0x1000;
  static constexpr std::uint64_t kLingeringKeys = std::uint64_t{1} << 39;
  static constexpr std::uint64_t kConnectionKeys = std::uint64_t{1} << 40;
  static std::uint64_t key_of(ListenerId id) noexcept {
    return kListenerKeys + static_cast<std::uint32_t>(id);
  }

  struct Listener {
    ListenerId id = ListenerId::none;
    net::Descriptor socket;
    Endpoint local;
    TlsContext context;
    bool paused = false;
    MonoTime armed = MonoTime::max();
  };
  // A socket whose connection has ended for the host, and whose last octets (an alert) the peer
  // shall still be able to read: closing it with unread input would send a reset.
  struct Lingering {
    net::Descriptor socket;
    MonoTime until;
    MonoTime armed = MonoTime::max();
    std::size_t discarded = 0;
  };
  // What is remembered of a connection that has ended, for respond().
  struct Lost {
    ConnectionId id = ConnectionId::none;
    TlsContext context;
    std::shared_ptr<const ProvenPath> path;
  };

  TransportCore(TransportOptions options, net::Poller poller, net::Timer timer,
                std::shared_ptr<SenderQueue> senders);

  // transport_core.cpp: the pump
  bool in_wrong_process() const noexcept;
  void begin_call();  // reads the clock, outside a drain
  void end_call();    // arms timer and waker as needed
  void settle(bool work_is_left);
  std::optional<Event> take_event();
  void put_event(Event event) { events_.push_back(std::move(event)); }
  bool pump();  // one step; false if nothing is left to do
  bool poll_sockets();
  void serve(const net::Ready& ready);
  void serve_commands();
  void flush_all();
  void note_clock();
  std::optional<Event> step_current();
  std::optional<Event> next_from_framer(Connection& connection);
  void leave_current();
  void set_aside_current();

  // transport_open.cpp: listeners and outgoing connections
  void accept_from(Listener& listener);
  void accept_one(Listener& listener, net::Accepted accepted);
  void pause_listener(Listener& listener, Error why);
  void resume_listeners();
  std::optional<Target> fallback_target(ConnectionId id, const ResponseFallback& fallback);
  Result<Connection*> open(const Target& target);
  Connection* find_reusable(const Target& target);
  void try_next_remote(Connection& connection);
  bool start_attempt(Connection& connection, const Endpoint& remote);
  void finish_connect(Connection& connection);
  void start_handshake(Connection& connection);
  void attempt_failed(Connection& connection, Error error);
  void unproven_failed(Connection& connection, Error error);
  ConnectionId new_id() noexcept;
  void index_remote(Connection& connection);
  void unindex_remote(const Connection& connection);

  // transport_io.cpp: reading, writing, sending
  Connection* find(ConnectionId id) noexcept;
  Result<Connection*> find_open(ConnectionId id);
  void read_from(Connection& connection);
  void after_session_moved(Connection& connection);
  bool write_out(Connection& connection);
  void flush(Connection& connection);
  void forget_acknowledged(Connection& connection);
  void want(Connection& connection, bool read, bool write);
  void update_interest(Connection& connection);
  void mark_dirty(Connection& connection);
  Result<SendToken> enqueue(Connection& connection, std::span<const std::byte> message,
                            const SendOptions& options, SendToken token);
  void answer_ping(Connection& connection);
  void owe_writable(Connection& connection);

  // transport_end.cpp: ends and deadlines
  void peer_closed(Connection& connection);
  void begin_close(Connection& connection);
  void advance_close(Connection& connection);
  void session_failed(Connection& connection, Error error);
  void read_failed(Connection& connection, Error error);
  void end_open(Connection& connection, std::optional<Error> error, bool truncated);
  void end_refused(Connection& connection, Error error);
  void end_unproven(Connection& connection, Error error);
  // What the end of a connection means for messages that the kernel has and the peer's TCP has not
  // acknowledged.
  enum class Unsent : std::uint8_t { in_order, lost, refused };
  void report_unsent(Connection& connection, const Error& error, Unsent how);
  enum class Farewell : std::uint8_t { close, linger, reset };
  void bury(Connection& connection, Farewell farewell);
  void linger(net::Descriptor socket);
  void serve_lingering(std::uint64_t key);
  MonoTime deadline_of(const Connection& connection) const;
  void arm(Connection& connection);
  bool run_deadlines();
  void deadline_reached(Connection& connection);

  const std::shared_ptr<const Clock> clock_;
  const TransportLimits limits_;
  const std::uint64_t generation_;  // of the process; see base/os/process.hpp
  const std::uint64_t number_;      // of this transport in the process
  net::Poller poller_;
  net::Timer timer_;
  std::shared_ptr<SenderQueue> senders_;

  Now now_;
  ClockStanding noted_standing_ = ClockStanding::given;
  bool draining_ = false;
  bool waker_set_ = false;
  MonoTime timer_set_for_ = MonoTime::max();

  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::unordered_multimap<Endpoint, ConnectionId> by_remote_;  // outgoing ones that can be reused
  std::unordered_map<std::uint32_t, Listener> listeners_;
  std::unordered_map<std::uint64_t, Lingering> lingering_;
  std::vector<std::unique_ptr<Connection>> graveyard_;
  std::deque<Lost> lost_;
  DeadlineQueue deadlines_;
  std::uint64_t last_serial_ = 0;
  std::uint64_t last_lingering_ = 0;
  std::uint32_t last_listener_ = 0;

  std::deque<Event> events_;
  std::vector<ConnectionId> dirty_;
  std::vector<ConnectionId> resumed_;
  std::vector<ConnectionId> finishing_;  // PeerClosing was handed out

  std::array<net::Ready, 64> ready_;
  std::size_t ready_count_ = 0;
  std::size_t ready_next_ = 0;
  bool may_be_more_ = true;  // a poll could find more than the last one did

  // The connection whose input is being handed out, and the buffers that its views point into.
  Connection* current_ = nullptr;
  std::vector<std::byte> receive_buffer_;
  std::vector<std::byte> plaintext_buffer_;
  SipFramer::WorkspacePtr workspace_;
};

}  // namespace siptls
