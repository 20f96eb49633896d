// Keep-alives of RFC 5626: their octets, when a client sends them, and when it tries again.
//
// The octets stand between messages only (section 3.5.1). The timers have no clock and no source of
// randomness: the time is an argument, and the caller gives a seed.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "siptls/clock.hpp"
#include "siptls/export.hpp"

namespace siptls {

inline constexpr std::string_view kPing = "\r\n\r\n";  // from the side that opened the connection
inline constexpr std::string_view kPong = "\r\n";      // its answer; a pong is never answered

struct KeepAliveOptions {
  // The longest time between two pings: what the registrar's Flow-Timer says, else 120 s; 840 s for
  // a device on battery (RFC 5626 section 4.4.1).
  std::chrono::milliseconds interval = std::chrono::seconds(120);
  // Without a pong for so long the flow has failed.
  std::chrono::milliseconds pong_timeout = std::chrono::seconds(10);
};

// When the client of one flow sends its pings: each after a random time between 80 and 100 percent
// of the interval (RFC 5626 section 4.4.1), so that the clients of a server that was restarted do
// not stay in step.
class SIPTLS_API KeepAliveTimer {
 public:
  // `seed` should differ from flow to flow.
  KeepAliveTimer(const KeepAliveOptions& options, MonoTime now, std::uint64_t seed) noexcept;

  enum class Due : std::uint8_t { nothing, ping, flow_failed };
  // What is to be done now. With `ping` the caller sends kPing; `flow_failed` comes once, and
  // nothing after it. To be asked at deadline(), behind whatever has been received by then.
  Due due(MonoTime now) noexcept;
  // A pong came. One that nobody waits for means nothing.
  void pong_received(MonoTime now) noexcept;
  // When to ask again; none once the flow has failed.
  std::optional<MonoTime> deadline() const noexcept;

 private:
  void wait(MonoTime now) noexcept;

  KeepAliveOptions options_;
  std::uint64_t random_;
  MonoTime deadline_;
  enum class State : std::uint8_t { waiting, pinged, failed } state_ = State::waiting;
};

// Whether another flow of the same registration is still alive (RFC 5626 section 4.5).
enum class OtherFlows : std::uint8_t { none, some };

// How long to wait before a flow that has failed is opened again: a random time between 50 and 100
// percent of min(1800 s, base * 2^failures), with a base of 30 s where all flows have failed and of
// 90 s else (RFC 5626 section 4.5). `failures` in a row, 1 for the first; `random` any number.
SIPTLS_API std::chrono::milliseconds flow_retry_delay(unsigned failures, OtherFlows others,
                                                      std::uint64_t random) noexcept;

}  // namespace siptls
