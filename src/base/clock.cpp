#include "siptls/clock.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/os/system_clock.hpp"
#include "siptls/version.hpp"

namespace siptls {
namespace {

using Days = std::chrono::duration<std::int64_t, std::ratio<86400>>;

// A number of exactly `digits` digits at the front of `text`, which is then shortened by them.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int number = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return number;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

// The zone: "Z", "+hh:mm" or "-hh:mm"; as an offset that is to be subtracted.
std::optional<std::chrono::minutes> take_zone(std::string_view& text) {
  if (take(text, 'Z') || take(text, 'z')) return std::chrono::minutes(0);
  const bool east = take(text, '+');
  if (!east && !take(text, '-')) return std::nullopt;
  const auto hours = take_number(text, 2);
  if (!hours || !take(text, ':')) return std::nullopt;
  const auto minutes = take_number(text, 2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const std::chrono::minutes offset(*hours * 60 + *minutes);
  return east ? offset : -offset;
}

std::optional<WallTime> parse(std::string_view text) {
  const auto year = take_number(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_number(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_number(text, 2);
  if (!day || !(take(text, 'T') || take(text, 't') || take(text, ' '))) return std::nullopt;
  const auto hour = take_number(text, 2);
  if (!hour || !take(text, ':')) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || !take(text, ':')) return std::nullopt;
  const auto second = take_number(text, 2);
  if (!second) return std::nullopt;
  if (take(text, '.')) {
    if (!take_number(text, 1)) return std::nullopt;
    while (take_number(text, 1)) {
    }
  }
  const auto zone = take_zone(text);
  if (!zone || !text.empty()) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const std::chrono::sys_seconds time = std::chrono::sys_days(date) + std::chrono::hours(*hour) +
                                        std::chrono::minutes(*minute) +
                                        std::chrono::seconds(*second) - *zone;
  // WallTime counts nanoseconds in 64 bits: beyond its ends they would begin anew.
  if (time < std::chrono::ceil<std::chrono::seconds>(WallTime::min()) ||
      time > std::chrono::floor<std::chrono::seconds>(WallTime::max())) {
    return std::nullopt;
  }
  return WallTime(time);
}

}  // namespace

Clock::~Clock() = default;

std::shared_ptr<const Clock> Clock::system() {
  static const std::shared_ptr<const Clock> clock = std::make_shared<os::SystemClock>();
  return clock;
}

void ManualClock::advance(std::chrono::nanoseconds by) noexcept {
  now_.mono += by;
  now_.wall += std::chrono::duration_cast<WallTime::duration>(by);
}

std::string_view to_string(ClockStanding standing) noexcept {
  switch (standing) {
    case ClockStanding::given:
      return "given";
    case ClockStanding::synchronised:
      return "synchronised";
    case ClockStanding::unsynchronised:
      return "unsynchronised";
    case ClockStanding::behind_floor:
      return "behind_floor";
  }
  return "unsynchronised";
}

Result<void> check_clock(const Now& now, ClockPolicy policy) {
  if (now.standing == ClockStanding::behind_floor) {
    const WallTime floor{std::chrono::seconds(release_epoch())};
    return Unexpected(Errc::clock_not_trusted,
                      fmt::format("the system clock says {}, before this library's release on {}; "
                                  "no certificate can be judged by it",
                                  format_time(now.wall), format_time(floor)));
  }
  if (now.standing == ClockStanding::unsynchronised && policy == ClockPolicy::require) {
    return Unexpected(Errc::clock_not_trusted,
                      fmt::format("the system clock says {} and is not synchronised with any time "
                                  "source",
                                  format_time(now.wall)));
  }
  return {};
}

std::string format_time(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto day = std::chrono::floor<Days>(seconds);
  const std::chrono::year_month_day date{std::chrono::sys_days(day)};
  const auto in_day = static_cast<int>((seconds - day).count());
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     in_day / 3600, in_day / 60 % 60, in_day % 60);
}

Result<WallTime> parse_time(std::string_view text) {
  if (const auto time = parse(text)) return *time;
  return Unexpected(
      Errc::invalid_argument,
      fmt::format("\"{}\" is no time like 2026-11-23T12:34:56Z (RFC 3339) from 1678 to 2261",
                  text));
}

}  // namespace siptls
