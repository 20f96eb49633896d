// Flow: a connection that pings (RFC 5626). Only one that does has a Flow.
#pragma once

#include "siptls/keep_alive.hpp"

namespace siptls {

struct Flow {
  Flow(const KeepAliveOptions& options, MonoTime now, std::uint64_t seed)
      : timer(options, now, seed), pong_timeout(options.pong_timeout) {}

  KeepAliveTimer timer;
  std::chrono::milliseconds pong_timeout;
  bool pinged = false;        // a pong is waited for
  std::uint8_t searched = 0;  // reads that have looked for it behind its time
};

}  // namespace siptls
