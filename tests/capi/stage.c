#define _POSIX_C_SOURCE 200809L

#include "stage.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

siptls_credentials* make_credentials(enum pki_owner owner) {
  siptls_credentials* credentials = NULL;
  const char* const key = pki_key(owner);
  const char* const chain = pki_chain(owner);
  REQUIRE_OK(siptls_credentials_from_pem(key, strlen(key), chain, strlen(chain), NULL, NULL,
                                         &credentials, why));
  return credentials;
}

siptls_trust_store* make_trust(void) {
  siptls_trust_store* trust = NULL;
  REQUIRE_OK(siptls_trust_store_from_pem(pki_root(), strlen(pki_root()), NULL, &trust, why));
  return trust;
}

siptls_context* make_context(enum pki_owner owner, change_config change) {
  siptls_credentials* const credentials = make_credentials(owner);
  siptls_trust_store* const trust = make_trust();
  siptls_policy policy;
  CHECK_NUMBER(siptls_policy_init(&policy, sizeof policy, SIPTLS_PRESET_MODERN), SIPTLS_OK);
  siptls_context_config config;
  siptls_context_config_init(&config, sizeof config);
  config.credentials = credentials;
  config.trust = trust;
  config.policy = &policy;
  if (change != NULL) change(&config, &policy);
  siptls_context* context = NULL;
  REQUIRE_OK(siptls_context_new(&config, &context, why));
  siptls_trust_store_free(trust);
  siptls_credentials_free(credentials);
  return context;
}

void host_open(struct host* host, const siptls_transport_options* options) {
  memset(host, 0, sizeof *host);
  REQUIRE_OK(siptls_transport_new(options, &host->transport, why));
}

void host_listen(struct host* host, const siptls_context* context) {
  siptls_listen_options options;
  siptls_listen_options_init(&options, sizeof options);
  REQUIRE_OK(siptls_endpoint_parse("127.0.0.1", 0, &options.local, why));
  options.context = context;
  REQUIRE_OK(siptls_transport_listen(host->transport, &options, &host->listener, why));
  REQUIRE_OK(siptls_transport_local_endpoint(host->transport, host->listener, &host->address, why));
}

void host_close(struct host* host) {
  siptls_transport_free(host->transport);
  host->transport = NULL;
}

static void copy_text(char* to, const char* from, size_t size) {
  if (size >= TEXT_ROOM) size = TEXT_ROOM - 1;
  memcpy(to, from, size);
  to[size] = '\0';
}

static void write_down(struct host* host, const siptls_event* event) {
  const uint32_t kind = event->kind;
  REQUIRE(kind < EVENT_KINDS);
  ++host->seen[kind];
  host->last[kind] = *event;
  host->reason[kind] = siptls_error_reason(event->error);
  if (event->error != NULL) {
    const char* const evidence = siptls_error_evidence(event->error);
    copy_text(host->evidence, evidence, strlen(evidence));
  }
  if (event->message != NULL) {
    const siptls_octets octets = siptls_message_bytes(event->message);
    copy_text(host->message, octets.data, octets.size);
  }
}

int host_take(struct host* host) {
  int any = 0;
  siptls_event event = {.size = sizeof event};
  while (siptls_transport_next_event(host->transport, &event)) {
    any = 1;
    write_down(host, &event);
    if (host->on_event != NULL) host->on_event(host, &event);
  }
  return any;
}

void answer(struct host* host, const siptls_event* event) {
  if (event->kind != SIPTLS_EVENT_MESSAGE || !siptls_message_is_request(event->message)) return;
  char response[TEXT_ROOM];
  const size_t size = ok_response(event->message, response, sizeof response);
  CHECK_OK(siptls_transport_respond(host->transport, event->connection, response, size, NULL, NULL,
                                    NULL, why));
  ++host->answered;
}

void stage_open(struct stage* stage, const siptls_transport_options* server,
                const siptls_transport_options* client) {
  memset(stage, 0, sizeof *stage);
  host_open(&stage->server, server);
  host_open(&stage->client, client);
  stage->alpha = make_context(PKI_ALPHA, NULL);
  stage->beta = make_context(PKI_BETA, NULL);
  host_listen(&stage->server, stage->alpha);
}

siptls_target target_of(const struct stage* stage) {
  siptls_target target;
  siptls_target_init(&target, sizeof target);
  target.remotes = &stage->server.address;
  target.remote_count = 1;
  target.domain = "alpha.example";
  target.context = stage->beta;
  return target;
}

