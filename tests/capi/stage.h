// Two hosts on loopback, a server and a client, each with a transport that poll() drives, as a C
// program would; and what they have seen.
#ifndef SIPTLS_TESTS_CAPI_STAGE_H
#define SIPTLS_TESTS_CAPI_STAGE_H

#include "check.h"
#include "pki.h"

enum { EVENT_KINDS = SIPTLS_EVENT_WARNING + 1, TEXT_ROOM = 4096 };

struct host {
  siptls_transport* transport;
  siptls_listener listener;
  siptls_endpoint address;  // of the listener
  // Called with each event while it is held.
  void (*on_event)(struct host* host, const siptls_event* event);
  uint64_t seen[EVENT_KINDS];
  // The last event of each kind. Its pointers are not to be followed any more.
  siptls_event last[EVENT_KINDS];
  int reason[EVENT_KINDS];   // of its error
  char message[TEXT_ROOM];   // the last one that came
  char evidence[TEXT_ROOM];  // of the last error
  uint64_t answered;         // requests that were answered with 200
};

struct stage {
  struct host server, client;
  siptls_context* alpha;  // the server's
  siptls_context* beta;   // the client's
  siptls_connection to_server, to_client;
  int64_t give_up;
};

siptls_credentials* make_credentials(enum pki_owner owner);
siptls_trust_store* make_trust(void);
// `change` may be NULL; it is given what would be used.
typedef void (*change_config)(siptls_context_config* config, siptls_policy* policy);
siptls_context* make_context(enum pki_owner owner, change_config change);

// `options` may be NULL.
void host_open(struct host* host, const siptls_transport_options* options);
void host_listen(struct host* host, const siptls_context* context);
void host_close(struct host* host);
// Takes all events that are there; 1 if there were any.
int host_take(struct host* host);
// A host's on_event that answers each request on its connection.
void answer(struct host* host, const siptls_event* event);

// Transports, contexts of alpha.example and beta.example, and a listener. The options may be NULL.
void stage_open(struct stage* stage, const siptls_transport_options* server,
                const siptls_transport_options* client);
// A target with one remote, which is the server's listener unless another host is given.
siptls_target target_of(const struct stage* stage);
// Opens a connection and waits until both sides have it.
void stage_connect(struct stage* stage);
void stage_close(struct stage* stage);

// Lets the hosts run once; `what` fails the test when that has gone on for ten seconds.
void stage_begin(struct stage* stage);
void stage_turn(struct stage* stage, const char* what);
// Until nothing happens any more.
void stage_settle(struct stage* stage);
#define RUN_UNTIL(stage, condition)    \
  do {                                 \
    stage_begin(stage);                \
    while (!(condition)) {             \
      stage_turn((stage), #condition); \
    }                                  \
  } while (0)

// A clock that moves when it is told to.
struct manual_clock {
  siptls_clock_source source;
  siptls_now now;
};
void manual_clock_init(struct manual_clock* clock);
void manual_clock_advance(struct manual_clock* clock, int64_t milliseconds);

// An OPTIONS request with that number; static, until the next call.
const char* options_request(unsigned number);
// Writes a 200 to it. Gives its length.
size_t ok_response(const siptls_message* request, char* text, size_t room);

#endif
