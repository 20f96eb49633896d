// What all connections together hold (TransportLimits::max_buffered_bytes), and who is told when
// there is room again.
#include <algorithm>
#include <string>
#include <utility>

#include "transport/transport_core.hpp"

namespace siptls {
namespace {

// The largest record of TLS 1.2 with its header (RFC 5246 section 6.2.3), which is larger than that
// of TLS 1.3.
constexpr std::size_t kRecordInTransit = 5 + 16 * 1024 + 2048;

}  // namespace

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
  if (held == 0) return true;
  const ConnectionId id = connection.id;
  while (buffered_ > limits_.max_buffered_bytes && end_largest_holder(connection)) {
  }
  return find(id) != nullptr;
}

// Not whoever comes last is ended, but who holds the most: a record that came in two segments is no
// fault, and large unfinished messages would drive everybody else out. Where nobody holds more
// input than one record, and most of it is output that stalled readers and connections that have
// not come about are waited for with, the largest of these is ended instead. False if there is
// nobody to end.
bool TransportCore::end_largest_holder(const Connection& latest) {
  Connection* by_input = nullptr;
  Connection* by_output = nullptr;
  std::size_t input = 0;
  std::size_t output = 0;
  for (const auto& [key, one] : connections_) {
    const std::size_t held = one->counted_held;
    input += held;
    // Of equal ones the one that has just grown.
    if (held > 0 && (by_input == nullptr || held > by_input->counted_held ||
                     (held == by_input->counted_held && one.get() == &latest))) {
      by_input = one.get();
    }
    // What was gathered, and is about to be written, is nobody's fault.
    if (one->connected && one->write_since == MonoTime::max()) continue;
    output += one->counted_queued;
    if (by_output == nullptr || one->counted_queued > by_output->counted_queued) {
      by_output = one.get();
    }
  }
  const std::string full = "all connections together hold " + std::to_string(buffered_) +
                           " octets, of at most " + std::to_string(limits_.max_buffered_bytes) +
                           "; ";
  const bool is_output = by_input == nullptr || by_input->counted_held <= kRecordInTransit;
  if (is_output && output > input) {
    const std::string waiting = full + std::to_string(by_output->counted_queued);
    if (by_output->connected) {
      end_stalled(*by_output, Error(Errc::buffers_full,
                                    waiting + " wait for this peer, which does not read them"));
    } else {
      end_unproven(*by_output,
                   Error(Errc::buffers_full, waiting + " wait for this connection to come about"));
    }
    return true;
  }
  if (by_input == nullptr) return false;
  end_by_limit(*by_input,
               Error(Errc::buffers_full, full + std::to_string(by_input->counted_held) +
                                             " of this one's input, the most of all"),
               true);
  return true;
}

std::size_t TransportCore::room() const noexcept {
  return limits_.max_buffered_bytes - std::min(buffered_, limits_.max_buffered_bytes);
}

// Told when what was refused would fit: so no Writable is in vain, and a host that sends again at
// each cannot spin. A connection that is still coming about has an id that the host does not know;
// its turn begins with Connected.
void TransportCore::want_room(Connection& connection, std::size_t octets) {
  if (connection.connected) {
    room_queue_.enter(connection.id, octets, connection.room);
  } else {
    std::size_t& wanted = connection.room.octets;
    wanted = wanted == 0 ? octets : std::min(wanted, octets);
  }
}

bool TransportCore::room_is_owed() const noexcept { return room_queue_.next(room()).has_value(); }

// Tells one, and not all at once: what it sends then may be all that there was room for.
bool TransportCore::offer_room() {
  const auto next = room_queue_.next(room());
  if (!next) return false;
  Connection& connection = *find(*next);
  room_queue_.leave(connection.room);
  if (!connection.finishing) put_event(Writable{connection.id});
  return true;
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
