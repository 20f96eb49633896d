/* Messages: one whole SIP message as the framer found it. A view: valid until the next event of the
 * transport, or the next call of the framer, that gave it. All that these functions return are
 * views into the message's own octets, and empty where there is no such thing.
 */
#ifndef SIPTLS_C_MESSAGE_H
#define SIPTLS_C_MESSAGE_H

#include "siptls/c/common.h"

typedef struct siptls_message siptls_message;

/* Header fields that siptls knows by name, in long or compact form (RFC 3261 section 7.3.3). */
enum siptls_header_id {
  SIPTLS_HEADER_OTHER = 0,
  SIPTLS_HEADER_VIA = 1,
  SIPTLS_HEADER_FROM = 2,
  SIPTLS_HEADER_TO = 3,
  SIPTLS_HEADER_CALL_ID = 4,
  SIPTLS_HEADER_CSEQ = 5,
  SIPTLS_HEADER_CONTACT = 6,
  SIPTLS_HEADER_CONTENT_TYPE = 7,
  SIPTLS_HEADER_CONTENT_LENGTH = 8,
  SIPTLS_HEADER_MAX_FORWARDS = 9,
  SIPTLS_HEADER_ROUTE = 10,
  SIPTLS_HEADER_RECORD_ROUTE = 11,
  SIPTLS_HEADER_SUPPORTED = 12,
  SIPTLS_HEADER_SUBJECT = 13,
  SIPTLS_HEADER_CONTENT_ENCODING = 14
};

/* One header row, as written; folds are still in its value. */
typedef struct siptls_header {
  size_t size;
  siptls_text name;
  siptls_text value;
  uint32_t id;
  uint32_t reserved;
} siptls_header;

/* The top Via as a transport needs it. */
typedef struct siptls_via {
  size_t size;
  siptls_text transport; /* "TLS" */
  siptls_text host;      /* sent-by host as written; an IPv6 address keeps its brackets */
  siptls_text received;  /* data is NULL where a parameter is not there */
  siptls_text branch;
  siptls_text rport; /* empty, and not NULL, when it is there without a value */
  siptls_text keep;  /* likewise */
  uint32_t port;     /* 0: none is named */
  uint32_t alias;    /* RFC 5923 */
} siptls_via;

/* The whole message; its header, from start line to empty line; its body. */
SIPTLS_C_API siptls_octets siptls_message_bytes(const siptls_message* message);
SIPTLS_C_API siptls_text siptls_message_header(const siptls_message* message);
SIPTLS_C_API siptls_octets siptls_message_body(const siptls_message* message);
/* Where it begins, in octets from the beginning of the stream. */
SIPTLS_C_API uint64_t siptls_message_offset(const siptls_message* message);

SIPTLS_C_API siptls_text siptls_message_start_line(const siptls_message* message);
SIPTLS_C_API int siptls_message_is_request(const siptls_message* message);
SIPTLS_C_API siptls_text siptls_message_method(const siptls_message* message);
SIPTLS_C_API siptls_text siptls_message_request_uri(const siptls_message* message);
SIPTLS_C_API unsigned siptls_message_status(const siptls_message* message); /* 0 in a request */
SIPTLS_C_API siptls_text siptls_message_reason_phrase(const siptls_message* message);

SIPTLS_C_API size_t siptls_message_row_count(const siptls_message* message);
/* Lookups: 1, or 0 if there is no such row. */
SIPTLS_C_API int siptls_message_row(const siptls_message* message, size_t index,
                                    siptls_header* row);
SIPTLS_C_API int siptls_message_find(const siptls_message* message, uint32_t header_id,
                                     siptls_header* row);
SIPTLS_C_API int siptls_message_find_name(const siptls_message* message, const char* name,
                                          siptls_header* row);
SIPTLS_C_API int siptls_message_top_via(const siptls_message* message, siptls_via* via);
SIPTLS_C_API int siptls_message_cseq(const siptls_message* message, uint32_t* number,
                                     siptls_text* method);
SIPTLS_C_API siptls_text siptls_message_call_id(const siptls_message* message);
SIPTLS_C_API siptls_text siptls_message_content_type(const siptls_message* message);

/* The sips rules that concern one hop (RFC 3261 section 26.2.2, RFC 5630). */
enum siptls_sips_mode {
  SIPTLS_SIPS_DISABLED = 0, /* sips is refused */
  SIPTLS_SIPS_ENABLED = 1,
  SIPTLS_SIPS_REQUIRED = 2 /* sip is refused */
};

/* 0 if the request may go on. Otherwise the status to refuse it with; reason phrase and the text of
 * a Warning header without its agent (may be empty) are static. 500 for a NULL, or a number that is
 * no mode. */
SIPTLS_C_API unsigned siptls_judge_sips(const siptls_message* request, uint32_t sips_mode,
                                        siptls_text* reason_phrase, siptls_text* warning);
/* Must the next hop be reached over TLS? 1 for NULL. */
SIPTLS_C_API int siptls_requires_tls(const siptls_message* request);
SIPTLS_C_API int siptls_is_sips(const char* uri, size_t size);
/* The host of a sip or sips URI, an IPv6 address without brackets; empty if it is no such URI. */
SIPTLS_C_API siptls_text siptls_uri_host(const char* uri, size_t size);

#endif
