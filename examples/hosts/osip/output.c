#include "output.h"

#include <inttypes.h>
#include <stdio.h>

static int json;
static int items; /* of the list that is being written */

void output_use_json(int use) { json = use; }

/* What peers send need not be UTF-8; octets that are not ASCII become U+FFFD. */
static void write_string(const char* text) {
  putchar('"');
  for (; *text != '\0'; ++text) {
    const unsigned char octet = (unsigned char)*text;
    if (octet == '"' || octet == '\\') {
      printf("\\%c", octet);
    } else if (octet < 0x20 || octet == 0x7f) {
      printf("\\u%04x", octet);
    } else if (octet >= 0x80) {
      fputs("\\ufffd", stdout);
    } else {
      putchar(octet);
    }
  }
  putchar('"');
}

static void write_key(const char* key) {
  if (json) {
    fputs(", ", stdout);
    write_string(key);
    fputs(": ", stdout);
  } else {
    printf(" %s=", key);
  }
}

void output_begin(const char* event) {
  if (json) {
    fputs("{\"event\": ", stdout);
    write_string(event);
  } else {
    fputs(event, stdout);
  }
}

static void write_text(const char* value) {
  if (json) {
    write_string(value);
  } else {
    fputs(value, stdout);
  }
}

void output_text(const char* key, const char* value) {
  write_key(key);
  write_text(value);
}

void output_number(const char* key, uint64_t value) {
  write_key(key);
  printf("%" PRIu64, value);
}

void output_flag(const char* key, int value) {
  write_key(key);
  fputs(value ? "true" : "false", stdout);
}

void output_list(const char* key) {
  write_key(key);
  if (json) putchar('[');
  items = 0;
}

void output_item(const char* value) {
  if (items++ > 0) fputs(json ? ", " : ",", stdout);
  write_text(value);
}

void output_list_end(void) {
  if (json) putchar(']');
}

void output_end(void) {
  fputs(json ? "}\n" : "\n", stdout);
  fflush(stdout);
}

void output_error(const siptls_error* error, int reason, const char* evidence) {
  const char* const name = siptls_reason_name(error != NULL ? siptls_error_reason(error) : reason);
  const char* const text = error != NULL ? siptls_error_evidence(error) : evidence;
  fprintf(stderr, "error: %s: %s\n", name, text);
  if (!json) return;
  output_begin("error");
  output_text("reason", name);
  output_text("evidence", text);
  if (error != NULL && siptls_error_alert(error) >= 0) {
    output_text("alert", siptls_alert_name(siptls_error_alert(error)));
  }
  output_end();
}
