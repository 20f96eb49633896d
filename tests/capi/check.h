// The harness of the tests that are written in C: checks, and the tests of a file as a table.
#ifndef SIPTLS_TESTS_CAPI_CHECK_H
#define SIPTLS_TESTS_CAPI_CHECK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "siptls/siptls.h"

// A test is a sentence and a function. The table of a file ends with a row of NULL.
struct test {
  const char* sentence;
  void (*run)(void);
};

// The error that calls are given; it holds what the last one of them had to say.
extern siptls_error* why;

// A failed check is printed with the sentence of its test, which goes on; a failed requirement ends
// the program.
void check_that(int good, const char* what, const char* file, int line);
void require_that(int good, const char* what, const char* file, int line);
void check_number(int64_t found, int64_t expected, const char* what, const char* file, int line);
void check_text(const char* found, size_t size, const char* expected, const char* what,
                const char* file, int line);
// The call returned `expected`, and `why` says the same.
void check_reason(int found, int expected, const char* what, const char* file, int line);
void require_ok(int found, const char* what, const char* file, int line);
int contains(const char* text, const char* part);

#define CHECK(condition) check_that((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
#define REQUIRE(condition) require_that((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
#define CHECK_NUMBER(found, expected) \
  check_number((int64_t)(found), (int64_t)(expected), #found, __FILE__, __LINE__)
#define CHECK_STRING(found, expected) check_string((found), (expected), #found, __FILE__, __LINE__)
// Of a siptls_text or siptls_octets.
#define CHECK_VIEW(found, expected)                                             \
  do {                                                                          \
    const siptls_text view_ = (found);                                          \
    check_text(view_.data, view_.size, (expected), #found, __FILE__, __LINE__); \
  } while (0)
// Of a call that was given `why`.
#define CHECK_REASON(call, expected) check_reason((call), (expected), #call, __FILE__, __LINE__)
#define CHECK_OK(call) check_reason((call), SIPTLS_OK, #call, __FILE__, __LINE__)
#define REQUIRE_OK(call) require_ok((call), #call, __FILE__, __LINE__)

static inline void check_string(const char* found, const char* expected, const char* what,
                                const char* file, int line) {
  check_text(found, found == NULL ? 0 : strlen(found), expected, what, file, line);
}

#endif
