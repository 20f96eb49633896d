// Flow: a connection that pings (RFC 5626). Only one that does has a Flow.
#pragma once

#include <algorithm>

#include "siptls/keep_alive.hpp"
#include "transport/longest_wait.hpp"

namespace siptls {

struct Flow {
  Flow(const KeepAliveOptions& options, MonoTime now, std::uint64_t seed)
      : timer(options, now, seed), pong_timeout(std::min(options.pong_timeout, kLongestWait)) {}

  // When something has to be done.
  MonoTime deadline() const noexcept {
    const MonoTime at = timer.deadline().value_or(MonoTime::max());
    return pinged ? std::max(at, excused_until) : at;
  }

  KeepAliveTimer timer;
  std::chrono::milliseconds pong_timeout;
  MonoTime excused_until = MonoTime::min();  // until then a pong may be missing
  bool pinged = false;                       // a pong is waited for
  std::uint8_t searched = 0;                 // reads that have looked for it behind its time
};

}  // namespace siptls
