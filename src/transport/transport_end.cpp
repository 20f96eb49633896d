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
    end_unproven(connection, std::move(error));
  }
  end_call();
  return {};
}

void TransportCore::close_all() {
  if (in_wrong_process()) return;
  listeners_.clear();
  std::vector<ConnectionId> ids;
  ids.reserve(connections_.size());
  for (const auto& [key, connection] : connections_) ids.push_back(connection->id);
  std::sort(ids.begin(), ids.end());
  for (const ConnectionId id : ids) static_cast<void>(close(id));
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
  report_unsent(connection,
                error ? *error : Error(Errc::connection_closed, "the connection has ended"),
                clean ? Unsent::in_order : Unsent::lost);
  put_event(Closed{connection.id, std::move(error), truncated});
  bury(connection, clean ? Farewell::close : Farewell::linger);
}

// A connection that never gave Connected.
void TransportCore::end_unproven(Connection& connection, Error error) {
  report_unsent(connection, error, Unsent::lost);
  const bool reached = connection.phase == Phase::handshaking;
  if (connection.role == ConnectionRole::server || reached) {
    std::vector<ConnectAttempt> earlier;
    if (connection.outgoing) earlier = std::move(connection.outgoing->attempts);
    put_event(HandshakeFailed{connection.id, connection.role, connection.local, connection.remote,
                              connection.listener, std::move(error), std::move(earlier)});
  } else {
    Outgoing& outgoing = *connection.outgoing;
    if (outgoing.attempts.size() < outgoing.next_remote) {
      outgoing.attempts.push_back({connection.remote, std::move(error)});
    }
    put_event(ConnectFailed{connection.id, outgoing.target.domain, std::move(outgoing.attempts)});
  }
  bury(connection, reached ? Farewell::linger : Farewell::close);
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
    } else if (failed.bytes_written > 0 || entry.cipher_end != 0) {
      failed.delivery = Delivery::partial;
    }
    put_event(std::move(failed));
  }
}

// The connection is over for the host. Its memory stays until the next next_event().
void TransportCore::bury(Connection& connection, Farewell farewell) {
  if (current_ == &connection) current_ = nullptr;
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
        linger(std::move(connection.socket));
        break;
      case Farewell::reset:
        net::reset_on_close(connection.socket.get());
        [[fallthrough]];
      case Farewell::close:
        connection.socket.close();
        break;
    }
  }
  const auto found = connections_.find(static_cast<std::uint64_t>(connection.id));
  graveyard_.push_back(std::move(found->second));
  connections_.erase(found);
  if (deadlines_.size() > 4 * connections_.size() + 4096) {
    deadlines_.remove_if([&](std::uint64_t key) {
      return key >= kConnectionKeys && connections_.find(key) == connections_.end();
    });
  }
  resume_listeners();
}

void TransportCore::linger(net::Descriptor socket) {
  if (lingering_.size() >= kMaxLingering) return;
  net::shutdown_write(socket.get());
  const std::uint64_t key = kLingeringKeys + ++last_lingering_;
  if (!poller_.add(socket.get(), key, {true, false})) return;
  Lingering& kept = lingering_[key];
  kept.socket = std::move(socket);
  kept.until = now_.mono + limits_.close_timeout;
  deadlines_.arm(key, kept.until, kept.armed);
}

void TransportCore::serve_lingering(std::uint64_t key) {
  const auto found = lingering_.find(key);
  if (found == lingering_.end()) return;
  Lingering& kept = found->second;
  for (;;) {
    const net::IoResult got = net::receive(kept.socket.get(), receive_buffer_);
    if (got.status == net::IoStatus::would_block) return;
    if (got.status != net::IoStatus::done) break;
    kept.discarded += got.octets;
    if (kept.discarded > kMaxDiscarded) break;
  }
  lingering_.erase(found);
}

MonoTime TransportCore::deadline_of(const Connection& connection) const {
  const MonoTime expiry = std::min(connection.queue.next_expiry(), connection.write_error_until);
  switch (connection.phase) {
    case Phase::connecting:
      return std::min(expiry, connection.phase_since + limits_.connect_timeout);
    case Phase::handshaking:
      return std::min(expiry, connection.session->next_deadline().value_or(MonoTime::max()));
    case Phase::open:
    case Phase::closing:
      break;
  }
  if (connection.finishing) {
    return std::min(expiry, connection.phase_since + limits_.close_timeout);
  }
  MonoTime deadline = connection.last_activity + limits_.idle_timeout;
  if (connection.message_since != MonoTime::max() && !connection.paused) {
    deadline = std::min(deadline, connection.message_since + limits_.message_timeout);
  }
  return std::min(deadline, expiry);
}

void TransportCore::arm(Connection& connection) {
  deadlines_.arm(static_cast<std::uint64_t>(connection.id), deadline_of(connection),
                 connection.armed);
}

// True if something was due.
bool TransportCore::run_deadlines() {
  const auto due = deadlines_.take_due(now_.mono);
  if (!due) return false;
  if (due->key >= kConnectionKeys) {
    Connection* connection = find(ConnectionId{due->key});
    // An entry that is later than the earliest one was replaced.
    if (connection == nullptr || connection->armed != due->at) return true;
    connection->armed = MonoTime::max();
    if (deadline_of(*connection) <= now_.mono) deadline_reached(*connection);
    if (Connection* still_there = find(ConnectionId{due->key})) arm(*still_there);
    return true;
  }
  if (due->key >= kLingeringKeys) {
    lingering_.erase(due->key);
    return true;
  }
  const auto listener = listeners_.find(static_cast<std::uint32_t>(due->key - kListenerKeys));
  if (listener != listeners_.end()) {
    listener->second.armed = MonoTime::max();
    resume_listeners();
  }
  return true;
}

void TransportCore::deadline_reached(Connection& connection) {
  for (const WriteQueue::Entry& entry : connection.queue.take_expired(now_.mono)) {
    put_event(SendFailed{connection.id, entry.token,
                         Error(Errc::expired, "still waiting when its time had come"), 0,
                         Delivery::none});
  }
  if (deadline_of(connection) > now_.mono) return;
  if (connection.write_error_until <= now_.mono) {
    read_failed(connection, std::move(*connection.write_error));
    return;
  }
  const auto seconds = [](std::chrono::milliseconds limit) {
    return std::to_string(static_cast<double>(limit.count()) / 1000.0) + " s";
  };
  if (connection.phase == Phase::connecting) {
    attempt_failed(connection, Error(Errc::connect_timeout, connection.remote.to_string() +
                                                                " did not answer within " +
                                                                seconds(limits_.connect_timeout)));
  } else if (connection.phase == Phase::handshaking) {
    if (auto outcome = connection.session->on_deadline(now_); !outcome) {
      session_failed(connection, std::move(outcome).error());
    }
  } else if (connection.finishing) {
    // Our side is closed as well as it can be.
    end_open(connection, std::nullopt, true);
  } else {
    const bool inside_message = connection.message_since != MonoTime::max() &&
                                connection.message_since + limits_.message_timeout <= now_.mono;
    Error error =
        inside_message
            ? Error(Errc::message_timeout,
                    "a message was not finished within " + seconds(limits_.message_timeout) + "; " +
                        std::to_string(connection.framer->unfinished()) + " octets of it had come")
            : Error(Errc::idle_timeout,
                    "nothing was sent or received for " + seconds(limits_.idle_timeout));
    if (connection.queue.empty()) static_cast<void>(connection.session->close(now_));
    write_out(connection);
    end_open(connection, std::move(error), inside_message);
  }
}

}  // namespace siptls
