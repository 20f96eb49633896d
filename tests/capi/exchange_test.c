// Two transports, mutual TLS between them, and messages both ways.
#include <stdio.h>

#include "stage.h"
#include "tests.h"

// What a peer was when its event was held.
static struct {
  uint32_t version, suite, group;
  int resumed, covers;
  size_t identities, certificates, depth;
  int64_t matched;
  char protocol[32], subject[64];
} proven;

static siptls_path* kept = NULL;

static void keep_path(struct host* host, const siptls_event* event) {
  (void)host;
  if (event->kind == SIPTLS_EVENT_CONNECTED) kept = siptls_path_copy(siptls_peer_path(event->peer));
}

static void a_path_is_kept_for_longer_than_its_event(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  stage.client.on_event = keep_path;
  stage_connect(&stage);
  stage_settle(&stage);
  stage_close(&stage);
  CHECK_NUMBER(siptls_path_covers(kept, "alpha.example"), 1);
  siptls_identity identity = {.size = sizeof identity};
  CHECK_NUMBER(siptls_path_identity(kept, 0, &identity), 1);
  CHECK_STRING(identity.name, "alpha.example");
  siptls_path_free(kept);
}

static void look_at_peer(struct host* host, const siptls_event* event) {
  if (event->kind != SIPTLS_EVENT_CONNECTED) return;
  (void)host;
  memset(&proven, 0, sizeof proven);
  proven.version = siptls_peer_version(event->peer);
  proven.suite = siptls_peer_cipher_suite(event->peer);
  proven.group = siptls_peer_group(event->peer);
  proven.resumed = siptls_peer_resumed(event->peer);
  snprintf(proven.protocol, sizeof proven.protocol, "%s",
           siptls_peer_application_protocol(event->peer));
  const siptls_path* const path = siptls_peer_path(event->peer);
  if (path == NULL) return;
  proven.identities = siptls_path_identity_count(path);
  proven.certificates = siptls_path_certificate_count(path);
  proven.depth = siptls_path_ca_depth(path);
  proven.matched = siptls_path_matched(path);
  proven.covers = siptls_path_covers(path, "alpha.example");
  siptls_certificate leaf = {.size = sizeof leaf};
  REQUIRE(siptls_path_certificate(path, 0, &leaf));
  snprintf(proven.subject, sizeof proven.subject, "%s", leaf.subject);
}

static int same_endpoint(const siptls_endpoint* one, const siptls_endpoint* other) {
  return memcmp(one, other, sizeof *one) == 0;
}

static void both_sides_tell_who_is_there(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  stage.client.on_event = look_at_peer;
  stage_connect(&stage);
  const siptls_event* const client = &stage.client.last[SIPTLS_EVENT_CONNECTED];
  const siptls_event* const server = &stage.server.last[SIPTLS_EVENT_CONNECTED];
  CHECK_NUMBER(client->role, SIPTLS_ROLE_CLIENT);
  CHECK_NUMBER(server->role, SIPTLS_ROLE_SERVER);
  CHECK_NUMBER(server->listener, stage.server.listener);
  CHECK_NUMBER(client->listener, 0);
  CHECK(same_endpoint(&client->remote, &stage.server.address));
  CHECK(same_endpoint(&client->local, &server->remote));
  CHECK(same_endpoint(&client->remote, &server->local));
  CHECK(same_endpoint(&client->remote, &client->wire_remote));
  CHECK(server->connection != client->connection);
  CHECK_NUMBER(proven.version, SIPTLS_TLS1_3);
  CHECK(proven.suite >= 0x1301 && proven.suite <= 0x1303);
  CHECK(proven.group != 0);
  CHECK_NUMBER(proven.resumed, 0);
  CHECK_STRING(proven.protocol, "");
  CHECK_STRING(proven.subject, "CN=alpha.example");
  CHECK_NUMBER(proven.certificates, 3);
  CHECK_NUMBER(proven.depth, 2);
  CHECK_NUMBER(proven.identities, 1);
  CHECK_NUMBER(proven.matched, 0);
  CHECK_NUMBER(proven.covers, 1);
  CHECK_NUMBER(siptls_transport_connection_count(stage.server.transport), 1);
  const siptls_peer* peer = siptls_transport_peer(stage.client.transport, client->connection);
  REQUIRE(peer != NULL);
  CHECK_NUMBER(siptls_path_covers(siptls_peer_path(peer), "alpha.example"), 1);
  CHECK_STRING(siptls_protocol_version_name(siptls_peer_version(peer)), "TLS 1.3");
  CHECK_STRING(siptls_protocol_version_name(0x0301), "");
  CHECK(siptls_transport_peer(stage.client.transport, 0) == NULL);
  stage_close(&stage);
}

static void no_certificate(siptls_context_config* config, siptls_policy* policy) {
  (void)policy;
  config->credentials = NULL;
}

