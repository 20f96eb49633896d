#include "siptls_half.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client_hello.h"

static const char kRequest[] =
    "OPTIONS sip:server.example SIP/2.0\r\n"
    "Via: SIP/2.0/TLS client.example;branch=z9hG4bK1\r\n"
    "Content-Length: 0\r\n\r\n";

static int wrong(siptls_half* half, const char* what) {
  snprintf(half->what, sizeof half->what, "%s: %s", what, half->siptls->error_message(half->error));
  return -1;
}

// The three nouns of one owner. Counts in `foreign` those that another library made impossible.
static int make_context(siptls_half* half, int which, const char* folder, int* foreign) {
  static const char* const kOwner[SIPTLS_ENDS] = {"client.example", "server.example"};
  const siptls_functions* const s = half->siptls;
  char key[1024], chain[1024], trust[1024];
  siptls_context_config config;
  int reason[3];
  snprintf(key, sizeof key, "%s/%s/privateKey.pem", folder, kOwner[which]);
  snprintf(chain, sizeof chain, "%s/%s/publickey.pem", folder, kOwner[which]);
  snprintf(trust, sizeof trust, "%s/%s/CAList.pem", folder, kOwner[which]);
  s->trust_store_free(half->trust);
  half->trust = NULL;
  reason[0] = s->trust_store_from_pem_file(trust, NULL, &half->trust, half->error);
  if (reason[0] != SIPTLS_OK) wrong(half, "trust store");
  reason[1] = s->credentials_from_pem_files(key, chain, NULL, NULL, SIPTLS_KEY_FILE_WARN,
                                            &half->credentials[which], half->error);
  if (reason[1] != SIPTLS_OK) wrong(half, "credentials");
  s->context_config_init(&config, sizeof config);
  config.trust = half->trust;
  config.credentials = half->credentials[which];
  reason[2] = s->context_new(&config, &half->context[which], half->error);
  if (reason[2] != SIPTLS_OK) wrong(half, "context");
  for (int i = 0; i < 3; ++i) {
    if (reason[i] == SIPTLS_E_FOREIGN_TLS_LIBRARY) {
      ++*foreign;
    } else if (reason[i] != SIPTLS_OK) {
      return -1;
    }
  }
  return SIPTLS_OK;
}

static int open_transports(siptls_half* half) {
  const siptls_functions* const s = half->siptls;
  siptls_listener listener;
  siptls_listen_options listen;
  siptls_target target;
  for (int i = 0; i < SIPTLS_ENDS; ++i) {
    if (s->transport_new(NULL, &half->transport[i], half->error)) return wrong(half, "transport");
  }
  s->listen_options_init(&listen, sizeof listen);
  listen.context = half->context[SIPTLS_SERVER];
  s->endpoint_parse("127.0.0.1:0", 0, &listen.local, NULL);
  siptls_transport* const server = half->transport[SIPTLS_SERVER];
  if (s->transport_listen(server, &listen, &listener, half->error) ||
      s->transport_local_endpoint(server, listener, &half->address, half->error)) {
    return wrong(half, "listen");
  }
  s->target_init(&target, sizeof target);
  target.remotes = &half->address;
  target.remote_count = 1;
  target.domain = "server.example";
  target.context = half->context[SIPTLS_CLIENT];
  if (s->transport_send_to(half->transport[SIPTLS_CLIENT], &target, kRequest, sizeof kRequest - 1,
                           NULL, NULL, half->error)) {
    return wrong(half, "send");
  }
  return SIPTLS_OK;
}

static void handle(siptls_half* half, int which, const siptls_event* event) {
  static const char* const kPeer[SIPTLS_ENDS] = {"server.example", "client.example"};
  const siptls_functions* const s = half->siptls;
  switch (event->kind) {
    case SIPTLS_EVENT_CONNECTED: {
      const siptls_path* const path = s->peer_path(event->peer);
      half->proven[which] = path != NULL && s->path_covers(path, kPeer[which]);
      break;
    }
    case SIPTLS_EVENT_MESSAGE:
      half->messages += which == SIPTLS_SERVER;
      break;
    case SIPTLS_EVENT_CLOSED:
      half->closed[which] = 1;
      half->failed |= event->error != NULL;
      break;
    case SIPTLS_EVENT_CONNECT_FAILED:
    case SIPTLS_EVENT_HANDSHAKE_FAILED:
    case SIPTLS_EVENT_SEND_FAILED:
      half->failed = 1;
      break;
    default:
      break;
  }
  if (half->failed && event->error != NULL) {
    snprintf(half->what, sizeof half->what, "event: %s", s->error_message(event->error));
  }
}

