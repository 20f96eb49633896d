#include "pki/identity.hpp"

#include <fmt/format.h>
#include <openssl/bytestring.h>
#include <openssl/mem.h>
#include <openssl/nid.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "base/os/ip_text.hpp"

namespace siptls::pki {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view without_trailing_dot(std::string_view name) noexcept {
  if (name.ends_with('.')) name.remove_suffix(1);
  return name;
}

bool is_label(std::string_view label) {
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') {
    return false;
  }
  // An underscore is no part of a host name, but of names that people give to hosts.
  return std::all_of(label.begin(), label.end(),
                     [](char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '_'; });
}

// A host name, given without trailing dot. The last label is not all digits: such text would be an
// IPv4 address or a mistake (RFC 3261 section 25.1, toplabel).
bool is_dns_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  std::string_view rest = name;
  while (true) {
    const auto dot = rest.find('.');
    const std::string_view label = rest.substr(0, dot);
    if (!is_label(label)) return false;
    if (dot == std::string_view::npos) return !std::all_of(label.begin(), label.end(), is_digit);
    rest.remove_prefix(dot + 1);
  }
}

bool is_printable_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

// An address in its usual spelling.
std::optional<std::string> ip_text(std::string_view text) {
  if (text.size() > 64 || text.find('\0') != std::string_view::npos) return std::nullopt;
  const bool bracketed = text.size() > 2 && text.front() == '[' && text.back() == ']';
  if (bracketed) text = text.substr(1, text.size() - 2);
  const std::string copy(text);
  if (!bracketed) {
    if (const auto v4 = os::parse_ipv4(copy)) return os::format_ipv4(v4->data());
  }
  if (const auto v6 = os::parse_ipv6(copy)) return os::format_ipv6(v6->data());
  return std::nullopt;
}

std::string_view octets_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

using NamesPtr = bssl::UniquePtr<GENERAL_NAMES>;

// What the names of a certificate are made into.
struct Harvest {
  std::vector<Identity> identities;
  std::vector<std::string>* refused;
  bool has_sip_uri = false;

  void take(Identity::Source source, std::string name) {
    if (source == Identity::Source::sip_uri) has_sip_uri = true;
    identities.push_back(Identity{source, std::move(name)});
  }
  void refuse(std::string_view kind, std::string_view octets, std::string_view why) {
    if (refused == nullptr) return;
    refused->push_back(fmt::format("{}:{} ({})", kind, printable(octets), why));
  }
};

void harvest_uri(Harvest& harvest, std::string_view uri) {
  if (auto host = sip_uri_host(uri)) {
    harvest.take(Identity::Source::sip_uri, std::move(*host));
  } else if (!equal_ignoring_case(uri.substr(0, 4), "sip:")) {
    harvest.refuse("uri", uri, "its scheme is not sip");
  } else if (uri.find('@') != std::string_view::npos) {
    harvest.refuse("uri", uri, "it names a user");
  } else {
    harvest.refuse("uri", uri, "it is no valid SIP URI");
  }
}

void harvest_dns(Harvest& harvest, std::string_view name) {
  const std::string_view trimmed = without_trailing_dot(name);
  // A second dot at the end would be dropped in a later comparison.
  if (!trimmed.empty() && trimmed.back() != '.' && is_printable_ascii(trimmed)) {
    harvest.take(Identity::Source::dns_name, lower(trimmed));
  } else {
    harvest.refuse("dns", name, "it is no ASCII name");
  }
}

void harvest_ip(Harvest& harvest, std::string_view octets) {
  const auto* const data = reinterpret_cast<const std::uint8_t*>(octets.data());
  if (octets.size() == 4) {
    harvest.take(Identity::Source::ip_address, os::format_ipv4(data));
  } else if (octets.size() == 16) {
    harvest.take(Identity::Source::ip_address, os::format_ipv6(data));
  } else {
    harvest.refuse("ip", octets, "it has neither 4 nor 16 octets");
  }
}

void harvest_name(Harvest& harvest, int type, std::string_view octets) {
  switch (type) {
    case GEN_URI:
      return harvest_uri(harvest, octets);
    case GEN_DNS:
      return harvest_dns(harvest, octets);
    case GEN_IPADD:
      return harvest_ip(harvest, octets);
    case GEN_EMAIL:
      return harvest.refuse("email", octets, "it is no domain");
    default:
      return;
  }
}

void harvest_name(Harvest& harvest, const GENERAL_NAME* name) {
  switch (name->type) {
    case GEN_URI:
    case GEN_DNS:
    case GEN_EMAIL:
      return harvest_name(harvest, name->type, octets_of(name->d.ia5));
    case GEN_IPADD:
      return harvest_name(harvest, name->type, octets_of(name->d.iPAddress));
    default:
      return;
  }
}

