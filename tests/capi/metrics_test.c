// What can be seen from outside: metrics, the log, the trace, the key log.
#include <stdio.h>

#include "folder.h"
#include "stage.h"
#include "tests.h"

static void exchange_one(struct stage* stage) {
  stage->server.on_event = answer;
  stage_connect(stage);
  const char* const request = options_request(1);
  CHECK_OK(siptls_transport_send(stage->client.transport, stage->to_server, request,
                                 strlen(request), NULL, NULL, why));
  RUN_UNTIL(stage, stage->client.seen[SIPTLS_EVENT_MESSAGE] == 1);
}

static void numbers_add_up(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  exchange_one(&stage);
  siptls_metrics* metrics = NULL;
  REQUIRE_OK(siptls_metrics_new(&metrics, why));
  siptls_metric_values values = {.size = sizeof values};
  CHECK_NUMBER(siptls_metrics_values(metrics, &values), SIPTLS_OK);
  CHECK_NUMBER(values.accepted + values.connections + values.messages_received, 0);
  CHECK_OK(siptls_metrics_add(metrics, stage.server.transport, why));
  CHECK_NUMBER(siptls_metrics_values(metrics, &values), SIPTLS_OK);
  CHECK_NUMBER(values.size, sizeof values);
  CHECK_NUMBER(values.connections, 1);
  CHECK_NUMBER(values.listeners, 1);
  CHECK_NUMBER(values.accepted, 1);
  CHECK_NUMBER(values.connect_attempts, 0);
  CHECK_NUMBER(values.handshakes_server, 1);
  CHECK_NUMBER(values.handshakes_client, 0);
  CHECK_NUMBER(values.handshakes_authenticated, 1);
  CHECK_NUMBER(values.messages_received, 1);
  CHECK_NUMBER(values.message_bytes_received, strlen(options_request(1)));
  CHECK_NUMBER(values.messages_accepted, 1);
  CHECK_OK(siptls_metrics_add(metrics, stage.client.transport, why));
  CHECK_NUMBER(siptls_metrics_values(metrics, &values), SIPTLS_OK);
  CHECK_NUMBER(values.connections, 2);
  CHECK_NUMBER(values.connect_attempts, 1);
  CHECK_NUMBER(values.messages_received, 2);
  siptls_metrics* sum = NULL;
  REQUIRE_OK(siptls_metrics_new(&sum, why));
  CHECK_OK(siptls_metrics_merge(sum, metrics, why));
  CHECK_OK(siptls_metrics_merge(sum, sum, why));
  CHECK_NUMBER(siptls_metrics_values(sum, &values), SIPTLS_OK);
  CHECK_NUMBER(values.connections, 4);
  CHECK_NUMBER(values.messages_received, 4);
  siptls_metrics_clear(metrics);
  CHECK_NUMBER(siptls_metrics_values(metrics, &values), SIPTLS_OK);
  CHECK_NUMBER(values.connections, 0);
  siptls_metrics_free(metrics);
  CHECK_NUMBER(siptls_metrics_total(sum, SIPTLS_METRIC_HANDSHAKES_BY_VERSION), 4);
  siptls_metrics_free(sum);
  stage_close(&stage);
}

