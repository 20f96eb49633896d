// What Credentials hold; for src/pki and src/tls.
#pragma once

#include <openssl/evp.h>

#include <span>
#include <vector>

#include "pki/boringssl_compat.hpp"
#include "pki/certificate.hpp"
#include "siptls/credentials.hpp"

namespace siptls {

class CredentialsImpl {
 public:
  // Lives as long as `credentials` or a copy of it.
  static const CredentialsImpl& of(const Credentials& credentials) noexcept;

  CredentialsImpl(bssl::UniquePtr<EVP_PKEY> key, std::vector<pki::Certificate> chain,
                  std::vector<Identity> identities);
  static Credentials wrap(std::shared_ptr<const CredentialsImpl> impl);

  // For BoringSSL, which counts references to both; as SSL_CTX_set_chain_and_key wants them. Null
  // and empty for moved-from Credentials.
  EVP_PKEY* key() const noexcept { return key_.get(); }
  std::span<CRYPTO_BUFFER* const> chain() const noexcept { return buffers_; }

  std::span<const pki::Certificate> certificates() const noexcept { return chain_; }
  std::span<const CertificateSummary> summaries() const noexcept { return summaries_; }
  std::span<const Identity> identities() const noexcept { return identities_; }

 private:
  bssl::UniquePtr<EVP_PKEY> key_;
  std::vector<pki::Certificate> chain_;  // leaf first
  std::vector<CRYPTO_BUFFER*> buffers_;  // owned by chain_
  std::vector<CertificateSummary> summaries_;
  std::vector<Identity> identities_;
};

}  // namespace siptls