// One name and its GEN_ type, of those that have no structure.
struct PlainName {
  int type;
  std::string_view octets;
};

// The names of the only subjectAltName, where none of them has a structure (RFC 5280 section
// 4.2.1.6): a fraction of the cost of BoringSSL's parser, which is left everything else.
std::optional<std::vector<PlainName>> plain_names(const X509* certificate) {
  const int at = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1);
  if (at < 0 || X509_get_ext_by_NID(certificate, NID_subject_alt_name, at) >= 0) {
    return std::nullopt;
  }
  const ASN1_OCTET_STRING* const value = X509_EXTENSION_get_data(X509_get_ext(certificate, at));
  CBS all, names;
  CBS_init(&all, ASN1_STRING_get0_data(value), static_cast<std::size_t>(ASN1_STRING_length(value)));
  if (!CBS_get_asn1(&all, &names, CBS_ASN1_SEQUENCE) || CBS_len(&all) != 0) return std::nullopt;
  std::vector<PlainName> out;
  while (CBS_len(&names) > 0) {
    CBS name;
    unsigned tag = 0;
    if (!CBS_get_any_asn1(&names, &name, &tag)) return std::nullopt;
    const auto type = static_cast<int>(tag & CBS_ASN1_TAG_NUMBER_MASK);
    if (tag != (CBS_ASN1_CONTEXT_SPECIFIC | static_cast<unsigned>(type)) ||
        (type != GEN_URI && type != GEN_DNS && type != GEN_EMAIL && type != GEN_IPADD)) {
      return std::nullopt;
    }
    out.push_back({type, {reinterpret_cast<const char*>(CBS_data(&name)), CBS_len(&name)}});
  }
  return out;
}

// Each identity once, at its first place.
void drop_duplicates(std::vector<Identity>& identities) {
  constexpr std::size_t kFew = 8;
  if (identities.size() <= kFew) {
    auto end = identities.begin();
    for (auto& identity : identities) {
      if (std::find(identities.begin(), end, identity) != end) continue;
      if (&*end != &identity) *end = std::move(identity);
      ++end;
    }
    identities.erase(end, identities.end());
    return;
  }
  std::vector<std::size_t> order(identities.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  // A certificate may have thousands of names, so not each with each.
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const Identity &x = identities[a], &y = identities[b];
    return std::tie(x.source, x.name, a) < std::tie(y.source, y.name, b);
  });
  std::vector<bool> again(identities.size());
  bool any = false;
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (identities[order[i]] == identities[order[i - 1]]) any = again[order[i]] = true;
  }
  if (!any) return;
  std::vector<Identity> kept;
  for (std::size_t i = 0; i < identities.size(); ++i) {
    if (!again[i]) kept.push_back(std::move(identities[i]));
  }
  identities = std::move(kept);
}

// A certificate without any subjectAltName and with exactly one common name.
void harvest_common_name(Harvest& harvest, X509* certificate) {
  const X509_NAME* const subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return;
  unsigned char* utf8 = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (size < 0) return;
  const bssl::UniquePtr<unsigned char> owner(utf8);
  const std::string_view name(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
  if (is_dns_name(without_trailing_dot(name))) {
    harvest.take(Identity::Source::common_name, lower(without_trailing_dot(name)));
  } else {
    harvest.refuse("cn", name, "it is no DNS name");
  }
}

// RFC 5922 section 7.1: DNS names count if and only if there is no acceptable SIP URI.
void drop_dns_beside_sip(Harvest& harvest) {
  if (!harvest.has_sip_uri) return;
  auto& all = harvest.identities;
  for (const auto& identity : all) {
    if (harvest.refused != nullptr && identity.source == Identity::Source::dns_name) {
      harvest.refuse("dns", identity.name, "a sip URI switches DNS names off");
    }
  }
  all.erase(std::remove_if(all.begin(), all.end(),
                           [](const Identity& identity) {
                             return identity.source == Identity::Source::dns_name;
                           }),
            all.end());
}

bool matches_wildcard(std::string_view pattern, std::string_view name) noexcept {
  if (!pattern.starts_with("*.")) return false;
  const auto dot = name.find('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  const std::string_view parent = pattern.substr(2);
  // "*.example" would stand for every domain of a top-level domain.
  return parent.find('.') != std::string_view::npos &&
         equal_ignoring_case(parent, name.substr(dot + 1));
}

std::string_view notation(Identity::Source source) {
  switch (source) {
    case Identity::Source::sip_uri:
      return "sip";
    case Identity::Source::dns_name:
      return "dns";
    case Identity::Source::ip_address:
      return "ip";
    case Identity::Source::common_name:
      return "cn";
  }
  return "name";
}

}  // namespace

Result<Reference> Reference::parse(std::string_view text) {
  if (auto address = ip_text(text)) return Reference(std::move(*address), true);
  const std::string_view name = without_trailing_dot(text);
  if (is_dns_name(name)) return Reference(lower(name), false);
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0; });
  return Unexpected(Errc::invalid_domain,
                    fmt::format("\"{}\" is neither a DNS name nor an IP address{}", printable(text),
                                ascii ? "" : "; give internationalised names in their ASCII form"));
}

