#include "siptls/trust_store.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/os/file.hpp"
#include "pki/chain_verifier.hpp"
#include "pki/guarded.hpp"
#include "pki/library_check.hpp"
#include "pki/loading.hpp"
#include "pki/pem.hpp"
#include "pki/trust_store_impl.hpp"

namespace siptls {
namespace {

// Files of a folder beyond this number are a mistake, not a list of 16 certificates.
constexpr std::size_t kMaxFolderEntries = 4096;

std::shared_ptr<TrustStoreImpl> empty(TrustLimits limits) {
  return std::make_shared<TrustStoreImpl>(limits);
}

// `base` with what was read.
Result<TrustStore> extended(std::shared_ptr<TrustStoreImpl> base,
                            Result<std::vector<pki::Certificate>> certificates) {
  if (!certificates) return Unexpected(std::move(certificates).error());
  if (auto added = base->add(std::move(*certificates)); !added) {
    return Unexpected(std::move(added).error());
  }
  return TrustStoreImpl::wrap(std::move(base));
}

// Runs `make` in a process where BoringSSL is BoringSSL, and turns failed allocations into errors.
template <typename F>
auto checked(F&& make) -> decltype(make()) {
  if (auto library = pki::check_crypto_library(); !library) {
    return Unexpected(std::move(library).error());
  }
  return pki::guarded(std::forward<F>(make));
}

bool has_certificate_suffix(const std::string& path) {
  return path.ends_with(".pem") || path.ends_with(".crt") || path.ends_with(".cer");
}

// A .crt or .cer file may be PEM or DER.
Result<std::vector<pki::Certificate>> read_folder_file(const std::string& path) {
  auto text = os::read_file(path, pki::kMaxFileOctets);
  if (!text) return Unexpected(std::move(text).error());
  const bool der = !path.ends_with(".pem") && text->starts_with('\x30') &&
                   text->find("-----BEGIN") == std::string::npos;
  auto certificates = der ? pki::read_der_certificate(pki::as_octets(std::string_view(*text)))
                          : pki::read_certificates(*text);
  if (!certificates) return Unexpected(pki::in_file(path, certificates.error()));
  return certificates;
}

Result<TrustStore> read_folder(const std::string& path, TrustLimits limits) {
  auto files = os::list_folder(path, kMaxFolderEntries);
  if (!files) return Unexpected(std::move(files).error());
  auto impl = empty(limits);
  for (const auto& file : *files) {
    if (!has_certificate_suffix(file)) continue;
    auto certificates = read_folder_file(file);
    if (!certificates) return Unexpected(std::move(certificates).error());
    if (auto added = impl->add(std::move(*certificates)); !added) {
      return Unexpected(pki::in_file(file, added.error()));
    }
  }
  if (impl->anchors().empty()) {
    return Unexpected(Errc::trust_store_empty,
                      fmt::format("{}: no file in it ends in .pem, .crt or .cer", path));
  }
  return TrustStoreImpl::wrap(std::move(impl));
}

}  // namespace

TrustStore::TrustStore(TrustLimits limits) {
  auto impl = empty(limits);
  impl->finish();
  impl_ = std::move(impl);
}

TrustStore::TrustStore(std::shared_ptr<const TrustStoreImpl> impl) : impl_(std::move(impl)) {}

Result<TrustStore> TrustStore::from_pem(std::string_view pem, TrustLimits limits) {
  return checked([&] { return extended(empty(limits), pki::read_certificates(pem)); });
}

Result<TrustStore> TrustStore::from_pem_file(const std::string& path, TrustLimits limits) {
  return checked([&]() -> Result<TrustStore> {
    const auto text = os::read_file(path, pki::kMaxFileOctets);
    if (!text) return Unexpected(text.error());
    auto store = extended(empty(limits), pki::read_certificates(*text));
    if (!store) return Unexpected(pki::in_file(path, store.error()));
    return store;
  });
}

Result<TrustStore> TrustStore::from_folder(const std::string& path, TrustLimits limits) {
  return checked([&] { return read_folder(path, limits); });
}

Result<TrustStore> TrustStore::from_der(std::span<const std::byte> certificate,
                                        TrustLimits limits) {
  return checked([&] {
    return extended(empty(limits), pki::read_der_certificate(pki::as_octets(certificate)));
  });
}

Result<TrustStore> TrustStore::with_pem(std::string_view pem) const {
  return checked([&] {
    return extended(std::make_shared<TrustStoreImpl>(TrustStoreImpl::of(*this)),
                    pki::read_certificates(pem));
  });
}

Result<TrustStore> TrustStore::with_der(std::span<const std::byte> certificate) const {
  return checked([&] {
    return extended(std::make_shared<TrustStoreImpl>(TrustStoreImpl::of(*this)),
                    pki::read_der_certificate(pki::as_octets(certificate)));
  });
}

Result<TrustStore> TrustStore::with_crls(std::string_view pem) const {
  return checked([&]() -> Result<TrustStore> {
    auto lists = pki::read_revocation_lists(pem);
    if (!lists) return Unexpected(std::move(lists).error());
    auto impl = std::make_shared<TrustStoreImpl>(TrustStoreImpl::of(*this));
    impl->add(std::move(*lists));
    return TrustStoreImpl::wrap(std::move(impl));
  });
}

std::span<const TrustEntry> TrustStore::entries() const noexcept {
  return TrustStoreImpl::of(*this).entries();
}

std::vector<TrustEntry> TrustStore::expiring(WallTime now, std::chrono::seconds within) const {
  // Compared by differences, which no time and no span can make overflow.
  std::vector<TrustEntry> out;
  const auto at = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch();
  for (const auto& entry : entries()) {
    const auto end = std::chrono::floor<std::chrono::seconds>(entry.certificate.not_after);
    if (end.time_since_epoch() - at < within) out.push_back(entry);
  }
  return out;
}

ChainMemory TrustStore::chain_memory() const noexcept {
  return TrustStoreImpl::of(*this).memory().counters();
}

const TrustLimits& TrustStore::limits() const noexcept {
  return TrustStoreImpl::of(*this).limits();
}

const std::array<std::uint8_t, 32>& TrustStore::digest() const noexcept {
  return TrustStoreImpl::of(*this).digest();
}

Result<ProvenPath> TrustStore::verify(std::span<const std::span<const std::byte>> chain,
                                      const VerifyOptions& options) const {
  return checked([&]() -> Result<ProvenPath> {
    auto proven = pki::verify_chain(TrustStoreImpl::of(*this), pki::PresentedChain(chain), options);
    if (!proven) return Unexpected(std::move(proven).error());
    return ProvenPath(**proven);
  });
}

Result<ProvenPath> TrustStore::verify_pem(std::string_view chain,
                                          const VerifyOptions& options) const {
  return checked([&]() -> Result<ProvenPath> {
    const auto blocks = pki::read_pem_of_type(chain, "CERTIFICATE", "");
    if (!blocks) return Unexpected(blocks.error());
    std::vector<std::span<const std::byte>> der;
    for (const auto& block : *blocks) der.push_back(std::as_bytes(std::span(block.der)));
    return verify(der, options);
  });
}

}  // namespace siptls
