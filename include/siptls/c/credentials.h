/* Credentials: a private key and the certificate chain that goes with it, checked to belong
 * together (privateKey.pem and publickey.pem). Immutable; may be shared by contexts and threads.
 * credentials.hpp says which kinds of key there are and which errors.
 */
#ifndef SIPTLS_C_CREDENTIALS_H
#define SIPTLS_C_CREDENTIALS_H

#include "siptls/c/trust_store.h"

typedef struct siptls_credentials siptls_credentials;

/* Asked for the passphrase of an encrypted key while it is loaded: writes it into `buffer` and
 * returns its length; -1 if there is none or it does not fit. Called synchronously; must not call
 * the library. The buffer is wiped afterwards. */
typedef int (*siptls_passphrase_source)(void* context, char* buffer, size_t size);

/* What is done about a key file that others than its owner can read. */
enum siptls_key_file_policy { SIPTLS_KEY_FILE_WARN = 0, SIPTLS_KEY_FILE_STRICT = 1 };

/* `passphrase` may be NULL. */
SIPTLS_C_API int siptls_credentials_from_pem(const char* key, size_t key_size, const char* chain,
                                             size_t chain_size, siptls_passphrase_source passphrase,
                                             void* passphrase_context,
                                             siptls_credentials** credentials, siptls_error* error);
SIPTLS_C_API int siptls_credentials_from_pem_files(const char* key_path, const char* chain_path,
                                                   siptls_passphrase_source passphrase,
                                                   void* passphrase_context,
                                                   uint32_t key_file_policy,
                                                   siptls_credentials** credentials,
                                                   siptls_error* error);
/* The private key is held elsewhere: what needs a signature asks for it
 * (SIPTLS_EVENT_SIGNATURE_WANTED) and names the key by `key_id`. */
SIPTLS_C_API int siptls_credentials_from_external_key(const char* key_id, const char* chain,
                                                      size_t chain_size,
                                                      siptls_credentials** credentials,
                                                      siptls_error* error);
/* New credentials with an OCSP response (DER) that servers staple; an empty one takes the old one
 * away. */
SIPTLS_C_API int siptls_credentials_with_ocsp_response(const siptls_credentials* credentials,
                                                       const void* der, size_t der_size,
                                                       siptls_credentials** stapling,
                                                       siptls_error* error);
SIPTLS_C_API void siptls_credentials_free(siptls_credentials* credentials);

/* Leaf first. */
SIPTLS_C_API size_t siptls_credentials_certificate_count(const siptls_credentials* credentials);
SIPTLS_C_API int siptls_credentials_certificate(const siptls_credentials* credentials, size_t index,
                                                siptls_certificate* certificate);
/* What the leaf proves. */
SIPTLS_C_API size_t siptls_credentials_identity_count(const siptls_credentials* credentials);
SIPTLS_C_API int siptls_credentials_identity(const siptls_credentials* credentials, size_t index,
                                             siptls_identity* identity);
/* What an operator should know, such as a key file that others can read: 1 and `warning` set, or 0
 * when there is no such index. */
SIPTLS_C_API int siptls_credentials_warning(const siptls_credentials* credentials, size_t index,
                                            siptls_error* warning);

#endif
