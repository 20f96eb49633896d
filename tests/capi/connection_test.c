// How a connection is paused, kept alive, reused, and ended.
#include <stdio.h>

#include "stage.h"
#include "tests.h"

static int send_request(struct host* host, siptls_connection connection, unsigned number) {
  const char* const request = options_request(number);
  return siptls_transport_send(host->transport, connection, request, strlen(request), NULL, NULL,
                               why);
}

static void a_clean_end_has_no_error(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  stage_connect(&stage);
  CHECK_OK(send_request(&stage.client, stage.to_server, 1));
  CHECK_OK(siptls_transport_close(stage.client.transport, stage.to_server, why));
  CHECK_REASON(send_request(&stage.client, stage.to_server, 2), SIPTLS_E_CONNECTION_CLOSED);
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_CLOSED] == 1 &&
                        stage.server.seen[SIPTLS_EVENT_CLOSED] == 1);
  // What was queued before it went out.
  CHECK_NUMBER(stage.server.seen[SIPTLS_EVENT_MESSAGE], 1);
  CHECK_NUMBER(stage.server.seen[SIPTLS_EVENT_PEER_CLOSING], 1);
  CHECK(stage.server.last[SIPTLS_EVENT_CLOSED].error == NULL);
  CHECK(stage.client.last[SIPTLS_EVENT_CLOSED].error == NULL);
  CHECK_NUMBER(stage.server.last[SIPTLS_EVENT_CLOSED].truncated, 0);
  CHECK_NUMBER(stage.client.last[SIPTLS_EVENT_CLOSED].connection, stage.to_server);
  CHECK_NUMBER(siptls_transport_connection_count(stage.client.transport), 0);
  CHECK_REASON(siptls_transport_close(stage.client.transport, stage.to_server, why),
               SIPTLS_E_UNKNOWN_CONNECTION);
  CHECK_REASON(siptls_transport_close(stage.client.transport, 0, why), SIPTLS_E_UNKNOWN_CONNECTION);
  stage_close(&stage);
}

static void an_abort_is_seen_on_both_sides(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  stage_connect(&stage);
  CHECK_OK(siptls_transport_abort(stage.client.transport, stage.to_server, why));
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_CLOSED] == 1 &&
                        stage.server.seen[SIPTLS_EVENT_CLOSED] == 1);
  CHECK_NUMBER(stage.client.reason[SIPTLS_EVENT_CLOSED], SIPTLS_E_CONNECTION_ABORTED);
  CHECK_NUMBER(siptls_category_of(stage.server.reason[SIPTLS_EVENT_CLOSED]), SIPTLS_CATEGORY_IO);
  CHECK_NUMBER(stage.server.last[SIPTLS_EVENT_CLOSED].truncated, 1);
  stage_close(&stage);
}

static void close_all_ends_everything(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  stage_connect(&stage);
  siptls_transport_close_all(stage.server.transport);
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_CLOSED] == 1 &&
                        stage.server.seen[SIPTLS_EVENT_CLOSED] == 1);
  siptls_endpoint local;
  CHECK_REASON(
      siptls_transport_local_endpoint(stage.server.transport, stage.server.listener, &local, why),
      SIPTLS_E_UNKNOWN_LISTENER);
  stage_close(&stage);
}

static void a_drained_connection_serves_no_target(void) {
  struct stage stage;
  struct manual_clock clock;
  manual_clock_init(&clock);
  siptls_transport_options options;
  siptls_transport_options_init(&options, sizeof options);
  options.clock = &clock.source;
  stage_open(&stage, NULL, &options);
  stage_connect(&stage);
  const int64_t deadline = clock.now.mono + 5000000000;
  CHECK_OK(siptls_transport_drain(stage.client.transport, stage.to_server, deadline, why));
  const siptls_connection draining = stage.to_server;
  stage_connect(&stage);
  CHECK(stage.to_server != draining);
  CHECK_OK(send_request(&stage.client, draining, 1));  // its transactions go on
  RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_MESSAGE] == 1);
  CHECK_NUMBER(stage.client.seen[SIPTLS_EVENT_CLOSED], 0);
  manual_clock_advance(&clock, 5001);
  stage_settle(&stage);
  CHECK_NUMBER(stage.client.seen[SIPTLS_EVENT_CLOSED], 1);
  CHECK_NUMBER(stage.client.last[SIPTLS_EVENT_CLOSED].connection, draining);
  stage_close(&stage);
}

