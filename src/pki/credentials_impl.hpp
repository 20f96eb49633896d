// What Credentials hold; for src/pki and src/tls.
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
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
  static std::shared_ptr<CredentialsImpl> copy(const Credentials& credentials);

  // Makers of Credentials that are not shared yet.
  void set_external_key(std::string key_id) { external_key_ = std::move(key_id); }
  void set_ocsp_response(std::span<const std::uint8_t> der) {
    ocsp_response_.assign(der.begin(), der.end());
  }
  void add_warning(Error warning) { warnings_.push_back(std::move(warning)); }

  // For BoringSSL, which counts references to both; as SSL_CTX_set_chain_and_key wants them. The
  // key is null where it is held elsewhere; both are null and empty for moved-from Credentials.
  EVP_PKEY* key() const noexcept { return key_.get(); }
  std::span<CRYPTO_BUFFER* const> chain() const noexcept { return buffers_; }

  std::span<const pki::Certificate> certificates() const noexcept { return chain_; }
  std::span<const CertificateSummary> summaries() const noexcept { return summaries_; }
  std::span<const Identity> identities() const noexcept { return identities_; }
  // The name of a key that is held elsewhere.
  const std::optional<std::string>& external_key() const noexcept { return external_key_; }
  // As given; empty for none.
  std::span<const std::uint8_t> ocsp_response() const noexcept { return ocsp_response_; }
  std::span<const Error> warnings() const noexcept { return warnings_; }

 private:
  CredentialsImpl(const CredentialsImpl& other);

  bssl::UniquePtr<EVP_PKEY> key_;
  std::vector<pki::Certificate> chain_;  // leaf first
  std::vector<CRYPTO_BUFFER*> buffers_;  // owned by chain_
  std::vector<CertificateSummary> summaries_;
  std::vector<Identity> identities_;
  std::optional<std::string> external_key_;
  std::vector<std::uint8_t> ocsp_response_;
  std::vector<Error> warnings_;
};

}  // namespace siptls
