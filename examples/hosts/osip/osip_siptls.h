/* SIP over TLS for GNU oSIP, which has transactions and a parser and leaves the transport to its
 * host. This is all that stands between the two: requests and responses of oSIP's transactions go
 * out through siptls, messages that siptls brings become events of oSIP, and what fails on a
 * connection ends the transactions that it concerns.
 */
#ifndef OSIP_SIPTLS_H
#define OSIP_SIPTLS_H

/* What oSIP's headers take for granted comes before them. */
/* clang-format off */
#include <sys/time.h>
#include <time.h>
#include <osip2/osip_dialog.h>
/* clang-format on */

#include "siptls/siptls.h"

/* Where messages of a transaction or dialog go. */
typedef struct osip_siptls_route {
  /* That the request came or went on; its responses go there. */
  siptls_connection connection;
  /* Where a request goes; or a response, if the connection of its request is gone. */
  siptls_endpoint remote;
  /* What the peer there must prove: the domain of the URI that was resolved, or the sent-by host.
   */
  char domain[256];
} osip_siptls_route;

typedef struct osip_siptls osip_siptls;

/* What the host is told, apart from oSIP's own callbacks. None may be NULL. */
typedef struct osip_siptls_handlers {
  /* A message that belongs to no transaction: an ACK, or a response again. */
  void (*outside)(void* host, osip_message_t* message);
  /* Every event of the transport, before its consequences. */
  void (*event)(void* host, siptls_transport* transport, const siptls_event* event);
  /* A message that could not be sent at all, or that oSIP cannot read. */
  void (*refused)(void* host, int reason, const char* evidence);
} osip_siptls_handlers;

/* Makes a transport that listens on `local` and opens connections with the same context. All
 * transactions of `osip` belong to it from then on. */
int osip_siptls_new(osip_t* osip, const siptls_context* context, const siptls_endpoint* local,
                    const osip_siptls_handlers* handlers, void* host, osip_siptls** transport,
                    siptls_error* error);
/* Frees the transport and every transaction that is left. */
void osip_siptls_free(osip_siptls* self);

void* osip_siptls_host(const osip_siptls* self);
/* For the host's own calls: the descriptor, to end connections. */
siptls_transport* osip_siptls_transport(const osip_siptls* self);
/* What it listens on, with the port that was picked. */
const siptls_endpoint* osip_siptls_local(const osip_siptls* self);
void osip_siptls_stop_listening(osip_siptls* self);

/* Begins a client transaction. Takes the request in any case; NULL if there is no memory. It goes
 * out, or fails, in the next osip_siptls_work(). */
osip_transaction_t* osip_siptls_request(osip_siptls* self, osip_message_t* request,
                                        const osip_siptls_route* route, void* instance);
/* Gives a server transaction its response, which it takes; without memory, none. */
void osip_siptls_respond(osip_siptls* self, osip_transaction_t* transaction,
                         osip_message_t* response);
/* Sends outside of transactions: an ACK for 2xx, or a 2xx again (RFC 3261 section 13). */
int osip_siptls_send(osip_siptls* self, osip_message_t* message, osip_siptls_route* route);
/* Of a transaction of this transport. */
const osip_siptls_route* osip_siptls_route_of(osip_transaction_t* transaction);
/* Ends a transaction as if its transport had failed. */
void osip_siptls_fail(osip_siptls* self, osip_transaction_t* transaction);

/* Handles what has happened: to be called when the descriptor is readable, and after `timeout`
 * milliseconds at the latest, which it returns. */
int osip_siptls_work(osip_siptls* self);
/* Transactions that have not ended. */
size_t osip_siptls_transaction_count(const osip_siptls* self);

#endif
