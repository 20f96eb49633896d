#include "pki/trust_store_impl.hpp"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <utility>

namespace siptls {
namespace {

// What a moved-from TrustStore is: empty.
const TrustStoreImpl& empty_store() {
  static const TrustStoreImpl store = [] {
    TrustStoreImpl made{TrustLimits{}};
    made.finish();
    return made;
  }();
  return store;
}

void hash_number(SHA256_CTX& hash, std::uint64_t number) {
  std::array<std::uint8_t, 8> octets{};
  for (std::size_t i = 0; i < octets.size(); ++i) {
    octets[i] = static_cast<std::uint8_t>(number >> (8 * i) & 0xff);
  }
  SHA256_Update(&hash, octets.data(), octets.size());
}

// In an order of their own, so that stores that judge alike have one digest.
template <typename Item>
void hash_items(SHA256_CTX& hash, const std::vector<Item>& items) {
  std::vector<pki::Fingerprint> fingerprints;
  fingerprints.reserve(items.size());
  for (const auto& item : items) fingerprints.push_back(item.fingerprint());
  std::sort(fingerprints.begin(), fingerprints.end());
  hash_number(hash, fingerprints.size());
  for (const auto& print : fingerprints) SHA256_Update(&hash, print.data(), print.size());
}

}  // namespace

TrustStoreImpl::TrustStoreImpl(TrustLimits limits)
    : limits_(limits), empty_x509_store_(X509_STORE_new()), memory_(limits.max_remembered_chains) {}

TrustStoreImpl::TrustStoreImpl(const TrustStoreImpl& other)
    : limits_(other.limits_),
      anchors_(other.anchors_),
      lists_(other.lists_),
      entries_(other.entries_),
      digest_(other.digest_),
      empty_x509_store_(X509_STORE_new()),
      memory_(other.limits_.max_remembered_chains) {}

const TrustStoreImpl& TrustStoreImpl::of(const TrustStore& store) noexcept {
  return store.impl_ ? *store.impl_ : empty_store();
}

TrustStore TrustStoreImpl::wrap(std::shared_ptr<TrustStoreImpl> impl) {
  impl->finish();
  return TrustStore(std::shared_ptr<const TrustStoreImpl>(std::move(impl)));
}

Result<void> TrustStoreImpl::add(std::vector<pki::Certificate> certificates) {
  std::vector<pki::Certificate> all = anchors_;
  for (auto& certificate : certificates) {
    if (std::find(all.begin(), all.end(), certificate) == all.end()) {
      all.push_back(std::move(certificate));
    }
  }
  if (all.size() > limits_.max_entries) {
    return Unexpected(
        Errc::trust_store_full,
        fmt::format("{} different certificates and max_entries is {}; the first one without a "
                    "place is \"{}\": leave out what is not needed, or raise "
                    "TrustLimits::max_entries",
                    all.size(), limits_.max_entries, all[limits_.max_entries].subject()));
  }
  anchors_ = std::move(all);
  return {};
}

void TrustStoreImpl::add(std::vector<pki::RevocationList> lists) {
  for (auto& list : lists) {
    if (std::find(lists_.begin(), lists_.end(), list) == lists_.end()) {
      lists_.push_back(std::move(list));
    }
  }
}

void TrustStoreImpl::finish() {
  entries_.clear();
  for (const auto& anchor : anchors_) {
    entries_.push_back(TrustEntry{anchor.summary(), anchor.is_self_signed(), anchor.is_ca()});
  }
  // How many chains are remembered changes no verdict, and is left out.
  SHA256_CTX hash;
  SHA256_Init(&hash);
  hash_number(hash, limits_.max_entries);
  hash_number(hash, limits_.max_ca_depth);
  hash_items(hash, anchors_);
  hash_items(hash, lists_);
  SHA256_Final(digest_.data(), &hash);
}

const pki::Certificate* TrustStoreImpl::find(const pki::Certificate& certificate) const noexcept {
  const auto at = std::find(anchors_.begin(), anchors_.end(), certificate);
  return at == anchors_.end() ? nullptr : &*at;
}

}  // namespace siptls
