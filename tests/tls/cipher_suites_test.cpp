#include "siptls/cipher_suites.hpp"

#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "catch.hpp"

using namespace siptls;

namespace {

struct Listed {
  std::uint16_t code;
  std::string_view name;
  std::string_view openssl_name;  // empty where OpenSSL 3 has no such suite
};
// The list of the IMG 2020, with the codes of IANA's registry.
constexpr std::array<Listed, 55> kListed = {{
    // clang-format off
    {0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
    {0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "ECDHE-RSA-AES256-SHA384"},
    {0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", "ECDHE-ECDSA-AES256-SHA384"},
    {0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"},
    {0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"},
    {0x00a5, "TLS_DH_DSS_WITH_AES_256_GCM_SHA384", ""},
    {0x00a3, "TLS_DHE_DSS_WITH_AES_256_GCM_SHA384", "DHE-DSS-AES256-GCM-SHA384"},
    {0x00a1, "TLS_DH_RSA_WITH_AES_256_GCM_SHA384", ""},
    {0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", "DHE-RSA-AES256-GCM-SHA384"},
    {0x006b, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", "DHE-RSA-AES256-SHA256"},
    {0x006a, "TLS_DHE_DSS_WITH_AES_256_CBC_SHA256", "DHE-DSS-AES256-SHA256"},
    {0x0069, "TLS_DH_RSA_WITH_AES_256_CBC_SHA256", ""},
    {0x0068, "TLS_DH_DSS_WITH_AES_256_CBC_SHA256", ""},
    {0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA", "DHE-RSA-AES256-SHA"},
    {0x0038, "TLS_DHE_DSS_WITH_AES_256_CBC_SHA", "DHE-DSS-AES256-SHA"},
    {0x0037, "TLS_DH_RSA_WITH_AES_256_CBC_SHA", ""},
    {0x0036, "TLS_DH_DSS_WITH_AES_256_CBC_SHA", ""},
    {0xc032, "TLS_ECDH_RSA_WITH_AES_256_GCM_SHA384", ""},
    {0xc02e, "TLS_ECDH_ECDSA_WITH_AES_256_GCM_SHA384", ""},
    {0xc02a, "TLS_ECDH_RSA_WITH_AES_256_CBC_SHA384", ""},
    {0xc026, "TLS_ECDH_ECDSA_WITH_AES_256_CBC_SHA384", ""},
    {0xc00f, "TLS_ECDH_RSA_WITH_AES_256_CBC_SHA", ""},
    {0xc005, "TLS_ECDH_ECDSA_WITH_AES_256_CBC_SHA", ""},
    {0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384"},
    {0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256", "AES256-SHA256"},
    {0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA"},
    {0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
    {0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256"},
    {0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "ECDHE-ECDSA-AES128-SHA256"},
    {0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"},
    {0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"},
    {0x00a4, "TLS_DH_DSS_WITH_AES_128_GCM_SHA256", ""},
    {0x00a2, "TLS_DHE_DSS_WITH_AES_128_GCM_SHA256", "DHE-DSS-AES128-GCM-SHA256"},
    {0x00a0, "TLS_DH_RSA_WITH_AES_128_GCM_SHA256", ""},
    {0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "DHE-RSA-AES128-GCM-SHA256"},
    {0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", "DHE-RSA-AES128-SHA256"},
    {0x0040, "TLS_DHE_DSS_WITH_AES_128_CBC_SHA256", "DHE-DSS-AES128-SHA256"},
    {0x003f, "TLS_DH_RSA_WITH_AES_128_CBC_SHA256", ""},
    {0x003e, "TLS_DH_DSS_WITH_AES_128_CBC_SHA256", ""},
    {0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", "DHE-RSA-AES128-SHA"},
    {0x0032, "TLS_DHE_DSS_WITH_AES_128_CBC_SHA", "DHE-DSS-AES128-SHA"},
    {0x0031, "TLS_DH_RSA_WITH_AES_128_CBC_SHA", ""},
    {0x0030, "TLS_DH_DSS_WITH_AES_128_CBC_SHA", ""},
    {0xc031, "TLS_ECDH_RSA_WITH_AES_128_GCM_SHA256", ""},
    {0xc02d, "TLS_ECDH_ECDSA_WITH_AES_128_GCM_SHA256", ""},
    {0xc029, "TLS_ECDH_RSA_WITH_AES_128_CBC_SHA256", ""},
    {0xc025, "TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256", ""},
    {0xc00e, "TLS_ECDH_RSA_WITH_AES_128_CBC_SHA", ""},
    {0xc004, "TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA", ""},
    {0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256"},
    {0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256", "AES128-SHA256"},
    {0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA"},
    {0x00ff, "TLS_EMPTY_RENEGOTIATION_INFO_SCSV", ""},
    // clang-format on
}};

}  // namespace

TEST_CASE("The catalogue begins with the 55 entries of the IMG 2020 in their order") {
  const auto all = cipher_suites();
  REQUIRE(all.size() > kListed.size());
  for (std::size_t i = 0; i < kListed.size(); ++i) {
    CAPTURE(i);
    CHECK(all[i].code == kListed[i].code);
    CHECK(all[i].name == kListed[i].name);
    CHECK(all[i].openssl_name == kListed[i].openssl_name);
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    CAPTURE(all[i].name);
    CHECK(all[i].in_img2020_list == (i < 55));
  }
  CHECK(all[54].strength_bits == 0);
}

TEST_CASE("What is not offered has a reason that names its source, and what is offered has none") {
  for (const CipherSuite& suite : cipher_suites()) {
    CAPTURE(suite.name);
    CHECK(suite.reason.empty() == (suite.status == SuiteStatus::offered));
    if (!suite.reason.empty()) CHECK(suite.reason.find("RFC ") != std::string_view::npos);
    if (suite.status == SuiteStatus::offered) {
      CHECK(suite.strength_bits >= 128);
      CHECK(suite.key_exchange != "static RSA");
      CHECK(suite.cipher.find("CBC") == std::string_view::npos);
    }
  }
}

TEST_CASE("Of the 54 suites of the IMG 2020, 4 are offered and none without forward secrecy") {
  const auto all = cipher_suites();
  const auto count = [&](SuiteStatus status) {
    return std::count_if(all.begin(), all.begin() + 54,
                         [&](const CipherSuite& suite) { return suite.status == status; });
  };
  CHECK(count(SuiteStatus::offered) == 4);
  // ECDHE with CBC, and static RSA by name only.
  CHECK(count(SuiteStatus::interop) == 10);
  CHECK(count(SuiteStatus::refused) == 40);
}

TEST_CASE("The names and codes are those of the TLS library wherever it knows the suite") {
  std::size_t known = 0;
  for (const CipherSuite& suite : cipher_suites()) {
    const SSL_CIPHER* cipher = SSL_get_cipher_by_value(suite.code);
    if (cipher == nullptr) continue;
    ++known;
    CAPTURE(suite.name);
    CHECK(suite.name == SSL_CIPHER_standard_name(cipher));
    CHECK(suite.strength_bits == SSL_CIPHER_get_bits(cipher, nullptr));
    CHECK(suite.status != SuiteStatus::refused);
    if (suite.key_exchange != "any") CHECK(suite.openssl_name == SSL_CIPHER_get_name(cipher));
  }
  CHECK(known >= 17);
}

TEST_CASE("Suites are found by code, by IANA name and by OpenSSL name, in any case") {
  const CipherSuite* suite = find_cipher_suite(std::uint16_t{0xc02b});
  REQUIRE(suite != nullptr);
  CHECK(suite->name == "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
  CHECK(find_cipher_suite("tls_ecdhe_ecdsa_with_aes_128_gcm_sha256") == suite);
  CHECK(find_cipher_suite("ECDHE-ECDSA-AES128-GCM-SHA256") == suite);
  CHECK(find_cipher_suite("ecdhe-ecdsa-aes128-gcm-sha256") == suite);
  CHECK(find_cipher_suite("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA25") == nullptr);
  CHECK(find_cipher_suite("") == nullptr);
  CHECK(find_cipher_suite(std::uint16_t{0x0a0a}) == nullptr);
}

TEST_CASE("Every entry of the catalogue is found by its code and by each of its names") {
  const auto upper = [](std::string text) {
    for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return text;
  };
  for (const CipherSuite& suite : cipher_suites()) {
    CAPTURE(suite.name);
    CHECK(find_cipher_suite(suite.code) == &suite);
    CHECK(find_cipher_suite(suite.name) == &suite);
    CHECK(find_cipher_suite(upper(std::string(suite.name))) == &suite);
    if (suite.openssl_name.empty()) continue;
    CHECK(find_cipher_suite(suite.openssl_name) == &suite);
    // No other entry has it.
    CHECK(std::count_if(cipher_suites().begin(), cipher_suites().end(),
                        [&](const CipherSuite& other) {
                          return other.openssl_name == suite.openssl_name;
                        }) == 1);
  }
}

TEST_CASE("Codes have names even where the catalogue has none") {
  CHECK(cipher_suite_name(0x1301) == "TLS_AES_128_GCM_SHA256");
  CHECK(cipher_suite_name(0x000a) == "0x000A");
  CHECK(group_name(0x001d) == "X25519");
  CHECK(group_name(0x11ec) == "X25519MLKEM768");
  CHECK(group_name(0xfffe) == "0xFFFE");
}
