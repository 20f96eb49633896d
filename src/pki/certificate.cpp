#include "pki/certificate.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bytestring.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <utility>

namespace siptls::pki {
namespace {

using Octets = std::span<const std::uint8_t>;

std::string bio_text(BIO* bio) {
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
  if (!BIO_mem_contents(bio, &data, &size)) return {};
  return std::string(reinterpret_cast<const char*>(data), size);
}

std::string serial_text(const ASN1_INTEGER* serial) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  const Octets magnitude(ASN1_STRING_get0_data(serial),
                         static_cast<std::size_t>(ASN1_STRING_length(serial)));
  std::string text;
  text.reserve(2 * magnitude.size() + 1);
  if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER) text += '-';
  for (const std::uint8_t octet : magnitude) {
    if (octet == 0 && (text.empty() || text == "-")) continue;
    text += kDigits[octet >> 4];
    text += kDigits[octet & 0xf];
  }
  return text.empty() ? "0" : text;
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

// Signature algorithms whose names say that their digest is good enough, as OID contents: most
// certificates have one of them, and need no search through BoringSSL's table of names.
bool is_known_good(const ASN1_OBJECT* oid) {
  static constexpr std::array<std::uint8_t, 8> kEcdsaWithSha2{0x2a, 0x86, 0x48, 0xce,
                                                              0x3d, 0x04, 0x03, 0};
  static constexpr std::array<std::uint8_t, 9> kRsaWithSha2{0x2a, 0x86, 0x48, 0x86, 0xf7,
                                                            0x0d, 0x01, 0x01, 0};
  const Octets found(OBJ_get0_data(oid), OBJ_length(oid));
  const auto begins = [&](Octets prefix) {
    return found.size() == prefix.size() &&
           std::equal(prefix.begin(), prefix.end() - 1, found.begin());
  };
  // The last octet counts from SHA-256 to SHA-512 (RFC 5758 section 3.2, RFC 4055 section 5).
  if (begins(kEcdsaWithSha2)) return found.back() >= 2 && found.back() <= 4;
  return begins(kRsaWithSha2) && found.back() >= 11 && found.back() <= 13;
}

SignatureDigest digest_of(const X509_ALGOR* algorithm) {
  if (algorithm == nullptr) return {};
  const ASN1_OBJECT* oid = nullptr;
  X509_ALGOR_get0(&oid, nullptr, nullptr, algorithm);
  if (is_known_good(oid)) return {};
  const int nid = OBJ_obj2nid(oid);
  return nid == NID_rsassaPss ? digest_of_pss(algorithm) : digest_of_nid(nid);
}

// The short names of RFC 4514 section 3; null for every other attribute type.
const char* short_name(Octets oid) {
  if (oid.size() != 3 || oid[0] != 0x55 || oid[1] != 0x04) return nullptr;
  switch (oid[2]) {
    case 3:
      return "CN";
    case 6:
      return "C";
    case 7:
      return "L";
    case 8:
      return "ST";
    case 10:
      return "O";
    case 11:
      return "OU";
    default:
      return nullptr;
  }
}

// Letters, digits, and what needs no escape anywhere in a value.
bool is_plain_text(std::string_view value) {
  if (value.empty() || value.front() == ' ' || value.back() == ' ') return false;
  return std::all_of(value.begin(), value.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' ||
           c == '.' || c == '-' || c == '(' || c == ')' || c == '/' || c == '_' || c == ':';
  });
}

// The text of a name that has nothing special in it, without BoringSSL's printer, which costs as
// much as parsing a certificate. None for every other name.
std::optional<std::string> plain_name_text(const X509_NAME* name) {
  std::string out;
  int later_set = -1;
  for (int i = X509_NAME_entry_count(name); i-- > 0;) {
    const X509_NAME_ENTRY* const entry = X509_NAME_get_entry(name, i);
    const ASN1_OBJECT* const type = X509_NAME_ENTRY_get_object(entry);
    const char* const type_name = short_name({OBJ_get0_data(type), OBJ_length(type)});
    const ASN1_STRING* const value = X509_NAME_ENTRY_get_data(entry);
    const int encoding = ASN1_STRING_type(value);
    if (type_name == nullptr ||
        (encoding != V_ASN1_UTF8STRING && encoding != V_ASN1_PRINTABLESTRING)) {
      return std::nullopt;
    }
    const std::string_view text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                                static_cast<std::size_t>(ASN1_STRING_length(value)));
    const int set = X509_NAME_ENTRY_set(entry);
    if (set == later_set || !is_plain_text(text)) return std::nullopt;
    later_set = set;
    if (!out.empty()) out += ',';
    out.append(type_name).append(1, '=').append(text);
  }
  return out;
}

// Two digits, or a negative number.
int two_digits(std::string_view text, std::size_t at) {
  const auto digit = [&](std::size_t i) {
    return text[i] >= '0' && text[i] <= '9' ? text[i] - '0' : -100;
  };
  return digit(at) * 10 + digit(at + 1);
}