static void a_drained_transport_opens_nothing(void) {
  struct stage stage;
  struct manual_clock clock;
  manual_clock_init(&clock);
  siptls_transport_options options;
  siptls_transport_options_init(&options, sizeof options);
  options.clock = &clock.source;
  stage_open(&stage, NULL, &options);
  stage_connect(&stage);
  siptls_transport_drain_all(stage.client.transport, clock.now.mono + 5000000000);
  const siptls_target target = target_of(&stage);
  siptls_connection none = 0;
  CHECK_REASON(siptls_transport_connect(stage.client.transport, &target, &none, why),
               SIPTLS_E_TRANSPORT_DRAINING);
  siptls_transport_drain_all(stage.client.transport, INT64_MIN);
  RUN_UNTIL(&stage, siptls_transport_connection_count(stage.client.transport) == 0);
  stage_close(&stage);
}

static void a_pause_holds_messages_back(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  stage_connect(&stage);
  CHECK_OK(siptls_transport_pause(stage.server.transport, stage.to_client, why));
  CHECK_OK(send_request(&stage.client, stage.to_server, 1));
  CHECK_OK(send_request(&stage.client, stage.to_server, 2));
  stage_settle(&stage);
  CHECK_NUMBER(stage.server.seen[SIPTLS_EVENT_MESSAGE], 0);
  CHECK_OK(siptls_transport_resume(stage.server.transport, stage.to_client, why));
  RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_MESSAGE] == 2);
  CHECK(contains(stage.server.message, "CSeq: 2 OPTIONS"));
  stage_close(&stage);
}

static void a_flow_is_kept_alive(void) {
  struct stage stage;
  struct manual_clock clock;
  manual_clock_init(&clock);
  siptls_transport_options options;
  siptls_transport_options_init(&options, sizeof options);
  options.clock = &clock.source;
  stage_open(&stage, NULL, &options);
  stage_connect(&stage);
  CHECK_OK(siptls_transport_keep_alive(stage.client.transport, stage.to_server, 30000, 5000, why));
  CHECK_REASON(
      siptls_transport_keep_alive(stage.server.transport, stage.to_client, 30000, 5000, why),
      SIPTLS_E_INVALID_ARGUMENT);  // only who opened it pings
  manual_clock_advance(&clock, 30001);
  stage_settle(&stage);
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_PONG] == 1);
  CHECK_NUMBER(stage.server.seen[SIPTLS_EVENT_PING], 1);
  CHECK_NUMBER(stage.server.last[SIPTLS_EVENT_PING].connection, stage.to_client);
  // Nobody answers any more.
  CHECK_OK(siptls_transport_pause(stage.server.transport, stage.to_client, why));
  manual_clock_advance(&clock, 30001);
  stage_settle(&stage);
  CHECK_NUMBER(stage.client.seen[SIPTLS_EVENT_FLOW_FAILED], 0);
  manual_clock_advance(&clock, 5001);
  stage_settle(&stage);
  CHECK_NUMBER(stage.client.seen[SIPTLS_EVENT_FLOW_FAILED], 1);
  CHECK_NUMBER(stage.client.reason[SIPTLS_EVENT_FLOW_FAILED], SIPTLS_E_FLOW_FAILED);
  CHECK_NUMBER(stage.client.seen[SIPTLS_EVENT_CLOSED], 1);
  CHECK_NUMBER(stage.client.reason[SIPTLS_EVENT_CLOSED], SIPTLS_E_FLOW_FAILED);
  stage_close(&stage);
}

static void a_target_can_ask_for_keep_alives(void) {
  struct stage stage;
  struct manual_clock clock;
  manual_clock_init(&clock);
  siptls_transport_options options;
  siptls_transport_options_init(&options, sizeof options);
  options.clock = &clock.source;
  stage_open(&stage, NULL, &options);
  siptls_target target = target_of(&stage);
  siptls_endpoint local;
  REQUIRE_OK(siptls_endpoint_parse("127.0.0.2:0", 0, &local, why));
  target.local = &local;
  target.keep_alive_interval = 20000;
  target.pong_timeout = 3000;
  CHECK_OK(siptls_transport_connect(stage.client.transport, &target, &stage.to_server, why));
  RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_CONNECTED] == 1 &&
                        stage.client.seen[SIPTLS_EVENT_CONNECTED] == 1);
  CHECK_NUMBER(stage.client.last[SIPTLS_EVENT_CONNECTED].local.address[3], 2);
  const siptls_connection of_target = stage.server.last[SIPTLS_EVENT_CONNECTED].connection;
  const siptls_connection pinging = stage.to_server;
  // One that asks for neither gets neither.
  stage_connect(&stage);
  CHECK(stage.to_server != pinging);
  CHECK_NUMBER(stage.client.last[SIPTLS_EVENT_CONNECTED].local.address[3], 1);
  manual_clock_advance(&clock, 20001);
  stage_settle(&stage);
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_PONG] == 1);
  stage_settle(&stage);
  CHECK_NUMBER(stage.server.seen[SIPTLS_EVENT_PING], 1);
  CHECK_NUMBER(stage.client.last[SIPTLS_EVENT_PONG].connection, pinging);
  CHECK_OK(siptls_transport_pause(stage.server.transport, of_target, why));
  manual_clock_advance(&clock, 20001);
  stage_settle(&stage);
  manual_clock_advance(&clock, 3001);
  stage_settle(&stage);
  CHECK_NUMBER(stage.client.seen[SIPTLS_EVENT_FLOW_FAILED], 1);
  stage_close(&stage);
}

