// What a host does with siptls: mutual TLS between two transports on loopback, through a table of
// its functions, so that it is the same for a plugin and for a linked library.
#ifndef SIPTLS_TESTS_BESIDE_SIPTLS_HALF_H
#define SIPTLS_TESTS_BESIDE_SIPTLS_HALF_H

#include "siptls/siptls_plugin.h"

enum { SIPTLS_CLIENT, SIPTLS_SERVER, SIPTLS_ENDS };

typedef struct siptls_half {
  const siptls_functions* siptls;
  siptls_error* error;
  siptls_trust_store* trust;
  siptls_credentials* credentials[SIPTLS_ENDS];
  siptls_context* context[SIPTLS_ENDS];
  siptls_transport* transport[SIPTLS_ENDS];
  siptls_endpoint address;
  int proven[SIPTLS_ENDS];  // the peer's certificate, when the connection was made
  int messages;             // that the server has got
  int closed[SIPTLS_ENDS];
  int failed;
  char what[1024];  // went wrong
} siptls_half;

// The functions that a host has linked, or a module of it; a host with the plugin links none.
#define LINKED_FUNCTIONS "linked_functions"
extern const siptls_functions* linked_functions(void) __attribute__((weak, visibility("default")));

// Makes everything and leaves a handshake half done: SIPTLS_OK, SIPTLS_E_FOREIGN_TLS_LIBRARY if
// every object was refused for that, or -1. `what` says more.
int siptls_half_begin(siptls_half* half, const siptls_functions* siptls, const char* folder);
// Ends the handshake, sends a message, closes: SIPTLS_OK or -1.
int siptls_half_finish(siptls_half* half);
void siptls_half_free(siptls_half* half);

// Sends a ClientHello to nobody: client_hello_offers_encrypt_then_mac() of it.
int siptls_half_hello(siptls_half* half);

#endif
