// Connections that do not come about, and responses whose connection is gone.
#include <stdio.h>

#include "stage.h"
#include "tests.h"

static siptls_error* attempt_error = NULL;
static size_t attempts_seen = 0;
static siptls_endpoint attempted;
static char domain_seen[64];

static void look_at_attempts(struct host* host, const siptls_event* event) {
  if (event->attempt_count == 0) return;
  attempts_seen = event->attempt_count;
  CHECK_NUMBER(siptls_transport_attempt(host->transport, 0, &attempted, attempt_error), 1);
  CHECK_NUMBER(siptls_transport_attempt(host->transport, 0, NULL, NULL), 1);
  CHECK_NUMBER(siptls_transport_attempt(host->transport, event->attempt_count, &attempted, why), 0);
  CHECK_NUMBER(siptls_error_reason(why), SIPTLS_OK);
  if (event->domain != NULL) snprintf(domain_seen, sizeof domain_seen, "%s", event->domain);
}

static void every_address_that_was_tried_is_told(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  attempt_error = siptls_error_new();
  stage.client.on_event = look_at_attempts;
  // Nobody listens there any more.
  siptls_endpoint remotes[2] = {stage.server.address, stage.server.address};
  CHECK_OK(siptls_transport_stop_listening(stage.server.transport, stage.server.listener, why));
  siptls_target target = target_of(&stage);
  target.remotes = remotes;
  target.remote_count = 2;
  const char* const request = options_request(1);
  siptls_token token = 0;
  CHECK_OK(siptls_transport_send_to(stage.client.transport, &target, request, strlen(request), NULL,
                                    &token, why));
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_CONNECT_FAILED] == 1);
  CHECK_NUMBER(attempts_seen, 2);
  CHECK_STRING(domain_seen, "alpha.example");
  CHECK_NUMBER(siptls_error_reason(attempt_error), SIPTLS_E_CONNECTION_REFUSED);
  CHECK(memcmp(&attempted, &remotes[0], sizeof attempted) == 0);
  CHECK_NUMBER(stage.client.last[SIPTLS_EVENT_SEND_FAILED].token, token);
  // The first of two does not answer, the second does.
  host_listen(&stage.server, stage.alpha);
  remotes[1] = stage.server.address;
  attempts_seen = 0;
  CHECK_OK(siptls_transport_connect(stage.client.transport, &target, &stage.to_server, why));
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_CONNECTED] == 1);
  CHECK_NUMBER(attempts_seen, 0);
  siptls_error_free(attempt_error);
  stage_close(&stage);
}

static void a_peer_must_prove_the_domain(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  siptls_target target = target_of(&stage);
  target.domain = "gamma.example";
  const char* const request = options_request(1);
  siptls_token token = 0;
  CHECK_OK(siptls_transport_send_to(stage.client.transport, &target, request, strlen(request), NULL,
                                    &token, why));
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_HANDSHAKE_FAILED] == 1 &&
                        stage.server.seen[SIPTLS_EVENT_HANDSHAKE_FAILED] == 1);
  CHECK_NUMBER(stage.client.reason[SIPTLS_EVENT_HANDSHAKE_FAILED], SIPTLS_E_IDENTITY_MISMATCH);
  CHECK_NUMBER(siptls_category_of(stage.client.reason[SIPTLS_EVENT_HANDSHAKE_FAILED]),
               SIPTLS_CATEGORY_CERTIFICATE);
  CHECK(contains(stage.client.evidence, "gamma.example"));
  CHECK(contains(stage.client.evidence, "alpha.example"));
  CHECK_NUMBER(stage.client.last[SIPTLS_EVENT_HANDSHAKE_FAILED].role, SIPTLS_ROLE_CLIENT);
  CHECK_NUMBER(siptls_category_of(stage.server.reason[SIPTLS_EVENT_HANDSHAKE_FAILED]),
               SIPTLS_CATEGORY_PEER_ALERT);
  CHECK_NUMBER(stage.client.last[SIPTLS_EVENT_SEND_FAILED].token, token);
  CHECK_NUMBER(stage.server.seen[SIPTLS_EVENT_MESSAGE], 0);
  target.domain = "no domain";
  CHECK_REASON(siptls_transport_connect(stage.client.transport, &target, &stage.to_server, why),
               SIPTLS_E_INVALID_DOMAIN);
  stage_close(&stage);
}

static int alert_of_client = -1;

static void note_alert(struct host* host, const siptls_event* event) {
  if (event->kind != SIPTLS_EVENT_HANDSHAKE_FAILED) return;
  alert_of_client = siptls_error_alert(event->error);
  siptls_endpoint tried;
  CHECK_NUMBER(event->attempt_count, 1);
  CHECK_NUMBER(siptls_transport_attempt(host->transport, 0, &tried, why), 1);
  CHECK_NUMBER(tried.address[3], 2);
  CHECK_NUMBER(siptls_error_reason(why), SIPTLS_E_CONNECTION_REFUSED);
}

static void a_stranger_is_refused(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  siptls_context* const stranger = make_context(PKI_STRANGER, NULL);
  host_listen(&stage.server, stranger);
  stage.client.on_event = note_alert;
  // At the first address nobody is at home.
  siptls_endpoint remotes[2] = {stage.server.address, stage.server.address};
  remotes[0].address[3] = 2;
  siptls_target target = target_of(&stage);
  target.remotes = remotes;
  target.remote_count = 2;
  CHECK_OK(siptls_transport_connect(stage.client.transport, &target, &stage.to_server, why));
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_HANDSHAKE_FAILED] == 1);
  CHECK_NUMBER(stage.client.reason[SIPTLS_EVENT_HANDSHAKE_FAILED], SIPTLS_E_UNKNOWN_CA);
  CHECK_NUMBER(alert_of_client, 48);
  CHECK_STRING(siptls_alert_name(alert_of_client), "unknown_ca");
  siptls_context_free(stranger);
  stage_close(&stage);
}

