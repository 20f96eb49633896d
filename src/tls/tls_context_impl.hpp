// What a TlsContext holds; for src/tls.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>

#include "pki/boringssl_compat.hpp"
#include "siptls/tls_context.hpp"
#include "tls/incompatibility.hpp"

namespace siptls {

// Immutable once a TlsContext holds it. One SSL_CTX serves both roles.
class TlsContextImpl {
 public:
  using CertificateKey = tls::CertificateKey;

  // Lives as long as `context` or a copy of it.
  static const TlsContextImpl& of(const TlsContext& context) noexcept { return *context.impl_; }
  static Result<TlsContext> create(TlsContextConfig config);

  SSL_CTX* ssl_context() const noexcept { return ssl_context_.get(); }
  const TlsContextConfig& config() const noexcept { return config_; }
  CertificateKey certificate_key() const noexcept { return certificate_key_; }
  std::uint64_t id() const noexcept { return id_; }

 private:
  TlsContextImpl(TlsContextConfig config, std::uint64_t id) noexcept
      : config_(std::move(config)), id_(id) {}

  Result<void> build();
  Result<void> set_versions();
  Result<void> set_suites();
  Result<void> set_groups();
  Result<void> set_signature_schemes();
  Result<void> set_credentials();
  Result<void> set_application_protocol();
  void set_callbacks();

  TlsContextConfig config_;
  bssl::UniquePtr<SSL_CTX> ssl_context_;
  CertificateKey certificate_key_ = CertificateKey::none;
  std::uint64_t id_;
};

namespace tls {

// "sip/2" as a list of ALPN names: each has its length before it (RFC 7301 section 3.1).
inline constexpr std::uint8_t kSipProtocol[] = {5, 's', 'i', 'p', '/', '2'};

}  // namespace tls
}  // namespace siptls
