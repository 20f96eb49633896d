/* Trust stores: the certificates that are trusted, and the judgement of chains against them.
 *
 * A store is immutable and may be used by several threads. It holds at most 16 entries, and a chain
 * at most 4 CA certificates above its leaf, unless the host sets other limits. trust_store.hpp says
 * what is judged and how, and which errors there are.
 */
#ifndef SIPTLS_C_TRUST_STORE_H
#define SIPTLS_C_TRUST_STORE_H

#include "siptls/c/common.h"

/* A certificate in the words of a log line. Its pointers live as long as what gave it. */
typedef struct siptls_certificate {
  size_t size;
  const char* subject; /* RFC 4514 order and spelling, for people */
  const char* issuer;
  const char* serial;    /* upper-case hex */
  const char* key;       /* "P-256", "RSA 2048" */
  const uint8_t* sha256; /* 32 octets, of the DER */
  int64_t not_before;    /* seconds since 1970 */
  int64_t not_after;
  uint32_t self_signed; /* these two of entries of a store only */
  uint32_t is_ca;
} siptls_certificate;

/* An identity of a certificate (RFC 5922 section 7.1). */
enum siptls_identity_source {
  SIPTLS_IDENTITY_SIP_URI = 0,
  SIPTLS_IDENTITY_DNS_NAME = 1,
  SIPTLS_IDENTITY_IP_ADDRESS = 2,
  SIPTLS_IDENTITY_COMMON_NAME = 3
};

typedef struct siptls_identity {
  size_t size;
  const char* name; /* lower case; an IP address as text; lives as long as what gave it */
  uint32_t source;
  uint32_t reserved;
} siptls_identity;

typedef struct siptls_trust_limits {
  size_t size;
  size_t max_entries;           /* 16 */
  size_t max_ca_depth;          /* 4 */
  size_t max_remembered_chains; /* 256: good chains that are not judged again */
} siptls_trust_limits;

SIPTLS_C_API void siptls_trust_limits_init(siptls_trust_limits* limits, size_t size);

typedef struct siptls_trust_store siptls_trust_store;

/* All CERTIFICATE blocks of a PEM text or file such as CAList.pem, of the .pem, .crt and .cer files
 * of a folder, or one certificate as DER. `limits` may be NULL. */
SIPTLS_C_API int siptls_trust_store_from_pem(const char* pem, size_t pem_size,
                                             const siptls_trust_limits* limits,
                                             siptls_trust_store** store, siptls_error* error);
SIPTLS_C_API int siptls_trust_store_from_pem_file(const char* path,
                                                  const siptls_trust_limits* limits,
                                                  siptls_trust_store** store, siptls_error* error);
SIPTLS_C_API int siptls_trust_store_from_folder(const char* path, const siptls_trust_limits* limits,
                                                siptls_trust_store** store, siptls_error* error);
SIPTLS_C_API int siptls_trust_store_from_der(const void* der, size_t der_size,
                                             const siptls_trust_limits* limits,
                                             siptls_trust_store** store, siptls_error* error);
/* A new store with more entries, or one that also checks revocation by these CRLs; the old one does
 * not change and is freed on its own. */
SIPTLS_C_API int siptls_trust_store_with_pem(const siptls_trust_store* store, const char* pem,
                                             size_t pem_size, siptls_trust_store** bigger,
                                             siptls_error* error);
SIPTLS_C_API int siptls_trust_store_with_der(const siptls_trust_store* store, const void* der,
                                             size_t der_size, siptls_trust_store** bigger,
                                             siptls_error* error);
SIPTLS_C_API int siptls_trust_store_with_crls(const siptls_trust_store* store, const char* pem,
                                              size_t pem_size, siptls_trust_store** checking,
                                              siptls_error* error);
SIPTLS_C_API void siptls_trust_store_free(siptls_trust_store* store);

SIPTLS_C_API size_t siptls_trust_store_count(const siptls_trust_store* store);
SIPTLS_C_API int siptls_trust_store_entry(const siptls_trust_store* store, size_t index,
                                          siptls_certificate* entry);
/* A digest of entries, CRLs and limits, 32 octets: equal for stores that judge alike. */
SIPTLS_C_API const uint8_t* siptls_trust_store_digest(const siptls_trust_store* store);

/* How often a store's memory of good chains spared the judgement. */
typedef struct siptls_chain_memory {
  size_t size;
  size_t chains;     /* remembered now */
  uint64_t answered; /* paths that were taken from memory */
  uint64_t judged;   /* paths that were judged */
} siptls_chain_memory;
SIPTLS_C_API void siptls_trust_store_chain_memory(const siptls_trust_store* store,
                                                  siptls_chain_memory* memory);

