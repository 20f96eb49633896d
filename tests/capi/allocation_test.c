// What a message costs in the C interface once everything is warm: no memory from the heap. This
// program has malloc() of its own, which looks at who calls. What the TLS library takes for a
// record, and gives back, is not counted; where it is a part of siptls' own file the two cannot be
// told apart, and operator new alone is counted.
#define _GNU_SOURCE

#include <link.h>
#include <stdio.h>
#include <stdlib.h>

#include "stage.h"
#include "tests.h"

// The C library's own, behind the names that this program takes.
extern void* __libc_malloc(size_t size);
extern void* __libc_calloc(size_t count, size_t size);
extern void* __libc_realloc(void* memory, size_t size);
extern void* __libc_memalign(size_t alignment, size_t size);

enum { UNCOUNTED_MOST = 8 };
static struct { uintptr_t begin, end; } uncounted[UNCOUNTED_MOST];
static size_t uncounted_count = 0;
static int counting = 0;
static unsigned allocations = 0;
static uintptr_t last_caller = 0;

static void note(const void* address) {
  if (!counting) return;
  const uintptr_t caller = (uintptr_t)address;
  for (size_t i = 0; i < uncounted_count; ++i) {
    if (caller >= uncounted[i].begin && caller < uncounted[i].end) return;
  }
  ++allocations;
  last_caller = caller;
}

SIPTLS_C_VISIBLE void* malloc(size_t size) {
  note(__builtin_return_address(0));
  return __libc_malloc(size);
}
SIPTLS_C_VISIBLE void* calloc(size_t count, size_t size) {
  note(__builtin_return_address(0));
  return __libc_calloc(count, size);
}
SIPTLS_C_VISIBLE void* realloc(void* memory, size_t size) {
  note(__builtin_return_address(0));
  return __libc_realloc(memory, size);
}
SIPTLS_C_VISIBLE void* aligned_alloc(size_t alignment, size_t size) {
  note(__builtin_return_address(0));
  return __libc_memalign(alignment, size);
}

// Leaves out the file that has BoringSSL.
static int leave_out(struct dl_phdr_info* info, size_t size, void* context) {
  (void)size;
  const siptls_build_info* const build = context;
  const int is_siptls = contains(info->dlpi_name, "libsiptls");
  const int is_boringssl = contains(info->dlpi_name, "libssl.so") ||
                           contains(info->dlpi_name, "libcrypto.so") ||
                           (build->boringssl_linkage == SIPTLS_TLS_INSIDE && is_siptls);
  if (!is_boringssl) return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    if (info->dlpi_phdr[i].p_type != PT_LOAD) continue;
    REQUIRE(uncounted_count < UNCOUNTED_MOST);
    uncounted[uncounted_count].begin = (uintptr_t)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    uncounted[uncounted_count].end =
        uncounted[uncounted_count].begin + (uintptr_t)info->dlpi_phdr[i].p_memsz;
    ++uncounted_count;
  }
  return 0;
}

static const char kRequest[] =
    "OPTIONS sip:alpha.example SIP/2.0\r\nVia: SIP/2.0/TLS beta.example;branch=z9hG4bK1\r\n"
    "From: <sip:beta.example>;tag=1\r\nTo: <sip:alpha.example>\r\nCall-ID: 1@beta.example\r\n"
    "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
static const char kResponse[] =
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS beta.example;branch=z9hG4bK1\r\n"
    "Call-ID: 1@beta.example\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

static siptls_fallback fallback;
static unsigned refused = 0;

static void respond(struct host* host, const siptls_event* event) {
  if (event->kind != SIPTLS_EVENT_MESSAGE) return;
  siptls_via via = {.size = sizeof via};
  siptls_header row = {.size = sizeof row};
  if (!siptls_message_top_via(event->message, &via) ||
      !siptls_message_find(event->message, SIPTLS_HEADER_FROM, &row)) {
    ++refused;
  }
  siptls_token token = 0;
  if (siptls_transport_respond(host->transport, event->connection, kResponse, sizeof kResponse - 1,
                               &fallback, NULL, &token, why) != SIPTLS_OK) {
    ++refused;
  }
}

// A request and its response, the request by `send_to` or `send`.
static void round_trip(struct stage* stage, const siptls_target* target, int by_target) {
  const uint64_t expected = stage->client.seen[SIPTLS_EVENT_MESSAGE] + 1;
  siptls_send_options options;
  siptls_send_options_init(&options, sizeof options);
  siptls_token token = 0;
  const int reason =
      by_target ? siptls_transport_send_to(stage->client.transport, target, kRequest,
                                           sizeof kRequest - 1, &options, &token, why)
                : siptls_transport_send(stage->client.transport, stage->to_server, kRequest,
                                        sizeof kRequest - 1, &options, &token, why);
  if (reason != SIPTLS_OK) ++refused;
  RUN_UNTIL(stage, stage->client.seen[SIPTLS_EVENT_MESSAGE] == expected);
}

static void messages_take_nothing_from_the_heap(void) {
  enum { WARM = 300, COUNTED = 700 };
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  siptls_fallback_init(&fallback, sizeof fallback);
  fallback.remotes = &stage.server.address;
  fallback.remote_count = 1;
  fallback.sent_by = "a.name.that.is.longer.than.what.fits.into.a.small.string.example";
  fallback.context = stage.alpha;
  stage.server.on_event = respond;
  stage_connect(&stage);
  siptls_endpoint remotes[3] = {stage.server.address, stage.server.address, stage.server.address};
  siptls_target target = target_of(&stage);
  target.remotes = remotes;
  target.remote_count = 3;
  target.domain = "alpha.example";
  refused = 0;
  for (int by_target = 0; by_target <= 1; ++by_target) {
    for (int i = 0; i < WARM; ++i) round_trip(&stage, &target, by_target);
    allocations = 0;
    counting = 1;
    for (int i = 0; i < COUNTED; ++i) round_trip(&stage, &target, by_target);
    counting = 0;
    CHECK_NUMBER(allocations, 0);
    if (allocations != 0) printf("  the last was asked for from %p\n", (void*)last_caller);
  }
  CHECK_NUMBER(refused, 0);
  // The way of counting sees what there is to see.
  allocations = 0;
  counting = 1;
  siptls_sender* sender = NULL;
  const int reason = siptls_sender_new(stage.client.transport, &sender, why);
  counting = 0;
  CHECK_NUMBER(reason, SIPTLS_OK);
  CHECK(allocations > 0);
  siptls_sender_free(sender);
  stage_close(&stage);
}

static void the_tls_library_is_left_out(void) {
  siptls_build_info build = {.size = sizeof build};
  REQUIRE_OK(siptls_get_build_info(&build, why));
  dl_iterate_phdr(leave_out, &build);
  CHECK(uncounted_count > 0);
}

static const struct test allocation_tests[] = {
    {"the TLS library's own allocations can be told apart", the_tls_library_is_left_out},
    {"messages take no memory from the heap once everything is warm",
     messages_take_nothing_from_the_heap},
    {NULL, NULL}};

const struct test_file test_files[] = {{"allocation", allocation_tests}, {NULL, NULL}};
