// What a message shows, and the rules about sips.
#include "tests.h"

static const char kRequest[] =
    "OPTIONS sips:alpha.example SIP/2.0\r\n"
    "v: SIP/2.0/TLS [2001:db8::1]:5062;branch=z9hG4bK1;rport;received=192.0.2.1;alias\r\n"
    "Via: SIP/2.0/TLS second.example;branch=z9hG4bK2\r\n"
    "From: <sip:beta.example>;tag=1\r\n"
    "To: <sip:alpha.example>\r\n"
    "Call-ID: one@beta.example\r\n"
    "CSeq: 4294967295 OPTIONS\r\n"
    "Contact: <sips:beta.example>\r\n"
    "X-Own: folded\r\n value\r\n"
    "Content-Type: text/plain\r\n"
    "l: 5\r\n\r\nhello";

static const char kResponse[] =
    "SIP/2.0 404 Not Found\r\nVia: SIP/2.0/TLS beta.example;keep=30\r\nContent-Length: 0\r\n\r\n";

// The message that a stream begins with.
static siptls_framer* framed(const char* text, const siptls_message** message) {
  siptls_framer* framer = NULL;
  REQUIRE_OK(siptls_framer_new(SIPTLS_FRAMER_SERVER, NULL, &framer, why));
  REQUIRE_OK(siptls_framer_push(framer, text, strlen(text), why));
  siptls_frame frame = {.size = sizeof frame};
  REQUIRE(siptls_framer_next(framer, &frame, why) == SIPTLS_FRAME_MESSAGE);
  *message = frame.message;
  return framer;
}

static void check_octets(siptls_octets found, const char* expected) {
  const siptls_text text = {found.data, found.size};
  CHECK_VIEW(text, expected);
}

static int is_empty(siptls_text text) { return text.size == 0; }

static void a_request_shows_its_parts(void) {
  const siptls_message* message = NULL;
  siptls_framer* const framer = framed(kRequest, &message);
  check_octets(siptls_message_bytes(message), kRequest);
  check_octets(siptls_message_body(message), "hello");
  const siptls_text header = siptls_message_header(message);
  CHECK_NUMBER(header.size, strlen(kRequest) - 5);
  CHECK_NUMBER(siptls_message_offset(message), 0);
  CHECK_VIEW(siptls_message_start_line(message), "OPTIONS sips:alpha.example SIP/2.0");
  CHECK_NUMBER(siptls_message_is_request(message), 1);
  CHECK_VIEW(siptls_message_method(message), "OPTIONS");
  CHECK_VIEW(siptls_message_request_uri(message), "sips:alpha.example");
  CHECK_NUMBER(siptls_message_status(message), 0);
  CHECK(is_empty(siptls_message_reason_phrase(message)));
  CHECK_VIEW(siptls_message_call_id(message), "one@beta.example");
  CHECK_VIEW(siptls_message_content_type(message), "text/plain");
  uint32_t number = 0;
  siptls_text method = {NULL, 0};
  CHECK_NUMBER(siptls_message_cseq(message, &number, &method), 1);
  CHECK_NUMBER(number, UINT32_MAX);
  CHECK_VIEW(method, "OPTIONS");
  // Views into the message's own octets: nothing is copied.
  CHECK((const char*)siptls_message_bytes(message).data == kRequest);
  CHECK(method.data > kRequest && method.data < kRequest + sizeof kRequest);
  siptls_framer_free(framer);
}

static void a_response_shows_its_parts(void) {
  const siptls_message* message = NULL;
  siptls_framer* const framer = framed(kResponse, &message);
  CHECK_NUMBER(siptls_message_is_request(message), 0);
  CHECK_NUMBER(siptls_message_status(message), 404);
  CHECK_VIEW(siptls_message_reason_phrase(message), "Not Found");
  CHECK(is_empty(siptls_message_method(message)));
  CHECK(is_empty(siptls_message_request_uri(message)));
  CHECK(is_empty(siptls_message_call_id(message)));
  CHECK(is_empty(siptls_message_content_type(message)));
  CHECK_NUMBER(siptls_message_body(message).size, 0);
  uint32_t number = 7;
  siptls_text method = {NULL, 0};
  CHECK_NUMBER(siptls_message_cseq(message, &number, &method), 0);
  siptls_framer_free(framer);
}

