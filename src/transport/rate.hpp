// TokenBucket: how much of a Rate is used up.
//
// It is one point in time: the one at which the bucket is full again. Each token that is taken
// moves it away by what a token takes to come back. So a bucket costs a connection 8 octets, and
// nothing has to be done while time passes.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "siptls/clock.hpp"
#include "siptls/transport_limits.hpp"

namespace siptls {

class TokenBucket {
 public:
  // Takes one token. False if there is none.
  bool take(const Rate& rate, MonoTime now) noexcept {
    const MonoTime full_at = std::max(full_at_, now) + time_of(1, rate);
    if (full_at - now > time_of(rate.burst, rate)) return false;
    full_at_ = full_at;
    return true;
  }

  // When so many tokens are there, if none is taken until then: `now` or later. There are never
  // more than the burst.
  MonoTime when(std::uint32_t tokens, const Rate& rate, MonoTime now) const noexcept {
    const std::uint32_t others = rate.burst - std::min(tokens, rate.burst);
    return std::max(now, std::max(full_at_, now) - time_of(others, rate));
  }

 private:
  // The largest product, of a burst of 2^32 and a second, is less than 2^62 ns.
  static std::chrono::nanoseconds time_of(std::uint32_t tokens, const Rate& rate) noexcept {
    const std::chrono::nanoseconds second = std::chrono::seconds(1);
    return std::int64_t{tokens} * (second / std::max<std::int64_t>(rate.per_second, 1));
  }

  MonoTime full_at_ = MonoTime::min();
};

}  // namespace siptls
