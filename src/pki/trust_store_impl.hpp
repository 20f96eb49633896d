// What a TrustStore holds; for src/pki and src/tls.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "pki/boringssl_compat.hpp"
#include "pki/certificate.hpp"
#include "pki/chain_memory.hpp"
#include "siptls/trust_store.hpp"

namespace siptls {

// Immutable once a TrustStore holds it, but for its memory of good chains.
class TrustStoreImpl {
 public:
  // Lives as long as `store` or a copy of it.
  static const TrustStoreImpl& of(const TrustStore& store) noexcept;

  explicit TrustStoreImpl(TrustLimits limits);
  // Begins with an empty memory of chains.
  TrustStoreImpl(const TrustStoreImpl& other);
  TrustStoreImpl& operator=(const TrustStoreImpl& other) = delete;
  ~TrustStoreImpl() = default;

  // Makers of a store that is not shared yet.
  Result<void> add(std::vector<pki::Certificate> certificates);
  void add(std::vector<pki::RevocationList> lists);
  void finish();  // entries and digest; after the last add
  static TrustStore wrap(std::shared_ptr<TrustStoreImpl> impl);

  std::span<const pki::Certificate> anchors() const noexcept { return anchors_; }
  std::span<const pki::RevocationList> revocation_lists() const noexcept { return lists_; }
  bool checks_revocation() const noexcept { return !lists_.empty(); }
  const TrustLimits& limits() const noexcept { return limits_; }
  std::span<const TrustEntry> entries() const noexcept { return entries_; }
  const std::array<std::uint8_t, 32>& digest() const noexcept { return digest_; }

  // What was judged good by this store; it changes behind a store that does not.
  pki::RememberedChains& memory() const noexcept { return memory_; }
  // BoringSSL wants one for each verification, and has no use for it. Null if there was no memory.
  X509_STORE* empty_x509_store() const noexcept { return empty_x509_store_.get(); }

  // The entry that equals `certificate` octet by octet; null if there is none.
  const pki::Certificate* find(const pki::Certificate& certificate) const noexcept;

 private:
  TrustLimits limits_;
  std::vector<pki::Certificate> anchors_;
  std::vector<pki::RevocationList> lists_;
  std::vector<TrustEntry> entries_;
  std::array<std::uint8_t, 32> digest_{};
  bssl::UniquePtr<X509_STORE> empty_x509_store_;
  mutable pki::RememberedChains memory_;
};

}  // namespace siptls
