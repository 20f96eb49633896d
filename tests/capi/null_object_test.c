// NULL for every pointer: of errors, stores, credentials, contexts, messages, framers.
#include "null.h"
#include "stage.h"
#include "tests.h"

static void basics(void) {
  siptls_endpoint endpoint;
  char text[SIPTLS_ENDPOINT_TEXT_SIZE];
  siptls_error_free(NULL);
  CHECK(siptls_error_copy(NULL) == NULL);
  CHECK_NUMBER(siptls_error_reason(NULL), SIPTLS_OK);
  CHECK_NUMBER(siptls_error_alert(NULL), -1);
  CHECK_NUMBER(siptls_error_certificate(NULL), -1);
  CHECK_NUMBER(siptls_error_offset(NULL), -1);
  CHECK(siptls_error_evidence(NULL) != NULL && siptls_error_message(NULL) != NULL);
  REFUSES(siptls_endpoint_parse, NULL, 1, &endpoint);
  REFUSES(siptls_endpoint_parse, "192.0.2.1", 1, NULL);
  REQUIRE_OK(siptls_endpoint_parse("192.0.2.1", 1, &endpoint, why));
  IS_REFUSED(siptls_endpoint_format(NULL, text, sizeof text));
  IS_REFUSED(siptls_endpoint_format(&endpoint, NULL, sizeof text));
  siptls_system_now(NULL);
  REFUSES(siptls_check_clock, NULL, SIPTLS_CLOCK_WARN);
  REFUSES(siptls_get_build_info, NULL);
}

static void trust_stores(void) {
  siptls_trust_store* store = NULL;
  siptls_trust_store* other = NULL;
  const char* const pem = pki_root();
  size_t size = 0;
  const void* const der = pki_root_der(&size);
  siptls_trust_limits_init(NULL, sizeof(siptls_trust_limits));
  REFUSES(siptls_trust_store_from_pem, NULL, 0, NULL, &store);
  REFUSES(siptls_trust_store_from_pem, NULL, 10, NULL, &store);
  REFUSES(siptls_trust_store_from_pem, pem, strlen(pem), NULL, NULL);
  REFUSES(siptls_trust_store_from_pem_file, NULL, NULL, &store);
  REFUSES(siptls_trust_store_from_pem_file, "x", NULL, NULL);
  REFUSES(siptls_trust_store_from_folder, NULL, NULL, &store);
  REFUSES(siptls_trust_store_from_folder, "x", NULL, NULL);
  REFUSES(siptls_trust_store_from_der, NULL, size, NULL, &store);
  REFUSES(siptls_trust_store_from_der, der, size, NULL, NULL);
  CHECK(store == NULL);
  store = make_trust();
  REFUSES(siptls_trust_store_with_pem, NULL, pem, strlen(pem), &other);
  REFUSES(siptls_trust_store_with_pem, store, NULL, 10, &other);
  REFUSES(siptls_trust_store_with_pem, store, pem, strlen(pem), NULL);
  REFUSES(siptls_trust_store_with_der, NULL, der, size, &other);
  REFUSES(siptls_trust_store_with_der, store, NULL, size, &other);
  REFUSES(siptls_trust_store_with_der, store, der, size, NULL);
  REFUSES(siptls_trust_store_with_crls, NULL, pem, strlen(pem), &other);
  REFUSES(siptls_trust_store_with_crls, store, NULL, 10, &other);
  REFUSES(siptls_trust_store_with_crls, store, pem, strlen(pem), NULL);
  CHECK(other == NULL);
  siptls_certificate entry = {.size = sizeof entry};
  CHECK_NUMBER(siptls_trust_store_entry(NULL, 0, &entry), 0);
  CHECK_NUMBER(siptls_trust_store_entry(store, 0, NULL), 0);
  CHECK_NUMBER(siptls_trust_store_count(NULL), 0);
  CHECK(siptls_trust_store_digest(NULL) == NULL);
  siptls_chain_memory memory = {sizeof memory, 7, 7, 7};
  siptls_trust_store_chain_memory(NULL, &memory);
  CHECK_NUMBER(memory.chains + memory.answered + memory.judged, 0);
  siptls_trust_store_chain_memory(store, NULL);
  siptls_trust_store_free(NULL);
  siptls_trust_store_free(store);
}

