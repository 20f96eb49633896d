// WriteQueue: the messages of one connection on their way into the kernel, and the account of them.
//
// A message is first waiting (its octets lie here), then written (encrypted, and handed to the
// kernel piece by piece), and is remembered until the peer's TCP has acknowledged it, so that every
// token can be answered for at the end of the connection.
//
// Positions: `plain` counts octets of plaintext from the beginning of the connection, `cipher`
// octets of TLS output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "siptls/clock.hpp"
#include "siptls/event.hpp"

namespace siptls {

class WriteQueue {
 public:
  // A message, or what became of it.
  struct Entry {
    SendToken token = SendToken::none;  // none for a pong, which nobody asks about
    std::uint64_t plain_begin = 0;
    std::uint64_t plain_end = 0;
    std::uint64_t cipher_end = 0;  // once all of it is encrypted
    MonoTime expires_at = MonoTime::max();
    bool report = false;  // a Sent is wanted
  };

  // Adds a message at the end, or throws std::bad_alloc and has not.
  void push(SendToken token, std::span<const std::byte> octets, MonoTime expires_at, bool report);

  // The next octets to encrypt: at most `most`.
  std::span<const std::byte> front(std::size_t most) const noexcept;
  // The octets of front() were encrypted; they begin at `cipher_begin` of the TLS output, which now
  // ends at `cipher_end`. Before that all of the output must have been written.
  void mark_encrypted(std::size_t octets, std::uint64_t cipher_begin, std::uint64_t cipher_end);
  // The kernel has taken the TLS output up to `cipher`. Calls `sent` for each message that wanted a
  // report and is in the kernel now.
  void mark_written(std::uint64_t cipher, const std::function<void(SendToken)>& sent);
  // The peer's TCP has acknowledged the TLS output up to `cipher`.
  void mark_acknowledged(std::uint64_t cipher) noexcept;

  // Takes out the messages that were not begun and whose time has come.
  std::vector<Entry> take_expired(MonoTime now);
  // Takes out everything, in order: written and not acknowledged, then waiting.
  std::vector<Entry> take_all();

  bool empty() const noexcept { return waiting_octets() == 0; }
  std::size_t waiting_octets() const noexcept { return plain_.size() - plain_head_; }
  std::size_t waiting_messages() const noexcept { return waiting_.size() - waiting_head_; }
  std::size_t unacknowledged_messages() const noexcept { return written_.size() - written_head_; }
  // The earliest time at which a waiting message expires.
  MonoTime next_expiry() const noexcept { return next_expiry_; }
  // Where in the TLS output the last octet of a message lies.
  std::uint64_t cipher_end() const noexcept { return last_cipher_end_; }
  // Octets of `entry` that the kernel has.
  std::size_t octets_written(const Entry& entry) const noexcept;
  // Whether any octet of `entry` has left this host, where the kernel has taken the TLS output up
  // to `cipher`: also a part of a record, which nobody can read, but which may be of this message.
  bool has_left(const Entry& entry, std::uint64_t cipher) const noexcept;

 private:
  void compact() noexcept;

  std::vector<std::byte> plain_;  // of the waiting messages; from plain_head_
  std::size_t plain_head_ = 0;
  std::vector<Entry> waiting_;  // from waiting_head_; the first may be encrypted in part
  std::size_t waiting_head_ = 0;
  std::vector<Entry> written_;  // from written_head_; encrypted and not acknowledged
  std::size_t written_head_ = 0;
  std::size_t reported_ = 0;  // entries of written_ before this index are in the kernel
  std::uint64_t plain_pushed_ = 0;
  std::uint64_t plain_encrypted_ = 0;
  std::uint64_t plain_written_ = 0;
  std::uint64_t last_cipher_begin_ = 0;
  std::uint64_t last_cipher_end_ = 0;
  MonoTime next_expiry_ = MonoTime::max();
};

}  // namespace siptls
