// NULL for every pointer: of transports, senders, traces and metrics.
#include "null.h"
#include "stage.h"
#include "tests.h"

static void inits(void) {
  siptls_transport_limits_init(NULL, sizeof(siptls_transport_limits));
  siptls_transport_options_init(NULL, sizeof(siptls_transport_options));
  siptls_listen_options_init(NULL, sizeof(siptls_listen_options));
  siptls_target_init(NULL, sizeof(siptls_target));
  siptls_fallback_init(NULL, sizeof(siptls_fallback));
  siptls_send_options_init(NULL, sizeof(siptls_send_options));
  CHECK(siptls_peer_path(NULL) == NULL);
  CHECK_NUMBER(siptls_peer_version(NULL), 0);
  CHECK_NUMBER(siptls_peer_cipher_suite(NULL), 0);
  CHECK_NUMBER(siptls_peer_group(NULL), 0);
  CHECK_NUMBER(siptls_peer_resumed(NULL), 0);
  const char* const protocol = siptls_peer_application_protocol(NULL);
  CHECK(protocol == NULL || protocol[0] == '\0');
}

static void no_transport(void) {
  siptls_event event = {.size = sizeof event};
  siptls_endpoint endpoint;
  siptls_listen_options listen;
  siptls_listener listener = 0;
  siptls_connection connection = 0;
  siptls_target target;
  siptls_update_report report = {.size = sizeof report};
  siptls_listener_update update = {NULL, 1, 0};
  siptls_listen_options_init(&listen, sizeof listen);
  siptls_target_init(&target, sizeof target);
  siptls_context* const context = make_context(PKI_ALPHA, NULL);
  REFUSES(siptls_transport_new, NULL, NULL);
  siptls_transport_free(NULL);
  CHECK_NUMBER(siptls_transport_fd(NULL), -1);
  CHECK_NUMBER(siptls_transport_next_event(NULL, &event), 0);
  CHECK_NUMBER(siptls_transport_attempt(NULL, 0, &endpoint, why), 0);
  siptls_transport_flush(NULL);
  siptls_transport_close_all(NULL);
  siptls_transport_drain_all(NULL, 0);
  CHECK_NUMBER(siptls_transport_connection_count(NULL), 0);
  CHECK(siptls_transport_peer(NULL, 1) == NULL);
  REFUSES(siptls_transport_listen, NULL, &listen, &listener);
  REFUSES(siptls_transport_local_endpoint, NULL, 1, &endpoint);
  REFUSES(siptls_transport_stop_listening, NULL, 1);
  REFUSES(siptls_transport_update, NULL, 1, context, &report);
  REFUSES(siptls_transport_update_outgoing, NULL, context, &report);
  REFUSES(siptls_transport_update_all, NULL, &update, 1, context, &report);
  REFUSES(siptls_transport_reverify, NULL, 1);
  REFUSES(siptls_transport_connect, NULL, &target, &connection);
  REFUSES(siptls_transport_send, NULL, 1, "x", 1, NULL, NULL);
  REFUSES(siptls_transport_send_to, NULL, &target, "x", 1, NULL, NULL);
  REFUSES(siptls_transport_respond, NULL, 1, "x", 1, NULL, NULL, NULL);
  REFUSES(siptls_transport_accept_alias, NULL, 1, NULL);
  REFUSES(siptls_transport_keep_alive, NULL, 1, 0, 0);
  REFUSES(siptls_transport_authorise, NULL, 1, SIPTLS_ADMIT);
  REFUSES(siptls_transport_complete_signature, NULL, 1, "x", 1);
  REFUSES(siptls_transport_close, NULL, 1);
  REFUSES(siptls_transport_abort, NULL, 1);
  REFUSES(siptls_transport_drain, NULL, 1, 0);
  REFUSES(siptls_transport_pause, NULL, 1);
  REFUSES(siptls_transport_resume, NULL, 1);
  siptls_context_free(context);
}

