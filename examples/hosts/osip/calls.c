/* Calls: INVITE, ACK, CANCEL and BYE in both roles (RFC 3261 sections 9 and 12 to 15). */
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "output.h"

/* RFC 3261 section 17.1.1.1 */
enum { kT1 = 500, kT2 = 4000 };

/* --- The list of calls ----------------------------------------------------------------------- */

static struct call* call_new(struct agent* agent, osip_transaction_t* invite, int is_ours) {
  struct call* const call = calloc(1, sizeof *call);
  if (call == NULL) return NULL;
  call->agent = agent;
  call->is_ours = is_ours;
  call->invite = invite;
  call->answer_at = call->cancel_at = call->hang_up_at = call->give_up_at = kNever;
  osip_call_id_to_str(invite->callid, &call->id);
  osip_transaction_set_your_instance(invite, call);
  call->next = agent->calls;
  agent->calls = call;
  return call;
}

static void report(const struct call* call, const char* event, const char* how) {
  output_begin(event);
  output_text("call_id", call->id != NULL ? call->id : "");
  if (how != NULL) output_text("how", how);
  output_end();
}

static void forget_invite(struct call* call) {
  if (call->invite != NULL) osip_transaction_set_your_instance(call->invite, NULL);
  call->invite = NULL;
}

static void call_free(struct call* call) {
  struct call** link = &call->agent->calls;
  while (*link != call) link = &(*link)->next;
  *link = call->next;
  forget_invite(call);
  if (call->bye != NULL) osip_transaction_set_your_instance(call->bye, NULL);
  osip_dialog_free(call->dialog);
  osip_message_free(call->ack);
  osip_message_free(call->answer);
  osip_free(call->id);
  free(call);
}

static void call_end(struct call* call, const char* how, int is_good) {
  report(call, "ended", how);
  if (call->is_ours && !is_good) call->agent->failed = 1;
  call_free(call);
}

void calls_free(struct agent* agent) {
  while (agent->calls != NULL) call_free(agent->calls);
}

/* The call whose dialog a request is in. */
static struct call* find_dialog(const struct agent* agent, osip_message_t* request) {
  for (struct call* call = agent->calls; call != NULL; call = call->next) {
    if (call->dialog != NULL && osip_dialog_match_as_uas(call->dialog, request) == 0 &&
        strcmp(tag_of(request->to), call->dialog->local_tag) == 0) {
      return call;
    }
  }
  return NULL;
}

/* RFC 3261 section 12.2.2: 0, or the status for a request that comes too late. */
static int judge_order(struct call* call, osip_message_t* request) {
  if (osip_atoi(request->cseq->number) < call->dialog->remote_cseq) return 500;
  osip_dialog_update_osip_cseq_as_uas(call->dialog, request);
  return 0;
}

/* --- Ending ---------------------------------------------------------------------------------- */

static osip_transaction_t* send_bye(struct agent* agent, osip_dialog_t* dialog, struct call* call) {
  osip_siptls_route route;
  osip_message_t* const request = make_dialog_request(&agent->self, dialog, "BYE");
  if (request == NULL || !find_route(&agent->settings, request, &route)) {
    report_unreachable(request);
    osip_message_free(request);
    return NULL;
  }
  return osip_siptls_request(agent->transport, request, &route, call);
}

static void hang_up(struct call* call) {
  call->state = CALL_ENDING;
  call->answer_at = call->hang_up_at = call->give_up_at = kNever;
  call->bye = send_bye(call->agent, call->dialog, call);
  if (call->bye == NULL) call_end(call, "failed", 0);
}

void bye_finished(osip_transaction_t* transaction, const osip_message_t* response) {
  struct call* const call = osip_transaction_get_your_instance(transaction);
  /* Whatever the response: the dialog has ended (RFC 3261 section 15.1.1). */
  if (call != NULL) {
    const int is_good = response != NULL && MSG_IS_STATUS_2XX(response);
    call_end(call, is_good ? "hung_up" : "failed", is_good);
  }
}

static void send_cancel(struct call* call) {
  osip_message_t* const cancel = make_cancel(call->invite->orig_request);
  if (cancel != NULL) {
    osip_siptls_request(call->agent->transport, cancel, osip_siptls_route_of(call->invite), NULL);
  }
}

/* Not before a provisional response (RFC 3261 section 9.1). */
static void cancel(struct call* call) {
  if (call->is_cancelled) return;
  call->is_cancelled = 1;
  call->cancel_at = kNever;
  call->give_up_at = now_ms() + 64 * kT1;
  if (call->is_ringing) send_cancel(call);
}

/* Gives a call of a peer its final response. */
static void refuse(struct call* call, int status) {
  osip_transaction_t* const invite = call->invite;
  forget_invite(call);
  respond(call->agent, invite, status, call->dialog->local_tag);
}

