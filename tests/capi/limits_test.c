// What a transport takes on, how long it waits, and what listeners are told.
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stage.h"
#include "tests.h"

static siptls_transport_options with_limits(siptls_transport_limits* limits) {
  siptls_transport_limits_init(limits, sizeof *limits);
  siptls_transport_options options;
  siptls_transport_options_init(&options, sizeof options);
  options.limits = limits;
  return options;
}

static void a_doubtful_clock_is_told(void) {
  struct stage stage;
  struct manual_clock clock;
  manual_clock_init(&clock);
  siptls_transport_options options;
  siptls_transport_options_init(&options, sizeof options);
  options.clock = &clock.source;
  stage_open(&stage, &options, NULL);
  stage_settle(&stage);
  CHECK_NUMBER(stage.server.seen[SIPTLS_EVENT_WARNING], 0);
  clock.now.standing = SIPTLS_CLOCK_UNSYNCHRONISED;
  stage_connect(&stage);
  CHECK_NUMBER(stage.server.seen[SIPTLS_EVENT_WARNING], 1);
  CHECK_NUMBER(stage.server.reason[SIPTLS_EVENT_WARNING], SIPTLS_E_CLOCK_NOT_TRUSTED);
  CHECK_NUMBER(stage.server.last[SIPTLS_EVENT_WARNING].connection, 0);
  stage_close(&stage);
}

static void the_defaults_are_told(void) {
  siptls_transport_limits limits;
  (void)with_limits(&limits);
  CHECK_NUMBER(limits.max_connections, 20000);
  CHECK_NUMBER(limits.max_connections_per_address, 10000);
  CHECK_NUMBER(limits.max_handshakes, 1024);
  CHECK_NUMBER(limits.max_handshakes_per_address, 512);
  CHECK_NUMBER(limits.accept_rate.per_second, 1000);
  CHECK_NUMBER(limits.accept_rate.burst, 1000);
  CHECK_NUMBER(limits.accept_rate_per_address.per_second, 100);
  CHECK_NUMBER(limits.accept_rate_per_address.burst, 100);
  CHECK_NUMBER(limits.connect_timeout, 5000);
  CHECK_NUMBER(limits.handshake_timeout, 10000);
  CHECK_NUMBER(limits.first_message_timeout, 150000);
  CHECK_NUMBER(limits.idle_timeout, 600000);
  CHECK_NUMBER(limits.message_timeout, 20000);
  CHECK_NUMBER(limits.write_timeout, 32000);
  CHECK_NUMBER(limits.close_timeout, 2000);
  CHECK_NUMBER(limits.max_queued_bytes, 1024 * 1024);
  CHECK_NUMBER(limits.max_queued_messages, 1024);
  CHECK_NUMBER(limits.max_buffered_bytes, 256 * 1024 * 1024);
  CHECK_NUMBER(limits.ping_rate.per_second, 10);
  CHECK_NUMBER(limits.ping_rate.burst, 100);
  CHECK(limits.framer == NULL);
  siptls_transport_options options;
  memset(&options, 0x5a, sizeof options);
  siptls_transport_options_init(&options, sizeof options);
  CHECK(options.clock == NULL && options.log == NULL && options.outgoing == NULL);
  CHECK_NUMBER(options.unframed_request, SIPTLS_UNFRAMED_ANSWER);
  options.unframed_request = SIPTLS_UNFRAMED_CLOSE + 1;
  siptls_transport* none = NULL;
  CHECK_REASON(siptls_transport_new(&options, &none, why), SIPTLS_E_INVALID_ARGUMENT);
  siptls_listen_options listen;
  memset(&listen, 0x5a, sizeof listen);
  siptls_listen_options_init(&listen, sizeof listen);
  CHECK(listen.context == NULL && listen.proxy_sources == NULL && listen.ticket_scope == NULL);
  CHECK_NUMBER(listen.may_come_later + listen.share_port + listen.dual + listen.proxy, 0);
}