static void counters_have_keys(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  exchange_one(&stage);
  siptls_target target = target_of(&stage);
  target.domain = "gamma.example";
  CHECK_OK(siptls_transport_connect(stage.client.transport, &target, &stage.to_server, why));
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_HANDSHAKE_FAILED] == 1);
  CHECK_REASON(
      siptls_transport_send(stage.client.transport, stage.to_server, "x", 1, NULL, NULL, why),
      SIPTLS_E_UNKNOWN_CONNECTION);
  siptls_metrics* metrics = NULL;
  REQUIRE_OK(siptls_metrics_new(&metrics, why));
  CHECK_OK(siptls_metrics_add(metrics, stage.client.transport, why));
  static const struct {
    uint32_t metric;
    int key;
  } rows[] = {{SIPTLS_METRIC_HANDSHAKE_FAILURES, SIPTLS_E_IDENTITY_MISMATCH},
              {SIPTLS_METRIC_SENDS_REFUSED, SIPTLS_E_UNKNOWN_CONNECTION},
              {SIPTLS_METRIC_HANDSHAKES_BY_VERSION, SIPTLS_TLS1_3}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
    CHECK_NUMBER(siptls_metrics_count(metrics, rows[i].metric, rows[i].key), 1);
    CHECK_NUMBER(siptls_metrics_total(metrics, rows[i].metric), 1);
    CHECK_NUMBER(siptls_metrics_count(metrics, rows[i].metric, rows[i].key + 1), 0);
    CHECK_NUMBER(siptls_metrics_count(metrics, rows[i].metric, -1), 0);
  }
  CHECK_NUMBER(siptls_metrics_total(metrics, SIPTLS_METRIC_HANDSHAKES_BY_SUITE), 1);
  CHECK_NUMBER(siptls_metrics_total(metrics, SIPTLS_METRIC_HANDSHAKES_BY_GROUP), 1);
  CHECK_NUMBER(siptls_metrics_total(metrics, SIPTLS_METRIC_CONNECT_FAILURES), 0);
  CHECK_NUMBER(siptls_metrics_total(metrics, SIPTLS_METRIC_HANDSHAKES_BY_GROUP + 1), 0);
  const char* const json = siptls_metrics_json(metrics);
  CHECK(json != NULL && json[0] == '{' && json[strlen(json) - 1] == '}');
  CHECK(contains(json, "\"identity_mismatch\":1") || contains(json, "\"identity_mismatch\": 1"));
  const char* const text = siptls_metrics_openmetrics(metrics);
  CHECK(contains(text, "siptls_"));
  CHECK(contains(text, "identity_mismatch"));
  const char* const end = text == NULL ? NULL : strstr(text, "# EOF\n");
  CHECK(end != NULL && strlen(end) == 6);
  siptls_metrics_free(metrics);
  stage_close(&stage);
}

struct lines {
  unsigned count;
  unsigned of_level[SIPTLS_LOG_DEBUG + 1];
  unsigned with_connection;
  siptls_now last;
  int odd;  // a line end or a NUL inside
};

static void write_line(void* context, uint32_t level, const siptls_now* time,
                       siptls_connection connection, const char* text, size_t size) {
  struct lines* const lines = context;
  ++lines->count;
  REQUIRE(level <= SIPTLS_LOG_DEBUG);
  ++lines->of_level[level];
  lines->with_connection += connection != 0;
  lines->last = *time;
  lines->odd |= size == 0 || memchr(text, '\n', size) != NULL || memchr(text, '\0', size) != NULL;
}

static void the_log_tells_what_it_is_asked_for(void) {
  unsigned counts[2] = {0, 0};
  for (int debug = 0; debug <= 1; ++debug) {
    struct stage stage;
    struct lines lines;
    memset(&lines, 0, sizeof lines);
    siptls_transport_options options;
    siptls_transport_options_init(&options, sizeof options);
    CHECK_NUMBER(options.log_level, SIPTLS_LOG_INFO);
    options.log = write_line;
    options.log_context = &lines;
    if (debug) options.log_level = SIPTLS_LOG_DEBUG;
    stage_open(&stage, &options, NULL);
    exchange_one(&stage);
    CHECK(lines.of_level[SIPTLS_LOG_INFO] > 0);
    CHECK_NUMBER(lines.of_level[SIPTLS_LOG_OFF], 0);
    if (!debug) CHECK_NUMBER(lines.of_level[SIPTLS_LOG_DEBUG], 0);
    CHECK(lines.with_connection > 0);
    CHECK(lines.last.mono > 0 && lines.last.wall > 0);
    CHECK_NUMBER(lines.odd, 0);
    counts[debug] = lines.count;
    stage_close(&stage);
  }
  CHECK(counts[1] >= counts[0]);
  siptls_transport_options options;
  siptls_transport_options_init(&options, sizeof options);
  options.log_level = SIPTLS_LOG_DEBUG + 1;
  siptls_transport* none = NULL;
  CHECK_REASON(siptls_transport_new(&options, &none, why), SIPTLS_E_INVALID_ARGUMENT);
  CHECK(none == NULL);
}

