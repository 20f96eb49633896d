// RoomQueue: who waits for room in what all connections together may hold.
//
// Whoever has waited longest is next if what it wants fits; where that does not fit, whoever wants
// least, so that one large message does not keep room from all others.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "siptls/event.hpp"

namespace siptls {

class RoomQueue {
 public:
  // Kept with each connection.
  struct Place {
    std::size_t octets = 0;  // wanted; 0: nothing
    std::uint64_t turn = 0;  // 0: does not wait
  };

  // Who waits already keeps its turn, and is told as soon as there is room for the smaller of both.
  void enter(ConnectionId id, std::size_t octets, Place& place) {
    const std::uint64_t turn = place.turn != 0 ? place.turn : ++last_turn_;
    if (place.turn != 0) octets = std::min(octets, place.octets);
    decltype(by_turn_) turn_entry{{turn, {id, octets}}};
    decltype(by_size_) size_entry{{{octets, turn}, id}};
    // From here on nothing needs memory.
    leave(place);
    by_turn_.merge(turn_entry);
    by_size_.merge(size_entry);
    place = {octets, turn};
  }

  void leave(Place& place) noexcept {
    by_turn_.erase(place.turn);
    by_size_.erase({place.octets, place.turn});
    place = {};
  }

  std::optional<ConnectionId> next(std::size_t room) const noexcept {
    if (by_turn_.empty()) return std::nullopt;
    const auto& [first, wanted] = by_turn_.begin()->second;
    if (wanted <= room) return first;
    const auto& [least, id] = *by_size_.begin();
    if (least.first <= room) return id;
    return std::nullopt;
  }

 private:
  std::map<std::uint64_t, std::pair<ConnectionId, std::size_t>> by_turn_;
  std::map<std::pair<std::size_t, std::uint64_t>, ConnectionId> by_size_;
  std::uint64_t last_turn_ = 0;
};

}  // namespace siptls