static void paths(void) {
  siptls_trust_store* const store = make_trust();
  siptls_now now;
  siptls_system_now(&now);
  siptls_verify_options options;
  siptls_verify_options_init(NULL, sizeof options, &now);
  siptls_verify_options_init(&options, sizeof options, NULL);
  const char* const pem = pki_chain(PKI_ALPHA);
  // Without a time nothing is good.
  CHECK_REASON(siptls_trust_store_verify_pem(store, pem, strlen(pem), &options, NULL, why),
               SIPTLS_E_CLOCK_NOT_TRUSTED);
  siptls_verify_options_init(&options, sizeof options, &now);
  siptls_octets chain = {NULL, 10};
  siptls_path* path = NULL;
  REFUSES(siptls_trust_store_verify, NULL, &chain, 1, &options, &path);
  REFUSES(siptls_trust_store_verify, store, NULL, 1, &options, &path);
  REFUSES(siptls_trust_store_verify, store, &chain, 1, NULL, &path);
  CHECK(siptls_trust_store_verify(store, &chain, 1, &options, &path, why) != SIPTLS_OK);
  REFUSES(siptls_trust_store_verify_pem, NULL, pem, strlen(pem), &options, &path);
  REFUSES(siptls_trust_store_verify_pem, store, NULL, 10, &options, &path);
  REFUSES(siptls_trust_store_verify_pem, store, pem, strlen(pem), NULL, &path);
  static const char* const allowed[] = {"alpha.example", NULL};
  options.allowed = allowed;
  options.allowed_count = 2;
  REFUSES(siptls_trust_store_verify_pem, store, pem, strlen(pem), &options, &path);
  options.allowed = NULL;
  REFUSES(siptls_trust_store_verify_pem, store, pem, strlen(pem), &options, &path);
  options.allowed_count = 0;
  options.ocsp_response = NULL;
  options.ocsp_response_size = 100;
  options.ocsp = SIPTLS_OCSP_REQUIRE;
  CHECK(siptls_trust_store_verify_pem(store, pem, strlen(pem), &options, &path, why) != SIPTLS_OK);
  CHECK(path == NULL);
  siptls_identity identity = {.size = sizeof identity};
  siptls_certificate certificate = {.size = sizeof certificate};
  CHECK_NUMBER(siptls_path_identity_count(NULL), 0);
  CHECK_NUMBER(siptls_path_identity(NULL, 0, &identity), 0);
  CHECK_NUMBER(siptls_path_matched(NULL), -1);
  CHECK_NUMBER(siptls_path_covers(NULL, "alpha.example"), 0);
  CHECK_NUMBER(siptls_path_certificate_count(NULL), 0);
  CHECK_NUMBER(siptls_path_certificate(NULL, 0, &certificate), 0);
  CHECK_NUMBER(siptls_path_ca_depth(NULL), 0);
  CHECK_NUMBER(siptls_path_ocsp_valid_until(NULL), INT64_MIN);
  CHECK(siptls_path_copy(NULL) == NULL);
  siptls_path_free(NULL);
  siptls_verify_options_init(&options, sizeof options, &now);
  REQUIRE_OK(siptls_trust_store_verify_pem(store, pem, strlen(pem), &options, &path, NULL) ==
                     SIPTLS_OK
                 ? siptls_trust_store_verify_pem(store, pem, strlen(pem), &options, NULL, why)
                 : SIPTLS_E_INTERNAL);
  CHECK_NUMBER(siptls_path_identity(path, 0, NULL), 0);
  CHECK_NUMBER(siptls_path_certificate(path, 0, NULL), 0);
  CHECK_NUMBER(siptls_path_covers(path, NULL), 0);
  siptls_path_free(path);
  siptls_trust_store_free(store);
}

