// siptls-server: a SIP server that proves itself, lets in whom it trusts, and answers every request
// but ACK with 200 OK. An example of a host: its loop is poll() on two descriptors.
#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <span>
#include <unordered_map>

#include "siptls/siptls.hpp"
#include "tool/command_line.hpp"
#include "tool/output.hpp"
#include "tool/response.hpp"
#include "tool/tls_setup.hpp"

namespace {

using namespace siptls;
using tool::Json;

const tool::Usage kUsage{
    "siptls-server", "Answers SIP requests over TLS with 200 OK until SIGINT or SIGTERM.",
    tool::with_tls_options({
        {"--listen", "IP[:PORT]", "where to listen; port 5061 if left out, 0 picks one",
         tool::Option::Repeat::yes},
        {"--virtual-ip", "", "listen on addresses that this host may only get later"},
        {"--client-cert", "required|requested|none", "what clients must prove (required)"},
        {"--allow", "IDENTITY", "let in these identities only", tool::Option::Repeat::yes},
        {"--staple", "FILE",
         "send this OCSP response (DER) with the certificate while it is valid"},
        {"--sips", "disabled|enabled|required", "whether sips URIs are served (enabled)"},
        {"--clock", "warn|require", "about a clock that no time source keeps (warn)"},
        {"--idle-timeout", "DURATION", "close a connection without traffic (600s)"},
        {"--handshake-timeout", "DURATION", "give up a handshake (10s)"},
        {"--max-connections", "N", "at one time (20000)"},
        {"--max-connections-per-address", "N", "of these, from one address (10000)"},
        {"--accept-rate", "N", "new connections a second (1000)"},
        {"--keylog", "FILE", "dangerous: append secrets that decrypt the traffic"},
    }),
    ""};

Result<TlsContext> make_context(const tool::CommandLine& arguments) {
  TlsPolicy policy = tool::read_policy(arguments);
  policy.client_certificate = arguments.choice("--client-cert", ClientCertificate::required,
                                               {{"required", ClientCertificate::required},
                                                {"requested", ClientCertificate::requested},
                                                {"none", ClientCertificate::none}});
  policy.clock = arguments.choice("--clock", ClockPolicy::warn,
                                  {{"warn", ClockPolicy::warn}, {"require", ClockPolicy::require}});
  Result<TlsContextConfig> config =
      tool::load_tls(arguments, std::move(policy), ConnectionRole::server);
  if (!config) return Unexpected(config.error());
  config->allowed_peers = arguments.values("--allow");
  if (const std::optional<std::string> path = arguments.value("--staple")) {
    Result<Credentials> stapled = config->credentials->with_ocsp_response_file(*path);
    if (!stapled) return Unexpected(stapled.error());
    config->credentials = *std::move(stapled);
  }
  if (const std::optional<std::string> path = arguments.value("--keylog")) {
    Result<KeyLog> key_log = dangerous_key_log_to_file(*path);
    if (!key_log) return Unexpected(key_log.error());
    config->dangerous_key_log = *std::move(key_log);
    fmt::print(stderr, "warning: whoever reads {} can decrypt the traffic\n", *path);
  }
  return TlsContext::create(*std::move(config));
}

TransportOptions read_limits(const tool::CommandLine& arguments) {
  TransportOptions options;
  TransportLimits& limits = options.limits;
  limits.idle_timeout = arguments.duration("--idle-timeout", limits.idle_timeout);
  limits.handshake_timeout = arguments.duration("--handshake-timeout", limits.handshake_timeout);
  limits.max_connections =
      arguments.number("--max-connections", limits.max_connections, 1, 1'000'000);
  limits.max_connections_per_address = arguments.number(
      "--max-connections-per-address", limits.max_connections_per_address, 1, 1'000'000);
  const auto rate = static_cast<std::uint32_t>(
      arguments.number("--accept-rate", limits.accept_rate.per_second, 1, 1'000'000));
  limits.accept_rate = {rate, rate};
  return options;
}

// Answers what the transport hands over.
class Server {
 public:
  Server(TlsTransport& transport, SipsMode sips, const tool::Output& output)
      : transport_(transport), output_(output), sips_(sips) {}

  // Not without end, so that a flood of messages does not keep a signal waiting. What is left makes
  // fd() readable again.
  void handle_events() {
    for (int i = 0; i < 1000; ++i) {
      const std::optional<Event> event = transport_.next_event();
      if (!event) return;
      std::visit([this](const auto& what) { handle(what); }, *event);
    }
    transport_.flush();
  }

 private:
  void handle(const Connected& connected) { tool::print_connected(output_, connected); }

  void handle(const Message& received) {
    const SipMessageView& request = received.message;
    if (!request.is_request()) return;  // this server sends no request, so nobody waits for it
    output_.event(Json{{"event", "request"},
                       {"method", request.method()},
                       {"uri", request.request_uri()},
                       {"call_id", request.call_id()},
                       {"connection", tool::number_of(received.connection)}},
                  fmt::format("connection {}: {} {}", tool::number_of(received.connection),
                              request.method(), request.request_uri()));
    if (request.method() == "ACK") return;  // RFC 3261 section 17.1.1.3: never answered
    const std::optional<SipsRefusal> refusal = judge_sips(request, sips_);
    respond(received.connection, refusal ? tool::make_refusal(request, received.remote, *refusal)
                                         : tool::make_response(request, received.remote));
  }