static void a_failed_flow_waits_ever_longer(void) {
  for (unsigned failures = 1; failures <= 40; ++failures) {
    uint64_t longest = 30000;
    for (unsigned i = 0; i < failures && longest < 1800000; ++i) longest *= 2;
    if (longest > 1800000) longest = 1800000;
    for (int i = 0; i < 3; ++i) {
      const uint64_t random = (uint64_t)i * (UINT64_MAX / 2);
      const uint64_t wait = siptls_flow_retry_delay(failures, 0, random);
      CHECK(wait >= longest / 2 && wait <= longest);
      CHECK(siptls_flow_retry_delay(failures, 1, random) >= wait);
    }
  }
  CHECK(siptls_flow_retry_delay(UINT32_MAX, 1, UINT64_MAX) <= 1800000);
}

static void take_alias(struct host* host, const siptls_event* event) {
  if (event->kind != SIPTLS_EVENT_MESSAGE) return;
  siptls_via via = {.size = sizeof via};
  REQUIRE(siptls_message_top_via(event->message, &via));
  const int reason =
      siptls_transport_accept_alias(host->transport, event->connection, event->message, why);
  CHECK_REASON(reason, via.alias ? SIPTLS_OK : SIPTLS_E_ALIAS_REFUSED);
}

static void a_connection_is_reused_in_the_other_direction(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  stage.server.on_event = take_alias;
  stage_connect(&stage);
  char request[TEXT_ROOM];
  CHECK_OK(send_request(&stage.client, stage.to_server, 1));  // asks for none
  snprintf(request, sizeof request,
           "OPTIONS sip:alpha.example SIP/2.0\r\n"
           "Via: SIP/2.0/TLS beta.example:5062;branch=z9hG4bK2;alias\r\n"
           "Content-Length: 0\r\n\r\n");
  CHECK_OK(siptls_transport_send(stage.client.transport, stage.to_server, request, strlen(request),
                                 NULL, NULL, why));
  RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_MESSAGE] == 2);
  siptls_endpoint remote = stage.server.last[SIPTLS_EVENT_MESSAGE].remote;
  remote.port = 5062;
  siptls_target back;
  siptls_target_init(&back, sizeof back);
  back.remotes = &remote;
  back.remote_count = 1;
  back.domain = "beta.example";
  back.context = stage.alpha;
  siptls_connection connection = 0;
  CHECK_OK(siptls_transport_connect(stage.server.transport, &back, &connection, why));
  CHECK_NUMBER(connection, stage.to_client);
  CHECK_NUMBER(siptls_transport_connection_count(stage.server.transport), 1);
  stage_close(&stage);
}

const struct test connection_tests[] = {
    {"a connection that is closed ends without an error, behind what was queued",
     a_clean_end_has_no_error},
    {"an abort is seen on both sides", an_abort_is_seen_on_both_sides},
    {"close_all stops listening and ends every connection", close_all_ends_everything},
    {"a connection that is drained serves no target and ends at its deadline",
     a_drained_connection_serves_no_target},
    {"a transport that is drained opens nothing", a_drained_transport_opens_nothing},
    {"a pause holds messages back, and nothing is lost", a_pause_holds_messages_back},
    {"a flow is kept alive, and fails without a pong", a_flow_is_kept_alive},
    {"a target can ask for keep-alives and a source address", a_target_can_ask_for_keep_alives},
    {"a flow that failed waits longer each time", a_failed_flow_waits_ever_longer},
    {"a connection is reused in the other direction if its request asks for that",
     a_connection_is_reused_in_the_other_direction},
    {NULL, NULL}};
