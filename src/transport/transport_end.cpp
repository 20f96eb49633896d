// How connections end, and the deadlines that end them.
#include <algorithm>
#include <utility>

#include "transport/transport_core.hpp"

namespace siptls {
namespace {

// For respond(): connections that have ended, of which the identities are remembered.
constexpr std::size_t kRemembered = 1024;
// Sockets that wait for their peer to read its alert, and what one may still send meanwhile.
constexpr std::size_t kMaxLingering = 256;
constexpr std::size_t kMaxDiscarded = 256 * 1024;

}  // namespace

Result<void> TransportCore::close(ConnectionId id) {
  auto found = find_open(id);
  if (!found) return Unexpected(std::move(found).error());
  Connection& connection = **found;
  begin_call();
  if (!connection.finishing) begin_close(connection);
  end_call();
  return {};
}

Result<void> TransportCore::abort(ConnectionId id) {
  auto found = find_open(id);
  if (!found) return Unexpected(std::move(found).error());
  Connection& connection = **found;
  begin_call();
  Error error(Errc::connection_aborted, "aborted by this side");
  if (connection.connected) {
    report_unsent(connection, error, Unsent::lost);
    put_event(Closed{connection.id, std::move(error), false});
    bury(connection, Farewell::reset);
  } else {
    end_unproven(connection, std::move(error), Farewell::reset);
  }
  end_call();
  return {};
}

void TransportCore::close_all() {
  if (in_wrong_process()) return;
  stop_all_listeners();
  for (const ConnectionId id : connection_ids()) static_cast<void>(close(id));
}

// Nothing more is handed out or taken; what is queued still goes out, then close_notify.
void TransportCore::begin_close(Connection& connection) {
  if (!connection.connected) {
    // The peer is told by an alert that this is no failure (RFC 8446 section 6.1, user_canceled).
    if (connection.session) static_cast<void>(connection.session->close(now_));
    write_out(connection);
    end_unproven(connection, Error(Errc::connection_closed, "closed by this side"));
    return;
  }
  connection.finishing = true;
  connection.phase_since = now_.mono;
  unindex_remote(connection);
  // The rest of the input is only read to find the peer's close_notify.
  if (!connection.peer_close_seen) {
    connection.paused = false;
    read_again(connection);
  }
  if (connection.kept_input) {
    connection.kept_input = false;
    resumed_.push_back(connection.id);
  }
  arm(connection);
  flush(connection);
}

// Moves a finishing connection on, whenever its output has moved.
void TransportCore::advance_close(Connection& connection) {
  if (!connection.queue.empty() && !connection.write_error) return;
  if (!connection.close_sent) {
    connection.close_sent = true;
    connection.phase = Phase::closing;
    static_cast<void>(connection.session->close(now_));
    write_out(connection);
  }
  const bool written = connection.session->pending_output().empty();
  if (connection.session->state() == SessionState::closed && (written || connection.write_error)) {
    end_open(connection, std::nullopt, false);
  }
}

// The peer has said close_notify, or ended its TCP behind one.
void TransportCore::peer_closed(Connection& connection) {
  if (!connection.connected) {
    unproven_failed(connection, Error(Errc::connection_closed,
                                      "the peer said close_notify before the handshake was done"));
    return;
  }
  if (connection.finishing) {
    advance_close(connection);
    return;
  }
  if (std::exchange(connection.peer_close_seen, true)) return;
  if (const std::size_t unfinished = connection.framer->unfinished(); unfinished > 0) {
    static_cast<void>(connection.session->close(now_));
    write_out(connection);
    end_open(connection,
             Error(Errc::truncated, "the peer said close_notify inside a message, after " +
                                        std::to_string(unfinished) + " octets of it"),
             true);
    return;
  }
  // Nothing more comes; waiting for input would find the end of TCP again and again.
  connection.paused = true;
  update_interest(connection);
  put_event(PeerClosing{connection.id});
}

// The session has failed; its alert, if there is one, is in its output.
void TransportCore::session_failed(Connection& connection, Error error) {
  write_out(connection);
  if (!connection.connected) {
    unproven_failed(connection, std::move(error));
    return;
  }
  if (connection.finishing && error.reason() == Errc::truncated) {
    // We had closed already, so nothing of the peer's is missed.
    end_open(connection, std::nullopt, true);
    return;
  }
  if (error.category() == Category::peer_alert && !connection.session->peer_has_answered()) {
    end_refused(connection, std::move(error));
    return;
  }
  const bool truncated = error.reason() == Errc::truncated;
  end_open(connection, std::move(error), truncated);
}

void TransportCore::read_failed(Connection& connection, Error error) {
  if (!connection.connected) {
    unproven_failed(connection, std::move(error));
    return;
  }
  if (connection.finishing && connection.close_sent) {
    end_open(connection, std::nullopt, true);
    return;
  }
  if (connection.role == ConnectionRole::client && !connection.session->peer_has_answered()) {
    end_refused(connection, std::move(error));
    return;
  }
  end_open(connection, std::move(error), true);
}

// RFC 8446 section 4.4.2.4: in TLS 1.3 a client is done before the server has judged it. What it
// has written by then was never looked at.
void TransportCore::end_refused(Connection& connection, Error error) {
  report_unsent(connection, error, Unsent::refused);
  put_event(HandshakeFailed{connection.id,
                            connection.role,
                            connection.local,
                            connection.remote,
                            connection.listener,
                            error,
                            {}});
  put_event(Closed{connection.id, std::move(error), false});
  bury(connection, Farewell::linger);
}

void TransportCore::end_open(Connection& connection, std::optional<Error> error, bool truncated) {
  const bool clean = !error && !truncated;
  // A server of TLS 1.3 that ends its stream behind our close_notify, without a word of its own,
  // may never have come to serve.
  const bool served =
      connection.role == ConnectionRole::server || connection.session->peer_has_answered();
  report_unsent(connection,
                error ? *error : Error(Errc::connection_closed, "the connection has ended"),
                clean && served ? Unsent::in_order : Unsent::lost);
  put_event(Closed{connection.id, std::move(error), truncated});
  bury(connection, clean ? Farewell::close : Farewell::linger);
}

// A connection that never gave Connected.
void TransportCore::end_unproven(Connection& connection, Error error,
                                 std::optional<Farewell> farewell) {
  report_unsent(connection, error, Unsent::lost);
  const bool reached = connection.phase == Phase::handshaking;
  if (connection.role == ConnectionRole::server || reached) {
    std::vector<ConnectAttempt> earlier;
    if (connection.outgoing) earlier = std::move(connection.outgoing->attempts);
    put_event(HandshakeFailed{connection.id, connection.role, connection.local, connection.remote,
                              connection.listener, std::move(error), std::move(earlier)});
  } else {
    Outgoing& outgoing = *connection.outgoing;
    // Given up by this side while it was tried.
    if (outgoing.attempts.size() < outgoing.next_remote) note_attempt(connection, std::move(error));
    put_event(ConnectFailed{connection.id, outgoing.target.domain, std::move(outgoing.attempts)});
  }
  bury(connection, farewell.value_or(reached ? Farewell::linger : Farewell::close));
}

// Answers for every token of the connection that is not known to have arrived.
void TransportCore::report_unsent(Connection& connection, const Error& error, Unsent how) {
  const WriteQueue& queue = connection.queue;
  std::uint64_t in_kernel = 0;
  if (connection.session) {
    in_kernel = connection.session->output_total() - connection.session->pending_output().size();
    const std::size_t unacknowledged = net::unacknowledged(connection.socket.get());
    // A peer that has not answered yet may have judged nothing, whatever its TCP has acknowledged.
    const bool served =
        connection.role == ConnectionRole::server || connection.session->peer_has_answered();
    if (how != Unsent::refused && served) {
      connection.queue.mark_acknowledged(in_kernel -
                                         std::min<std::uint64_t>(in_kernel, unacknowledged));
    }
  }
  for (const WriteQueue::Entry& entry : connection.queue.take_all()) {
    if (entry.token == SendToken::none) continue;
    SendFailed failed{connection.id, entry.token, error, queue.octets_written(entry),
                      Delivery::none};
    const bool whole = entry.cipher_end != 0 && entry.cipher_end <= in_kernel;
    if (whole) {
      if (how == Unsent::in_order) continue;
      failed.bytes_written = static_cast<std::size_t>(entry.plain_end - entry.plain_begin);
      failed.delivery = how == Unsent::refused ? Delivery::refused : Delivery::unknown;
    } else if (queue.has_left(entry, in_kernel)) {
      failed.delivery = Delivery::partial;
    }
    put_event(std::move(failed));
  }
}

// The connection is over for the host. Its memory stays until the next next_event().
void TransportCore::bury(Connection& connection, Farewell farewell) {
  if (current_ == &connection) current_ = nullptr;
  leave(connection);
  forget_buffered(connection);
  unindex_remote(connection);
  if (connection.session && connection.connected) {
    lost_.push_back({connection.id, connection.context, connection.context_source,
                     connection.session->peer().path});
    if (lost_.size() > kRemembered) lost_.pop_front();
  }
  if (connection.socket) {
    poller_.remove(connection.socket.get());
    switch (farewell) {
      case Farewell::linger:
        linger(connection);
        break;
      case Farewell::reset:
        net::reset_on_close(connection.socket.get());
        [[fallthrough]];
      case Farewell::close:
        connection.socket.close();
        break;
    }
  }
  room_queue_.leave(connection.room);
  const auto found = connections_.find(static_cast<std::uint64_t>(connection.id));
  graveyard_.push_back(std::move(found->second));
  connections_.erase(found);
  tidy_deadlines();
  resume_listeners(true);
}

// Takes the connection's socket, and the alert that the kernel has not taken yet. Of a message
// nothing more may go out: it was reported as one that the peer cannot have.
void TransportCore::linger(Connection& connection) {
  net::Descriptor socket = std::move(connection.socket);
  if (lingering_.size() >= kMaxLingering) return;
  std::span<const std::byte> rest;
  if (connection.session && !connection.write_error) {
    const std::span<const std::byte> pending = connection.session->pending_output();
    const std::uint64_t in_kernel = connection.session->output_total() - pending.size();
    if (in_kernel >= connection.queue.cipher_end()) rest = pending;
  }
  if (rest.empty()) net::shutdown_write(socket.get());
  const std::uint64_t key = kLingeringKeys + ++last_lingering_;
  if (!poller_.add(socket.get(), key, {true, !rest.empty()})) return;
  Lingering& kept = lingering_[key];
  kept.socket = std::move(socket);
  kept.rest.assign(rest.begin(), rest.end());
  kept.until = now_.mono + limits_.close_timeout;
  arm_key(key, kept.until, kept.armed);
}

// Writes the rest of a lingering connection. False if there is no writing any more.
bool TransportCore::write_rest(std::uint64_t key, Lingering& kept) {
  while (!kept.rest.empty()) {
    const net::IoResult sent = net::send(kept.socket.get(), kept.rest);
    if (sent.status == net::IoStatus::would_block) return true;
    if (sent.status == net::IoStatus::no_buffers) {
      poller_.change(kept.socket.get(), key, {true, false});
      starve(key);
      return true;
    }
    if (sent.status != net::IoStatus::done) return false;
    kept.rest.erase(kept.rest.begin(),
                    kept.rest.begin() + static_cast<std::ptrdiff_t>(sent.octets));
    if (!kept.rest.empty()) continue;
    net::shutdown_write(kept.socket.get());
    poller_.change(kept.socket.get(), key, {true, false});
  }
  return true;
}

void TransportCore::serve_lingering(std::uint64_t key) {
  const auto found = lingering_.find(key);
  if (found == lingering_.end()) return;
  Lingering& kept = found->second;
  if (!write_rest(key, kept)) {
    lingering_.erase(found);
    return;
  }
  for (;;) {
    const net::IoResult got = net::receive(kept.socket.get(), receive_buffer_);
    if (got.status == net::IoStatus::would_block) return;
    if (got.status != net::IoStatus::done) break;
    kept.discarded += got.octets;
    if (kept.discarded > kMaxDiscarded) break;
  }
  lingering_.erase(found);
}

}  // namespace siptls