static void a_trace_draws_the_handshake(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  siptls_trace* trace = NULL;
  REQUIRE_OK(siptls_trace_new(&trace, why));
  siptls_target target = target_of(&stage);
  target.trace = trace;
  CHECK_OK(siptls_transport_connect(stage.client.transport, &target, &stage.to_server, why));
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_CONNECTED] == 1);
  const char* ladder = siptls_trace_ladder(trace);
  CHECK(contains(ladder, "ClientHello") && contains(ladder, "Finished"));
  const char* const picture = siptls_trace_ladder_svg(trace);
  CHECK(contains(picture, "<svg") && contains(picture, "</svg>"));
  CHECK(contains(picture, "ClientHello"));
  stage_close(&stage);
  ladder = siptls_trace_ladder(trace);  // it outlives its transport
  CHECK(contains(ladder, "ClientHello"));
  siptls_trace_free(trace);
}

struct secrets {
  unsigned lines;
  int odd;
};

static void note_secret(void* context, const char* line, size_t size) {
  struct secrets* const secrets = context;
  ++secrets->lines;
  secrets->odd |= size < 64 || memchr(line, '\0', size) != NULL;
}

static siptls_context_config key_logging;

static void log_keys(siptls_context_config* config, siptls_policy* policy) {
  (void)policy;
  config->dangerous_key_log = key_logging.dangerous_key_log;
  config->dangerous_key_log_context = key_logging.dangerous_key_log_context;
  config->dangerous_key_log_file = key_logging.dangerous_key_log_file;
}

static void secrets_are_told_to_who_asked(void) {
  struct folder folder;
  folder_make(&folder);
  struct secrets secrets = {0, 0};
  for (int to_file = 0; to_file <= 1; ++to_file) {
    struct stage stage;
    stage_open(&stage, NULL, NULL);
    memset(&key_logging, 0, sizeof key_logging);
    if (to_file) {
      key_logging.dangerous_key_log_file = folder_path(&folder, "keys.log");
    } else {
      key_logging.dangerous_key_log = note_secret;
      key_logging.dangerous_key_log_context = &secrets;
    }
    siptls_context_free(stage.beta);
    stage.beta = make_context(PKI_BETA, log_keys);
    exchange_one(&stage);
    stage_close(&stage);
  }
  CHECK(secrets.lines >= 4);
  CHECK_NUMBER(secrets.odd, 0);
  char text[8192];
  CHECK(folder_read(&folder, "keys.log", text, sizeof text) > 0);
  CHECK(contains(text, "CLIENT_TRAFFIC_SECRET_0 "));
  unsigned lines = 0;
  for (const char* c = text; *c != '\0'; ++c) lines += *c == '\n';
  CHECK_NUMBER(lines, secrets.lines);

  siptls_context_config both;
  siptls_context_config_init(&both, sizeof both);
  both.dangerous_key_log = note_secret;
  both.dangerous_key_log_file = folder_path(&folder, "keys.log");
  siptls_context* none = NULL;
  CHECK_REASON(siptls_context_new(&both, &none, why), SIPTLS_E_INVALID_ARGUMENT);
  CHECK(none == NULL);
  folder_remove(&folder);
}

const struct test metrics_tests[] = {
    {"numbers add up, of transports and of snapshots", numbers_add_up},
    {"counters have keys, and JSON and OpenMetrics show them", counters_have_keys},
    {"the log tells what it is asked for", the_log_tells_what_it_is_asked_for},
    {"a trace draws the handshake", a_trace_draws_the_handshake},
    {"secrets are told to a callback or a file", secrets_are_told_to_who_asked},
    {NULL, NULL}};
