// Chains judged without any connection.
#include "stage.h"
#include "tests.h"

static siptls_verify_options options_of_now(void) {
  siptls_now now;
  siptls_system_now(&now);
  siptls_verify_options options;
  siptls_verify_options_init(&options, sizeof options, &now);
  return options;
}

static int verify_pem(const siptls_trust_store* store, enum pki_owner owner,
                      const siptls_verify_options* options, siptls_path** path) {
  const char* const chain = pki_chain(owner);
  return siptls_trust_store_verify_pem(store, chain, strlen(chain), options, path, why);
}

static void a_good_chain_tells_what_it_proves(void) {
  siptls_trust_store* const store = make_trust();
  siptls_verify_options options = options_of_now();
  options.identity = "alpha.example";
  siptls_path* path = NULL;
  REQUIRE_OK(verify_pem(store, PKI_ALPHA, &options, &path));
  siptls_trust_store_free(store);  // the path goes on
  CHECK_NUMBER(siptls_path_ca_depth(path), 2);
  REQUIRE(siptls_path_certificate_count(path) == 3);
  siptls_certificate certificate = {.size = sizeof certificate};
  REQUIRE(siptls_path_certificate(path, 0, &certificate));
  CHECK_STRING(certificate.subject, "CN=alpha.example");
  REQUIRE(siptls_path_certificate(path, 2, &certificate));
  CHECK_STRING(certificate.subject, certificate.issuer);
  CHECK_NUMBER(siptls_path_certificate(path, 3, &certificate), 0);
  REQUIRE(siptls_path_identity_count(path) == 1);
  siptls_identity identity = {.size = sizeof identity};
  REQUIRE(siptls_path_identity(path, 0, &identity));
  CHECK_STRING(identity.name, "alpha.example");
  CHECK_NUMBER(siptls_path_identity(path, 1, &identity), 0);
  CHECK_NUMBER(siptls_path_matched(path), 0);
  CHECK_NUMBER(siptls_path_covers(path, "ALPHA.example"), 1);
  CHECK_NUMBER(siptls_path_covers(path, "beta.example"), 0);
  CHECK_NUMBER(siptls_path_covers(path, ""), 0);
  CHECK_NUMBER(siptls_path_ocsp_valid_until(path), INT64_MIN);
  siptls_path_free(path);
}

static void der_and_pem_are_judged_alike(void) {
  siptls_trust_store* const store = make_trust();
  const siptls_verify_options options = options_of_now();
  siptls_octets chain[2];
  for (size_t i = 0; i < 2; ++i) {
    chain[i].data = pki_der(PKI_ALPHA, i, &chain[i].size);
    REQUIRE(chain[i].data != NULL);
  }
  siptls_path* path = NULL;
  REQUIRE_OK(siptls_trust_store_verify(store, chain, 2, &options, &path, why));
  CHECK_NUMBER(siptls_path_matched(path), -1);
  siptls_path_free(path);
  CHECK_OK(siptls_trust_store_verify(store, chain, 2, &options, NULL, why));
  CHECK_REASON(siptls_trust_store_verify(store, chain, 1, &options, NULL, why),
               SIPTLS_E_UNKNOWN_CA);
  CHECK_REASON(siptls_trust_store_verify(store, chain, 0, &options, NULL, why),
               SIPTLS_E_CERTIFICATE_MISSING);
  chain[1].size -= 1;
  CHECK_REASON(siptls_trust_store_verify(store, chain, 2, &options, NULL, why),
               SIPTLS_E_CERTIFICATE_UNREADABLE);
  CHECK_NUMBER(siptls_error_certificate(why), 1);
  siptls_trust_store_free(store);
}