// A time as RFC 5280 section 4.1.2.5 wants it. None for every other form.
std::optional<WallTime> plain_time(const ASN1_TIME* time) {
  std::string_view text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(time)),
                        static_cast<std::size_t>(ASN1_STRING_length(time)));
  int year = 0;
  if (ASN1_STRING_type(time) == V_ASN1_UTCTIME && text.size() == 13) {
    year = two_digits(text, 0);
    if (year < 0) return std::nullopt;
    year += year < 50 ? 2000 : 1900;
    text.remove_prefix(2);
  } else if (ASN1_STRING_type(time) == V_ASN1_GENERALIZEDTIME && text.size() == 15) {
    const int century = two_digits(text, 0);
    const int rest = two_digits(text, 2);
    if (century < 0 || rest < 0) return std::nullopt;
    year = century * 100 + rest;
    text.remove_prefix(4);
  } else {
    return std::nullopt;
  }
  const int month = two_digits(text, 0), day = two_digits(text, 2), hour = two_digits(text, 4),
            minute = two_digits(text, 6), second = two_digits(text, 8);
  // Far from the ends of WallTime.
  if (year < 1900 || year > 2200 || month < 1 || day < 1 || hour < 0 || hour > 23 || minute < 0 ||
      minute > 59 || second < 0 || second > 59 || text[10] != 'Z') {
    return std::nullopt;
  }
  const std::chrono::year_month_day date(std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok()) return std::nullopt;
  return WallTime(std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(hour) +
                  std::chrono::minutes(minute) + std::chrono::seconds(second));
}

// What an issuingDistributionPoint says; none if there is none, or none that can be read.
std::optional<CrlScope> scope_of(X509_CRL* crl) {
  const int at = X509_CRL_get_ext_by_NID(crl, NID_issuing_distribution_point, -1);
  if (at < 0) return std::nullopt;
  const ASN1_OCTET_STRING* const value = X509_EXTENSION_get_data(X509_CRL_get_ext(crl, at));
  return CrlScope::parse(
      {ASN1_STRING_get0_data(value), static_cast<std::size_t>(ASN1_STRING_length(value))},
      X509_CRL_get_issuer(crl));
}

bool has_unknown_critical_extension(X509_CRL* crl) {
  // Beside the distribution point none that RFC 5280 section 5.2 defines for complete CRLs is
  // critical.
  for (int at = -1; (at = X509_CRL_get_ext_by_critical(crl, 1, at)) >= 0;) {
    const ASN1_OBJECT* const type = X509_EXTENSION_get_object(X509_CRL_get_ext(crl, at));
    if (OBJ_obj2nid(type) != NID_issuing_distribution_point) return true;
  }
  return false;
}

// A CRL that leaves reasons out, or speaks for certificates of others, must not be taken for the
// whole truth (RFC 5280 sections 5.2.4 and 5.2.5).
std::string unsupported_features(X509_CRL* crl, const std::optional<CrlScope>& scope) {
  if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0) return "is a delta CRL";
  const int point = X509_CRL_get_ext_by_NID(crl, NID_issuing_distribution_point, -1);
  if (point >= 0 &&
      (!scope || X509_CRL_get_ext_by_NID(crl, NID_issuing_distribution_point, point) >= 0)) {
    return "has an issuingDistributionPoint that cannot be read";
  }
  if (scope && scope->indirect) return "is indirect";
  if (scope && scope->some_reasons_only) return "has onlySomeReasons";
  if (has_unknown_critical_extension(crl)) {
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

bool equal_octets(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) noexcept {
  if (a.size() != b.size()) return false;
  return a.data() == b.data() || a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string name_text(const X509_NAME* name) {
  if (auto plain = plain_name_text(name)) return std::move(*plain);
  const bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  // This form escapes what is not ASCII, so the text can go into any log as it is.
  if (!bio || X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  return bio_text(bio.get());
}

std::optional<WallTime> to_wall_time(const ASN1_TIME* time) {
  if (time == nullptr) return std::nullopt;
  if (const auto plain = plain_time(time)) return plain;
  const bssl::UniquePtr<ASN1_TIME> epoch(ASN1_TIME_set(nullptr, 0));
  int days = 0;
  int seconds = 0;
  if (!epoch || !ASN1_TIME_diff(&days, &seconds, epoch.get(), time)) {
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

Fingerprint Certificate::fingerprint() const { return fingerprint_of(der()); }

std::string Certificate::subject() const { return name_text(X509_get_subject_name(x509())); }

std::string Certificate::issuer() const { return name_text(X509_get_issuer_name(x509())); }

bool Certificate::is_ca() const { return (X509_get_extension_flags(x509()) & EXFLAG_CA) != 0; }

bool Certificate::is_self_issued() const {
  return X509_NAME_cmp(X509_get_subject_name(x509()), X509_get_issuer_name(x509())) == 0;
}

bool Certificate::is_self_signed() const {
  // EXFLAG_SS is only for issuers: a peer's own certificate need not have keyCertSign.
  const int verdict = X509_check_issued(x509(), x509());
  return verdict == X509_V_OK || verdict == X509_V_ERR_KEYUSAGE_NO_CERTSIGN;
}

SignatureDigest Certificate::signature_digest() const {
  const X509_ALGOR* algorithm = nullptr;
  X509_get0_signature(nullptr, &algorithm, x509());
  return digest_of(algorithm);
}

const CertificateSummary& Certificate::summary() const {
  std::call_once(parts_->summarised, [this] {
    CertificateSummary& out = parts_->summary;
    out.subject = subject();
    out.issuer = issuer();
    out.serial = serial_text(X509_get0_serialNumber(x509()));
    out.not_before = not_before();
    out.not_after = not_after();
    out.key = key().description;
    out.sha256 = fingerprint();
  });
  return parts_->summary;
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
  parts->scope = scope_of(parts->crl.get());
  parts->unsupported = unsupported_features(parts->crl.get(), parts->scope);
  return RevocationList(std::move(parts));
}

std::string RevocationList::issuer() const { return name_text(X509_CRL_get_issuer(crl())); }

SignatureDigest RevocationList::signature_digest() const {
  const X509_ALGOR* algorithm = nullptr;
  X509_CRL_get0_signature(crl(), nullptr, &algorithm);
  return digest_of(algorithm);
}

}  // namespace siptls::pki
