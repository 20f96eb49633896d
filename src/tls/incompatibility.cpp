#include "tls/incompatibility.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "siptls/cipher_suites.hpp"
#include "tls/library_features.hpp"

namespace siptls::tls {
namespace {

using Codes = std::vector<std::uint16_t>;

// A hello may list hundreds; more than this nobody reads.
constexpr std::size_t kMaxListed = 80;

template <typename List, typename Name>
std::string join(const List& items, Name name) {
  if (items.empty()) return "none";
  std::string text;
  std::size_t count = 0;
  for (const auto& item : items) {
    if (count == kMaxListed) return text + fmt::format(" and {} more", items.size() - count);
    if (count++ > 0) text += ", ";
    text += name(item);
  }
  return text;
}

bool contains(const Codes& codes, std::uint16_t code) noexcept {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

template <typename Condition>
bool any_shared(const Codes& ours, const Codes& theirs, Condition condition) {
  return std::any_of(ours.begin(), ours.end(),
                     [&](std::uint16_t code) { return contains(theirs, code) && condition(code); });
}

bool fits_key(std::uint16_t suite, CertificateKey key) noexcept {
  const CipherSuite* known = find_cipher_suite(suite);
  if (known == nullptr) return false;
  if (known->authentication == "any") return true;
  return key == CertificateKey::rsa ? known->authentication == "RSA"
                                    : known->authentication == "ECDSA";
}

std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text.substr(0, 32)) result += c >= ' ' && c <= '~' ? c : '?';
  return result;
}

// The suites that may be chosen for this peer. Those of TLS 1.3 are in no policy: BoringSSL has
// these three.
Codes allowed_suites(const ClientHello& offered, const TlsPolicy& policy) {
  Codes allowed;
  if (policy.max_version == ProtocolVersion::tls1_3 && offered.offers_version(TLS1_3_VERSION)) {
    allowed = {0x1301, 0x1302, 0x1303};
  }
  if (policy.min_version == ProtocolVersion::tls1_2 && offered.offers_version(TLS1_2_VERSION)) {
    allowed.insert(allowed.end(), policy.cipher_suites.begin(), policy.cipher_suites.end());
  }
  return allowed;
}

std::string_view status_name(SuiteStatus status) noexcept {
  switch (status) {
    case SuiteStatus::offered:
      return " (offered)";
    case SuiteStatus::interop:
      return " (interop)";
    case SuiteStatus::refused:
      break;
  }
  return " (refused)";
}

// Why this suite was not taken; empty if it is no obstacle.
std::string_view objection_to(std::uint16_t code, const Codes& allowed, CertificateKey key) {
  if (contains(allowed, code)) {
    return fits_key(code, key) ? "" : "not for the key of this side's certificate";
  }
  const CipherSuite* suite = find_cipher_suite(code);
  if (suite == nullptr) return "not in the catalogue";
  if (suite->status == SuiteStatus::interop && !library_has_suite(code)) {
    return "this BoringSSL does not have it";
  }
  if (!suite->reason.empty()) return suite->reason;
  return suite->key_exchange == "any" ? "of TLS 1.3, which is not negotiated here"
                                      : "not in this policy";
}

// Why the suites that the peer offers were not taken: the status in the catalogue and each reason
// once, with how many it concerns.
std::string blocked_by(const Codes& offered, const Codes& allowed, CertificateKey key) {
  struct Reason {
    std::string_view text;
    std::string example;
    std::size_t count = 0;
  };
  std::vector<Reason> reasons;
  for (const std::uint16_t code : offered) {
    const CipherSuite* suite = find_cipher_suite(code);
    const std::string_view text = objection_to(code, allowed, key);
    // The signal beside suites stands in nobody's way.
    const bool signal = suite != nullptr && suite->strength_bits == 0 && offered.size() > 1;
    if (text.empty() || signal) continue;
    const auto known = std::find_if(reasons.begin(), reasons.end(),
                                    [&](const Reason& reason) { return reason.text == text; });
    if (known != reasons.end()) {
      ++known->count;
      continue;
    }
    std::string example = cipher_suite_name(code);
    if (suite != nullptr) example += status_name(suite->status);
    reasons.push_back({text, std::move(example), 1});
  }
  std::string text;
  for (const Reason& reason : reasons) {
    text += reason.count == 1 ? fmt::format("; {}: {}", reason.example, reason.text)
                              : fmt::format("; {} and {} like it: {}", reason.example,
                                            reason.count - 1, reason.text);
  }
  return text;
}

std::string_view key_name(CertificateKey key) noexcept {
  switch (key) {
    case CertificateKey::rsa:
      return "an RSA key";
    case CertificateKey::ecdsa:
      return "an ECDSA key";
    case CertificateKey::ed25519:
      return "an Ed25519 key";
    case CertificateKey::none:
      break;
  }
  return "no key";
}

std::string describe_versions(const ClientHello& offered, const TlsPolicy& policy) {
  return fmt::format(
      "the peer offers {}; this side allows {} to {} (TLS 1.1 and older must not be used, RFC "
      "8996)",
      join(offered.versions, version_name), to_string(policy.min_version),
      to_string(policy.max_version));
}

}  // namespace

