// Credentials and trust stores: loading them, and what they tell.
#define _XOPEN_SOURCE 700

#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "folder.h"
#include "stage.h"
#include "tests.h"

static int from_pem(const char* key, const char* chain, siptls_passphrase_source source,
                    void* context, siptls_credentials** credentials) {
  return siptls_credentials_from_pem(key, strlen(key), chain, strlen(chain), source, context,
                                     credentials, why);
}

static void check_leaf(const siptls_credentials* credentials) {
  CHECK_NUMBER(siptls_credentials_certificate_count(credentials), 2);
  siptls_certificate leaf = {.size = sizeof leaf};
  REQUIRE(siptls_credentials_certificate(credentials, 0, &leaf));
  CHECK_STRING(leaf.subject, "CN=alpha.example");
  CHECK(contains(leaf.issuer, "CN="));
  CHECK_STRING(leaf.key, "P-256");
  CHECK(strlen(leaf.serial) >= 16 &&
        strspn(leaf.serial, "0123456789ABCDEF") == strlen(leaf.serial));
  CHECK_NUMBER(leaf.not_before, 1704067200);
  CHECK_NUMBER(leaf.not_after, 4102444800);
  siptls_certificate above = {.size = sizeof above};
  REQUIRE(siptls_credentials_certificate(credentials, 1, &above));
  CHECK_STRING(above.subject, leaf.issuer);
  CHECK(memcmp(leaf.sha256, above.sha256, 32) != 0);
  CHECK_NUMBER(siptls_credentials_certificate(credentials, 2, &above), 0);

  // A SIP URI switches DNS names off (RFC 5922 section 7.1).
  REQUIRE(siptls_credentials_identity_count(credentials) == 1);
  siptls_identity identity = {.size = sizeof identity};
  REQUIRE(siptls_credentials_identity(credentials, 0, &identity));
  CHECK_STRING(identity.name, "alpha.example");
  CHECK_NUMBER(identity.source, SIPTLS_IDENTITY_SIP_URI);
  CHECK_NUMBER(siptls_credentials_identity(credentials, 1, &identity), 0);
}

static void credentials_come_from_memory(void) {
  siptls_credentials* credentials = NULL;
  REQUIRE_OK(from_pem(pki_key(PKI_ALPHA), pki_chain(PKI_ALPHA), NULL, NULL, &credentials));
  check_leaf(credentials);
  CHECK_NUMBER(siptls_credentials_warning(credentials, 0, why), 0);
  siptls_credentials_free(credentials);
}

static void what_does_not_belong_together_is_refused(void) {
  siptls_credentials* credentials = (siptls_credentials*)(void*)why;
  CHECK_REASON(from_pem(pki_key(PKI_BETA), pki_chain(PKI_ALPHA), NULL, NULL, &credentials),
               SIPTLS_E_KEY_MISMATCH);
  CHECK_REASON(from_pem("", pki_chain(PKI_ALPHA), NULL, NULL, &credentials), SIPTLS_E_PEM_EMPTY);
  CHECK_REASON(from_pem(pki_chain(PKI_ALPHA), pki_key(PKI_ALPHA), NULL, NULL, &credentials),
               SIPTLS_E_PEM_WRONG_TYPE);
  // A result is written only when there is one.
  CHECK((void*)credentials == (void*)why);
  // The length counts, not a NUL: a chain cut short is no chain.
  CHECK_REASON(
      siptls_credentials_from_pem(pki_key(PKI_ALPHA), strlen(pki_key(PKI_ALPHA)),
                                  pki_chain(PKI_ALPHA), 100, NULL, NULL, &credentials, why),
      SIPTLS_E_PEM_MALFORMED);
}

struct passphrase {
  const char* text;
  int answer;  // other than its length, if not 0
  unsigned asked;
  size_t room;
};

static int tell_passphrase(void* context, char* buffer, size_t size) {
  struct passphrase* const passphrase = context;
  ++passphrase->asked;
  passphrase->room = size;
  if (passphrase->answer != 0) return passphrase->answer;
  const size_t length = strlen(passphrase->text);
  REQUIRE(length <= size);
  memcpy(buffer, passphrase->text, length);
  return (int)length;
}

