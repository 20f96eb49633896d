// A small certificate maker for demonstrations and tests. It makes good certificates and, because
// tests need them, every kind of bad one. Nothing here is for production: keys are not protected.
//
// Failures (out of memory, a specification that makes no sense) throw std::runtime_error.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace demo_pki {

using Time = std::chrono::system_clock::time_point;

enum class KeyType { p256, p384, p521, rsa2048, rsa1024, ed25519 };
enum class Digest { sha256, sha1, md5 };

// What is in a certificate. Everything is written as given, sensible or not.
struct CertificateSpec {
  std::string common_name;
  std::vector<std::string> dns_names;     // subjectAltName dNSName
  std::vector<std::string> uris;          // uniformResourceIdentifier
  std::vector<std::string> ip_addresses;  // as text
  std::vector<std::string> emails;
  bool subject_alt_name_critical = false;

  Time not_before = Time(std::chrono::seconds(1704067200));  // 2024-01-01
  Time not_after = Time(std::chrono::seconds(4102444800));   // 2100-01-01

  bool with_basic_constraints = true;
  bool ca = false;
  std::optional<int> path_length;
  // keyUsage bits by name: digitalSignature, keyCertSign, cRLSign, keyEncipherment, ...
  std::vector<std::string> key_usage;           // empty: no extension
  std::vector<std::string> extended_key_usage;  // OIDs in dotted form; empty: no extension
  std::vector<std::string> permitted_dns, excluded_dns, permitted_uris, excluded_uris,
      permitted_emails;  // nameConstraints
  bool unknown_critical_extension = false;
  Digest digest = Digest::sha256;
};

// What is in a CRL beside the serial numbers.
struct CrlSpec {
  Time this_update;
  Time next_update;
  bool delta = false;              // deltaCRLIndicator
  bool indirect = false;           // issuingDistributionPoint with indirectCRL
  bool only_some_reasons = false;  // issuingDistributionPoint with onlySomeReasons
  Digest digest = Digest::sha256;
};

// A key and a certificate for it, with the issuers above it.
class Entity {
 public:
  struct Parts;

  // Self-signed.
  static Entity self_signed(const CertificateSpec& spec, KeyType key = KeyType::p256);
  // Signed by `issuer`.
  static Entity issued_by(const Entity& issuer, const CertificateSpec& spec,
                          KeyType key = KeyType::p256);

  std::string private_key_pem() const;                                         // PKCS#8
  std::string encrypted_private_key_pem(const std::string& passphrase) const;  // PBES2
  std::string sec1_private_key_pem() const;   // "EC PRIVATE KEY"; EC keys only
  std::string pkcs1_private_key_pem() const;  // "RSA PRIVATE KEY"; RSA keys only
  std::string public_key_pem() const;         // "PUBLIC KEY"
  std::string certificate_pem() const;
  std::string certificate_der() const;  // octets
  // This certificate and its issuers, without the self-signed one at the end (unless it is alone).
  std::string chain_pem() const;
  std::vector<std::string> chain_der() const;
  // The self-signed certificate at the end.
  const Entity root() const;

  // A CRL by this entity as issuer, listing `revoked`.
  std::string crl_pem(const std::vector<Entity>& revoked, Time this_update, Time next_update) const;
  std::string crl_pem(const std::vector<Entity>& revoked, const CrlSpec& spec) const;

 private:
  explicit Entity(std::shared_ptr<const Parts> parts);
  std::shared_ptr<const Parts> parts_;
};

// Shapes that most tests want.
CertificateSpec ca_spec(std::string_view common_name);
// A leaf for both roles: SAN URI sip:<identity> and DNS <identity>, EKU serverAuth and clientAuth.
CertificateSpec sip_spec(std::string_view identity);

// A root, `intermediates` CAs below it, and a leaf for `identity`.
struct Hierarchy {
  Entity root;
  std::vector<Entity> intermediates;
  Entity leaf;
};
Hierarchy make_hierarchy(std::string_view identity, int intermediates = 1,
                         KeyType key = KeyType::p256);

}  // namespace demo_pki