static void do_not_ask(siptls_context_config* config, siptls_policy* policy) {
  (void)config;
  policy->client_certificate = SIPTLS_CLIENT_CERTIFICATE_NONE;
  policy->max_version = SIPTLS_TLS1_2;
  policy->alpn = SIPTLS_ALPN_OFFER;
}

static void offer(siptls_context_config* config, siptls_policy* policy) {
  no_certificate(config, policy);
  policy->alpn = SIPTLS_ALPN_OFFER;
}

static void policies_are_followed(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  siptls_context* const asks_nothing = make_context(PKI_ALPHA, do_not_ask);
  siptls_context* const nobody = make_context(PKI_BETA, offer);
  host_listen(&stage.server, asks_nothing);
  siptls_context_free(stage.beta);
  stage.beta = nobody;
  stage.server.on_event = look_at_peer;
  memset(&proven, 0x5a, sizeof proven);
  stage_connect(&stage);
  CHECK_NUMBER(proven.identities, 0);  // the client proved nothing
  CHECK_NUMBER(proven.certificates, 0);
  CHECK_NUMBER(proven.version, SIPTLS_TLS1_2);
  CHECK_STRING(proven.protocol, "sip/2");
  siptls_context_free(asks_nothing);
  stage_close(&stage);
}

static void requests_are_answered_both_ways(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  stage.server.on_event = answer;
  stage.client.on_event = answer;
  stage_connect(&stage);
  for (unsigned i = 1; i <= 3; ++i) {
    const char* const request = options_request(i);
    siptls_token token = 0;
    CHECK_OK(siptls_transport_send(stage.client.transport, stage.to_server, request,
                                   strlen(request), NULL, &token, why));
    CHECK(token != 0);
    RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_MESSAGE] == i);
  }
  CHECK_NUMBER(stage.server.answered, 3);
  CHECK(contains(stage.client.message, "SIP/2.0 200 OK\r\n"));
  CHECK(contains(stage.client.message, "Call-ID: 3@beta.example\r\n"));
  CHECK_NUMBER(stage.server.last[SIPTLS_EVENT_MESSAGE].connection, stage.to_client);
  CHECK(same_endpoint(&stage.server.last[SIPTLS_EVENT_MESSAGE].local, &stage.server.address));
  // The other way, on the connection that the client opened.
  const char* const request = options_request(77);
  CHECK_OK(siptls_transport_send(stage.server.transport, stage.to_client, request, strlen(request),
                                 NULL, NULL, why));
  RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_MESSAGE] == 4);
  CHECK(contains(stage.server.message, "Call-ID: 77@beta.example\r\n"));
  CHECK_NUMBER(stage.client.answered, 1);
  stage_close(&stage);
}

static void targets_share_a_connection(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  stage.server.on_event = answer;
  const siptls_target target = target_of(&stage);
  const char* const request = options_request(1);
  for (uint64_t i = 1; i <= 2; ++i) {
    CHECK_OK(siptls_transport_send_to(stage.client.transport, &target, request, strlen(request),
                                      NULL, NULL, why));
    RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_MESSAGE] == i);
  }
  CHECK_NUMBER(stage.client.seen[SIPTLS_EVENT_CONNECTED], 1);
  CHECK_NUMBER(siptls_transport_connection_count(stage.client.transport), 1);
  siptls_connection same = 0;
  CHECK_OK(siptls_transport_connect(stage.client.transport, &target, &same, why));
  CHECK_NUMBER(same, stage.client.last[SIPTLS_EVENT_CONNECTED].connection);
  stage_close(&stage);
}

static void outgoing_stands_in_for_a_context(void) {
  struct stage stage;
  siptls_context* const beta = make_context(PKI_BETA, NULL);
  siptls_transport_options options;
  siptls_transport_options_init(&options, sizeof options);
  options.outgoing = beta;
  stage_open(&stage, NULL, &options);
  siptls_context_free(beta);
  siptls_target target = target_of(&stage);
  target.context = NULL;
  siptls_connection connection = 0;
  CHECK_OK(siptls_transport_connect(stage.client.transport, &target, &connection, why));
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_CONNECTED] == 1);
  // The server has no such context.
  CHECK_REASON(siptls_transport_connect(stage.server.transport, &target, &connection, why),
               SIPTLS_E_INVALID_ARGUMENT);
  stage_close(&stage);
}

