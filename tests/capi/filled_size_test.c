// Structs that the library fills, of every size that an older or newer header could give them; and
// that none of them ends in octets of nobody.
#include <stdio.h>

#include "sizes.h"
#include "stage.h"
#include "tests.h"

// What the structs are filled from.
static struct stage stage;
static siptls_trust_store* trust;
static siptls_credentials* credentials;
static siptls_path* path;
static siptls_framer* framer;
static siptls_metrics* metrics;
static siptls_sender* sender;
static const siptls_message* message;

static const char kStream[] =
    "OPTIONS sip:alpha.example SIP/2.0\r\n"
    "Via: SIP/2.0/TLS beta.example:5062;branch=z9hG4bK1;rport;keep=3;received=192.0.2.1;alias\r\n"
    "Content-Length: 0\r\n\r\n\r\n\r\n";

struct filled {
  const char* name;
  size_t whole;
  const struct field* fields;
  size_t field_count;
  int (*fill)(void* block);  // 1: filled
};

static const struct field certificate_fields[] = {
    FIELD(siptls_certificate, size),        FIELD(siptls_certificate, subject),
    FIELD(siptls_certificate, issuer),      FIELD(siptls_certificate, serial),
    FIELD(siptls_certificate, key),         FIELD(siptls_certificate, sha256),
    FIELD(siptls_certificate, not_before),  FIELD(siptls_certificate, not_after),
    FIELD(siptls_certificate, self_signed), FIELD(siptls_certificate, is_ca)};
static int fill_from_store(void* block) { return siptls_trust_store_entry(trust, 0, block); }
static int fill_from_credentials(void* block) {
  return siptls_credentials_certificate(credentials, 0, block);
}
static int fill_from_path(void* block) { return siptls_path_certificate(path, 0, block); }

static const struct field identity_fields[] = {
    FIELD(siptls_identity, size), FIELD(siptls_identity, name), FIELD(siptls_identity, source),
    FIELD(siptls_identity, reserved)};
static int fill_identity_of_credentials(void* block) {
  return siptls_credentials_identity(credentials, 0, block);
}
static int fill_identity_of_path(void* block) { return siptls_path_identity(path, 0, block); }

static const struct field chain_memory_fields[] = {
    FIELD(siptls_chain_memory, size), FIELD(siptls_chain_memory, chains),
    FIELD(siptls_chain_memory, answered), FIELD(siptls_chain_memory, judged)};
static int fill_chain_memory(void* block) {
  // It has nothing to return, so its refusal is seen in the block.
  siptls_trust_store_chain_memory(trust, block);
  return size_in(block) >= sizeof(size_t);
}

static const struct field build_info_fields[] = {FIELD(siptls_build_info, size),
                                                 FIELD(siptls_build_info, version),
                                                 FIELD(siptls_build_info, boringssl_file),
                                                 FIELD(siptls_build_info, boringssl_api),
                                                 FIELD(siptls_build_info, boringssl_linkage),
                                                 FIELD(siptls_build_info, release_epoch)};
static int fill_build_info(void* block) { return siptls_get_build_info(block, why) == SIPTLS_OK; }

static const struct field cipher_suite_fields[] = {
    FIELD(siptls_cipher_suite, size),           FIELD(siptls_cipher_suite, name),
    FIELD(siptls_cipher_suite, openssl_name),   FIELD(siptls_cipher_suite, key_exchange),
    FIELD(siptls_cipher_suite, authentication), FIELD(siptls_cipher_suite, cipher),
    FIELD(siptls_cipher_suite, reason),         FIELD(siptls_cipher_suite, code),
    FIELD(siptls_cipher_suite, status),         FIELD(siptls_cipher_suite, strength_bits),
    FIELD(siptls_cipher_suite, in_img2020_list)};
static int fill_suite_at(void* block) { return siptls_cipher_suite_at(0, block); }
static int fill_suite_by_code(void* block) { return siptls_cipher_suite_by_code(0xc02f, block); }
static int fill_suite_by_name(void* block) {
  return siptls_cipher_suite_by_name("ECDHE-RSA-AES128-GCM-SHA256", block);
}

static const struct field header_fields[] = {FIELD(siptls_header, size), FIELD(siptls_header, name),
                                             FIELD(siptls_header, value), FIELD(siptls_header, id),
                                             FIELD(siptls_header, reserved)};
