// Runs the tests of the files that the command line names, or all.
#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests.h"

siptls_error* why = NULL;

static const char* sentence = "";
static unsigned checks = 0;
static unsigned failed = 0;

static void complain(const char* what, const char* file, int line) {
  ++failed;
  printf("FAILED: %s\n  %s:%d: %s\n", sentence, file, line, what);
}

void check_that(int good, const char* what, const char* file, int line) {
  ++checks;
  if (!good) complain(what, file, line);
}

void require_that(int good, const char* what, const char* file, int line) {
  check_that(good, what, file, line);
  if (good) return;
  printf("  the last error: %s\n", siptls_error_message(why));
  exit(1);
}

void check_number(int64_t found, int64_t expected, const char* what, const char* file, int line) {
  ++checks;
  if (found == expected) return;
  complain(what, file, line);
  printf("  is %" PRId64 ", not %" PRId64 "\n", found, expected);
}

void check_text(const char* found, size_t size, const char* expected, const char* what,
                const char* file, int line) {
  ++checks;
  if (found != NULL && size == strlen(expected) && memcmp(found, expected, size) == 0) return;
  complain(what, file, line);
  printf("  is \"%.*s\", not \"%s\"\n", (int)size, found == NULL ? "" : found, expected);
}

static int says(int found, int expected, const char* what, const char* file, int line) {
  ++checks;
  const int told = siptls_error_reason(why);
  if (found == expected && told == expected) return 1;
  complain(what, file, line);
  printf("  returned %s, not %s; the error is %s\n", siptls_reason_name(found),
         siptls_reason_name(expected), siptls_error_message(why));
  return 0;
}

void check_reason(int found, int expected, const char* what, const char* file, int line) {
  (void)says(found, expected, what, file, line);
}

void require_ok(int found, const char* what, const char* file, int line) {
  if (!says(found, SIPTLS_OK, what, file, line)) exit(1);
}

int contains(const char* text, const char* part) {
  return text != NULL && strstr(text, part) != NULL;
}

static int wanted(const char* name, int count, char** names) {
  if (count < 2) return 1;
  for (int i = 1; i < count; ++i) {
    if (strcmp(name, names[i]) == 0) return 1;
  }
  return 0;
}

int main(int count, char** names) {
  why = siptls_error_new();
  if (why == NULL) return 1;
  unsigned tests = 0;
  for (const struct test_file* file = test_files; file->name != NULL; ++file) {
    if (!wanted(file->name, count, names)) continue;
    for (const struct test* test = file->tests; test->sentence != NULL; ++test) {
      sentence = test->sentence;
      const unsigned before = failed;
      test->run();
      printf("%s: %s\n", failed == before ? "passed" : "FAILED", sentence);
      ++tests;
    }
  }
  siptls_error_free(why);
  printf("%u tests, %u checks, %u failed\n", tests, checks, failed);
  return tests == 0 || failed != 0;
}
