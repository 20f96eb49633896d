/* The framer: splits a byte stream into SIP messages (RFC 3261 sections 7.5 and 18.3). Transports
 * have their own; this one is for hosts with streams of other kinds. sip_framer.hpp tells what it
 * is strict about. One thread at a time.
 */
#ifndef SIPTLS_C_FRAMER_H
#define SIPTLS_C_FRAMER_H

#include "siptls/c/message.h"

enum siptls_framer_role {
  SIPTLS_FRAMER_SERVER = 0, /* CRLFCRLF is a ping; the stream comes from who opened it */
  SIPTLS_FRAMER_CLIENT = 1  /* CRLF is a pong */
};

typedef struct siptls_framer_limits {
  size_t size;
  uint32_t max_start_line;  /* 8 KiB */
  uint32_t max_header;      /* 64 KiB */
  uint32_t max_header_rows; /* 512 */
  uint32_t max_body;        /* 1 MiB */
  uint32_t max_empty_lines; /* 64; 0 refuses them */
  uint32_t reserved;
} siptls_framer_limits;

SIPTLS_C_API void siptls_framer_limits_init(siptls_framer_limits* limits, size_t size);

typedef struct siptls_framer siptls_framer;

/* `limits` may be NULL. */
SIPTLS_C_API int siptls_framer_new(uint32_t role, const siptls_framer_limits* limits,
                                   siptls_framer** framer, siptls_error* error);
SIPTLS_C_API void siptls_framer_free(siptls_framer* framer);

/* Lends octets, which stay valid and unchanged until next() gives SIPTLS_FRAME_NEED_MORE. */
SIPTLS_C_API int siptls_framer_push(siptls_framer* framer, const void* data, size_t size,
                                    siptls_error* error);
/* Copies what is lent and unread, so that the lent octets may go away before that. */
SIPTLS_C_API int siptls_framer_keep_input(siptls_framer* framer, siptls_error* error);

enum siptls_frame_kind {
  SIPTLS_FRAME_NEED_MORE = 0,
  SIPTLS_FRAME_MESSAGE = 1,
  SIPTLS_FRAME_PING = 2,
  SIPTLS_FRAME_PONG = 3,
  SIPTLS_FRAME_ERROR = 4 /* the stream is dead */
};

typedef struct siptls_frame {
  size_t size;
  const siptls_message* message; /* of SIPTLS_FRAME_MESSAGE */
  size_t at_least;               /* of SIPTLS_FRAME_NEED_MORE: octets, a true lower bound */
  uint64_t offset;               /* of a ping or pong, in octets from the stream's beginning */
} siptls_frame;

/* What comes next, a siptls_frame_kind. Set `size` of `frame` first. */
SIPTLS_C_API int siptls_framer_next(siptls_framer* framer, siptls_frame* frame,
                                    siptls_error* error);

/* Octets taken in that belong to nothing given out; 0: the stream may end here. */
SIPTLS_C_API size_t siptls_framer_unfinished(const siptls_framer* framer);
SIPTLS_C_API uint64_t siptls_framer_position(const siptls_framer* framer);
SIPTLS_C_API int siptls_framer_failed(const siptls_framer* framer);
/* The status for the request whose framing failed, 400, 413 or 513; 0: none. */
SIPTLS_C_API unsigned siptls_framer_suggested_status(const siptls_framer* framer);
/* A response with it, ready to be sent before the stream is closed; may be empty. Lives as long as
 * the framer. */
SIPTLS_C_API siptls_text siptls_framer_refusal_response(const siptls_framer* framer);

#endif
