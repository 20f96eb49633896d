// DeadlineQueue: which connection's deadline is due.
//
// Lazy: a connection whose deadline moves further away, as idle deadlines do with every message,
// costs nothing; its old entry is looked at when it is due, and put back.
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

  // `armed` is the caller's note of the earliest entry that `key` has in the queue.
  void arm(std::uint64_t key, MonoTime at, MonoTime& armed) {
    if (at >= armed) return;
    armed = at;
    heap_.push_back({at, key});
    std::push_heap(heap_.begin(), heap_.end(), later);
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
  // Drops the entries of keys that are no longer there.
  template <typename Gone>
  void remove_if(Gone gone) {
    heap_.erase(std::remove_if(heap_.begin(), heap_.end(),
                               [&](const Entry& entry) { return gone(entry.key); }),
                heap_.end());
    std::make_heap(heap_.begin(), heap_.end(), later);
  }

  std::optional<MonoTime> earliest() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.front().at;
  }

 private:
  static bool later(const Entry& a, const Entry& b) { return a.at > b.at; }
  std::vector<Entry> heap_;
};

}  // namespace siptls
