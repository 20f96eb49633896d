// Policies, the catalogue of cipher suites, contexts, ticket keys.
#include <stdio.h>

#include "folder.h"
#include "stage.h"
#include "tests.h"

static void presets_begin_a_policy(void) {
  static const struct {
    uint32_t preset, min_version, max_version;
  } rows[] = {{SIPTLS_PRESET_MODERN, SIPTLS_TLS1_2, SIPTLS_TLS1_3},
              {SIPTLS_PRESET_INTEROP, SIPTLS_TLS1_2, SIPTLS_TLS1_3},
              {SIPTLS_PRESET_IMG2020, SIPTLS_TLS1_2, SIPTLS_TLS1_2},
              {SIPTLS_PRESET_IMG2020_128, SIPTLS_TLS1_2, SIPTLS_TLS1_2},
              {SIPTLS_PRESET_IMG2020_AT_LEAST_128, SIPTLS_TLS1_2, SIPTLS_TLS1_2}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
    siptls_policy policy;
    memset(&policy, 0x5a, sizeof policy);
    CHECK_NUMBER(siptls_policy_init(&policy, sizeof policy, rows[i].preset), SIPTLS_OK);
    CHECK_NUMBER(policy.size, sizeof policy);
    CHECK_NUMBER(policy.preset, rows[i].preset);
    CHECK_NUMBER(policy.min_version, rows[i].min_version);
    CHECK_NUMBER(policy.max_version, rows[i].max_version);
    CHECK_NUMBER(policy.client_certificate, SIPTLS_CLIENT_CERTIFICATE_REQUIRED);
    CHECK_NUMBER(policy.resumption, SIPTLS_RESUMPTION_TICKETS);
    CHECK_NUMBER(policy.ocsp, SIPTLS_OCSP_IF_PRESENT);
    CHECK_NUMBER(policy.alpn, SIPTLS_ALPN_OFF);
    CHECK(policy.cipher_suites == NULL && policy.groups == NULL &&
          policy.signature_schemes == NULL);
  }
  siptls_policy policy;
  memset(&policy, 0, sizeof policy);
  CHECK_NUMBER(siptls_policy_init(&policy, sizeof policy, 5), SIPTLS_E_INVALID_ARGUMENT);
}

