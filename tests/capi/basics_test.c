// Errors, endpoints, clocks, versions.
#include <limits.h>
#include <stdint.h>

#include "pki.h"
#include "tests.h"

static void an_error_is_reused(void) {
  siptls_error* const error = siptls_error_new();
  REQUIRE(error != NULL);
  CHECK_NUMBER(siptls_error_reason(error), SIPTLS_OK);
  CHECK_STRING(siptls_error_message(error), "ok");
  CHECK_STRING(siptls_error_evidence(error), "");
  siptls_endpoint endpoint;
  CHECK_NUMBER(siptls_endpoint_parse("alpha.example", 1, &endpoint, error),
               SIPTLS_E_INVALID_ENDPOINT);
  CHECK_NUMBER(siptls_error_reason(error), SIPTLS_E_INVALID_ENDPOINT);
  CHECK_NUMBER(siptls_category_of(siptls_error_reason(error)), SIPTLS_CATEGORY_USAGE);
  CHECK(contains(siptls_error_evidence(error), "alpha.example"));
  CHECK(contains(siptls_error_message(error), "invalid_endpoint: "));
  CHECK(contains(siptls_error_message(error), siptls_error_evidence(error)));
  siptls_error* const copy = siptls_error_copy(error);
  CHECK_NUMBER(siptls_error_reason(copy), siptls_error_reason(error));
  CHECK_STRING(siptls_error_message(copy), siptls_error_message(error));
  siptls_error_free(copy);
  CHECK_NUMBER(siptls_error_alert(error), -1);
  CHECK_NUMBER(siptls_error_certificate(error), -1);
  CHECK_NUMBER(siptls_error_offset(error), -1);
  CHECK_NUMBER(siptls_endpoint_parse("192.0.2.1", 1, &endpoint, error), SIPTLS_OK);
  CHECK_NUMBER(siptls_error_reason(error), SIPTLS_OK);
  CHECK_STRING(siptls_error_message(error), "ok");
  siptls_error_free(error);
}

static void an_error_may_be_left_out(void) {
  siptls_endpoint endpoint;
  CHECK_NUMBER(siptls_endpoint_parse("alpha.example", 1, &endpoint, NULL),
               SIPTLS_E_INVALID_ENDPOINT);
  CHECK_NUMBER(siptls_endpoint_parse("192.0.2.1", 1, &endpoint, NULL), SIPTLS_OK);
}

static void an_error_names_certificate_and_alert(void) {
  siptls_trust_store* store = NULL;
  REQUIRE_OK(siptls_trust_store_from_pem(pki_root(), strlen(pki_root()), NULL, &store, why));
  siptls_now now;
  siptls_system_now(&now);
  siptls_verify_options options;
  siptls_verify_options_init(&options, sizeof options, &now);
  const char* const chain = pki_chain(PKI_ALPHA_EXPIRED);
  CHECK_REASON(siptls_trust_store_verify_pem(store, chain, strlen(chain), &options, NULL, why),
               SIPTLS_E_CERTIFICATE_EXPIRED);
  CHECK_NUMBER(siptls_error_certificate(why), 0);
  CHECK(contains(siptls_error_evidence(why), "2025-01-01"));
  siptls_trust_store_free(store);
}

static void reasons_have_names(void) {
  CHECK_STRING(siptls_reason_name(SIPTLS_OK), "ok");
  CHECK_STRING(siptls_reason_name(SIPTLS_E_INVALID_ARGUMENT), "invalid_argument");
  CHECK_STRING(siptls_reason_name(SIPTLS_E_CHAIN_TOO_DEEP), "chain_too_deep");
  CHECK_STRING(siptls_reason_name(SIPTLS_E_INTERNAL), "internal");
  const int no_reasons[] = {-1, 1, 100, 199, 1200, 1299, 1300, INT_MIN, INT_MAX};
  for (size_t i = 0; i < sizeof no_reasons / sizeof *no_reasons; ++i) {
    CHECK_STRING(siptls_reason_name(no_reasons[i]), "unknown");
  }
}

