/* What the agent prints: one line for each event, with --json as an object. */
#ifndef OSIP_OUTPUT_H
#define OSIP_OUTPUT_H

#include <stdint.h>

#include "siptls/siptls.h"

void output_use_json(int use);

/* begin, the fields, end. */
void output_begin(const char* event);
void output_text(const char* key, const char* value);
void output_number(const char* key, uint64_t value);
void output_flag(const char* key, int value);
void output_list(const char* key);
void output_item(const char* value);
void output_list_end(void);
void output_end(void);

/* "error: reason: evidence" to standard error, and an event `error` with --json. `error` may be
 * NULL, and then `reason` and `evidence` tell. */
void output_error(const siptls_error* error, int reason, const char* evidence);

#endif
