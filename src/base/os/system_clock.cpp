#include "base/os/system_clock.hpp"

#include <sys/timex.h>

#include <atomic>

#include "siptls/version.hpp"

namespace siptls::os {
namespace {

bool ask_synchronised() noexcept {
  timex state{};
  const int answer = adjtimex(&state);
  return answer >= 0 && answer != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
}

// The last answer, and the second in which it was given. Threads that ask at once get one answer
// each, which does no harm.
bool synchronised(MonoTime mono) noexcept {
  static std::atomic<std::int64_t> asked_at{-1};
  static std::atomic<bool> answer{false};
  const std::int64_t second =
      std::chrono::duration_cast<std::chrono::seconds>(mono.time_since_epoch()).count();
  if (asked_at.exchange(second, std::memory_order_relaxed) != second) {
    answer.store(ask_synchronised(), std::memory_order_relaxed);
  }
  return answer.load(std::memory_order_relaxed);
}

}  // namespace

Now SystemClock::now() const noexcept {
  Now now{std::chrono::steady_clock::now(), std::chrono::system_clock::now()};
  if (now.wall < WallTime(std::chrono::seconds(release_epoch()))) {
    now.standing = ClockStanding::behind_floor;
  } else {
    now.standing =
        synchronised(now.mono) ? ClockStanding::synchronised : ClockStanding::unsynchronised;
  }
  return now;
}

}  // namespace siptls::os
