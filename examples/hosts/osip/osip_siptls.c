#include "osip_siptls.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Events that are taken before the host's loop gets its turn again. */
enum { kEventsAtOnce = 1000 };

struct osip_siptls {
  osip_t* osip;
  siptls_transport* transport;
  siptls_error* error;
  siptls_listener listener;
  siptls_endpoint local;
  osip_siptls_handlers handlers;
  void* host;
  osip_list_t ended; /* transactions that oSIP is done with, until nothing points to them */
  int pending;       /* events were added to transactions and wait to be executed */
};

/* What is known of each transaction; its oSIP transaction points to it. */
struct flow {
  osip_siptls_route route;
  siptls_token token; /* of what was sent last */
  int has_ended;
};

enum { kKinds = 4 };

/* oSIP numbers its kinds, their callbacks and these lists alike: ICT, IST, NICT, NIST. */
static osip_list_t* transactions(osip_t* osip, int kind) {
  osip_list_t* const lists[kKinds] = {&osip->osip_ict_transactions, &osip->osip_ist_transactions,
                                      &osip->osip_nict_transactions, &osip->osip_nist_transactions};
  return lists[kind];
}

static osip_siptls* of(const osip_transaction_t* transaction) {
  return osip_get_application_context((osip_t*)transaction->config);
}

static struct flow* flow_of(osip_transaction_t* transaction) {
  return osip_transaction_get_reserved2(transaction);
}

static int refuse(const osip_siptls* self, int reason) {
  self->handlers.refused(self->host, reason, siptls_error_evidence(self->error));
  return reason;
}

/* --- Out ------------------------------------------------------------------------------------- */

/* A request on a connection to its target; a response on the connection of its request, or on one
 * to where its Via points if that has ended (RFC 3261 section 18.2.2). */
static int send_text(osip_siptls* self, int is_request, const char* text, size_t size,
                     osip_siptls_route* route, siptls_token* token) {
  if (is_request) {
    siptls_target target;
    siptls_target_init(&target, sizeof target);
    target.remotes = &route->remote;
    target.remote_count = 1;
    target.domain = route->domain;
    const int reason =
        siptls_transport_connect(self->transport, &target, &route->connection, self->error);
    if (reason != SIPTLS_OK) return reason;
    return siptls_transport_send(self->transport, route->connection, text, size, NULL, token,
                                 self->error);
  }
  siptls_fallback fallback;
  siptls_fallback_init(&fallback, sizeof fallback);
  fallback.remotes = &route->remote;
  fallback.remote_count = route->remote.port != 0;
  fallback.sent_by = route->domain;
  return siptls_transport_respond(self->transport, route->connection, text, size, &fallback, NULL,
                                  token, self->error);
}

static int send_message(osip_siptls* self, osip_message_t* message, osip_siptls_route* route,
                        siptls_token* token) {
  if (MSG_IS_REQUEST(message)) {
    /* oSIP makes the ACK of a failed INVITE without it (RFC 3261 section 8.1.1). */
    osip_header_t* max_forwards = NULL;
    osip_message_get_max_forwards(message, 0, &max_forwards);
    if (max_forwards == NULL) osip_message_set_max_forwards(message, "70");
  }
  char* text = NULL;
  size_t size = 0;
  osip_message_force_update(message);
  if (osip_message_to_str(message, &text, &size) != OSIP_SUCCESS) {
    self->handlers.refused(self->host, SIPTLS_E_OUT_OF_MEMORY, "a message cannot be written");
    return SIPTLS_E_OUT_OF_MEMORY;
  }
  const int reason = send_text(self, MSG_IS_REQUEST(message), text, size, route, token);
  osip_free(text);
  return reason == SIPTLS_OK ? SIPTLS_OK : refuse(self, reason);
}

/* oSIP's callback. Host and port are what oSIP thinks of the next hop, with 5060 where none is
 * named; over TLS the route tells. Returning 0 tells a transaction over TLS that its message is on
 * its way, so that it starts no timer to send it again. */
// NOLINTBEGIN(readability-non-const-parameter): the type is oSIP's
static int send_for_transaction(osip_transaction_t* transaction, osip_message_t* message,
                                char* host, int port, int socket) {
  // NOLINTEND(readability-non-const-parameter)
  (void)host;
  (void)port;
  (void)socket;
  if (transaction == NULL) return OSIP_BADPARAMETER; /* for retransmissions that we do not use */
  struct flow* const flow = flow_of(transaction);
  if (flow == NULL) return OSIP_UNDEFINED_ERROR;
  return send_message(of(transaction), message, &flow->route, &flow->token) == SIPTLS_OK
             ? OSIP_SUCCESS
             : OSIP_UNDEFINED_ERROR;
}