static void connections_are_limited(void) {
  struct stage stage;
  siptls_transport_limits limits;
  siptls_transport_options options = with_limits(&limits);
  limits.max_connections = 1;
  stage_open(&stage, &options, &options);
  stage_connect(&stage);
  siptls_target target = target_of(&stage);
  target.domain = "gamma.example";
  siptls_connection none = 0;
  CHECK_REASON(siptls_transport_connect(stage.client.transport, &target, &none, why),
               SIPTLS_E_TOO_MANY_CONNECTIONS);
  CHECK_NUMBER(none, 0);
  RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_LISTENER_PAUSED] == 1);
  CHECK_NUMBER(stage.server.reason[SIPTLS_EVENT_LISTENER_PAUSED], SIPTLS_E_TOO_MANY_CONNECTIONS);
  CHECK_NUMBER(stage.server.last[SIPTLS_EVENT_LISTENER_PAUSED].listener, stage.server.listener);
  CHECK_OK(siptls_transport_close(stage.client.transport, stage.to_server, why));
  RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_LISTENER_RESUMED] == 1);
  CHECK_NUMBER(stage.server.last[SIPTLS_EVENT_LISTENER_RESUMED].listener, stage.server.listener);
  stage_close(&stage);
}

static void a_full_queue_says_so_and_when_it_is_not(void) {
  struct stage stage;
  siptls_transport_limits limits;
  siptls_transport_options options = with_limits(&limits);
  limits.max_queued_messages = 2;
  limits.max_queued_bytes = 2000;
  stage_open(&stage, NULL, &options);
  const siptls_target target = target_of(&stage);
  const char* const request = options_request(1);
  for (int i = 0; i < 3; ++i) {
    CHECK_REASON(siptls_transport_send_to(stage.client.transport, &target, request, strlen(request),
                                          NULL, NULL, why),
                 i < 2 ? SIPTLS_OK : SIPTLS_E_QUEUE_FULL);
  }
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_WRITABLE] == 1 &&
                        stage.server.seen[SIPTLS_EVENT_MESSAGE] == 2);
  char large[3000];
  memset(large, 'x', sizeof large);
  CHECK_REASON(siptls_transport_send_to(stage.client.transport, &target, large, sizeof large, NULL,
                                        NULL, why),
               SIPTLS_E_MESSAGE_TOO_LARGE);
  stage_close(&stage);
}

static void a_part_that_was_written_is_told(void) {
  enum { SIZE = 16 * 1024 * 1024 };  // more than the kernel takes
  struct stage stage;
  siptls_transport_limits limits;
  siptls_transport_options options = with_limits(&limits);
  limits.max_queued_bytes = SIZE;
  stage_open(&stage, NULL, &options);
  stage_connect(&stage);
  CHECK_OK(siptls_transport_pause(stage.server.transport, stage.to_client, why));
  char* const large = calloc(1, SIZE);
  REQUIRE(large != NULL);
  siptls_token token = 0;
  CHECK_OK(siptls_transport_send(stage.client.transport, stage.to_server, large, SIZE, NULL, &token,
                                 why));
  free(large);
  stage_settle(&stage);
  CHECK_OK(siptls_transport_abort(stage.client.transport, stage.to_server, why));
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_CLOSED] == 1);
  const siptls_event* const failed = &stage.client.last[SIPTLS_EVENT_SEND_FAILED];
  CHECK_NUMBER(failed->token, token);
  CHECK(failed->bytes_written > 0 && failed->bytes_written < SIZE);
  CHECK_NUMBER(failed->delivery, SIPTLS_DELIVERY_PARTIAL);
  stage_close(&stage);
}

static void an_idle_connection_ends(void) {
  struct stage stage;
  struct manual_clock clock;
  manual_clock_init(&clock);
  siptls_transport_limits limits;
  siptls_transport_options options = with_limits(&limits);
  options.clock = &clock.source;
  limits.idle_timeout = 1000;
  stage_open(&stage, &options, NULL);
  stage_connect(&stage);
  manual_clock_advance(&clock, 999);
  stage_settle(&stage);
  CHECK_NUMBER(stage.server.seen[SIPTLS_EVENT_CLOSED], 0);
  manual_clock_advance(&clock, 2);
  stage_settle(&stage);
  RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_CLOSED] == 1);
  CHECK_NUMBER(stage.server.reason[SIPTLS_EVENT_CLOSED], SIPTLS_E_IDLE_TIMEOUT);
  CHECK_NUMBER(siptls_category_of(stage.server.reason[SIPTLS_EVENT_CLOSED]), SIPTLS_CATEGORY_LIMIT);
  stage_close(&stage);
}