static void each_option_counts(void) {
  static const char* const beta_alone[] = {"beta.example"};
  static const char* const both[] = {"beta.example", "Alpha.Example"};
  siptls_trust_store* const store = make_trust();
  siptls_verify_options options = options_of_now();
  CHECK_OK(verify_pem(store, PKI_ALPHA, &options, NULL));
  CHECK_REASON(verify_pem(store, PKI_STRANGER, &options, NULL), SIPTLS_E_UNKNOWN_CA);

  options.identity = "beta.example";
  CHECK_REASON(verify_pem(store, PKI_ALPHA, &options, NULL), SIPTLS_E_IDENTITY_MISMATCH);
  CHECK(contains(siptls_error_evidence(why), "beta.example"));
  options.identity = "not a domain";
  CHECK_REASON(verify_pem(store, PKI_ALPHA, &options, NULL), SIPTLS_E_INVALID_DOMAIN);
  options.identity = NULL;

  options.allowed = beta_alone;
  options.allowed_count = 1;
  CHECK_REASON(verify_pem(store, PKI_ALPHA, &options, NULL), SIPTLS_E_IDENTITY_NOT_ALLOWED);
  options.allowed = both;
  options.allowed_count = 2;
  CHECK_OK(verify_pem(store, PKI_ALPHA, &options, NULL));
  options.allowed_count = 0;
  CHECK_REASON(verify_pem(store, PKI_ALPHA, &options, NULL), SIPTLS_E_INVALID_ARGUMENT);
  options.allowed = NULL;

  options.at.wall = 4102444801 * 1000000000;  // a second after its end
  CHECK_REASON(verify_pem(store, PKI_ALPHA, &options, NULL), SIPTLS_E_CERTIFICATE_EXPIRED);
  options.at.wall = 1704067199LL * 1000000000;  // a second before its beginning
  options.at.standing = SIPTLS_CLOCK_GIVEN;
  CHECK_REASON(verify_pem(store, PKI_ALPHA, &options, NULL), SIPTLS_E_CERTIFICATE_NOT_YET_VALID);

  options = options_of_now();
  options.at.standing = SIPTLS_CLOCK_UNSYNCHRONISED;
  CHECK_OK(verify_pem(store, PKI_ALPHA, &options, NULL));
  options.clock_policy = SIPTLS_CLOCK_REQUIRE;
  CHECK_REASON(verify_pem(store, PKI_ALPHA, &options, NULL), SIPTLS_E_CLOCK_NOT_TRUSTED);
  siptls_trust_store_free(store);
}

static void a_strict_purpose_is_asked_for(void) {
  siptls_trust_store* const store = make_trust();
  siptls_verify_options options = options_of_now();
  options.role = SIPTLS_PEER_CLIENT;
  CHECK_OK(verify_pem(store, PKI_ALPHA, &options, NULL));
  options.eku = SIPTLS_EKU_IGNORE_CLIENT;
  CHECK_OK(verify_pem(store, PKI_ALPHA, &options, NULL));
  options.eku = SIPTLS_EKU_SIP_STRICT;  // it has serverAuth and clientAuth
  CHECK_REASON(verify_pem(store, PKI_ALPHA, &options, NULL), SIPTLS_E_EXTENDED_KEY_USAGE_FORBIDDEN);
  siptls_trust_store_free(store);
}

static void a_certificate_is_for_a_role(void) {
  siptls_trust_store* const store = make_trust();
  siptls_verify_options options = options_of_now();
  CHECK_NUMBER(options.role, SIPTLS_PEER_SERVER);
  CHECK_NUMBER(options.ocsp, SIPTLS_OCSP_IF_PRESENT);
  CHECK_OK(verify_pem(store, PKI_SERVER_ONLY, &options, NULL));
  options.role = SIPTLS_PEER_CLIENT;
  CHECK_REASON(verify_pem(store, PKI_SERVER_ONLY, &options, NULL),
               SIPTLS_E_EXTENDED_KEY_USAGE_FORBIDDEN);
  options.eku = SIPTLS_EKU_IGNORE_CLIENT;
  CHECK_OK(verify_pem(store, PKI_SERVER_ONLY, &options, NULL));
  siptls_trust_store_free(store);
}

static void names_beyond_the_letter_are_dangerous(void) {
  siptls_trust_store* const store = make_trust();
  siptls_verify_options options = options_of_now();
  options.identity = "sip.alpha.example";
  CHECK_REASON(verify_pem(store, PKI_WILDCARD, &options, NULL), SIPTLS_E_IDENTITY_MISMATCH);
  options.wildcard = SIPTLS_DANGEROUS_WILDCARD_ONE_LABEL;
  CHECK_OK(verify_pem(store, PKI_WILDCARD, &options, NULL));
  options = options_of_now();
  CHECK_REASON(verify_pem(store, PKI_COMMON_NAME, &options, NULL), SIPTLS_E_NO_SIP_IDENTITY);
  options.common_name = SIPTLS_DANGEROUS_COMMON_NAME_IF_NO_SAN;
  siptls_path* path = NULL;
  REQUIRE_OK(verify_pem(store, PKI_COMMON_NAME, &options, &path));
  siptls_identity identity = {.size = sizeof identity};
  CHECK_NUMBER(siptls_path_identity(path, 0, &identity), 1);
  CHECK_NUMBER(identity.source, SIPTLS_IDENTITY_COMMON_NAME);
  siptls_path_free(path);
  siptls_trust_store_free(store);
}

static void what_is_no_enumerator_is_refused(void) {
  siptls_trust_store* const store = make_trust();
  const siptls_verify_options good = options_of_now();
  for (int field = 0; field < 6; ++field) {
    siptls_verify_options options = good;
    uint32_t* const fields[] = {&options.clock_policy, &options.role,        &options.eku,
                                &options.wildcard,     &options.common_name, &options.ocsp};
    *fields[field] = 77;
    CHECK_REASON(verify_pem(store, PKI_ALPHA, &options, NULL), SIPTLS_E_INVALID_ARGUMENT);
  }
  siptls_verify_options options = good;
  options.at.standing = 77;  // nothing that anybody can trust
  CHECK_REASON(verify_pem(store, PKI_ALPHA, &options, NULL), SIPTLS_E_CLOCK_NOT_TRUSTED);
  siptls_trust_store_free(store);
}