int osip_siptls_send(osip_siptls* self, osip_message_t* message, osip_siptls_route* route) {
  return send_message(self, message, route, NULL);
}

/* --- Transactions ---------------------------------------------------------------------------- */

static int attach(osip_transaction_t* transaction, const osip_siptls_route* route) {
  struct flow* const flow = calloc(1, sizeof *flow);
  if (flow == NULL) return OSIP_NOMEM;
  flow->route = *route;
  osip_transaction_set_reserved2(transaction, flow);
  return OSIP_SUCCESS;
}

static void free_transaction(osip_transaction_t* transaction) {
  free(flow_of(transaction));
  osip_transaction_free2(transaction);
}

/* Called in the midst of oSIP's work, which goes on to use the transaction. */
static void transaction_ended(int kind, osip_transaction_t* transaction) {
  (void)kind;
  osip_siptls* const self = of(transaction);
  struct flow* const flow = flow_of(transaction);
  if (flow->has_ended) return; /* more of its events were waiting */
  flow->has_ended = 1;
  osip_remove_transaction(self->osip, transaction);
  osip_list_add(&self->ended, transaction, -1);
}

static void add_event(osip_siptls* self, osip_transaction_t* transaction, osip_event_t* event) {
  osip_transaction_add_event(transaction, event);
  self->pending = 1;
}

osip_transaction_t* osip_siptls_request(osip_siptls* self, osip_message_t* request,
                                        const osip_siptls_route* route, void* instance) {
  osip_transaction_t* transaction = NULL;
  osip_event_t* const event = osip_new_outgoing_sipmessage(request);
  if (event == NULL) {
    osip_message_free(request);
    return NULL;
  }
  if (osip_transaction_init(&transaction, MSG_IS_INVITE(request) ? ICT : NICT, self->osip,
                            request) != OSIP_SUCCESS) {
    osip_event_free(event);
    return NULL;
  }
  if (attach(transaction, route) != OSIP_SUCCESS) {
    osip_transaction_free(transaction);
    osip_event_free(event);
    return NULL;
  }
  osip_transaction_set_your_instance(transaction, instance);
  add_event(self, transaction, event);
  return transaction;
}

void osip_siptls_respond(osip_siptls* self, osip_transaction_t* transaction,
                         osip_message_t* response) {
  osip_event_t* const event = osip_new_outgoing_sipmessage(response);
  if (event == NULL) {
    osip_message_free(response);
  } else {
    add_event(self, transaction, event);
  }
}

const osip_siptls_route* osip_siptls_route_of(osip_transaction_t* transaction) {
  return &flow_of(transaction)->route;
}

/* What oSIP does itself when its callback reports an error; it has no function for an error that
 * comes later. */
void osip_siptls_fail(osip_siptls* self, osip_transaction_t* transaction) {
  static const state_t kTerminated[kKinds] = {ICT_TERMINATED, IST_TERMINATED, NICT_TERMINATED,
                                              NIST_TERMINATED};
  const int kind = (int)transaction->ctx_type;
  const osip_transport_error_cb_t failed = self->osip->tp_error_callbacks[kind];
  if (failed != NULL) failed(kind, transaction, OSIP_UNDEFINED_ERROR);
  transaction->state = kTerminated[kind];
  transaction_ended(kind, transaction);
}

size_t osip_siptls_transaction_count(const osip_siptls* self) {
  size_t count = 0;
  for (int kind = 0; kind < kKinds; ++kind) {
    const int size = osip_list_size(transactions(self->osip, kind));
    if (size > 0) count += (size_t)size;
  }
  return count;
}

/* --- In -------------------------------------------------------------------------------------- */

/* A tag without a value: oSIP compares it all the same. */
static int is_tag_empty(osip_from_t* from_or_to) {
  osip_generic_param_t* tag = NULL;
  osip_from_get_tag(from_or_to, &tag);
  return tag != NULL && tag->gvalue == NULL;
}

/* oSIP reads messages without these, and then takes them for granted. */
static int is_whole(const osip_message_t* message) {
  const osip_via_t* const via = osip_list_get(&message->vias, 0);
  return via != NULL && via->host != NULL && message->from != NULL && message->from->url != NULL &&
         message->to != NULL && message->to->url != NULL && !is_tag_empty(message->from) &&
         !is_tag_empty(message->to) && message->call_id != NULL &&
         message->call_id->number != NULL && message->cseq != NULL &&
         message->cseq->number != NULL && message->cseq->method != NULL;
}

/* Where responses go if the connection of `request` ends: to the address that it came from, at the
 * port of its sent-by. */
