#include "siptls/log.hpp"

#include <array>

namespace siptls {

std::string_view to_string(LogLevel level) noexcept {
  constexpr std::array<std::string_view, 5> kNames = {"off", "error", "warning", "info", "debug"};
  const auto index = static_cast<std::size_t>(level);
  return index < kNames.size() ? kNames[index] : kNames[0];
}

}  // namespace siptls
