// What a host does with OpenSSL itself: mutual TLS between two ends in memory. No file of this
// folder sees both OpenSSL's headers and siptls'.
#ifndef SIPTLS_TESTS_BESIDE_OPENSSL_HALF_H
#define SIPTLS_TESTS_BESIDE_OPENSSL_HALF_H

typedef struct openssl_half openssl_half;

// `begin` leaves a handshake half done, `finish` ends it, sends something and frees it. Each gives
// NULL or what went wrong. `folder` has what siptls-pki makes.
typedef struct openssl_calls {
  const char* (*begin)(openssl_half** half, const char* folder);
  const char* (*finish)(openssl_half* half);
  // Writes a ClientHello, and gives its length.
  int (*hello)(unsigned char* record, int room);
} openssl_calls;

// Linked to the host, or by its name in a module that the host loads later.
#define OPENSSL_HALF "openssl_half_calls"
extern const openssl_calls* openssl_half_calls(void) __attribute__((weak, visibility("default")));

#endif
