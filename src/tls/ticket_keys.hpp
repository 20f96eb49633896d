// The inside of a TicketKeyRing: seals and opens tickets.
#pragma once

#include <openssl/aead.h>
#include <openssl/mem.h>
#include <openssl/ssl.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "pki/boringssl_compat.hpp"
#include "siptls/clock.hpp"
#include "siptls/ticket_key_ring.hpp"

namespace siptls {

// Thread-safe. A ticket is the name of its key, a nonce, and the state sealed with AES-256-GCM.
class TicketKeys {
 public:
  static TicketKeys& of(const TicketKeyRing& ring) noexcept { return *ring.keys_; }

  explicit TicketKeys(const TicketKeyOptions& options) : options_(options) {}
  // A new key, which is the one for new tickets; keys beyond TicketKeyOptions::keys go.
  void rotate(std::optional<MonoTime> now);
  Result<std::vector<std::byte>> export_keys();
  Result<void> import_keys(std::span<const std::byte> exported);

  static constexpr std::size_t kOverhead = 16 + 12 + 16;
  // False if memory is short or `out` is too small.
  bool seal(std::span<const std::uint8_t> state, std::span<std::uint8_t> out, std::size_t& out_size,
            const Now& now);
  // False for a ticket of an unknown key, or one that was changed on its way.
  bool open(std::span<const std::uint8_t> ticket, std::span<std::uint8_t> out,
            std::size_t& out_size, const Now& now);

 private:
  // Wiped when it goes.
  struct Secret {
    Secret() = default;
    Secret(const Secret&) = default;
    Secret& operator=(const Secret&) = default;
    ~Secret() { OPENSSL_cleanse(octets.data(), octets.size()); }
    std::array<std::uint8_t, 32> octets{};
  };
  struct Key {
    std::array<std::uint8_t, 16> name{};
    Secret secret;  // for export_keys()
    bssl::UniquePtr<EVP_AEAD_CTX> cipher;
    std::optional<MonoTime> since;  // of the first use; a key of rotate() has none yet

    void set_cipher();
  };

  static Result<std::deque<Key>> parse(std::span<const std::uint8_t> exported, std::size_t most);
  void rotate_locked(std::optional<MonoTime> now);
  void rotate_if_due(MonoTime now);

  const TicketKeyOptions options_;
  std::mutex mutex_;
  std::deque<Key> keys_;  // newest first
};

namespace tls {

// For SSL_CTX_set_ticket_aead_method: the ring of the context of the session.
const SSL_TICKET_AEAD_METHOD* ticket_method() noexcept;

}  // namespace tls
}  // namespace siptls
