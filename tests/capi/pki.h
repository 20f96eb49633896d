// Certificates for the tests that are written in C, and a signer who holds their keys. They are
// made when they are first asked for; what is shown is static.
#ifndef SIPTLS_TESTS_CAPI_PKI_H
#define SIPTLS_TESTS_CAPI_PKI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pki_owner {
  PKI_ALPHA,          // alpha.example: leaf, one intermediate, root
  PKI_ALPHA_RENEWED,  // the same name, another key
  PKI_ALPHA_EXPIRED,  // until 2025-01-01
  PKI_BETA,           // beta.example, by the same intermediate
  PKI_GAMMA,          // gamma.example, likewise
  PKI_STRANGER,       // alpha.example, by a root of its own
  PKI_SERVER_ONLY,    // alpha.example, for servers alone
  PKI_WILDCARD,       // *.alpha.example as a DNS name
  PKI_COMMON_NAME,    // alpha.example, with no subjectAltName
  PKI_OWNERS
};

const char* pki_root(void);           // PEM
const char* pki_stranger_root(void);  // PEM
const char* pki_key(enum pki_owner owner);
// PBES2, with the passphrase "secret".
const char* pki_encrypted_key(enum pki_owner owner);
// Leaf and intermediate.
const char* pki_chain(enum pki_owner owner);
// The certificate at that place of the chain, as DER; NULL behind its end.
const void* pki_der(enum pki_owner owner, size_t index, size_t* size);
const void* pki_root_der(size_t* size);
// CRLs of root and intermediate, valid now, which name one owner's certificate.
const char* pki_crls(enum pki_owner revoked);
// A response that says "good", valid now.
const void* pki_ocsp_response(enum pki_owner owner, size_t* size);

// Signs as ecdsa_secp256r1_sha256 (0x0403) is signed. Gives the signature's size, 0 if there was no
// room.
size_t pki_sign(enum pki_owner owner, const void* input, size_t input_size, void* signature,
                size_t room);

// The seconds of now since 1970, for certificates.
int64_t pki_now(void);

#ifdef __cplusplus
}
#endif

#endif
