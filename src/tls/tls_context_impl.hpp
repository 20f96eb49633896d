// What a TlsContext holds; for src/tls.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pki/boringssl_compat.hpp"
#include "siptls/tls_context.hpp"
#include "tls/incompatibility.hpp"
#include "tls/session_memory.hpp"
#include "tls/staple.hpp"

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
  std::uint64_t id() const noexcept { return id_; }

  // One of several credentials of a server; index 0 is TlsContextConfig::credentials.
  struct Shown {
    Credentials credentials;
    CertificateKey key;
    std::uint16_t curve;  // of an ECDSA key, as the code of the group; 0 for others
    std::unique_ptr<tls::Staple> staple;
  };
  // Which of them has this name; none if none has. Each is asked in turn.
  std::optional<std::size_t> find_by_name(std::string_view server_name) const;
  const Shown& shown(std::size_t index) const noexcept { return shown_[index]; }
  std::string all_names() const;  // for evidence
  std::size_t shown_count() const noexcept { return shown_.size(); }
  CertificateKey certificate_key(std::size_t index = 0) const noexcept {
    return index < shown_.size() ? shown_[index].key : CertificateKey::none;
  }

  // What a server asks of its clients: who lets in those on a list only lets in nobody unproven.
  ClientCertificate asks_of_clients() const noexcept {
    return config_.allowed_peers.empty() ? config_.policy.client_certificate
                                         : ClientCertificate::required;
  }
  bool resumes() const noexcept { return config_.policy.resumption == Resumption::tickets; }
  TicketKeyRing& ticket_keys() const noexcept { return *config_.ticket_keys; }
  tls::SessionMemory& session_memory() const noexcept { return *session_memory_; }
  // Equal for contexts that judge clients alike and show the same certificate to who asks for that
  // name (empty: for none).
  std::array<std::uint8_t, 32> resumption_context(std::string_view scope,
                                                  std::string_view server_name,
                                                  std::size_t shown) const;

  Result<void> valid_at(const Now& now) const;
  std::vector<Error> warnings(const Now& now) const;

 private:
  TlsContextImpl(TlsContextConfig config, std::uint64_t id) noexcept
      : config_(std::move(config)), id_(id) {}

  Result<void> build();
  Result<void> set_versions();
  Result<void> set_suites();
  Result<void> set_groups();
  Result<void> set_signature_schemes();
  Result<void> add_credentials(const Credentials& credentials);
  Result<void> check_allowed_peers() const;
  Result<void> check_choice(const Credentials& credentials) const;
  Result<void> set_credentials();
  Result<void> set_resumption();
  Result<void> set_application_protocol();
  void set_callbacks();

  TlsContextConfig config_;
  bssl::UniquePtr<SSL_CTX> ssl_context_;
  std::vector<Shown> shown_;
  std::unique_ptr<tls::SessionMemory> session_memory_;
  std::uint64_t id_;
};

namespace tls {

// "sip/2" as a list of ALPN names: each has its length before it (RFC 7301 section 3.1).
inline constexpr std::uint8_t kSipProtocol[] = {5, 's', 'i', 'p', '/', '2'};

}  // namespace tls
}  // namespace siptls