static osip_siptls_route route_back(const siptls_event* event) {
  osip_siptls_route route;
  memset(&route, 0, sizeof route);
  route.connection = event->connection;
  siptls_via via = {.size = sizeof via};
  if (siptls_message_top_via(event->message, &via) && via.host.size < sizeof route.domain) {
    route.remote = event->remote;
    route.remote.port = via.port != 0 ? (uint16_t)via.port : SIPTLS_DEFAULT_PORT;
    memcpy(route.domain, via.host.data, via.host.size);
  }
  return route;
}

/* RFC 3261 section 18.2.1: `received`, unless the sent-by host is the address that it is from. */
static void fix_via(osip_message_t* request, const siptls_endpoint* remote) {
  char text[INET6_ADDRSTRLEN];
  if (inet_ntop(remote->family == 6 ? AF_INET6 : AF_INET, remote->address, text, sizeof text)) {
    osip_message_fix_last_via_header(request, text, remote->port);
  }
}

static void begin_server_transaction(osip_siptls* self, osip_event_t* parsed,
                                     const siptls_event* event) {
  osip_transaction_t* const transaction = osip_create_transaction(self->osip, parsed);
  const osip_siptls_route route = route_back(event);
  if (transaction == NULL) {
    self->handlers.refused(self->host, SIPTLS_E_INVALID_HEADER, "the CSeq is not the request's");
    osip_event_free(parsed);
  } else if (attach(transaction, &route) != OSIP_SUCCESS) {
    osip_transaction_free(transaction);
    osip_event_free(parsed);
  } else {
    add_event(self, transaction, parsed);
  }
}

static void take_message(osip_siptls* self, const siptls_event* event) {
  const siptls_octets bytes = siptls_message_bytes(event->message);
  osip_event_t* const parsed = osip_parse(bytes.data, bytes.size);
  if (parsed == NULL || !is_whole(parsed->sip)) {
    self->handlers.refused(self->host, SIPTLS_E_INVALID_HEADER, "oSIP cannot read a message");
    osip_event_free(parsed);
    return;
  }
  if (MSG_IS_REQUEST(parsed->sip)) {
    fix_via(parsed->sip, &event->remote);
    /* Refused unless the peer asks for it and has proven who it is (RFC 5923). */
    siptls_transport_accept_alias(self->transport, event->connection, event->message, NULL);
  }
  if (osip_find_transaction_and_add_event(self->osip, parsed) == OSIP_SUCCESS) {
    self->pending = 1;
  } else if (MSG_IS_RESPONSE(parsed->sip) || MSG_IS_ACK(parsed->sip)) {
    self->handlers.outside(self->host, parsed->sip);
    osip_event_free(parsed);
  } else {
    begin_server_transaction(self, parsed, event);
  }
}

/* Does it wait for a response? */
static int is_waiting(const osip_transaction_t* transaction) {
  return transaction->state == ICT_CALLING || transaction->state == ICT_PROCEEDING ||
         transaction->state == NICT_TRYING || transaction->state == NICT_PROCEEDING;
}

static int concerns(const siptls_event* event, osip_transaction_t* transaction) {
  const struct flow* const flow = flow_of(transaction);
  if (flow == NULL || flow->token == 0) return 0;
  if (event->kind == SIPTLS_EVENT_SEND_FAILED) return flow->token == event->token;
  return flow->route.connection == event->connection && is_waiting(transaction);
}

static osip_transaction_t* find_concerned(const osip_siptls* self, const siptls_event* event) {
  for (int kind = 0; kind < kKinds; ++kind) {
    osip_list_t* const list = transactions(self->osip, kind);
    for (int i = 0; !osip_list_eol(list, i); ++i) {
      osip_transaction_t* const transaction = osip_list_get(list, i);
      if (concerns(event, transaction)) return transaction;
    }
  }
  return NULL;
}

/* What was not sent fails its transaction. So does the end of a connection that a request waits on,
 * unless it was orderly: then its response may come on another one (RFC 3261 section 18.2.2), and
 * the transaction's own timer judges. */
static void take_end(osip_siptls* self, const siptls_event* event) {
  osip_transaction_t* transaction = NULL;
  if (event->kind == SIPTLS_EVENT_CLOSED && event->error == NULL) return;
  while ((transaction = find_concerned(self, event)) != NULL) osip_siptls_fail(self, transaction);
}

