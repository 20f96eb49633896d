// Deadlines: when something has to be done about a connection that nobody else would wake.
#include <algorithm>
#include <utility>

#include "transport/transport_core.hpp"

namespace siptls {
namespace {

std::string seconds(std::chrono::milliseconds limit) {
  return std::to_string(static_cast<double>(limit.count()) / 1000.0) + " s";
}

}  // namespace

MonoTime TransportCore::deadline_of(const Connection& connection) const {
  MonoTime deadline = std::min(connection.queue.next_expiry(), connection.write_error_until);
  if (connection.finishing) {
    return std::min(deadline, connection.phase_since + limits_.close_timeout);
  }
  if (connection.draining) deadline = std::min(deadline, connection.drain_until);
  switch (connection.phase) {
    case Phase::connecting:
      return std::min(deadline, connection.phase_since + limits_.connect_timeout);
    case Phase::handshaking:
      return std::min(deadline, connection.session->next_deadline().value_or(MonoTime::max()));
    case Phase::open:
    case Phase::closing:
      break;
  }
  if (connection.write_since != MonoTime::max()) {
    deadline = std::min(deadline, connection.write_since + limits_.write_timeout);
  }
  // What a peer does not say while the host does not listen is not its fault.
  if (!connection.paused) {
    if (connection.message_since != MonoTime::max()) {
      deadline = std::min(deadline, connection.message_since + limits_.message_timeout);
    }
    if (awaits_first_message(connection)) {
      deadline = std::min(deadline, connection.phase_since + limits_.first_message_timeout);
    }
  }
  // The silence of a flow is judged by its pongs.
  if (connection.flow) return std::min(deadline, connection.flow->deadline());
  return std::min(deadline, connection.last_activity + limits_.idle_timeout);
}

bool TransportCore::awaits_first_message(const Connection& connection) {
  return connection.role == ConnectionRole::server && !connection.heard;
}

void TransportCore::arm(Connection& connection) {
  arm_key(static_cast<std::uint64_t>(connection.id), deadline_of(connection), connection.armed);
}

void TransportCore::arm_key(std::uint64_t key, MonoTime at, MonoTime& armed) {
  if (deadlines_.arm(key, at, armed)) tidy_deadlines();
}

void TransportCore::tidy_deadlines() {
  if (!deadlines_.is_crowded(connections_.size() + lingering_.size() + listeners_.size() + 1)) {
    return;
  }
  deadlines_.rebuild([&](const auto& tell) {
    for (const auto& [key, connection] : connections_) tell(key, connection->armed);
    for (const auto& [key, kept] : lingering_) tell(key, kept.armed);
    for (const auto& [number, listener] : listeners_) tell(key_of(listener.id), listener.armed);
    tell(kStarvedKey, starved_armed_);
  });
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
  if (due->key == kStarvedKey) {
    feed_starved();
    return true;
  }
  const auto listener = listeners_.find(static_cast<std::uint32_t>(due->key - kListenerKeys));
  if (listener != listeners_.end() && listener->second.armed == due->at) {
    listener->second.armed = MonoTime::max();
    resume_listeners(false);
  }
  return true;
}

void TransportCore::report_expired(Connection& connection) {
  for (const WriteQueue::Entry& entry : connection.queue.take_expired(now_.mono)) {
    put_event(SendFailed{connection.id, entry.token,
                         Error(Errc::expired, "still waiting when its time had come"), 0,
                         Delivery::none});
  }
  count_queued(connection);
}

void TransportCore::deadline_reached(Connection& connection) {
  report_expired(connection);
  if (deadline_of(connection) > now_.mono) return;
  if (connection.write_error_until <= now_.mono) {
    read_failed(connection, std::move(*connection.write_error));
  } else if (connection.finishing) {
    // Our side is closed as well as it can be.
    end_open(connection, std::nullopt, true);
  } else if (connection.draining && connection.drain_until <= now_.mono) {
    begin_close(connection);
  } else if (connection.phase == Phase::connecting) {
    attempt_failed(connection, Error(Errc::connect_timeout, connection.remote.to_string() +
                                                                " did not answer within " +
                                                                seconds(limits_.connect_timeout)));
  } else if (connection.phase == Phase::handshaking) {
    if (auto outcome = connection.session->on_deadline(now_); !outcome) {
      session_failed(connection, std::move(outcome).error());
    }
  } else {
    open_deadline_reached(connection);
  }
}

void TransportCore::open_deadline_reached(Connection& connection) {
  const auto is_due = [&](MonoTime since, std::chrono::milliseconds limit) {
    return since != MonoTime::max() && since + limit <= now_.mono;
  };
  if (is_due(connection.write_since, limits_.write_timeout)) {
    write_deadline_reached(connection);
  } else if (!connection.paused && is_due(connection.message_since, limits_.message_timeout)) {
    end_unfinished(connection);
  } else if (!connection.paused && awaits_first_message(connection) &&
             is_due(connection.phase_since, limits_.first_message_timeout)) {
    end_by_limit(connection,
                 Error(Errc::first_message_timeout, "no message and no keep-alive came within " +
                                                        seconds(limits_.first_message_timeout) +
                                                        " of the handshake"),
                 connection.framer->unfinished() > 0);
  } else if (connection.flow) {
    flow_is_due(connection);
  } else {
    end_by_limit(connection,
                 Error(Errc::idle_timeout,
                       "nothing was sent or received for " + seconds(limits_.idle_timeout)),
                 false);
  }
}

void TransportCore::end_unfinished(Connection& connection) {
  const std::size_t unfinished = connection.framer->unfinished();
  Error error(Errc::message_timeout,
              (unfinished > 0 ? "a message was not finished within "
                              : "a TLS record was not finished within ") +
                  seconds(limits_.message_timeout) +
                  (unfinished > 0 ? "; " + std::to_string(unfinished) + " octets of it had come"
                                  : "; nothing of what it carries can be read before"));
  end_by_limit(connection, std::move(error), true);
}

// The peer is told that the connection ends, unless that would stand between its messages.
void TransportCore::end_by_limit(Connection& connection, Error error, bool truncated) {
  if (connection.queue.empty()) static_cast<void>(connection.session->close(now_));
  write_out(connection);
  end_open(connection, std::move(error), truncated);
}

void TransportCore::write_deadline_reached(Connection& connection) {
  const std::string waiting = std::to_string(connection.queue.waiting_octets() +
                                             connection.session->pending_output().size()) +
                              " octets, for " + seconds(limits_.write_timeout);
  end_stalled(connection,
              Error(Errc::write_timeout,
                    connection.lacked_memory
                        ? "nothing could be written of what waits for the peer, " + waiting +
                              "; this host's kernel had no memory for it (ENOBUFS, ENOMEM)"
                        : "the peer has read nothing of what waits for it, " + waiting));
}

// With a reset: the kernel's buffer is as full as ours, and shall not be kept for the peer either.
void TransportCore::end_stalled(Connection& connection, Error error) {
  report_unsent(connection, error, Unsent::lost);
  put_event(Closed{connection.id, std::move(error), false});
  bury(connection, Farewell::reset);
}

}  // namespace siptls
