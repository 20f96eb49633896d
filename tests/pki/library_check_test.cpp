#include "pki/library_check.hpp"

#include <openssl/pool.h>

#include <cstdlib>

#include "catch.hpp"

using namespace siptls;

TEST_CASE("in these tests BoringSSL is BoringSSL", "[pki][library]") {
  CHECK(pki::check_crypto_library());
}

TEST_CASE("a function of another file is found and both files are named", "[pki][library]") {
  const auto verdict =
      pki::check_functions(pki::library_function("CRYPTO_BUFFER_new", &CRYPTO_BUFFER_new),
                           {pki::library_function("CRYPTO_BUFFER_free", &CRYPTO_BUFFER_free),
                            pki::library_function("getenv", &std::getenv)});
  REQUIRE_FALSE(verdict);
  CHECK(verdict.error().reason() == Errc::foreign_tls_library);
  CHECK(verdict.error().evidence().find("getenv") != std::string::npos);
  CHECK(verdict.error().evidence().find("libc") != std::string::npos);
}

TEST_CASE("functions of one file pass", "[pki][library]") {
  CHECK(pki::check_functions(pki::library_function("CRYPTO_BUFFER_new", &CRYPTO_BUFFER_new),
                             {pki::library_function("CRYPTO_BUFFER_free", &CRYPTO_BUFFER_free)}));
}
