// The differences between the BoringSSL versions that siptls supports (API 17 to 43), in one place.
// src/tls includes it too. Nothing else in the library asks for the API version.
#pragma once

#include <openssl/base.h>
#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#if !defined(OPENSSL_IS_BORINGSSL)
#error "siptls needs BoringSSL; these headers are another library's"
#endif

namespace siptls::pki {

// Leaves BoringSSL's error queue as it was found. Verification runs inside handshakes, and whoever
// reads the queue after a handshake must find the handshake's errors there and no others.
class ErrorQueueScope {
 public:
  ErrorQueueScope() { ERR_set_mark(); }
  ErrorQueueScope(const ErrorQueueScope&) = delete;
  ErrorQueueScope& operator=(const ErrorQueueScope&) = delete;
  ~ErrorQueueScope() { ERR_pop_to_mark(); }
};

// Verification without X509_STORE: `trusted` are the only certificates that may end a path. It must
// outlive the verification.
inline void set_trusted_stack(X509_STORE_CTX* context, STACK_OF(X509) * trusted) {
#if BORINGSSL_API_VERSION >= 18
  X509_STORE_CTX_set0_trusted_stack(context, trusted);
#else
  X509_STORE_CTX_trusted_stack(context, trusted);
#endif
}

// What a path verification needs: any entry may be the anchor. Newer versions also process
// certificate policies, always; API 17 does so with X509_V_FLAG_POLICY_CHECK only and then refuses
// paths that are good (NIST PKITS 4.9.4 is one). SIP has no use for policies, so it is not set.
// NOLINTBEGIN(misc-redundant-expression): flags without effect are 0 in newer versions
inline constexpr unsigned long kVerifyFlags =
    X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_X509_STRICT;
// NOLINTEND(misc-redundant-expression)

// The public key of a certificate; null where BoringSSL cannot read it.
inline bssl::UniquePtr<EVP_PKEY> public_key(const X509* certificate) {
  // API 17 takes a non-const pointer and only reads.
  return bssl::UniquePtr<EVP_PKEY>(X509_get_pubkey(const_cast<X509*>(certificate)));
}

}  // namespace siptls::pki