bool Reference::matches(const Identity& identity, WildcardPolicy wildcard) const noexcept {
  if (ip_) {
    return identity.source == Identity::Source::ip_address &&
           equal_ignoring_case(identity.name, name_);
  }
  if (identity.source == Identity::Source::ip_address) return false;
  const std::string_view presented = without_trailing_dot(identity.name);
  if (equal_ignoring_case(presented, name_)) return true;
  return wildcard == WildcardPolicy::dangerous_one_label &&
         identity.source == Identity::Source::dns_name && matches_wildcard(presented, name_);
}

std::optional<std::string> sip_uri_host(std::string_view uri) {
  if (!equal_ignoring_case(uri.substr(0, 4), "sip:")) return std::nullopt;
  if (!is_printable_ascii(uri) || uri.find('@') != std::string_view::npos) return std::nullopt;
  const std::string_view rest = uri.substr(4);
  const bool bracketed = rest.starts_with('[');
  std::size_t end = bracketed ? rest.find(']') : rest.find_first_of(":;?");
  if (bracketed && end == std::string_view::npos) return std::nullopt;
  if (bracketed) ++end;
  const std::string_view host = rest.substr(0, end);
  std::string_view tail = rest.substr(std::min(end, rest.size()));
  if (tail.starts_with(':')) {
    const std::size_t port_end = std::min(tail.find_first_of(";?"), tail.size());
    const std::string_view port = tail.substr(1, port_end - 1);
    if (port.empty() || !std::all_of(port.begin(), port.end(), is_digit)) return std::nullopt;
    tail.remove_prefix(port_end);
  }
  if (!tail.empty() && tail.front() != ';' && tail.front() != '?') return std::nullopt;
  if (const std::string_view name = without_trailing_dot(host); is_dns_name(name)) {
    return lower(name);
  }
  // In a URI an IPv6 address stands in brackets.
  if (bracketed || host.find(':') == std::string_view::npos) return ip_text(host);
  return std::nullopt;
}

Result<std::vector<Identity>> identities_of(const Certificate& certificate,
                                            const IdentityPolicy& policy,
                                            std::vector<std::string>* refused) {
  const ErrorQueueScope errors;
  Harvest harvest{{}, refused, false};
  if (const auto plain = plain_names(certificate.x509())) {
    harvest.identities.reserve(plain->size());
    for (const auto& name : *plain) harvest_name(harvest, name.type, name.octets);
    drop_dns_beside_sip(harvest);
    drop_duplicates(harvest.identities);
    return std::move(harvest.identities);
  }
  int critical = 0;
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate.x509(), NID_subject_alt_name, &critical, nullptr)));
  if (!names && critical != -1) {
    return Unexpected(Errc::certificate_invalid,
                      fmt::format("the subjectAltName of \"{}\" {}", certificate.subject(),
                                  critical == -2 ? "is there twice" : "cannot be read"));
  }
  if (names) {
    for (const GENERAL_NAME* name : names.get()) harvest_name(harvest, name);
    drop_dns_beside_sip(harvest);
    drop_duplicates(harvest.identities);
  } else if (policy.common_name == CommonNamePolicy::dangerous_if_no_subject_alt_name) {
    harvest_common_name(harvest, certificate.x509());
  }
  return std::move(harvest.identities);
}

std::string list_identities(std::span<const Identity> identities) {
  constexpr std::size_t kMost = 50;  // it is for people
  std::string out;
  for (const auto& identity : identities.first(std::min(identities.size(), kMost))) {
    if (!out.empty()) out += ", ";
    out += fmt::format("{}:{}", notation(identity.source), printable(identity.name));
  }
  if (identities.size() > kMost) out += fmt::format(" and {} more", identities.size() - kMost);
  return out.empty() ? "none" : out;
}

}  // namespace siptls::pki