void calls_hang_up(struct agent* agent) {
  struct call* next = NULL;
  for (struct call* call = agent->calls; call != NULL; call = next) {
    next = call->next;
    if (call->state == CALL_PENDING && call->is_ours) {
      cancel(call);
    } else if (call->state == CALL_PENDING) {
      refuse(call, 480);
      call_end(call, "stopped", 0);
    } else if (call->state == CALL_UP && call->answer == NULL) {
      hang_up(call); /* otherwise when the ACK comes (section 15) */
    }
  }
}

/* --- Own calls ------------------------------------------------------------------------------- */

int call_begin(struct agent* agent, const char* uri) {
  osip_siptls_route route;
  osip_message_t* const request = make_request(&agent->self, "INVITE", uri);
  if (request == NULL || !add_session(request, &agent->self) ||
      !find_first_route(&agent->settings, request, &route)) {
    report_unreachable(request);
    osip_message_free(request);
    return 0;
  }
  osip_transaction_t* const invite = osip_siptls_request(agent->transport, request, &route, NULL);
  struct call* const call = invite != NULL ? call_new(agent, invite, 1) : NULL;
  if (call == NULL) return 0;
  call->give_up_at = now_ms() + agent->settings.timeout;
  return 1;
}

static void is_provisional(int type, osip_transaction_t* transaction, osip_message_t* response) {
  (void)type;
  struct call* const call = osip_transaction_get_your_instance(transaction);
  report_message("response", response);
  if (call == NULL || call->is_ringing) return;
  const int64_t after = call->agent->settings.cancel_after;
  call->is_ringing = 1;
  if (call->is_cancelled) {
    send_cancel(call);
  } else if (after >= 0) {
    call->cancel_at = now_ms() + after;
  }
}

/* Makes a dialog of a 2xx and sends its ACK; 0 if that does not work. */
static int acknowledge(struct agent* agent, osip_message_t* response, osip_dialog_t** dialog,
                       osip_message_t** ack, osip_siptls_route* route) {
  if (osip_dialog_init_as_uac(dialog, response) != OSIP_SUCCESS) return 0;
  *ack = make_dialog_request(&agent->self, *dialog, "ACK");
  if (*ack == NULL || !find_route(&agent->settings, *ack, route)) {
    report_unreachable(*ack);
    return 0;
  }
  osip_siptls_send(agent->transport, *ack, route);
  return 1;
}

static void is_answered(int type, osip_transaction_t* transaction, osip_message_t* response) {
  (void)type;
  struct call* const call = osip_transaction_get_your_instance(transaction);
  report_message("response", response);
  if (call == NULL) return;
  forget_invite(call);
  call->cancel_at = call->give_up_at = kNever;
  if (!acknowledge(call->agent, response, &call->dialog, &call->ack, &call->ack_route)) {
    call_end(call, "failed", 0);
    return;
  }
  call->state = CALL_UP;
  report(call, "answered", NULL);
  const int64_t after = call->agent->settings.hang_up;
  if (call->is_cancelled || call->agent->stopping) {
    hang_up(call); /* the CANCEL came too late */
  } else if (after >= 0) {
    call->hang_up_at = now_ms() + after;
  }
}

static void is_refused(int type, osip_transaction_t* transaction, osip_message_t* response) {
  (void)type;
  struct call* const call = osip_transaction_get_your_instance(transaction);
  report_message("response", response);
  if (call == NULL) return;
  const int is_good = call->is_cancelled && response->status_code == 487;
  call_end(call, call->is_cancelled ? "cancelled" : "refused", is_good);
}

static void has_failed(int type, osip_transaction_t* transaction, int error) {
  (void)type;
  (void)error;
  struct call* const call = osip_transaction_get_your_instance(transaction);
  if (call != NULL) call_end(call, "failed", 0);
}

static void has_timed_out(int type, osip_transaction_t* transaction, osip_message_t* none) {
  (void)none;
  output_error(NULL, SIPTLS_E_EXPIRED, "no response came within 64*T1");
  has_failed(type, transaction, 0);
}

/* A 2xx again: its ACK is lost, or an end that has forked the call answers too (RFC 3261
 * section 13.2.2.4); a second one is hung up. */
static void take_answer_again(struct agent* agent, osip_message_t* response) {
  struct call* call = agent->calls;
  while (call != NULL && (!call->is_ours || call->ack == NULL ||
                          strcmp(tag_of(response->from), call->dialog->local_tag) != 0)) {
    call = call->next;
  }
  if (call == NULL) return;
  report_message("response", response);
  if (osip_dialog_match_as_uac(call->dialog, response) == 0) {
    osip_siptls_send(agent->transport, call->ack, &call->ack_route);
    return;
  }
  osip_dialog_t* dialog = NULL;
  osip_message_t* ack = NULL;
  osip_siptls_route route;
  if (acknowledge(agent, response, &dialog, &ack, &route)) send_bye(agent, dialog, NULL);
  osip_message_free(ack);
  osip_dialog_free(dialog);
}