static void what_was_sent_is_told_if_asked_for(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  stage_connect(&stage);
  siptls_send_options options;
  siptls_send_options_init(&options, sizeof options);
  CHECK_NUMBER(options.expires_at, 0);
  CHECK_NUMBER(options.report, SIPTLS_REPORT_FAILURES);
  options.report = SIPTLS_REPORT_ALWAYS;
  const char* const request = options_request(1);
  siptls_token first = 0, second = 0;
  CHECK_OK(siptls_transport_send(stage.client.transport, stage.to_server, request, strlen(request),
                                 NULL, &first, why));
  CHECK_OK(siptls_transport_send(stage.client.transport, stage.to_server, request, strlen(request),
                                 &options, &second, why));
  CHECK(first != second);
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_SENT] == 1);
  CHECK_NUMBER(stage.client.last[SIPTLS_EVENT_SENT].token, second);
  CHECK_NUMBER(stage.client.last[SIPTLS_EVENT_SENT].connection, stage.to_server);
  options.report = 2;
  CHECK_REASON(siptls_transport_send(stage.client.transport, stage.to_server, request,
                                     strlen(request), &options, NULL, why),
               SIPTLS_E_INVALID_ARGUMENT);
  stage_close(&stage);
}

static void a_message_that_is_late_comes_back(void) {
  struct stage stage;
  struct manual_clock clock;
  manual_clock_init(&clock);
  siptls_transport_options options;
  siptls_transport_options_init(&options, sizeof options);
  options.clock = &clock.source;
  stage_open(&stage, NULL, &options);
  siptls_send_options late;
  siptls_send_options_init(&late, sizeof late);
  late.expires_at = clock.now.mono + 1000000000;
  const siptls_target target = target_of(&stage);
  const char* const request = options_request(1);
  siptls_token token = 0;
  // It waits for the handshake, which does not go on before the time is over.
  CHECK_OK(siptls_transport_send_to(stage.client.transport, &target, request, strlen(request),
                                    &late, &token, why));
  manual_clock_advance(&clock, 1001);
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_SEND_FAILED] == 1);
  const siptls_event* const failed = &stage.client.last[SIPTLS_EVENT_SEND_FAILED];
  CHECK_NUMBER(failed->token, token);
  CHECK_NUMBER(stage.client.reason[SIPTLS_EVENT_SEND_FAILED], SIPTLS_E_EXPIRED);
  CHECK_NUMBER(failed->delivery, SIPTLS_DELIVERY_NONE);
  CHECK_NUMBER(failed->bytes_written, 0);
  stage_close(&stage);
}

// Nothing that a transport was given must outlive the call.
static void objects_are_freed_in_any_order(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  stage.server.on_event = answer;
  siptls_trace* trace = NULL;
  siptls_sender* sender = NULL;
  REQUIRE_OK(siptls_trace_new(&trace, why));
  REQUIRE_OK(siptls_sender_new(stage.client.transport, &sender, why));
  siptls_target target = target_of(&stage);
  char domain[] = "alpha.example";
  siptls_endpoint remote = stage.server.address;
  target.domain = domain;
  target.remotes = &remote;
  target.trace = trace;
  char request[TEXT_ROOM];
  snprintf(request, sizeof request, "%s", options_request(1));
  CHECK_OK(siptls_sender_send_to(sender, &target, request, strlen(request), NULL, NULL, why));
  siptls_trace_free(trace);
  siptls_sender_free(sender);
  siptls_context_free(stage.alpha);
  siptls_context_free(stage.beta);
  stage.alpha = stage.beta = NULL;
  memset(domain, 'x', sizeof domain);
  memset(request, 'x', sizeof request);
  memset(&remote, 0, sizeof remote);
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_MESSAGE] == 1);
  CHECK(contains(stage.client.message, "Call-ID: 1@beta.example\r\n"));
  stage_close(&stage);
}

static void what_is_gathered_is_written_by_flush(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  stage_connect(&stage);
  const char* const request = options_request(1);
  CHECK_OK(siptls_transport_send(stage.client.transport, stage.to_server, request, strlen(request),
                                 NULL, NULL, why));
  siptls_transport_flush(stage.client.transport);
  RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_MESSAGE] == 1);
  CHECK_STRING(stage.server.message, request);
  stage_close(&stage);
}

const struct test exchange_tests[] = {
    {"both sides of a mutual handshake tell who is there", both_sides_tell_who_is_there},
    {"what a peer proved can be kept for longer than its event",
     a_path_is_kept_for_longer_than_its_event},
    {"version, client certificate and ALPN follow the policies", policies_are_followed},
    {"requests are answered both ways on one connection", requests_are_answered_both_ways},
    {"messages to one target share a connection", targets_share_a_connection},
    {"a transport's own context serves targets without one", outgoing_stands_in_for_a_context},
    {"what was sent is told if asked for", what_was_sent_is_told_if_asked_for},
    {"a message that waits too long comes back", a_message_that_is_late_comes_back},
    {"objects are freed in any order, and what was given may go away",
     objects_are_freed_in_any_order},
    {"what was gathered is written by flush", what_is_gathered_is_written_by_flush},
    {NULL, NULL}};
