// The files of tests, each with its table.
#ifndef SIPTLS_TESTS_CAPI_TESTS_H
#define SIPTLS_TESTS_CAPI_TESTS_H

#include "check.h"

struct test_file {
  const char* name;
  const struct test* tests;
};

// Ends with a row of NULL.
extern const struct test_file test_files[];

extern const struct test basics_tests[];
extern const struct test credentials_tests[];
extern const struct test verify_tests[];
extern const struct test context_tests[];
extern const struct test message_tests[];
extern const struct test framer_tests[];
extern const struct test exchange_tests[];
extern const struct test fallback_tests[];
extern const struct test connection_tests[];
extern const struct test limits_tests[];
extern const struct test question_tests[];
extern const struct test update_tests[];
extern const struct test metrics_tests[];
extern const struct test sender_tests[];
extern const struct test told_size_tests[];
extern const struct test filled_size_tests[];
extern const struct test null_object_tests[];
extern const struct test null_transport_tests[];

#endif