static void an_encrypted_key_asks_for_its_passphrase(void) {
  const char* const key = pki_encrypted_key(PKI_ALPHA);
  const char* const chain = pki_chain(PKI_ALPHA);
  siptls_credentials* credentials = NULL;
  CHECK_REASON(from_pem(key, chain, NULL, NULL, &credentials), SIPTLS_E_PASSPHRASE_REQUIRED);
  static const struct {
    const char* text;
    int answer;
    int reason;
  } rows[] = {{"secret", 0, SIPTLS_OK},
              {"wrong", 0, SIPTLS_E_WRONG_PASSPHRASE},
              {"secret", 3, SIPTLS_E_WRONG_PASSPHRASE},  // "sec" and whatever
              {"", -1, SIPTLS_E_PASSPHRASE_REQUIRED},
              {"", -1000, SIPTLS_E_PASSPHRASE_REQUIRED}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
    struct passphrase passphrase = {rows[i].text, rows[i].answer, 0, 0};
    CHECK_REASON(from_pem(key, chain, tell_passphrase, &passphrase, &credentials), rows[i].reason);
    CHECK_NUMBER(passphrase.asked, 1);
    CHECK(passphrase.room >= 64);
  }
  check_leaf(credentials);
  siptls_credentials_free(credentials);

  // A source that claims more than there is room for is not believed.
  struct passphrase liar = {"", INT32_MAX, 0, 0};
  siptls_credentials* none = NULL;
  CHECK_REASON(from_pem(key, chain, tell_passphrase, &liar, &none), SIPTLS_E_PASSPHRASE_REQUIRED);
  CHECK(none == NULL);
}

static void credentials_come_from_files(void) {
  struct folder key_folder, chain_folder;
  folder_make(&key_folder);
  folder_make(&chain_folder);
  const char* const key = folder_write(&key_folder, "privateKey.pem", pki_key(PKI_ALPHA));
  const char* const chain = folder_write(&chain_folder, "publickey.pem", pki_chain(PKI_ALPHA));
  siptls_credentials* credentials = NULL;
  REQUIRE_OK(siptls_credentials_from_pem_files(key, chain, NULL, NULL, SIPTLS_KEY_FILE_STRICT,
                                               &credentials, why));
  check_leaf(credentials);
  CHECK_NUMBER(siptls_credentials_warning(credentials, 0, why), 0);
  siptls_credentials_free(credentials);

  REQUIRE(chmod(key, 0644) == 0);
  credentials = NULL;
  CHECK_REASON(siptls_credentials_from_pem_files(key, chain, NULL, NULL, SIPTLS_KEY_FILE_STRICT,
                                                 &credentials, why),
               SIPTLS_E_KEY_FILE_EXPOSED);
  REQUIRE_OK(siptls_credentials_from_pem_files(key, chain, NULL, NULL, SIPTLS_KEY_FILE_WARN,
                                               &credentials, why));
  CHECK_NUMBER(siptls_credentials_warning(credentials, 0, why), 1);
  CHECK_NUMBER(siptls_error_reason(why), SIPTLS_E_KEY_FILE_EXPOSED);
  CHECK(contains(siptls_error_evidence(why), key));
  CHECK_NUMBER(siptls_credentials_warning(credentials, 1, why), 0);
  siptls_credentials_free(credentials);

  credentials = NULL;
  CHECK_REASON(siptls_credentials_from_pem_files(key, "no/such/file", NULL, NULL,
                                                 SIPTLS_KEY_FILE_WARN, &credentials, why),
               SIPTLS_E_FILE_NOT_FOUND);
  CHECK_REASON(siptls_credentials_from_pem_files(key, chain, NULL, NULL, 2, &credentials, why),
               SIPTLS_E_INVALID_ARGUMENT);
  CHECK(credentials == NULL);
  folder_remove(&key_folder);
  folder_remove(&chain_folder);
}

static void a_staple_makes_new_credentials(void) {
  siptls_credentials* const plain = make_credentials(PKI_ALPHA);
  size_t size = 0;
  const void* const response = pki_ocsp_response(PKI_ALPHA, &size);
  siptls_credentials* stapling = NULL;
  REQUIRE_OK(siptls_credentials_with_ocsp_response(plain, response, size, &stapling, why));
  siptls_credentials_free(plain);
  check_leaf(stapling);
  siptls_credentials* none = NULL;
  CHECK_REASON(siptls_credentials_with_ocsp_response(stapling, "nonsense", 8, &none, why),
               SIPTLS_E_OCSP_RESPONSE_INVALID);
  CHECK(none == NULL);
  REQUIRE_OK(siptls_credentials_with_ocsp_response(stapling, NULL, 0, &none, why));
  siptls_credentials_free(none);
  siptls_credentials_free(stapling);
}

static void check_root(const siptls_trust_store* store) {
  REQUIRE(siptls_trust_store_count(store) == 1);
  siptls_certificate root = {.size = sizeof root};
  REQUIRE(siptls_trust_store_entry(store, 0, &root));
  CHECK_STRING(root.subject, root.issuer);
  CHECK_NUMBER(root.self_signed, 1);
  CHECK_NUMBER(root.is_ca, 1);
  CHECK_NUMBER(siptls_trust_store_entry(store, 1, &root), 0);
}

