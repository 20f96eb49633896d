// Admission: who may come in. Counts accepted connections, by address, and how fast they come.
//
// Pure bookkeeping: it accepts and refuses nothing itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "siptls/clock.hpp"
#include "siptls/endpoint.hpp"
#include "siptls/error.hpp"
#include "siptls/result.hpp"
#include "siptls/transport_limits.hpp"
#include "transport/rate.hpp"

namespace siptls {

// Limits by which nothing could ever happen: `invalid_argument`.
Result<void> check_limits(const TransportLimits& limits);
// The same with durations that can be added to any time: milliseconds::max() is a hundred years.
TransportLimits bounded(TransportLimits limits);

class Admission {
 public:
  // `seed` should not be known to peers: it keeps them from choosing addresses that collide.
  Admission(const TransportLimits& limits, std::uint64_t seed)
      : limits_(limits), addresses_(0, AddressHash{seed}) {}

  // What stands against accepting anybody now. `connections` are all that are open.
  std::optional<Error> obstacle(std::size_t connections, MonoTime now) const;
  // From when on it is worth while to accept again. MonoTime::max(): only an end, of a connection
  // or of a handshake, can change that.
  MonoTime open_from(std::size_t connections, MonoTime now) const noexcept;

  // A connection was taken from a listener.
  void accepted(MonoTime now) noexcept {
    static_cast<void>(bucket_.take(limits_.accept_rate, now));
  }

  void begin_handshake() noexcept { ++handshakes_; }
  void end_handshake() noexcept { --handshakes_; }
  std::size_t handshakes() const noexcept { return handshakes_; }

  // Counts a connection under the address that it comes from. If that has too many, nothing is
  // counted, and the Error says so. Each that was counted ends with leave().
  std::optional<Error> enter(const Endpoint& remote, MonoTime now);
  // The peer of a connection that was counted is proven.
  void prove(const Endpoint& remote);
  void leave(const Endpoint& remote, bool proven, MonoTime now);
  // Addresses that something is open from, or that have come too fast to be forgotten.
  std::size_t addresses() const noexcept { return addresses_.size(); }

 private:
  // An IPv4 address, or the first half of an IPv6 one: what one subscriber is given.
  struct Address {
    std::uint64_t bits = 0;
    bool ipv4 = false;
    friend bool operator==(const Address&, const Address&) = default;
  };
  struct AddressHash {
    std::uint64_t seed = 0;
    std::size_t operator()(const Address& address) const noexcept;
  };
  struct Counts {
    std::size_t connections = 0;  // handshakes included
    std::size_t handshakes = 0;
    TokenBucket bucket;
  };
  bool is_pressed(MonoTime now) const noexcept;
  void forget_idle(MonoTime now);
  static Address address_of(const Endpoint& endpoint) noexcept;

  const TransportLimits& limits_;
  TokenBucket bucket_;
  std::size_t handshakes_ = 0;
  static constexpr std::size_t kRememberedAddresses = 16 * 1024;
  std::unordered_map<Address, Counts, AddressHash> addresses_;
  std::size_t forget_at_ = kRememberedAddresses;  // so many
};

}  // namespace siptls
