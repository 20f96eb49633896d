// The memory in which framers look for messages.
//
// A message is looked for in the workspace's current assembly. If it is not all there when the
// lent octets end, the framer takes that assembly with it, rows and all, and copies the octets into
// it; the workspace goes on with another one. When the message is whole, the assembly comes back.
// So nothing is copied twice, an idle framer has no assembly, and in the steady state none is made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "sip/message_record.hpp"
#include "siptls/sip_framer.hpp"

namespace siptls {
namespace detail {

// A message that is being found: its record and, once it has outlived the lent octets, its octets.
class MessageAssembly : public MessageRecord {
 public:
  std::size_t held() const noexcept { return held_; }
  const char* octets() const noexcept { return octets_.get(); }
  // Appends `size` octets, of a message that will have no more than `expected` in all as far as is
  // known. False: out of memory.
  bool append(const char* octets, std::size_t size, std::size_t expected) noexcept {
    if (capacity_ - held_ < size && !grow(size, expected)) return false;
    copy(octets, size);
    return true;
  }
  // One octet, for which there must be room.
  void append_one(char octet) noexcept { octets_[held_++] = octet; }
  bool has_room() const noexcept { return held_ < capacity_; }
  // Makes it ready for another message. Memory stays, but for what only a large message needed.
  void restart() noexcept {
    scan.restart();
    held_ = 0;
    if (capacity_ > kLargestKept) release_octets();
  }
  void release_octets() noexcept {
    octets_.reset();
    held_ = capacity_ = 0;
  }

 private:
  static constexpr std::size_t kLargestKept = std::size_t{64} * 1024;

  bool grow(std::size_t size, std::size_t expected) noexcept;
  void copy(const char* octets, std::size_t size) noexcept {
    if (size == 1) {
      octets_[held_] = *octets;
    } else {
      std::char_traits<char>::copy(octets_.get() + held_, octets, size);
    }
    held_ += size;
  }

  std::unique_ptr<char[]> octets_;
  std::size_t held_ = 0;
  std::size_t capacity_ = 0;
};

// Octets that were pushed and had to be copied before they were read.
struct KeptInput {
  std::unique_ptr<char[]> octets;
  std::size_t size = 0;
  std::size_t capacity = 0;
  std::unique_ptr<KeptInput> next;  // in the list of those that are retired
};

}  // namespace detail

class SipFramer::Workspace {
 public:
  // The assembly to look for the next message in; null: out of memory.
  detail::MessageAssembly* current() noexcept {
    if (!current_) make_current();
    return current_.get();
  }
  // Takes the current one away from here, with an unfinished message.
  detail::MessageAssembly* take() noexcept { return current_.release(); }
  // Brings one back; the message in it has just been given out.
  void give_back(detail::MessageAssembly* assembly) noexcept;
  // Keeps what a view may refer to until the next call of a framer on this workspace.
  void retire(std::unique_ptr<detail::KeptInput> input) noexcept {
    input->next = std::move(retired_);
    retired_ = std::move(input);
  }
  void drop_retired() noexcept {
    if (retired_) retired_.reset();
  }

 private:
  void make_current() noexcept;

  std::unique_ptr<detail::MessageAssembly> current_;
  std::unique_ptr<detail::MessageAssembly> spare_;
  std::unique_ptr<detail::KeptInput> retired_;
};

}  // namespace siptls
