/* What the other headers of the C interface share: views, addresses, times, ids, the version. */
#ifndef SIPTLS_C_COMMON_H
#define SIPTLS_C_COMMON_H

#include <stddef.h>
#include <stdint.h>

#include "siptls/c/error.h"
#include "siptls/c/export.h"

/* Octets and text that belong to somebody else; the function that gives one says for how long.
 * Text has no NUL at its end. */
typedef struct siptls_octets {
  const void* data;
  size_t size;
} siptls_octets;

typedef struct siptls_text {
  const char* data;
  size_t size;
} siptls_text;

/* An IP address and a port. Never a host name: there is no DNS here. */
typedef struct siptls_endpoint {
  uint8_t address[16]; /* in network order; the first 4 octets for IPv4 */
  uint32_t scope;      /* interface index of a link-local address (RFC 4007), otherwise 0 */
  uint16_t port;
  uint8_t family; /* 4 or 6 */
  uint8_t reserved;
} siptls_endpoint;

#define SIPTLS_DEFAULT_PORT 5061
/* Room for any endpoint as text, its NUL included. */
#define SIPTLS_ENDPOINT_TEXT_SIZE 72

/* Reads "192.0.2.1:5061", "[2001:db8::1]:5061", or either without a port. Fails with
 * SIPTLS_E_INVALID_ENDPOINT. */
SIPTLS_C_API int siptls_endpoint_parse(const char* text, uint16_t default_port,
                                       siptls_endpoint* endpoint, siptls_error* error);
/* Writes "192.0.2.1:5061" and a NUL. SIPTLS_E_INVALID_ARGUMENT if `size` is too small or the family
 * is none. */
SIPTLS_C_API int siptls_endpoint_format(const siptls_endpoint* endpoint, char* text, size_t size);

/* The same without the port: "192.0.2.1", "2001:db8::1". */
SIPTLS_C_API int siptls_endpoint_format_address(const siptls_endpoint* endpoint, char* text,
                                                size_t size);

/* Name one connection, listener or accepted message. 0 names none. A connection's id is unique in
 * the process and never used again, so it can serve as the flow identifier of RFC 5626. */
typedef uint64_t siptls_connection;
typedef uint32_t siptls_listener;
typedef uint64_t siptls_token;

/* What is known about a reading of the wall clock. */
enum siptls_clock_standing {
  SIPTLS_CLOCK_GIVEN = 0,          /* passed by the caller and taken as given */
  SIPTLS_CLOCK_SYNCHRONISED = 1,   /* the system says that it follows a time source */
  SIPTLS_CLOCK_UNSYNCHRONISED = 2, /* plausible, but the system knows no time source */
  SIPTLS_CLOCK_BEHIND_FLOOR = 3    /* earlier than this library's release: cannot be right */
};

/* What to do about a system clock that is plausible but not known to be synchronised. */
enum siptls_clock_policy { SIPTLS_CLOCK_WARN = 0, SIPTLS_CLOCK_REQUIRE = 1 };

/* One reading. Deadlines are judged by `mono`, certificates by `wall`. */
typedef struct siptls_now {
  int64_t mono; /* nanoseconds of a steady clock (CLOCK_MONOTONIC for the system's) */
  int64_t wall; /* nanoseconds since 1970-01-01T00:00:00Z */
  uint32_t standing;
  uint32_t reserved;
} siptls_now;

/* The operating system's clocks. */
SIPTLS_C_API void siptls_system_now(siptls_now* now);
/* Fails with SIPTLS_E_CLOCK_NOT_TRUSTED, naming time and floor. */
SIPTLS_C_API int siptls_check_clock(const siptls_now* now, uint32_t clock_policy,
                                    siptls_error* error);

/* A clock of the host's own. `now` is called synchronously and must not call the library; it may be
 * called from every thread that uses the clock. */
typedef struct siptls_clock_source {
  size_t size;
  void (*now)(void* context, siptls_now* now);
  void* context;
} siptls_clock_source;

/* The version of the library that is linked, "0.1.0". */
SIPTLS_C_API const char* siptls_version(void);
/* The newest version of the function table (siptls_plugin.h) that it knows. */
SIPTLS_C_API unsigned siptls_api_version(void);

/* Which BoringSSL the library runs on. */
enum siptls_tls_linkage { SIPTLS_TLS_INSIDE = 0, SIPTLS_TLS_SHARED = 1 };

typedef struct siptls_build_info {
  size_t size;
  const char* version;        /* of siptls */
  const char* boringssl_file; /* that its functions are in, as found now; static text */
  uint32_t boringssl_api;     /* BORINGSSL_API_VERSION that siptls was built for */
  uint32_t boringssl_linkage; /* inside siptls' own file, or a library of its own */
  int64_t release_epoch;      /* the clock's floor, in seconds since 1970 */
} siptls_build_info;

/* Set `size` first. Fails with SIPTLS_E_FOREIGN_TLS_LIBRARY, and fills the struct all the same, if
 * another TLS library of the process answers to BoringSSL's names, or BoringSSL to OpenSSL's. */
SIPTLS_C_API int siptls_get_build_info(siptls_build_info* info, siptls_error* error);

#endif
