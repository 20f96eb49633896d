// Clock: wall time and steady time, with what is known about their trustworthiness.
//
// Certificates are judged by the wall time, deadlines by the steady time. siptls never reads a
// clock on its own: a TlsSession is told the time with each call, and a TlsTransport asks the Clock
// that it was given, once per next_event().
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

#include "siptls/export.hpp"
#include "siptls/result.hpp"

namespace siptls {

using MonoTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

// What is known about a reading of the wall clock.
enum class ClockStanding : std::uint8_t {
  given,           // passed by the caller and taken as given
  synchronised,    // the system says that it follows a time source
  unsynchronised,  // plausible, but the system knows no time source
  behind_floor,    // earlier than the release date of this library: cannot be right
};

SIPTLS_API std::string_view to_string(ClockStanding standing) noexcept;

// One reading. `Now{mono, wall}` is a time that is taken as given.
struct Now {
  MonoTime mono;
  WallTime wall;
  ClockStanding standing = ClockStanding::given;
};

// What to do about a system clock that is plausible but not known to be synchronised.
// A clock behind the floor is refused under both.
enum class ClockPolicy : std::uint8_t {
  warn,     // judge by it; TlsTransport gives one Warning per change of state
  require,  // refuse to judge certificates by it
};

// Fails with `clock_not_trusted`, naming time and floor, when certificates must not be judged by
// this reading.
SIPTLS_API Result<void> check_clock(const Now& now, ClockPolicy policy);

// A source of readings. `now()` is called synchronously by the library and must not call it back;
// it may be called from every thread that uses the clock.
class SIPTLS_API Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock();
  virtual Now now() const noexcept = 0;

  // The clocks of the operating system. Synchronisation is asked for (adjtimex) at most once per
  // second.
  static std::shared_ptr<const Clock> system();
};

// A clock that moves when it is told to: for tests and simulations. Its readings are `given`
// unless set otherwise. Not thread-safe while it is being moved.
class SIPTLS_API ManualClock final : public Clock {
 public:
  explicit ManualClock(Now start) noexcept : now_(start) {}
  Now now() const noexcept override { return now_; }
  void advance(std::chrono::nanoseconds by) noexcept;  // both clocks
  void set_wall(WallTime wall) noexcept { now_.wall = wall; }
  void set_standing(ClockStanding standing) noexcept { now_.standing = standing; }

 private:
  Now now_;
};

// "2026-11-23T12:34:56Z" (RFC 3339, UTC, whole seconds). Parsing accepts exactly that form, with
// an optional fraction, and a numeric offset in place of the Z; anything else, and a time that no
// WallTime can hold (before 1678 or after 2261), is `invalid_argument`.
SIPTLS_API std::string format_time(WallTime time);
SIPTLS_API Result<WallTime> parse_time(std::string_view text);

}  // namespace siptls
