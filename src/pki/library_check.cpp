#include "pki/library_check.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <string>
#include <string_view>

#include "base/os/loaded_library.hpp"
#include "pki/boringssl_compat.hpp"

namespace siptls::pki {
namespace {

Result<void> check_version_text() {
  const char* const text = OpenSSL_version(OPENSSL_VERSION);
  const std::string_view version = text != nullptr ? text : "";
  if (version.find("BoringSSL") != std::string_view::npos) return {};
  return Unexpected(Errc::foreign_tls_library,
                    fmt::format("libcrypto in this process calls itself \"{}\", and siptls was "
                                "built for BoringSSL",
                                version));
}

// Another file with functions of BoringSSL's names, whoever loaded it; empty if there is none.
std::string other_tls_library(const std::string& home) {
  // In OpenSSL since 1.1, LibreSSL and BoringSSL; in OpenSSL before that.
  for (const char* const name : {"OpenSSL_version", "SSLeay_version"}) {
    for (const auto& file : os::files_with(name)) {
      if (file != home) return file;
    }
  }
  return {};
}

// The other way round: a BoringSSL that stands in front of the process's OpenSSL takes the calls
// that are meant for it, those of OpenSSL's own libssl too. This code would run well then, and its
// host would not. It does not matter for whom OpenSSL was loaded: the program's names come first
// for all but what was opened with RTLD_DEEPBIND.
Result<void> check_names_of_others(const void* boringssl_only) {
  const std::string home = os::file_of(boringssl_only);
  if (os::file_answering_to("OpenSSL_version") != home) return {};
  const std::string other = other_tls_library(home);
  if (other.empty()) return {};
  return Unexpected(
      Errc::foreign_tls_library,
      fmt::format("{} answers to the names of {}, which this process has too: link OpenSSL before "
                  "siptls, link siptls with a static BoringSSL, or load it as plugin",
                  home, other));
}

Result<void> check_crypto() {
  auto places = check_functions(library_function("CRYPTO_BUFFER_new", &CRYPTO_BUFFER_new),
                                {library_function("OpenSSL_version", &OpenSSL_version),
                                 library_function("X509_verify_cert", &X509_verify_cert),
                                 library_function("X509_STORE_CTX_new", &X509_STORE_CTX_new),
                                 library_function("EVP_PKEY_free", &EVP_PKEY_free),
                                 library_function("EVP_DigestSign", &EVP_DigestSign)});
  if (!places) return places;
  if (auto version = check_version_text(); !version) return version;
  return check_names_of_others(library_function("", &CRYPTO_BUFFER_new).address);
}

}  // namespace

Result<void> check_functions(const LibraryFunction& boringssl_only,
                             std::initializer_list<LibraryFunction> shared_names) {
  const std::string home = os::file_of(boringssl_only.address);
  for (const auto& function : shared_names) {
    const std::string file = os::file_of(function.address);
    if (file == home) continue;
    return Unexpected(
        Errc::foreign_tls_library,
        fmt::format("{} is in {}, but {} is in {}: another TLS library in this process answers to "
                    "BoringSSL's names; link siptls with a static BoringSSL, or load it as plugin",
                    boringssl_only.name, home.empty() ? "an unknown file" : home, function.name,
                    file.empty() ? "an unknown file" : file));
  }
  return {};
}

Result<void> check_crypto_library() {
  static const Result<void> verdict = check_crypto();
  return verdict;
}

}  // namespace siptls::pki
