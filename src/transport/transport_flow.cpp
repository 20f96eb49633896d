// Keep-alives (RFC 5626): pings of this side, and the answers to the peer's.
#include <utility>

#include "transport/transport_core.hpp"

namespace siptls {
namespace {

// Reads that look for a pong that has come in time behind other input; 4 MiB, as much as the kernel
// keeps for a connection.
constexpr std::uint8_t kMostReads = 64;

}  // namespace

Result<void> TransportCore::check_keep_alive(const KeepAliveOptions& options) {
  if (options.interval.count() > 0 && options.pong_timeout.count() > 0) return {};
  return Unexpected(Errc::invalid_argument, "keep-alive: an interval or timeout that is not > 0");
}

Result<void> TransportCore::keep_alive(ConnectionId id, const KeepAliveOptions& options) {
  auto found = find_open(id);
  if (!found) return Unexpected(std::move(found).error());
  Connection& connection = **found;
  if (connection.role == ConnectionRole::server) {
    return Unexpected(Errc::invalid_argument,
                      "the side that opened a connection pings (RFC 5626 section 3.5.1)");
  }
  if (auto good = check_keep_alive(options); !good) return good;
  if (connection.finishing) {
    return Unexpected(Errc::connection_closed, "the connection is being closed");
  }
  begin_call();
  if (connection.connected) {
    start_flow(connection, options);
  } else {
    connection.outgoing->target.keep_alive = options;
  }
  end_call();
  return {};
}

void TransportCore::start_flow(Connection& connection, const KeepAliveOptions& options) {
  const auto seed = static_cast<std::uint64_t>(connection.id) ^
                    static_cast<std::uint64_t>(now_.mono.time_since_epoch().count());
  connection.flow = std::make_unique<Flow>(options, now_.mono, seed);
  arm(connection);
}

void TransportCore::flow_is_due(Connection& connection) {
  Flow& flow = *connection.flow;
  // The pong may have come in time, and nobody has read it yet.
  if (flow.pinged && flow.searched < kMostReads && connection.interest.read) {
    ++flow.searched;
    const ConnectionId id = connection.id;
    read_from(connection);
    if (find(id) == nullptr || current_ != nullptr) return;
    if (connection.finishing || connection.peer_close_seen) return;
  }
  if (flow.deadline() > now_.mono) return;
  // Nobody can read a pong: the pings go on, for what keeps the flow open on the way.
  if (flow.pinged && connection.paused) pong_came(connection);
  switch (flow.timer.due(now_.mono)) {
    case KeepAliveTimer::Due::nothing:
      return;
    case KeepAliveTimer::Due::ping:
      // In its place among the messages, as a pong.
      flow.pinged = true;
      flow.searched = 0;
      connection.queue.push(SendToken::none, std::as_bytes(std::span(kPing)), MonoTime::max(),
                            false);
      account_.note_ping_sent();
      mark_dirty(connection);
      return;
    case KeepAliveTimer::Due::flow_failed:
      break;
  }
  Error error(Errc::flow_failed, connection.remote.to_string() +
                                     " has not answered a ping within " +
                                     std::to_string(flow.pong_timeout.count()) + " ms");
  put_event(FlowFailed{connection.id, error});
  end_by_limit(connection, std::move(error), connection.framer->unfinished() > 0);
}

void TransportCore::pong_came(Connection& connection) {
  if (!connection.flow) return;
  connection.flow->pinged = false;
  connection.flow->timer.pong_received(now_.mono);
}

// The host reads again. The peer gets its time anew: its pong may have found no room on the way.
void TransportCore::excuse_flow(Connection& connection) {
  if (!connection.flow) return;
  connection.flow->excused_until = now_.mono + connection.flow->pong_timeout;
  connection.flow->searched = 0;
}

// RFC 5626 section 5.4: at once, on the same connection, in its place among the messages.
void TransportCore::answer_ping(Connection& connection) {
  if (connection.finishing) return;
  if (!connection.pings.take(limits_.ping_rate, now_.mono)) {
    end_by_limit(
        connection,
        Error(Errc::too_many_pings, "the limit of " + std::to_string(limits_.ping_rate.per_second) +
                                        " pings a second is passed"),
        false);
    return;
  }
  if (connection.queue.waiting_octets() + kPong.size() > limits_.max_queued_bytes) {
    end_open(connection,
             Error(Errc::queue_full, "the peer sends pings and does not read their answers"),
             false);
    return;
  }
  connection.queue.push(SendToken::none, std::as_bytes(std::span(kPong)), MonoTime::max(), false);
  mark_dirty(connection);
}

}  // namespace siptls