static int fill_row(void* block) { return siptls_message_row(message, 0, block); }
static int fill_found(void* block) {
  return siptls_message_find(message, SIPTLS_HEADER_VIA, block);
}
static int fill_found_name(void* block) {
  return siptls_message_find_name(message, "Content-Length", block);
}

static const struct field via_fields[] = {
    FIELD(siptls_via, size),     FIELD(siptls_via, transport), FIELD(siptls_via, host),
    FIELD(siptls_via, received), FIELD(siptls_via, branch),    FIELD(siptls_via, rport),
    FIELD(siptls_via, keep),     FIELD(siptls_via, port),      FIELD(siptls_via, alias)};
static int fill_via(void* block) { return siptls_message_top_via(message, block); }

static const struct field frame_fields[] = {FIELD(siptls_frame, size), FIELD(siptls_frame, message),
                                            FIELD(siptls_frame, at_least),
                                            FIELD(siptls_frame, offset)};
static int fill_frame(void* block) {
  siptls_framer* own = NULL;
  REQUIRE_OK(siptls_framer_new(SIPTLS_FRAMER_SERVER, NULL, &own, why));
  REQUIRE_OK(siptls_framer_push(own, "OPTIONS", 7, why));
  const int kind = siptls_framer_next(own, block, why);
  const int good = kind == SIPTLS_FRAME_NEED_MORE;
  if (!good) CHECK_NUMBER(siptls_error_reason(why), SIPTLS_E_INVALID_ARGUMENT);
  siptls_framer_free(own);
  return good;
}

static const struct field event_fields[] = {
    FIELD(siptls_event, size),           FIELD(siptls_event, kind),
    FIELD(siptls_event, role),           FIELD(siptls_event, connection),
    FIELD(siptls_event, token),          FIELD(siptls_event, local),
    FIELD(siptls_event, remote),         FIELD(siptls_event, wire_remote),
    FIELD(siptls_event, listener),       FIELD(siptls_event, delivery),
    FIELD(siptls_event, truncated),      FIELD(siptls_event, signature_scheme),
    FIELD(siptls_event, value),          FIELD(siptls_event, bytes_written),
    FIELD(siptls_event, error),          FIELD(siptls_event, message),
    FIELD(siptls_event, peer),           FIELD(siptls_event, domain),
    FIELD(siptls_event, attempt_count),  FIELD(siptls_event, key_id),
    FIELD(siptls_event, signature_input)};
static int fill_event(void* block) {
  REQUIRE_OK(siptls_sender_post(sender, 0x1122334455667788, why));
  const int given = siptls_transport_next_event(stage.client.transport, block);
  stage_settle(&stage);
  return given;
}

static const struct field metric_values_fields[] = {
    FIELD(siptls_metric_values, size),
    FIELD(siptls_metric_values, connections),
    FIELD(siptls_metric_values, handshakes),
    FIELD(siptls_metric_values, aliases),
    FIELD(siptls_metric_values, listeners),
    FIELD(siptls_metric_values, listeners_paused),
    FIELD(siptls_metric_values, queued_messages),
    FIELD(siptls_metric_values, queued_bytes),
    FIELD(siptls_metric_values, buffered_bytes),
    FIELD(siptls_metric_values, accepted),
    FIELD(siptls_metric_values, health_checks),
    FIELD(siptls_metric_values, connect_attempts),
    FIELD(siptls_metric_values, handshakes_server),
    FIELD(siptls_metric_values, handshakes_client),
    FIELD(siptls_metric_values, handshakes_resumed),
    FIELD(siptls_metric_values, handshakes_authenticated),
    FIELD(siptls_metric_values, messages_received),
    FIELD(siptls_metric_values, message_bytes_received),
    FIELD(siptls_metric_values, messages_accepted),
    FIELD(siptls_metric_values, message_bytes_accepted),
    FIELD(siptls_metric_values, pings_received),
    FIELD(siptls_metric_values, pongs_received),
    FIELD(siptls_metric_values, pings_sent),
    FIELD(siptls_metric_values, flows_failed),
    FIELD(siptls_metric_values, connections_reused),
    FIELD(siptls_metric_values, closed_clean),
    FIELD(siptls_metric_values, context_updates)};
static int fill_metric_values(void* block) {
  return siptls_metrics_values(metrics, block) == SIPTLS_OK;
}

static const struct field update_report_fields[] = {FIELD(siptls_update_report, size),
                                                    FIELD(siptls_update_report, generation),
                                                    FIELD(siptls_update_report, older_connections)};
