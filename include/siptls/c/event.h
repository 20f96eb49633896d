/* Events: what happened in a transport. siptls_transport_next_event() fills this struct; of its
 * fields those have a meaning that stand with the kind, the others are 0.
 *
 * Lifetime: every pointer in an event lives until the next call of next_event() of the transport
 * that gave it. Any other call may be made while one is held.
 * Order: a connection gives CONNECTED at most once, and ends with CLOSED if it did, otherwise with
 * CONNECT_FAILED or HANDSHAKE_FAILED. Questions come before CONNECTED, SEND_FAILED before the end.
 * What a failed handshake or connection had been given to send comes back first, each message with
 * the same error. event.hpp tells more about each.
 */
#ifndef SIPTLS_C_EVENT_H
#define SIPTLS_C_EVENT_H

#include "siptls/c/message.h"
#include "siptls/c/trust_store.h"

enum siptls_event_kind {
  SIPTLS_EVENT_NONE = 0,
  SIPTLS_EVENT_CONNECTED = 1,        /* role, local, remote, wire_remote, listener, peer */
  SIPTLS_EVENT_AUTHORISE_PEER = 2,   /* role, local, remote, listener, peer: a question */
  SIPTLS_EVENT_SIGNATURE_WANTED = 3, /* key_id, signature_scheme, signature_input: a question */
  SIPTLS_EVENT_CONNECT_FAILED = 4,   /* domain, attempts */
  SIPTLS_EVENT_HANDSHAKE_FAILED = 5, /* role, local, remote, listener, error, attempts before */
  SIPTLS_EVENT_MESSAGE = 6,          /* message, local, remote */
  SIPTLS_EVENT_PING = 7,             /* answered already (RFC 5626 section 5.4) */
  SIPTLS_EVENT_PONG = 8,
  SIPTLS_EVENT_SENT = 9,         /* token; only with SIPTLS_REPORT_ALWAYS */
  SIPTLS_EVENT_SEND_FAILED = 10, /* token, error, bytes_written, delivery */
  SIPTLS_EVENT_WRITABLE = 11,    /* after SIPTLS_E_QUEUE_FULL or SIPTLS_E_BUFFERS_FULL */
  SIPTLS_EVENT_PEER_CLOSING = 12,
  SIPTLS_EVENT_FLOW_FAILED = 13,      /* error: no pong came; CLOSED follows */
  SIPTLS_EVENT_CLOSED = 14,           /* error (NULL: a clean end), truncated */
  SIPTLS_EVENT_LISTENER_PAUSED = 15,  /* listener, error */
  SIPTLS_EVENT_LISTENER_RESUMED = 16, /* listener */
  SIPTLS_EVENT_POSTED = 17,           /* value */
  SIPTLS_EVENT_WARNING = 18           /* error */
};

enum siptls_connection_role { SIPTLS_ROLE_CLIENT = 0, SIPTLS_ROLE_SERVER = 1 };

/* What is known about a message that is reported as failed. */
enum siptls_delivery {
  SIPTLS_DELIVERY_NONE = 0,    /* no octet of it left this host */
  SIPTLS_DELIVERY_PARTIAL = 1, /* the peer cannot have the whole of it */
  SIPTLS_DELIVERY_REFUSED = 2, /* written, and the peer refused the connection before answering */
  SIPTLS_DELIVERY_UNKNOWN = 3  /* written, and not acknowledged by the peer's TCP at the end */
};

/* What was proven about a peer. */
typedef struct siptls_peer siptls_peer;

/* NULL for a client that was not asked for a certificate or had none. */
SIPTLS_C_API const siptls_path* siptls_peer_path(const siptls_peer* peer);
SIPTLS_C_API uint32_t siptls_peer_version(const siptls_peer* peer); /* siptls_protocol_version */
SIPTLS_C_API uint32_t siptls_peer_cipher_suite(const siptls_peer* peer); /* IANA code */
SIPTLS_C_API uint32_t siptls_peer_group(const siptls_peer* peer); /* IANA code; 0: none was used */
SIPTLS_C_API int siptls_peer_resumed(const siptls_peer* peer);
SIPTLS_C_API const char* siptls_peer_application_protocol(const siptls_peer* peer); /* ALPN or "" */

typedef struct siptls_event {
  size_t size; /* set by the host, before the first call; without it no event is given */
  uint32_t kind;
  uint32_t role;
  siptls_connection connection;
  siptls_token token;
  siptls_endpoint local;  /* the two ends; where a PROXY header told them, the peer's address */
  siptls_endpoint remote; /* and the one that the peer had connected to */
  siptls_endpoint wire_remote; /* the other end of TCP */
  siptls_listener listener;
  uint32_t delivery;
  uint32_t truncated;        /* the stream ended without close_notify, or inside a message */
  uint32_t signature_scheme; /* IANA code (RFC 8446 section 4.2.3) */
  uint64_t value;
  uint64_t bytes_written;
  const siptls_error* error;
  const siptls_message* message;
  const siptls_peer* peer;
  const char* domain;
  size_t attempt_count; /* see siptls_transport_attempt() */
  const char* key_id;
  siptls_octets signature_input; /* to be signed, not yet digested */
} siptls_event;

#endif
