#include "transport/admission.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "base/mapped_address.hpp"
#include "transport/longest_wait.hpp"

namespace siptls {
namespace {

// Accepting goes on when so much of a second's tokens is there: in spoonfuls, lest a listener
// pauses and goes on for each single connection.
constexpr std::uint32_t kSpoonsPerSecond = 10;
// The same for handshakes: this part of them has to be free.
constexpr std::size_t kSpoonsOfHandshakes = 8;

std::string limit_of(std::size_t number, const char* what) {
  return "the limit of " + std::to_string(number) + " " + what;
}

}  // namespace

Result<void> check_limits(const TransportLimits& limits) {
  const auto passes = [](const Rate& rate) { return rate.per_second > 0 && rate.burst > 0; };
  const std::pair<const char*, bool> rows[] = {
      {"max_connections", limits.max_connections > 0},
      {"max_connections_per_address", limits.max_connections_per_address > 0},
      {"max_handshakes", limits.max_handshakes > 0},
      {"max_handshakes_per_address", limits.max_handshakes_per_address > 0},
      {"accept_rate", passes(limits.accept_rate)},
      {"accept_rate_per_address", passes(limits.accept_rate_per_address)},
      {"connect_timeout", limits.connect_timeout.count() > 0},
      {"handshake_timeout", limits.handshake_timeout.count() > 0},
      {"first_message_timeout", limits.first_message_timeout.count() > 0},
      {"idle_timeout", limits.idle_timeout.count() > 0},
      {"message_timeout", limits.message_timeout.count() > 0},
      {"write_timeout", limits.write_timeout.count() > 0},
      // Not to wait for the peer's close_notify is a way to close.
      {"close_timeout", limits.close_timeout.count() >= 0},
      {"max_queued_bytes", limits.max_queued_bytes > 0},
      {"max_queued_messages", limits.max_queued_messages > 0},
      {"max_buffered_bytes", limits.max_buffered_bytes > 0},
      {"ping_rate", passes(limits.ping_rate)},
      {"framer.max_start_line", limits.framer.max_start_line > 0},
      {"framer.max_header", limits.framer.max_header > 0},
      {"framer.max_header_rows", limits.framer.max_header_rows > 0},
  };
  for (const auto& [field, good] : rows) {
    if (good) continue;
    return Unexpected(Errc::invalid_argument,
                      "TransportLimits::" + std::string(field) +
                          " is 0 or less, which is not \"off\": nothing could ever happen by it");
  }
  return {};
}

TransportLimits bounded(TransportLimits limits) {
  for (std::chrono::milliseconds* limit :
       {&limits.connect_timeout, &limits.handshake_timeout, &limits.first_message_timeout,
        &limits.idle_timeout, &limits.message_timeout, &limits.write_timeout,
        &limits.close_timeout}) {
    *limit = std::min(*limit, kLongestWait);
  }
  return limits;
}

std::optional<Error> Admission::obstacle(std::size_t connections, MonoTime now) const {
  if (connections >= limits_.max_connections) {
    return Error(Errc::too_many_connections,
                 limit_of(limits_.max_connections, "connections is reached"));
  }
  if (handshakes_ >= limits_.max_handshakes) {
    return Error(Errc::too_many_handshakes,
                 limit_of(limits_.max_handshakes, "handshakes at one time is reached"));
  }
  if (bucket_.when(1, limits_.accept_rate, now) > now) {
    return Error(Errc::accept_rate_reached,
                 limit_of(limits_.accept_rate.per_second, "new connections a second, and of ") +
                     std::to_string(limits_.accept_rate.burst) + " at once, is reached");
  }
  return std::nullopt;
}

MonoTime Admission::open_from(std::size_t connections, MonoTime now) const noexcept {
  const std::size_t room = std::max<std::size_t>(limits_.max_handshakes / kSpoonsOfHandshakes, 1);
  if (connections >= limits_.max_connections || handshakes_ + room > limits_.max_handshakes) {
    return MonoTime::max();
  }
  const Rate& rate = limits_.accept_rate;
  return bucket_.when(std::max(rate.per_second / kSpoonsPerSecond, std::uint32_t{1}), rate, now);
}

std::optional<Error> Admission::enter(const Endpoint& remote, MonoTime now) {
  const Address address = address_of(remote);
  if (addresses_.size() >= forget_at_) forget_idle(now);
  Counts& open = addresses_[address];
  const bool full = open.connections >= limits_.max_connections_per_address;
  if (full || open.handshakes >= limits_.max_handshakes_per_address) {
    const char* where = address.ipv4 ? " from one address" : " from one /64";
    return Error(Errc::too_many_from_address,
                 remote.address_text() + ": " +
                     (full ? limit_of(limits_.max_connections_per_address, "connections")
                           : limit_of(limits_.max_handshakes_per_address, "handshakes")) +
                     where + " is reached");
  }
  if (!open.bucket.take(limits_.accept_rate_per_address, now) && is_pressed(now)) {
    return Error(Errc::accept_rate_reached,
                 remote.address_text() + ": " +
                     limit_of(limits_.accept_rate_per_address.per_second,
                              "new connections a second from one address is reached"));
  }
  ++open.connections;
  ++open.handshakes;
  return std::nullopt;
}

// Whether others could be kept out by who comes so fast: there are some, and of the common rate
// less than half is left.
bool Admission::is_pressed(MonoTime now) const noexcept {
  const Rate& rate = limits_.accept_rate;
  return addresses_.size() > 1 && bucket_.when(rate.burst / 2, rate, now) > now;
}

void Admission::prove(const Endpoint& remote) {
  const auto found = addresses_.find(address_of(remote));
  if (found != addresses_.end()) --found->second.handshakes;
}

void Admission::leave(const Endpoint& remote, bool proven, MonoTime now) {
  const auto found = addresses_.find(address_of(remote));
  if (found == addresses_.end()) return;
  if (!proven) --found->second.handshakes;
  const Rate& rate = limits_.accept_rate_per_address;
  if (--found->second.connections > 0) return;
  if (found->second.bucket.when(rate.burst, rate, now) <= now) addresses_.erase(found);
}

// Of an address that nothing is open from, the rate is remembered until its bucket is full again;
// of very many such addresses, for a shorter time.
void Admission::forget_idle(MonoTime now) {
  const Rate& rate = limits_.accept_rate_per_address;
  const auto forget = [&](bool all) {
    for (auto entry = addresses_.begin(); entry != addresses_.end();) {
      const Counts& counts = entry->second;
      const bool idle =
          counts.connections == 0 && (all || counts.bucket.when(rate.burst, rate, now) <= now);
      entry = idle ? addresses_.erase(entry) : std::next(entry);
    }
  };
  forget(false);
  if (addresses_.size() > forget_at_ / 2) forget(true);
  forget_at_ = std::max(kRememberedAddresses, addresses_.size() * 2);
}

Admission::Address Admission::address_of(const Endpoint& endpoint) noexcept {
  const Endpoint plain = unmapped(endpoint);
  Address address;
  address.ipv4 = plain.family() == AddressFamily::ipv4;
  const std::size_t size = address.ipv4 ? 4 : 8;
  for (std::size_t i = 0; i < size; ++i) {
    address.bits = address.bits << 8 | plain.address_data()[i];
  }
  return address;
}

// The last steps of splitmix64, which spread every bit over all others.
std::size_t Admission::AddressHash::operator()(const Address& address) const noexcept {
  std::uint64_t mixed = address.bits ^ seed ^ (address.ipv4 ? 0x9e3779b97f4a7c15u : 0u);
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
  return static_cast<std::size_t>(mixed ^ mixed >> 31);
}

}  // namespace siptls