static void the_catalogue_is_found_by_every_name(void) {
  const size_t count = siptls_cipher_suite_count();
  CHECK(count > 55);
  siptls_cipher_suite suite = {.size = sizeof suite};
  unsigned listed = 0;
  for (size_t i = 0; i < count; ++i) {
    REQUIRE(siptls_cipher_suite_at(i, &suite));
    CHECK((suite.status == SIPTLS_SUITE_OFFERED) == (suite.reason[0] == '\0'));
    listed += suite.in_img2020_list;
    siptls_cipher_suite other = {.size = sizeof other};
    CHECK_NUMBER(siptls_cipher_suite_by_code((uint16_t)suite.code, &other), 1);
    CHECK_STRING(other.name, suite.name);
    CHECK_NUMBER(siptls_cipher_suite_by_name(suite.name, &other), 1);
    CHECK_NUMBER(other.code, suite.code);
  }
  CHECK_NUMBER(listed, 55);
  CHECK_NUMBER(siptls_cipher_suite_at(count, &suite), 0);
  CHECK_NUMBER(siptls_cipher_suite_by_code(0xdead, &suite), 0);
  CHECK_NUMBER(siptls_cipher_suite_by_name("no such suite", &suite), 0);
  REQUIRE(siptls_cipher_suite_by_name("ecdhe-rsa-aes128-gcm-sha256", &suite));
  CHECK_STRING(suite.name, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
  CHECK_STRING(suite.openssl_name, "ECDHE-RSA-AES128-GCM-SHA256");
  CHECK_STRING(suite.key_exchange, "ECDHE");
  CHECK_STRING(suite.authentication, "RSA");
  CHECK(contains(suite.cipher, "AES"));
  CHECK_NUMBER(suite.code, 0xc02f);
  CHECK_NUMBER(suite.strength_bits, 128);
  CHECK_NUMBER(suite.status, SIPTLS_SUITE_OFFERED);
}

static void groups_have_names(void) {
  char name[32];
  CHECK_NUMBER(siptls_group_name(29, name, sizeof name), SIPTLS_OK);
  CHECK_STRING(name, "X25519");
  CHECK_NUMBER(siptls_group_name(23, name, sizeof name), SIPTLS_OK);
  CHECK_STRING(name, "P-256");
  CHECK_NUMBER(siptls_group_name(0xabcd, name, sizeof name), SIPTLS_OK);
  CHECK_STRING(name, "0xABCD");
  CHECK_NUMBER(siptls_group_name(0xabcd, name, 7), SIPTLS_OK);
  CHECK_NUMBER(siptls_group_name(0xabcd, name, 6), SIPTLS_E_INVALID_ARGUMENT);
  // Every name fits into the 32 octets that the header speaks of.
  for (unsigned code = 0; code < 0x10000; ++code) {
    if (siptls_group_name((uint16_t)code, name, sizeof name) != SIPTLS_OK) {
      CHECK_NUMBER(code, -1);
    }
  }
}

static void a_context_holds_what_it_needs(void) {
  siptls_context* const one = make_context(PKI_ALPHA, NULL);  // its parts are gone
  siptls_context* const other = make_context(PKI_ALPHA, NULL);
  CHECK(siptls_context_id(one) != 0);
  CHECK(siptls_context_id(one) != siptls_context_id(other));
  siptls_now now;
  siptls_system_now(&now);
  CHECK_OK(siptls_context_valid_at(one, &now, why));
  CHECK_NUMBER(siptls_context_warning(one, &now, 0, why), 0);
  now.wall = 4102444801 * 1000000000;
  CHECK_REASON(siptls_context_valid_at(one, &now, why), SIPTLS_E_CERTIFICATE_EXPIRED);
  CHECK_NUMBER(siptls_context_warning(one, &now, 0, why), 1);
  CHECK_NUMBER(siptls_error_reason(why), SIPTLS_E_CERTIFICATE_EXPIRED);
  CHECK_NUMBER(siptls_context_warning(one, &now, SIZE_MAX, why), 0);
  siptls_context_free(one);
  siptls_context_free(other);
}

static void a_context_without_parts_is_refused_or_not(void) {
  siptls_context_config config;
  siptls_context_config_init(&config, sizeof config);
  siptls_context* context = NULL;
  CHECK_REASON(siptls_context_new(&config, &context, why), SIPTLS_E_TRUST_STORE_EMPTY);
  siptls_trust_store* const trust = make_trust();
  config.trust = trust;
  CHECK_OK(siptls_context_new(&config, &context, why));  // a client without a certificate
  siptls_context_free(context);
  context = NULL;
  static const char* const nonsense[] = {"no name at all"};
  config.allowed_peers = nonsense;
  config.allowed_peers_count = 1;
  CHECK_REASON(siptls_context_new(&config, &context, why), SIPTLS_E_INVALID_DOMAIN);
  CHECK(contains(siptls_error_evidence(why), "no name at all"));
  CHECK(context == NULL);
  siptls_trust_store_free(trust);
}

static int context_with(const siptls_policy* policy) {
  siptls_trust_store* const trust = make_trust();
  siptls_context_config config;
  siptls_context_config_init(&config, sizeof config);
  config.trust = trust;
  config.policy = policy;
  siptls_context* context = NULL;
  const int reason = siptls_context_new(&config, &context, why);
  siptls_context_free(context);
  siptls_trust_store_free(trust);
  return reason;
}

static void a_policy_that_cannot_be_is_refused(void) {
  siptls_policy good;
  REQUIRE(siptls_policy_init(&good, sizeof good, SIPTLS_PRESET_MODERN) == SIPTLS_OK);
  for (int field = 0; field < 14; ++field) {
    siptls_policy policy = good;
    uint32_t* const fields[] = {&policy.preset,
                                &policy.min_version,
                                &policy.max_version,
                                &policy.client_certificate,
                                &policy.eku,
                                &policy.wildcard,
                                &policy.common_name,
                                &policy.clock_policy,
                                &policy.ocsp,
                                &policy.authorise,
                                &policy.unknown_server_name,
                                &policy.resumption,
                                &policy.extended_master_secret,
                                &policy.alpn};
    *fields[field] = 77;
    CHECK_REASON(context_with(&policy), SIPTLS_E_INVALID_ARGUMENT);
  }
  siptls_policy policy = good;
  policy.min_version = SIPTLS_TLS1_3;
  policy.max_version = SIPTLS_TLS1_2;
  CHECK_REASON(context_with(&policy), SIPTLS_E_POLICY_UNSUPPORTED);
  policy = good;
  const uint16_t suites[] = {0xdead};
  policy.cipher_suites = suites;
  policy.cipher_suite_count = 1;
  CHECK_REASON(context_with(&policy), SIPTLS_E_POLICY_UNSUPPORTED);
  const uint16_t known[] = {0xc02f};
  policy.cipher_suites = known;
  CHECK_OK(context_with(&policy));
  policy = good;
  const uint16_t groups[] = {29};
  policy.groups = groups;
  policy.group_count = 1;
  CHECK_OK(context_with(&policy));
  const uint16_t no_groups[] = {0xdead};
  policy.groups = no_groups;
  CHECK_REASON(context_with(&policy), SIPTLS_E_POLICY_UNSUPPORTED);
  policy = good;
  policy.signature_schemes = no_groups;
  policy.signature_scheme_count = 1;
  CHECK_REASON(context_with(&policy), SIPTLS_E_POLICY_UNSUPPORTED);
}

static void ticket_keys_travel(void) {
  siptls_ticket_keys* keys = NULL;
  siptls_ticket_keys* other = NULL;
  REQUIRE_OK(siptls_ticket_keys_new(43200, 2, &keys, why));
  REQUIRE_OK(siptls_ticket_keys_new(43200, 2, &other, why));
  unsigned char exported[1024], again[1024];
  size_t size = 0, same = 0;
  REQUIRE_OK(siptls_ticket_keys_export(keys, exported, sizeof exported, &size, why));
  CHECK(size > 16 && size <= sizeof exported);
  // How much room it takes is told when there is too little.
  size_t needed = 0;
  CHECK_REASON(siptls_ticket_keys_export(keys, again, size - 1, &needed, why),
               SIPTLS_E_INVALID_ARGUMENT);
  CHECK_NUMBER(needed, size);
  needed = 0;
  CHECK_REASON(siptls_ticket_keys_export(keys, NULL, 0, &needed, why), SIPTLS_E_INVALID_ARGUMENT);
  CHECK_NUMBER(needed, size);
  REQUIRE_OK(siptls_ticket_keys_import(other, exported, size, why));
  REQUIRE_OK(siptls_ticket_keys_export(other, again, size, &same, why));
  CHECK(same == size && memcmp(exported, again, size) == 0);
  REQUIRE_OK(siptls_ticket_keys_rotate(other, why));
  REQUIRE_OK(siptls_ticket_keys_export(other, again, sizeof again, &same, why));
  CHECK(same != size || memcmp(exported, again, size) != 0);
  exported[size / 2] ^= 1;
  CHECK_REASON(siptls_ticket_keys_import(other, exported, size, why), SIPTLS_E_INVALID_ARGUMENT);
  siptls_ticket_keys* none = NULL;
  CHECK_REASON(siptls_ticket_keys_new(0, 2, &none, why), SIPTLS_E_INVALID_ARGUMENT);
  CHECK_REASON(siptls_ticket_keys_new(43200, 0, &none, why), SIPTLS_E_INVALID_ARGUMENT);
  CHECK(none == NULL);
  siptls_ticket_keys_free(keys);
  siptls_ticket_keys_free(other);
}

static void a_key_log_is_a_callback_or_a_file(void) {
  struct folder folder;
  folder_make(&folder);
  siptls_trust_store* const trust = make_trust();
  siptls_context_config config;
  siptls_context_config_init(&config, sizeof config);
  config.trust = trust;
  config.dangerous_key_log_file = folder_write(&folder, "keys.log", "");
  siptls_context* context = NULL;
  CHECK_OK(siptls_context_new(&config, &context, why));
  siptls_context_free(context);
  context = NULL;
  config.dangerous_key_log_file = "no/such/folder/keys.log";
  CHECK_REASON(siptls_context_new(&config, &context, why), SIPTLS_E_FILE_NOT_FOUND);
  CHECK(context == NULL);
  siptls_trust_store_free(trust);
  folder_remove(&folder);
}

const struct test context_tests[] = {
    {"a policy begins with a preset", presets_begin_a_policy},
    {"a cipher suite is found by place, code and both of its names",
     the_catalogue_is_found_by_every_name},
    {"groups have names that fit", groups_have_names},
    {"a context holds what it needs and judges its own certificate", a_context_holds_what_it_needs},
    {"a context says what is missing", a_context_without_parts_is_refused_or_not},
    {"a policy that cannot be is refused", a_policy_that_cannot_be_is_refused},
    {"ticket keys are taken from one ring to another, and altered ones are refused",
     ticket_keys_travel},
    {"a key log that cannot be written is refused", a_key_log_is_a_callback_or_a_file},
    {NULL, NULL}};
