// The framer alone.
#include <stdio.h>

#include "tests.h"

static const char kMessage[] =
    "MESSAGE sip:alpha.example SIP/2.0\r\nVia: SIP/2.0/TLS b.example;branch=z9hG4bK1\r\n"
    "From: <sip:b.example>;tag=1\r\nTo: <sip:alpha.example>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n"
    "Content-Length: 5\r\n\r\nhello";

static siptls_framer* make(uint32_t role, const siptls_framer_limits* limits) {
  siptls_framer* framer = NULL;
  REQUIRE_OK(siptls_framer_new(role, limits, &framer, why));
  return framer;
}

static void a_stream_comes_out_as_messages(void) {
  siptls_framer* const framer = make(SIPTLS_FRAMER_SERVER, NULL);
  char stream[1024];
  snprintf(stream, sizeof stream, "%s\r\n\r\n%s", kMessage, kMessage);
  REQUIRE_OK(siptls_framer_push(framer, stream, strlen(stream), why));
  siptls_frame frame = {.size = sizeof frame};
  const size_t length = strlen(kMessage);
  CHECK_NUMBER(siptls_framer_next(framer, &frame, why), SIPTLS_FRAME_MESSAGE);
  CHECK_NUMBER(siptls_message_bytes(frame.message).size, length);
  CHECK_NUMBER(siptls_framer_position(framer), length);
  CHECK_NUMBER(siptls_framer_next(framer, &frame, why), SIPTLS_FRAME_PING);
  CHECK_NUMBER(frame.offset, length);
  CHECK(frame.message == NULL);
  CHECK_NUMBER(siptls_framer_next(framer, &frame, why), SIPTLS_FRAME_MESSAGE);
  CHECK_NUMBER(siptls_message_offset(frame.message), length + 4);
  CHECK_NUMBER(siptls_framer_next(framer, &frame, why), SIPTLS_FRAME_NEED_MORE);
  CHECK(frame.message == NULL && frame.at_least >= 1);
  CHECK_NUMBER(siptls_framer_unfinished(framer), 0);
  CHECK_NUMBER(siptls_framer_failed(framer), 0);
  CHECK_NUMBER(siptls_error_reason(why), SIPTLS_OK);
  siptls_framer_free(framer);
}

static void octets_come_one_by_one(void) {
  siptls_framer* const framer = make(SIPTLS_FRAMER_SERVER, NULL);
  siptls_frame frame = {.size = sizeof frame};
  const size_t length = strlen(kMessage);
  for (size_t i = 0; i + 1 < length; ++i) {
    const char octet = kMessage[i];  // gone with the next turn
    REQUIRE_OK(siptls_framer_push(framer, &octet, 1, why));
    CHECK_NUMBER(siptls_framer_next(framer, &frame, why), SIPTLS_FRAME_NEED_MORE);
    CHECK(frame.at_least >= 1 && frame.at_least <= length - i - 1);
    CHECK_NUMBER(siptls_framer_unfinished(framer), i + 1);
  }
  CHECK_NUMBER(frame.at_least, 1);
  REQUIRE_OK(siptls_framer_push(framer, kMessage + length - 1, 1, why));
  CHECK_NUMBER(siptls_framer_next(framer, &frame, why), SIPTLS_FRAME_MESSAGE);
  const siptls_octets body = siptls_message_body(frame.message);
  CHECK(body.size == 5 && memcmp(body.data, "hello", 5) == 0);
  siptls_framer_free(framer);
}

static void lent_octets_may_go_away(void) {
  siptls_framer* const framer = make(SIPTLS_FRAMER_SERVER, NULL);
  char stream[1024];
  snprintf(stream, sizeof stream, "%s", kMessage);
  REQUIRE_OK(siptls_framer_push(framer, stream, strlen(stream), why));
  REQUIRE_OK(siptls_framer_keep_input(framer, why));
  memset(stream, 0, sizeof stream);
  siptls_frame frame = {.size = sizeof frame};
  REQUIRE(siptls_framer_next(framer, &frame, why) == SIPTLS_FRAME_MESSAGE);
  const siptls_octets octets = siptls_message_bytes(frame.message);
  CHECK(octets.size == strlen(kMessage) && memcmp(octets.data, kMessage, octets.size) == 0);
  siptls_framer_free(framer);
}

static void a_client_takes_pongs(void) {
  siptls_framer* const framer = make(SIPTLS_FRAMER_CLIENT, NULL);
  REQUIRE_OK(siptls_framer_push(framer, "\r\n\r\n", 4, why));
  siptls_frame frame = {.size = sizeof frame};
  CHECK_NUMBER(siptls_framer_next(framer, &frame, why), SIPTLS_FRAME_PONG);
  CHECK_NUMBER(frame.offset, 0);
  CHECK_NUMBER(siptls_framer_next(framer, &frame, why), SIPTLS_FRAME_PONG);
  CHECK_NUMBER(frame.offset, 2);
  CHECK_NUMBER(siptls_framer_next(framer, &frame, why), SIPTLS_FRAME_NEED_MORE);
  siptls_framer_free(framer);
}