  // A peer that does not read its responses is not read either until it does: pause() stops its
  // requests, and the one response that found no room waits for Writable.
  void respond(ConnectionId connection, std::string response) {
    const Result<SendToken> sent =
        transport_.respond(connection, std::as_bytes(std::span(response)));
    if (sent) return;
    if (sent.error().reason() == Errc::queue_full && transport_.pause(connection)) {
      waiting_[connection] = std::move(response);
      return;
    }
    report(connection, sent.error());
  }

  void handle(const Writable& writable) {
    const auto waiting = waiting_.extract(writable.connection);
    if (waiting.empty()) return;
    respond(writable.connection, waiting.mapped());
    if (waiting_.count(writable.connection) != 0) return;
    const Result<void> resumed = transport_.resume(writable.connection);
    if (!resumed) report(writable.connection, resumed.error());
  }

  void handle(const HandshakeFailed& failed) {
    output_.error(failed.error, Json{{"connection", tool::number_of(failed.connection)},
                                     {"remote", failed.remote.to_string()}});
  }
  void handle(const SendFailed& failed) { report(failed.connection, failed.error); }
  void handle(const Closed& closed) {
    waiting_.erase(closed.connection);
    if (closed.error) report(closed.connection, *closed.error);
    tool::print_closed(output_, closed);
  }
  void handle(const Warning& warning) { output_.warning(warning.error); }
  void handle(const ListenerPaused& paused) { output_.warning(paused.why); }

  // The transport has done what is to be done about these.
  void handle(const KeepAliveReceived&) {}
  void handle(const PeerClosing&) {}
  void handle(const ListenerResumed&) {}
  void handle(const FlowFailed&) {}
  // Not asked for.
  void handle(const AuthorisePeer&) {}
  void handle(const SignatureWanted&) {}
  void handle(const ConnectFailed&) {}
  void handle(const Sent&) {}
  void handle(const Posted&) {}

  void report(ConnectionId connection, const Error& error) {
    output_.error(error, Json{{"connection", tool::number_of(connection)}});
  }

  TlsTransport& transport_;
  const tool::Output& output_;
  SipsMode sips_;
  std::unordered_map<ConnectionId, std::string> waiting_;
};

// SIGINT and SIGTERM as something to poll for: blocked, so that none is missed between two polls.
int open_signal_descriptor() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

// Waits until there is work, a signal, or `wait` is over; negative waits without end. True if a
// signal came.
bool wait_for_work(const TlsTransport& transport, int signals, std::chrono::milliseconds wait) {
  pollfd ready[] = {{transport.fd(), POLLIN, 0}, {signals, POLLIN, 0}};
  poll(ready, 2, static_cast<int>(wait.count()));
  signalfd_siginfo taken;
  return (ready[1].revents & POLLIN) != 0 && read(signals, &taken, sizeof taken) > 0;
}

// Says close_notify to everybody and waits for theirs, but not for ever; a second signal ends the
// wait.
void close_connections(TlsTransport& transport, Server& server, int signals) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(4);
  transport.close_all();
  server.handle_events();
  while (transport.connection_count() != 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0 || wait_for_work(transport, signals, left)) return;
    server.handle_events();
  }
}

int serve(const tool::CommandLine& arguments, const tool::Output& output) {
  const int signals = open_signal_descriptor();
  const SipsMode sips = arguments.choice("--sips", SipsMode::enabled,
                                         {{"disabled", SipsMode::disabled},
                                          {"enabled", SipsMode::enabled},
                                          {"required", SipsMode::required}});
  std::vector<Endpoint> addresses;
  for (const std::string& text : arguments.values("--listen")) {
    addresses.push_back(tool::CommandLine::endpoint("--listen", text));
  }
  if (addresses.empty()) throw tool::UsageError("--listen is missing");
  const TransportOptions options = read_limits(arguments);
  const Result<TlsContext> context = make_context(arguments);
  if (!context) return output.fail(context.error());
  Result<TlsTransport> transport = TlsTransport::create(options);
  if (!transport) return output.fail(transport.error());

  const auto binding = arguments.has("--virtual-ip") ? ListenOptions::Binding::may_come_later
                                                     : ListenOptions::Binding::present;
  for (const Endpoint& address : addresses) {
    const Result<ListenerId> listener =
        transport->listen(ListenOptions{address, *context, binding});
    if (!listener) return output.fail(listener.error());
    const Result<Endpoint> bound = transport->local_endpoint(*listener);
    if (!bound) return output.fail(bound.error());
    output.event(
        Json{{"event", "listening"}, {"address", bound->address_text()}, {"port", bound->port()}},
        fmt::format("listening on {}", bound->to_string()));
  }

  Server server(*transport, sips, output);
  do {
    server.handle_events();
  } while (!wait_for_work(*transport, signals, std::chrono::milliseconds(-1)));
  close_connections(*transport, server, signals);
  return tool::kSuccess;
}

}  // namespace

int main(int argc, char** argv) { return tool::run(kUsage, argc, argv, serve); }
