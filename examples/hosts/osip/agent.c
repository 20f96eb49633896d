/* osip-agent: a SIP user agent on GNU oSIP, with siptls as its only transport. An example of a host
 * that uses the C interface: its loop is poll() on two descriptors and a timeout.
 */
#include "agent.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "output.h"

/* For BYE and CANCEL to be answered, and then for close_notify, when the agent ends. */
enum { kStopPatience = 2000, kClosePatience = 2000 };

int64_t now_ms(void) {
  siptls_now now;
  siptls_system_now(&now);
  return now.mono / 1000000;
}

/* --- What is told ---------------------------------------------------------------------------- */

static void report_connected(const siptls_event* event) {
  char remote[SIPTLS_ENDPOINT_TEXT_SIZE] = "";
  const siptls_path* const path = siptls_peer_path(event->peer);
  siptls_cipher_suite suite = {.size = sizeof suite};
  siptls_endpoint_format(&event->remote, remote, sizeof remote);
  output_begin("connected");
  output_number("connection", event->connection);
  output_text("role", event->role == SIPTLS_ROLE_CLIENT ? "client" : "server");
  output_text("remote", remote);
  output_flag("authenticated", path != NULL);
  output_list("identities");
  for (size_t i = 0; i < siptls_path_identity_count(path); ++i) {
    siptls_identity identity = {.size = sizeof identity};
    if (siptls_path_identity(path, i, &identity)) output_item(identity.name);
  }
  output_list_end();
  output_text("version", siptls_peer_version(event->peer) == SIPTLS_TLS1_3 ? "TLS 1.3" : "TLS 1.2");
  if (siptls_cipher_suite_by_code((uint16_t)siptls_peer_cipher_suite(event->peer), &suite)) {
    output_text("suite", suite.name);
  }
  output_flag("resumed", siptls_peer_resumed(event->peer));
  output_end();
}

static void report_closed(const siptls_event* event) {
  output_begin("closed");
  output_number("connection", event->connection);
  output_flag("clean", event->error == NULL);
  if (event->error != NULL) {
    output_text("reason", siptls_reason_name(siptls_error_reason(event->error)));
    output_text("evidence", siptls_error_evidence(event->error));
  }
  output_end();
}

static void report_attempts(const siptls_transport* transport, const siptls_event* event) {
  siptls_error* const why = siptls_error_new();
  siptls_endpoint remote;
  for (size_t i = 0; i < event->attempt_count; ++i) {
    if (siptls_transport_attempt(transport, i, &remote, why)) output_error(why, 0, NULL);
  }
  siptls_error_free(why);
}

static void handle_event(void* host, siptls_transport* transport, const siptls_event* event) {
  (void)host;
  switch (event->kind) {
    case SIPTLS_EVENT_CONNECTED:
      report_connected(event);
      break;
    case SIPTLS_EVENT_CLOSED:
      report_closed(event);
      break;
    case SIPTLS_EVENT_CONNECT_FAILED:
      report_attempts(transport, event);
      break;
    case SIPTLS_EVENT_HANDSHAKE_FAILED:
      output_error(event->error, 0, NULL);
      break;
    case SIPTLS_EVENT_SEND_FAILED:
      output_begin("send_failed");
      output_number("connection", event->connection);
      output_text("reason", siptls_reason_name(siptls_error_reason(event->error)));
      output_text("evidence", siptls_error_evidence(event->error));
      output_end();
      break;
    case SIPTLS_EVENT_WARNING:
      fprintf(stderr, "warning: %s\n", siptls_error_message(event->error));
      break;
    default:
      break;
  }
}

static void handle_outside(void* host, osip_message_t* message) {
  calls_take_outside(host, message);
}

static void handle_refused(void* host, int reason, const char* evidence) {
  (void)host;
  output_error(NULL, reason, evidence);
}

/* --- What it does ---------------------------------------------------------------------------- */

static void stop(struct agent* agent) {
  agent->stopping = 1;
  agent->stop_at = now_ms() + kStopPatience;
  osip_siptls_stop_listening(agent->transport);
  calls_hang_up(agent);
}

static int is_caller(const struct agent* agent) {
  return agent->settings.call != NULL || agent->settings.options != NULL;
}

static int has_own_business(const struct agent* agent) {
  for (const struct call* call = agent->calls; call != NULL; call = call->next) {
    if (call->is_ours) return 1;
  }
  return agent->asked > 0;
}

/* The next call or request when the last one is over, and the end behind the last. */
static void go_on(struct agent* agent) {
  const struct settings* const settings = &agent->settings;
  if (agent->stopping || !is_caller(agent) || has_own_business(agent)) return;
  if (agent->begun == settings->count || agent->failed) {
    stop(agent);
    return;
  }
  ++agent->begun;
  if (settings->call != NULL ? !call_begin(agent, settings->call)
                             : !options_begin(agent, settings->options)) {
    agent->failed = 1;
  }
}