static void an_ocsp_response_is_judged(void) {
  siptls_trust_store* const store = make_trust();
  siptls_verify_options options = options_of_now();
  options.ocsp = SIPTLS_OCSP_REQUIRE;
  CHECK_REASON(verify_pem(store, PKI_ALPHA, &options, NULL), SIPTLS_E_OCSP_RESPONSE_MISSING);
  options.ocsp_response = pki_ocsp_response(PKI_ALPHA, &options.ocsp_response_size);
  siptls_path* path = NULL;
  REQUIRE_OK(verify_pem(store, PKI_ALPHA, &options, &path));
  const int64_t left = siptls_path_ocsp_valid_until(path) - pki_now();
  CHECK(left > 3000 && left <= 3600);
  siptls_path_free(path);
  options.ocsp_response = pki_ocsp_response(PKI_BETA, &options.ocsp_response_size);
  CHECK_REASON(verify_pem(store, PKI_ALPHA, &options, NULL), SIPTLS_E_OCSP_RESPONSE_INVALID);
  options.ocsp = SIPTLS_OCSP_IGNORE;
  CHECK_OK(verify_pem(store, PKI_ALPHA, &options, NULL));
  siptls_trust_store_free(store);
}

static void crls_are_checked_by_a_store_that_has_them(void) {
  siptls_trust_store* const store = make_trust();
  const siptls_verify_options options = options_of_now();
  const char* const crls = pki_crls(PKI_ALPHA);
  siptls_trust_store* checking = NULL;
  REQUIRE_OK(siptls_trust_store_with_crls(store, crls, strlen(crls), &checking, why));
  CHECK_REASON(verify_pem(checking, PKI_ALPHA, &options, NULL), SIPTLS_E_CERTIFICATE_REVOKED);
  CHECK_OK(verify_pem(checking, PKI_BETA, &options, NULL));
  CHECK_OK(verify_pem(store, PKI_ALPHA, &options, NULL));
  siptls_trust_store* none = NULL;
  CHECK_REASON(siptls_trust_store_with_crls(store, pki_root(), strlen(pki_root()), &none, why),
               SIPTLS_E_PEM_WRONG_TYPE);
  CHECK(none == NULL);
  siptls_trust_store_free(checking);
  siptls_trust_store_free(store);
}

static void good_chains_are_remembered(void) {
  siptls_trust_store* const store = make_trust();
  const siptls_verify_options options = options_of_now();
  siptls_chain_memory memory = {.size = sizeof memory};
  siptls_trust_store_chain_memory(store, &memory);
  CHECK_NUMBER(memory.chains, 0);
  for (int i = 0; i < 3; ++i) CHECK_OK(verify_pem(store, PKI_ALPHA, &options, NULL));
  siptls_trust_store_chain_memory(store, &memory);
  CHECK_NUMBER(memory.chains, 1);
  CHECK_NUMBER(memory.judged, 1);
  CHECK_NUMBER(memory.answered, 2);
  siptls_trust_store_free(store);
}

static void depth_is_a_limit_of_the_store(void) {
  siptls_trust_limits limits;
  siptls_trust_limits_init(&limits, sizeof limits);
  limits.max_ca_depth = 1;  // the chain has an intermediate and the root
  siptls_trust_store* store = NULL;
  REQUIRE_OK(siptls_trust_store_from_pem(pki_root(), strlen(pki_root()), &limits, &store, why));
  const siptls_verify_options options = options_of_now();
  CHECK_REASON(verify_pem(store, PKI_ALPHA, &options, NULL), SIPTLS_E_CHAIN_TOO_DEEP);
  siptls_trust_store_free(store);
}

const struct test verify_tests[] = {
    {"a good chain tells what it proves", a_good_chain_tells_what_it_proves},
    {"DER and PEM are judged alike", der_and_pem_are_judged_alike},
    {"identity, allowed ones, time and clock count", each_option_counts},
    {"extended key usage is judged as strictly as asked for", a_strict_purpose_is_asked_for},
    {"a certificate is judged for the role of its owner", a_certificate_is_for_a_role},
    {"wildcards and common names count only where that is asked for",
     names_beyond_the_letter_are_dangerous},
    {"a number that is no enumerator is refused", what_is_no_enumerator_is_refused},
    {"an OCSP response is judged, and told until when it holds", an_ocsp_response_is_judged},
    {"a store with CRLs checks revocation", crls_are_checked_by_a_store_that_has_them},
    {"a store remembers good chains and tells how often that helped", good_chains_are_remembered},
    {"a chain deeper than the store's limit is refused", depth_is_a_limit_of_the_store},
    {NULL, NULL}};
