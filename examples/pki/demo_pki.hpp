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

enum class KeyType { p256, p384, p521, rsa2048, rsa1024, ed25519, rsa3072 };
// sha256_pss is RSASSA-PSS; all others are PKCS #1 where the key is RSA.
enum class Digest { sha256, sha384, sha512, sha256_pss, sha1, md5 };

// What is in a certificate. Everything is written as given, sensible or not.
struct CertificateSpec {
  std::string common_name;
  std::vector<std::string> dns_names;     // subjectAltName dNSName
  std::vector<std::string> uris;          // uniformResourceIdentifier
  std::vector<std::string> ip_addresses;  // as text
  std::vector<std::string> emails;
  std::vector<std::string> directory_names;  // common names
  std::vector<std::string> registered_ids;   // OIDs in dotted form
  std::vector<std::string> other_names;      // UTF8String values under an example type
  std::string more_names;                    // encoded GeneralNames, as they are
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
      permitted_emails, excluded_emails, permitted_directories, excluded_directories, permitted_ips,
      excluded_ips;  // nameConstraints; addresses as "192.0.2.0/255.255.255.0"
  bool unknown_critical_extension = false;
  bool corrupt_signature = false;
  Digest digest = Digest::sha256;
};

// What is in a CRL beside the serial numbers.
struct CrlSpec {
  Time this_update;
  Time next_update;
  bool without_next_update = false;
  bool corrupt_signature = false;
  bool delta = false;              // deltaCRLIndicator
  bool indirect = false;           // issuingDistributionPoint with indirectCRL
  bool only_some_reasons = false;  // issuingDistributionPoint with onlySomeReasons
  Digest digest = Digest::sha256;
};

struct OcspAnswer;
struct OcspSpec;

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

  // An OCSP response with this entity, an issuer or somebody whom it lets sign, as responder.
  std::string ocsp_response_der(const std::vector<OcspAnswer>& answers, const OcspSpec& spec) const;

 private:
  explicit Entity(std::shared_ptr<const Parts> parts);
  std::shared_ptr<const Parts> parts_;
};

// What a response says about one certificate.
struct OcspAnswer {
  enum class Status { good, revoked, unknown };

  Entity certificate;
  Time this_update;
  std::optional<Time> next_update = std::nullopt;  // none: left out
  Status status = Status::good;
  Time revoked_at = Time(std::chrono::seconds(1735689600));  // 2025-01-01
  std::optional<int> reason = std::nullopt;                  // CRLReason

  Digest id_digest = Digest::sha1;              // of the CertID
  std::optional<Entity> issuer = std::nullopt;  // in the CertID; none: the certificate's own
  bool wrong_serial = false;
  bool wrong_issuer_name = false;
  std::string next_update_text{};  // nextUpdate as it is, instead of the time above
  bool unknown_critical_extension = false;
};

// What is in an OCSP response beside them.
struct OcspSpec {
  Time produced_at;
  std::string produced_at_text{};                      // as it is, instead of the time above
  int response_status = 0;                             // successful; with any other nothing follows
  std::string response_type = "1.3.6.1.5.5.7.48.1.1";  // id-pkix-ocsp-basic
  std::optional<int> version;                          // none: left out, as v1 is
  bool by_key = false;                                 // responderID; else by name
  std::optional<Entity> claimed_responder;             // in responderID; none: the signer
  std::vector<Entity> certificates;                    // in certs
  bool nonce = false;
  bool unknown_critical_extension = false;
  bool corrupt_signature = false;
  Digest digest = Digest::sha256;
  std::string trailing;  // octets behind the end
};

// Shapes that most tests want.
CertificateSpec ca_spec(std::string_view common_name);
// A leaf for both roles: SAN URI sip:<identity> and DNS <identity>, EKU serverAuth and clientAuth.
CertificateSpec sip_spec(std::string_view identity);

// Somebody whom a CA lets sign its OCSP responses (RFC 6960 section 4.2.2.2).
CertificateSpec ocsp_responder_spec(std::string_view common_name);

// A root, `intermediates` CAs below it, and a leaf for `identity`.
struct Hierarchy {
  Entity root;
  std::vector<Entity> intermediates;
  Entity leaf;
};
Hierarchy make_hierarchy(std::string_view identity, int intermediates = 1,
                         KeyType key = KeyType::p256);

}  // namespace demo_pki
