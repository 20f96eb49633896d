/* The agent: what it was asked to do, and the calls that it has. */
#ifndef OSIP_AGENT_H
#define OSIP_AGENT_H

#include <stdint.h>

#include "message.h"

enum call_state {
  CALL_PENDING, /* invited, without a final response */
  CALL_UP,
  CALL_ENDING /* BYE is on its way */
};

struct call {
  struct call* next;
  struct agent* agent;
  enum call_state state;
  int is_ours; /* this agent called */
  char* id;
  osip_transaction_t* invite; /* until its final response */
  osip_transaction_t* bye;
  osip_dialog_t* dialog; /* of an own call: when it is answered */
  /* An own call. */
  int is_ringing;
  int is_cancelled;
  osip_message_t* ack; /* sent again for every 2xx (RFC 3261 section 13.2.2.4) */
  osip_siptls_route ack_route;
  /* A call of the peer. */
  osip_message_t* answer; /* the 2xx, until its ACK has come */
  osip_siptls_route answer_route;
  int64_t answer_interval;
  /* When something is to be done, in milliseconds; kNever: nothing. */
  int64_t answer_at; /* the first 2xx, or the next one */
  int64_t cancel_at;
  int64_t hang_up_at;
  int64_t give_up_at;
};

#define kNever INT64_MAX

struct agent {
  struct settings settings;
  struct self self;
  siptls_context* context;
  osip_t* osip;
  osip_siptls* transport;
  struct call* calls;
  uint64_t begun; /* own calls and requests */
  uint64_t asked; /* OPTIONS without a final response */
  int failed;
  int stopping;
  int closing;     /* its connections; the last that it does */
  int64_t stop_at; /* whatever is open then is left */
};

/* Milliseconds of the steady clock. */
int64_t now_ms(void);

/* calls.c: what happens to calls. */
int call_begin(struct agent* agent, const char* uri);
void calls_register(osip_t* osip);
/* For messages of no transaction: the ACK of a 2xx, and a 2xx again. */
void calls_take_outside(struct agent* agent, osip_message_t* message);
/* Does what is due. */
void calls_run_timers(struct agent* agent);
/* When something is due next. */
int64_t calls_next_time(const struct agent* agent);
void calls_hang_up(struct agent* agent);
void calls_free(struct agent* agent);
/* A BYE has got its final response, or (NULL) will get none. */
void bye_finished(osip_transaction_t* transaction, const osip_message_t* response);

/* requests.c: requests outside of calls, and what answers share. */
int options_begin(struct agent* agent, const char* uri);
void requests_register(osip_t* osip);
struct agent* agent_of(osip_transaction_t* transaction);
void respond(struct agent* agent, osip_transaction_t* transaction, int status, const char* tag);
/* The status for what no user agent can serve (RFC 3261 section 8.2), or 0. */
int judge_request(const struct agent* agent, osip_message_t* request);
/* A request that cannot be made (NULL), or to a host that has no address. */
void report_unreachable(const osip_message_t* request);
void report_message(const char* event, const osip_message_t* message);

#endif