// Waits once, and takes what came.
static int turn(siptls_half* half) {
  struct pollfd wait[SIPTLS_ENDS];
  siptls_event event = {0};
  event.size = sizeof event;
  for (int i = 0; i < SIPTLS_ENDS; ++i) {
    wait[i].fd = half->siptls->transport_fd(half->transport[i]);
    wait[i].events = POLLIN;
  }
  if (poll(wait, SIPTLS_ENDS, 10000) <= 0) return wrong(half, "nothing came in ten seconds");
  for (int i = 0; i < SIPTLS_ENDS; ++i) {
    while (half->siptls->transport_next_event(half->transport[i], &event)) handle(half, i, &event);
  }
  return half->failed ? -1 : SIPTLS_OK;
}

int siptls_half_begin(siptls_half* half, const siptls_functions* siptls, const char* folder) {
  int foreign = 0;
  memset(half, 0, sizeof *half);
  half->siptls = siptls;
  half->error = siptls->error_new();
  if (half->error == NULL) return -1;
  for (int i = 0; i < SIPTLS_ENDS; ++i) {
    if (make_context(half, i, folder, &foreign) != SIPTLS_OK) return -1;
  }
  // Either all say it or none.
  if (foreign == 3 * SIPTLS_ENDS) return SIPTLS_E_FOREIGN_TLS_LIBRARY;
  if (foreign != 0 || open_transports(half) != SIPTLS_OK) return -1;
  return turn(half);
}

int siptls_half_finish(siptls_half* half) {
  while (half->messages == 0) {
    if (turn(half) != SIPTLS_OK) return -1;
  }
  if (!half->proven[SIPTLS_CLIENT] || !half->proven[SIPTLS_SERVER]) {
    return wrong(half, "the handshake was not mutual");
  }
  half->siptls->transport_close_all(half->transport[SIPTLS_CLIENT]);
  while (!half->closed[SIPTLS_CLIENT] || !half->closed[SIPTLS_SERVER]) {
    if (turn(half) != SIPTLS_OK) return -1;
  }
  return SIPTLS_OK;
}

void siptls_half_free(siptls_half* half) {
  const siptls_functions* const s = half->siptls;
  for (int i = 0; i < SIPTLS_ENDS; ++i) {
    s->transport_free(half->transport[i]);
    s->context_free(half->context[i]);
    s->credentials_free(half->credentials[i]);
  }
  s->trust_store_free(half->trust);
  s->error_free(half->error);
}

// Reads one record from the first connection to `listener`.
static size_t read_record(siptls_half* half, int listener, unsigned char* record, size_t room) {
  siptls_event event = {0};
  size_t size = 0;
  event.size = sizeof event;
  half->siptls->transport_next_event(half->transport[SIPTLS_CLIENT], &event);
  const int socket = accept(listener, NULL, NULL);
  if (socket < 0) return 0;
  while (size < 5 || size < client_hello_size(record)) {
    struct pollfd wait = {socket, POLLIN, 0};
    while (half->siptls->transport_next_event(half->transport[SIPTLS_CLIENT], &event)) {
    }
    // Connecting and writing may take it a few turns.
    if (poll(&wait, 1, 10) > 0) {
      const ssize_t got = read(socket, record + size, room - size);
      if (got <= 0) break;
      size += (size_t)got;
    }
  }
  close(socket);
  return size;
}

int siptls_half_hello(siptls_half* half) {
  unsigned char record[4096];
  struct sockaddr_in address = {0};
  socklen_t length = sizeof address;
  siptls_connection connection;
  siptls_endpoint remote;
  siptls_target target;
  int offered = -1;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (listener < 0 || bind(listener, (struct sockaddr*)&address, length) != 0 ||
      listen(listener, 1) != 0 || getsockname(listener, (struct sockaddr*)&address, &length) != 0) {
    return -1;
  }
  half->siptls->endpoint_parse("127.0.0.1", ntohs(address.sin_port), &remote, NULL);
  half->siptls->target_init(&target, sizeof target);
  target.remotes = &remote;
  target.remote_count = 1;
  target.domain = "server.example";
  target.context = half->context[SIPTLS_CLIENT];
  if (half->siptls->transport_connect(half->transport[SIPTLS_CLIENT], &target, &connection,
                                      half->error) == SIPTLS_OK) {
    const size_t size = read_record(half, listener, record, sizeof record);
    offered = client_hello_offers_encrypt_then_mac(record, size);
  }
  close(listener);
  return offered;
}
