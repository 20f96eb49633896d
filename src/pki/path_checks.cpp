#include "pki/path_checks.hpp"

#include <fmt/format.h>
#include <openssl/bytestring.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/obj.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "pki/identity.hpp"

namespace siptls::pki {
namespace {

constexpr std::string_view kAnyPurpose = "2.5.29.37.0";
constexpr std::string_view kServerAuth = "1.3.6.1.5.5.7.3.1";
constexpr std::string_view kClientAuth = "1.3.6.1.5.5.7.3.2";
constexpr std::string_view kSipDomain = "1.3.6.1.5.5.7.3.20";  // RFC 5924 section 4.1

std::string judged_at(const Now& at) {
  return fmt::format("judged at {} ({})", format_time(at.wall), to_string(at.standing));
}

Result<void> check_validity(const CandidatePath& path, std::size_t i, const Now& at) {
  const Certificate& certificate = path.certificates[i];
  // Validity has whole seconds and includes both ends (RFC 5280 section 4.1.2.5).
  const auto now = std::chrono::floor<std::chrono::seconds>(at.wall);
  if (now < certificate.not_before()) {
    return path.fail(
        i, Errc::certificate_not_yet_valid,
        fmt::format("is valid from {}; {}", format_time(certificate.not_before()), judged_at(at)));
  }
  if (now > certificate.not_after()) {
    return path.fail(
        i, Errc::certificate_expired,
        fmt::format("expired at {}; {}", format_time(certificate.not_after()), judged_at(at)));
  }
  return {};
}

Result<void> check_key(const CandidatePath& path, std::size_t i) {
  const KeyStrength& key = path.certificates[i].key();
  if (key.weak) {
    return path.fail(
        i, Errc::weak_key,
        fmt::format("has a key of {}; RSA needs 2048 bits and a curve 224", key.description));
  }
  if (!key.usable) {
    return path.fail(i, Errc::certificate_invalid,
                     fmt::format("has a key of {}, which is not supported", key.description));
  }
  return {};
}

Result<void> check_signature_strength(const CandidatePath& path, std::size_t i) {
  if (i + 1 == path.size()) return {};  // the anchor is trusted for what it is
  const auto digest = path.certificates[i].signature_digest();
  if (!digest.weak()) return {};
  return path.fail(i, Errc::weak_signature, fmt::format("is signed with {}", digest.name));
}

Result<void> check_issuer(const CandidatePath& path, std::size_t i) {
  X509* const x509 = path.certificates[i].x509();
  const std::uint32_t flags = X509_get_extension_flags(x509);
  if ((flags & EXFLAG_CA) == 0) {
    return path.fail(i, Errc::not_a_ca,
                     fmt::format("issued \"{}\" but {}", path.certificates[i - 1].subject(),
                                 (flags & EXFLAG_BCONS) != 0 ? "its basicConstraints say cA FALSE"
                                                             : "it has no basicConstraints"));
  }
  if ((flags & EXFLAG_KUSAGE) != 0 && (X509_get_key_usage(x509) & KU_KEY_CERT_SIGN) == 0) {
    return path.fail(i, Errc::not_a_ca,
                     fmt::format("issued \"{}\" but its keyUsage lacks keyCertSign",
                                 path.certificates[i - 1].subject()));
  }
  if (path.certificates[i].subject().empty()) {
    return path.fail(i, Errc::certificate_invalid, "is an issuer without a name");
  }
  const long limit = X509_get_pathlen(x509);
  if (limit < 0) return {};
  long below = 0;
  for (std::size_t j = 1; j < i; ++j) below += path.certificates[j].is_self_issued() ? 0 : 1;
  if (below <= limit) return {};
  return path.fail(
      i, Errc::path_length_exceeded,
      fmt::format("allows {} CA certificates below it, and there are {}", limit, below));
}

Result<void> check_extensions(const CandidatePath& path, std::size_t i) {
  const std::uint32_t flags = X509_get_extension_flags(path.certificates[i].x509());
  if ((flags & EXFLAG_INVALID) != 0) {
    return path.fail(i, Errc::certificate_invalid,
                     "has an extension that cannot be read or is there twice");
  }
  if ((flags & EXFLAG_CRITICAL) != 0) {
    return path.fail(i, Errc::unknown_critical_extension,
                     "has a critical extension that is not known here");
  }
  return {};
}

std::string dotted(const ASN1_OBJECT* object) {
  char text[80];
  const int size = OBJ_obj2txt(text, sizeof text, object, 1);
  return size > 0 && static_cast<std::size_t>(size) < sizeof text ? text : "unreadable";
}

// None where the certificate has no extendedKeyUsage.
Result<std::optional<std::vector<std::string>>> purposes_of(const CandidatePath& path,
                                                            std::size_t i) {
  int critical = 0;
  const bssl::UniquePtr<EXTENDED_KEY_USAGE> usage(static_cast<EXTENDED_KEY_USAGE*>(
      X509_get_ext_d2i(path.certificates[i].x509(), NID_ext_key_usage, &critical, nullptr)));
  if (!usage && critical == -1) return std::optional<std::vector<std::string>>();
  if (!usage) {
    return path.fail(i, Errc::certificate_invalid, "has an extendedKeyUsage that cannot be read");
  }
  std::vector<std::string> out;
  for (std::size_t k = 0; k < sk_ASN1_OBJECT_num(usage.get()); ++k) {
    out.push_back(dotted(sk_ASN1_OBJECT_value(usage.get(), k)));
  }
  return std::optional(std::move(out));
}

Result<void> check_purposes(const CandidatePath& path, std::size_t i, PeerRole role,
                            EkuPolicy policy) {
  // What BoringSSL has noted about the extension answers for most certificates.
  X509* const x509 = path.certificates[i].x509();
  if ((X509_get_extension_flags(x509) & EXFLAG_XKUSAGE) != 0) {
    const std::uint32_t noted = X509_get_extended_key_usage(x509);
    const std::uint32_t wanted = role == PeerRole::server ? XKU_SSL_SERVER : XKU_SSL_CLIENT;
    if ((noted & XKU_ANYEKU) != 0) return {};
    if (policy != EkuPolicy::sip_strict && (noted & wanted) != 0) return {};
  }
  auto purposes = purposes_of(path, i);
  if (!purposes) return Unexpected(std::move(purposes).error());
  if (!*purposes) return {};  // RFC 5924 section 5: left to policy, and acceptable here
  const std::string_view web = role == PeerRole::server ? kServerAuth : kClientAuth;
  for (const auto& purpose : **purposes) {
    if (purpose == kSipDomain || purpose == kAnyPurpose) return {};
    if (policy != EkuPolicy::sip_strict && purpose == web) return {};
  }
  std::string found;
  for (const auto& purpose : **purposes) found += (found.empty() ? "" : ", ") + purpose;
  return path.fail(
      i, Errc::extended_key_usage_forbidden,
      fmt::format("is for {}; a SIP {} needs {}id-kp-sipDomain ({}) or any purpose ({})", found,
                  role == PeerRole::server ? "server" : "client",
                  policy == EkuPolicy::sip_strict ? "" : fmt::format("{}, ", web), kSipDomain,
                  kAnyPurpose));
}

struct FreeNameConstraints {
  void operator()(NAME_CONSTRAINTS* constraints) const { NAME_CONSTRAINTS_free(constraints); }
};
using NameConstraints = std::unique_ptr<NAME_CONSTRAINTS, FreeNameConstraints>;

std::vector<std::string> dns_bases(const STACK_OF(GENERAL_SUBTREE) * subtrees) {
  std::vector<std::string> out;
  if (subtrees == nullptr) return out;
  for (std::size_t i = 0; i < sk_GENERAL_SUBTREE_num(subtrees); ++i) {
    const GENERAL_NAME* const base = sk_GENERAL_SUBTREE_value(subtrees, i)->base;
    if (base->type != GEN_DNS) continue;
    const ASN1_STRING* const text = base->d.dNSName;
    out.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                     static_cast<std::size_t>(ASN1_STRING_length(text)));
  }
  return out;
}

// "example.com" covers itself and everything below it; ".example.com" only what is below it.
bool within(std::string_view host, std::string_view base) {
  const auto same = [](char a, char b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(a) == lower(b);
  };
  if (base.empty()) return true;
  if (host.size() < base.size()) return false;
  if (!std::equal(base.rbegin(), base.rend(), host.rbegin(), same)) return false;
  return host.size() == base.size() || base.front() == '.' ||
         host[host.size() - base.size() - 1] == '.';
}

// The dNSName constraints of a CA.
struct DnsConstraints {
  std::vector<std::string> permitted;
  std::vector<std::string> excluded;
};

Result<void> check_sip_name(const CandidatePath& path, const DnsConstraints& constraints,
                            std::size_t issuer, const std::string& host) {
  const auto any_covers = [&](const std::vector<std::string>& bases) {
    return std::any_of(bases.begin(), bases.end(),
                       [&](const std::string& base) { return within(host, base); });
  };
  const auto& permitted = constraints.permitted;
  if (!any_covers(constraints.excluded) && (permitted.empty() || any_covers(permitted))) return {};
  return path.fail(0, Errc::name_constraint_violated,
                   fmt::format("names sip:{}, which {} does not permit (dNSName constraints hold "
                               "for the host of a SIP URI too)",
                               host, path.describe(issuer)));
}

bool has_name_constraints(const Certificate& certificate) {
  return X509_get_ext_by_NID(certificate.x509(), NID_name_constraints, -1) >= 0;
}

// The value of a certificate's first extension of this kind; empty if there is none.
CBS extension_value(const Certificate& certificate, int nid) {
  CBS out;
  CBS_init(&out, nullptr, 0);
  const int at = X509_get_ext_by_NID(certificate.x509(), nid, -1);
  if (at < 0) return out;
  const ASN1_OCTET_STRING* const value =
      X509_EXTENSION_get_data(X509_get_ext(certificate.x509(), at));
  CBS_init(&out, ASN1_STRING_get0_data(value), static_cast<std::size_t>(ASN1_STRING_length(value)));
  return out;
}

// Elements up to the first that cannot be read.
std::size_t count_elements(CBS list) {
  std::size_t count = 0;
  while (CBS_len(&list) > 0 && CBS_get_any_asn1_element(&list, nullptr, nullptr, nullptr)) ++count;
  return count;
}

std::size_t count_names(const Certificate& certificate) {
  CBS value = extension_value(certificate, NID_subject_alt_name);
  CBS names;
  const auto in_subject =
      static_cast<std::size_t>(X509_NAME_entry_count(X509_get_subject_name(certificate.x509())));
  if (!CBS_get_asn1(&value, &names, CBS_ASN1_SEQUENCE)) return in_subject;
  return in_subject + count_elements(names);
}

std::size_t count_constraints(const Certificate& certificate) {
  CBS value = extension_value(certificate, NID_name_constraints);
  CBS both, subtrees;
  std::size_t count = 0;
  if (!CBS_get_asn1(&value, &both, CBS_ASN1_SEQUENCE)) return count;
  while (CBS_get_any_asn1(&both, &subtrees, nullptr)) count += count_elements(subtrees);
  return count;
}

}  // namespace

