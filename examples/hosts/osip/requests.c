/* OPTIONS in both roles, and what is done about requests that a call does not handle. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "output.h"

struct agent* agent_of(osip_transaction_t* transaction) {
  const osip_t* const osip = transaction->config;
  return osip_siptls_host(osip_get_application_context((osip_t*)osip));
}

void report_message(const char* event, const osip_message_t* message) {
  output_begin(event);
  if (MSG_IS_RESPONSE(message)) output_number("status", (uint64_t)message->status_code);
  output_text("method", message->cseq->method);
  char* call_id = NULL;
  if (osip_call_id_to_str(message->call_id, &call_id) == OSIP_SUCCESS) {
    output_text("call_id", call_id);
    osip_free(call_id);
  }
  output_end();
}

void respond(struct agent* agent, osip_transaction_t* transaction, int status, const char* tag) {
  char token[kTokenSize];
  if (tag == NULL) {
    make_token(token);
    tag = token;
  }
  osip_message_t* const response =
      make_response(&agent->self, transaction->orig_request, status, tag);
  if (response == NULL) {
    osip_siptls_fail(agent->transport, transaction);
  } else {
    osip_siptls_respond(agent->transport, transaction, response);
  }
}

int judge_request(const struct agent* agent, osip_message_t* request) {
  osip_header_t* require = NULL;
  osip_message_header_get_byname(request, "require", 0, &require);
  if (agent->stopping && *tag_of(request->to) == '\0') return 503;
  if (!is_sip(request->req_uri)) return 416;
  return require != NULL ? 420 : 0; /* this agent has no extension */
}

void report_unreachable(const osip_message_t* request) {
  char text[512] = "a URI cannot be read";
  const osip_uri_t* uri = NULL;
  if (request != NULL) {
    const osip_route_t* const route = osip_list_get(&request->routes, 0);
    uri = route != NULL ? route->url : request->req_uri;
  }
  if (uri != NULL && uri->host != NULL) {
    snprintf(text, sizeof text, "no address is known of \"%s\"", uri->host);
  }
  output_error(NULL, SIPTLS_E_INVALID_ENDPOINT, text);
}

int options_begin(struct agent* agent, const char* uri) {
  osip_siptls_route route;
  osip_message_t* const request = make_request(&agent->self, "OPTIONS", uri);
  if (request == NULL || !find_first_route(&agent->settings, request, &route)) {
    report_unreachable(request);
    osip_message_free(request);
    return 0;
  }
  if (osip_siptls_request(agent->transport, request, &route, NULL) == NULL) return 0;
  ++agent->asked;
  return 1;
}

/* --- oSIP's callbacks ------------------------------------------------------------------------ */

static void received(int type, osip_transaction_t* transaction, osip_message_t* request) {
  struct agent* const agent = agent_of(transaction);
  report_message("request", request);
  int status = judge_request(agent, request);
  if (status == 0) status = type == OSIP_NIST_OPTIONS_RECEIVED ? 200 : 405;
  respond(agent, transaction, status, NULL);
}

static void finished(struct agent* agent, int is_good) {
  --agent->asked;
  if (!is_good) agent->failed = 1;
}

/* OPTIONS, BYE and CANCEL come here. */
static void answered(int type, osip_transaction_t* transaction, osip_message_t* response) {
  (void)type;
  report_message("response", response);
  if (MSG_IS_OPTIONS(transaction->orig_request)) {
    finished(agent_of(transaction), MSG_IS_STATUS_2XX(response));
  } else {
    bye_finished(transaction, response);
  }
}

static void not_answered(osip_transaction_t* transaction) {
  if (MSG_IS_OPTIONS(transaction->orig_request)) {
    finished(agent_of(transaction), 0);
  } else {
    bye_finished(transaction, NULL);
  }
}

static void timed_out(int type, osip_transaction_t* transaction, osip_message_t* none) {
  (void)type;
  (void)none;
  output_error(NULL, SIPTLS_E_EXPIRED, "no response came within 64*T1");
  not_answered(transaction);
}

static void failed(int type, osip_transaction_t* transaction, int error) {
  (void)type;
  (void)error;
  if (transaction->orig_request != NULL) not_answered(transaction);
}

void requests_register(osip_t* osip) {
  static const int kReceived[] = {OSIP_NIST_OPTIONS_RECEIVED,   OSIP_NIST_REGISTER_RECEIVED,
                                  OSIP_NIST_INFO_RECEIVED,      OSIP_NIST_NOTIFY_RECEIVED,
                                  OSIP_NIST_SUBSCRIBE_RECEIVED, OSIP_NIST_UNKNOWN_REQUEST_RECEIVED};
  static const int kAnswered[] = {OSIP_NICT_STATUS_2XX_RECEIVED, OSIP_NICT_STATUS_3XX_RECEIVED,
                                  OSIP_NICT_STATUS_4XX_RECEIVED, OSIP_NICT_STATUS_5XX_RECEIVED,
                                  OSIP_NICT_STATUS_6XX_RECEIVED};
  for (size_t i = 0; i < sizeof kReceived / sizeof *kReceived; ++i) {
    osip_set_message_callback(osip, kReceived[i], received);
  }
  for (size_t i = 0; i < sizeof kAnswered / sizeof *kAnswered; ++i) {
    osip_set_message_callback(osip, kAnswered[i], answered);
  }
  osip_set_message_callback(osip, OSIP_NICT_STATUS_TIMEOUT, timed_out);
  osip_set_transport_error_callback(osip, OSIP_NICT_TRANSPORT_ERROR, failed);
}
