// Structs that the host tells things with, of every size that an older or newer header could give
// them.
#include <stdio.h>

#include "sizes.h"
#include "stage.h"
#include "tests.h"

// What the structs are used on.
static struct stage stage;
static siptls_trust_store* trust;
static siptls_credentials* credentials;

struct told {
  const char* name;
  size_t whole;
  const struct field* fields;
  size_t field_count;
  size_t needed;  // what the call cannot do without
  void (*init)(void* block, size_t size);
  void (*fill)(void* block, size_t size);  // as far as there is room; may be NULL
  int (*use)(const void* block);           // the reason that a call with it gives
};

static const struct field trust_limits_fields[] = {
    FIELD(siptls_trust_limits, size), FIELD(siptls_trust_limits, max_entries),
    FIELD(siptls_trust_limits, max_ca_depth), FIELD(siptls_trust_limits, max_remembered_chains)};
static void init_trust_limits(void* block, size_t size) { siptls_trust_limits_init(block, size); }
static int use_trust_limits(const void* block) {
  siptls_trust_store* store = NULL;
  const int reason =
      siptls_trust_store_from_pem(pki_root(), strlen(pki_root()), block, &store, why);
  siptls_trust_store_free(store);
  return reason;
}

static const struct field verify_options_fields[] = {
    FIELD(siptls_verify_options, size),
    FIELD(siptls_verify_options, at),
    FIELD(siptls_verify_options, clock_policy),
    FIELD(siptls_verify_options, role),
    FIELD(siptls_verify_options, eku),
    FIELD(siptls_verify_options, wildcard),
    FIELD(siptls_verify_options, common_name),
    FIELD(siptls_verify_options, ocsp),
    FIELD(siptls_verify_options, identity),
    FIELD(siptls_verify_options, allowed),
    FIELD(siptls_verify_options, allowed_count),
    FIELD(siptls_verify_options, ocsp_response),
    FIELD(siptls_verify_options, ocsp_response_size)};
static void init_verify_options(void* block, size_t size) {
  siptls_now now;
  siptls_system_now(&now);
  siptls_verify_options_init(block, size, &now);
}
static int use_verify_options(const void* block) {
  const char* const chain = pki_chain(PKI_ALPHA);
  return siptls_trust_store_verify_pem(trust, chain, strlen(chain), block, NULL, why);
}

static const struct field policy_fields[] = {FIELD(siptls_policy, size),
                                             FIELD(siptls_policy, preset),
                                             FIELD(siptls_policy, min_version),
                                             FIELD(siptls_policy, max_version),
                                             FIELD(siptls_policy, client_certificate),
                                             FIELD(siptls_policy, eku),
                                             FIELD(siptls_policy, wildcard),
                                             FIELD(siptls_policy, common_name),
                                             FIELD(siptls_policy, clock_policy),
                                             FIELD(siptls_policy, ocsp),
                                             FIELD(siptls_policy, authorise),
                                             FIELD(siptls_policy, unknown_server_name),
                                             FIELD(siptls_policy, resumption),
                                             FIELD(siptls_policy, extended_master_secret),
                                             FIELD(siptls_policy, alpn),
                                             FIELD(siptls_policy, cipher_suites),
                                             FIELD(siptls_policy, cipher_suite_count),
                                             FIELD(siptls_policy, groups),
                                             FIELD(siptls_policy, group_count),
                                             FIELD(siptls_policy, signature_schemes),
                                             FIELD(siptls_policy, signature_scheme_count)};
static void init_policy(void* block, size_t size) {
  const int reason = siptls_policy_init(block, size, SIPTLS_PRESET_IMG2020);
  CHECK_NUMBER(reason, is_size_of_a_struct(size) ? SIPTLS_OK : SIPTLS_E_INVALID_ARGUMENT);
}
static int use_policy(const void* block) {
  siptls_context_config config;
  siptls_context_config_init(&config, sizeof config);
  config.trust = trust;
  config.policy = block;
  siptls_context* context = NULL;
  const int reason = siptls_context_new(&config, &context, why);
  siptls_context_free(context);
  return reason;
}

static const struct field context_config_fields[] = {
    FIELD(siptls_context_config, size),
    FIELD(siptls_context_config, credentials),
    FIELD(siptls_context_config, more_credentials),
    FIELD(siptls_context_config, more_credentials_count),
    FIELD(siptls_context_config, trust),
    FIELD(siptls_context_config, policy),
    FIELD(siptls_context_config, allowed_peers),
    FIELD(siptls_context_config, allowed_peers_count),
    FIELD(siptls_context_config, ticket_keys),
    FIELD(siptls_context_config, dangerous_key_log),
    FIELD(siptls_context_config, dangerous_key_log_context),
    FIELD(siptls_context_config, dangerous_key_log_file)};
