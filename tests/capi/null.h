// Calls with NULL in the place of something.
#ifndef SIPTLS_TESTS_CAPI_NULL_H
#define SIPTLS_TESTS_CAPI_NULL_H

#include "check.h"

// A function that takes an error last refuses, with one and without.
#define REFUSES(function, ...)                                            \
  do {                                                                    \
    CHECK_REASON(function(__VA_ARGS__, why), SIPTLS_E_INVALID_ARGUMENT);  \
    CHECK_NUMBER(function(__VA_ARGS__, NULL), SIPTLS_E_INVALID_ARGUMENT); \
  } while (0)
#define IS_REFUSED(call) CHECK_NUMBER(call, SIPTLS_E_INVALID_ARGUMENT)
#define IS_EMPTY(call) CHECK((call).data == NULL && (call).size == 0)

#endif