static void rows_are_found(void) {
  const siptls_message* message = NULL;
  siptls_framer* const framer = framed(kRequest, &message);
  CHECK_NUMBER(siptls_message_row_count(message), 10);
  siptls_header row = {.size = sizeof row};
  CHECK_NUMBER(siptls_message_row(message, 0, &row), 1);
  CHECK_VIEW(row.name, "v");
  CHECK_NUMBER(row.id, SIPTLS_HEADER_VIA);
  CHECK_NUMBER(siptls_message_row(message, 7, &row), 1);
  CHECK_VIEW(row.name, "X-Own");
  CHECK_VIEW(row.value, "folded\r\n value");
  CHECK_NUMBER(row.id, SIPTLS_HEADER_OTHER);
  CHECK_NUMBER(siptls_message_row(message, 10, &row), 0);
  CHECK_NUMBER(siptls_message_row(message, SIZE_MAX, &row), 0);

  static const struct {
    uint32_t id;
    const char* name;
    const char* value;
  } rows[] = {{SIPTLS_HEADER_FROM, "from", "<sip:beta.example>;tag=1"},
              {SIPTLS_HEADER_TO, "TO", "<sip:alpha.example>"},
              {SIPTLS_HEADER_CALL_ID, "Call-ID", "one@beta.example"},
              {SIPTLS_HEADER_CSEQ, "cSeq", "4294967295 OPTIONS"},
              {SIPTLS_HEADER_CONTACT, "Contact", "<sips:beta.example>"},
              {SIPTLS_HEADER_CONTENT_TYPE, "Content-Type", "text/plain"},
              {SIPTLS_HEADER_CONTENT_LENGTH, "Content-Length", "5"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
    CHECK_NUMBER(siptls_message_find(message, rows[i].id, &row), 1);
    CHECK_NUMBER(row.id, rows[i].id);
    CHECK_VIEW(row.value, rows[i].value);
    CHECK_NUMBER(siptls_message_find_name(message, rows[i].name, &row), 1);
    CHECK_VIEW(row.value, rows[i].value);
  }
  CHECK_NUMBER(siptls_message_find_name(message, "x-own", &row), 1);
  CHECK_NUMBER(siptls_message_find_name(message, "X-Other", &row), 0);
  CHECK_NUMBER(siptls_message_find(message, SIPTLS_HEADER_ROUTE, &row), 0);
  CHECK_NUMBER(siptls_message_find(message, SIPTLS_HEADER_CONTENT_ENCODING + 1, &row), 0);
  siptls_framer_free(framer);
}

static void the_top_via_is_taken_apart(void) {
  const siptls_message* message = NULL;
  siptls_framer* framer = framed(kRequest, &message);
  siptls_via via = {.size = sizeof via};
  CHECK_NUMBER(siptls_message_top_via(message, &via), 1);
  CHECK_VIEW(via.transport, "TLS");
  CHECK_VIEW(via.host, "[2001:db8::1]");
  CHECK_NUMBER(via.port, 5062);
  CHECK_VIEW(via.branch, "z9hG4bK1");
  CHECK_VIEW(via.received, "192.0.2.1");
  CHECK(via.rport.data != NULL && via.rport.size == 0);  // there, without a value
  CHECK(via.keep.data == NULL && via.keep.size == 0);
  CHECK_NUMBER(via.alias, 1);
  siptls_framer_free(framer);

  framer = framed(kResponse, &message);
  CHECK_NUMBER(siptls_message_top_via(message, &via), 1);
  CHECK_VIEW(via.host, "beta.example");
  CHECK_VIEW(via.keep, "30");
  CHECK_NUMBER(via.port, 0);
  CHECK_NUMBER(via.alias, 0);
  CHECK(via.rport.data == NULL && via.received.data == NULL && via.branch.data == NULL);
  siptls_framer_free(framer);

  framer = framed("OPTIONS sip:a.example SIP/2.0\r\nContent-Length: 0\r\n\r\n", &message);
  CHECK_NUMBER(siptls_message_top_via(message, &via), 0);
  siptls_framer_free(framer);
}

static void sips_is_judged_by_the_profile(void) {
  const siptls_message* message = NULL;
  siptls_framer* framer = framed(kRequest, &message);
  siptls_text phrase = {NULL, 0}, warning = {NULL, 0};
  CHECK_NUMBER(siptls_judge_sips(message, SIPTLS_SIPS_ENABLED, &phrase, &warning), 0);
  CHECK_NUMBER(siptls_judge_sips(message, SIPTLS_SIPS_REQUIRED, &phrase, &warning), 0);
  CHECK_NUMBER(siptls_judge_sips(message, SIPTLS_SIPS_DISABLED, &phrase, &warning), 480);
  CHECK(phrase.size > 0);
  CHECK_VIEW(warning, "380 \"SIPS Not Allowed\"");
  CHECK_NUMBER(siptls_requires_tls(message), 1);
  CHECK_NUMBER(siptls_judge_sips(message, SIPTLS_SIPS_DISABLED, NULL, NULL), 480);
  // A number that is no mode lets nothing pass.
  CHECK(siptls_judge_sips(message, 3, &phrase, &warning) != 0);
  siptls_framer_free(framer);

  framer = framed("OPTIONS sip:a.example SIP/2.0\r\nContent-Length: 0\r\n\r\n", &message);
  CHECK_NUMBER(siptls_judge_sips(message, SIPTLS_SIPS_DISABLED, &phrase, &warning), 0);
  CHECK_NUMBER(siptls_judge_sips(message, SIPTLS_SIPS_REQUIRED, &phrase, &warning), 480);
  CHECK_VIEW(warning, "381 \"SIPS Required\"");
  CHECK_NUMBER(siptls_requires_tls(message), 0);
  siptls_framer_free(framer);
}

static siptls_text host_of(const char* uri) { return siptls_uri_host(uri, strlen(uri)); }
static int is_sips(const char* uri) { return siptls_is_sips(uri, strlen(uri)); }

static void uris_are_looked_at(void) {
  CHECK_NUMBER(is_sips("sips:alpha.example"), 1);
  CHECK_NUMBER(is_sips("SIPS:alpha.example"), 1);
  CHECK_NUMBER(is_sips("sip:alpha.example"), 0);
  CHECK_NUMBER(siptls_is_sips("sips:alpha.example", 4), 0);  // the size counts
  CHECK_NUMBER(is_sips(""), 0);
  CHECK_VIEW(host_of("sip:user@alpha.example:5061;transport=tls"), "alpha.example");
  CHECK_VIEW(host_of("sips:[2001:db8::1]:5061"), "2001:db8::1");
  CHECK_VIEW(siptls_uri_host("sip:alpha.example", 8), "alph");
  CHECK(is_empty(host_of("tel:+491234")));
  CHECK(is_empty(host_of("")));
}

const struct test message_tests[] = {
    {"a request shows its parts as views of its own octets", a_request_shows_its_parts},
    {"a response shows its parts", a_response_shows_its_parts},
    {"rows are found by place, id and name", rows_are_found},
    {"the top Via is taken apart", the_top_via_is_taken_apart},
    {"a request is judged by the sips mode of the profile", sips_is_judged_by_the_profile},
    {"the scheme and the host of a URI are told", uris_are_looked_at},
    {NULL, NULL}};
