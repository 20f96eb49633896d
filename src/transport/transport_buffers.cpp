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

// When the connection's input was used up, or is set aside: unfinished messages and records, and
// what came for a host that does not listen. One read at most, since nothing is read behind it.
// False if it was too much, and the connection has ended.
bool TransportCore::count_held(Connection& connection) {
  const std::size_t held = connection.framer->unfinished() + connection.session->held_input();
  buffered_ = buffered_ - connection.counted_held + held;
  connection.counted_held = held;
  if (held == 0 || buffered_ <= limits_.max_buffered_bytes) return true;
  end_by_limit(connection,
               Error(Errc::buffers_full, "all connections together hold " +
                                             std::to_string(buffered_) + " octets, of at most " +
                                             std::to_string(limits_.max_buffered_bytes) + "; " +
                                             std::to_string(held) + " of this one's input"),
               true);
  return false;
}

// There is nothing of its input left.
void TransportCore::forget_held(Connection& connection) {
  buffered_ -= std::exchange(connection.counted_held, 0);
}

void TransportCore::forget_buffered(Connection& connection) {
  buffered_ -= std::exchange(connection.counted_queued, 0);
  forget_held(connection);
}

}  // namespace siptls
