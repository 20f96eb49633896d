#include "tls/ticket_keys.hpp"

#include <openssl/aead.h>
#include <openssl/mem.h>
#include <openssl/rand.h>

#include <algorithm>
#include <new>
#include <optional>

#include "tls/session_callbacks.hpp"
#include "tls/session_clock.hpp"
#include "tls/tls_session_impl.hpp"

namespace siptls {
namespace {

constexpr std::size_t kNameSize = 16;
constexpr std::size_t kNonceSize = 12;

}  // namespace

TicketKeyRing::TicketKeyRing(std::unique_ptr<TicketKeys> keys) noexcept : keys_(std::move(keys)) {}
TicketKeyRing::~TicketKeyRing() = default;

Result<std::shared_ptr<TicketKeyRing>> TicketKeyRing::create(const TicketKeyOptions& options) {
  if (options.keys == 0 || options.rotate_after <= std::chrono::seconds(0)) {
    return Unexpected(Errc::invalid_argument,
                      "a TicketKeyRing needs at least one key and a time after which it rotates");
  }
  try {
    return std::shared_ptr<TicketKeyRing>(new TicketKeyRing(std::make_unique<TicketKeys>(options)));
  } catch (const std::bad_alloc&) {
    return Unexpected(Errc::out_of_memory);
  }
}

void TicketKeyRing::rotate() { keys_->rotate(std::nullopt); }

void TicketKeys::rotate(std::optional<MonoTime> now) {
  const std::lock_guard lock(mutex_);
  rotate_locked(now);
}

void TicketKeys::rotate_locked(std::optional<MonoTime> now) {
  Key key;
  std::array<std::uint8_t, 32> secret{};
  RAND_bytes(key.name.data(), key.name.size());
  RAND_bytes(secret.data(), secret.size());
  key.cipher.reset(EVP_AEAD_CTX_new(EVP_aead_aes_256_gcm(), secret.data(), secret.size(),
                                    EVP_AEAD_DEFAULT_TAG_LENGTH));
  OPENSSL_cleanse(secret.data(), secret.size());
  key.since = now;
  keys_.push_front(std::move(key));
  while (keys_.size() > options_.keys) keys_.pop_back();
}

void TicketKeys::rotate_if_due(MonoTime now) {
  if (keys_.empty()) rotate_locked(now);
  Key& newest = keys_.front();
  if (!newest.since) newest.since = now;
  // After a long silence the older keys have had their time as well.
  const auto age = now - *newest.since;
  for (std::size_t i = 0; i < options_.keys && age >= options_.rotate_after * (i + 1); ++i) {
    rotate_locked(now);
  }
}

bool TicketKeys::seal(std::span<const std::uint8_t> state, std::span<std::uint8_t> out,
                      std::size_t& out_size, const Now& now) {
  if (out.size() < state.size() + kOverhead) return false;
  const std::lock_guard lock(mutex_);
  rotate_if_due(now.mono);
  const Key& key = keys_.front();
  if (!key.cipher) return false;
  std::copy(key.name.begin(), key.name.end(), out.begin());
  const auto nonce = out.subspan(kNameSize, kNonceSize);
  RAND_bytes(nonce.data(), nonce.size());
  const auto sealed = out.subspan(kNameSize + kNonceSize);
  std::size_t size = 0;
  if (!EVP_AEAD_CTX_seal(key.cipher.get(), sealed.data(), &size, sealed.size(), nonce.data(),
                         nonce.size(), state.data(), state.size(), nullptr, 0)) {
    return false;
  }
  out_size = kNameSize + kNonceSize + size;
  return true;
}

bool TicketKeys::open(std::span<const std::uint8_t> ticket, std::span<std::uint8_t> out,
                      std::size_t& out_size, const Now& now) {
  if (ticket.size() < kOverhead) return false;
  const std::lock_guard lock(mutex_);
  rotate_if_due(now.mono);
  const auto name = ticket.first(kNameSize);
  const auto key = std::find_if(keys_.begin(), keys_.end(), [&](const Key& candidate) {
    return std::equal(name.begin(), name.end(), candidate.name.begin());
  });
  if (key == keys_.end() || !key->cipher) return false;
  const auto nonce = ticket.subspan(kNameSize, kNonceSize);
  const auto sealed = ticket.subspan(kNameSize + kNonceSize);
  const pki::ErrorQueueScope errors;
  return EVP_AEAD_CTX_open(key->cipher.get(), out.data(), &out_size, out.size(), nonce.data(),
                           nonce.size(), sealed.data(), sealed.size(), nullptr, 0) == 1;
}

namespace tls {
namespace {

TicketKeys& keys_of(SSL* ssl) noexcept {
  return TicketKeys::of(session_of(SSL_get_rbio(ssl)).context().ticket_keys());
}

std::size_t max_overhead(SSL* /*ssl*/) { return TicketKeys::kOverhead; }

int seal(SSL* ssl, std::uint8_t* out, std::size_t* out_size, std::size_t max_out,
         const std::uint8_t* in, std::size_t in_size) {
  return keys_of(ssl).seal({in, in_size}, {out, max_out}, *out_size, call_time()) ? 1 : 0;
}

ssl_ticket_aead_result_t open(SSL* ssl, std::uint8_t* out, std::size_t* out_size,
                              std::size_t max_out, const std::uint8_t* in, std::size_t in_size) {
  return keys_of(ssl).open({in, in_size}, {out, max_out}, *out_size, call_time())
             ? ssl_ticket_aead_success
             : ssl_ticket_aead_ignore_ticket;
}

}  // namespace

const SSL_TICKET_AEAD_METHOD* ticket_method() noexcept {
  static const SSL_TICKET_AEAD_METHOD method{max_overhead, seal, open};
  return &method;
}

}  // namespace tls
}  // namespace siptls