static void init_context_config(void* block, size_t size) {
  siptls_context_config_init(block, size);
}
static void fill_context_config(void* block, size_t size) {
  siptls_context_config* const config = block;
  if (HAS(siptls_context_config, credentials, size)) config->credentials = credentials;
  if (HAS(siptls_context_config, trust, size)) config->trust = trust;
}
static int use_context_config(const void* block) {
  siptls_context* context = NULL;
  const int reason = siptls_context_new(block, &context, why);
  siptls_context_free(context);
  return reason;
}

static const struct field framer_limits_fields[] = {
    FIELD(siptls_framer_limits, size),       FIELD(siptls_framer_limits, max_start_line),
    FIELD(siptls_framer_limits, max_header), FIELD(siptls_framer_limits, max_header_rows),
    FIELD(siptls_framer_limits, max_body),   FIELD(siptls_framer_limits, max_empty_lines),
    FIELD(siptls_framer_limits, reserved)};
static void init_framer_limits(void* block, size_t size) { siptls_framer_limits_init(block, size); }
static int use_framer_limits(const void* block) {
  siptls_framer* framer = NULL;
  const int reason = siptls_framer_new(SIPTLS_FRAMER_SERVER, block, &framer, why);
  siptls_framer_free(framer);
  return reason;
}

static int use_transport_options(const void* block) {
  siptls_transport* transport = NULL;
  const int reason = siptls_transport_new(block, &transport, why);
  siptls_transport_free(transport);
  return reason;
}

// In a struct that another one points to.
static int use_framer_limits_of_transport(const void* block) {
  siptls_transport_limits limits;
  siptls_transport_limits_init(&limits, sizeof limits);
  limits.framer = block;
  siptls_transport_options options;
  siptls_transport_options_init(&options, sizeof options);
  options.limits = &limits;
  return use_transport_options(&options);
}

static const struct field clock_source_fields[] = {FIELD(siptls_clock_source, size),
                                                   FIELD(siptls_clock_source, now),
                                                   FIELD(siptls_clock_source, context)};
static void tell_system_time(void* context, siptls_now* now) {
  CHECK(context == NULL);
  siptls_system_now(now);
}
static void init_clock_source(void* block, size_t size) {
  if (size < sizeof(size_t)) return;
  memset(block, 0, size);
  set_size(block, size);
}
static void fill_clock_source(void* block, size_t size) {
  if (HAS(siptls_clock_source, now, size)) ((siptls_clock_source*)block)->now = tell_system_time;
}
static int use_clock_source(const void* block) {
  siptls_transport_options options;
  siptls_transport_options_init(&options, sizeof options);
  options.clock = block;
  return use_transport_options(&options);
}

static const struct field transport_limits_fields[] = {
    FIELD(siptls_transport_limits, size),
    FIELD(siptls_transport_limits, max_connections),
    FIELD(siptls_transport_limits, max_connections_per_address),
    FIELD(siptls_transport_limits, max_handshakes),
    FIELD(siptls_transport_limits, max_handshakes_per_address),
    FIELD(siptls_transport_limits, accept_rate),
    FIELD(siptls_transport_limits, accept_rate_per_address),
    FIELD(siptls_transport_limits, connect_timeout),
    FIELD(siptls_transport_limits, handshake_timeout),
    FIELD(siptls_transport_limits, first_message_timeout),
    FIELD(siptls_transport_limits, idle_timeout),
    FIELD(siptls_transport_limits, message_timeout),
    FIELD(siptls_transport_limits, write_timeout),
    FIELD(siptls_transport_limits, close_timeout),
    FIELD(siptls_transport_limits, max_queued_bytes),
    FIELD(siptls_transport_limits, max_queued_messages),
    FIELD(siptls_transport_limits, max_buffered_bytes),
    FIELD(siptls_transport_limits, ping_rate),
    FIELD(siptls_transport_limits, framer)};
static void init_transport_limits(void* block, size_t size) {
  siptls_transport_limits_init(block, size);
}
static int use_transport_limits(const void* block) {
  siptls_transport_options options;
  siptls_transport_options_init(&options, sizeof options);
  options.limits = block;
  return use_transport_options(&options);
}

static const struct field transport_options_fields[] = {
    FIELD(siptls_transport_options, size),      FIELD(siptls_transport_options, clock),
    FIELD(siptls_transport_options, limits),    FIELD(siptls_transport_options, outgoing),
    FIELD(siptls_transport_options, log),       FIELD(siptls_transport_options, log_context),
    FIELD(siptls_transport_options, log_level), FIELD(siptls_transport_options, unframed_request)};