// The longest time that a number can say is a long one, not none.
static void a_limit_can_be_endless(void) {
  struct stage stage;
  siptls_transport_limits limits;
  siptls_transport_options options = with_limits(&limits);
  uint64_t* const times[] = {&limits.connect_timeout,       &limits.handshake_timeout,
                             &limits.first_message_timeout, &limits.idle_timeout,
                             &limits.message_timeout,       &limits.write_timeout,
                             &limits.close_timeout};
  for (size_t i = 0; i < sizeof times / sizeof *times; ++i) *times[i] = UINT64_MAX;
  size_t* const counts[] = {&limits.max_connections,   &limits.max_connections_per_address,
                            &limits.max_handshakes,    &limits.max_handshakes_per_address,
                            &limits.max_queued_bytes,  &limits.max_queued_messages,
                            &limits.max_buffered_bytes};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; ++i) *counts[i] = SIZE_MAX;
  limits.accept_rate.per_second = limits.accept_rate.burst = UINT32_MAX;
  limits.accept_rate_per_address = limits.ping_rate = limits.accept_rate;
  stage_open(&stage, &options, &options);
  stage.server.on_event = answer;
  siptls_target target = target_of(&stage);
  target.keep_alive_interval = target.pong_timeout = UINT64_MAX;
  const char* const request = options_request(1);
  siptls_send_options never;
  siptls_send_options_init(&never, sizeof never);
  never.expires_at = INT64_MAX;
  CHECK_OK(siptls_transport_send_to(stage.client.transport, &target, request, strlen(request),
                                    &never, NULL, why));
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_MESSAGE] == 1);
  const siptls_connection connection = stage.client.last[SIPTLS_EVENT_CONNECTED].connection;
  CHECK_OK(
      siptls_transport_keep_alive(stage.client.transport, connection, UINT64_MAX, UINT64_MAX, why));
  stage_settle(&stage);
  CHECK_NUMBER(stage.client.seen[SIPTLS_EVENT_CLOSED], 0);
  CHECK_NUMBER(stage.server.seen[SIPTLS_EVENT_CLOSED], 0);
  CHECK_OK(siptls_transport_drain(stage.client.transport, connection, INT64_MAX, why));
  stage_settle(&stage);
  CHECK_NUMBER(stage.client.seen[SIPTLS_EVENT_CLOSED], 0);
  CHECK_OK(siptls_transport_close(stage.client.transport, connection, why));
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_CLOSED] == 1);
  CHECK_NUMBER(stage.client.reason[SIPTLS_EVENT_CLOSED], SIPTLS_OK);
  stage_close(&stage);
}

static void what_cannot_be_framed_is_answered_or_not(void) {
  static const char kBroken[] =
      "MESSAGE sip:alpha.example SIP/2.0\r\nVia: SIP/2.0/TLS b.example;branch=z9hG4bK1\r\n"
      "From: <sip:b.example>;tag=1\r\nTo: <sip:alpha.example>\r\nCall-ID: 1\r\n"
      "CSeq: 1 MESSAGE\r\nContent-Length: 101\r\n\r\n";
  for (uint32_t choice = SIPTLS_UNFRAMED_ANSWER; choice <= SIPTLS_UNFRAMED_CLOSE; ++choice) {
    struct stage stage;
    siptls_transport_limits limits;
    siptls_framer_limits framer;
    siptls_framer_limits_init(&framer, sizeof framer);
    framer.max_body = 100;
    siptls_transport_options options = with_limits(&limits);
    options.unframed_request = choice;
    limits.framer = &framer;
    stage_open(&stage, &options, NULL);
    memset(&framer, 0, sizeof framer);  // was copied
    stage_connect(&stage);
    CHECK_OK(siptls_transport_send(stage.client.transport, stage.to_server, kBroken,
                                   strlen(kBroken), NULL, NULL, why));
    RUN_UNTIL(&stage, stage.server.seen[SIPTLS_EVENT_CLOSED] == 1 &&
                          stage.client.seen[SIPTLS_EVENT_CLOSED] == 1);
    CHECK_NUMBER(stage.server.reason[SIPTLS_EVENT_CLOSED], SIPTLS_E_CONTENT_LENGTH_TOO_LARGE);
    const int answers = choice == SIPTLS_UNFRAMED_ANSWER;
    CHECK_NUMBER(stage.client.seen[SIPTLS_EVENT_MESSAGE], answers);
    CHECK(contains(stage.client.message, "SIP/2.0 413 ") == answers);
    stage_close(&stage);
  }
}

