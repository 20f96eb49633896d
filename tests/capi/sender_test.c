// Senders: the handle of other threads.
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdio.h>

#include "stage.h"
#include "tests.h"

enum { MESSAGES = 200, THREADS = 3 };

struct worker {
  const siptls_sender* sender;
  siptls_target target;
  siptls_connection connection;
  unsigned first;
  unsigned refused;
  pthread_t thread;
};

static void* send_many(void* argument) {
  struct worker* const worker = argument;
  siptls_error* const error = siptls_error_new();
  for (unsigned i = 0; i < MESSAGES; ++i) {
    char message[512];
    const int size = snprintf(message, sizeof message,
                              "OPTIONS sip:alpha.example SIP/2.0\r\nCall-ID: %u\r\n"
                              "Content-Length: 0\r\n\r\n",
                              worker->first + i);
    siptls_token token = 0;
    // Odd ones to the target, even ones to the connection: it is the same one.
    const int reason = i % 2 ? siptls_sender_send_to(worker->sender, &worker->target, message,
                                                     (size_t)size, NULL, &token, error)
                             : siptls_sender_send(worker->sender, worker->connection, message,
                                                  (size_t)size, NULL, &token, error);
    if (reason != SIPTLS_OK || token == 0) ++worker->refused;
  }
  if (siptls_sender_post(worker->sender, worker->first, error) != SIPTLS_OK) ++worker->refused;
  siptls_error_free(error);
  return NULL;
}

static uint64_t posted = 0;

static void note_posted(struct host* host, const siptls_event* event) {
  (void)host;
  if (event->kind == SIPTLS_EVENT_POSTED) posted += event->value;
}

static void threads_send(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  stage_connect(&stage);
  stage.client.on_event = note_posted;
  siptls_sender* sender = NULL;
  REQUIRE_OK(siptls_sender_new(stage.client.transport, &sender, why));
  struct worker workers[THREADS];
  memset(workers, 0, sizeof workers);
  posted = 0;
  uint64_t expected = 0;
  for (unsigned i = 0; i < THREADS; ++i) {
    workers[i].sender = sender;
    workers[i].target = target_of(&stage);
    workers[i].connection = stage.to_server;
    workers[i].first = 1000 * (i + 1);
    expected += workers[i].first;
    REQUIRE(pthread_create(&workers[i].thread, NULL, send_many, &workers[i]) == 0);
  }
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_POSTED] == THREADS &&
                        stage.server.seen[SIPTLS_EVENT_MESSAGE] == THREADS * MESSAGES);
  for (unsigned i = 0; i < THREADS; ++i) {
    pthread_join(workers[i].thread, NULL);
    CHECK_NUMBER(workers[i].refused, 0);
  }
  CHECK_NUMBER(posted, expected);
  CHECK_NUMBER(stage.client.seen[SIPTLS_EVENT_SEND_FAILED], 0);
  CHECK_NUMBER(siptls_transport_connection_count(stage.client.transport), 1);
  siptls_sender_free(sender);
  stage_close(&stage);
}

static const char kResponse[] =
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS beta.example;branch=z9hG4bK1\r\n"
    "Call-ID: 1@beta.example\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

static void a_sender_responds(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  host_listen(&stage.client, stage.beta);
  stage_connect(&stage);
  siptls_sender* sender = NULL;
  REQUIRE_OK(siptls_sender_new(stage.server.transport, &sender, why));
  siptls_send_options options;
  siptls_send_options_init(&options, sizeof options);
  options.report = SIPTLS_REPORT_ALWAYS;
  siptls_token token = 0;
  CHECK_OK(siptls_sender_respond(sender, stage.to_client, kResponse, strlen(kResponse), NULL,
                                 &options, &token, why));
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_MESSAGE] == 1);
  RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_SENT] == 1);
  CHECK_NUMBER(stage.server.last[SIPTLS_EVENT_SENT].token, token);
  // The connection goes, and the response finds another way.
  CHECK_OK(siptls_transport_close(stage.client.transport, stage.to_server, why));
  RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_CLOSED] == 1);
  siptls_fallback fallback;
  siptls_fallback_init(&fallback, sizeof fallback);
  fallback.remotes = &stage.client.address;
  fallback.remote_count = 1;
  fallback.context = stage.alpha;
  CHECK_OK(siptls_sender_respond(sender, stage.to_client, kResponse, strlen(kResponse), &fallback,
                                 NULL, NULL, why));
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_MESSAGE] == 2);
  siptls_sender_free(sender);
  stage_close(&stage);
}

static void what_the_transport_refuses_comes_back(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  siptls_sender* sender = NULL;
  REQUIRE_OK(siptls_sender_new(stage.client.transport, &sender, why));
  siptls_token token = 0;
  CHECK_OK(siptls_sender_send(sender, 77777777, "x", 1, NULL, &token, why));
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_SEND_FAILED] == 1);
  CHECK_NUMBER(stage.client.last[SIPTLS_EVENT_SEND_FAILED].token, token);
  CHECK_NUMBER(stage.client.reason[SIPTLS_EVENT_SEND_FAILED], SIPTLS_E_UNKNOWN_CONNECTION);
  siptls_sender_free(sender);
  stage_close(&stage);
}

static void a_sender_outlives_its_transport(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  siptls_sender* sender = NULL;
  REQUIRE_OK(siptls_sender_new(stage.client.transport, &sender, why));
  siptls_target target = target_of(&stage);
  target.context = NULL;
  stage_close(&stage);
  CHECK_REASON(siptls_sender_post(sender, 1, why), SIPTLS_E_TRANSPORT_CLOSED);
  CHECK_REASON(siptls_sender_send(sender, 1, "x", 1, NULL, NULL, why), SIPTLS_E_TRANSPORT_CLOSED);
  CHECK_REASON(siptls_sender_send_to(sender, &target, "x", 1, NULL, NULL, why),
               SIPTLS_E_TRANSPORT_CLOSED);
  CHECK_REASON(siptls_sender_respond(sender, 1, "x", 1, NULL, NULL, NULL, why),
               SIPTLS_E_TRANSPORT_CLOSED);
  CHECK_REASON(siptls_sender_authorise(sender, 1, SIPTLS_ADMIT, why), SIPTLS_E_TRANSPORT_CLOSED);
  CHECK_REASON(siptls_sender_complete_signature(sender, 1, "x", 1, why), SIPTLS_E_TRANSPORT_CLOSED);
  siptls_sender_free(sender);
}

const struct test sender_tests[] = {
    {"threads send to a connection and to a target, and post", threads_send},
    {"a sender responds, on the connection or another way", a_sender_responds},
    {"what the transport refuses comes back with its token", what_the_transport_refuses_comes_back},
    {"a sender outlives its transport and says so", a_sender_outlives_its_transport},
    {NULL, NULL}};
