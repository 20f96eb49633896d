#include "transport/write_queue.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace siptls {
namespace {

// An empty queue keeps no storage for what waits; the queues of a thread hand it on to each other,
// so that idle connections cost nothing and busy ones allocate nothing.
template <typename T>
class Spares {
 public:
  Spares(std::size_t first, std::size_t largest) : first_(first), largest_(largest) {}

  void lend_to(std::vector<T>& storage) {
    if (storage.capacity() != 0) return;
    if (spares_.empty()) {
      storage.reserve(first_);
    } else {
      storage.swap(spares_.back());
      spares_.pop_back();
    }
  }

  void take_back(std::vector<T>& storage) noexcept {
    storage.clear();
    if (spares_.capacity() == 0) make_room();
    if (spares_.size() < spares_.capacity() && storage.capacity() <= largest_) {
      if (storage.capacity() != 0) spares_.push_back(std::move(storage));
    }
    std::vector<T>().swap(storage);
  }

 private:
  static constexpr std::size_t kMost = 128;

  void make_room() noexcept {
    try {
      spares_.reserve(kMost);
    } catch (const std::bad_alloc&) {
      // Then nothing is kept.
    }
  }

  std::vector<std::vector<T>> spares_;
  const std::size_t first_;
  const std::size_t largest_;
};

thread_local Spares<std::byte> spare_octets(2048, 32 * 1024);
thread_local Spares<WriteQueue::Entry> spare_entries(32, 512);

// Written messages are remembered until the kernel is asked about them, so many or more. Room for
// more entries than this is given back when there are none.
constexpr std::size_t kKeptEntries = 128;

void make_room_for(std::vector<WriteQueue::Entry>& storage, std::size_t more) {
  const std::size_t wanted = storage.size() + more;
  if (wanted > storage.capacity()) storage.reserve(std::max(wanted, 2 * storage.capacity()));
}

void release_if_large(std::vector<WriteQueue::Entry>& storage) noexcept {
  storage.clear();
  if (storage.capacity() > kKeptEntries) std::vector<WriteQueue::Entry>().swap(storage);
}

}  // namespace

void WriteQueue::push(SendToken token, std::span<const std::byte> octets, MonoTime expires_at,
                      bool report) {
  Entry entry;
  entry.token = token;
  entry.plain_begin = plain_pushed_;
  entry.plain_end = plain_pushed_ + octets.size();
  entry.expires_at = expires_at;
  entry.report = report;
  // Without memory nothing is changed; and for what follows with mark_encrypted() there is room.
  spare_entries.lend_to(waiting_);
  make_room_for(waiting_, 1);
  make_room_for(written_, waiting_messages() + 1);
  spare_octets.lend_to(plain_);
  plain_.insert(plain_.end(), octets.begin(), octets.end());
  waiting_.push_back(entry);
  plain_pushed_ = entry.plain_end;
  next_expiry_ = std::min(next_expiry_, expires_at);
}

std::span<const std::byte> WriteQueue::front(std::size_t most) const noexcept {
  return std::span(plain_).subspan(plain_head_, std::min(most, waiting_octets()));
}

void WriteQueue::mark_encrypted(std::size_t octets, std::uint64_t cipher_begin,
                                std::uint64_t cipher_end) {
  plain_head_ += octets;
  plain_encrypted_ += octets;
  last_cipher_begin_ = cipher_begin;
  last_cipher_end_ = cipher_end;
  while (waiting_head_ < waiting_.size() && waiting_[waiting_head_].plain_end <= plain_encrypted_) {
    Entry entry = waiting_[waiting_head_++];
    entry.cipher_end = cipher_end;
    written_.push_back(entry);
  }
  compact();
}

void WriteQueue::mark_written(std::uint64_t cipher, const std::function<void(SendToken)>& sent) {
  // Only one record is on its way at a time, so the plaintext is either all in the kernel or its
  // last record is not.
  if (cipher >= last_cipher_end_) plain_written_ = plain_encrypted_;
  reported_ = std::max(reported_, written_head_);
  while (reported_ < written_.size() && written_[reported_].cipher_end <= cipher) {
    const Entry& entry = written_[reported_++];
    plain_written_ = std::max(plain_written_, entry.plain_end);
    if (entry.report && entry.token != SendToken::none) sent(entry.token);
  }
}