std::string describe_groups(const Codes& codes) { return join(codes, group_name); }
std::string describe_suites(const Codes& codes) { return join(codes, cipher_suite_name); }

std::string describe_incompatibility(Errc reason, const ClientHello& offered,
                                     const TlsPolicy& policy, CertificateKey key) {
  switch (reason) {
    case Errc::protocol_version_unsupported:
      return describe_versions(offered, policy);
    case Errc::no_common_cipher_suite: {
      const Codes allowed = allowed_suites(offered, policy);
      return fmt::format("the peer offers {}; this side allows {}, with {}{}",
                         describe_suites(offered.suites), describe_suites(allowed), key_name(key),
                         blocked_by(offered.suites, allowed, key));
    }
    case Errc::no_common_group:
      return fmt::format("the peer offers the groups {}; this side allows {}, with {}",
                         describe_groups(offered.groups), describe_groups(policy.groups),
                         key_name(key));
    case Errc::no_common_signature_algorithm:
      return fmt::format("the peer accepts signatures by {}; this side allows {}, with {}",
                         join(offered.signature_schemes, signature_scheme_name),
                         join(policy.signature_schemes, signature_scheme_name), key_name(key));
    case Errc::no_common_application_protocol:
      return fmt::format("the peer offers {}; this side speaks sip/2",
                         join(offered.protocols, printable));
    default:
      return {};
  }
}

bool can_sign(CertificateKey key, std::uint16_t scheme) noexcept {
  switch (key) {
    case CertificateKey::rsa:
      return (scheme & 0xff) == 0x01 || (scheme >= 0x0804 && scheme <= 0x0806);
    case CertificateKey::ecdsa:
      return (scheme & 0xff) == 0x03 && scheme < 0x0700;
    case CertificateKey::ed25519:
      return scheme == 0x0807;
    case CertificateKey::none:
      break;
  }
  return false;
}

Errc refine_no_shared_suite(const ClientHello& offered, const TlsPolicy& policy, CertificateKey key,
                            ProtocolVersion version) {
  if (version == ProtocolVersion::tls1_3) return Errc::no_common_cipher_suite;
  const bool shared_suite = any_shared(policy.cipher_suites, offered.suites,
                                       [&](std::uint16_t code) { return fits_key(code, key); });
  if (!shared_suite) return Errc::no_common_cipher_suite;
  // BoringSSL uses ECDHE with nobody who names no groups, and newer versions say so themselves.
  const Codes& groups = offered.groups;
  if (groups.empty() || !any_shared(policy.groups, groups, [](std::uint16_t) { return true; })) {
    return Errc::no_common_group;
  }
  if (!offered.signature_schemes.empty() &&
      !any_shared(policy.signature_schemes, offered.signature_schemes,
                  [&](std::uint16_t scheme) { return can_sign(key, scheme); })) {
    return Errc::no_common_signature_algorithm;
  }
  return Errc::no_common_cipher_suite;
}

}  // namespace siptls::tls