Result<void> check_depth(const CandidatePath& path, const TrustLimits& limits) {
  const std::size_t depth = path.size() - 1;
  if (depth <= limits.max_ca_depth) return {};
  return Unexpected(Errc::chain_too_deep,
                    fmt::format("{} CA certificates above the leaf, the trust anchor \"{}\" "
                                "included, and max_ca_depth is {}",
                                depth, path.anchor().subject(), limits.max_ca_depth));
}

Result<void> check_certificates(const CandidatePath& path, const Now& at) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    auto verdict = check_validity(path, i, at);
    if (verdict) verdict = check_extensions(path, i);
    if (verdict) verdict = check_key(path, i);
    if (verdict) verdict = check_signature_strength(path, i);
    if (verdict && i > 0) verdict = check_issuer(path, i);
    if (!verdict) return verdict;
  }
  return {};
}

Result<void> check_usage(const CandidatePath& path, PeerRole role, EkuPolicy policy) {
  X509* const leaf = path.leaf().x509();
  if ((X509_get_extension_flags(leaf) & EXFLAG_KUSAGE) != 0 &&
      (X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE) == 0) {
    return path.fail(0, Errc::key_usage_forbidden, "has a keyUsage without digitalSignature");
  }
  if (policy == EkuPolicy::ignore_client_eku && role == PeerRole::client) return {};
  if (auto verdict = check_purposes(path, 0, role, policy); !verdict) return verdict;
  // A CA that says what it issues for is held to it; what the anchor says is the operator's matter.
  for (std::size_t i = 1; i + 1 < path.size(); ++i) {
    if (auto verdict = check_purposes(path, i, role, EkuPolicy::either); !verdict) return verdict;
  }
  return {};
}

