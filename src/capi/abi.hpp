// Structs that cross the boundary: each begins with its size, as its owner knew it.
//
// A struct of an older header is a beginning of ours; one of a newer header has octets behind ours,
// which must be 0 where the host tells us something, since we could not do what they say.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <type_traits>

namespace siptls::capi {

// The size that the host has set; 0 for what cannot be one. It is the sizeof of a struct with at
// least one field behind the size, so that the size of a pointer, which is easily taken in its
// place, is none; and not what happens to stand in memory that nobody has set.
template <typename S>
std::size_t size_of(const S* given) noexcept {
  static_assert(std::is_trivially_copyable_v<S> && offsetof(S, size) == 0);
  constexpr std::size_t kMost = 4096;
  std::size_t size = 0;
  std::memcpy(&size, given, sizeof size);  // the block may be smaller than an S
  const bool possible = size > sizeof size && size <= kMost && size % alignof(S) == 0;
  return possible ? size : 0;
}

// Lays what the host gave over `into`, which holds the defaults. False for no size at all, and for
// fields that this library does not know.
template <typename S>
[[nodiscard]] bool read_struct(const S* given, S& into) noexcept {
  const std::size_t size = size_of(given);
  if (size == 0) return false;
  const auto* const octets = reinterpret_cast<const unsigned char*>(given);
  if (size > sizeof(S) && std::any_of(octets + sizeof(S), octets + size,
                                      [](unsigned char octet) { return octet != 0; })) {
    return false;
  }
  std::memcpy(&into, given, std::min(size, sizeof(S)));
  into.size = sizeof(S);
  return true;
}

// Gives the host as much of `value` as its struct has room for. False if that has no size.
template <typename S>
[[nodiscard]] bool write_struct(S* given, S value) noexcept {
  if (given == nullptr) return false;
  const std::size_t size = size_of(given);
  if (size == 0) return false;
  value.size = size;
  std::memcpy(static_cast<void*>(given), &value, std::min(size, sizeof(S)));
  if (size > sizeof(S)) {
    std::memset(reinterpret_cast<unsigned char*>(given) + sizeof(S), 0, size - sizeof(S));
  }
  return true;
}

// The same for a struct whose size the host tells beside it.
template <typename S>
bool init_struct(S* given, std::size_t size, const S& defaults) noexcept {
  if (given == nullptr || size < sizeof size) return false;
  std::memcpy(static_cast<void*>(given), &size, sizeof size);
  return write_struct(given, defaults);
}

// A number as an enumerator, if it is one: enumerators count from 0 to `last`.
template <typename E>
std::optional<E> to_enum(std::uint32_t number, E last) noexcept {
  if (number > static_cast<std::uint32_t>(last)) return std::nullopt;
  return static_cast<E>(number);
}

}  // namespace siptls::capi