static void reasons_tell_their_category(void) {
  CHECK_NUMBER(siptls_category_of(SIPTLS_OK), SIPTLS_CATEGORY_NONE);
  CHECK_NUMBER(siptls_category_of(SIPTLS_E_CLOCK_NOT_TRUSTED), SIPTLS_CATEGORY_CLOCK);
  CHECK_NUMBER(siptls_category_of(SIPTLS_E_EXPIRED), SIPTLS_CATEGORY_LIMIT);
  CHECK_NUMBER(siptls_category_of(SIPTLS_E_INTERNAL), SIPTLS_CATEGORY_INTERNAL);
  CHECK_NUMBER(siptls_category_of(-1), SIPTLS_CATEGORY_NONE);
  CHECK_NUMBER(siptls_category_of(1301), SIPTLS_CATEGORY_NONE);
  CHECK_NUMBER(siptls_category_of(INT_MIN), SIPTLS_CATEGORY_NONE);
  static const char* const names[] = {
      "none",         "usage",   "config", "clock", "certificate", "peer_protocol", "peer_alert",
      "incompatible", "framing", "io",     "limit", "closed",      "internal"};
  for (int i = 0; i < (int)(sizeof names / sizeof *names); ++i) {
    CHECK_STRING(siptls_category_name(i), names[i]);
  }
  CHECK(siptls_category_name(-1) != NULL);
  CHECK(siptls_category_name(INT_MAX) != NULL);
  CHECK_STRING(siptls_alert_name(48), "unknown_ca");
  CHECK_STRING(siptls_alert_name(0), "close_notify");
  CHECK_STRING(siptls_alert_name(1), "alert");
  CHECK_STRING(siptls_alert_name(-1), "alert");
  CHECK_STRING(siptls_alert_name(256), "alert");
}

static void endpoints_are_read_and_written(void) {
  static const struct {
    const char* text;
    uint8_t family;
    uint16_t port;
    const char* written;
  } rows[] = {
      {"192.0.2.1", 4, 5061, "192.0.2.1:5061"},
      {"192.0.2.1:5062", 4, 5062, "192.0.2.1:5062"},
      {"2001:db8::1", 6, 5061, "[2001:db8::1]:5061"},
      {"[2001:db8::1]", 6, 5061, "[2001:db8::1]:5061"},
      {"[2001:db8::1]:1", 6, 1, "[2001:db8::1]:1"},
      {"[2001:db8:1111:2222:3333:4444:5555:6666]:65535", 6, 65535,
       "[2001:db8:1111:2222:3333:4444:5555:6666]:65535"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
    siptls_endpoint endpoint;
    char text[SIPTLS_ENDPOINT_TEXT_SIZE];
    CHECK_OK(siptls_endpoint_parse(rows[i].text, SIPTLS_DEFAULT_PORT, &endpoint, why));
    CHECK_NUMBER(endpoint.family, rows[i].family);
    CHECK_NUMBER(endpoint.port, rows[i].port);
    CHECK_NUMBER(endpoint.scope, 0);
    CHECK_NUMBER(siptls_endpoint_format(&endpoint, text, sizeof text), SIPTLS_OK);
    CHECK_STRING(text, rows[i].written);
    CHECK_NUMBER(siptls_endpoint_format_address(&endpoint, text, sizeof text), SIPTLS_OK);
    CHECK(strstr(rows[i].written, text) != NULL);
    CHECK(strchr(text, ']') == NULL);
    CHECK_NUMBER(siptls_endpoint_format(&endpoint, text, sizeof text), SIPTLS_OK);
    const size_t need = strlen(rows[i].written) + 1;
    CHECK_NUMBER(siptls_endpoint_format(&endpoint, text, need), SIPTLS_OK);
    CHECK_NUMBER(siptls_endpoint_format(&endpoint, text, need - 1), SIPTLS_E_INVALID_ARGUMENT);
    CHECK_NUMBER(siptls_endpoint_format(&endpoint, text, 0), SIPTLS_E_INVALID_ARGUMENT);
  }
}

static void endpoints_keep_their_octets(void) {
  siptls_endpoint endpoint;
  REQUIRE_OK(siptls_endpoint_parse("192.0.2.77:1", 0, &endpoint, why));
  static const uint8_t address[16] = {192, 0, 2, 77};
  CHECK(memcmp(endpoint.address, address, sizeof address) == 0);
  CHECK_NUMBER(endpoint.reserved, 0);
  REQUIRE_OK(siptls_endpoint_parse("[fe80::1%4294967295]:65535", 0, &endpoint, why));
  CHECK_NUMBER(endpoint.scope, 4294967295);
  // The longest text there is fits.
  memset(endpoint.address, 0xff, sizeof endpoint.address);
  endpoint.address[1] = 0xbf;
  char text[SIPTLS_ENDPOINT_TEXT_SIZE];
  CHECK_NUMBER(siptls_endpoint_format(&endpoint, text, sizeof text), SIPTLS_OK);
  endpoint.reserved = 1;
  CHECK_NUMBER(siptls_endpoint_format(&endpoint, text, sizeof text), SIPTLS_E_INVALID_ARGUMENT);
  endpoint.reserved = 0;
  endpoint.family = 0;
  CHECK_NUMBER(siptls_endpoint_format(&endpoint, text, sizeof text), SIPTLS_E_INVALID_ARGUMENT);
  endpoint.family = 5;
  CHECK_NUMBER(siptls_endpoint_format(&endpoint, text, sizeof text), SIPTLS_E_INVALID_ARGUMENT);
}

static void what_is_no_endpoint_changes_nothing(void) {
  static const char* const rows[] = {
      "",        "alpha.example", "192.0.2.1:",     "192.0.2.1:65536",
      "192.0.2", "[2001:db8::1",  "192.0.2.1:5061 "};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
    siptls_endpoint endpoint, before;
    memset(&endpoint, 0x5a, sizeof endpoint);
    before = endpoint;
    CHECK_REASON(siptls_endpoint_parse(rows[i], 5061, &endpoint, why), SIPTLS_E_INVALID_ENDPOINT);
    CHECK(memcmp(&endpoint, &before, sizeof endpoint) == 0);
  }
}

