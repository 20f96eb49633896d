#include "pki/certificate.hpp"

#include <array>
#include <optional>
#include <stdexcept>

#include "pki/der.hpp"

namespace demo_pki {
namespace {

// Tags of GeneralName (RFC 5280 section 4.2.1.6).
constexpr unsigned kOther = 0, kEmail = 1, kDns = 2, kDirectory = 4, kUri = 6, kIp = 7,
                   kRegisteredId = 8;
// An arc under the example number of RFC 5612.
constexpr const char* kExampleArc = "1.3.6.1.4.1.32473.1";

std::string signed_by(EVP_PKEY& key, Digest digest, bool corrupt, const std::string& to_be_signed) {
  std::string signature = sign(key, digest, to_be_signed);
  if (corrupt) signature.back() = static_cast<char>(signature.back() ^ 1);
  return der::sequence(
      {to_be_signed, signature_algorithm(key, digest), der::bit_string(signature)});
}

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

// Numbers between separators, each below `limit`.
std::optional<std::vector<unsigned>> numbers(std::string_view text, char separator, unsigned base,
                                             unsigned limit) {
  std::vector<unsigned> out;
  std::size_t digits = 0;
  unsigned current = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || text[i] == separator) {
      if (digits == 0) return std::nullopt;
      out.push_back(current);
      current = 0;
      digits = 0;
      continue;
    }
    const auto digit = hex_digit(text[i]);
    if (!digit || *digit >= base) return std::nullopt;
    current = current * base + *digit;
    if (++digits > 4 || current >= limit) return std::nullopt;
  }
  return out;
}

std::string ipv6_groups(std::string_view text) {
  if (text.empty()) return {};
  const auto groups = numbers(text, ':', 16, 0x10000);
  if (!groups || groups->size() > 8) throw std::runtime_error("no IPv6 address");
  std::string out;
  for (const unsigned group : *groups) {
    out += static_cast<char>(group >> 8);
    out += static_cast<char>(group & 0xff);
  }
  return out;
}

std::string ip_octets(std::string_view text) {
  if (text.find(':') == std::string_view::npos) {
    const auto parts = numbers(text, '.', 10, 256);
    if (!parts || parts->size() != 4) {
      throw std::runtime_error("no IP address: " + std::string(text));
    }
    std::string out;
    for (const unsigned part : *parts) out += static_cast<char>(part);
    return out;
  }
  const auto gap = text.find("::");
  if (gap == std::string_view::npos) {
    std::string out = ipv6_groups(text);
    if (out.size() != 16) throw std::runtime_error("no IPv6 address: " + std::string(text));
    return out;
  }
  const std::string front = ipv6_groups(text.substr(0, gap));
  const std::string back = ipv6_groups(text.substr(gap + 2));
  if (front.size() + back.size() > 14) {
    throw std::runtime_error("no IPv6 address: " + std::string(text));
  }
  return front + std::string(16 - front.size() - back.size(), '\0') + back;
}

std::string subject_alt_names(const CertificateSpec& spec) {
  std::string names;
  for (const auto& uri : spec.uris) names += der::primitive(kUri, uri);
  for (const auto& name : spec.dns_names) names += der::primitive(kDns, name);
  for (const auto& address : spec.ip_addresses) names += der::primitive(kIp, ip_octets(address));
  for (const auto& email : spec.emails) names += der::primitive(kEmail, email);
  for (const auto& name : spec.directory_names) {
    names += der::constructed(kDirectory, name_der(name));
  }
  for (const auto& id : spec.registered_ids) {
    names += der::primitive(kRegisteredId, der::object(id).substr(2));  // without tag and length
  }
  for (const auto& text : spec.other_names) {
    names += der::constructed(
        kOther, der::object(kExampleArc) + der::constructed(0, der::value(der::kUtf8String, text)));
  }
  return names + spec.more_names;
}

std::string basic_constraints(const CertificateSpec& spec) {
  return der::sequence({spec.ca ? der::boolean(true) : std::string(),
                        spec.path_length ? der::integer(*spec.path_length) : std::string()});
}

std::uint32_t key_usage_bits(const std::vector<std::string>& names) {
  constexpr std::array<std::string_view, 9> kBits{
      "digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
      "keyCertSign",      "cRLSign",        "encipherOnly",    "decipherOnly"};
  std::uint32_t bits = 0;
  for (const auto& name : names) {
    std::size_t bit = 0;
    while (bit < kBits.size() && kBits[bit] != name) ++bit;
    if (bit == kBits.size()) throw std::runtime_error("no key usage: " + name);
    bits |= 1U << bit;
  }
  return bits;
}

std::string subtrees(unsigned name_form, const std::vector<std::string>& bases) {
  std::string out;
  for (const auto& base : bases) out += der::sequence({der::primitive(name_form, base)});
  return out;
}

std::string directory_subtrees(const std::vector<std::string>& common_names) {
  std::string out;
  for (const auto& name : common_names) {
    out += der::sequence({der::constructed(kDirectory, name_der(name))});
  }
  return out;
}

// Address and mask, each as text.
std::string ip_subtrees(const std::vector<std::string>& bases) {
  std::string out;
  for (const auto& base : bases) {
    const auto slash = base.find('/');
    if (slash == base.npos) throw std::runtime_error("no address with a mask: " + base);
    out += der::sequence({der::primitive(
        kIp, ip_octets(base.substr(0, slash)) + ip_octets(base.substr(slash + 1)))});
  }
  return out;
}

