// What all connections together hold (TransportLimits::max_buffered_bytes).
#include <utility>

#include "transport/transport_core.hpp"

namespace siptls {

// What the kernel has not taken yet, encrypted or not.
void TransportCore::count_queued(Connection& connection) {
  std::size_t queued = connection.queue.waiting_octets();
  if (connection.session) queued += connection.session->pending_output().size();
  buffered_ = buffered_ - connection.counted_queued + queued;
  connection.counted_queued = queued;
}

// When the connection's input was used up. False if it was too much, and the connection has ended.
bool TransportCore::count_unfinished(Connection& connection) {
  const std::size_t unfinished = connection.framer ? connection.framer->unfinished() : 0;
  buffered_ = buffered_ - connection.counted_unfinished + unfinished;
  connection.counted_unfinished = unfinished;
  if (unfinished == 0 || buffered_ <= limits_.max_buffered_bytes) return true;
  end_by_limit(
      connection,
      Error(Errc::buffers_full,
            "all connections together hold " + std::to_string(buffered_) + " octets, of at most " +
                std::to_string(limits_.max_buffered_bytes) + "; " + std::to_string(unfinished) +
                " of an unfinished message of this one"),
      true);
  return false;
}

void TransportCore::forget_buffered(Connection& connection) {
  buffered_ -= std::exchange(connection.counted_queued, 0);
  buffered_ -= std::exchange(connection.counted_unfinished, 0);
}

}  // namespace siptls