// A load balancer: takes one connection, opens one to `server`, says a PROXY header and shovels.
struct balancer {
  int listener;
  siptls_endpoint local, server;
  pthread_t thread;
};

static void shovel(int from, int to) {
  char octets[16384];
  const ssize_t size = recv(from, octets, sizeof octets, 0);
  if (size <= 0) {
    (void)shutdown(to, SHUT_WR);
    return;
  }
  for (ssize_t sent = 0; sent < size;) {
    const ssize_t more = send(to, octets + sent, (size_t)(size - sent), MSG_NOSIGNAL);
    if (more <= 0) return;
    sent += more;
  }
}

static struct sockaddr_in socket_address(uint16_t port) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static void* balance(void* argument) {
  static const char kHeader[] = "PROXY TCP4 192.0.2.9 192.0.2.1 40000 5061\r\n";
  struct balancer* const balancer = argument;
  const int inner = accept(balancer->listener, NULL, NULL);
  const int outer = socket(AF_INET, SOCK_STREAM, 0);
  const struct sockaddr_in address = socket_address(balancer->server.port);
  if (connect(outer, (const struct sockaddr*)&address, sizeof address) != 0) return NULL;
  if (send(outer, kHeader, sizeof kHeader - 1, MSG_NOSIGNAL) < 0) return NULL;
  struct pollfd ends[2];
  ends[0].fd = inner;
  ends[1].fd = outer;
  ends[0].events = ends[1].events = POLLIN;
  while (poll(ends, 2, 10000) > 0) {
    if (ends[0].revents != 0) shovel(inner, outer);
    if (ends[1].revents != 0) shovel(outer, inner);
    if ((ends[0].revents | ends[1].revents) & (POLLHUP | POLLERR)) break;
  }
  close(inner);
  close(outer);
  return NULL;
}

static void balancer_start(struct balancer* balancer) {
  struct sockaddr_in address = socket_address(0);
  socklen_t size = sizeof address;
  balancer->listener = socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(bind(balancer->listener, (const struct sockaddr*)&address, size) == 0);
  REQUIRE(listen(balancer->listener, 1) == 0);
  REQUIRE(getsockname(balancer->listener, (struct sockaddr*)&address, &size) == 0);
  REQUIRE_OK(siptls_endpoint_parse("127.0.0.1", ntohs(address.sin_port), &balancer->local, why));
  REQUIRE(pthread_create(&balancer->thread, NULL, balance, balancer) == 0);
}

static int listen_with(struct host* host, siptls_listen_options* options) {
  const int reason = siptls_transport_listen(host->transport, options, &host->listener, why);
  if (reason != SIPTLS_OK) return reason;
  return siptls_transport_local_endpoint(host->transport, host->listener, &host->address, why);
}

static void a_proxy_header_tells_who_the_peer_is(void) {
  static const char* const sources[] = {"127.0.0.0/8"};
  static const char* const elsewhere[] = {"192.0.2.0/24", "2001:db8::/32"};
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  siptls_listen_options options;
  siptls_listen_options_init(&options, sizeof options);
  REQUIRE_OK(siptls_endpoint_parse("127.0.0.1", 0, &options.local, why));
  options.context = stage.alpha;
  options.proxy = SIPTLS_PROXY_EITHER;
  CHECK_REASON(listen_with(&stage.server, &options), SIPTLS_E_INVALID_ARGUMENT);  // no sources
  options.proxy_sources = elsewhere;
  options.proxy_source_count = 2;
  CHECK_OK(listen_with(&stage.server, &options));
  const siptls_target target = target_of(&stage);
  CHECK_OK(siptls_transport_connect(stage.client.transport, &target, &stage.to_server, why));
  // The reset comes before the handshake or in it.
  RUN_UNTIL(&stage, stage.client.seen[SIPTLS_EVENT_CONNECT_FAILED] +
                            stage.client.seen[SIPTLS_EVENT_HANDSHAKE_FAILED] ==
                        1);

  options.proxy_sources = sources;
  options.proxy_source_count = 1;
  CHECK_OK(listen_with(&stage.server, &options));
  struct balancer balancer;
  balancer.server = stage.server.address;
  balancer_start(&balancer);
  stage.server.address = balancer.local;  // where the client goes
  stage_connect(&stage);
  const siptls_event* const connected = &stage.server.last[SIPTLS_EVENT_CONNECTED];
  char text[SIPTLS_ENDPOINT_TEXT_SIZE];
  CHECK_NUMBER(siptls_endpoint_format(&connected->remote, text, sizeof text), SIPTLS_OK);
  CHECK_STRING(text, "192.0.2.9:40000");
  CHECK_NUMBER(siptls_endpoint_format(&connected->local, text, sizeof text), SIPTLS_OK);
  CHECK_STRING(text, "192.0.2.1:5061");
  CHECK_NUMBER(siptls_endpoint_format(&connected->wire_remote, text, sizeof text), SIPTLS_OK);
  CHECK(contains(text, "127.0.0.1:"));
  stage_close(&stage);
  pthread_join(balancer.thread, NULL);
  close(balancer.listener);
}

