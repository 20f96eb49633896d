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
#include "transport/account.hpp"
#include "transport/admission.hpp"
#include "transport/connection.hpp"
#include "transport/deadline_queue.hpp"
#include "transport/named_remote.hpp"
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

  Result<UpdateReport> update(const ContextUpdate& contexts);
  Result<void> reverify(std::uint64_t generation);

  Result<ConnectionId> connect(const Target& target);
  Result<void> accept_alias(ConnectionId id, const SipMessageView& request);
  Result<SendToken> send(ConnectionId id, std::span<const std::byte> message,
                         const SendOptions& options, SendToken token);
  Result<SendToken> send(const Target& target, std::span<const std::byte> message,
                         const SendOptions& options, SendToken token);
  Result<SendToken> respond(ConnectionId id, std::span<const std::byte> message,
                            const ResponseFallback& fallback, const SendOptions& options,
                            SendToken token);

  Result<void> authorise(ConnectionId id, Verdict verdict);
  Result<void> complete_signature(ConnectionId id, std::span<const std::byte> signature);

  Result<void> close(ConnectionId id);
  Result<void> abort(ConnectionId id);
  void close_all();
  Result<void> drain(ConnectionId id, MonoTime deadline);
  void drain_all(MonoTime deadline);
  Result<void> keep_alive(ConnectionId id, const KeepAliveOptions& options);
  Result<void> pause(ConnectionId id);
  Result<void> resume(ConnectionId id);

  // Counts the outcome of a call of the host, and passes it on.
  Result<SendToken> noted(Result<SendToken> outcome, std::size_t octets) noexcept {
    if (outcome) {
      account_.note_send(octets);
    } else {
      account_.note_send_refused(outcome.error().reason());
    }
    return outcome;
  }

  const PeerInfo* peer(ConnectionId id) const noexcept;
  std::size_t connection_count() const noexcept { return connections_.size(); }
  TransportMetrics metrics() const;
  Sender sender() const { return Sender(senders_); }
  // For tests: entries of all deadlines, also those that are of no use any more.
  std::size_t deadline_entries() const noexcept { return deadlines_.size(); }

 private:
  // The plaintext of one record, and what is written with one system call.
  static constexpr std::size_t kRecord = 16 * 1024;
  // What a key of the poller or of the deadlines names. Connections have their id.
  static constexpr std::uint64_t kTimerKey = 1;
  static constexpr std::uint64_t kWakerKey = 2;
  static constexpr std::uint64_t kStarvedKey = 3;
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
    std::string ticket_scope;
    ProxyProtocol proxy = ProxyProtocol::off;
    std::vector<AddressRange> proxy_sources;
    bool paused = false;
    MonoTime armed = MonoTime::max();
    // Not before the later of them; the second is for lack of descriptors or memory.
    MonoTime resume_from = MonoTime::min();
    MonoTime retry_from = MonoTime::min();
  };
  // A socket whose connection has ended for the host, and whose last octets (an alert) the peer
  // shall still be able to read: closing it with unread input would send a reset.
  struct Lingering {
    net::Descriptor socket;
    MonoTime until;
    MonoTime armed = MonoTime::max();
    std::size_t discarded = 0;
    std::vector<std::byte> rest;  // what the kernel has not taken of our own
  };
  // What is remembered of a connection that has ended, for respond().
  struct Lost {
    ConnectionId id = ConnectionId::none;
    TlsContext context;
    ContextSource context_source;
    std::shared_ptr<const ProvenPath> path;
  };
  // The context that a connection is, or is to be, opened with.
  struct ContextChoice {
    const TlsContext* context = nullptr;
    ContextSource source;
  };
  struct FallbackTarget {
    Target target;  // has a context
    ContextSource source;
  };
  // Which warnings about a context were given.
  struct Warned {
    std::uint64_t context = 0;
    std::vector<Errc> reasons;
  };

  TransportCore(TransportOptions options, net::Poller poller, net::Timer timer,
                std::shared_ptr<SenderQueue> senders);

  // transport_core.cpp: the pump
  bool in_wrong_process() const noexcept;
  void begin_call();  // reads the clock
  void begin_send();  // the same, unless input is being handed out
  void end_call();    // arms timer and waker as needed
  bool work_is_left() const noexcept;
  void settle(bool wake);
  std::optional<Event> take_event();
  void put_event(Event event) {
    account_.note(event, now_);
    events_.push_back(std::move(event));
  }
  bool pump();  // one step; false if nothing is left to do
  void serve(const net::Ready& ready);
  void serve_commands();
  void flush_all();
  void note_clock();
  std::optional<Event> step_current();
  std::optional<Event> next_from_framer(Connection& connection);
  void refuse_unframed(Connection& connection);
  void leave_exhausted();
  void note_unfinished(Connection& connection);
  void leave_current();
  void set_aside_current();

  // transport_turn.cpp: who is served when
  bool poll_sockets();
  bool serve_next();
  bool is_established(const net::Ready& ready);
  bool poll_again();

  // transport_update.cpp: contexts that change, and what depends on that
  Result<void> check_usable(const TlsContext& context, ConnectionRole role) const;
  Result<void> check_valid_now(const TlsContext& context) const;
  Result<void> check_update(const ContextUpdate& contexts) const;
  const TlsContext& present_context(const TlsContext& own, const ContextSource& source) const;
  void keep_context_of(const Listener& listener);
  void forget_last_contexts();
  std::size_t count_older(const ContextUpdate& contexts) const;
  Result<void> judge(Connection& connection);
  Result<void> judge_if_outdated(Connection& connection);
  bool judge_one();
  void note_warnings();
  void warn_about(const TlsContext& context);
  void forget_warned();

  // transport_question.cpp: what the host is asked during a handshake
  void ask_host(Connection& connection);
  Result<Connection*> find_asked(ConnectionId id, SessionState state);
  Result<void> after_answer(Connection& connection, Result<void> outcome);

  // transport_accept.cpp: who may come in
  void accept_from(Listener& listener);
  void refuse(net::Descriptor socket, const Endpoint& remote, const Error& why);
  std::optional<Error> objection_to(const Listener& listener, const Endpoint& remote);
  bool enter(Connection& connection);
  void leave(const Connection& connection);
  void pause_listener(Listener& listener, Error why);
  bool may_resume(Listener& listener);
  void resume_listeners(bool descriptor_is_free);

  // transport_open.cpp: listeners and outgoing connections
  void stop_all_listeners();
  void accept_one(Listener& listener, net::Accepted accepted);
  Result<ContextChoice> choose_context(const Target& target) const;
  Result<Connection*> open(const Target& target, const ContextChoice& choice);
  void try_next_remote(Connection& connection);
  bool start_attempt(Connection& connection, const Endpoint& remote);
  void finish_connect(Connection& connection);
  void start_handshake(Connection& connection);
  void attempt_failed(Connection& connection, Error error);
  void note_attempt(Connection& connection, Error error);
  void unproven_failed(Connection& connection, Error error);
  ConnectionId new_id() noexcept;

  // transport_reuse.cpp: outgoing connections that are found again
  Connection* find_reusable(const Target& target, const TlsContext& context);
  void index_remote(Connection& connection);
  static std::vector<NamedRemote> proven_names(const Connection& connection, const Endpoint& remote,
                                               const std::string& own);
  void index_proven(Connection& connection);
  void unindex_remote(Connection& connection);

  // transport_alias.cpp: accepted connections that carry requests in the other direction too
  Connection* find_alias(const Target& target, const NamedRemote& wanted,
                         const TlsContext& context);
  void drop_alias(Connection& connection);

  // transport_proxy.cpp: what a load balancer says about a connection before TLS
  static std::optional<Error> objection_to_balancer(const Listener& listener,
                                                    const Endpoint& remote);
  std::span<const std::byte> behind_proxy_header(Connection& connection,
                                                 std::span<const std::byte> octets);
  void refuse_proxy_header(Connection& connection, Error error);
  bool ends_health_check(Connection& connection);

  // transport_io.cpp: reading and writing
  Connection* find(ConnectionId id) noexcept;
  Result<Connection*> find_open(ConnectionId id);
  void read_from(Connection& connection);
  void after_session_moved(Connection& connection);
  bool write_out(Connection& connection);
  void note_progress(Connection& connection, bool moved);
  void starve(std::uint64_t key);
  void feed_starved();
  void flush(Connection& connection);
  void forget_acknowledged(Connection& connection);
  void want(Connection& connection, bool read, bool write);
  void update_interest(Connection& connection);
  void read_again(Connection& connection);
  void mark_dirty(Connection& connection);
  void owe_writable(Connection& connection);

  // transport_send.cpp: messages that are taken, and where a response goes
  Result<SendToken> enqueue(Connection& connection, std::span<const std::byte> message,
                            const SendOptions& options, SendToken token);
  Result<SendToken> send_to(const Target& target, const ContextChoice& choice,
                            std::span<const std::byte> message, const SendOptions& options,
                            SendToken token);
  bool was_given(ConnectionId id) const noexcept;
  std::optional<FallbackTarget> fallback_target(ConnectionId id, const ResponseFallback& fallback);

  // transport_buffers.cpp: what all connections together hold
  std::size_t room() const noexcept;
  void want_room(Connection& connection, std::size_t octets);
  bool room_is_owed() const noexcept;
  bool offer_room();
  void count_queued(Connection& connection);
  bool count_held(Connection& connection);
  bool end_largest_holder(const Connection& latest);
  void forget_held(Connection& connection);
  void forget_buffered(Connection& connection);

  // transport_flow.cpp: keep-alives
  static Result<void> check_keep_alive(const KeepAliveOptions& options);
  void start_flow(Connection& connection, const KeepAliveOptions& options);
  void flow_is_due(Connection& connection);
  void pong_came(Connection& connection);
  void excuse_flow(Connection& connection);
  void answer_ping(Connection& connection);

  // transport_drain.cpp: connections that run out
  void let_run_out(Connection& connection, MonoTime deadline);
  void give_up(Connection& connection);
  std::vector<ConnectionId> connection_ids() const;

  // transport_end.cpp: ends
  void peer_closed(Connection& connection);
  void begin_close(Connection& connection);
  void advance_close(Connection& connection);
  void session_failed(Connection& connection, Error error);
  void read_failed(Connection& connection, Error error);
  void end_open(Connection& connection, std::optional<Error> error, bool truncated);
  void end_refused(Connection& connection, Error error);
  // What the end of a connection means for messages that the kernel has and the peer's TCP has not
  // acknowledged.
  enum class Unsent : std::uint8_t { in_order, lost, refused };
  void report_unsent(Connection& connection, const Error& error, Unsent how);
  enum class Farewell : std::uint8_t { close, linger, reset };
  void end_unproven(Connection& connection, Error error, std::optional<Farewell> farewell = {});
  void bury(Connection& connection, Farewell farewell);
  void linger(Connection& connection);
  bool write_rest(std::uint64_t key, Lingering& kept);
  void serve_lingering(std::uint64_t key);

  // transport_deadline.cpp
  MonoTime deadline_of(const Connection& connection) const;
  static bool awaits_first_message(const Connection& connection);
  void arm(Connection& connection);
  void arm_key(std::uint64_t key, MonoTime at, MonoTime& armed);
  void tidy_deadlines();
  bool run_deadlines();
  void deadline_reached(Connection& connection);
  void report_expired(Connection& connection);
  void open_deadline_reached(Connection& connection);
  void end_unfinished(Connection& connection);
  void end_by_limit(Connection& connection, Error error, bool truncated);
  void write_deadline_reached(Connection& connection);
  void end_stalled(Connection& connection, Error error);

  const std::shared_ptr<const Clock> clock_;
  const TransportLimits limits_;
  const std::uint64_t generation_;  // of the process; see base/os/process.hpp
  const std::uint64_t number_;      // of this transport in the process
  net::Poller poller_;
  net::Timer timer_;
  std::shared_ptr<SenderQueue> senders_;

  Now now_;
  MonoTime warnings_due_ = MonoTime::min();
  std::vector<Warned> warned_;
  MonoTime timer_set_for_ = MonoTime::max();

  SipFramer::WorkspacePtr workspace_;  // of the framers, so it outlives them
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  // Outgoing ones that can be reused.
  std::unordered_multimap<ReuseKey, ConnectionId, ReuseKeyHash> by_remote_;
  // Accepted ones that can: by the address that their peer serves at. The newest is the last.
  std::unordered_map<NamedRemote, std::vector<ConnectionId>, NamedRemoteHash> aliases_;
  std::unordered_map<std::uint32_t, Listener> listeners_;
  std::unordered_map<std::uint32_t, TlsContext> last_contexts_;  // of listeners that have stopped
  std::unordered_map<std::uint64_t, Lingering> lingering_;
  std::vector<std::unique_ptr<Connection>> graveyard_;
  std::deque<Lost> lost_;
  std::optional<TlsContext> outgoing_;    // for targets without one
  std::uint64_t context_generation_ = 0;  // how many updates there were
  std::uint64_t judged_before_ = 0;       // peers of earlier generations are to be judged again
  DeadlineQueue deadlines_;
  std::uint64_t last_serial_ = 0;
  std::uint64_t last_lingering_ = 0;
  std::uint32_t last_listener_ = 0;

  Admission admission_;
  std::size_t buffered_ = 0;  // octets that wait to be written, and input that is held
  RoomQueue room_queue_;
  Account account_;
  std::deque<Event> events_;
  std::vector<ConnectionId> dirty_;
  std::vector<ConnectionId> flushing_;  // what flush_all() is at; empty otherwise
  std::vector<ConnectionId> resumed_;
  std::vector<ConnectionId> finishing_;  // PeerClosing was handed out
  // Keys of sockets that the kernel had no memory for, and when they are tried again.
  std::vector<std::uint64_t> starved_;
  MonoTime starved_armed_ = MonoTime::max();
  std::deque<ConnectionId> to_judge_;
  // What is left of this next_event()'s slice of judgements.
  std::size_t judgements_left_ = 0;
  MonoTime judge_until_;

  // What the last poll found: first all are looked at, and those that can wait are moved to the
  // front; then these are served.
  std::array<net::Ready, 256> ready_;
  std::size_t ready_count_ = 0;
  std::size_t ready_next_ = 0;
  std::size_t late_count_ = 0;
  std::size_t late_next_ = 0;
  MonoTime late_until_;
  MonoTime turn_began_;             // this next_event()
  std::size_t deadlines_left_ = 0;  // until the next poll

  // The connection whose input is being handed out, and the buffers that its views point into.
  Connection* current_ = nullptr;
  // The connection of the event that was handed out last, if that was the end of its input.
  ConnectionId left_ = ConnectionId::none;
  std::vector<std::byte> receive_buffer_;
  std::vector<std::byte> plaintext_buffer_;

  const UnframedRequest unframed_request_;
  ClockStanding noted_standing_ = ClockStanding::given;
  bool draining_ = false;
  bool waker_set_ = false;
  bool timer_is_due_ = false;  // it is readable, or about to be
  bool running_out_ = false;   // drain_all()
  bool may_be_more_ = true;    // a poll could find more than the last one did
};

}  // namespace siptls