static void credentials(void) {
  const char* const key = pki_key(PKI_ALPHA);
  const char* const chain = pki_chain(PKI_ALPHA);
  siptls_credentials* made = NULL;
  REFUSES(siptls_credentials_from_pem, NULL, 10, chain, strlen(chain), NULL, NULL, &made);
  REFUSES(siptls_credentials_from_pem, key, strlen(key), NULL, 10, NULL, NULL, &made);
  REFUSES(siptls_credentials_from_pem, key, strlen(key), chain, strlen(chain), NULL, NULL, NULL);
  REFUSES(siptls_credentials_from_pem_files, NULL, "x", NULL, NULL, 0, &made);
  REFUSES(siptls_credentials_from_pem_files, "x", NULL, NULL, NULL, 0, &made);
  REFUSES(siptls_credentials_from_pem_files, "x", "x", NULL, NULL, 0, NULL);
  REFUSES(siptls_credentials_from_external_key, NULL, chain, strlen(chain), &made);
  REFUSES(siptls_credentials_from_external_key, "id", NULL, 10, &made);
  REFUSES(siptls_credentials_from_external_key, "id", chain, strlen(chain), NULL);
  REFUSES(siptls_credentials_with_ocsp_response, NULL, "x", 1, &made);
  CHECK(made == NULL);
  made = make_credentials(PKI_ALPHA);
  siptls_credentials* other = NULL;
  REFUSES(siptls_credentials_with_ocsp_response, made, NULL, 1, &other);
  REFUSES(siptls_credentials_with_ocsp_response, made, "x", 1, NULL);
  siptls_certificate certificate = {.size = sizeof certificate};
  siptls_identity identity = {.size = sizeof identity};
  CHECK_NUMBER(siptls_credentials_certificate_count(NULL), 0);
  CHECK_NUMBER(siptls_credentials_certificate(NULL, 0, &certificate), 0);
  CHECK_NUMBER(siptls_credentials_certificate(made, 0, NULL), 0);
  CHECK_NUMBER(siptls_credentials_identity_count(NULL), 0);
  CHECK_NUMBER(siptls_credentials_identity(NULL, 0, &identity), 0);
  CHECK_NUMBER(siptls_credentials_identity(made, 0, NULL), 0);
  CHECK_NUMBER(siptls_credentials_warning(NULL, 0, why), 0);
  CHECK_NUMBER(siptls_credentials_warning(made, 0, NULL), 0);
  siptls_credentials_free(made);
  siptls_credentials_free(NULL);
}

