#include "tls/ticket_keys.hpp"

#include <fmt/format.h>
#include <openssl/aead.h>
#include <openssl/mem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <new>
#include <optional>
#include <utility>

#include "tls/session_callbacks.hpp"
#include "tls/session_clock.hpp"
#include "tls/tls_session_impl.hpp"

namespace siptls {
namespace {

constexpr std::size_t kNameSize = 16;
constexpr std::size_t kNonceSize = 12;

// An export: these eight octets, the format's version, the number of keys, each key's name and
// secret, newest first, and the SHA-256 of all that, which shows a file that was cut or altered.
constexpr std::array<std::uint8_t, 8> kMagic = {'s', 'i', 'p', 't', 'l', 's', 't', 'k'};
constexpr std::uint8_t kFormatVersion = 1;
constexpr std::size_t kHeaderSize = kMagic.size() + 2;
constexpr std::size_t kSecretSize = 32;
constexpr std::size_t kKeySize = kNameSize + kSecretSize;
constexpr std::size_t kMostExported = 255;

Unexpected no_export(std::string evidence) {
  return Unexpected(Errc::invalid_argument, "no exported ticket keys: " + std::move(evidence));
}

// What an export is before its keys are read.
Result<void> check_export(std::span<const std::uint8_t> exported) {
  if (exported.size() < kHeaderSize) {
    return no_export(
        fmt::format("{} octets, and the header alone has {}", exported.size(), kHeaderSize));
  }
  if (!std::equal(kMagic.begin(), kMagic.end(), exported.begin())) {
    return no_export("they begin with other octets");
  }
  const std::uint8_t version = exported[kMagic.size()];
  if (version != kFormatVersion) {
    return no_export(fmt::format("format {}, and only {} is known", version, kFormatVersion));
  }
  const std::size_t count = exported[kMagic.size() + 1];
  const std::size_t expected = kHeaderSize + count * kKeySize + SHA256_DIGEST_LENGTH;
  if (count == 0 || exported.size() != expected) {
    return no_export(
        fmt::format("{} keys need {} octets, found {}", count, expected, exported.size()));
  }
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  const auto content = exported.first(expected - digest.size());
  SHA256(content.data(), content.size(), digest.data());
  if (!std::equal(digest.begin(), digest.end(), exported.last(digest.size()).begin())) {
    return no_export("the checksum is wrong");
  }
  return {};
}

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

Result<std::vector<std::byte>> TicketKeyRing::export_keys() {
  try {
    return keys_->export_keys();
  } catch (const std::bad_alloc&) {
    return Unexpected(Errc::out_of_memory);
  }
}

Result<void> TicketKeyRing::import_keys(std::span<const std::byte> exported) {
  try {
    return keys_->import_keys(exported);
  } catch (const std::bad_alloc&) {
    return Unexpected(Errc::out_of_memory);
  }
}

Result<std::vector<std::byte>> TicketKeys::export_keys() {
  const std::lock_guard lock(mutex_);
  if (keys_.empty()) rotate_locked(std::nullopt);
  const std::size_t count = std::min(keys_.size(), kMostExported);
  // Of its final size from the beginning: a vector that grew would leave keys behind.
  std::vector<std::byte> exported(kHeaderSize + count * kKeySize + SHA256_DIGEST_LENGTH);
  auto* const begin = reinterpret_cast<std::uint8_t*>(exported.data());
  std::uint8_t* to = std::copy(kMagic.begin(), kMagic.end(), begin);
  *to++ = kFormatVersion;
  *to++ = static_cast<std::uint8_t>(count);
  for (std::size_t i = 0; i < count; ++i) {
    to = std::copy(keys_[i].name.begin(), keys_[i].name.end(), to);
    to = std::copy(keys_[i].secret.octets.begin(), keys_[i].secret.octets.end(), to);
  }
  SHA256(begin, static_cast<std::size_t>(to - begin), to);
  return exported;
}

Result<std::deque<TicketKeys::Key>> TicketKeys::parse(std::span<const std::uint8_t> exported,
                                                      std::size_t most) {
  if (auto good = check_export(exported); !good) return Unexpected(std::move(good).error());
  const std::size_t count = std::min<std::size_t>(exported[kMagic.size() + 1], most);
  std::deque<Key> keys;
  for (std::size_t i = 0; i < count; ++i) {
    const auto octets = exported.subspan(kHeaderSize + i * kKeySize, kKeySize);
    Key& key = keys.emplace_back();
    std::copy_n(octets.begin(), kNameSize, key.name.begin());
    std::copy_n(octets.begin() + kNameSize, kSecretSize, key.secret.octets.begin());
    key.set_cipher();
    if (!key.cipher) return Unexpected(Errc::out_of_memory);
  }
  return keys;
}

Result<void> TicketKeys::import_keys(std::span<const std::byte> exported) {
  auto keys = parse({reinterpret_cast<const std::uint8_t*>(exported.data()), exported.size()},
                    options_.keys);
  if (!keys) return Unexpected(std::move(keys).error());
  const std::lock_guard lock(mutex_);
  keys_.swap(*keys);
  return {};
}

void TicketKeys::Key::set_cipher() {
  cipher.reset(EVP_AEAD_CTX_new(EVP_aead_aes_256_gcm(), secret.octets.data(), secret.octets.size(),
                                EVP_AEAD_DEFAULT_TAG_LENGTH));
}

void TicketKeys::rotate(std::optional<MonoTime> now) {
  const std::lock_guard lock(mutex_);
  rotate_locked(now);
}

void TicketKeys::rotate_locked(std::optional<MonoTime> now) {
  Key key;
  RAND_bytes(key.name.data(), key.name.size());
  RAND_bytes(key.secret.octets.data(), key.secret.octets.size());
  key.set_cipher();
  key.since = now;
  keys_.push_front(std::move(key));
  while (keys_.size() > options_.keys) keys_.pop_back();
}

void TicketKeys::rotate_if_due(MonoTime now) {
  if (keys_.empty()) rotate_locked(now);
  Key& newest = keys_.front();
  if (!newest.since) newest.since = now;
  // After a long silence the older keys have had their time as well. A thread that read the clock
  // before another one began the key is not late: there its age is negative.
  const auto age = std::chrono::floor<std::chrono::seconds>(now - *newest.since);
  const auto due = age / options_.rotate_after;
  for (std::size_t i = 0; i < options_.keys && std::cmp_less(i, due); ++i) rotate_locked(now);
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
