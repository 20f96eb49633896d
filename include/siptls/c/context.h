/* Contexts: credentials, trust store and policy, put together and checked once. Immutable; shared
 * by listeners, connections and threads. To change certificates, make a new one and hand it to
 * siptls_transport_update_*().
 */
#ifndef SIPTLS_C_CONTEXT_H
#define SIPTLS_C_CONTEXT_H

#include "siptls/c/credentials.h"
#include "siptls/c/policy.h"
#include "siptls/c/trust_store.h"

/* The keys that protect a server's session tickets, where several contexts, processes or machines
 * shall accept each other's. Thread-safe. ticket_key_ring.hpp tells more. */
typedef struct siptls_ticket_keys siptls_ticket_keys;

/* `keys` are kept to open tickets, the newest included: 2. */
SIPTLS_C_API int siptls_ticket_keys_new(uint64_t rotate_after_seconds, size_t keys,
                                        siptls_ticket_keys** ring, siptls_error* error);
SIPTLS_C_API int siptls_ticket_keys_rotate(siptls_ticket_keys* ring, siptls_error* error);
/* All keys, newest first. DANGEROUS: the octets are the keys; whoever has them keeps them from
 * others and wipes them after use. Writes at most `size` octets, and the number that there are to
 * `written`; SIPTLS_E_INVALID_ARGUMENT if they do not fit. */
SIPTLS_C_API int siptls_ticket_keys_export(siptls_ticket_keys* ring, void* buffer, size_t size,
                                           size_t* written, siptls_error* error);
SIPTLS_C_API int siptls_ticket_keys_import(siptls_ticket_keys* ring, const void* exported,
                                           size_t exported_size, siptls_error* error);
SIPTLS_C_API void siptls_ticket_keys_free(siptls_ticket_keys* ring);

/* Receives one line in NSS key log format for each secret; text without NUL. Must not call the
 * library. */
typedef void (*siptls_key_log)(void* context, const char* line, size_t size);

typedef struct siptls_context_config {
  size_t size;
  const siptls_credentials* credentials; /* needed by every server; NULL: none */
  /* More of them for a server with several names (RFC 6066 section 3). */
  const siptls_credentials* const* more_credentials;
  size_t more_credentials_count;
  const siptls_trust_store* trust; /* NULL: trusts nobody */
  const siptls_policy* policy;     /* NULL: SIPTLS_PRESET_MODERN */
  /* Identities that are let in; NULL: all that the trust store proves. A list that is there and
   * empty is SIPTLS_E_INVALID_ARGUMENT. With one a server requires a certificate of its clients
   * where the policy only requests it, and cannot be made where it asks for none
   * (SIPTLS_E_POLICY_UNSUPPORTED). */
  const char* const* allowed_peers;
  size_t allowed_peers_count;
  siptls_ticket_keys* ticket_keys; /* NULL: keys of this context's own */
  /* DANGEROUS: with the secrets the traffic can be decrypted. At most one of the two: a callback,
   * or a file that lines are appended to, made with mode 0600. */
  siptls_key_log dangerous_key_log;
  void* dangerous_key_log_context;
  const char* dangerous_key_log_file;
} siptls_context_config;

typedef struct siptls_context siptls_context;

SIPTLS_C_API void siptls_context_config_init(siptls_context_config* config, size_t size);
/* Holds what it needs: the parts may be freed afterwards. The callback and its context must live
 * until the context and every transport that was given it have been freed. */
SIPTLS_C_API int siptls_context_new(const siptls_context_config* config, siptls_context** context,
                                    siptls_error* error);
SIPTLS_C_API void siptls_context_free(siptls_context* context);

/* Are the certificates that this side shows valid then? */
SIPTLS_C_API int siptls_context_valid_at(const siptls_context* context, const siptls_now* now,
                                         siptls_error* error);
/* What an operator should know at that time: 1 and `warning` set, or 0 when there is no such
 * index. */
SIPTLS_C_API int siptls_context_warning(const siptls_context* context, const siptls_now* now,
                                        size_t index, siptls_error* warning);
/* Different for each context of the process; 0 for NULL. */
SIPTLS_C_API uint64_t siptls_context_id(const siptls_context* context);

#endif