/* --- Calls of peers -------------------------------------------------------------------------- */

/* The 2xx is sent again until its ACK comes, over any transport (RFC 3261 section 13.3.1.4). */
static void answer(struct call* call) {
  struct agent* const agent = call->agent;
  osip_message_t* const response =
      make_response(&agent->self, call->invite->orig_request, 200, call->dialog->local_tag);
  if (response == NULL || !add_session(response, &agent->self) ||
      osip_message_clone(response, &call->answer) != OSIP_SUCCESS) {
    osip_message_free(response);
    refuse(call, 500);
    call_end(call, "failed", 0);
    return;
  }
  call->answer_route = *osip_siptls_route_of(call->invite);
  osip_siptls_respond(agent->transport, call->invite, response);
  forget_invite(call);
  osip_dialog_set_state(call->dialog, DIALOG_CONFIRMED);
  call->state = CALL_UP;
  call->answer_interval = kT1;
  call->answer_at = now_ms() + kT1;
  call->give_up_at = now_ms() + 64 * kT1;
  report(call, "answered", NULL);
}

static void answer_again(struct call* call) {
  osip_siptls_send(call->agent->transport, call->answer, &call->answer_route);
  call->answer_interval = call->answer_interval < kT2 / 2 ? call->answer_interval * 2 : kT2;
  call->answer_at = now_ms() + call->answer_interval;
}

static void take_ack(struct agent* agent, osip_message_t* ack) {
  struct call* const call = find_dialog(agent, ack);
  if (call == NULL || call->answer == NULL ||
      osip_atoi(ack->cseq->number) != osip_atoi(call->answer->cseq->number)) {
    return;
  }
  report_message("request", ack);
  osip_message_free(call->answer);
  call->answer = NULL;
  call->answer_at = call->give_up_at = kNever;
  const int64_t after = agent->settings.hang_up_theirs;
  if (agent->stopping) {
    hang_up(call);
  } else if (after >= 0) {
    call->hang_up_at = now_ms() + after;
  }
}

void calls_take_outside(struct agent* agent, osip_message_t* message) {
  if (MSG_IS_ACK(message)) {
    take_ack(agent, message);
  } else if (MSG_IS_STATUS_2XX(message) && MSG_IS_RESPONSE_FOR(message, "INVITE")) {
    take_answer_again(agent, message);
  }
}

/* 0, or the status for an INVITE that begins no call. */
static int judge_invite(struct agent* agent, osip_message_t* invite) {
  const int status = judge_request(agent, invite);
  if (status != 0) return status;
  if (*tag_of(invite->to) != '\0') {
    struct call* const call = find_dialog(agent, invite);
    if (call == NULL) return 481;
    const int late = judge_order(call, invite);
    return late != 0 ? late : 488; /* the session stays as it is (section 14.2) */
  }
  for (const struct call* call = agent->calls; call != NULL; call = call->next) {
    if (!call->is_ours && osip_dialog_match_as_uas(call->dialog, invite) == 0) return 482;
  }
  if (osip_list_eol(&invite->contacts, 0)) return 400;
  return (int)agent->settings.reject;
}

static void is_invited(int type, osip_transaction_t* transaction, osip_message_t* invite) {
  (void)type;
  struct agent* const agent = agent_of(transaction);
  report_message("request", invite);
  const int status = judge_invite(agent, invite);
  if (status != 0) {
    respond(agent, transaction, status, NULL);
    return;
  }
  char tag[kTokenSize];
  make_token(tag);
  osip_message_t* const ringing = make_response(&agent->self, invite, 180, tag);
  struct call* const call = ringing != NULL ? call_new(agent, transaction, 0) : NULL;
  if (call == NULL || osip_dialog_init_as_uas(&call->dialog, invite, ringing) != OSIP_SUCCESS) {
    osip_message_free(ringing);
    if (call != NULL) call_free(call);
    respond(agent, transaction, 500, tag);
    return;
  }
  osip_siptls_respond(agent->transport, transaction, ringing);
  report(call, "ringing", NULL);
  const int64_t ring = agent->settings.ring;
  if (ring == 0) {
    answer(call);
  } else if (ring > 0) {
    call->answer_at = now_ms() + ring;
  }
}

