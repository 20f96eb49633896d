#include "siptls/cipher_suites.hpp"

#include <openssl/ssl.h>

#include <algorithm>

#include "catch.hpp"

using namespace siptls;

TEST_CASE("The catalogue begins with the 55 entries of the IMG 2020 in their order") {
  const auto all = cipher_suites();
  REQUIRE(all.size() > 55);
  for (std::size_t i = 0; i < all.size(); ++i) {
    CAPTURE(all[i].name);
    CHECK(all[i].in_img2020_list == (i < 55));
  }
  CHECK(all[0].code == 0xc030);
  CHECK(all[1].code == 0xc02c);
  CHECK(all[24].name == "TLS_RSA_WITH_AES_256_GCM_SHA384");
  CHECK(all[27].code == 0xc02f);
  CHECK(all[53].code == 0x002f);
  CHECK(all[54].name == "TLS_EMPTY_RENEGOTIATION_INFO_SCSV");
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

TEST_CASE("Codes have names even where the catalogue has none") {
  CHECK(cipher_suite_name(0x1301) == "TLS_AES_128_GCM_SHA256");
  CHECK(cipher_suite_name(0x000a) == "0x000A");
  CHECK(group_name(0x001d) == "X25519");
  CHECK(group_name(0x11ec) == "X25519MLKEM768");
  CHECK(group_name(0xfffe) == "0xFFFE");
}