void stage_connect(struct stage* stage) {
  const siptls_target target = target_of(stage);
  const uint64_t client = stage->client.seen[SIPTLS_EVENT_CONNECTED];
  const uint64_t server = stage->server.seen[SIPTLS_EVENT_CONNECTED];
  REQUIRE_OK(siptls_transport_connect(stage->client.transport, &target, &stage->to_server, why));
  RUN_UNTIL(stage, stage->client.seen[SIPTLS_EVENT_CONNECTED] > client &&
                       stage->server.seen[SIPTLS_EVENT_CONNECTED] > server);
  CHECK_NUMBER(stage->client.last[SIPTLS_EVENT_CONNECTED].connection, stage->to_server);
  stage->to_client = stage->server.last[SIPTLS_EVENT_CONNECTED].connection;
}

void stage_close(struct stage* stage) {
  host_close(&stage->server);
  host_close(&stage->client);
  siptls_context_free(stage->alpha);
  siptls_context_free(stage->beta);
}

static int64_t steady_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void stage_begin(struct stage* stage) { stage->give_up = steady_ms() + 10000; }

static void print_seen(const char* name, const struct host* host) {
  printf("  the %s has seen", name);
  for (int kind = 0; kind < EVENT_KINDS; ++kind) {
    if (host->seen[kind] != 0) printf(" %d (%s)", kind, siptls_reason_name(host->reason[kind]));
  }
  printf("; last evidence: %s\n", host->evidence);
}

void stage_turn(struct stage* stage, const char* what) {
  if (steady_ms() > stage->give_up) {
    print_seen("server", &stage->server);
    print_seen("client", &stage->client);
    require_that(0, what, "nothing more happens", 0);
  }
  struct pollfd waits[2];
  waits[0].fd = siptls_transport_fd(stage->server.transport);
  waits[1].fd = siptls_transport_fd(stage->client.transport);
  waits[0].events = waits[1].events = POLLIN;
  waits[0].revents = waits[1].revents = 0;
  poll(waits, 2, 100);
  if (waits[0].revents & POLLIN) (void)host_take(&stage->server);
  if (waits[1].revents & POLLIN) (void)host_take(&stage->client);
}

void stage_settle(struct stage* stage) {
  // On loopback whatever was written is readable at once; several rounds, to be sure.
  for (int quiet = 0; quiet < 20; ++quiet) {
    if (host_take(&stage->server) || host_take(&stage->client)) quiet = 0;
  }
}

static void read_manual_clock(void* context, siptls_now* now) {
  *now = ((const struct manual_clock*)context)->now;
}

void manual_clock_init(struct manual_clock* clock) {
  memset(clock, 0, sizeof *clock);
  siptls_system_now(&clock->now);
  clock->now.standing = SIPTLS_CLOCK_GIVEN;
  clock->source.size = sizeof clock->source;
  clock->source.now = read_manual_clock;
  clock->source.context = clock;
}

void manual_clock_advance(struct manual_clock* clock, int64_t milliseconds) {
  clock->now.mono += milliseconds * 1000000;
  clock->now.wall += milliseconds * 1000000;
}

const char* options_request(unsigned number) {
  static char text[TEXT_ROOM];
  snprintf(text, sizeof text,
           "OPTIONS sip:alpha.example SIP/2.0\r\n"
           "Via: SIP/2.0/TLS beta.example;branch=z9hG4bK%u\r\n"
           "Max-Forwards: 70\r\n"
           "From: <sip:beta.example>;tag=%u\r\n"
           "To: <sip:alpha.example>\r\n"
           "Call-ID: %u@beta.example\r\n"
           "CSeq: %u OPTIONS\r\n"
           "Content-Length: 0\r\n\r\n",
           number, number, number, number);
  return text;
}

size_t ok_response(const siptls_message* request, char* text, size_t room) {
  size_t used = (size_t)snprintf(text, room, "SIP/2.0 200 OK\r\n");
  const size_t rows = siptls_message_row_count(request);
  for (size_t i = 0; i < rows; ++i) {
    siptls_header row = {.size = sizeof row};
    REQUIRE(siptls_message_row(request, i, &row));
    if (row.id < SIPTLS_HEADER_VIA || row.id > SIPTLS_HEADER_CSEQ) continue;
    used += (size_t)snprintf(text + used, room - used, "%.*s: %.*s\r\n", (int)row.name.size,
                             row.name.data, (int)row.value.size, row.value.data);
    REQUIRE(used < room);
  }
  used += (size_t)snprintf(text + used, room - used, "Content-Length: 0\r\n\r\n");
  REQUIRE(used < room);
  return used;
}
