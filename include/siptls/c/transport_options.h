/* The structs that a transport is told things with. Each begins with its size: call its init
 * function, then change what must differ. All are copied by the call that they are given to.
 */
#ifndef SIPTLS_C_TRANSPORT_OPTIONS_H
#define SIPTLS_C_TRANSPORT_OPTIONS_H

#include "siptls/c/context.h"
#include "siptls/c/framer.h"

/* `burst` at once, and `per_second` more each second; UINT32_MAX for both: unlimited. */
typedef struct siptls_rate {
  uint32_t per_second;
  uint32_t burst;
} siptls_rate;

/* What a transport takes on and how long it waits, in milliseconds; transport_limits.hpp explains
 * each and its default. 0 is neither the default nor "off" but SIPTLS_E_INVALID_ARGUMENT, except
 * for close_timeout; what shall not be limited has the largest value of its type. */
typedef struct siptls_transport_limits {
  size_t size;
  size_t max_connections;
  size_t max_connections_per_address;
  size_t max_handshakes;
  size_t max_handshakes_per_address;
  siptls_rate accept_rate;
  siptls_rate accept_rate_per_address;
  uint64_t connect_timeout;
  uint64_t handshake_timeout;
  uint64_t first_message_timeout;
  uint64_t idle_timeout;
  uint64_t message_timeout;
  uint64_t write_timeout;
  uint64_t close_timeout;
  size_t max_queued_bytes;
  size_t max_queued_messages;
  size_t max_buffered_bytes;
  siptls_rate ping_rate;
  const siptls_framer_limits* framer; /* NULL: the defaults */
} siptls_transport_limits;

SIPTLS_C_API void siptls_transport_limits_init(siptls_transport_limits* limits, size_t size);

enum siptls_log_level {
  SIPTLS_LOG_OFF = 0,
  SIPTLS_LOG_ERROR = 1,
  SIPTLS_LOG_WARNING = 2,
  SIPTLS_LOG_INFO = 3,
  SIPTLS_LOG_DEBUG = 4
};

/* Receives one line for people, without NUL or line end, on the transport's thread. Must not call
 * the library. */
typedef void (*siptls_log)(void* context, uint32_t level, const siptls_now* time,
                           siptls_connection connection, const char* text, size_t size);

/* What is done about a request whose framing failed, before its connection is closed. */
enum siptls_unframed_request { SIPTLS_UNFRAMED_ANSWER = 0, SIPTLS_UNFRAMED_CLOSE = 1 };

typedef struct siptls_transport_options {
  size_t size;
  const siptls_clock_source* clock;      /* NULL: the system's */
  const siptls_transport_limits* limits; /* NULL: the defaults */
  const siptls_context* outgoing;        /* for targets that bring no context of their own */
  siptls_log log;                        /* NULL: silent */
  void* log_context;
  uint32_t log_level;
  uint32_t unframed_request;
} siptls_transport_options;

SIPTLS_C_API void siptls_transport_options_init(siptls_transport_options* options, size_t size);

/* A load balancer's header in front of TLS. */
enum siptls_proxy_protocol {
  SIPTLS_PROXY_OFF = 0,
  SIPTLS_PROXY_VERSION1 = 1,
  SIPTLS_PROXY_VERSION2 = 2,
  SIPTLS_PROXY_EITHER = 3
};

typedef struct siptls_listen_options {
  size_t size;
  siptls_endpoint local; /* port 0: any free one */
  const siptls_context* context;
  uint32_t may_come_later; /* 1: an address that this host does not have yet (a virtual IP) */
  uint32_t share_port;     /* 1: several transports of a process accept on one port */
  uint32_t dual;           /* 1: a listener on [::] takes IPv4 too */
  uint32_t proxy;
  const char* const* proxy_sources; /* "192.0.2.0/24": who may send a PROXY header */
  size_t proxy_source_count;
  const char* ticket_scope; /* NULL: the local address */
} siptls_listen_options;

SIPTLS_C_API void siptls_listen_options_init(siptls_listen_options* options, size_t size);

/* What went over a connection in its handshake, for people. */
typedef struct siptls_trace siptls_trace;

SIPTLS_C_API int siptls_trace_new(siptls_trace** trace, siptls_error* error);
SIPTLS_C_API void siptls_trace_free(siptls_trace* trace);
/* The call flow as text, and as a picture (SVG). Live until the next call with this trace. */
SIPTLS_C_API const char* siptls_trace_ladder(siptls_trace* trace);
SIPTLS_C_API const char* siptls_trace_ladder_svg(siptls_trace* trace);

/* Where a message is to go: the result of RFC 3263, which is the host's business. */
typedef struct siptls_target {
  size_t size;
  const siptls_endpoint* remotes; /* tried in this order */
  size_t remote_count;
  const char* domain;            /* of the URI that was resolved; what the peer must prove */
  const siptls_context* context; /* NULL: the transport's own */
  const siptls_endpoint* local;  /* source address, port 0: any; NULL: any */
  siptls_trace* trace;           /* filled if this call opens the connection; may be NULL */
  uint64_t keep_alive_interval;  /* milliseconds; 0: no pings */
  uint64_t pong_timeout;         /* milliseconds; 0: the default */
} siptls_target;

SIPTLS_C_API void siptls_target_init(siptls_target* target, size_t size);

/* Where a response may go if the connection of its request is gone (RFC 3261 section 18.2.2). */
typedef struct siptls_fallback {
  size_t size;
  const siptls_endpoint* remotes; /* `received` with the sent-by port, or what DNS gave for it */
  size_t remote_count;
  const char* sent_by; /* the host of the top Via's sent-by, brackets or not; NULL: none */
  const siptls_context* context;
} siptls_fallback;

SIPTLS_C_API void siptls_fallback_init(siptls_fallback* fallback, size_t size);

enum siptls_report { SIPTLS_REPORT_FAILURES = 0, SIPTLS_REPORT_ALWAYS = 1 };

typedef struct siptls_send_options {
  size_t size;
  /* A time of siptls_now's `mono`; a message that is still waiting then comes back as
   * SIPTLS_E_EXPIRED. 0: never. */
  int64_t expires_at;
  uint32_t report;
  uint32_t reserved;
} siptls_send_options;

SIPTLS_C_API void siptls_send_options_init(siptls_send_options* options, size_t size);

/* An element of a list, and so without a size: it stays as it is. */
typedef struct siptls_listener_update {
  const siptls_context* context;
  siptls_listener listener;
  uint32_t reserved;
} siptls_listener_update;

typedef struct siptls_update_report {
  size_t size; /* set by the host */
  uint64_t generation;
  size_t older_connections; /* open ones that this update concerns: they go on as they are */
} siptls_update_report;

#endif