static void a_transport(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  stage_connect(&stage);
  siptls_transport* const own = stage.client.transport;
  siptls_endpoint endpoint;
  siptls_update_report report = {.size = sizeof report};
  const siptls_listener_update update = {NULL, stage.server.listener, 0};
  CHECK_NUMBER(siptls_transport_next_event(own, NULL), 0);
  CHECK_NUMBER(siptls_transport_attempt(own, 0, NULL, NULL), 0);
  REFUSES(siptls_transport_listen, own, NULL, NULL);
  REFUSES(siptls_transport_local_endpoint, stage.server.transport, stage.server.listener, NULL);
  REFUSES(siptls_transport_update, stage.server.transport, stage.server.listener, NULL, &report);
  REFUSES(siptls_transport_update_outgoing, own, NULL, &report);
  REFUSES(siptls_transport_update_all, stage.server.transport, NULL, 1, NULL, &report);
  REFUSES(siptls_transport_update_all, stage.server.transport, &update, 1, NULL, &report);
  siptls_connection connection = 0;
  REFUSES(siptls_transport_connect, own, NULL, &connection);
  REFUSES(siptls_transport_send, own, stage.to_server, NULL, 1, NULL, NULL);
  siptls_target target = target_of(&stage);
  REFUSES(siptls_transport_send_to, own, NULL, "x", 1, NULL, NULL);
  REFUSES(siptls_transport_send_to, own, &target, NULL, 1, NULL, NULL);
  target.domain = NULL;
  REFUSES(siptls_transport_connect, own, &target, &connection);
  REFUSES(siptls_transport_send_to, own, &target, "x", 1, NULL, NULL);
  target = target_of(&stage);
  target.remotes = NULL;
  REFUSES(siptls_transport_connect, own, &target, &connection);
  target.remote_count = 0;
  REFUSES(siptls_transport_connect, own, &target, &connection);
  siptls_endpoint nowhere;
  memset(&nowhere, 0, sizeof nowhere);
  target.remotes = &nowhere;
  target.remote_count = 1;
  REFUSES(siptls_transport_connect, own, &target, &connection);
  target = target_of(&stage);
  target.local = &nowhere;
  REFUSES(siptls_transport_connect, own, &target, &connection);
  CHECK_NUMBER(connection, 0);
  REFUSES(siptls_transport_respond, own, stage.to_server, NULL, 1, NULL, NULL, NULL);
  siptls_fallback fallback;
  siptls_fallback_init(&fallback, sizeof fallback);
  fallback.remote_count = 1;
  REFUSES(siptls_transport_respond, own, stage.to_server, "x", 1, &fallback, NULL, NULL);
  REFUSES(siptls_transport_accept_alias, own, stage.to_server, NULL);
  CHECK_REASON(siptls_transport_local_endpoint(own, 77, &endpoint, why), SIPTLS_E_UNKNOWN_LISTENER);
  REFUSES(siptls_transport_complete_signature, own, stage.to_server, NULL, 1);

  siptls_listen_options listen;
  siptls_listen_options_init(&listen, sizeof listen);
  REQUIRE_OK(siptls_endpoint_parse("127.0.0.1", 0, &listen.local, why));
  listen.context = stage.alpha;
  listen.proxy = SIPTLS_PROXY_EITHER;
  listen.proxy_source_count = 1;
  REFUSES(siptls_transport_listen, own, &listen, NULL);
  static const char* const hole[] = {NULL};
  listen.proxy_sources = hole;
  REFUSES(siptls_transport_listen, own, &listen, NULL);
  siptls_transport_options options;
  siptls_clock_source clock = {sizeof clock, NULL, NULL};
  siptls_transport_options_init(&options, sizeof options);
  options.clock = &clock;
  siptls_transport* none = NULL;
  REFUSES(siptls_transport_new, &options, &none);
  CHECK(none == NULL);
  // These may be left out.
  listen.proxy = SIPTLS_PROXY_OFF;
  listen.proxy_source_count = 0;
  CHECK_OK(siptls_transport_listen(own, &listen, NULL, why));
  target = target_of(&stage);
  CHECK_OK(siptls_transport_connect(own, &target, NULL, why));
  CHECK_OK(siptls_transport_update_outgoing(own, stage.beta, NULL, why));
  CHECK_OK(siptls_transport_send(own, stage.to_server, "\r\n\r\n", 4, NULL, NULL, NULL));
  // What was refused has hurt nobody.
  stage_settle(&stage);
  CHECK_NUMBER(stage.client.seen[SIPTLS_EVENT_CLOSED], 0);
  stage_close(&stage);
}