// Sends a request, then ends the connection that it came on.
static void lose_the_connection(struct stage* stage) {
  stage_connect(stage);
  const char* const request = options_request(1);
  CHECK_OK(siptls_transport_send(stage->client.transport, stage->to_server, request,
                                 strlen(request), NULL, NULL, why));
  RUN_UNTIL(stage, stage->server.seen[SIPTLS_EVENT_MESSAGE] == 1);
  CHECK_OK(siptls_transport_close(stage->client.transport, stage->to_server, why));
  RUN_UNTIL(stage, stage->server.seen[SIPTLS_EVENT_CLOSED] == 1);
}

static const char kResponse[] =
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS beta.example;branch=z9hG4bK1\r\n"
    "Call-ID: 1@beta.example\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

static int came_from_gamma = 0;

static void note_gamma(struct host* host, const siptls_event* event) {
  (void)host;
  if (event->kind != SIPTLS_EVENT_CONNECTED) return;
  came_from_gamma = siptls_path_covers(siptls_peer_path(event->peer), "gamma.example");
}

static void a_response_goes_another_way(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  host_listen(&stage.client, stage.beta);
  lose_the_connection(&stage);
  CHECK_REASON(siptls_transport_respond(stage.server.transport, stage.to_client, kResponse,
                                        strlen(kResponse), NULL, NULL, NULL, why),
               SIPTLS_E_CONNECTION_CLOSED);
  siptls_fallback fallback;
  siptls_fallback_init(&fallback, sizeof fallback);
  fallback.remotes = &stage.client.address;
  fallback.remote_count = 1;
  fallback.sent_by = "beta.example";
  siptls_context* const gamma = make_context(PKI_GAMMA, NULL);
  fallback.context = gamma;  // who it comes from then
  stage.client.on_event = note_gamma;
  siptls_token token = 0;
  CHECK_OK(siptls_transport_respond(stage.server.transport, stage.to_client, kResponse,
                                    strlen(kResponse), &fallback, NULL, &token, why));
  CHECK(token != 0);
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_MESSAGE] == 1);
  CHECK_STRING(stage.client.message, kResponse);
  CHECK_NUMBER(stage.client.last[SIPTLS_EVENT_CONNECTED].role, SIPTLS_ROLE_SERVER);
  CHECK_NUMBER(came_from_gamma, 1);
  siptls_context_free(gamma);
  stage_close(&stage);
}

static void nobody_else_gets_a_response(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  siptls_context* const gamma = make_context(PKI_GAMMA, NULL);
  host_listen(&stage.client, gamma);  // not who had asked
  lose_the_connection(&stage);
  siptls_fallback fallback;
  siptls_fallback_init(&fallback, sizeof fallback);
  fallback.remotes = &stage.client.address;
  fallback.remote_count = 1;
  fallback.sent_by = "gamma.example";
  fallback.context = stage.alpha;
  siptls_token token = 0;
  CHECK_OK(siptls_transport_respond(stage.server.transport, stage.to_client, kResponse,
                                    strlen(kResponse), &fallback, NULL, &token, why));
  RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_SEND_FAILED] == 1 &&
                        stage.server.seen[SIPTLS_EVENT_HANDSHAKE_FAILED] == 1);
  CHECK_NUMBER(stage.server.last[SIPTLS_EVENT_SEND_FAILED].token, token);
  CHECK_NUMBER(stage.server.reason[SIPTLS_EVENT_HANDSHAKE_FAILED], SIPTLS_E_IDENTITY_MISMATCH);
  CHECK_NUMBER(stage.client.seen[SIPTLS_EVENT_MESSAGE], 0);
  siptls_context_free(gamma);
  stage_close(&stage);
}

static void ask_nothing(siptls_context_config* config, siptls_policy* policy) {
  (void)config;
  policy->client_certificate = SIPTLS_CLIENT_CERTIFICATE_NONE;
}

// Of a peer that had proven nothing its top Via tells who it must be.
static void sent_by_names_who_may_get_a_response(void) {
  static const char* const names[] = {"gamma.example", "beta.example"};
  for (uint64_t i = 0; i < 2; ++i) {
    struct stage stage;
    stage_open(&stage, NULL, NULL);
    host_listen(&stage.client, stage.beta);
    siptls_context* const server = make_context(PKI_ALPHA, ask_nothing);
    host_listen(&stage.server, server);
    siptls_context_free(server);
    lose_the_connection(&stage);
    siptls_fallback fallback;
    siptls_fallback_init(&fallback, sizeof fallback);
    fallback.remotes = &stage.client.address;
    fallback.remote_count = 1;
    fallback.sent_by = names[i];
    fallback.context = stage.alpha;
    CHECK_OK(siptls_transport_respond(stage.server.transport, stage.to_client, kResponse,
                                      strlen(kResponse), &fallback, NULL, NULL, why));
    RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_SEND_FAILED] == 1 - i &&
                          stage.client.seen[SIPTLS_EVENT_MESSAGE] == i);
    stage_close(&stage);
  }
}

const struct test fallback_tests[] = {
    {"every address that was tried is told, and why it did not work",
     every_address_that_was_tried_is_told},
    {"a peer that does not prove the domain gets nothing", a_peer_must_prove_the_domain},
    {"a stranger is refused with the alert that says so", a_stranger_is_refused},
    {"a response goes another way when its connection is gone", a_response_goes_another_way},
    {"a response goes to nobody but who had asked", nobody_else_gets_a_response},
    {"sent-by names who may get the response of a peer that had proven nothing",
     sent_by_names_who_may_get_a_response},
    {NULL, NULL}};
