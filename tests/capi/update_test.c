// Contexts that are exchanged while connections are open, and tickets.
#include <stdio.h>

#include "stage.h"
#include "tests.h"

static int resumed = -1;

static void note_resumed(struct host* host, const siptls_event* event) {
  (void)host;
  if (event->kind == SIPTLS_EVENT_CONNECTED) resumed = siptls_peer_resumed(event->peer);
}

static char serial[96];

static void note_serial(struct host* host, const siptls_event* event) {
  (void)host;
  if (event->kind != SIPTLS_EVENT_CONNECTED) return;
  siptls_certificate leaf = {.size = sizeof leaf};
  REQUIRE(siptls_path_certificate(siptls_peer_path(event->peer), 0, &leaf));
  snprintf(serial, sizeof serial, "%s", leaf.serial);
}

// A request and its response on the connection that stage_connect() opened, with which tickets
// come, and its end.
static void talk_and_hang_up(struct stage* stage) {
  const uint64_t before = stage->server.seen[SIPTLS_EVENT_CLOSED];
  const uint64_t answered = stage->client.seen[SIPTLS_EVENT_MESSAGE];
  const char* const request = options_request(1);
  CHECK_OK(siptls_transport_send(stage->client.transport, stage->to_server, request,
                                 strlen(request), NULL, NULL, why));
  RUN_UNTIL(stage, stage->client.seen[SIPTLS_EVENT_MESSAGE] > answered);
  CHECK_OK(siptls_transport_close(stage->client.transport, stage->to_server, why));
  RUN_UNTIL(stage, stage->server.seen[SIPTLS_EVENT_CLOSED] > before);
  stage_settle(stage);
}

static void a_certificate_is_exchanged(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  stage.client.on_event = note_serial;
  stage_connect(&stage);
  char first[sizeof serial];
  memcpy(first, serial, sizeof first);
  siptls_context* const renewed = make_context(PKI_ALPHA_RENEWED, NULL);
  siptls_update_report report = {.size = sizeof report};
  CHECK_OK(siptls_transport_update(stage.server.transport, stage.server.listener, renewed, &report,
                                   why));
  siptls_context_free(renewed);
  CHECK_NUMBER(report.generation, 1);
  CHECK_NUMBER(report.older_connections, 1);
  // The old connection goes on; a new one, by a target of its own, sees the new certificate.
  siptls_context* const other = make_context(PKI_BETA, NULL);
  siptls_target target = target_of(&stage);
  target.context = other;
  siptls_connection second = 0;
  CHECK_OK(siptls_transport_connect(stage.client.transport, &target, &second, why));
  CHECK(second != stage.to_server);
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_CONNECTED] == 2);
  CHECK(strcmp(first, serial) != 0);
  CHECK_NUMBER(siptls_transport_connection_count(stage.client.transport), 2);
  siptls_context_free(other);
  stage_close(&stage);
}

static void an_update_is_all_or_nothing(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  siptls_context* const expired = make_context(PKI_ALPHA_EXPIRED, NULL);
  siptls_update_report report = {.size = sizeof report};
  siptls_transport* const server = stage.server.transport;
  const siptls_listener first = stage.server.listener;
  CHECK_REASON(siptls_transport_update(server, first, expired, &report, why),
               SIPTLS_E_CERTIFICATE_EXPIRED);
  CHECK_NUMBER(report.generation, 0);
  CHECK_REASON(siptls_transport_update(server, 0, stage.alpha, NULL, why),
               SIPTLS_E_UNKNOWN_LISTENER);
  host_listen(&stage.server, stage.alpha);
  siptls_listener_update updates[2] = {{stage.alpha, first, 0},
                                       {expired, stage.server.listener, 0}};
  CHECK_REASON(siptls_transport_update_all(server, updates, 2, stage.alpha, &report, why),
               SIPTLS_E_CERTIFICATE_EXPIRED);
  CHECK_NUMBER(report.generation, 0);
  updates[1].context = NULL;
  CHECK_REASON(siptls_transport_update_all(server, updates, 2, NULL, &report, why),
               SIPTLS_E_INVALID_ARGUMENT);
  updates[1].context = stage.alpha;
  updates[1].listener = first;
  CHECK_REASON(siptls_transport_update_all(server, updates, 2, NULL, &report, why),
               SIPTLS_E_INVALID_ARGUMENT);  // named twice
  updates[1].listener = stage.server.listener;
  CHECK_OK(siptls_transport_update_all(server, updates, 2, stage.alpha, &report, why));
  CHECK_NUMBER(report.generation, 1);
  CHECK_OK(siptls_transport_update_all(server, updates, 2, NULL, NULL, why));
  CHECK_OK(siptls_transport_update_outgoing(server, stage.alpha, &report, why));
  CHECK_NUMBER(report.generation, 3);
  siptls_context_free(expired);
  stage_close(&stage);
}

static void trust_strangers_only(siptls_context_config* config, siptls_policy* policy) {
  static siptls_trust_store* strangers = NULL;
  (void)policy;
  siptls_trust_store_free(strangers);
  strangers = NULL;
  if (config == NULL) return;  // tidies up
  REQUIRE_OK(siptls_trust_store_from_pem(pki_stranger_root(), strlen(pki_stranger_root()), NULL,
                                         &strangers, why));
  config->trust = strangers;
}

