// A SIP server for suites of hostile TLS clients: siptls-server's behaviour, with everything on
// that a policy can allow (static RSA, no extended master secret, tickets), so that as much of such
// a suite as possible gets past the first flight.
//
// fuzz_host KEY CHAIN CA required|requested|none
#include <fmt/format.h>
#include <poll.h>

#include <csignal>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>

#include "siptls/siptls.hpp"

namespace {

using namespace siptls;

volatile std::sig_atomic_t asked_to_end = 0;

TlsPolicy allow_everything(std::string_view client_certificate) {
  TlsPolicy policy = TlsPolicy::interop();
  policy.cipher_suites.insert(policy.cipher_suites.end(), {0x009c, 0x009d, 0x002f, 0x0035});
  policy.extended_master_secret = ExtendedMasterSecret::dangerous_optional;
  policy.resumption = Resumption::tickets;
  policy.client_certificate = client_certificate == "required"    ? ClientCertificate::required
                              : client_certificate == "requested" ? ClientCertificate::requested
                                                                  : ClientCertificate::none;
  return policy;
}

Result<TlsContext> make_context(char** arguments) {
  TlsContextConfig config;
  config.policy = allow_everything(arguments[3]);
  Result<Credentials> credentials = Credentials::from_pem_files(arguments[0], arguments[1]);
  if (!credentials) return Unexpected(credentials.error());
  config.credentials = *std::move(credentials);
  Result<TrustStore> trust = TrustStore::from_pem_file(arguments[2]);
  if (!trust) return Unexpected(trust.error());
  config.trust = *std::move(trust);
  return TlsContext::create(std::move(config));
}

// RFC 3261 section 8.2.6, as far as a script looks.
std::string make_response(const SipMessageView& request) {
  std::string response = "SIP/2.0 200 OK\r\n";
  for (std::size_t i = 0; i < request.row_count(); ++i) {
    const HeaderRow row = request.row(i);
    const std::string value = unfold(row.value);
    if (row.id == HeaderId::via) response += fmt::format("Via: {}\r\n", value);
    if (row.id == HeaderId::from) response += fmt::format("From: {}\r\n", value);
    if (row.id == HeaderId::to) response += fmt::format("To: {};tag=2\r\n", value);
    if (row.id == HeaderId::call_id) response += fmt::format("Call-ID: {}\r\n", value);
    if (row.id == HeaderId::cseq) response += fmt::format("CSeq: {}\r\n", value);
  }
  return response + "Content-Length: 0\r\n\r\n";
}

int fail(const Error& error) {
  fmt::print(stderr, "error: {}\n", error.message());
  return 1;
}

// What the client is refused for goes to standard output, one line each.
void handle(TlsTransport& transport, const Event& event) {
  if (const auto* received = std::get_if<Message>(&event)) {
    const std::string response = make_response(received->message);
    const Result<SendToken> sent =
        transport.respond(received->connection, std::as_bytes(std::span(response)));
    if (!sent) fmt::print("unsent: {}\n", sent.error().message());
  } else if (const auto* failed = std::get_if<HandshakeFailed>(&event)) {
    fmt::print("handshake: {}\n", failed->error.message());
  } else if (const auto* closed = std::get_if<Closed>(&event)) {
    fmt::print("closed: {}\n", closed->error ? closed->error->message() : "cleanly");
  }
}

int serve(char** arguments) {
  const Result<TlsContext> context = make_context(arguments);
  if (!context) return fail(context.error());
  Result<TlsTransport> transport = TlsTransport::create({});
  if (!transport) return fail(transport.error());
  const Result<ListenerId> listener =
      transport->listen(ListenOptions{*Endpoint::parse("127.0.0.1:0", 0), *context});
  if (!listener) return fail(listener.error());
  fmt::print("listening on {}\n", transport->local_endpoint(*listener)->to_string());
  while (asked_to_end == 0) {
    while (const std::optional<Event> event = transport->next_event()) handle(*transport, *event);
    std::fflush(stdout);
    pollfd ready{transport->fd(), POLLIN, 0};
    poll(&ready, 1, -1);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "usage: fuzz_host KEY CHAIN CA required|requested|none\n");
    return 2;
  }
  // Without SA_RESTART poll() returns; a signal just before it is followed by the script's SIGKILL.
  struct sigaction end {};
  end.sa_handler = [](int) { asked_to_end = 1; };
  sigaction(SIGTERM, &end, nullptr);
  return serve(argv + 1);
}