static void clocks_are_judged(void) {
  siptls_now now;
  memset(&now, 0x5a, sizeof now);
  siptls_system_now(&now);
  CHECK(now.mono > 0);
  CHECK(now.wall / 1000000000 - pki_now() <= 1 && pki_now() - now.wall / 1000000000 <= 1);
  CHECK_NUMBER(now.reserved, 0);
  CHECK(now.standing == SIPTLS_CLOCK_SYNCHRONISED || now.standing == SIPTLS_CLOCK_UNSYNCHRONISED);
  static const struct {
    uint32_t standing, policy;
    int reason;
  } rows[] = {
      {SIPTLS_CLOCK_GIVEN, SIPTLS_CLOCK_REQUIRE, SIPTLS_OK},
      {SIPTLS_CLOCK_SYNCHRONISED, SIPTLS_CLOCK_REQUIRE, SIPTLS_OK},
      {SIPTLS_CLOCK_UNSYNCHRONISED, SIPTLS_CLOCK_WARN, SIPTLS_OK},
      {SIPTLS_CLOCK_UNSYNCHRONISED, SIPTLS_CLOCK_REQUIRE, SIPTLS_E_CLOCK_NOT_TRUSTED},
      {SIPTLS_CLOCK_BEHIND_FLOOR, SIPTLS_CLOCK_WARN, SIPTLS_E_CLOCK_NOT_TRUSTED},
      {SIPTLS_CLOCK_GIVEN, 2, SIPTLS_E_INVALID_ARGUMENT},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
    now.standing = rows[i].standing;
    CHECK_REASON(siptls_check_clock(&now, rows[i].policy, why), rows[i].reason);
  }
}

static void the_library_tells_what_it_is(void) {
  CHECK(contains(siptls_version(), "."));
  CHECK(siptls_api_version() >= 1);
  siptls_build_info info;
  memset(&info, 0, sizeof info);
  info.size = sizeof info;
  CHECK_OK(siptls_get_build_info(&info, why));
  CHECK_NUMBER(info.size, sizeof info);
  CHECK_STRING(info.version, siptls_version());
  CHECK(contains(info.boringssl_file, "/"));
  CHECK(info.boringssl_api >= 17);
  CHECK(info.boringssl_linkage == SIPTLS_TLS_INSIDE || info.boringssl_linkage == SIPTLS_TLS_SHARED);
  CHECK((info.boringssl_linkage == SIPTLS_TLS_SHARED) ==
        contains(info.boringssl_file, "libcrypto"));
  CHECK(info.release_epoch > 1700000000 && info.release_epoch <= pki_now());
}

const struct test basics_tests[] = {
    {"an error object is used again and again and tells of the last call", an_error_is_reused},
    {"calls work without an error object", an_error_may_be_left_out},
    {"an error says which certificate is meant, and why", an_error_names_certificate_and_alert},
    {"every reason has the name that all tools print", reasons_have_names},
    {"a reason's hundreds are its category, and categories and alerts have names",
     reasons_tell_their_category},
    {"endpoints are read and written", endpoints_are_read_and_written},
    {"endpoints keep address, scope and family, and the longest fits its text",
     endpoints_keep_their_octets},
    {"text that is no endpoint is refused and changes nothing",
     what_is_no_endpoint_changes_nothing},
    {"clocks are judged by what is known about them", clocks_are_judged},
    {"the library tells its version and the TLS library that it runs on",
     the_library_tells_what_it_is},
    {NULL, NULL}};