static void contexts(void) {
  siptls_ticket_keys* keys = NULL;
  unsigned char octets[1024];
  size_t size = 0;
  REFUSES(siptls_ticket_keys_new, 43200, 2, NULL);
  REQUIRE_OK(siptls_ticket_keys_new(43200, 2, &keys, why));
  CHECK_REASON(siptls_ticket_keys_rotate(NULL, why), SIPTLS_E_INVALID_ARGUMENT);
  IS_REFUSED(siptls_ticket_keys_rotate(NULL, NULL));
  REFUSES(siptls_ticket_keys_export, NULL, octets, sizeof octets, &size);
  REFUSES(siptls_ticket_keys_export, keys, NULL, sizeof octets, &size);
  REFUSES(siptls_ticket_keys_export, keys, octets, sizeof octets, NULL);
  REFUSES(siptls_ticket_keys_import, NULL, octets, sizeof octets);
  REFUSES(siptls_ticket_keys_import, keys, NULL, sizeof octets);
  siptls_ticket_keys_free(keys);
  siptls_ticket_keys_free(NULL);

  IS_REFUSED(siptls_policy_init(NULL, sizeof(siptls_policy), SIPTLS_PRESET_MODERN));
  CHECK_NUMBER(siptls_cipher_suite_at(0, NULL), 0);
  CHECK_NUMBER(siptls_cipher_suite_by_code(0xc02f, NULL), 0);
  siptls_cipher_suite suite = {.size = sizeof suite};
  CHECK_NUMBER(siptls_cipher_suite_by_name(NULL, &suite), 0);
  CHECK_NUMBER(siptls_cipher_suite_by_name("TLS_AES_128_GCM_SHA256", NULL), 0);
  IS_REFUSED(siptls_group_name(29, NULL, 32));

  siptls_context_config config;
  siptls_context_config_init(NULL, sizeof config);
  siptls_context_config_init(&config, sizeof config);
  siptls_trust_store* const trust = make_trust();
  config.trust = trust;
  siptls_context* context = NULL;
  REFUSES(siptls_context_new, NULL, &context);
  REFUSES(siptls_context_new, &config, NULL);
  // Lists that are not there, or have holes.
  static const char* const hole[] = {NULL};
  static const siptls_credentials* const nothing[] = {NULL};
  config.allowed_peers_count = 1;
  REFUSES(siptls_context_new, &config, &context);
  config.allowed_peers = hole;
  REFUSES(siptls_context_new, &config, &context);
  // A list that came out empty must not let everybody in.
  config.allowed_peers_count = 0;
  REFUSES(siptls_context_new, &config, &context);
  config.allowed_peers = NULL;
  config.more_credentials_count = 1;
  REFUSES(siptls_context_new, &config, &context);
  config.more_credentials = nothing;
  REFUSES(siptls_context_new, &config, &context);
  config.more_credentials_count = 0;
  siptls_policy policy;
  CHECK_NUMBER(siptls_policy_init(&policy, sizeof policy, SIPTLS_PRESET_MODERN), SIPTLS_OK);
  config.policy = &policy;
  size_t* const counts[] = {&policy.cipher_suite_count, &policy.group_count,
                            &policy.signature_scheme_count};
  for (size_t i = 0; i < 3; ++i) {
    *counts[i] = 1;
    REFUSES(siptls_context_new, &config, &context);
    *counts[i] = 0;
  }
  CHECK(context == NULL);
  siptls_trust_store_free(trust);
  siptls_now now;
  siptls_system_now(&now);
  REFUSES(siptls_context_valid_at, NULL, &now);
  CHECK_NUMBER(siptls_context_warning(NULL, &now, 0, why), 0);
  CHECK_NUMBER(siptls_context_id(NULL), 0);
  context = make_context(PKI_ALPHA, NULL);
  REFUSES(siptls_context_valid_at, context, NULL);
  CHECK_NUMBER(siptls_context_warning(context, NULL, 0, why), 0);
  CHECK_NUMBER(siptls_context_warning(context, &now, 0, NULL), 0);
  now.wall = INT64_MAX;
  CHECK_NUMBER(siptls_context_warning(context, &now, 0, NULL), 1);
  siptls_context_free(context);
  siptls_context_free(NULL);
}

static void no_message(void) {
  siptls_header row = {.size = sizeof row};
  siptls_via via = {.size = sizeof via};
  uint32_t number = 7;
  siptls_text text = {"text", 4}, warning = {"text", 4};
  IS_EMPTY(siptls_message_bytes(NULL));
  IS_EMPTY(siptls_message_header(NULL));
  IS_EMPTY(siptls_message_body(NULL));
  CHECK_NUMBER(siptls_message_offset(NULL), 0);
  IS_EMPTY(siptls_message_start_line(NULL));
  CHECK_NUMBER(siptls_message_is_request(NULL), 0);
  IS_EMPTY(siptls_message_method(NULL));
  IS_EMPTY(siptls_message_request_uri(NULL));
  CHECK_NUMBER(siptls_message_status(NULL), 0);
  IS_EMPTY(siptls_message_reason_phrase(NULL));
  CHECK_NUMBER(siptls_message_row_count(NULL), 0);
  CHECK_NUMBER(siptls_message_row(NULL, 0, &row), 0);
  CHECK_NUMBER(siptls_message_find(NULL, SIPTLS_HEADER_VIA, &row), 0);
  CHECK_NUMBER(siptls_message_find_name(NULL, "Via", &row), 0);
  CHECK_NUMBER(siptls_message_top_via(NULL, &via), 0);
  CHECK_NUMBER(siptls_message_cseq(NULL, &number, &text), 0);
  IS_EMPTY(siptls_message_call_id(NULL));
  IS_EMPTY(siptls_message_content_type(NULL));
  // What nobody can judge does not pass.
  CHECK(siptls_judge_sips(NULL, SIPTLS_SIPS_ENABLED, &text, &warning) != 0);
  CHECK(siptls_judge_sips(NULL, SIPTLS_SIPS_ENABLED, NULL, NULL) != 0);
  CHECK_NUMBER(siptls_requires_tls(NULL), 1);
  CHECK_NUMBER(siptls_is_sips(NULL, 10), 0);
  IS_EMPTY(siptls_uri_host(NULL, 10));
}