static void senders(void) {
  siptls_sender* sender = NULL;
  siptls_transport* transport = NULL;
  siptls_target target;
  siptls_target_init(&target, sizeof target);
  REFUSES(siptls_sender_new, NULL, &sender);
  REQUIRE_OK(siptls_transport_new(NULL, &transport, why));
  REFUSES(siptls_sender_new, transport, NULL);
  REQUIRE_OK(siptls_sender_new(transport, &sender, why));
  REFUSES(siptls_sender_send, NULL, 1, "x", 1, NULL, NULL);
  REFUSES(siptls_sender_send, sender, 1, NULL, 1, NULL, NULL);
  REFUSES(siptls_sender_send_to, NULL, &target, "x", 1, NULL, NULL);
  REFUSES(siptls_sender_send_to, sender, NULL, "x", 1, NULL, NULL);
  REFUSES(siptls_sender_send_to, sender, &target, "x", 1, NULL, NULL);  // no domain
  REFUSES(siptls_sender_respond, NULL, 1, "x", 1, NULL, NULL, NULL);
  REFUSES(siptls_sender_respond, sender, 1, NULL, 1, NULL, NULL, NULL);
  REFUSES(siptls_sender_authorise, NULL, 1, SIPTLS_ADMIT);
  REFUSES(siptls_sender_complete_signature, NULL, 1, "x", 1);
  REFUSES(siptls_sender_complete_signature, sender, 1, NULL, 1);
  REFUSES(siptls_sender_post, NULL, 1);
  siptls_sender_free(NULL);
  siptls_sender_free(sender);
  siptls_transport_free(transport);
}

static void metrics_and_traces(void) {
  siptls_metrics* metrics = NULL;
  siptls_metric_values values = {.size = sizeof values};
  CHECK_REASON(siptls_metrics_new(NULL, why), SIPTLS_E_INVALID_ARGUMENT);
  IS_REFUSED(siptls_metrics_new(NULL, NULL));
  REQUIRE_OK(siptls_metrics_new(&metrics, why));
  siptls_transport* transport = NULL;
  REQUIRE_OK(siptls_transport_new(NULL, &transport, why));
  REFUSES(siptls_metrics_add, NULL, transport);
  REFUSES(siptls_metrics_add, metrics, NULL);
  REFUSES(siptls_metrics_merge, NULL, metrics);
  REFUSES(siptls_metrics_merge, metrics, NULL);
  siptls_transport_free(transport);
  IS_REFUSED(siptls_metrics_values(NULL, &values));
  IS_REFUSED(siptls_metrics_values(metrics, NULL));
  siptls_metrics_clear(NULL);
  CHECK_NUMBER(siptls_metrics_count(NULL, SIPTLS_METRIC_CLOSED, SIPTLS_E_TRUNCATED), 0);
  CHECK_NUMBER(siptls_metrics_total(NULL, SIPTLS_METRIC_CLOSED), 0);
  CHECK(siptls_metrics_json(NULL) == NULL);
  CHECK(siptls_metrics_openmetrics(NULL) == NULL);
  siptls_metrics_free(NULL);
  siptls_metrics_free(metrics);
  CHECK_REASON(siptls_trace_new(NULL, why), SIPTLS_E_INVALID_ARGUMENT);
  IS_REFUSED(siptls_trace_new(NULL, NULL));
  const char* const shown[] = {siptls_trace_ladder(NULL), siptls_trace_ladder_svg(NULL)};
  CHECK(shown[0] == NULL || shown[0][0] == '\0');
  CHECK(shown[1] == NULL || shown[1][0] == '\0');
  siptls_trace_free(NULL);
}

const struct test null_transport_tests[] = {{"NULL for structs and peers", inits},
                                            {"NULL for a transport", no_transport},
                                            {"NULL for what a transport is given", a_transport},
                                            {"NULL for senders and what they are given", senders},
                                            {"NULL for metrics and traces", metrics_and_traces},
                                            {NULL, NULL}};
