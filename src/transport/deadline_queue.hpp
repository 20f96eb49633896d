// DeadlineQueue: which connection's deadline is due.
//
// Lazy: a connection whose deadline moves further away, as idle deadlines do with every message,
// costs nothing; its old entry is looked at when it is due, and put back. One whose deadline comes
// nearer gets a further entry, and the old one is of no use any more: when most are, rebuild()
// drops them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "siptls/clock.hpp"

namespace siptls {

class DeadlineQueue {
 public:
  struct Entry {
    MonoTime at;
    std::uint64_t key = 0;
  };

  // Makes room for so many arm(), which then need no memory.
  void make_room(std::size_t more) {
    const std::size_t wanted = heap_.size() + more;
    if (wanted > heap_.capacity()) heap_.reserve(std::max(wanted, 2 * heap_.capacity()));
  }

  // `armed` is the caller's note of the earliest entry that `key` has in the queue. True if there
  // is one more entry now.
  bool arm(std::uint64_t key, MonoTime at, MonoTime& armed) {
    if (at >= armed) return false;
    heap_.push_back({at, key});
    std::push_heap(heap_.begin(), heap_.end(), later);
    armed = at;
    return true;
  }

  // Takes out the earliest entry if it is due.
  std::optional<Entry> take_due(MonoTime now) {
    if (heap_.empty() || heap_.front().at > now) return std::nullopt;
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Entry entry = heap_.back();
    heap_.pop_back();
    return entry;
  }

  std::size_t size() const noexcept { return heap_.size(); }
  // Whether most entries are of no use, where there are so many keys.
  bool is_crowded(std::size_t keys) const noexcept { return heap_.size() > 4 * keys + kFew; }
  // Leaves one entry for each key that is armed: `tell_armed` is given a function, and calls it
  // with each key and its note. Asked for whenever the queue is crowded, that costs each arm() a
  // constant amount, however long the keys live; and it needs no memory.
  template <typename TellArmed>
  void rebuild(TellArmed tell_armed) {
    heap_.clear();
    tell_armed([this](std::uint64_t key, MonoTime armed) {
      if (armed != MonoTime::max()) heap_.push_back({armed, key});
    });
    std::make_heap(heap_.begin(), heap_.end(), later);
  }

  std::optional<MonoTime> earliest() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.front().at;
  }

 private:
  static constexpr std::size_t kFew = 4096;
  static bool later(const Entry& a, const Entry& b) { return a.at > b.at; }
  std::vector<Entry> heap_;
};

}  // namespace siptls