/* Does `cancel` belong to the transaction of `invite` (RFC 3261 section 9.2)? */
static int cancels(const osip_message_t* cancel, osip_transaction_t* invite) {
  osip_via_t* const via = osip_list_get(&cancel->vias, 0);
  osip_generic_param_t* branch = NULL;
  osip_generic_param_t* invited = NULL;
  osip_via_param_get_byname(via, "branch", &branch);
  osip_via_param_get_byname(invite->topvia, "branch", &invited);
  const char* const port = via->port != NULL ? via->port : "5061";
  const char* const invited_port = invite->topvia->port != NULL ? invite->topvia->port : "5061";
  return branch != NULL && branch->gvalue != NULL && invited != NULL && invited->gvalue != NULL &&
         strcmp(branch->gvalue, invited->gvalue) == 0 && strcmp(port, invited_port) == 0 &&
         osip_strcasecmp(via->host, invite->topvia->host) == 0;
}

static void is_taken_back(int type, osip_transaction_t* transaction, osip_message_t* request) {
  (void)type;
  struct agent* const agent = agent_of(transaction);
  report_message("request", request);
  struct call* call = agent->calls;
  while (call != NULL &&
         (call->is_ours || call->invite == NULL || !cancels(request, call->invite))) {
    call = call->next;
  }
  if (call == NULL) {
    respond(agent, transaction, 481, NULL);
    return;
  }
  respond(agent, transaction, 200, call->dialog->local_tag);
  refuse(call, 487);
  call_end(call, "cancelled", 1);
}

static void is_hung_up(int type, osip_transaction_t* transaction, osip_message_t* request) {
  (void)type;
  struct agent* const agent = agent_of(transaction);
  report_message("request", request);
  struct call* const call = find_dialog(agent, request);
  int status = judge_request(agent, request);
  if (status == 0) status = call == NULL ? 481 : judge_order(call, request);
  if (status != 0) {
    respond(agent, transaction, status, NULL);
    return;
  }
  respond(agent, transaction, 200, NULL);
  if (call->invite != NULL) refuse(call, 487);
  call_end(call, "peer_hung_up", 1);
}

/* --- Time ------------------------------------------------------------------------------------ */

/* Comes when nobody has answered an own call, or no ACK has come. */
static void give_up(struct call* call) {
  if (!call->is_ours) {
    output_error(NULL, SIPTLS_E_EXPIRED, "no ACK came within 64*T1");
    osip_message_free(call->answer);
    call->answer = NULL;
    hang_up(call);
  } else if (!call->is_cancelled) {
    cancel(call);
  } else {
    output_error(NULL, SIPTLS_E_EXPIRED, "no final response came to a cancelled call");
    osip_siptls_fail(call->agent->transport, call->invite);
  }
}

static void run_due(struct call* call, int64_t now) {
  if (call->give_up_at <= now) {
    give_up(call);
  } else if (call->hang_up_at <= now) {
    hang_up(call);
  } else if (call->cancel_at <= now) {
    cancel(call);
  } else if (call->answer_at <= now) {
    if (call->state == CALL_PENDING) {
      answer(call);
    } else {
      answer_again(call);
    }
  }
}

static int64_t earlier(int64_t one, int64_t other) { return one < other ? one : other; }

void calls_run_timers(struct agent* agent) {
  const int64_t now = now_ms();
  struct call* next = NULL;
  for (struct call* call = agent->calls; call != NULL; call = next) {
    next = call->next;
    run_due(call, now);
  }
}

int64_t calls_next_time(const struct agent* agent) {
  int64_t soonest = kNever;
  for (const struct call* call = agent->calls; call != NULL; call = call->next) {
    soonest = earlier(soonest, earlier(call->answer_at, call->cancel_at));
    soonest = earlier(soonest, earlier(call->hang_up_at, call->give_up_at));
  }
  return soonest;
}

void calls_register(osip_t* osip) {
  static const int kRefused[] = {OSIP_ICT_STATUS_3XX_RECEIVED, OSIP_ICT_STATUS_4XX_RECEIVED,
                                 OSIP_ICT_STATUS_5XX_RECEIVED, OSIP_ICT_STATUS_6XX_RECEIVED};
  for (size_t i = 0; i < sizeof kRefused / sizeof *kRefused; ++i) {
    osip_set_message_callback(osip, kRefused[i], is_refused);
  }
  osip_set_message_callback(osip, OSIP_ICT_STATUS_1XX_RECEIVED, is_provisional);
  osip_set_message_callback(osip, OSIP_ICT_STATUS_2XX_RECEIVED, is_answered);
  osip_set_message_callback(osip, OSIP_ICT_STATUS_TIMEOUT, has_timed_out);
  osip_set_message_callback(osip, OSIP_IST_INVITE_RECEIVED, is_invited);
  osip_set_message_callback(osip, OSIP_NIST_CANCEL_RECEIVED, is_taken_back);
  osip_set_message_callback(osip, OSIP_NIST_BYE_RECEIVED, is_hung_up);
  osip_set_transport_error_callback(osip, OSIP_ICT_TRANSPORT_ERROR, has_failed);
  osip_set_transport_error_callback(osip, OSIP_IST_TRANSPORT_ERROR, has_failed);
}
