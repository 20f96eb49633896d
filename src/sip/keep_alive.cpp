#include "siptls/keep_alive.hpp"

#include <algorithm>

namespace siptls {
namespace {

using std::chrono::milliseconds;

// A time from now that no clock runs out of.
constexpr milliseconds kLongest = std::chrono::hours(24 * 365 * 100);

// The next number of a sequence that spreads well (splitmix64). It protects nothing.
std::uint64_t next_random(std::uint64_t& state) noexcept {
  state += 0x9e3779b97f4a7c15u;
  std::uint64_t mixed = state;
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
  return mixed ^ mixed >> 31;
}

// Evenly from `percent` of `most` to the whole of it.
milliseconds between(int percent, milliseconds most, std::uint64_t random) noexcept {
  const milliseconds least = most * percent / 100;
  const auto choices = static_cast<std::uint64_t>((most - least).count()) + 1;
  return least + milliseconds(static_cast<milliseconds::rep>(random % choices));
}

}  // namespace

KeepAliveTimer::KeepAliveTimer(const KeepAliveOptions& options, MonoTime now,
                               std::uint64_t seed) noexcept
    : options_{std::clamp(options.interval, milliseconds(1), kLongest),
               std::clamp(options.pong_timeout, milliseconds(1), kLongest)},
      random_(seed) {
  wait(now);
}

void KeepAliveTimer::wait(MonoTime now) noexcept {
  state_ = State::waiting;
  deadline_ = now + between(80, options_.interval, next_random(random_));
}

KeepAliveTimer::Due KeepAliveTimer::due(MonoTime now) noexcept {
  if (state_ == State::failed || now < deadline_) return Due::nothing;
  if (state_ == State::pinged) {
    state_ = State::failed;
    return Due::flow_failed;
  }
  state_ = State::pinged;
  deadline_ = now + options_.pong_timeout;
  return Due::ping;
}

void KeepAliveTimer::pong_received(MonoTime now) noexcept {
  if (state_ == State::pinged) wait(now);
}

std::optional<MonoTime> KeepAliveTimer::deadline() const noexcept {
  if (state_ == State::failed) return std::nullopt;
  return deadline_;
}

milliseconds flow_retry_delay(unsigned failures, OtherFlows others, std::uint64_t random) noexcept {
  constexpr milliseconds kMost = std::chrono::seconds(1800);
  const milliseconds base = std::chrono::seconds(others == OtherFlows::none ? 30 : 90);
  // 30 s doubled six times is more than the limit.
  const milliseconds upper = std::min(kMost, base * (1 << std::min(failures, 6u)));
  return between(50, upper, next_random(random));
}

}  // namespace siptls
