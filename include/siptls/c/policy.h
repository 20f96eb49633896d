/* Policies: what may be negotiated. Plain data; begin with a preset and change what must differ.
 * TLS 1.2 is the floor and there is no way below it. tls_policy.hpp explains every setting.
 */
#ifndef SIPTLS_C_POLICY_H
#define SIPTLS_C_POLICY_H

#include "siptls/c/trust_store.h"

enum siptls_preset {
  SIPTLS_PRESET_MODERN = 0,      /* TLS 1.3 and 1.2, forward secrecy and AEAD only */
  SIPTLS_PRESET_INTEROP = 1,     /* and ECDHE with CBC for older peers */
  SIPTLS_PRESET_IMG2020 = 2,     /* TLS 1.2, the IMG 2020's suites in its order */
  SIPTLS_PRESET_IMG2020_128 = 3, /* and of these the ones with 128 bits */
  SIPTLS_PRESET_IMG2020_AT_LEAST_128 = 4
};

enum siptls_protocol_version { SIPTLS_TLS1_2 = 0x0303, SIPTLS_TLS1_3 = 0x0304 };

/* "TLS 1.2"; "" for a number that is none of these. Static. */
SIPTLS_C_API const char* siptls_protocol_version_name(uint32_t version);

/* What a server asks of its clients (RFC 3261 section 26.3.1). */
enum siptls_client_certificate {
  SIPTLS_CLIENT_CERTIFICATE_REQUIRED = 0,
  SIPTLS_CLIENT_CERTIFICATE_REQUESTED = 1,
  SIPTLS_CLIENT_CERTIFICATE_NONE = 2
};

/* Who has the last word about a peer that was judged good. */
enum siptls_authorisation { SIPTLS_AUTHORISE_AUTOMATIC = 0, SIPTLS_AUTHORISE_HOST = 1 };

/* What a server does about a client that asks for a name which none of its certificates has. */
enum siptls_unknown_server_name {
  SIPTLS_UNKNOWN_NAME_REFUSE_IF_SEVERAL = 0,
  SIPTLS_UNKNOWN_NAME_REFUSE = 1,
  SIPTLS_UNKNOWN_NAME_USE_FIRST = 2
};

enum siptls_resumption { SIPTLS_RESUMPTION_OFF = 0, SIPTLS_RESUMPTION_TICKETS = 1 };

/* TLS 1.2 peers without RFC 7627. */
enum siptls_extended_master_secret {
  SIPTLS_EXTENDED_MASTER_SECRET_REQUIRED = 0,
  SIPTLS_DANGEROUS_EXTENDED_MASTER_SECRET_OPTIONAL = 1
};

/* Application-layer protocol negotiation with "sip/2" (RFC 7301). */
enum siptls_alpn { SIPTLS_ALPN_OFF = 0, SIPTLS_ALPN_OFFER = 1, SIPTLS_ALPN_REQUIRE = 2 };

typedef struct siptls_policy {
  size_t size;
  uint32_t preset; /* set by siptls_policy_init(), and not changed afterwards */
  uint32_t min_version;
  uint32_t max_version;
  uint32_t client_certificate;
  uint32_t eku;
  uint32_t wildcard;
  uint32_t common_name;
  uint32_t clock_policy;
  uint32_t ocsp;
  uint32_t authorise;
  uint32_t unknown_server_name;
  uint32_t resumption;
  uint32_t extended_master_secret;
  uint32_t alpn;
  /* IANA codes, best first; NULL: the preset's. Copied when a context is made. */
  const uint16_t* cipher_suites; /* of TLS 1.2; those of TLS 1.3 cannot be chosen */
  size_t cipher_suite_count;
  const uint16_t* groups;
  size_t group_count;
  const uint16_t* signature_schemes;
  size_t signature_scheme_count;
} siptls_policy;

/* SIPTLS_E_INVALID_ARGUMENT for a preset that does not exist. */
SIPTLS_C_API int siptls_policy_init(siptls_policy* policy, size_t size, uint32_t preset);

/* The catalogue of cipher suites: the list of the IMG 2020 in its order, then the others. */
enum siptls_suite_status {
  SIPTLS_SUITE_OFFERED = 0, /* by the default policy */
  SIPTLS_SUITE_INTEROP = 1, /* only by a policy that names it */
  SIPTLS_SUITE_REFUSED = 2  /* never; `reason` says why */
};

typedef struct siptls_cipher_suite {
  size_t size;
  const char* name;         /* IANA; static, as all text here */
  const char* openssl_name; /* empty if there is none */
  const char* key_exchange;
  const char* authentication;
  const char* cipher;
  const char* reason; /* empty for SIPTLS_SUITE_OFFERED */
  uint32_t code;      /* IANA */
  uint32_t status;
  uint32_t strength_bits;
  uint32_t in_img2020_list;
} siptls_cipher_suite;

SIPTLS_C_API size_t siptls_cipher_suite_count(void);
SIPTLS_C_API int siptls_cipher_suite_at(size_t index, siptls_cipher_suite* suite);
SIPTLS_C_API int siptls_cipher_suite_by_code(uint16_t code, siptls_cipher_suite* suite);
/* By IANA or OpenSSL name, in any case. */
SIPTLS_C_API int siptls_cipher_suite_by_name(const char* name, siptls_cipher_suite* suite);
/* Writes "X25519", "P-256", or "0xABCD" and a NUL; 32 octets are enough. */
SIPTLS_C_API int siptls_group_name(uint16_t code, char* name, size_t size);

#endif
