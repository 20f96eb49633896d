/* Errors of the C interface: what went wrong, who is at fault, and the evidence.
 *
 * Every function that can fail returns an int: SIPTLS_OK, or a reason. Reasons are stable: a number
 * never changes its meaning, and new ones may be added. Its hundreds are the category, which says
 * who is at fault. What each means stands beside its C++ name in error.hpp.
 *
 * Such functions also take a siptls_error, which may be NULL: the host makes one, keeps it, and
 * passes it again and again. After a call it holds that call's error, or SIPTLS_OK.
 */
#ifndef SIPTLS_C_ERROR_H
#define SIPTLS_C_ERROR_H

#include <stdint.h>

#include "siptls/c/export.h"

/* Who is at fault. */
enum siptls_category {
  SIPTLS_CATEGORY_NONE = 0,
  SIPTLS_CATEGORY_USAGE = 1,         /* the calling program broke a rule of the interface */
  SIPTLS_CATEGORY_CONFIG = 2,        /* a file, key, certificate, list or policy */
  SIPTLS_CATEGORY_CLOCK = 3,         /* the clock cannot be right */
  SIPTLS_CATEGORY_CERTIFICATE = 4,   /* the peer's does not prove who it should be */
  SIPTLS_CATEGORY_PEER_PROTOCOL = 5, /* the peer broke the TLS protocol */
  SIPTLS_CATEGORY_PEER_ALERT = 6,    /* the peer refused and said so in an alert */
  SIPTLS_CATEGORY_INCOMPATIBLE = 7,  /* both sides are right and have nothing in common */
  SIPTLS_CATEGORY_FRAMING = 8,       /* the byte stream is not a stream of SIP messages */
  SIPTLS_CATEGORY_IO = 9,            /* the network or the operating system */
  SIPTLS_CATEGORY_LIMIT = 10,        /* a limit or deadline that the host set */
  SIPTLS_CATEGORY_CLOSED = 11,       /* the connection or transport has ended */
  SIPTLS_CATEGORY_INTERNAL = 12      /* memory, or a mistake in siptls */
};

enum siptls_reason {
  SIPTLS_OK = 0,

  /* usage */
  SIPTLS_E_INVALID_ARGUMENT = 101,
  SIPTLS_E_INVALID_ENDPOINT = 102,
  SIPTLS_E_INVALID_DOMAIN = 103,
  SIPTLS_E_UNKNOWN_CONNECTION = 104,
  SIPTLS_E_UNKNOWN_LISTENER = 105,
  SIPTLS_E_HANDSHAKE_NOT_COMPLETE = 106,
  SIPTLS_E_WRONG_PROCESS = 107,
  SIPTLS_E_ALIAS_REFUSED = 108,

  /* config */
  SIPTLS_E_FILE_NOT_FOUND = 201,
  SIPTLS_E_FILE_PERMISSION_DENIED = 202,
  SIPTLS_E_FILE_NOT_REGULAR = 203,
  SIPTLS_E_FILE_TOO_LARGE = 204,
  SIPTLS_E_FILE_UNREADABLE = 205,
  SIPTLS_E_PEM_EMPTY = 206,
  SIPTLS_E_PEM_WRONG_TYPE = 207,
  SIPTLS_E_PEM_MALFORMED = 208,
  SIPTLS_E_CERTIFICATE_MALFORMED = 209,
  SIPTLS_E_PRIVATE_KEY_MALFORMED = 210,
  SIPTLS_E_PRIVATE_KEY_UNSUPPORTED = 211,
  SIPTLS_E_KEY_ENCRYPTION_UNSUPPORTED = 212,
  SIPTLS_E_PASSPHRASE_REQUIRED = 213,
  SIPTLS_E_WRONG_PASSPHRASE = 214,
  SIPTLS_E_KEY_MISMATCH = 215,
  SIPTLS_E_KEY_FILE_EXPOSED = 216,
  SIPTLS_E_SIGNATURE_UNAVAILABLE = 217,
  SIPTLS_E_CREDENTIALS_MISSING = 218,
  SIPTLS_E_TRUST_STORE_FULL = 219,
  SIPTLS_E_TRUST_STORE_EMPTY = 220,
  SIPTLS_E_CRL_MALFORMED = 221,
  SIPTLS_E_POLICY_UNSUPPORTED = 222,
  SIPTLS_E_FOREIGN_TLS_LIBRARY = 223,

