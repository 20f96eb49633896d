// The two ends of a session's byte stream: octets lent by the caller, and octets for the peer.
// BoringSSL reads and writes them through a BIO.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

struct bio_st;

namespace siptls {
class TlsSessionImpl;
}

namespace siptls::tls {

// What was received and not read yet. Lent by reference; copied only by keep().
class InputBuffer {
 public:
  void lend(std::span<const std::byte> octets);
  void keep();
  void drop() noexcept;
  bool empty() const noexcept { return kept_begin_ == kept_.size() && lent_.empty(); }
  // Octets that were copied and are unread.
  std::size_t kept() const noexcept { return kept_.size() - kept_begin_; }
  // Fills `to` as far as it goes and returns how much that was.
  std::size_t read(std::span<std::byte> to) noexcept;

 private:
  std::span<const std::byte> lent_;
  std::vector<std::byte> kept_;  // comes before lent_
  std::size_t kept_begin_ = 0;
};

// What the peer is to get. Cheap to consume from the front; has storage only while something is
// pending.
class OutputBuffer {
 public:
  std::span<const std::byte> pending() const noexcept {
    return std::span<const std::byte>(octets_).subspan(begin_);
  }
  void append(std::span<const std::byte> octets);
  void reserve(std::size_t more);
  void consume(std::size_t octets) noexcept;
  std::uint64_t total() const noexcept { return total_; }

 private:
  void compact() noexcept;
  void give_up() noexcept;

  std::vector<std::byte> octets_;
  std::size_t begin_ = 0;
  std::uint64_t total_ = 0;
};

struct WireBuffers {
  InputBuffer input;
  OutputBuffer output;
};

// A BIO over the buffers of `session`; null if memory is short. The caller owns it.
bio_st* new_session_bio(TlsSessionImpl& session) noexcept;
// The session whose BIO this is.
TlsSessionImpl& session_of(bio_st* bio) noexcept;

}  // namespace siptls::tls