// A transport of its own each time, so that the generation is the first.
static int fill_report(void* block) {
  siptls_transport* transport = NULL;
  REQUIRE_OK(siptls_transport_new(NULL, &transport, why));
  const int reason = siptls_transport_update_outgoing(transport, stage.beta, block, why);
  if (reason != SIPTLS_OK) {
    // And nothing has happened.
    siptls_update_report report = {.size = sizeof report};
    CHECK_OK(siptls_transport_update_outgoing(transport, stage.beta, &report, why));
    CHECK_NUMBER(report.generation, 1);
  }
  siptls_transport_free(transport);
  return reason == SIPTLS_OK;
}
static int fill_report_of_all(void* block) {
  siptls_transport* transport = NULL;
  REQUIRE_OK(siptls_transport_new(NULL, &transport, why));
  const int reason = siptls_transport_update_all(transport, NULL, 0, stage.beta, block, why);
  siptls_transport_free(transport);
  return reason == SIPTLS_OK;
}

#define FILLED(name, type, fill) \
  { name, sizeof(siptls_##type), type##_fields, COUNT_OF(type##_fields), fill }

static const struct filled structs[] = {
    FILLED("siptls_certificate of a store", certificate, fill_from_store),
    FILLED("siptls_certificate of credentials", certificate, fill_from_credentials),
    FILLED("siptls_certificate of a path", certificate, fill_from_path),
    FILLED("siptls_identity of credentials", identity, fill_identity_of_credentials),
    FILLED("siptls_identity of a path", identity, fill_identity_of_path),
    FILLED("siptls_chain_memory", chain_memory, fill_chain_memory),
    FILLED("siptls_build_info", build_info, fill_build_info),
    FILLED("siptls_cipher_suite at a place", cipher_suite, fill_suite_at),
    FILLED("siptls_cipher_suite by code", cipher_suite, fill_suite_by_code),
    FILLED("siptls_cipher_suite by name", cipher_suite, fill_suite_by_name),
    FILLED("siptls_header at a place", header, fill_row),
    FILLED("siptls_header by id", header, fill_found),
    FILLED("siptls_header by name", header, fill_found_name),
    FILLED("siptls_via", via, fill_via),
    FILLED("siptls_frame", frame, fill_frame),
    FILLED("siptls_event", event, fill_event),
    FILLED("siptls_metric_values", metric_values, fill_metric_values),
    FILLED("siptls_update_report", update_report, fill_report),
    FILLED("siptls_update_report of several", update_report, fill_report_of_all),
};

static void open_all(void) {
  stage_open(&stage, NULL, NULL);
  stage_connect(&stage);
  stage_settle(&stage);
  REQUIRE_OK(siptls_sender_new(stage.client.transport, &sender, why));
  REQUIRE_OK(siptls_metrics_new(&metrics, why));
  REQUIRE_OK(siptls_metrics_add(metrics, stage.server.transport, why));
  trust = make_trust();
  credentials = make_credentials(PKI_ALPHA);
  siptls_now now;
  siptls_system_now(&now);
  siptls_verify_options options;
  siptls_verify_options_init(&options, sizeof options, &now);
  const char* const chain = pki_chain(PKI_ALPHA);
  REQUIRE_OK(siptls_trust_store_verify_pem(trust, chain, strlen(chain), &options, &path, why));
  REQUIRE_OK(siptls_framer_new(SIPTLS_FRAMER_SERVER, NULL, &framer, why));
  REQUIRE_OK(siptls_framer_push(framer, kStream, strlen(kStream), why));
  siptls_frame frame = {.size = sizeof frame};
  REQUIRE(siptls_framer_next(framer, &frame, why) == SIPTLS_FRAME_MESSAGE);
  message = frame.message;
}

static void close_all(void) {
  siptls_framer_free(framer);
  siptls_path_free(path);
  siptls_credentials_free(credentials);
  siptls_trust_store_free(trust);
  siptls_metrics_free(metrics);
  siptls_sender_free(sender);
  stage_close(&stage);
}

static void note(const char* name, const char* field, int good) {
  if (!good) printf("  %s, cut behind %s:\n", name, field);
  CHECK(good);
}

static void older_structs_get_what_fits(void) {
  open_all();
  for (size_t i = 0; i < COUNT_OF(structs); ++i) {
    const struct filled* const filled = &structs[i];
    note(filled->name, "the last one",
         filled->fields[filled->field_count - 1].end == filled->whole);
    unsigned char* const whole = block_new(filled->whole);
    set_size(whole, filled->whole);
    note(filled->name, "nothing", filled->fill(whole));
    note(filled->name, "nothing",
         !all_are(whole + sizeof(size_t), filled->whole - sizeof(size_t), 0));
    for (size_t j = 0; j < filled->field_count; ++j) {
      const size_t size = filled->fields[j].end;
      if (!is_size_of_a_struct(size)) continue;
      unsigned char* const block = block_new(size);
      set_size(block, size);
      note(filled->name, filled->fields[j].name, filled->fill(block));
      note(filled->name, filled->fields[j].name, size_in(block) == size);
      // What it has is what the whole one has there.
      note(filled->name, filled->fields[j].name,
           memcmp(block + sizeof(size_t), whole + sizeof(size_t), size - sizeof(size_t)) == 0);
      block_free(block, size);
    }
    block_free(whole, filled->whole);
  }
  close_all();
}

static void newer_structs_get_what_is_known(void) {
  enum { MORE = 24 };
  open_all();
  for (size_t i = 0; i < COUNT_OF(structs); ++i) {
    const struct filled* const filled = &structs[i];
    const size_t size = filled->whole + MORE;
    unsigned char* const block = block_new(size);
    memset(block, 0, size);
    set_size(block, size);
    for (int again = 0; again <= 1; ++again) {
      note(filled->name, "more fields", filled->fill(block));
      note(filled->name, "more fields", size_in(block) == size);
      note(filled->name, "more fields", all_are(block + filled->whole, MORE, 0));
    }
    block_free(block, size);
  }
  close_all();
}

static void structs_without_a_size_are_left_alone(void) {
  open_all();
  for (size_t i = 0; i < COUNT_OF(structs); ++i) {
    for (size_t size = 0; size < sizeof(size_t); ++size) {
      unsigned char* const block = block_new(sizeof(size_t));
      set_size(block, size);
      note(structs[i].name, "nothing", !structs[i].fill(block));
      note(structs[i].name, "nothing", size_in(block) == size);
      block_free(block, sizeof(size_t));
    }
    stage_settle(&stage);
  }
  close_all();
}

// A field that is added would land in such octets, which the hosts of today do not set.
#define ENDS_WITH(type, last) CHECK_NUMBER(END_OF(type, last), sizeof(type))

static void no_struct_ends_in_octets_of_nobody(void) {
  ENDS_WITH(siptls_octets, size);
  ENDS_WITH(siptls_text, size);
  ENDS_WITH(siptls_endpoint, reserved);
  ENDS_WITH(siptls_now, reserved);
  ENDS_WITH(siptls_clock_source, context);
  ENDS_WITH(siptls_build_info, release_epoch);
  ENDS_WITH(siptls_context_config, dangerous_key_log_file);
  ENDS_WITH(siptls_event, signature_input);
  ENDS_WITH(siptls_framer_limits, reserved);
  ENDS_WITH(siptls_frame, offset);
  ENDS_WITH(siptls_header, reserved);
  ENDS_WITH(siptls_via, alias);
  ENDS_WITH(siptls_metric_values, context_updates);
  ENDS_WITH(siptls_policy, signature_scheme_count);
  ENDS_WITH(siptls_cipher_suite, in_img2020_list);
  ENDS_WITH(siptls_rate, burst);
  ENDS_WITH(siptls_transport_limits, framer);
  ENDS_WITH(siptls_transport_options, unframed_request);
  ENDS_WITH(siptls_listen_options, ticket_scope);
  ENDS_WITH(siptls_target, pong_timeout);
  ENDS_WITH(siptls_fallback, context);
  ENDS_WITH(siptls_send_options, reserved);
  ENDS_WITH(siptls_listener_update, reserved);
  ENDS_WITH(siptls_update_report, older_connections);
  ENDS_WITH(siptls_certificate, is_ca);
  ENDS_WITH(siptls_identity, reserved);
  ENDS_WITH(siptls_trust_limits, max_remembered_chains);
  ENDS_WITH(siptls_chain_memory, judged);
  ENDS_WITH(siptls_verify_options, ocsp_response_size);
}

const struct test filled_size_tests[] = {
    {"structs of an older header get what fits, cut behind each field",
     older_structs_get_what_fits},
    {"structs of a newer header get what is known, and 0 for the rest",
     newer_structs_get_what_is_known},
    {"structs without a size are left alone", structs_without_a_size_are_left_alone},
    {"no struct ends in octets that belong to no field", no_struct_ends_in_octets_of_nobody},
    {NULL, NULL}};
