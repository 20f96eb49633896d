#include "pki/crl_scope.hpp"

#include <openssl/bytestring.h>
#include <openssl/mem.h>
#include <openssl/nid.h>

#include <algorithm>
#include <utility>

namespace siptls::pki {
namespace {

constexpr unsigned kPrimitive = CBS_ASN1_CONTEXT_SPECIFIC;
constexpr unsigned kConstructed = CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED;
constexpr unsigned kDirectoryName = kConstructed | 4;

using Names = std::vector<std::string>;

std::string text_of(const CBS& octets) {
  return {reinterpret_cast<const char*>(CBS_data(&octets)), CBS_len(&octets)};
}

CBS reader(std::span<const std::uint8_t> octets) {
  CBS out;
  CBS_init(&out, octets.data(), octets.size());
  return out;
}

// `issuer`, with the relative name `rdn` (the content of a SET) below it if there is one, as
// GeneralName.
std::optional<std::string> directory_name(const X509_NAME* issuer, const CBS* rdn) {
  const std::uint8_t* der = nullptr;
  std::size_t size = 0;
  // API 17 takes a non-const pointer and only reads.
  if (!X509_NAME_get0_der(const_cast<X509_NAME*>(issuer), &der, &size)) return std::nullopt;
  CBS all = reader({der, size});
  CBS content;
  bssl::ScopedCBB cbb;
  CBB general, name, set;
  if (!CBS_get_asn1(&all, &content, CBS_ASN1_SEQUENCE) || !CBB_init(cbb.get(), 128) ||
      !CBB_add_asn1(cbb.get(), &general, kDirectoryName) ||
      !CBB_add_asn1(&general, &name, CBS_ASN1_SEQUENCE) ||
      !CBB_add_bytes(&name, CBS_data(&content), CBS_len(&content))) {
    return std::nullopt;
  }
  if (rdn != nullptr && (!CBB_add_asn1(&name, &set, CBS_ASN1_SET) ||
                         !CBB_add_bytes(&set, CBS_data(rdn), CBS_len(rdn)))) {
    return std::nullopt;
  }
  if (!CBB_flush(cbb.get())) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(CBB_data(cbb.get())), CBB_len(cbb.get()));
}

// DistributionPointName (RFC 5280 section 4.2.1.13).
std::optional<Names> read_names(CBS wrapped, const X509_NAME* issuer) {
  CBS choice;
  unsigned tag = 0;
  if (!CBS_get_any_asn1(&wrapped, &choice, &tag) || CBS_len(&wrapped) != 0) return std::nullopt;
  Names out;
  if (tag == (kConstructed | 1)) {
    auto name = directory_name(issuer, &choice);
    if (!name) return std::nullopt;
    out.push_back(std::move(*name));
    return out;
  }
  if (tag != (kConstructed | 0)) return std::nullopt;
  while (CBS_len(&choice) > 0) {
    CBS name;
    if (!CBS_get_any_asn1_element(&choice, &name, nullptr, nullptr)) return std::nullopt;
    out.push_back(text_of(name));
  }
  return out;
}

// The directory name in a GeneralName; null if it is another kind of name.
bssl::UniquePtr<X509_NAME> directory_name_of(const std::string& general_name) {
  CBS all =
      reader({reinterpret_cast<const std::uint8_t*>(general_name.data()), general_name.size()});
  CBS name;
  if (!CBS_get_asn1(&all, &name, kDirectoryName)) return nullptr;
  const std::uint8_t* at = CBS_data(&name);
  return bssl::UniquePtr<X509_NAME>(d2i_X509_NAME(nullptr, &at, static_cast<long>(CBS_len(&name))));
}

bool same_name(const std::string& a, const std::string& b) {
  if (a == b) return true;
  const auto x = directory_name_of(a);
  const auto y = directory_name_of(b);
  return x && y && X509_NAME_cmp(x.get(), y.get()) == 0;
}

bool share_a_name(const Names& a, const Names& b) {
  return std::any_of(a.begin(), a.end(), [&](const std::string& x) {
    return std::any_of(b.begin(), b.end(), [&](const std::string& y) { return same_name(x, y); });
  });
}

// The names under which a certificate's issuer publishes CRLs of its own for all reasons.
Names distribution_points(X509* certificate) {
  const X509_NAME* const issuer = X509_get_issuer_name(certificate);
  Names out;
  const int at = X509_get_ext_by_NID(certificate, NID_crl_distribution_points, -1);
  if (at < 0) {
    // RFC 5280 section 6.3.3: as if the issuer's name were the distribution point.
    if (auto name = directory_name(issuer, nullptr)) out.push_back(std::move(*name));
    return out;
  }
  const ASN1_OCTET_STRING* const value = X509_EXTENSION_get_data(X509_get_ext(certificate, at));
  CBS all =
      reader({ASN1_STRING_get0_data(value), static_cast<std::size_t>(ASN1_STRING_length(value))});
  CBS points, point, names;
  if (!CBS_get_asn1(&all, &points, CBS_ASN1_SEQUENCE)) return {};
  while (CBS_get_asn1(&points, &point, CBS_ASN1_SEQUENCE)) {
    // One with reasons or with a CRL issuer of its own has more behind its names.
    if (!CBS_get_asn1(&point, &names, kConstructed | 0) || CBS_len(&point) != 0) continue;
    for (auto& name : read_names(names, issuer).value_or(Names{})) out.push_back(std::move(name));
  }
  return out;
}

// An optional flag. None if it cannot be read.
std::optional<bool> read_flag(CBS& from, unsigned number) {
  CBS content;
  int present = 0;
  std::uint8_t octet = 0;
  if (!CBS_get_optional_asn1(&from, &content, &present, kPrimitive | number)) return std::nullopt;
  if (present == 0) return false;
  if (!CBS_get_u8(&content, &octet) || CBS_len(&content) != 0) return std::nullopt;
  return octet != 0;
}

}  // namespace

std::optional<CrlScope> CrlScope::parse(std::span<const std::uint8_t> extension,
                                        const X509_NAME* issuer) {
  CBS all = reader(extension);
  CBS content, names, reasons;
  int present = 0;
  CrlScope out;
  if (!CBS_get_asn1(&all, &content, CBS_ASN1_SEQUENCE) || CBS_len(&all) != 0 ||
      !CBS_get_optional_asn1(&content, &names, &present, kConstructed | 0)) {
    return std::nullopt;
  }
  if (present != 0) {
    out.names = read_names(names, issuer);
    if (!out.names) return std::nullopt;
  }
  const auto user = read_flag(content, 1);
  const auto ca = read_flag(content, 2);
  if (!CBS_get_optional_asn1(&content, &reasons, &present, kPrimitive | 3)) return std::nullopt;
  out.some_reasons_only = present != 0;
  const auto indirect = read_flag(content, 4);
  const auto attribute = read_flag(content, 5);
  if (!user || !ca || !indirect || !attribute || CBS_len(&content) != 0) return std::nullopt;
  out.user_certificates_only = *user;
  out.ca_certificates_only = *ca;
  out.indirect = *indirect;
  out.attribute_certificates_only = *attribute;
  return out;
}

bool CrlScope::covers(X509* certificate) const {
  const bool is_ca = (X509_get_extension_flags(certificate) & EXFLAG_CA) != 0;
  if (attribute_certificates_only || (user_certificates_only && is_ca) ||
      (ca_certificates_only && !is_ca)) {
    return false;
  }
  return !names || share_a_name(*names, distribution_points(certificate));
}

}  // namespace siptls::pki