static void trust_stores_come_from_many_places(void) {
  siptls_trust_store* stores[4] = {NULL, NULL, NULL, NULL};
  struct folder folder;
  folder_make(&folder);
  const char* const file = folder_write(&folder, "CAList.pem", pki_root());
  size_t size = 0;
  const void* const der = pki_root_der(&size);
  REQUIRE_OK(siptls_trust_store_from_pem(pki_root(), strlen(pki_root()), NULL, &stores[0], why));
  REQUIRE_OK(siptls_trust_store_from_pem_file(file, NULL, &stores[1], why));
  REQUIRE_OK(siptls_trust_store_from_folder(folder.path, NULL, &stores[2], why));
  REQUIRE_OK(siptls_trust_store_from_der(der, size, NULL, &stores[3], why));
  for (int i = 0; i < 4; ++i) {
    check_root(stores[i]);
    CHECK(memcmp(siptls_trust_store_digest(stores[i]), siptls_trust_store_digest(stores[0]), 32) ==
          0);
  }
  siptls_trust_store* none = NULL;
  CHECK_REASON(siptls_trust_store_from_pem_file("no/such/file", NULL, &none, why),
               SIPTLS_E_FILE_NOT_FOUND);
  CHECK_REASON(siptls_trust_store_from_folder("no/such/folder", NULL, &none, why),
               SIPTLS_E_FILE_NOT_FOUND);
  CHECK_REASON(siptls_trust_store_from_der(der, size - 1, NULL, &none, why),
               SIPTLS_E_CERTIFICATE_MALFORMED);
  CHECK_REASON(siptls_trust_store_from_pem("", 0, NULL, &none, why), SIPTLS_E_PEM_EMPTY);
  CHECK(none == NULL);
  for (int i = 0; i < 4; ++i) siptls_trust_store_free(stores[i]);
  folder_remove(&folder);
}

static void a_trust_store_does_not_change(void) {
  siptls_trust_store* const small = make_trust();
  const char* const more = pki_stranger_root();
  siptls_trust_store* bigger = NULL;
  REQUIRE_OK(siptls_trust_store_with_pem(small, more, strlen(more), &bigger, why));
  CHECK_NUMBER(siptls_trust_store_count(small), 1);
  CHECK_NUMBER(siptls_trust_store_count(bigger), 2);
  CHECK(memcmp(siptls_trust_store_digest(small), siptls_trust_store_digest(bigger), 32) != 0);
  size_t size = 0;
  const void* const der = pki_root_der(&size);
  siptls_trust_store* same = NULL;
  REQUIRE_OK(siptls_trust_store_with_der(bigger, der, size, &same, why));
  CHECK_NUMBER(siptls_trust_store_count(same), 2);
  siptls_trust_store_free(small);
  CHECK_NUMBER(siptls_trust_store_count(bigger), 2);
  siptls_trust_store_free(bigger);
  siptls_trust_store_free(same);
}

static void a_trust_store_has_the_limits_that_it_was_given(void) {
  siptls_trust_limits limits;
  siptls_trust_limits_init(&limits, sizeof limits);
  CHECK_NUMBER(limits.max_entries, 16);
  CHECK_NUMBER(limits.max_ca_depth, 4);
  CHECK_NUMBER(limits.max_remembered_chains, 256);
  limits.max_entries = 1;
  siptls_trust_store* store = NULL;
  siptls_trust_store* bigger = NULL;
  REQUIRE_OK(siptls_trust_store_from_pem(pki_root(), strlen(pki_root()), &limits, &store, why));
  CHECK_REASON(siptls_trust_store_with_pem(store, pki_stranger_root(), strlen(pki_stranger_root()),
                                           &bigger, why),
               SIPTLS_E_TRUST_STORE_FULL);
  CHECK(bigger == NULL);
  siptls_trust_store_free(store);
}

const struct test credentials_tests[] = {
    {"credentials come from memory and tell what they prove", credentials_come_from_memory},
    {"a key and a chain that do not belong together are refused",
     what_does_not_belong_together_is_refused},
    {"an encrypted key asks the host for its passphrase", an_encrypted_key_asks_for_its_passphrase},
    {"credentials come from files, and a key that others can read is told or refused",
     credentials_come_from_files},
    {"an OCSP response makes new credentials and leaves the old ones alone",
     a_staple_makes_new_credentials},
    {"trust stores come from memory, a file, a folder and DER alike",
     trust_stores_come_from_many_places},
    {"adding to a trust store makes a new one", a_trust_store_does_not_change},
    {"a trust store has the limits that it was given",
     a_trust_store_has_the_limits_that_it_was_given},
    {NULL, NULL}};