Result<void> NameBudget::spend(const CandidatePath& path) {
  // From the anchor down: the names of each certificate meet the constraints of all above it.
  std::size_t constraints = 0;
  for (std::size_t i = path.size(); i-- > 0;) {
    if (constraints > 0) spent_ += constraints * count_names(path.certificates[i]);
    if (spent_ > kComparisons) {
      return path.fail(
          i, Errc::certificate_invalid,
          fmt::format("has so many names under so many name constraints that the chain asks for "
                      "more than {} comparisons",
                      kComparisons));
    }
    constraints += count_constraints(path.certificates[i]);
  }
  return {};
}

Result<void> check_sip_names(const CandidatePath& path) {
  std::optional<std::vector<Identity>> identities;
  for (std::size_t i = 1; i < path.size(); ++i) {
    if (!has_name_constraints(path.certificates[i])) continue;
    int critical = 0;
    const NameConstraints constraints(static_cast<NAME_CONSTRAINTS*>(
        X509_get_ext_d2i(path.certificates[i].x509(), NID_name_constraints, &critical, nullptr)));
    if (!constraints) {
      return path.fail(i, Errc::certificate_invalid, "has nameConstraints that cannot be read");
    }
    if (!identities) {
      auto read = identities_of(path.leaf(), {});
      if (!read) return path.fail(0, Errc::certificate_invalid, read.error().evidence());
      identities = std::move(*read);
    }
    const DnsConstraints dns{dns_bases(constraints->permittedSubtrees),
                             dns_bases(constraints->excludedSubtrees)};
    for (const auto& identity : *identities) {
      if (identity.source != Identity::Source::sip_uri) continue;
      auto verdict = check_sip_name(path, dns, i, identity.name);
      if (!verdict) return verdict;
    }
  }
  return {};
}

}  // namespace siptls::pki