/* A chain that was judged good. */
typedef struct siptls_path siptls_path;

/* Its identities, in the order of the certificate. */
SIPTLS_C_API size_t siptls_path_identity_count(const siptls_path* path);
SIPTLS_C_API int siptls_path_identity(const siptls_path* path, size_t index,
                                      siptls_identity* identity);
/* Which identity equals the one asked for; -1: none was asked for. */
SIPTLS_C_API int64_t siptls_path_matched(const siptls_path* path);
/* 1 if `domain` equals one of its identities (RFC 5922 section 7.2). */
SIPTLS_C_API int siptls_path_covers(const siptls_path* path, const char* domain);
/* Leaf first, trust anchor last. */
SIPTLS_C_API size_t siptls_path_certificate_count(const siptls_path* path);
SIPTLS_C_API int siptls_path_certificate(const siptls_path* path, size_t index,
                                         siptls_certificate* certificate);
/* CA certificates above the leaf, the anchor included. */
SIPTLS_C_API size_t siptls_path_ca_depth(const siptls_path* path);
/* Until when the OCSP response that was checked is valid, in seconds since 1970; INT64_MIN if none
 * was checked. */
SIPTLS_C_API int64_t siptls_path_ocsp_valid_until(const siptls_path* path);
/* The same path for as long as the host wants, such as a peer's for the life of its connection.
 * NULL: out of memory. */
SIPTLS_C_API siptls_path* siptls_path_copy(const siptls_path* path);
/* For paths of siptls_path_copy() and siptls_trust_store_verify*() only. */
SIPTLS_C_API void siptls_path_free(siptls_path* path);

enum siptls_peer_role { SIPTLS_PEER_SERVER = 0, SIPTLS_PEER_CLIENT = 1 };

/* What extendedKeyUsage a certificate needs if it has that extension (RFC 5924 section 5). */
enum siptls_eku_policy {
  SIPTLS_EKU_EITHER = 0, /* id-kp-sipDomain, any, or the web purpose of the peer's role */
  SIPTLS_EKU_SIP_STRICT = 1,
  SIPTLS_EKU_IGNORE_CLIENT = 2 /* as either; a client's may lack clientAuth */
};

/* Names beyond RFC 5922; the default is its letter. */
enum siptls_wildcard_policy { SIPTLS_WILDCARD_NONE = 0, SIPTLS_DANGEROUS_WILDCARD_ONE_LABEL = 1 };
enum siptls_common_name_policy {
  SIPTLS_COMMON_NAME_NEVER = 0,
  SIPTLS_DANGEROUS_COMMON_NAME_IF_NO_SAN = 1
};

/* What is asked of a stapled OCSP response (RFC 6066 section 8). */
enum siptls_ocsp_policy {
  SIPTLS_OCSP_IF_PRESENT = 0, /* one that comes must be valid and say "good" */
  SIPTLS_OCSP_REQUIRE = 1,
  SIPTLS_OCSP_IGNORE = 2
};

typedef struct siptls_verify_options {
  size_t size;
  siptls_now at;         /* when; by which clock is the caller's business */
  uint32_t clock_policy; /* SIPTLS_CLOCK_WARN */
  uint32_t role;         /* what the owner of the chain is: SIPTLS_PEER_SERVER */
  uint32_t eku;
  uint32_t wildcard;
  uint32_t common_name;
  uint32_t ocsp;
  const char* identity;       /* must be among the proven ones; NULL: any will do */
  const char* const* allowed; /* unless NULL, one proven identity must be among these */
  size_t allowed_count;
  const void* ocsp_response; /* of the leaf, DER; NULL: none came */
  size_t ocsp_response_size;
} siptls_verify_options;

SIPTLS_C_API void siptls_verify_options_init(siptls_verify_options* options, size_t size,
                                             const siptls_now* at);

/* Judges a chain, leaf first, without any connection: as DER certificates, or as CERTIFICATE blocks
 * of a PEM text. The path is freed by the host; `path` may be NULL. */
SIPTLS_C_API int siptls_trust_store_verify(const siptls_trust_store* store,
                                           const siptls_octets* chain, size_t chain_count,
                                           const siptls_verify_options* options, siptls_path** path,
                                           siptls_error* error);
SIPTLS_C_API int siptls_trust_store_verify_pem(const siptls_trust_store* store, const char* pem,
                                               size_t pem_size,
                                               const siptls_verify_options* options,
                                               siptls_path** path, siptls_error* error);

#endif