std::string name_constraints(const CertificateSpec& spec) {
  const std::string permitted =
      subtrees(kDns, spec.permitted_dns) + subtrees(kUri, spec.permitted_uris) +
      subtrees(kEmail, spec.permitted_emails) + directory_subtrees(spec.permitted_directories) +
      ip_subtrees(spec.permitted_ips);
  const std::string excluded =
      subtrees(kDns, spec.excluded_dns) + subtrees(kUri, spec.excluded_uris) +
      subtrees(kEmail, spec.excluded_emails) + directory_subtrees(spec.excluded_directories) +
      ip_subtrees(spec.excluded_ips);
  if (permitted.empty() && excluded.empty()) return {};
  return der::sequence({permitted.empty() ? std::string() : der::constructed(0, permitted),
                        excluded.empty() ? std::string() : der::constructed(1, excluded)});
}

std::string authority_key_identifier(std::string_view issuer_spki) {
  return extension("2.5.29.35", false,
                   der::sequence({der::primitive(0, key_identifier(issuer_spki))}));
}

std::string extensions(const CertificateParts& parts) {
  const CertificateSpec& spec = parts.spec;
  std::string out = extension("2.5.29.14", false, der::octet_string(key_identifier(parts.spki)));
  out += authority_key_identifier(parts.issuer_spki);
  if (spec.with_basic_constraints) out += extension("2.5.29.19", true, basic_constraints(spec));
  if (!spec.key_usage.empty()) {
    out += extension("2.5.29.15", true, der::named_bits(key_usage_bits(spec.key_usage)));
  }
  if (!spec.extended_key_usage.empty()) {
    std::string purposes;
    for (const auto& oid : spec.extended_key_usage) purposes += der::object(oid);
    out += extension("2.5.29.37", false, der::value(der::kSequence, purposes));
  }
  if (const std::string names = subject_alt_names(spec); !names.empty()) {
    out +=
        extension("2.5.29.17", spec.subject_alt_name_critical, der::value(der::kSequence, names));
  }
  if (const std::string constraints = name_constraints(spec); !constraints.empty()) {
    out += extension("2.5.29.30", true, constraints);
  }
  if (spec.unknown_critical_extension) out += unknown_critical_extension();
  return out;
}

std::string crl_extensions(const CrlParts& parts) {
  const CrlSpec& spec = parts.spec;
  std::string out = authority_key_identifier(parts.issuer_spki);
  out += extension("2.5.29.20", false, der::integer(1));  // cRLNumber
  if (spec.delta) out += extension("2.5.29.27", true, der::integer(0));
  // issuingDistributionPoint: [3] onlySomeReasons, [4] indirectCRL (RFC 5280 section 5.2.5)
  if (spec.indirect) {
    out += extension("2.5.29.28", true, der::sequence({der::primitive(4, "\xff")}));
  }
  if (spec.only_some_reasons) {
    const std::string bits("\x06\x40", 2);  // keyCompromise
    out += extension("2.5.29.28", true, der::sequence({der::primitive(3, bits)}));
  }
  return out;
}

}  // namespace

std::string extension(std::string_view oid, bool critical, std::string_view content) {
  return der::sequence({der::object(oid), critical ? der::boolean(true) : std::string(),
                        der::octet_string(content)});
}

std::string unknown_critical_extension() { return extension(kExampleArc, true, der::null()); }

std::string name_der(std::string_view common_name) {
  if (common_name.empty()) return der::sequence({});
  const std::string attribute =
      der::sequence({der::object("2.5.4.3"), der::value(der::kUtf8String, common_name)});
  return der::sequence({der::value(der::kSet, attribute)});
}

std::string new_serial() {
  std::string serial = random_octets(16);
  serial[0] = static_cast<char>((serial[0] & 0x7f) | 0x40);
  return serial;
}

std::string encode_certificate(const CertificateParts& parts) {
  const CertificateSpec& spec = parts.spec;
  const std::string to_be_signed = der::sequence(
      {der::constructed(0, der::integer(2)), der::unsigned_integer(parts.serial),
       signature_algorithm(parts.issuer_key, spec.digest), parts.issuer,
       der::sequence({der::time(spec.not_before), der::time(spec.not_after)}), parts.subject,
       parts.spki, der::constructed(3, der::value(der::kSequence, extensions(parts)))});
  return signed_by(parts.issuer_key, spec.digest, spec.corrupt_signature, to_be_signed);
}

std::string encode_crl(const CrlParts& parts) {
  const CrlSpec& spec = parts.spec;
  std::string revoked;
  for (const auto& serial : parts.serials) {
    revoked += der::sequence({der::unsigned_integer(serial), der::time(spec.this_update)});
  }
  const std::string to_be_signed =
      der::sequence({der::integer(1), signature_algorithm(parts.issuer_key, spec.digest),
                     parts.issuer, der::time(spec.this_update),
                     spec.without_next_update ? std::string() : der::time(spec.next_update),
                     revoked.empty() ? std::string() : der::value(der::kSequence, revoked),
                     der::constructed(0, der::value(der::kSequence, crl_extensions(parts)))});
  return signed_by(parts.issuer_key, spec.digest, spec.corrupt_signature, to_be_signed);
}

}  // namespace demo_pki