/* Closes the connections when all is said. 1: the end. */
static int has_stopped(struct agent* agent) {
  siptls_transport* const transport = osip_siptls_transport(agent->transport);
  const int64_t now = now_ms();
  if (!agent->stopping) return 0;
  if (!agent->closing &&
      (now >= agent->stop_at ||
       (agent->calls == NULL && osip_siptls_transaction_count(agent->transport) == 0))) {
    agent->closing = 1;
    agent->stop_at = now + kClosePatience;
    siptls_transport_close_all(transport);
  }
  return agent->closing &&
         (now >= agent->stop_at || siptls_transport_connection_count(transport) == 0);
}

static int time_to_wait(const struct agent* agent, int timeout) {
  const int64_t now = now_ms();
  int64_t until = calls_next_time(agent);
  if (agent->stopping && agent->stop_at < until) until = agent->stop_at;
  if (!agent->stopping && is_caller(agent) && !has_own_business(agent)) until = now;
  if (until <= now) return 0;
  return until - now < timeout ? (int)(until - now) : timeout;
}

static void run(struct agent* agent, int signals) {
  struct pollfd ready[] = {
      {.fd = siptls_transport_fd(osip_siptls_transport(agent->transport)), .events = POLLIN},
      {.fd = signals, .events = POLLIN}};
  for (;;) {
    calls_run_timers(agent);
    go_on(agent);
    int timeout = osip_siptls_work(agent->transport);
    if (has_stopped(agent)) return;
    timeout = time_to_wait(agent, timeout);
    if (poll(ready, 2, timeout) > 0 && ready[1].revents != 0) {
      struct signalfd_siginfo signal;
      if (read(signals, &signal, sizeof signal) <= 0) continue;
      if (agent->stopping) return; /* asked twice */
      stop(agent);
    }
  }
}

/* --- Beginning and end ----------------------------------------------------------------------- */

/* The files, and who they say that this agent is. */
static int load(struct agent* agent, siptls_error* error) {
  struct settings* const settings = &agent->settings;
  siptls_credentials* credentials = NULL;
  siptls_trust_store* trust = NULL;
  siptls_context_config config;
  siptls_context_config_init(&config, sizeof config);
  int reason = siptls_credentials_from_pem_files(settings->key, settings->chain, NULL, NULL,
                                                 SIPTLS_KEY_FILE_WARN, &credentials, error);
  if (reason == SIPTLS_OK) {
    reason = siptls_trust_store_from_pem_file(settings->trust, NULL, &trust, error);
  }
  if (reason == SIPTLS_OK) {
    siptls_identity first = {.size = sizeof first};
    const char* name = settings->identity;
    if (*name == '\0' && siptls_credentials_identity(credentials, 0, &first)) {
      name = first.name;
    }
    snprintf(agent->self.name, sizeof agent->self.name, "%s", name);
    config.credentials = credentials;
    config.trust = trust;
    reason = siptls_context_new(&config, &agent->context, error);
  }
  siptls_credentials_free(credentials);
  siptls_trust_store_free(trust);
  return reason;
}

/* oSIP's words about messages that it cannot read; they would stand in standard output. */
static void ignore_trace(const char* file, int line, osip_trace_level_t level, const char* format,
                         va_list arguments) {
  (void)file;
  (void)line;
  (void)level;
  (void)format;
  (void)arguments;
}

static int start(struct agent* agent, siptls_error* error) {
  static const osip_siptls_handlers kHandlers = {handle_outside, handle_event, handle_refused};
  int reason = load(agent, error);
  if (reason != SIPTLS_OK) return reason;
  if (osip_init(&agent->osip) != OSIP_SUCCESS) return SIPTLS_E_OUT_OF_MEMORY;
  osip_trace_initialize_func(OSIP_FATAL, ignore_trace);
  reason = osip_siptls_new(agent->osip, agent->context, &agent->settings.listen, &kHandlers, agent,
                           &agent->transport, error);
  if (reason != SIPTLS_OK) return reason;
  calls_register(agent->osip);
  requests_register(agent->osip);
  const siptls_endpoint* const local = osip_siptls_local(agent->transport);
  char text[SIPTLS_ENDPOINT_TEXT_SIZE] = "";
  siptls_endpoint_format(local, text, sizeof text);
  agent->self.port = local->port;
  output_begin("listening");
  output_text("address", text);
  output_number("port", local->port);
  output_text("identity", agent->self.name);
  output_end();
  return SIPTLS_OK;
}

int main(int argc, char** argv) {
  static struct agent agent;
  const int code = settings_read(&agent.settings, argc, argv);
  if (code != kRun) return code;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  const int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
  siptls_error* const error = siptls_error_new();
  const int reason = start(&agent, error);
  if (reason == SIPTLS_OK) {
    run(&agent, signal_fd);
  } else {
    output_error(siptls_error_reason(error) != SIPTLS_OK ? error : NULL, reason, "cannot start");
    agent.failed = 1;
  }
  calls_free(&agent);
  osip_siptls_free(agent.transport);
  if (agent.osip != NULL) osip_release(agent.osip);
  siptls_context_free(agent.context);
  siptls_error_free(error);
  close(signal_fd);
  return agent.failed ? kFailed : kSuccess;
}
