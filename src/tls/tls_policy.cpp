#include "siptls/tls_policy.hpp"

#include <algorithm>
#include <array>

#include "siptls/cipher_suites.hpp"
#include "tls/library_features.hpp"

namespace siptls {
namespace {

// Forward secrecy and AEAD (RFC 9325 section 4.2); 128 bits first, as its section 4.2.1 has it,
// and ECDSA before RSA because it costs a server a fraction.
constexpr std::array<std::uint16_t, 6> kModernSuites = {0xc02b, 0xc02f, 0xc02c,
                                                        0xc030, 0xcca9, 0xcca8};

// For peers without AEAD: still forward secret. CBC is what RFC 9325 section 4.2 advises against,
// so it stands behind everything else. SHA-256 variants exist only in newer BoringSSL.
constexpr std::array<std::uint16_t, 6> kInteropSuites = {0xc023, 0xc027, 0xc009,
                                                         0xc013, 0xc00a, 0xc014};

// X25519MLKEM768 against recording now and decrypting later (RFC 10024); X25519 and P-256 are what
// everyone has (RFC 9325 section 4.2.1, RFC 9846 section 9.1); P-384 and P-521 also because in
// TLS 1.2 the group list limits the curves of ECDSA certificates (RFC 8422 section 5.1.1).
constexpr std::array<std::uint16_t, 5> kGroups = {0x11ec, 0x001d, 0x0017, 0x0018, 0x0019};

// SHA-256 and better (RFC 9325 section 4.5). The library's own list has neither Ed25519 nor P-521,
// and has RSA with SHA-1. ecdsa_secp256r1_sha256, ed25519, rsa_pss_rsae_sha256, rsa_pkcs1_sha256,
// then the same with longer digests.
constexpr std::array<std::uint16_t, 10> kSignatureSchemes = {
    0x0403, 0x0807, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0603, 0x0806, 0x0601};

template <typename List, typename Condition>
void append_if(std::vector<std::uint16_t>& to, const List& codes, Condition condition) {
  std::copy_if(codes.begin(), codes.end(), std::back_inserter(to), condition);
}

bool has_strength(const CipherSuite& suite, SuiteStrength wanted) noexcept {
  switch (wanted) {
    case SuiteStrength::only_128:
      return suite.strength_bits == 128;
    case SuiteStrength::at_least_128:
      return suite.strength_bits >= 128;
    case SuiteStrength::any:
      break;
  }
  return true;
}

bool has_group(std::uint16_t code) { return tls::library_group_name(code) != nullptr; }

}  // namespace

TlsPolicy TlsPolicy::modern() {
  TlsPolicy policy;
  append_if(policy.cipher_suites, kModernSuites, tls::library_has_suite);
  append_if(policy.groups, kGroups, has_group);
  append_if(policy.signature_schemes, kSignatureSchemes, tls::library_has_signature_scheme);
  return policy;
}

TlsPolicy TlsPolicy::interop() {
  TlsPolicy policy = modern();
  append_if(policy.cipher_suites, kInteropSuites, tls::library_has_suite);
  return policy;
}

TlsPolicy TlsPolicy::img2020() { return img2020(SuiteStrength::any); }

TlsPolicy TlsPolicy::img2020(SuiteStrength strength) {
  TlsPolicy policy = modern();
  policy.max_version = ProtocolVersion::tls1_2;
  // TLS 1.2 has no hybrid groups and never will (RFC 9851).
  policy.groups.erase(std::remove(policy.groups.begin(), policy.groups.end(), 0x11ec),
                      policy.groups.end());
  policy.cipher_suites.clear();
  for (const CipherSuite& suite : siptls::cipher_suites()) {
    // The list's four static RSA suites that the library has are left out: RFC 10015 section 4.
    if (suite.in_img2020_list && suite.status != SuiteStatus::refused &&
        suite.key_exchange == "ECDHE" && has_strength(suite, strength) &&
        tls::library_has_suite(suite.code)) {
      policy.cipher_suites.push_back(suite.code);
    }
  }
  return policy;
}

}  // namespace siptls
