/* What the command line says. */
#ifndef OSIP_SETTINGS_H
#define OSIP_SETTINGS_H

#include <stdint.h>

#include "siptls/siptls.h"

enum { kSuccess = 0, kFailed = 1, kBadUsage = 2, kRun = -1 };
enum { kMaxNames = 16 };

/* What this agent has instead of DNS (RFC 3263 is the host's business). */
struct name {
  char host[256];
  siptls_endpoint address;
};

struct settings {
  char key[1024];
  char chain[1024];
  char trust[1024];
  siptls_endpoint listen;
  char identity[256];      /* empty: the first one of the certificate */
  const char* call;        /* URI, or NULL */
  const char* options;     /* URI, or NULL */
  uint64_t count;          /* of calls or OPTIONS, one after the other */
  siptls_endpoint connect; /* port 0: as the URI says */
  char domain[256];        /* what the peer there must prove */
  struct name names[kMaxNames];
  size_t name_count;
  unsigned reject; /* the status for calls, or 0 */
  /* Milliseconds; -1: never. */
  int64_t ring;
  int64_t cancel_after;
  int64_t hang_up;        /* an own call, after it was answered */
  int64_t hang_up_theirs; /* a call of a peer, after its ACK */
  int64_t timeout;
};

/* kRun, or the exit code. */
int settings_read(struct settings* settings, int argc, char** argv);

#endif
