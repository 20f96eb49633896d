#include "pki/certificate.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include <limits>
#include <utility>

namespace siptls::pki {
namespace {

std::string bio_text(BIO* bio) {
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
  if (!BIO_mem_contents(bio, &data, &size)) return {};
  return std::string(reinterpret_cast<const char*>(data), size);
}

struct FreeText {
  void operator()(char* text) const { OPENSSL_free(text); }
};

std::string serial_text(const ASN1_INTEGER* serial) {
  const bssl::UniquePtr<BIGNUM> number(ASN1_INTEGER_to_BN(serial, nullptr));
  if (!number) return {};
  const std::unique_ptr<char, FreeText> digits(BN_bn2hex(number.get()));
  if (!digits) return {};
  std::string text(digits.get());
  for (char& c : text) {
    if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

KeyStrength ec_strength(const EC_KEY* key) {
  const EC_GROUP* const group = key != nullptr ? EC_KEY_get0_group(key) : nullptr;
  if (group == nullptr) return {"EC", false, false};
  const unsigned bits = EC_GROUP_get_degree(group);
  switch (EC_GROUP_get_curve_name(group)) {
    case NID_X9_62_prime256v1:
      return {"P-256", true, false};
    case NID_secp384r1:
      return {"P-384", true, false};
    case NID_secp521r1:
      return {"P-521", true, false};
    default:
      return {fmt::format("EC {}", bits), false, bits < 224};
  }
}

SignatureDigest digest_of_nid(int nid) {
  switch (nid) {
    case NID_md2WithRSAEncryption:
      return {"MD2"};
    case NID_md4WithRSAEncryption:
      return {"MD4"};
    case NID_md5:
    case NID_md5WithRSA:
    case NID_md5WithRSAEncryption:
      return {"MD5"};
    case NID_sha1:
    case NID_sha1WithRSA:
    case NID_sha1WithRSAEncryption:
    case NID_dsaWithSHA1:
    case NID_dsaWithSHA1_2:
    case NID_ecdsa_with_SHA1:
      return {"SHA-1"};
    default:
      return {};
  }
}

// RSASSA-PSS names its digest in its parameters; the one that it has without any is SHA-1
// (RFC 4055 section 3.1).
SignatureDigest digest_of_pss(const X509_ALGOR* algorithm) {
  int type = 0;
  const void* value = nullptr;
  X509_ALGOR_get0(nullptr, &type, &value, algorithm);
  if (type != V_ASN1_SEQUENCE || value == nullptr) return {"SHA-1"};
  const auto* const text = static_cast<const ASN1_STRING*>(value);
  CBS all, parameters, wrapped, hash, oid;
  CBS_init(&all, ASN1_STRING_get0_data(text), static_cast<std::size_t>(ASN1_STRING_length(text)));
  int present = 0;
  if (!CBS_get_asn1(&all, &parameters, CBS_ASN1_SEQUENCE) ||
      !CBS_get_optional_asn1(&parameters, &wrapped, &present,
                             CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0) ||
      present == 0 || !CBS_get_asn1(&wrapped, &hash, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&hash, &oid, CBS_ASN1_OBJECT)) {
    return {"SHA-1"};
  }
  return digest_of_nid(OBJ_cbs2nid(&oid));
}

SignatureDigest digest_of(const X509_ALGOR* algorithm) {
  if (algorithm == nullptr) return {};
  const ASN1_OBJECT* oid = nullptr;
  X509_ALGOR_get0(&oid, nullptr, nullptr, algorithm);
  const int nid = OBJ_obj2nid(oid);
  return nid == NID_rsassaPss ? digest_of_pss(algorithm) : digest_of_nid(nid);
}

// A CRL that leaves certificates or reasons out must not be taken for the whole truth: deltas, and
// every restriction of scope in issuingDistributionPoint (RFC 5280 sections 5.2.4 and 5.2.5).
std::string unsupported_features(X509_CRL* crl) {
  if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0) return "is a delta CRL";
  if (X509_CRL_get_ext_by_NID(crl, NID_issuing_distribution_point, -1) >= 0) {
    return "is indirect or restricted by an issuingDistributionPoint";
  }
  // The two others that RFC 5280 defines for CRLs are never critical (sections 5.2.1 and 5.2.3).
  if (X509_CRL_get_ext_by_critical(crl, 1, -1) >= 0) {
    return "has a critical extension that is not known here";
  }
  const STACK_OF(X509_REVOKED)* const entries = X509_CRL_get_REVOKED(crl);
  const std::size_t count = entries != nullptr ? sk_X509_REVOKED_num(entries) : 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (X509_REVOKED_get_ext_by_critical(sk_X509_REVOKED_value(entries, i), 1, -1) >= 0) {
      return "has entries with a critical extension";
    }
  }
  return {};
}

}  // namespace

KeyStrength strength_of(const EVP_PKEY* key) {
  if (key == nullptr) return {"a kind that BoringSSL cannot read", false, false};
  switch (EVP_PKEY_id(key)) {
    case EVP_PKEY_EC:
      return ec_strength(EVP_PKEY_get0_EC_KEY(key));
    case EVP_PKEY_ED25519:
      return {"Ed25519", true, false};
    case EVP_PKEY_RSA: {
      const int bits = EVP_PKEY_bits(key);
      return {fmt::format("RSA {}", bits), true, bits < 2048};
    }
    default: {
      const char* const name = OBJ_nid2sn(EVP_PKEY_id(key));
      return {name != nullptr ? name : "unknown", false, false};
    }
  }
}

Fingerprint fingerprint_of(std::span<const std::uint8_t> octets) {
  Fingerprint out{};
  SHA256(octets.data(), octets.size(), out.data());
  return out;
}

std::string name_text(const X509_NAME* name) {
  const bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  // This form escapes what is not ASCII, so the text can go into any log as it is.
  if (!bio || X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  return bio_text(bio.get());
}

std::optional<WallTime> to_wall_time(const ASN1_TIME* time) {
  const bssl::UniquePtr<ASN1_TIME> epoch(ASN1_TIME_set(nullptr, 0));
  int days = 0;
  int seconds = 0;
  if (time == nullptr || !epoch || !ASN1_TIME_diff(&days, &seconds, epoch.get(), time)) {
    return std::nullopt;
  }
  const auto since_epoch = std::chrono::seconds(std::int64_t{days} * 86400 + seconds);
  if (since_epoch >= std::chrono::floor<std::chrono::seconds>(WallTime::max().time_since_epoch())) {
    return WallTime::max();
  }
  if (since_epoch <= std::chrono::ceil<std::chrono::seconds>(WallTime::min().time_since_epoch())) {
    return WallTime::min();
  }
  return WallTime(since_epoch);
}

std::string printable(std::string_view octets) {
  std::string out;
  for (const char c : octets) {
    if (c >= ' ' && c < 0x7f && c != '\\') {
      out += c;
    } else {
      out += fmt::format("\\{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::optional<Certificate> Certificate::parse(CRYPTO_BUFFER* buffer) {
  const ErrorQueueScope errors;
  auto parts = std::make_shared<Parts>();
  parts->x509.reset(X509_parse_from_buffer(buffer));
  if (!parts->x509) return std::nullopt;
  CRYPTO_BUFFER_up_ref(buffer);
  parts->buffer.reset(buffer);
  parts->fingerprint = fingerprint_of({CRYPTO_BUFFER_data(buffer), CRYPTO_BUFFER_len(buffer)});
  parts->subject = name_text(X509_get_subject_name(parts->x509.get()));
  const auto not_before = to_wall_time(X509_get0_notBefore(parts->x509.get()));
  const auto not_after = to_wall_time(X509_get0_notAfter(parts->x509.get()));
  if (!not_before || !not_after) return std::nullopt;
  parts->not_before = *not_before;
  parts->not_after = *not_after;
  parts->key = strength_of(public_key(parts->x509.get()).get());
  return Certificate(std::move(parts));
}

std::optional<Certificate> Certificate::parse(std::span<const std::uint8_t> der) {
  const ErrorQueueScope errors;
  const bssl::UniquePtr<CRYPTO_BUFFER> buffer(CRYPTO_BUFFER_new(der.data(), der.size(), nullptr));
  if (!buffer) return std::nullopt;
  return parse(buffer.get());
}

std::span<const std::uint8_t> Certificate::der() const noexcept {
  return {CRYPTO_BUFFER_data(buffer()), CRYPTO_BUFFER_len(buffer())};
}

std::span<const std::uint8_t> Certificate::subject_der() const noexcept {
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
  if (!X509_NAME_get0_der(X509_get_subject_name(x509()), &data, &size)) return {};
  return {data, size};
}

std::string Certificate::issuer() const { return name_text(X509_get_issuer_name(x509())); }

bool Certificate::is_ca() const { return (X509_get_extension_flags(x509()) & EXFLAG_CA) != 0; }

bool Certificate::is_self_issued() const {
  return X509_NAME_cmp(X509_get_subject_name(x509()), X509_get_issuer_name(x509())) == 0;
}

bool Certificate::is_self_signed() const {
  return (X509_get_extension_flags(x509()) & EXFLAG_SS) != 0;
}

SignatureDigest Certificate::signature_digest() const {
  const X509_ALGOR* algorithm = nullptr;
  X509_get0_signature(nullptr, &algorithm, x509());
  return digest_of(algorithm);
}

CertificateSummary Certificate::summary() const {
  CertificateSummary out;
  out.subject = subject();
  out.issuer = issuer();
  out.serial = serial_text(X509_get0_serialNumber(x509()));
  out.not_before = not_before();
  out.not_after = not_after();
  out.key = key().description;
  out.sha256 = fingerprint();
  return out;
}

std::optional<RevocationList> RevocationList::parse(std::span<const std::uint8_t> der) {
  const ErrorQueueScope errors;
  if (der.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return std::nullopt;
  auto parts = std::make_shared<Parts>();
  const std::uint8_t* at = der.data();
  parts->crl.reset(d2i_X509_CRL(nullptr, &at, static_cast<long>(der.size())));
  if (!parts->crl || at != der.data() + der.size()) return std::nullopt;
  parts->fingerprint = fingerprint_of(der);
  const auto this_update = to_wall_time(X509_CRL_get0_lastUpdate(parts->crl.get()));
  if (!this_update) return std::nullopt;
  parts->this_update = *this_update;
  if (const ASN1_TIME* const next = X509_CRL_get0_nextUpdate(parts->crl.get()); next != nullptr) {
    parts->next_update = to_wall_time(next);
    if (!parts->next_update) return std::nullopt;
  }
  parts->unsupported = unsupported_features(parts->crl.get());
  return RevocationList(std::move(parts));
}

std::string RevocationList::issuer() const { return name_text(X509_CRL_get_issuer(crl())); }

SignatureDigest RevocationList::signature_digest() const {
  const X509_ALGOR* algorithm = nullptr;
  X509_CRL_get0_signature(crl(), nullptr, &algorithm);
  return digest_of(algorithm);
}

}  // namespace siptls::pki
