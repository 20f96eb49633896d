#include "tls/ssl_library.hpp"

#include <openssl/base.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>

#include "base/os/loaded_library.hpp"
#include "pki/library_check.hpp"
#include "siptls/build_info.hpp"
#include "siptls/version.hpp"

namespace siptls {
namespace tls {

Result<void> check_ssl_library() {
  static const Result<void> verdict = [] {
    if (auto crypto = pki::check_crypto_library(); !crypto) return crypto;
    return pki::check_functions(
        pki::library_function("SSL_CTX_set_custom_verify", &SSL_CTX_set_custom_verify),
        {pki::library_function("SSL_CTX_new", &SSL_CTX_new),
         pki::library_function("SSL_new", &SSL_new),
         pki::library_function("SSL_do_handshake", &SSL_do_handshake),
         pki::library_function("SSL_read", &SSL_read)});
  }();
  return verdict;
}

}  // namespace tls

BuildInfo build_info() {
  BuildInfo info;
  info.version = version();
  info.boringssl_api = BORINGSSL_API_VERSION;
  // A function that only BoringSSL has.
  info.boringssl_file = os::file_of(pki::library_function("", &CRYPTO_BUFFER_new).address);
  const std::string own = os::file_of(pki::library_function("", &build_info).address);
  info.boringssl_linkage = info.boringssl_file == own ? TlsLinkage::inside : TlsLinkage::shared;
  info.release_epoch = release_epoch();
  return info;
}

Result<void> check_tls_library() { return tls::check_ssl_library(); }

}  // namespace siptls