  /* clock */
  SIPTLS_E_CLOCK_NOT_TRUSTED = 301,

  /* certificate */
  SIPTLS_E_CERTIFICATE_MISSING = 401,
  SIPTLS_E_CERTIFICATE_UNREADABLE = 402,
  SIPTLS_E_CERTIFICATE_EXPIRED = 403,
  SIPTLS_E_CERTIFICATE_NOT_YET_VALID = 404,
  SIPTLS_E_CERTIFICATE_REVOKED = 405,
  SIPTLS_E_CERTIFICATE_SIGNATURE_INVALID = 406,
  SIPTLS_E_CERTIFICATE_INVALID = 407,
  SIPTLS_E_UNKNOWN_CA = 408,
  SIPTLS_E_CHAIN_TOO_DEEP = 409,
  SIPTLS_E_NOT_A_CA = 410,
  SIPTLS_E_PATH_LENGTH_EXCEEDED = 411,
  SIPTLS_E_NAME_CONSTRAINT_VIOLATED = 412,
  SIPTLS_E_UNKNOWN_CRITICAL_EXTENSION = 413,
  SIPTLS_E_KEY_USAGE_FORBIDDEN = 414,
  SIPTLS_E_EXTENDED_KEY_USAGE_FORBIDDEN = 415,
  SIPTLS_E_WEAK_KEY = 416,
  SIPTLS_E_WEAK_SIGNATURE = 417,
  SIPTLS_E_CRL_MISSING = 418,
  SIPTLS_E_CRL_STALE = 419,
  SIPTLS_E_CRL_INVALID = 420,
  SIPTLS_E_CRL_UNSUPPORTED = 421,
  SIPTLS_E_OCSP_RESPONSE_MISSING = 422,
  SIPTLS_E_OCSP_RESPONSE_INVALID = 423,
  SIPTLS_E_NO_SIP_IDENTITY = 424,
  SIPTLS_E_IDENTITY_MISMATCH = 425,
  SIPTLS_E_IDENTITY_NOT_ALLOWED = 426,
  SIPTLS_E_PEER_NOT_AUTHORISED = 427,

  /* peer protocol */
  SIPTLS_E_NOT_TLS = 501,
  SIPTLS_E_TLS_PROTOCOL_ERROR = 502,
  SIPTLS_E_DECRYPT_ERROR = 503,
  SIPTLS_E_RENEGOTIATION_REFUSED = 504,
  SIPTLS_E_INSECURE_RENEGOTIATION = 505,
  SIPTLS_E_EXTENDED_MASTER_SECRET_MISSING = 506,

  /* peer alert */
  SIPTLS_E_PEER_REJECTED_CERTIFICATE = 601,
  SIPTLS_E_PEER_DENIED_ACCESS = 602,
  SIPTLS_E_PEER_REJECTED_VERSION = 603,
  SIPTLS_E_PEER_FOUND_NOTHING_IN_COMMON = 604,
  SIPTLS_E_PEER_ALERT = 605,

  /* incompatible */
  SIPTLS_E_PROTOCOL_VERSION_UNSUPPORTED = 701,
  SIPTLS_E_NO_COMMON_CIPHER_SUITE = 702,
  SIPTLS_E_NO_COMMON_GROUP = 703,
  SIPTLS_E_NO_COMMON_SIGNATURE_ALGORITHM = 704,
  SIPTLS_E_NO_COMMON_APPLICATION_PROTOCOL = 705,
  SIPTLS_E_UNKNOWN_SERVER_NAME = 706,

  /* framing */
  SIPTLS_E_MISSING_CONTENT_LENGTH = 801,
  SIPTLS_E_DUPLICATE_CONTENT_LENGTH = 802,
  SIPTLS_E_INVALID_CONTENT_LENGTH = 803,
  SIPTLS_E_CONTENT_LENGTH_TOO_LARGE = 804,
  SIPTLS_E_HEADER_TOO_LARGE = 805,
  SIPTLS_E_START_LINE_TOO_LONG = 806,
  SIPTLS_E_TOO_MANY_HEADERS = 807,
  SIPTLS_E_INVALID_START_LINE = 808,
  SIPTLS_E_INVALID_HEADER = 809,
  SIPTLS_E_BARE_LINE_FEED = 810,
  SIPTLS_E_BARE_CARRIAGE_RETURN = 811,
  SIPTLS_E_NUL_IN_HEADER = 812,
  SIPTLS_E_UNEXPECTED_FOLD = 813,
  SIPTLS_E_TOO_MANY_EMPTY_LINES = 814,
  SIPTLS_E_FRAMER_FAILED = 815,

