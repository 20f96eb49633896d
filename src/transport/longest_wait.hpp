// The longest of all waits: a duration that can be added to any time without running over.
#pragma once

#include <chrono>

namespace siptls {

inline constexpr std::chrono::milliseconds kLongestWait = std::chrono::hours(24 * 365 * 100);

}  // namespace siptls
