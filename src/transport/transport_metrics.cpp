// What a transport holds at the moment, beside what it has counted.
#include <algorithm>

#include "transport/transport_core.hpp"

namespace siptls {

const PeerInfo* TransportCore::peer(ConnectionId id) const noexcept {
  const auto found = connections_.find(static_cast<std::uint64_t>(id));
  if (found == connections_.end()) return nullptr;
  const Connection& connection = *found->second;
  return connection.connected ? &connection.session->peer() : nullptr;
}

TransportMetrics TransportCore::metrics() const {
  TransportMetrics metrics = account_.counters();
  metrics.connections = connections_.size();
  metrics.listeners = listeners_.size();
  for (const auto& [key, listener] : listeners_) {
    if (listener.paused) ++metrics.listeners_paused;
  }
  for (const auto& [key, connection] : connections_) {
    if (!connection->connected) ++metrics.handshakes;
    if (connection->alias) ++metrics.aliases;
    metrics.queued_messages += connection->queue.waiting_messages();
    metrics.queued_bytes += connection->queue.waiting_octets();
  }
  metrics.buffered_bytes = buffered_;
  return metrics;
}

}  // namespace siptls