static void a_broken_stream_is_dead(void) {
  static const char kBroken[] =
      "MESSAGE sip:alpha.example SIP/2.0\r\nVia: SIP/2.0/TLS b.example;branch=z9hG4bK1\r\n"
      "From: <sip:b.example>;tag=1\r\nTo: <sip:alpha.example>\r\nCall-ID: 1\r\n"
      "CSeq: 1 MESSAGE\r\nContent-Length: five\r\n\r\nhello";
  siptls_framer* const framer = make(SIPTLS_FRAMER_SERVER, NULL);
  REQUIRE_OK(siptls_framer_push(framer, kMessage, strlen(kMessage), why));
  siptls_frame frame = {.size = sizeof frame};
  CHECK_NUMBER(siptls_framer_next(framer, &frame, why), SIPTLS_FRAME_MESSAGE);
  CHECK_NUMBER(siptls_framer_suggested_status(framer), 0);
  CHECK_NUMBER(siptls_framer_refusal_response(framer).size, 0);
  CHECK_NUMBER(siptls_framer_next(framer, &frame, why), SIPTLS_FRAME_NEED_MORE);
  REQUIRE_OK(siptls_framer_push(framer, kBroken, strlen(kBroken), why));
  CHECK_NUMBER(siptls_framer_next(framer, &frame, why), SIPTLS_FRAME_ERROR);
  CHECK_NUMBER(siptls_error_reason(why), SIPTLS_E_INVALID_CONTENT_LENGTH);
  const int64_t offset = siptls_error_offset(why);
  CHECK(offset > (int64_t)strlen(kMessage) &&
        offset < (int64_t)(strlen(kMessage) + strlen(kBroken)));
  CHECK(frame.message == NULL);
  CHECK_NUMBER(siptls_framer_failed(framer), 1);
  CHECK_NUMBER(siptls_framer_suggested_status(framer), 400);
  const siptls_text refusal = siptls_framer_refusal_response(framer);
  REQUIRE(refusal.size > 12);
  CHECK(memcmp(refusal.data, "SIP/2.0 400 ", 12) == 0);
  CHECK(siptls_framer_unfinished(framer) != 0);
  CHECK_NUMBER(siptls_framer_next(framer, &frame, why), SIPTLS_FRAME_ERROR);
  CHECK_NUMBER(siptls_error_reason(why), SIPTLS_E_FRAMER_FAILED);
  siptls_framer_free(framer);
}

static void limits_have_reasons_of_their_own(void) {
  siptls_framer_limits limits;
  siptls_framer_limits_init(&limits, sizeof limits);
  CHECK_NUMBER(limits.max_start_line, 8 * 1024);
  CHECK_NUMBER(limits.max_header, 64 * 1024);
  CHECK_NUMBER(limits.max_header_rows, 512);
  CHECK_NUMBER(limits.max_body, 1024 * 1024);
  CHECK_NUMBER(limits.max_empty_lines, 64);
  for (int field = 0; field < 5; ++field) {
    static const int reasons[] = {SIPTLS_E_START_LINE_TOO_LONG, SIPTLS_E_HEADER_TOO_LARGE,
                                  SIPTLS_E_TOO_MANY_HEADERS, SIPTLS_E_CONTENT_LENGTH_TOO_LARGE,
                                  SIPTLS_E_TOO_MANY_EMPTY_LINES};
    siptls_framer_limits_init(&limits, sizeof limits);
    uint32_t* const fields[] = {&limits.max_start_line, &limits.max_header, &limits.max_header_rows,
                                &limits.max_body, &limits.max_empty_lines};
    *fields[field] = field == 1 ? 64 : 0;
    siptls_framer* const framer = make(SIPTLS_FRAMER_SERVER, &limits);
    REQUIRE_OK(siptls_framer_push(framer, "\r\n", field == 4 ? 2 : 0, why));
    REQUIRE_OK(siptls_framer_push(framer, kMessage, strlen(kMessage), why));
    siptls_frame frame = {.size = sizeof frame};
    CHECK_NUMBER(siptls_framer_next(framer, &frame, why), SIPTLS_FRAME_ERROR);
    CHECK_NUMBER(siptls_error_reason(why), reasons[field]);
    siptls_framer_free(framer);
  }
  siptls_framer* none = NULL;
  CHECK_REASON(siptls_framer_new(2, NULL, &none, why), SIPTLS_E_INVALID_ARGUMENT);
  CHECK(none == NULL);
}

const struct test framer_tests[] = {
    {"a stream comes out as messages and keep-alives", a_stream_comes_out_as_messages},
    {"octets may come one by one", octets_come_one_by_one},
    {"lent octets may go away after keep_input", lent_octets_may_go_away},
    {"a client's stream has pongs", a_client_takes_pongs},
    {"a broken stream is dead, says where, and has a response to it", a_broken_stream_is_dead},
    {"each limit of the framer has a reason of its own", limits_have_reasons_of_their_own},
    {NULL, NULL}};