static void init_transport_options(void* block, size_t size) {
  siptls_transport_options_init(block, size);
}

static const struct field listen_options_fields[] = {
    FIELD(siptls_listen_options, size),
    FIELD(siptls_listen_options, local),
    FIELD(siptls_listen_options, context),
    FIELD(siptls_listen_options, may_come_later),
    FIELD(siptls_listen_options, share_port),
    FIELD(siptls_listen_options, dual),
    FIELD(siptls_listen_options, proxy),
    FIELD(siptls_listen_options, proxy_sources),
    FIELD(siptls_listen_options, proxy_source_count),
    FIELD(siptls_listen_options, ticket_scope)};
static void init_listen_options(void* block, size_t size) {
  siptls_listen_options_init(block, size);
}
static void fill_listen_options(void* block, size_t size) {
  siptls_listen_options* const options = block;
  if (HAS(siptls_listen_options, local, size)) {
    REQUIRE_OK(siptls_endpoint_parse("127.0.0.1", 0, &options->local, why));
  }
  if (HAS(siptls_listen_options, context, size)) options->context = stage.alpha;
}
static int use_listen_options(const void* block) {
  siptls_listener listener = 0;
  const int reason = siptls_transport_listen(stage.server.transport, block, &listener, why);
  if (reason == SIPTLS_OK) {
    CHECK_OK(siptls_transport_stop_listening(stage.server.transport, listener, why));
  }
  return reason;
}

static const struct field target_fields[] = {
    FIELD(siptls_target, size),         FIELD(siptls_target, remotes),
    FIELD(siptls_target, remote_count), FIELD(siptls_target, domain),
    FIELD(siptls_target, context),      FIELD(siptls_target, local),
    FIELD(siptls_target, trace),        FIELD(siptls_target, keep_alive_interval),
    FIELD(siptls_target, pong_timeout)};
static void init_target(void* block, size_t size) { siptls_target_init(block, size); }
static void fill_target(void* block, size_t size) {
  siptls_target* const target = block;
  if (HAS(siptls_target, remotes, size)) target->remotes = &stage.server.address;
  if (HAS(siptls_target, remote_count, size)) target->remote_count = 1;
  if (HAS(siptls_target, domain, size)) target->domain = "alpha.example";
}
static int use_target(const void* block) {
  siptls_connection connection = 0;
  const char* const request = options_request(1);
  const int first = siptls_transport_send_to(stage.client.transport, block, request,
                                             strlen(request), NULL, NULL, why);
  CHECK_REASON(siptls_transport_connect(stage.client.transport, block, &connection, why), first);
  return first;
}

static const struct field fallback_fields[] = {
    FIELD(siptls_fallback, size), FIELD(siptls_fallback, remotes),
    FIELD(siptls_fallback, remote_count), FIELD(siptls_fallback, sent_by),
    FIELD(siptls_fallback, context)};
static void init_fallback(void* block, size_t size) { siptls_fallback_init(block, size); }
static int use_fallback(const void* block) {
  const char* const request = options_request(1);
  return siptls_transport_respond(stage.client.transport, stage.to_server, request, strlen(request),
                                  block, NULL, NULL, why);
}

static const struct field send_options_fields[] = {
    FIELD(siptls_send_options, size), FIELD(siptls_send_options, expires_at),
    FIELD(siptls_send_options, report), FIELD(siptls_send_options, reserved)};
static void init_send_options(void* block, size_t size) { siptls_send_options_init(block, size); }
static int use_send_options(const void* block) {
  const char* const request = options_request(1);
  return siptls_transport_send(stage.client.transport, stage.to_server, request, strlen(request),
                               block, NULL, why);
}

#define TOLD(type, needed, fill)                                                            \
  {                                                                                         \
    "siptls_" #type, sizeof(siptls_##type), type##_fields, COUNT_OF(type##_fields), needed, \
        init_##type, fill, use_##type                                                       \
  }
enum { NOTHING_NEEDED = sizeof(size_t) };