static void take(osip_siptls* self, const siptls_event* event) {
  self->handlers.event(self->host, self->transport, event);
  switch (event->kind) {
    case SIPTLS_EVENT_MESSAGE:
      take_message(self, event);
      break;
    case SIPTLS_EVENT_SEND_FAILED:
    case SIPTLS_EVENT_CONNECT_FAILED:
    case SIPTLS_EVENT_HANDSHAKE_FAILED:
    case SIPTLS_EVENT_CLOSED:
      take_end(self, event);
      break;
    default:
      break;
  }
}

/* --- The loop's turn ------------------------------------------------------------------------- */

/* Executing one transaction may give another one something to do. */
static void execute(osip_siptls* self) {
  do {
    self->pending = 0;
    osip_ict_execute(self->osip);
    osip_ist_execute(self->osip);
    osip_nict_execute(self->osip);
    osip_nist_execute(self->osip);
  } while (self->pending);
  while (!osip_list_eol(&self->ended, 0)) {
    osip_transaction_t* const transaction = osip_list_get(&self->ended, 0);
    osip_list_remove(&self->ended, 0);
    free_transaction(transaction);
  }
}

int osip_siptls_work(osip_siptls* self) {
  siptls_event event = {.size = sizeof event};
  execute(self); /* what the host has begun */
  for (int i = 0; i < kEventsAtOnce && siptls_transport_next_event(self->transport, &event); ++i) {
    take(self, &event);
    execute(self); /* in the order of the messages */
  }
  siptls_transport_flush(self->transport);
  osip_timers_ict_execute(self->osip);
  osip_timers_ist_execute(self->osip);
  osip_timers_nict_execute(self->osip);
  osip_timers_nist_execute(self->osip);
  execute(self);
  struct timeval left;
  osip_timers_gettimeout(self->osip, &left);
  if (left.tv_sec > INT_MAX / 1000 - 1) return INT_MAX;
  return (int)(left.tv_sec * 1000 + (left.tv_usec + 999) / 1000);
}

/* --- Life ------------------------------------------------------------------------------------ */

static int open_transport(osip_siptls* self, const siptls_context* context,
                          const siptls_endpoint* local, siptls_error* error) {
  siptls_transport_options options;
  siptls_transport_options_init(&options, sizeof options);
  options.outgoing = context;
  int reason = siptls_transport_new(&options, &self->transport, error);
  if (reason != SIPTLS_OK) return reason;
  siptls_listen_options listen_options;
  siptls_listen_options_init(&listen_options, sizeof listen_options);
  listen_options.local = *local;
  listen_options.context = context;
  reason = siptls_transport_listen(self->transport, &listen_options, &self->listener, error);
  if (reason != SIPTLS_OK) return reason;
  return siptls_transport_local_endpoint(self->transport, self->listener, &self->local, error);
}

int osip_siptls_new(osip_t* osip, const siptls_context* context, const siptls_endpoint* local,
                    const osip_siptls_handlers* handlers, void* host, osip_siptls** transport,
                    siptls_error* error) {
  osip_siptls* const self = calloc(1, sizeof *self);
  if (self == NULL) return SIPTLS_E_OUT_OF_MEMORY;
  self->osip = osip;
  self->handlers = *handlers;
  self->host = host;
  self->error = siptls_error_new();
  osip_list_init(&self->ended);
  const int reason = open_transport(self, context, local, error);
  if (reason != SIPTLS_OK) {
    osip_siptls_free(self);
    return reason;
  }
  osip_set_application_context(osip, self);
  osip_set_cb_send_message(osip, send_for_transaction);
  for (int kind = 0; kind < OSIP_KILL_CALLBACK_COUNT; ++kind) {
    osip_set_kill_transaction_callback(osip, kind, transaction_ended);
  }
  *transport = self;
  return SIPTLS_OK;
}

void osip_siptls_free(osip_siptls* self) {
  if (self == NULL) return;
  for (int kind = 0; kind < kKinds; ++kind) {
    osip_list_t* const list = transactions(self->osip, kind);
    while (!osip_list_eol(list, 0)) transaction_ended(kind, osip_list_get(list, 0));
  }
  while (!osip_list_eol(&self->ended, 0)) {
    osip_transaction_t* const transaction = osip_list_get(&self->ended, 0);
    osip_list_remove(&self->ended, 0);
    free_transaction(transaction);
  }
  siptls_transport_free(self->transport);
  siptls_error_free(self->error);
  free(self);
}

void* osip_siptls_host(const osip_siptls* self) { return self->host; }
siptls_transport* osip_siptls_transport(const osip_siptls* self) { return self->transport; }
const siptls_endpoint* osip_siptls_local(const osip_siptls* self) { return &self->local; }

void osip_siptls_stop_listening(osip_siptls* self) {
  siptls_transport_stop_listening(self->transport, self->listener, NULL);
}
