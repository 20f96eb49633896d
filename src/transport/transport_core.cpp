#include "transport/transport_core.hpp"

#include <atomic>
#include <utility>

#include "base/os/process.hpp"

namespace siptls {
namespace {

// One read of this size is a connection's turn. It holds about a hundred messages.
constexpr std::size_t kReceiveBuffer = 64 * 1024;
// The plaintext of the largest record (RFC 8446 section 5.1).
constexpr std::size_t kPlaintextBuffer = 16 * 1024;
// Peers that are judged again with one next_event(), and the time after which no further one is.
constexpr std::size_t kJudgementsPerSlice = 16;
constexpr std::chrono::milliseconds kJudgementTime{1};

std::uint64_t next_transport_number() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

Result<std::unique_ptr<TransportCore>> TransportCore::create(TransportOptions options) {
  if (options.clock == nullptr) {
    return Unexpected(Errc::invalid_argument, "TransportOptions::clock is null");
  }
  if (auto good = check_limits(options.limits); !good) return Unexpected(std::move(good).error());
  auto poller = net::Poller::create();
  if (!poller) return Unexpected(std::move(poller).error());
  auto timer = net::Timer::create();
  if (!timer) return Unexpected(std::move(timer).error());
  auto waker = net::Waker::create();
  if (!waker) return Unexpected(std::move(waker).error());
  auto senders = std::make_shared<SenderQueue>(std::move(*waker));
  if (auto added = poller->add(timer->fd(), kTimerKey, {true, false}); !added) {
    return Unexpected(std::move(added).error());
  }
  if (auto added = poller->add(senders->waker().fd(), kWakerKey, {true, false}); !added) {
    return Unexpected(std::move(added).error());
  }
  std::unique_ptr<TransportCore> core(new TransportCore(std::move(options), std::move(*poller),
                                                        std::move(*timer), std::move(senders)));
  if (core->outgoing_) {
    if (auto usable = core->check_usable(*core->outgoing_, ConnectionRole::client); !usable) {
      return Unexpected(std::move(usable).error());
    }
    core->warn_about(*core->outgoing_);
    core->end_call();
  }
  return core;
}

TransportCore::TransportCore(TransportOptions options, net::Poller poller, net::Timer timer,
                             std::shared_ptr<SenderQueue> senders)
    : clock_(std::move(options.clock)),
      limits_(bounded(options.limits)),
      generation_(os::process_generation()),
      number_(next_transport_number()),
      poller_(std::move(poller)),
      timer_(std::move(timer)),
      senders_(std::move(senders)),
      now_(clock_->now()),
      workspace_(SipFramer::make_workspace()),
      outgoing_(std::move(options.outgoing)),
      admission_(limits_, static_cast<std::uint64_t>(now_.mono.time_since_epoch().count())),
      account_(std::move(options.log)),
      receive_buffer_(kReceiveBuffer),
      plaintext_buffer_(kPlaintextBuffer),
      unframed_request_(options.unframed_request) {}

TransportCore::~TransportCore() {
  // In a forked child the sockets are the parent's, and so is whoever holds the queue's lock.
  if (in_wrong_process()) return;
  senders_->close();
  for (auto& [key, connection] : connections_) {
    if (connection->socket) net::reset_on_close(connection->socket.get());
  }
}

bool TransportCore::in_wrong_process() const noexcept {
  return os::process_generation() != generation_;
}

ConnectionId TransportCore::new_id() noexcept {
  return ConnectionId{number_ * kConnectionKeys + ++last_serial_};
}

// A host may call long after the event that it holds, and what begins with its call begins now.
void TransportCore::begin_call() { now_ = clock_->now(); }

// What is only gathered begins nothing yet, and this is done for each message of a drain.
void TransportCore::begin_send() {
  if (!draining_ || current_ == nullptr) now_ = clock_->now();
}

void TransportCore::end_call() { settle(work_is_left()); }

// Work that no socket will announce.
bool TransportCore::work_is_left() const noexcept {
  return !events_.empty() || !dirty_.empty() || !resumed_.empty() || !finishing_.empty() ||
         !to_judge_.empty() || room_is_owed();
}

// Makes fd() readable, at once or for the next deadline.
void TransportCore::settle(bool wake) {
  if (wake && !waker_set_) {
    senders_->waker().signal();
    waker_set_ = true;
  }
  const auto earliest = deadlines_.earliest();
  if (!earliest) {
    if (timer_is_due_ || timer_set_for_ <= now_.mono) {
      timer_.clear();
      timer_set_for_ = MonoTime::max();
      timer_is_due_ = false;
    }
  } else if (*earliest <= now_.mono) {
    // Once: it stays readable, and in a busy drain a deadline can be due for many events.
    if (!timer_is_due_ || timer_set_for_ > now_.mono) timer_.set(std::chrono::nanoseconds(0));
    timer_set_for_ = *earliest;
    timer_is_due_ = true;
  } else if (timer_is_due_ || *earliest < timer_set_for_ || timer_set_for_ <= now_.mono) {
    timer_.set(*earliest - now_.mono);
    timer_set_for_ = *earliest;
    timer_is_due_ = false;
  }
}

std::optional<Event> TransportCore::next_event() {
  if (in_wrong_process()) return std::nullopt;
  graveyard_.clear();
  now_ = clock_->now();
  if (!draining_) {
    draining_ = true;
    may_be_more_ = true;
    deadlines_left_ = 0;
    note_clock();
    note_warnings();
  }
  judgements_left_ = kJudgementsPerSlice;
  judge_until_ = now_.mono + kJudgementTime;
  turn_began_ = now_.mono;
  left_ = ConnectionId::none;
  set_aside_current();
  std::optional<Event> event;
  for (;;) {
    event = take_event();
    if (event) break;
    if (current_ != nullptr) {
      event = step_current();
      if (event) {
        leave_exhausted();
        break;
      }
      continue;
    }
    if (!pump()) break;
  }
  if (!event) draining_ = false;
  // Without an event everything is done but judgements of the next slice, and sockets that are
  // ready still after a long turn.
  settle(event ? current_ != nullptr || work_is_left() : !to_judge_.empty() || may_be_more_);
  return event;
}

std::optional<Event> TransportCore::take_event() {
  if (events_.empty()) return std::nullopt;
  std::optional<Event> event(std::move(events_.front()));
  events_.pop_front();
  // After the host has seen this, it has one chance to send its last words.
  if (const auto* closing = std::get_if<PeerClosing>(&*event)) {
    finishing_.push_back(closing->connection);
  }
  return event;
}

// Does one piece of work that can produce events. False if there is none left: then all output is
// written and fd() tells when there is more.
bool TransportCore::pump() {
  if (!finishing_.empty()) {
    const ConnectionId id = finishing_.back();
    finishing_.pop_back();
    if (Connection* connection = find(id)) begin_close(*connection);
    return true;
  }
  if (!resumed_.empty()) {
    const ConnectionId id = resumed_.back();
    resumed_.pop_back();
    Connection* connection = find(id);
    if (connection == nullptr || !connection->session) return true;
    // The host has paused it again meanwhile.
    if (connection->paused) {
      connection->kept_input = true;
    } else {
      current_ = connection;
    }
    return true;
  }
  if (judge_one()) return true;
  if (serve_next()) return true;
  // What the drain has gathered must not wait for a flood to end.
  if (!dirty_.empty()) {
    flush_all();
    return true;
  }
  // What has been received by a deadline comes before it, also in a crowd of them.
  if (deadlines_left_ == 0) {
    poll_sockets();
    return true;
  }
  if (run_deadlines() || offer_room()) {
    --deadlines_left_;
    return true;
  }
  if (may_be_more_ && poll_again()) return true;
  if (waker_set_) {
    waker_set_ = false;
    senders_->waker().clear();
  }
  serve_commands();
  return !events_.empty() || !dirty_.empty() || room_is_owed();
}

void TransportCore::serve(const net::Ready& ready) {
  if (ready.key == kTimerKey) {
    timer_is_due_ = true;
    return;
  }
  if (ready.key == kWakerKey) {
    waker_set_ = true;
    serve_commands();
    return;
  }
  if (ready.key >= kConnectionKeys) {
    Connection* connection = find(ConnectionId{ready.key});
    if (connection == nullptr) return;
    if (connection->phase == Phase::connecting) {
      if (ready.writable) finish_connect(*connection);
      return;
    }
    if (ready.writable && connection->interest.write) {
      flush(*connection);
      connection = find(ConnectionId{ready.key});  // it may have ended
      if (connection == nullptr) return;
    }
    const net::Interest& interest = connection->interest;
    if (ready.hung_up && !interest.read && !interest.write) {
      // Level-triggered, it would be announced again and again until somebody reads.
      poller_.remove(connection->socket.get());
      connection->unpolled = connection->hung_up = true;
    } else if (ready.readable && interest.read) {
      read_from(*connection);
    }
    return;
  }
  if (ready.key >= kLingeringKeys) {
    serve_lingering(ready.key);
    return;
  }
  const auto listener = listeners_.find(static_cast<std::uint32_t>(ready.key - kListenerKeys));
  if (listener != listeners_.end()) accept_from(listener->second);
}

void TransportCore::serve_commands() {
  for (SenderQueue::Command& command : senders_->take()) {
    if (command.kind == SenderQueue::Kind::post) {
      put_event(Posted{command.value});
      continue;
    }
    // An answer that comes too late is dropped.
    if (command.kind == SenderQueue::Kind::authorise) {
      static_cast<void>(authorise(command.connection, command.verdict));
      continue;
    }
    if (command.kind == SenderQueue::Kind::complete_signature) {
      static_cast<void>(complete_signature(command.connection, command.message));
      continue;
    }
    Result<SendToken> outcome = [&]() -> Result<SendToken> {
      if (command.kind == SenderQueue::Kind::send_to_target) {
        return send(*command.target, command.message, command.options, command.token);
      }
      if (command.kind == SenderQueue::Kind::respond) {
        return respond(command.connection, command.message, command.fallback, command.options,
                       command.token);
      }
      return send(command.connection, command.message, command.options, command.token);
    }();
    account_.note_send(command.message.size());
    if (!outcome) {
      put_event(SendFailed{command.connection, command.token, std::move(outcome).error(), 0,
                           Delivery::none});
    }
  }
}

// One Warning for each change to a worse state.
void TransportCore::note_clock() {
  if (now_.standing == noted_standing_) return;
  noted_standing_ = now_.standing;
  if (auto judged = check_clock(now_, ClockPolicy::require); !judged) {
    put_event(Warning{std::move(judged).error()});
  }
}

// Hands out what the current connection still has: first from the framer, then by decrypting more.
std::optional<Event> TransportCore::step_current() {
  Connection& connection = *current_;
  if (connection.framer && !connection.finishing) {
    if (auto event = next_from_framer(connection)) return event;
    if (current_ != &connection) return std::nullopt;  // it has ended
  }
  auto plaintext = connection.session->next_plaintext(plaintext_buffer_, now_);
  if (!plaintext) {
    session_failed(connection, std::move(plaintext).error());
    return std::nullopt;
  }
  if (plaintext->empty()) {
    leave_current();
    return std::nullopt;
  }
  connection.last_activity = now_.mono;
  if (!connection.finishing) connection.framer->push(*plaintext);
  return std::nullopt;
}

std::optional<Event> TransportCore::next_from_framer(Connection& connection) {
  FramerOutput output = connection.framer->next();
  if (const auto* message = std::get_if<SipMessageView>(&output)) {
    connection.message_since = MonoTime::max();
    connection.heard = true;
    account_.note_message(message->bytes().size());
    return Message{connection.id, *message, connection.local, connection.remote};
  }
  if (const auto* keep_alive = std::get_if<KeepAlive>(&output)) {
    connection.message_since = MonoTime::max();
    connection.heard = true;
    if (keep_alive->kind == KeepAlive::Kind::ping) {
      answer_ping(connection);
      if (current_ != &connection) return std::nullopt;
    } else {
      pong_came(connection);
    }
    const KeepAliveReceived received{connection.id, keep_alive->kind};
    account_.note(received, now_);
    return received;
  }
  if (auto* error = std::get_if<Error>(&output)) {
    // Nothing more can be read from this stream; the peer is told why, and that we close.
    refuse_unframed(connection);
    if (current_ != &connection) return std::nullopt;
    static_cast<void>(connection.session->close(now_));
    write_out(connection);
    end_open(connection, std::move(*error), false);
  }
  return std::nullopt;
}

// Best effort: behind what is queued, if the kernel takes all of it now.
void TransportCore::refuse_unframed(Connection& connection) {
  const std::string_view refusal = connection.framer->refusal_response();
  if (unframed_request_ == UnframedRequest::close || refusal.empty()) return;
  flush(connection);
  if (current_ != &connection || !connection.queue.empty()) return;
  static_cast<void>(connection.session->send(std::as_bytes(std::span(refusal)), now_));
}

// With the event that is about to be handed out, the drain is done with its connection: what the
// host sends on it now is written at once, and fd() need not announce that something is left. That
// spares the usual lone request two calls of the kernel.
void TransportCore::leave_exhausted() {
  if (current_ == nullptr || !current_->framer || current_->framer->unfinished() > 0) return;
  const TlsSession& session = *current_->session;
  if (session.state() != SessionState::established || session.has_unread_input() ||
      !session.pending_output().empty()) {
    return;
  }
  forget_held(*current_);
  arm(*current_);
  left_ = std::exchange(current_, nullptr)->id;
}

// Whether there is the beginning of a message, or of a record that may carry one: a peer has so
// long for either, from its first octet on.
void TransportCore::note_unfinished(Connection& connection) {
  if (connection.framer->unfinished() == 0 && !connection.session->has_unread_input()) {
    connection.message_since = MonoTime::max();
  } else if (connection.message_since == MonoTime::max()) {
    connection.message_since = now_.mono;
  }
}

// All input of the current connection is used up.
void TransportCore::leave_current() {
  Connection& connection = *std::exchange(current_, nullptr);
  note_unfinished(connection);
  if (connection.session->state() == SessionState::peer_closed ||
      connection.session->state() == SessionState::closed) {
    peer_closed(connection);
    return;
  }
  if (!count_held(connection)) return;
  arm(connection);
  // Gathered output is written here, and what TLS itself has to say (KeyUpdate) as well.
  flush(connection);
}

// A connection that the host paused while its input was being handed out keeps the rest of it.
void TransportCore::set_aside_current() {
  if (current_ == nullptr || !current_->paused) return;
  current_->session->keep_input();
  if (current_->framer) current_->framer->keep_input();
  current_->kept_input = true;
  if (!count_held(*current_)) return;
  flush(*std::exchange(current_, nullptr));
}

}  // namespace siptls
