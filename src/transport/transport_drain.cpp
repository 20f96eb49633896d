// Connections that run out (RFC 5923 section 8.3), one or all.
#include <algorithm>
#include <utility>

#include "transport/transport_core.hpp"

namespace siptls {

Result<void> TransportCore::drain(ConnectionId id, MonoTime deadline) {
  auto found = find_open(id);
  if (!found) return Unexpected(std::move(found).error());
  if ((*found)->finishing) {
    return Unexpected(Errc::connection_closed, "the connection is being closed");
  }
  begin_call();
  let_run_out(**found, deadline);
  end_call();
  return {};
}

// No target finds it any more; everything else goes on until somebody closes it.
void TransportCore::let_run_out(Connection& connection, MonoTime deadline) {
  unindex_remote(connection);
  connection.draining = true;
  connection.drain_until = deadline;
  arm(connection);
}

void TransportCore::drain_all(MonoTime deadline) {
  if (in_wrong_process()) return;
  begin_call();
  running_out_ = true;
  stop_all_listeners();
  for (const ConnectionId id : connection_ids()) {
    Connection* connection = find(id);
    if (connection == nullptr || connection->finishing) continue;
    if (connection->connected) {
      let_run_out(*connection, deadline);
    } else {
      give_up(*connection);
    }
  }
  end_call();
}

// A connection whose peer is not proven yet has no transactions to wait for.
void TransportCore::give_up(Connection& connection) {
  // The peer is told by an alert that this is no failure (RFC 8446 section 6.1, user_canceled).
  if (connection.session) static_cast<void>(connection.session->close(now_));
  write_out(connection);
  end_unproven(connection, Error(Errc::transport_draining, "given up at its handshake"));
}

// In the order in which they were opened, so that events come in an order that can be relied on.
std::vector<ConnectionId> TransportCore::connection_ids() const {
  std::vector<ConnectionId> ids;
  ids.reserve(connections_.size());
  for (const auto& [key, connection] : connections_) ids.push_back(connection->id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace siptls