static void open_connections_are_judged_again(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  stage_connect(&stage);
  siptls_context* const stricter = make_context(PKI_ALPHA, trust_strangers_only);
  siptls_update_report report = {.size = sizeof report};
  CHECK_OK(siptls_transport_update(stage.server.transport, stage.server.listener, stricter, &report,
                                   why));
  CHECK_NUMBER(report.older_connections, 1);
  CHECK_OK(siptls_transport_reverify(stage.server.transport, report.generation, why));
  RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_CLOSED] == 1);
  CHECK_NUMBER(stage.server.reason[SIPTLS_EVENT_CLOSED], SIPTLS_E_UNKNOWN_CA);
  CHECK_NUMBER(stage.server.last[SIPTLS_EVENT_CLOSED].connection, stage.to_client);
  siptls_context_free(stricter);
  trust_strangers_only(NULL, NULL);
  stage_close(&stage);
}

static void a_ticket_spares_the_handshake(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  stage.server.on_event = answer;
  stage.client.on_event = note_resumed;
  stage_connect(&stage);
  CHECK_NUMBER(resumed, 0);
  talk_and_hang_up(&stage);
  stage_connect(&stage);
  CHECK_NUMBER(resumed, 1);
  stage_close(&stage);
}

// A ticket is good at listeners of the same scope alone.
static void a_scope_says_where_tickets_are_good(void) {
  static const char* const scopes[][2] = {{"here", "here"}, {"here", "there"}};
  for (int i = 0; i < 2; ++i) {
    struct stage stage;
    stage_open(&stage, NULL, NULL);
    stage.server.on_event = answer;
    stage.client.on_event = note_resumed;
    for (int j = 0; j < 2; ++j) {
      siptls_listen_options options;
      siptls_listen_options_init(&options, sizeof options);
      // The same address again: clients try their tickets where they got them.
      options.local = stage.server.address;
      options.context = stage.alpha;
      options.ticket_scope = scopes[i][j];
      struct host* const server = &stage.server;
      CHECK_OK(siptls_transport_stop_listening(server->transport, server->listener, why));
      REQUIRE_OK(siptls_transport_listen(server->transport, &options, &server->listener, why));
      REQUIRE_OK(siptls_transport_local_endpoint(server->transport, server->listener,
                                                 &server->address, why));
      stage_connect(&stage);
      if (j == 0) talk_and_hang_up(&stage);
    }
    CHECK_NUMBER(resumed, i == 0);
    stage_close(&stage);
  }
}

static siptls_ticket_keys* shared_keys = NULL;

static void share_keys(siptls_context_config* config, siptls_policy* policy) {
  (void)policy;
  config->ticket_keys = shared_keys;
}

// Two machines behind one name: the second opens the tickets of the first, because it has its keys.
static void ticket_keys_travel_between_machines(void) {
  for (int imported = 0; imported <= 1; ++imported) {
    struct stage stage;
    stage_open(&stage, NULL, NULL);
    stage.server.on_event = answer;
    stage.client.on_event = note_resumed;
    siptls_ticket_keys* keys[2] = {NULL, NULL};
    siptls_context* machines[2] = {NULL, NULL};
    for (int i = 0; i < 2; ++i) {
      REQUIRE_OK(siptls_ticket_keys_new(43200, 2, &keys[i], why));
      shared_keys = keys[i];
      machines[i] = make_context(PKI_ALPHA, share_keys);
    }
    if (imported) {
      unsigned char exported[1024];
      size_t size = 0;
      REQUIRE_OK(siptls_ticket_keys_export(keys[0], exported, sizeof exported, &size, why));
      REQUIRE_OK(siptls_ticket_keys_import(keys[1], exported, size, why));
    }
    CHECK_OK(siptls_transport_update(stage.server.transport, stage.server.listener, machines[0],
                                     NULL, why));
    stage_connect(&stage);
    CHECK_NUMBER(resumed, 0);
    talk_and_hang_up(&stage);
    CHECK_OK(siptls_transport_update(stage.server.transport, stage.server.listener, machines[1],
                                     NULL, why));
    stage_connect(&stage);
    CHECK_NUMBER(resumed, imported);
    for (int i = 0; i < 2; ++i) {
      siptls_context_free(machines[i]);
      siptls_ticket_keys_free(keys[i]);
    }
    stage_close(&stage);
  }
}

static const siptls_credentials* more[1];

static void two_names(siptls_context_config* config, siptls_policy* policy) {
  policy->resumption = SIPTLS_RESUMPTION_OFF;
  config->more_credentials = more;
  config->more_credentials_count = 1;
}

static void a_server_has_several_names(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  siptls_credentials* const gamma = make_credentials(PKI_GAMMA);
  more[0] = gamma;
  siptls_context* const both = make_context(PKI_ALPHA, two_names);
  siptls_credentials_free(gamma);
  host_listen(&stage.server, both);
  stage_connect(&stage);
  siptls_target target = target_of(&stage);
  target.domain = "gamma.example";
  siptls_connection connection = 0;
  CHECK_OK(siptls_transport_connect(stage.client.transport, &target, &connection, why));
  CHECK(connection != stage.to_server);
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_CONNECTED] == 2);
  siptls_context_free(both);
  stage_close(&stage);
}

const struct test update_tests[] = {
    {"a certificate is exchanged without losing a connection", a_certificate_is_exchanged},
    {"an update is all or nothing", an_update_is_all_or_nothing},
    {"open connections are judged again", open_connections_are_judged_again},
    {"a ticket spares the next handshake", a_ticket_spares_the_handshake},
    {"a scope says at which listeners tickets are good", a_scope_says_where_tickets_are_good},
    {"ticket keys travel between machines", ticket_keys_travel_between_machines},
    {"a server shows the certificate of the name that it is asked for", a_server_has_several_names},
    {NULL, NULL}};
