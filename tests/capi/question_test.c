// Questions: the host's word about a peer, and signatures by a key that is held elsewhere.
#include <stdio.h>

#include "stage.h"
#include "tests.h"

static void ask_host(siptls_context_config* config, siptls_policy* policy) {
  (void)config;
  policy->authorise = SIPTLS_AUTHORISE_HOST;
}

static char asked_about[64];

static void note_question(struct host* host, const siptls_event* event) {
  (void)host;
  if (event->kind != SIPTLS_EVENT_AUTHORISE_PEER) return;
  siptls_identity identity = {.size = sizeof identity};
  REQUIRE(siptls_path_identity(siptls_peer_path(event->peer), 0, &identity));
  snprintf(asked_about, sizeof asked_about, "%s", identity.name);
}

// A server that is asked about its peers, and a client that waits for the answer with a request.
static siptls_connection stage_open_asking(struct stage* stage) {
  stage_open(stage, NULL, NULL);
  siptls_context* const asks = make_context(PKI_ALPHA, ask_host);
  host_listen(&stage->server, asks);
  siptls_context_free(asks);
  stage->server.on_event = note_question;
  const siptls_target target = target_of(stage);
  const char* const request = options_request(1);
  CHECK_OK(siptls_transport_send_to(stage->client.transport, &target, request, strlen(request),
                                    NULL, NULL, why));
  RUN_UNTIL(stage, stage->server.seen[SIPTLS_EVENT_AUTHORISE_PEER] == 1);
  CHECK_STRING(asked_about, "beta.example");
  CHECK_NUMBER(stage->server.seen[SIPTLS_EVENT_CONNECTED], 0);
  CHECK_NUMBER(stage->server.seen[SIPTLS_EVENT_MESSAGE], 0);
  const siptls_event* const question = &stage->server.last[SIPTLS_EVENT_AUTHORISE_PEER];
  CHECK_NUMBER(question->role, SIPTLS_ROLE_SERVER);
  CHECK_NUMBER(question->listener, stage->server.listener);
  return question->connection;
}

static void a_peer_is_let_in(void) {
  struct stage stage;
  const siptls_connection asking = stage_open_asking(&stage);
  CHECK_REASON(siptls_transport_authorise(stage.server.transport, asking, 2, why),
               SIPTLS_E_INVALID_ARGUMENT);
  CHECK_OK(siptls_transport_authorise(stage.server.transport, asking, SIPTLS_ADMIT, why));
  RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_MESSAGE] == 1);
  CHECK_REASON(siptls_transport_authorise(stage.server.transport, asking, SIPTLS_ADMIT, why),
               SIPTLS_E_INVALID_ARGUMENT);  // nobody asks any more
  CHECK_REASON(siptls_transport_authorise(stage.server.transport, 0, SIPTLS_ADMIT, why),
               SIPTLS_E_UNKNOWN_CONNECTION);
  stage_close(&stage);
}

static void a_peer_is_kept_out(void) {
  struct stage stage;
  const siptls_connection asking = stage_open_asking(&stage);
  CHECK_OK(siptls_transport_authorise(stage.server.transport, asking, SIPTLS_REFUSE, why));
  RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_HANDSHAKE_FAILED] == 1 &&
                        stage.client.seen[SIPTLS_EVENT_HANDSHAKE_FAILED] == 1);
  CHECK_NUMBER(stage.server.reason[SIPTLS_EVENT_HANDSHAKE_FAILED], SIPTLS_E_PEER_NOT_AUTHORISED);
  CHECK_NUMBER(stage.client.reason[SIPTLS_EVENT_HANDSHAKE_FAILED], SIPTLS_E_PEER_DENIED_ACCESS);
  CHECK_NUMBER(stage.client.seen[SIPTLS_EVENT_SEND_FAILED], 1);
  CHECK_NUMBER(stage.client.last[SIPTLS_EVENT_SEND_FAILED].delivery, SIPTLS_DELIVERY_REFUSED);
  CHECK_NUMBER(stage.server.seen[SIPTLS_EVENT_MESSAGE], 0);
  stage_close(&stage);
}

static void a_sender_can_answer(void) {
  struct stage stage;
  const siptls_connection asking = stage_open_asking(&stage);
  siptls_sender* sender = NULL;
  REQUIRE_OK(siptls_sender_new(stage.server.transport, &sender, why));
  CHECK_OK(siptls_sender_authorise(sender, asking, SIPTLS_ADMIT, why));
  RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_MESSAGE] == 1);
  CHECK_OK(siptls_sender_authorise(sender, asking, SIPTLS_ADMIT, why));  // too late: dropped
  CHECK_REASON(siptls_sender_authorise(sender, asking, 2, why), SIPTLS_E_INVALID_ARGUMENT);
  stage_settle(&stage);
  CHECK_NUMBER(stage.server.seen[SIPTLS_EVENT_CLOSED], 0);
  siptls_sender_free(sender);
  stage_close(&stage);
}

