// Reading and writing.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "siptls/keep_alive.hpp"
#include "transport/transport_core.hpp"

namespace siptls {
namespace {

// So many written messages are remembered before the kernel is asked which ones have arrived.
constexpr std::size_t kAskAfter = 64;
// A client does not know in TLS 1.3 whether its server has accepted it before the first answer.
// Until then it remembers this many written messages.
constexpr std::size_t kAskAfterUnanswered = 4096;
// How long to wait when the kernel is out of memory for sockets. It is so for all of them, and
// poll() calls each one writable all the time.
constexpr std::chrono::milliseconds kStarvation{5};

}  // namespace

Connection* TransportCore::find(ConnectionId id) noexcept {
  const auto found = connections_.find(static_cast<std::uint64_t>(id));
  return found == connections_.end() ? nullptr : found->second.get();
}

Result<Connection*> TransportCore::find_open(ConnectionId id) {
  if (in_wrong_process()) {
    return Unexpected(Errc::wrong_process, "this transport was made in another process");
  }
  Connection* connection = find(id);
  if (connection == nullptr) {
    return Unexpected(Errc::unknown_connection, describe(id) + " does not exist or has ended");
  }
  return connection;
}

void TransportCore::read_from(Connection& connection) {
  const net::IoResult got = net::receive(connection.socket.get(), receive_buffer_);
  switch (got.status) {
    case net::IoStatus::would_block:
    case net::IoStatus::no_buffers:
      return;
    case net::IoStatus::failed:
      if (ends_health_check(connection)) return;
      read_failed(connection,
                  net::io_error(got.error, "receiving from " + connection.remote.to_string()));
      return;
    case net::IoStatus::ended:
      if (ends_health_check(connection)) return;
      // Level-triggered, the end would be announced again and again.
      connection.input_over = true;
      update_interest(connection);
      if (auto ended = connection.session->feed_end(now_); !ended) {
        session_failed(connection, std::move(ended).error());
      } else {
        peer_closed(connection);
      }
      return;
    case net::IoStatus::done:
      break;
  }
  if (got.octets == receive_buffer_.size()) may_be_more_ = true;
  auto octets = std::span<const std::byte>(receive_buffer_).first(got.octets);
  if (connection.proxy) {
    octets = behind_proxy_header(connection, octets);
    if (octets.empty()) return;
  }
  if (auto fed = connection.session->feed(octets, now_); !fed) {
    session_failed(connection, std::move(fed).error());
    return;
  }
  after_session_moved(connection);
  if (connection.connected) current_ = &connection;
}

// The session has read something, or was given an answer: handshake octets may have to go out, and
// the peer may be proven.
void TransportCore::after_session_moved(Connection& connection) {
  if (!connection.connected && connection.session->state() == SessionState::established) {
    if (auto good = judge_if_outdated(connection); !good) {
      static_cast<void>(connection.session->close(now_));
      write_out(connection);
      unproven_failed(connection, std::move(good).error());
      return;
    }
    connection.phase = Phase::open;
    connection.phase_since = connection.last_activity = now_.mono;
    connection.connected = true;
    const auto role =
        connection.role == ConnectionRole::server ? FramerRole::server : FramerRole::client;
    connection.framer.emplace(FramerOptions{role, limits_.framer}, *workspace_);
    put_event(Connected{connection.id, connection.role, connection.local, connection.remote,
                        connection.listener, connection.session->peer(), connection.wire_remote()});
    if (connection.room.octets != 0) want_room(connection, connection.room.octets);
    if (connection.role == ConnectionRole::server) {
      admission_.end_handshake();
      if (connection.entered) admission_.prove(connection.remote);
      resume_listeners(false);
    } else {
      index_proven(connection);
      if (const auto& options = connection.outgoing->target.keep_alive) {
        start_flow(connection, *options);
      }
    }
    mark_dirty(connection);
    arm(connection);
  }
  write_out(connection);
  if (connection.connected) return;
  switch (connection.session->state()) {
    case SessionState::handshaking:
      return;
    case SessionState::authorising:
    case SessionState::signing:
      ask_host(connection);
      return;
    default:
      peer_closed(connection);
  }
}

// Gives the session's output to the kernel. False if some of it has to wait.
bool TransportCore::write_out(Connection& connection) {
  if (!connection.session) return false;
  TlsSession& session = *connection.session;
  bool moved = false;
  while (!session.pending_output().empty() && !connection.write_error && !connection.starved) {
    const net::IoResult sent = net::send(connection.socket.get(), session.pending_output());
    connection.lacked_memory = sent.status == net::IoStatus::no_buffers;
    if (sent.status == net::IoStatus::done) {
      session.consume_output(sent.octets);
      moved = true;
      continue;
    }
    if (sent.status == net::IoStatus::would_block) break;
    if (sent.status == net::IoStatus::no_buffers) {
      connection.starved = true;
      starve(static_cast<std::uint64_t>(connection.id));
      break;
    }
    connection.write_error = std::make_unique<Error>(
        net::io_error(sent.error, "sending to " + connection.remote.to_string()));
    connection.write_error_until = now_.mono + limits_.close_timeout;
    update_interest(connection);
    arm(connection);
    return false;
  }
  connection.queue.mark_written(session.output_total() - session.pending_output().size(),
                                [&](SendToken token) {
                                  put_event(Sent{connection.id, token});
                                });
  update_interest(connection);
  note_progress(connection, moved);
  return session.pending_output().empty();
}

void TransportCore::starve(std::uint64_t key) {
  starved_.push_back(key);
  arm_key(kStarvedKey, now_.mono + kStarvation, starved_armed_);
}

// All are tried again, as soon as poll() has their turn.
void TransportCore::feed_starved() {
  starved_armed_ = MonoTime::max();
  for (const std::uint64_t key : std::exchange(starved_, {})) {
    if (const auto kept = lingering_.find(key); kept != lingering_.end()) {
      // What came from the peer meanwhile may have been an occasion to write the rest.
      poller_.change(kept->second.socket.get(), key, {true, !kept->second.rest.empty()});
    }
    Connection* connection = find(ConnectionId{key});
    if (connection == nullptr || !connection->starved) continue;
    connection->starved = false;
    if (connection->unpolled) {
      // Nothing will call it writable. It has hung up, and what is written says how.
      flush(*connection);
    } else {
      update_interest(*connection);
    }
  }
}

// How long the peer has been reading nothing of what waits for it.
void TransportCore::note_progress(Connection& connection, bool moved) {
  if (connection.session->pending_output().empty()) {
    connection.write_since = MonoTime::max();
    return;
  }
  const bool begins = connection.write_since == MonoTime::max();
  if (begins || moved) connection.write_since = now_.mono;
  if (begins && connection.connected) arm(connection);
}

// Encrypts and writes what is queued, one record at a time, until the kernel takes no more: what
// waits unencrypted can still expire.
void TransportCore::flush(Connection& connection) {
  if (!connection.session) return;
  if (connection.queue.next_expiry() <= now_.mono) report_expired(connection);
  bool writable = write_out(connection);
  if (connection.connected && !connection.close_sent) {
    while (writable && !connection.queue.empty()) {
      const auto chunk = connection.queue.front(kRecord);
      const std::uint64_t begin = connection.session->output_total();
      if (auto sent = connection.session->send(chunk, now_); !sent) {
        session_failed(connection, std::move(sent).error());
        return;
      }
      connection.last_activity = now_.mono;
      connection.queue.mark_encrypted(chunk.size(), begin, connection.session->output_total());
      writable = write_out(connection);
    }
    forget_acknowledged(connection);
    owe_writable(connection);
  }
  count_queued(connection);
  if (connection.finishing) advance_close(connection);
}

void TransportCore::forget_acknowledged(Connection& connection) {
  const bool answered = connection.session->peer_has_answered();
  if (connection.queue.unacknowledged_messages() < (answered ? kAskAfter : kAskAfterUnanswered)) {
    return;
  }
  const std::uint64_t in_kernel =
      connection.session->output_total() - connection.session->pending_output().size();
  const std::size_t unacknowledged = net::unacknowledged(connection.socket.get());
  connection.queue.mark_acknowledged(in_kernel -
                                     std::min<std::uint64_t>(in_kernel, unacknowledged));
}

// After a refusal, once half of the room is free again.
void TransportCore::owe_writable(Connection& connection) {
  if (!connection.refused_send || connection.finishing) return;
  if (connection.queue.waiting_octets() > limits_.max_queued_bytes / 2 ||
      connection.queue.waiting_messages() > limits_.max_queued_messages / 2) {
    return;
  }
  connection.refused_send = false;
  put_event(Writable{connection.id});
}

void TransportCore::update_interest(Connection& connection) {
  const bool waiting = connection.session && !connection.session->pending_output().empty();
  if (connection.unpolled) return;
  const bool failed = connection.write_error != nullptr;
  // After a failed write the peer's last words are read, but never past a host that has paused.
  // A pause holds back messages; a handshake and the peer's close_notify are none.
  const bool held = connection.paused && connection.connected &&
                    (!connection.finishing || connection.peer_close_seen);
  const bool read = !held && !connection.input_over && (!connection.asked || failed);
  const net::Interest wanted{read, waiting && !failed && !connection.starved};
  if (wanted == connection.interest) return;
  connection.interest = wanted;
  poller_.change(connection.socket.get(), static_cast<std::uint64_t>(connection.id), wanted);
}

// Goes on with reading, unless something else still stands in the way.
void TransportCore::read_again(Connection& connection) {
  if ((connection.paused && connection.connected) || connection.asked) return;
  if (connection.unpolled) {
    const net::Interest interest{true, false};
    if (auto added = poller_.add(connection.socket.get(), static_cast<std::uint64_t>(connection.id),
                                 interest);
        !added) {
      // Nobody would ever call it readable. It ends as after a failed write, and without delay, but
      // not inside of what the host has called.
      if (!connection.write_error) {
        connection.write_error = std::make_unique<Error>(std::move(added).error());
      }
      connection.write_error_until = now_.mono;
      arm(connection);
      return;
    }
    connection.unpolled = false;
    connection.interest = interest;
  } else if (connection.socket && connection.phase != Phase::connecting) {
    update_interest(connection);
  }
}

void TransportCore::mark_dirty(Connection& connection) {
  if (connection.dirty) return;
  connection.dirty = true;
  dirty_.push_back(connection.id);
}

void TransportCore::flush() {
  if (in_wrong_process()) return;
  begin_call();
  flush_all();
  end_call();
}

void TransportCore::flush_all() {
  flushing_.swap(dirty_);
  for (const ConnectionId id : flushing_) {
    Connection* connection = find(id);
    if (connection == nullptr) continue;
    connection->dirty = false;
    flush(*connection);
  }
  flushing_.clear();
}

Result<void> TransportCore::pause(ConnectionId id) {
  auto connection = find_open(id);
  if (!connection) return Unexpected(std::move(connection).error());
  (*connection)->paused = true;
  if ((*connection)->socket && (*connection)->phase != Phase::connecting) {
    update_interest(**connection);
  }
  return {};
}

Result<void> TransportCore::resume(ConnectionId id) {
  auto connection = find_open(id);
  if (!connection) return Unexpected(std::move(connection).error());
  Connection& resumed = **connection;
  begin_call();
  if (std::exchange(resumed.paused, false)) {
    // The time in which the host did not listen does not count against the peer.
    if (resumed.message_since != MonoTime::max()) resumed.message_since = now_.mono;
    if (resumed.connected && !resumed.heard && !resumed.finishing) resumed.phase_since = now_.mono;
    excuse_flow(resumed);
    if (resumed.socket) arm(resumed);
  }
  read_again(resumed);
  if (resumed.kept_input) {
    resumed.kept_input = false;
    resumed_.push_back(id);
  }
  end_call();
  return {};
}

}  // namespace siptls
