// Which requests went through a connection of siptls-relay and have no final response yet: what
// keeps the connection open when its end is wanted.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <string_view>
#include <unordered_map>

namespace relay {

// A set, since a final response comes more than once: a UAS repeats the 2xx of an INVITE (RFC 3261
// section 13.3.1.4), and of a forked one each UAS sends its own.
class OpenRequests {
 public:
  // `transaction` is Forwarded::transaction; what has none cannot be waited for.
  void add(std::string_view transaction) {
    if (transaction.empty()) return;
    const std::size_t key = std::hash<std::string_view>{}(transaction);
    if (places_.count(key) != 0) return;
    // The oldest is the one whose response comes least likely.
    if (places_.size() == kMost) {
      places_.erase(oldest_first_.front());
      oldest_first_.pop_front();
    }
    places_.emplace(key, oldest_first_.insert(oldest_first_.end(), key));
  }
  void remove(std::string_view transaction) {
    const auto found = places_.find(std::hash<std::string_view>{}(transaction));
    if (found == places_.end()) return;
    oldest_first_.erase(found->second);
    places_.erase(found);
  }
  bool empty() const noexcept { return places_.empty(); }

 private:
  // Less than a megabyte, for a peer that never answers.
  static constexpr std::size_t kMost = 8192;
  std::list<std::size_t> oldest_first_;
  std::unordered_map<std::size_t, std::list<std::size_t>::iterator> places_;
};

}  // namespace relay