// The signer: what it was asked, and what it answers.
enum signing { SIGN, SIGN_THROUGH_SENDER, REFUSE, SIGN_NONSENSE };
static enum signing signing;
static char key_id[32];
static uint32_t scheme;
static siptls_sender* signer = NULL;

static void sign(struct host* host, const siptls_event* event) {
  if (event->kind != SIPTLS_EVENT_SIGNATURE_WANTED) return;
  snprintf(key_id, sizeof key_id, "%s", event->key_id);
  scheme = event->signature_scheme;
  unsigned char signature[256];
  size_t size = pki_sign(PKI_ALPHA, event->signature_input.data, event->signature_input.size,
                         signature, sizeof signature);
  REQUIRE(size > 0);
  if (signing == SIGN_NONSENSE) memset(signature, 0, size);
  if (signing == REFUSE) {
    CHECK_REASON(
        siptls_transport_complete_signature(host->transport, event->connection, NULL, 0, why),
        SIPTLS_OK);
  } else if (signing == SIGN_THROUGH_SENDER) {
    CHECK_OK(siptls_sender_complete_signature(signer, event->connection, signature, size, why));
  } else {
    CHECK_OK(siptls_transport_complete_signature(host->transport, event->connection, signature,
                                                 size, why));
  }
}

// A server whose key is held elsewhere.
static void stage_open_signing(struct stage* stage, enum signing how) {
  stage_open(stage, NULL, NULL);
  siptls_credentials* credentials = NULL;
  const char* const chain = pki_chain(PKI_ALPHA);
  REQUIRE_OK(
      siptls_credentials_from_external_key("slot 3", chain, strlen(chain), &credentials, why));
  CHECK_NUMBER(siptls_credentials_certificate_count(credentials), 2);
  siptls_trust_store* const trust = make_trust();
  siptls_context_config config;
  siptls_context_config_init(&config, sizeof config);
  config.credentials = credentials;
  config.trust = trust;
  siptls_context_free(stage->alpha);
  stage->alpha = NULL;
  REQUIRE_OK(siptls_context_new(&config, &stage->alpha, why));
  siptls_trust_store_free(trust);
  siptls_credentials_free(credentials);
  host_listen(&stage->server, stage->alpha);
  signing = how;
  key_id[0] = '\0';
  stage->server.on_event = sign;
}

static void a_signer_signs(void) {
  for (int through_sender = 0; through_sender <= 1; ++through_sender) {
    struct stage stage;
    stage_open_signing(&stage, through_sender ? SIGN_THROUGH_SENDER : SIGN);
    REQUIRE_OK(siptls_sender_new(stage.server.transport, &signer, why));
    stage_connect(&stage);
    CHECK_STRING(key_id, "slot 3");
    CHECK_NUMBER(scheme, 0x0403);
    CHECK_NUMBER(stage.server.seen[SIPTLS_EVENT_SIGNATURE_WANTED], 1);
    siptls_sender_free(signer);
    stage_close(&stage);
  }
}

static void a_signer_that_does_not_sign_ends_the_handshake(void) {
  for (int nonsense = 0; nonsense <= 1; ++nonsense) {
    struct stage stage;
    stage_open_signing(&stage, nonsense ? SIGN_NONSENSE : REFUSE);
    const siptls_target target = target_of(&stage);
    CHECK_OK(siptls_transport_connect(stage.client.transport, &target, &stage.to_server, why));
    RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_HANDSHAKE_FAILED] == 1);
    CHECK_NUMBER(stage.server.reason[SIPTLS_EVENT_HANDSHAKE_FAILED],
                 SIPTLS_E_SIGNATURE_UNAVAILABLE);
    CHECK_REASON(siptls_transport_complete_signature(stage.server.transport, 0, "x", 1, why),
                 SIPTLS_E_UNKNOWN_CONNECTION);
    stage_close(&stage);
  }
}

const struct test question_tests[] = {
    {"a peer is let in by the host's word, and not before it", a_peer_is_let_in},
    {"a peer that the host refuses is told so", a_peer_is_kept_out},
    {"a sender can give the host's word", a_sender_can_answer},
    {"a key that is held elsewhere signs, here or in another thread", a_signer_signs},
    {"a signer that does not sign, or signs nonsense, ends the handshake",
     a_signer_that_does_not_sign_ends_the_handshake},
    {NULL, NULL}};