void WriteQueue::mark_acknowledged(std::uint64_t cipher) noexcept {
  while (written_head_ < reported_ && written_[written_head_].cipher_end <= cipher) {
    ++written_head_;
  }
  compact();
}

std::vector<WriteQueue::Entry> WriteQueue::take_expired(MonoTime now) {
  std::vector<Entry> expired;
  next_expiry_ = MonoTime::max();
  std::size_t kept = waiting_head_;
  std::uint64_t removed = 0;
  // Octets of messages that stay move up once, behind those that stayed before them.
  std::size_t from = plain_head_;
  std::size_t to = plain_head_;
  const auto keep_octets = [&](std::size_t count) {
    if (from != to)
      std::copy_n(plain_.begin() + static_cast<std::ptrdiff_t>(from), count,
                  plain_.begin() + static_cast<std::ptrdiff_t>(to));
    from += count;
    to += count;
  };
  for (std::size_t i = waiting_head_; i < waiting_.size(); ++i) {
    Entry entry = waiting_[i];
    const bool begun = entry.plain_begin < plain_encrypted_;
    const auto octets =
        static_cast<std::size_t>(entry.plain_end - std::max(entry.plain_begin, plain_encrypted_));
    entry.plain_begin -= begun ? 0 : removed;
    entry.plain_end -= removed;
    if (!begun && entry.expires_at <= now) {
      from += octets;
      removed += octets;
      expired.push_back(entry);
    } else {
      keep_octets(octets);
      // What was begun is finished, late or not.
      if (begun) entry.expires_at = MonoTime::max();
      next_expiry_ = std::min(next_expiry_, entry.expires_at);
      waiting_[kept++] = entry;
    }
  }
  waiting_.resize(kept);
  plain_.resize(to);
  plain_pushed_ -= removed;
  compact();
  return expired;
}

std::vector<WriteQueue::Entry> WriteQueue::take_all() {
  std::vector<Entry> all;
  all.reserve(unacknowledged_messages() + waiting_messages());
  all.insert(all.end(), written_.begin() + static_cast<std::ptrdiff_t>(written_head_),
             written_.end());
  all.insert(all.end(), waiting_.begin() + static_cast<std::ptrdiff_t>(waiting_head_),
             waiting_.end());
  std::vector<std::byte>().swap(plain_);
  std::vector<Entry>().swap(waiting_);
  std::vector<Entry>().swap(written_);
  plain_head_ = waiting_head_ = written_head_ = reported_ = 0;
  next_expiry_ = MonoTime::max();
  return all;
}

std::size_t WriteQueue::octets_written(const Entry& entry) const noexcept {
  const std::uint64_t end = std::clamp(plain_written_, entry.plain_begin, entry.plain_end);
  return static_cast<std::size_t>(end - entry.plain_begin);
}

bool WriteQueue::has_left(const Entry& entry, std::uint64_t cipher) const noexcept {
  if (octets_written(entry) > 0) return true;
  // What was encrypted of it is in the last record then.
  return entry.plain_begin < plain_encrypted_ && cipher > last_cipher_begin_;
}

void WriteQueue::compact() noexcept {
  if (plain_head_ == plain_.size()) {
    plain_head_ = 0;
    spare_octets.take_back(plain_);
  }
  if (waiting_head_ == waiting_.size()) {
    waiting_head_ = 0;
    next_expiry_ = MonoTime::max();
    spare_entries.take_back(waiting_);
  }
  if (written_head_ == written_.size()) {
    written_head_ = reported_ = 0;
    release_if_large(written_);
  } else if (written_head_ > 64 && written_head_ * 2 > written_.size()) {
    written_.erase(written_.begin(), written_.begin() + static_cast<std::ptrdiff_t>(written_head_));
    reported_ -= std::min(reported_, written_head_);
    written_head_ = 0;
  }
  if (plain_head_ > 64 * 1024 && plain_head_ * 2 > plain_.size()) {
    plain_.erase(plain_.begin(), plain_.begin() + static_cast<std::ptrdiff_t>(plain_head_));
    plain_head_ = 0;
  }
  if (waiting_head_ > 256 && waiting_head_ * 2 > waiting_.size()) {
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(waiting_head_));
    waiting_head_ = 0;
  }
}

}  // namespace siptls
