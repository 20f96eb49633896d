// A host that uses OpenSSL 3 itself. Prints which library its own calls reach and what siptls says;
// succeeds if its OpenSSL works before and after. Sees OpenSSL's headers and siptls' public ones.
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <cstdio>
#include <string_view>

#include "siptls/build_info.hpp"
#include "siptls/trust_store.hpp"

#ifdef OPENSSL_IS_BORINGSSL
#error "this program is to see OpenSSL's headers"
#endif

// A digest by functions of which BoringSSL has some and not others.
static bool openssl_works() {
  EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  const bool made =
      sha256 != nullptr && EVP_Digest("abc", 3, digest, &size, sha256, nullptr) == 1 && size == 32;
  EVP_MD_free(sha256);
  return made && digest[0] == 0xba && digest[31] == 0xad;
}

static bool host_runs_on_openssl() {
  const std::string_view version = OpenSSL_version(OPENSSL_VERSION);
  std::printf("host: %s\n", version.data());
  std::fflush(stdout);
  return version.rfind("OpenSSL 3", 0) == 0 && openssl_works();
}

int main() {
  if (!host_runs_on_openssl()) return 1;
  const auto standing = siptls::check_tls_library();
  const auto refused = siptls::TrustStore::from_pem("");
  if (refused) return 1;
  const siptls::BuildInfo info = siptls::build_info();
  std::printf("siptls %.*s, BoringSSL API %u in %s: ", static_cast<int>(info.version.size()),
              info.version.data(), info.boringssl_api, info.boringssl_file.c_str());
  // Without BoringSSL everything is refused for that reason; with it an empty text is just empty.
  if (!standing) std::printf("%s\n", standing.error().message().c_str());
  const auto expected = standing ? siptls::Errc::pem_empty : standing.error().reason();
  if (refused.error().reason() != expected) return 1;
  if (standing) std::printf("runs on it\n");
  std::fflush(stdout);
  return host_runs_on_openssl() ? 0 : 1;
}