  /* io */
  SIPTLS_E_CONNECTION_REFUSED = 901,
  SIPTLS_E_CONNECTION_RESET = 902,
  SIPTLS_E_CONNECT_FAILED = 903,
  SIPTLS_E_ADDRESS_IN_USE = 904,
  SIPTLS_E_ADDRESS_NOT_AVAILABLE = 905,
  SIPTLS_E_TOO_MANY_FILES = 906,
  SIPTLS_E_TRUNCATED = 907,
  SIPTLS_E_IO_FAILED = 908,
  SIPTLS_E_PROXY_HEADER_INVALID = 909,
  SIPTLS_E_PROXY_SOURCE_NOT_ALLOWED = 910,
  SIPTLS_E_FLOW_FAILED = 911,

  /* limit */
  SIPTLS_E_CONNECT_TIMEOUT = 1001,
  SIPTLS_E_HANDSHAKE_TIMEOUT = 1002,
  SIPTLS_E_IDLE_TIMEOUT = 1003,
  SIPTLS_E_FIRST_MESSAGE_TIMEOUT = 1004,
  SIPTLS_E_MESSAGE_TIMEOUT = 1005,
  SIPTLS_E_WRITE_TIMEOUT = 1006,
  SIPTLS_E_HANDSHAKE_TOO_LARGE = 1007,
  SIPTLS_E_TOO_MANY_CONNECTIONS = 1008,
  SIPTLS_E_TOO_MANY_FROM_ADDRESS = 1009,
  SIPTLS_E_TOO_MANY_HANDSHAKES = 1010,
  SIPTLS_E_ACCEPT_RATE_REACHED = 1011,
  SIPTLS_E_TOO_MANY_PINGS = 1012,
  SIPTLS_E_TOO_MANY_KEY_UPDATES = 1013,
  SIPTLS_E_QUEUE_FULL = 1014,
  SIPTLS_E_BUFFERS_FULL = 1015,
  SIPTLS_E_MESSAGE_TOO_LARGE = 1016,
  SIPTLS_E_EXPIRED = 1017,

  /* closed */
  SIPTLS_E_CONNECTION_CLOSED = 1101,
  SIPTLS_E_CONNECTION_ABORTED = 1102,
  SIPTLS_E_TRANSPORT_CLOSED = 1103,
  SIPTLS_E_TRANSPORT_DRAINING = 1104,

  /* internal */
  SIPTLS_E_OUT_OF_MEMORY = 1201,
  SIPTLS_E_INTERNAL = 1202
};

/* An error with its evidence. */
typedef struct siptls_error siptls_error;

/* NULL: out of memory. */
SIPTLS_C_API siptls_error* siptls_error_new(void);
/* The same error for as long as the host wants, such as an event's. NULL: out of memory. */
SIPTLS_C_API siptls_error* siptls_error_copy(const siptls_error* error);
SIPTLS_C_API void siptls_error_free(siptls_error* error);

SIPTLS_C_API int siptls_error_reason(const siptls_error* error);
/* The alert that was sent to the peer or came from it (RFC 8446 section 6); -1: none. */
SIPTLS_C_API int siptls_error_alert(const siptls_error* error);
/* Which certificate of the presented chain is meant, 0 is the leaf; -1: none. */
SIPTLS_C_API int64_t siptls_error_certificate(const siptls_error* error);
/* Where in the stream a framing error was found, in octets from its beginning; -1: nowhere. */
SIPTLS_C_API int64_t siptls_error_offset(const siptls_error* error);
/* Text for people, not stable: names, dates, numbers. Lives until the error is passed to another
 * call or freed. */
SIPTLS_C_API const char* siptls_error_evidence(const siptls_error* error);
/* "reason: evidence". Lives as long. */
SIPTLS_C_API const char* siptls_error_message(const siptls_error* error);

/* "chain_too_deep", "ok"; "unknown" for a number that is no reason of this library. Static. */
SIPTLS_C_API const char* siptls_reason_name(int reason);
SIPTLS_C_API int siptls_category_of(int reason);
/* "certificate" */
SIPTLS_C_API const char* siptls_category_name(int category);
/* "unknown_ca"; "alert" for a number without a name. */
SIPTLS_C_API const char* siptls_alert_name(int alert);

#endif
