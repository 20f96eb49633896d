#include "tls/wire_buffers.hpp"

#include <openssl/bio.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "tls/tls_session_impl.hpp"

namespace siptls::tls {

namespace {

// Storage that the thread's sessions hand on to each other: one that has nothing to say keeps none,
// and one that has something to say allocates nothing.
thread_local std::vector<std::byte> spare;
constexpr std::size_t kLargestSpare = std::size_t{256} * 1024;

}  // namespace

void InputBuffer::lend(std::span<const std::byte> octets) {
  keep();
  lent_ = octets;
}

void InputBuffer::keep() {
  if (lent_.empty()) return;
  if (kept_begin_ == kept_.size()) {
    kept_.clear();
    kept_begin_ = 0;
  }
  kept_.insert(kept_.end(), lent_.begin(), lent_.end());
  lent_ = {};
}

void InputBuffer::drop() noexcept {
  lent_ = {};
  std::vector<std::byte>().swap(kept_);
  kept_begin_ = 0;
}

std::size_t InputBuffer::read(std::span<std::byte> to) noexcept {
  const bool from_kept = kept_begin_ < kept_.size();
  const auto source = from_kept ? std::span<const std::byte>(kept_).subspan(kept_begin_) : lent_;
  const std::size_t count = std::min(source.size(), to.size());
  if (count == 0) return 0;
  std::memcpy(to.data(), source.data(), count);
  if (from_kept) {
    kept_begin_ += count;
    // Copies are rare and an idle session keeps nothing.
    if (kept_begin_ == kept_.size()) {
      std::vector<std::byte>().swap(kept_);
      kept_begin_ = 0;
    }
  } else {
    lent_ = lent_.subspan(count);
  }
  return count;
}

void OutputBuffer::append(std::span<const std::byte> octets) {
  reserve(octets.size());
  octets_.insert(octets_.end(), octets.begin(), octets.end());
  total_ += octets.size();
}

void OutputBuffer::reserve(std::size_t more) {
  if (octets_.capacity() == 0) octets_.swap(spare);
  const std::size_t needed = octets_.size() + more;
  if (needed <= octets_.capacity()) return;
  // Moving the unread part to the front pays when at least as much was consumed as must be moved.
  if (begin_ >= octets_.size() - begin_) compact();
  if (octets_.size() + more > octets_.capacity()) {
    octets_.reserve(std::max(octets_.size() + more, octets_.capacity() * 2));
  }
}

void OutputBuffer::consume(std::size_t octets) noexcept {
  begin_ += std::min(octets, octets_.size() - begin_);
  if (begin_ == octets_.size()) give_up();
}

void OutputBuffer::give_up() noexcept {
  begin_ = 0;
  octets_.clear();
  if (octets_.capacity() > spare.capacity() && octets_.capacity() <= kLargestSpare) {
    octets_.swap(spare);
  }
  std::vector<std::byte>().swap(octets_);
}

void OutputBuffer::compact() noexcept {
  const auto pending_size = octets_.size() - begin_;
  if (begin_ != 0 && pending_size != 0) {
    std::memmove(octets_.data(), octets_.data() + begin_, pending_size);
  }
  octets_.resize(pending_size);
  begin_ = 0;
}

namespace {

int bio_read(BIO* bio, char* to, int length) {
  BIO_clear_retry_flags(bio);
  if (length <= 0) return 0;
  TlsSessionImpl& session = session_of(bio);
  const std::size_t count = session.wire().input.read(
      {reinterpret_cast<std::byte*>(to), static_cast<std::size_t>(length)});
  // An error that is no retry ends the handshake.
  if (!session.count_handshake_octets(count)) return -1;
  session.note_taken(static_cast<std::size_t>(length), count);
  if (count == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  return static_cast<int>(count);
}

int bio_write(BIO* bio, const char* from, int length) {
  BIO_clear_retry_flags(bio);
  if (length <= 0) return 0;
  // An exception must not pass through BoringSSL.
  try {
    session_of(bio).wire().output.append(
        {reinterpret_cast<const std::byte*>(from), static_cast<std::size_t>(length)});
  } catch (const std::bad_alloc&) {
    return -1;
  }
  return length;
}

long bio_control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* session_bio_method() noexcept {
  // Lives as long as the process: sessions may outlive every other static object.
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "siptls session");
    if (made != nullptr) {
      BIO_meth_set_read(made, bio_read);
      BIO_meth_set_write(made, bio_write);
      BIO_meth_set_ctrl(made, bio_control);
    }
    return made;
  }();
  return method;
}

}  // namespace

BIO* new_session_bio(TlsSessionImpl& session) noexcept {
  const BIO_METHOD* method = session_bio_method();
  BIO* bio = method != nullptr ? BIO_new(method) : nullptr;
  if (bio != nullptr) {
    BIO_set_data(bio, &session);
    BIO_set_init(bio, 1);
  }
  return bio;
}

TlsSessionImpl& session_of(BIO* bio) noexcept {
  return *static_cast<TlsSessionImpl*>(BIO_get_data(bio));
}

}  // namespace siptls::tls