static const struct told structs[] = {
    TOLD(trust_limits, NOTHING_NEEDED, NULL),
    TOLD(verify_options, END_OF(siptls_verify_options, at), NULL),
    TOLD(policy, NOTHING_NEEDED, NULL),
    TOLD(context_config, END_OF(siptls_context_config, trust), fill_context_config),
    TOLD(framer_limits, NOTHING_NEEDED, NULL),
    {"siptls_framer_limits of a transport", sizeof(siptls_framer_limits), framer_limits_fields,
     COUNT_OF(framer_limits_fields), NOTHING_NEEDED, init_framer_limits, NULL,
     use_framer_limits_of_transport},
    TOLD(clock_source, END_OF(siptls_clock_source, now), fill_clock_source),
    TOLD(transport_limits, NOTHING_NEEDED, NULL),
    TOLD(transport_options, NOTHING_NEEDED, NULL),
    TOLD(listen_options, END_OF(siptls_listen_options, context), fill_listen_options),
    TOLD(target, END_OF(siptls_target, domain), fill_target),
    TOLD(fallback, NOTHING_NEEDED, NULL),
    TOLD(send_options, NOTHING_NEEDED, NULL),
};

static void open_all(void) {
  stage_open(&stage, NULL, NULL);
  CHECK_OK(siptls_transport_update_outgoing(stage.client.transport, stage.beta, NULL, why));
  siptls_context_free(stage.beta);
  stage.beta = NULL;
  stage_connect(&stage);
  trust = make_trust();
  credentials = make_credentials(PKI_ALPHA);
}

static void close_all(void) {
  siptls_credentials_free(credentials);
  siptls_trust_store_free(trust);
  stage_close(&stage);
}

static void note(const char* name, const char* field, int good) {
  if (!good) printf("  %s, cut behind %s:\n", name, field);
  CHECK(good);
}

static void older_structs_keep_working(void) {
  open_all();
  for (size_t i = 0; i < COUNT_OF(structs); ++i) {
    const struct told* const told = &structs[i];
    note(told->name, "the last one", told->fields[told->field_count - 1].end == told->whole);
    for (size_t j = 0; j < told->field_count; ++j) {
      const size_t size = told->fields[j].end;
      unsigned char* const block = block_new(size);
      told->init(block, size);
      note(told->name, told->fields[j].name, size_in(block) == size);
      if (told->fill != NULL) told->fill(block, size);
      const int reason = told->use(block);
      const int works = is_size_of_a_struct(size) && size >= told->needed;
      note(told->name, told->fields[j].name, (reason == SIPTLS_OK) == works);
      block_free(block, size);
    }
    stage_settle(&stage);  // so that no queue fills
  }
  close_all();
}

static void newer_structs_work_as_far_as_they_are_known(void) {
  enum { MORE = 24 };
  open_all();
  for (size_t i = 0; i < COUNT_OF(structs); ++i) {
    const struct told* const told = &structs[i];
    const size_t size = told->whole + MORE;
    unsigned char* const block = block_new(size);
    told->init(block, size);
    note(told->name, "more fields", size_in(block) == size);
    note(told->name, "more fields", all_are(block + told->whole, MORE, 0));
    if (told->fill != NULL) told->fill(block, size);
    note(told->name, "more fields of 0", told->use(block) == SIPTLS_OK);
    const size_t places[] = {told->whole, size - 1};
    for (size_t j = 0; j < COUNT_OF(places); ++j) {
      block[places[j]] = 1;
      note(told->name, "a field of 1", told->use(block) == SIPTLS_E_INVALID_ARGUMENT);
      block[places[j]] = 0;
    }
    block_free(block, size);
  }
  close_all();
}

static void structs_without_a_size_are_refused(void) {
  // The last ones are what a pointer's size, or memory that nobody has set, would say.
  const size_t wrong[] = {0, 1, 7, sizeof(size_t), 4104, (size_t)-8};
  open_all();
  for (size_t i = 0; i < COUNT_OF(structs); ++i) {
    for (size_t j = 0; j < COUNT_OF(wrong); ++j) {
      unsigned char* const block = block_new(sizeof(size_t));
      if (wrong[j] < sizeof(size_t)) structs[i].init(block, wrong[j]);
      note(structs[i].name, "nothing", all_are(block, sizeof(size_t), FILLER));
      set_size(block, wrong[j]);
      note(structs[i].name, "nothing", structs[i].use(block) == SIPTLS_E_INVALID_ARGUMENT);
      block_free(block, sizeof(size_t));
    }
  }
  close_all();
}