static void a_listener_is_as_it_was_asked_for(void) {
  struct stage stage;
  stage_open(&stage, NULL, NULL);
  siptls_listen_options options;
  siptls_listen_options_init(&options, sizeof options);
  options.context = stage.alpha;
  options.local = stage.server.address;
  CHECK_REASON(listen_with(&stage.server, &options), SIPTLS_E_ADDRESS_IN_USE);
  REQUIRE_OK(siptls_endpoint_parse("192.0.2.1:0", 0, &options.local, why));
  CHECK_REASON(listen_with(&stage.server, &options), SIPTLS_E_ADDRESS_NOT_AVAILABLE);
  options.may_come_later = 1;
  options.ticket_scope = "scope";
  CHECK_OK(listen_with(&stage.server, &options));
  siptls_listen_options_init(&options, sizeof options);
  options.context = stage.alpha;
  options.share_port = 1;
  REQUIRE_OK(siptls_endpoint_parse("127.0.0.1:0", 0, &options.local, why));
  CHECK_OK(listen_with(&stage.server, &options));
  options.local = stage.server.address;
  CHECK_OK(listen_with(&stage.client, &options));  // another transport, the same port
  options.share_port = 0;
  options.dual = 1;
  CHECK_REASON(listen_with(&stage.server, &options), SIPTLS_E_INVALID_ARGUMENT);  // not [::]
  options.dual = 0;
  options.proxy = SIPTLS_PROXY_EITHER + 1;
  CHECK_REASON(listen_with(&stage.server, &options), SIPTLS_E_INVALID_ARGUMENT);
  static const char* const nowhere[] = {"192.0.2.0/33"};
  options.proxy = SIPTLS_PROXY_VERSION2;
  options.proxy_sources = nowhere;
  options.proxy_source_count = 1;
  CHECK_REASON(listen_with(&stage.server, &options), SIPTLS_E_INVALID_ARGUMENT);
  options.proxy = SIPTLS_PROXY_OFF;
  options.proxy_source_count = 0;
  options.context = NULL;
  CHECK_REASON(listen_with(&stage.server, &options), SIPTLS_E_INVALID_ARGUMENT);
  options.context = stage.alpha;
  options.local.family = 0;
  CHECK_REASON(listen_with(&stage.server, &options), SIPTLS_E_INVALID_ARGUMENT);
  stage_close(&stage);
}

const struct test limits_tests[] = {
    {"init tells the defaults", the_defaults_are_told},
    {"a clock that nobody synchronises is told once", a_doubtful_clock_is_told},
    {"connections are limited, and a listener pauses and goes on", connections_are_limited},
    {"a full queue says so, and when it is not full any more",
     a_full_queue_says_so_and_when_it_is_not},
    {"a message of which a part was written says how much", a_part_that_was_written_is_told},
    {"an idle connection ends", an_idle_connection_ends},
    {"a limit can be endless", a_limit_can_be_endless},
    {"a request that cannot be framed is answered or not",
     what_cannot_be_framed_is_answered_or_not},
    {"a PROXY header tells who the peer is, from those who may say it",
     a_proxy_header_tells_who_the_peer_is},
    {"a listener is as it was asked for", a_listener_is_as_it_was_asked_for},
    {NULL, NULL}};
