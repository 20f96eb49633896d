#include "siptls/cipher_suites.hpp"

#include <fmt/format.h>

#include <array>

namespace siptls {
namespace {

// What siptls does about a suite, and why.
struct Verdict {
  SuiteStatus status;
  std::string_view reason;
};

// RFC 9325 section 4.2 recommends these for TLS 1.2; RFC 9846 defines those of TLS 1.3.
constexpr Verdict kOffered{SuiteStatus::offered, {}};
constexpr Verdict kCbc{
    SuiteStatus::interop,
    "CBC without encrypt_then_mac should not be used (RFC 9325 section 4.2); for older peers, by a "
    "policy that names it"};
constexpr Verdict kCbcMissing{
    SuiteStatus::refused,
    "CBC without encrypt_then_mac should not be used (RFC 9325 section 4.2), and BoringSSL does "
    "not have this suite"};
constexpr Verdict kStaticRsa{
    SuiteStatus::interop,
    "RSA key transport has no forward secrecy and must not be used (RFC 10015 section 4); in no "
    "preset, only by a policy that names it"};
constexpr Verdict kStaticRsaMissing{
    SuiteStatus::refused,
    "RSA key transport has no forward secrecy and must not be used (RFC 10015 section 4), and "
    "BoringSSL does not have this suite"};
constexpr Verdict kStaticEcdh{
    SuiteStatus::refused,
    "static ECDH has no forward secrecy and should not be used (RFC 10015 section 2)"};
constexpr Verdict kStaticDh{
    SuiteStatus::refused,
    "static finite-field DH has no forward secrecy and must not be used (RFC 10015 section 2)"};
constexpr Verdict kDhe{SuiteStatus::refused,
                       "finite-field DHE must not be used in TLS 1.2 (RFC 10015 section 3)"};
constexpr Verdict kCcm{
    SuiteStatus::refused,
    "BoringSSL does not have this suite; TLS 1.3 does not require it (RFC 9846 section 9.1)"};
constexpr Verdict kSignal{
    SuiteStatus::refused,
    "a signal for secure renegotiation, no suite: honoured, and never chosen (RFC 5746 section "
    "3.3)"};

enum class Img2020 : std::uint8_t { listed, not_listed };
constexpr auto kListed = Img2020::listed;
constexpr auto kNotListed = Img2020::not_listed;

constexpr CipherSuite row(std::uint16_t code, std::string_view name, std::string_view openssl_name,
                          std::string_view key_exchange, std::string_view authentication,
                          std::string_view cipher, std::uint16_t strength_bits, Verdict verdict,
                          Img2020 img2020) {
  return CipherSuite{code,   name,          openssl_name,   key_exchange,   authentication,
                     cipher, strength_bits, verdict.status, verdict.reason, img2020 == kListed};
}

constexpr std::array kSuites = {
    // clang-format off
    // The list of the IMG 2020.
    row(0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE", "RSA", "AES-256-GCM", 256, kOffered, kListed),
    row(0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE", "ECDSA", "AES-256-GCM", 256, kOffered, kListed),
    row(0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "ECDHE-RSA-AES256-SHA384",
        "ECDHE", "RSA", "AES-256-CBC", 256, kCbcMissing, kListed),
    row(0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", "ECDHE-ECDSA-AES256-SHA384",
        "ECDHE", "ECDSA", "AES-256-CBC", 256, kCbcMissing, kListed),
    row(0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA",
        "ECDHE", "RSA", "AES-256-CBC", 256, kCbc, kListed),
    row(0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA",
        "ECDHE", "ECDSA", "AES-256-CBC", 256, kCbc, kListed),
    row(0x00a5, "TLS_DH_DSS_WITH_AES_256_GCM_SHA384", "",
        "static DH", "DSS", "AES-256-GCM", 256, kStaticDh, kListed),
    row(0x00a3, "TLS_DHE_DSS_WITH_AES_256_GCM_SHA384", "DHE-DSS-AES256-GCM-SHA384",
        "DHE", "DSS", "AES-256-GCM", 256, kDhe, kListed),
    row(0x00a1, "TLS_DH_RSA_WITH_AES_256_GCM_SHA384", "",
        "static DH", "RSA", "AES-256-GCM", 256, kStaticDh, kListed),
    row(0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", "DHE-RSA-AES256-GCM-SHA384",
        "DHE", "RSA", "AES-256-GCM", 256, kDhe, kListed),
    row(0x006b, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", "DHE-RSA-AES256-SHA256",
        "DHE", "RSA", "AES-256-CBC", 256, kDhe, kListed),
    row(0x006a, "TLS_DHE_DSS_WITH_AES_256_CBC_SHA256", "DHE-DSS-AES256-SHA256",
        "DHE", "DSS", "AES-256-CBC", 256, kDhe, kListed),
    row(0x0069, "TLS_DH_RSA_WITH_AES_256_CBC_SHA256", "",
        "static DH", "RSA", "AES-256-CBC", 256, kStaticDh, kListed),
    row(0x0068, "TLS_DH_DSS_WITH_AES_256_CBC_SHA256", "",
        "static DH", "DSS", "AES-256-CBC", 256, kStaticDh, kListed),
    row(0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA", "DHE-RSA-AES256-SHA",
        "DHE", "RSA", "AES-256-CBC", 256, kDhe, kListed),
    row(0x0038, "TLS_DHE_DSS_WITH_AES_256_CBC_SHA", "DHE-DSS-AES256-SHA",
        "DHE", "DSS", "AES-256-CBC", 256, kDhe, kListed),
    row(0x0037, "TLS_DH_RSA_WITH_AES_256_CBC_SHA", "",
        "static DH", "RSA", "AES-256-CBC", 256, kStaticDh, kListed),
    row(0x0036, "TLS_DH_DSS_WITH_AES_256_CBC_SHA", "",
        "static DH", "DSS", "AES-256-CBC", 256, kStaticDh, kListed),
    row(0xc032, "TLS_ECDH_RSA_WITH_AES_256_GCM_SHA384", "",
        "static ECDH", "RSA", "AES-256-GCM", 256, kStaticEcdh, kListed),
    row(0xc02e, "TLS_ECDH_ECDSA_WITH_AES_256_GCM_SHA384", "",
        "static ECDH", "ECDSA", "AES-256-GCM", 256, kStaticEcdh, kListed),
    row(0xc02a, "TLS_ECDH_RSA_WITH_AES_256_CBC_SHA384", "",
        "static ECDH", "RSA", "AES-256-CBC", 256, kStaticEcdh, kListed),
    row(0xc026, "TLS_ECDH_ECDSA_WITH_AES_256_CBC_SHA384", "",
        "static ECDH", "ECDSA", "AES-256-CBC", 256, kStaticEcdh, kListed),
    row(0xc00f, "TLS_ECDH_RSA_WITH_AES_256_CBC_SHA", "",
        "static ECDH", "RSA", "AES-256-CBC", 256, kStaticEcdh, kListed),
    row(0xc005, "TLS_ECDH_ECDSA_WITH_AES_256_CBC_SHA", "",
        "static ECDH", "ECDSA", "AES-256-CBC", 256, kStaticEcdh, kListed),
    row(0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384",
        "static RSA", "RSA", "AES-256-GCM", 256, kStaticRsa, kListed),
    row(0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256", "AES256-SHA256",
        "static RSA", "RSA", "AES-256-CBC", 256, kStaticRsaMissing, kListed),
    row(0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA",
        "static RSA", "RSA", "AES-256-CBC", 256, kStaticRsa, kListed),
    row(0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE", "RSA", "AES-128-GCM", 128, kOffered, kListed),
    row(0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE", "ECDSA", "AES-128-GCM", 128, kOffered, kListed),
    row(0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256",
        "ECDHE", "RSA", "AES-128-CBC", 128, kCbc, kListed),
    row(0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "ECDHE-ECDSA-AES128-SHA256",
        "ECDHE", "ECDSA", "AES-128-CBC", 128, kCbc, kListed),
    row(0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA",
        "ECDHE", "RSA", "AES-128-CBC", 128, kCbc, kListed),
    row(0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA",
        "ECDHE", "ECDSA", "AES-128-CBC", 128, kCbc, kListed),
    row(0x00a4, "TLS_DH_DSS_WITH_AES_128_GCM_SHA256", "",
        "static DH", "DSS", "AES-128-GCM", 128, kStaticDh, kListed),
    row(0x00a2, "TLS_DHE_DSS_WITH_AES_128_GCM_SHA256", "DHE-DSS-AES128-GCM-SHA256",
        "DHE", "DSS", "AES-128-GCM", 128, kDhe, kListed),
    row(0x00a0, "TLS_DH_RSA_WITH_AES_128_GCM_SHA256", "",
        "static DH", "RSA", "AES-128-GCM", 128, kStaticDh, kListed),
    row(0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "DHE-RSA-AES128-GCM-SHA256",
        "DHE", "RSA", "AES-128-GCM", 128, kDhe, kListed),
    row(0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", "DHE-RSA-AES128-SHA256",
        "DHE", "RSA", "AES-128-CBC", 128, kDhe, kListed),
    row(0x0040, "TLS_DHE_DSS_WITH_AES_128_CBC_SHA256", "DHE-DSS-AES128-SHA256",
        "DHE", "DSS", "AES-128-CBC", 128, kDhe, kListed),
    row(0x003f, "TLS_DH_RSA_WITH_AES_128_CBC_SHA256", "",
        "static DH", "RSA", "AES-128-CBC", 128, kStaticDh, kListed),
    row(0x003e, "TLS_DH_DSS_WITH_AES_128_CBC_SHA256", "",
        "static DH", "DSS", "AES-128-CBC", 128, kStaticDh, kListed),
    row(0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", "DHE-RSA-AES128-SHA",
        "DHE", "RSA", "AES-128-CBC", 128, kDhe, kListed),
    row(0x0032, "TLS_DHE_DSS_WITH_AES_128_CBC_SHA", "DHE-DSS-AES128-SHA",
        "DHE", "DSS", "AES-128-CBC", 128, kDhe, kListed),
    row(0x0031, "TLS_DH_RSA_WITH_AES_128_CBC_SHA", "",
        "static DH", "RSA", "AES-128-CBC", 128, kStaticDh, kListed),
    row(0x0030, "TLS_DH_DSS_WITH_AES_128_CBC_SHA", "",
        "static DH", "DSS", "AES-128-CBC", 128, kStaticDh, kListed),
    row(0xc031, "TLS_ECDH_RSA_WITH_AES_128_GCM_SHA256", "",
        "static ECDH", "RSA", "AES-128-GCM", 128, kStaticEcdh, kListed),
    row(0xc02d, "TLS_ECDH_ECDSA_WITH_AES_128_GCM_SHA256", "",
        "static ECDH", "ECDSA", "AES-128-GCM", 128, kStaticEcdh, kListed),
    row(0xc029, "TLS_ECDH_RSA_WITH_AES_128_CBC_SHA256", "",
        "static ECDH", "RSA", "AES-128-CBC", 128, kStaticEcdh, kListed),
    row(0xc025, "TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256", "",
        "static ECDH", "ECDSA", "AES-128-CBC", 128, kStaticEcdh, kListed),
    row(0xc00e, "TLS_ECDH_RSA_WITH_AES_128_CBC_SHA", "",
        "static ECDH", "RSA", "AES-128-CBC", 128, kStaticEcdh, kListed),
    row(0xc004, "TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA", "",
        "static ECDH", "ECDSA", "AES-128-CBC", 128, kStaticEcdh, kListed),
    row(0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256",
        "static RSA", "RSA", "AES-128-GCM", 128, kStaticRsa, kListed),
    row(0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256", "AES128-SHA256",
        "static RSA", "RSA", "AES-128-CBC", 128, kStaticRsaMissing, kListed),
    row(0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA",
        "static RSA", "RSA", "AES-128-CBC", 128, kStaticRsa, kListed),
    row(0x00ff, "TLS_EMPTY_RENEGOTIATION_INFO_SCSV", "",
        "none", "none", "none", 0, kSignal, kListed),
    // TLS 1.3 and the ChaCha20 suites (RFC 9846 appendix B.4, RFC 7905).
    row(0x1301, "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256",
        "any", "any", "AES-128-GCM", 128, kOffered, kNotListed),
    row(0x1302, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384",
        "any", "any", "AES-256-GCM", 256, kOffered, kNotListed),
    row(0x1303, "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256",
        "any", "any", "CHACHA20-POLY1305", 256, kOffered, kNotListed),
    row(0x1304, "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_SHA256",
        "any", "any", "AES-128-CCM", 128, kCcm, kNotListed),
    row(0x1305, "TLS_AES_128_CCM_8_SHA256", "TLS_AES_128_CCM_8_SHA256",
        "any", "any", "AES-128-CCM-8", 128, kCcm, kNotListed),
    row(0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE", "RSA", "CHACHA20-POLY1305", 256, kOffered, kNotListed),
    row(0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE", "ECDSA", "CHACHA20-POLY1305", 256, kOffered, kNotListed),
    row(0xccaa, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "DHE-RSA-CHACHA20-POLY1305",
        "DHE", "RSA", "CHACHA20-POLY1305", 256, kDhe, kNotListed),
    // clang-format on
};

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr bool equal_in_any_case(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

constexpr bool codes_and_names_are_unique() {
  for (std::size_t i = 0; i < kSuites.size(); ++i) {
    for (std::size_t j = i + 1; j < kSuites.size(); ++j) {
      if (kSuites[i].code == kSuites[j].code || kSuites[i].name == kSuites[j].name) return false;
    }
  }
  return true;
}
static_assert(codes_and_names_are_unique());
static_assert(kSuites[54].in_img2020_list && !kSuites[55].in_img2020_list);

struct GroupRow {
  std::uint16_t code;
  std::string_view name;
};
// The registry of RFC 8422 and RFC 7919, with the hybrids of RFC 10024.
constexpr std::array<GroupRow, 18> kGroups = {{{0x0015, "P-224"},
                                               {0x0017, "P-256"},
                                               {0x0018, "P-384"},
                                               {0x0019, "P-521"},
                                               {0x001a, "brainpoolP256r1"},
                                               {0x001b, "brainpoolP384r1"},
                                               {0x001c, "brainpoolP512r1"},
                                               {0x001d, "X25519"},
                                               {0x001e, "X448"},
                                               {0x0100, "ffdhe2048"},
                                               {0x0101, "ffdhe3072"},
                                               {0x0102, "ffdhe4096"},
                                               {0x0103, "ffdhe6144"},
                                               {0x0104, "ffdhe8192"},
                                               {0x11eb, "SecP256r1MLKEM768"},
                                               {0x11ec, "X25519MLKEM768"},
                                               {0x11ed, "SecP384r1MLKEM1024"},
                                               {0x6399, "X25519Kyber768Draft00"}}};

}  // namespace

std::span<const CipherSuite> cipher_suites() noexcept { return kSuites; }

const CipherSuite* find_cipher_suite(std::uint16_t code) noexcept {
  for (const CipherSuite& suite : kSuites) {
    if (suite.code == code) return &suite;
  }
  return nullptr;
}

const CipherSuite* find_cipher_suite(std::string_view name) noexcept {
  if (name.empty()) return nullptr;
  for (const CipherSuite& suite : kSuites) {
    if (equal_in_any_case(suite.name, name) || equal_in_any_case(suite.openssl_name, name)) {
      return &suite;
    }
  }
  return nullptr;
}

std::string cipher_suite_name(std::uint16_t code) {
  const CipherSuite* suite = find_cipher_suite(code);
  return suite != nullptr ? std::string(suite->name) : fmt::format("0x{:04X}", code);
}

std::string group_name(std::uint16_t code) {
  for (const GroupRow& group : kGroups) {
    if (group.code == code) return std::string(group.name);
  }
  return fmt::format("0x{:04X}", code);
}

}  // namespace siptls