// Observed, not only accepted: what an older struct does not have is as the default says.
static void missing_framer_limits_are_the_defaults(void) {
  const size_t size = END_OF(siptls_framer_limits, max_header);
  unsigned char* const limits = block_new(size);
  siptls_framer_limits_init((void*)limits, size);
  const uint32_t longest = 40;
  memcpy(limits + offsetof(siptls_framer_limits, max_start_line), &longest, sizeof longest);
  for (int long_line = 0; long_line <= 1; ++long_line) {
    siptls_framer* framer = NULL;
    REQUIRE_OK(siptls_framer_new(SIPTLS_FRAMER_SERVER, (const void*)limits, &framer, why));
    const char* const line = long_line ? "OPTIONS sip:a.very.long.name.alpha.example SIP/2.0\r\n"
                                       : "OPTIONS sip:alpha.example SIP/2.0\r\n";
    REQUIRE_OK(siptls_framer_push(framer, line, strlen(line), why));
    siptls_frame frame = {.size = sizeof frame};
    int kind = siptls_framer_next(framer, &frame, why);
    for (int rows = 0; rows < 600 && kind == SIPTLS_FRAME_NEED_MORE; ++rows) {
      REQUIRE_OK(siptls_framer_push(framer, "X-Row: 1\r\n", 10, why));
      kind = siptls_framer_next(framer, &frame, why);
      if (kind == SIPTLS_FRAME_ERROR) CHECK_NUMBER(rows, 512);
    }
    CHECK_NUMBER(kind, SIPTLS_FRAME_ERROR);
    CHECK_NUMBER(siptls_error_reason(why),
                 long_line ? SIPTLS_E_START_LINE_TOO_LONG : SIPTLS_E_TOO_MANY_HEADERS);
    siptls_framer_free(framer);
  }
  block_free(limits, size);
}

static void missing_trust_limits_are_the_defaults(void) {
  siptls_trust_limits limits;
  siptls_trust_limits_init(&limits, sizeof limits);
  limits.max_entries = 3;
  const size_t size = END_OF(siptls_trust_limits, max_entries);
  unsigned char* const older = block_new(size);
  memcpy(older, &limits, size);
  set_size(older, size);
  siptls_trust_store* stores[2] = {NULL, NULL};
  REQUIRE_OK(siptls_trust_store_from_pem(pki_root(), strlen(pki_root()), &limits, &stores[0], why));
  REQUIRE_OK(siptls_trust_store_from_pem(pki_root(), strlen(pki_root()), (const void*)older,
                                         &stores[1], why));
  // The digest is of entries and limits.
  CHECK(memcmp(siptls_trust_store_digest(stores[0]), siptls_trust_store_digest(stores[1]), 32) ==
        0);
  siptls_trust_store_free(stores[0]);
  siptls_trust_store_free(stores[1]);
  block_free(older, size);
}

static unsigned char* oldest_policy = NULL;

static void use_oldest_policy(siptls_context_config* config, siptls_policy* policy) {
  (void)policy;
  config->policy = (const void*)oldest_policy;
}

static uint32_t version_seen = 0;

static void note_version(struct host* host, const siptls_event* event) {
  (void)host;
  if (event->kind == SIPTLS_EVENT_CONNECTED) version_seen = siptls_peer_version(event->peer);
}

static void a_policy_that_names_a_preset_alone_is_that_preset(void) {
  const size_t size = END_OF(siptls_policy, min_version);
  oldest_policy = block_new(size);
  REQUIRE(siptls_policy_init((void*)oldest_policy, size, SIPTLS_PRESET_IMG2020) == SIPTLS_OK);
  struct stage own;
  stage_open(&own, NULL, NULL);
  siptls_context_free(own.beta);
  own.beta = make_context(PKI_BETA, use_oldest_policy);
  own.client.on_event = note_version;
  stage_connect(&own);
  CHECK_NUMBER(version_seen, SIPTLS_TLS1_2);
  stage_close(&own);
  block_free(oldest_policy, size);
}

static void missing_send_options_are_the_defaults(void) {
  open_all();
  const size_t size = END_OF(siptls_send_options, expires_at);
  unsigned char* const options = block_new(size);
  siptls_send_options_init((void*)options, size);
  CHECK_NUMBER(use_send_options(options), SIPTLS_OK);
  RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_MESSAGE] == 1);
  stage_settle(&stage);
  CHECK_NUMBER(stage.client.seen[SIPTLS_EVENT_SENT], 0);
  block_free(options, size);
  close_all();
}

const struct test told_size_tests[] = {
    {"structs of an older header keep working, cut behind each field", older_structs_keep_working},
    {"structs of a newer header work where they say nothing new",
     newer_structs_work_as_far_as_they_are_known},
    {"structs without a size are refused", structs_without_a_size_are_refused},
    {"limits that an older framer_limits does not have are the defaults",
     missing_framer_limits_are_the_defaults},
    {"limits that an older trust_limits does not have are the defaults",
     missing_trust_limits_are_the_defaults},
    {"a policy that is nothing but a preset is that preset",
     a_policy_that_names_a_preset_alone_is_that_preset},
    {"what an older send_options does not have is the default",
     missing_send_options_are_the_defaults},
    {NULL, NULL}};