static void a_message(void) {
  static const char kText[] =
      "OPTIONS sip:a.example SIP/2.0\r\nVia: SIP/2.0/TLS b.example\r\n"
      "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
  siptls_framer* framer = NULL;
  siptls_frame frame = {.size = sizeof frame};
  siptls_framer_limits_init(NULL, sizeof(siptls_framer_limits));
  REFUSES(siptls_framer_new, SIPTLS_FRAMER_SERVER, NULL, NULL);
  REFUSES(siptls_framer_push, NULL, "x", 1);
  CHECK_REASON(siptls_framer_keep_input(NULL, why), SIPTLS_E_INVALID_ARGUMENT);
  CHECK_NUMBER(siptls_framer_next(NULL, &frame, why), SIPTLS_FRAME_ERROR);
  CHECK_NUMBER(siptls_error_reason(why), SIPTLS_E_INVALID_ARGUMENT);
  CHECK_NUMBER(siptls_framer_next(NULL, &frame, NULL), SIPTLS_FRAME_ERROR);
  CHECK_NUMBER(siptls_framer_unfinished(NULL), 0);
  CHECK_NUMBER(siptls_framer_position(NULL), 0);
  (void)siptls_framer_failed(NULL);
  CHECK_NUMBER(siptls_framer_suggested_status(NULL), 0);
  IS_EMPTY(siptls_framer_refusal_response(NULL));
  siptls_framer_free(NULL);
  REQUIRE_OK(siptls_framer_new(SIPTLS_FRAMER_SERVER, NULL, &framer, why));
  REFUSES(siptls_framer_push, framer, NULL, 1);
  CHECK_OK(siptls_framer_push(framer, NULL, 0, why));
  REQUIRE_OK(siptls_framer_push(framer, kText, strlen(kText), why));
  CHECK_NUMBER(siptls_framer_next(framer, NULL, why), SIPTLS_FRAME_ERROR);
  CHECK_NUMBER(siptls_error_reason(why), SIPTLS_E_INVALID_ARGUMENT);
  CHECK_NUMBER(siptls_framer_failed(framer), 0);  // nothing was taken out
  CHECK_NUMBER(siptls_framer_next(framer, &frame, NULL), SIPTLS_FRAME_MESSAGE);
  const siptls_message* const message = frame.message;
  siptls_header row = {.size = sizeof row};
  CHECK_NUMBER(siptls_message_row(message, 0, NULL), 0);
  CHECK_NUMBER(siptls_message_find(message, SIPTLS_HEADER_VIA, NULL), 0);
  CHECK_NUMBER(siptls_message_find_name(message, NULL, &row), 0);
  CHECK_NUMBER(siptls_message_find_name(message, "Via", NULL), 0);
  CHECK_NUMBER(siptls_message_top_via(message, NULL), 0);
  CHECK_NUMBER(siptls_message_cseq(message, NULL, NULL), 1);
  CHECK_NUMBER(siptls_judge_sips(message, SIPTLS_SIPS_REQUIRED, NULL, NULL), 480);
  siptls_framer_free(framer);
}

const struct test null_object_tests[] = {
    {"NULL for errors, endpoints and times", basics},
    {"NULL for trust stores", trust_stores},
    {"NULL for paths, and lists with holes", paths},
    {"NULL for credentials", credentials},
    {"NULL for contexts and policies, and lists with holes", contexts},
    {"NULL for a message", no_message},
    {"NULL for framers, and for what a message fills", a_message},
    {NULL, NULL}};
