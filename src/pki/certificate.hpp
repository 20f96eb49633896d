// Certificates and CRLs as values: parsed once, shared by copies.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "pki/boringssl_compat.hpp"
#include "pki/crl_scope.hpp"
#include "siptls/peer_info.hpp"
#include "siptls/result.hpp"

namespace siptls::pki {

using Fingerprint = std::array<std::uint8_t, 32>;  // SHA-256 of the DER

// The same octets? Spans of the same memory are not compared.
bool equal_octets(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) noexcept;

// What is known about the strength of a public key.
struct KeyStrength {
  std::string description;  // "P-256", "RSA 2048", "Ed25519"
  bool usable = false;      // a kind that siptls and BoringSSL can use
  bool weak = false;        // RSA below 2,048 bits, curves below 224 (RFC 9325 section 4.5)
};
KeyStrength strength_of(const EVP_PKEY* key);

// The digest of a signature, as far as it matters here.
struct SignatureDigest {
  std::string_view name;  // "MD5", "SHA-1"; empty for every digest that is good enough
  bool weak() const noexcept { return !name.empty(); }
};

// Exactly one DER certificate. Copies share it.
class Certificate {
 public:
  // Without a reason of its own (the caller knows whose certificate it is): none if `buffer` is no
  // certificate, or one with octets behind it.
  static std::optional<Certificate> parse(CRYPTO_BUFFER* buffer);
  static std::optional<Certificate> parse(std::span<const std::uint8_t> der);

  X509* x509() const noexcept { return parts_->x509.get(); }
  CRYPTO_BUFFER* buffer() const noexcept { return parts_->buffer.get(); }
  std::span<const std::uint8_t> der() const noexcept;
  std::span<const std::uint8_t> subject_der() const noexcept;
  // Computed at each call; summaries and evidence need them, the judgement of a good path does not.
  Fingerprint fingerprint() const;
  std::string subject() const;
  std::string issuer() const;
  WallTime not_before() const noexcept { return parts_->not_before; }
  WallTime not_after() const noexcept { return parts_->not_after; }
  const KeyStrength& key() const noexcept { return parts_->key; }

  bool is_ca() const;           // basicConstraints with cA TRUE
  bool is_self_issued() const;  // subject equals issuer
  bool is_self_signed() const;  // and the key identifiers, where there are any, agree
  SignatureDigest signature_digest() const;
  const CertificateSummary& summary() const;  // made once

  // Octet by octet.
  friend bool operator==(const Certificate& a, const Certificate& b) noexcept {
    return a.parts_ == b.parts_ || equal_octets(a.der(), b.der());
  }

 private:
  struct Parts {
    bssl::UniquePtr<CRYPTO_BUFFER> buffer;
    bssl::UniquePtr<X509> x509;
    WallTime not_before;
    WallTime not_after;
    KeyStrength key;
    mutable std::once_flag summarised;
    mutable CertificateSummary summary;
  };
  explicit Certificate(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<const Parts> parts_;
};

// Exactly one DER CRL.
class RevocationList {
 public:
  static std::optional<RevocationList> parse(std::span<const std::uint8_t> der);

  X509_CRL* crl() const noexcept { return parts_->crl.get(); }
  const Fingerprint& fingerprint() const noexcept { return parts_->fingerprint; }
  WallTime this_update() const noexcept { return parts_->this_update; }
  std::optional<WallTime> next_update() const noexcept { return parts_->next_update; }
  std::string issuer() const;
  SignatureDigest signature_digest() const;
  // Why this is no complete and direct CRL; empty if it is one.
  const std::string& unsupported() const noexcept { return parts_->unsupported; }
  // Does it speak for this certificate of its issuer?
  bool covers(const Certificate& certificate) const {
    return !parts_->scope || parts_->scope->covers(certificate.x509());
  }

  friend bool operator==(const RevocationList& a, const RevocationList& b) noexcept {
    return a.fingerprint() == b.fingerprint();
  }

 private:
  struct Parts {
    bssl::UniquePtr<X509_CRL> crl;
    Fingerprint fingerprint{};
    WallTime this_update;
    std::optional<WallTime> next_update;
    std::optional<CrlScope> scope;
    std::string unsupported;
  };
  explicit RevocationList(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<const Parts> parts_;
};

Fingerprint fingerprint_of(std::span<const std::uint8_t> octets);
// In the order and spelling of RFC 4514, ASCII only.
std::string name_text(const X509_NAME* name);
// None for text that is no time. Times that no WallTime can hold become its last or first one.
std::optional<WallTime> to_wall_time(const ASN1_TIME* time);
// Octets of a foreign name for evidence: printable ASCII as it is, the rest as \xx.
std::string printable(std::string_view octets);

}  // namespace siptls::pki
