#include "loops/echo.hpp"

#include <fcntl.h>

#include <cstdio>
#include <exception>
#include <span>
#include <string>

#include "tool/response.hpp"

namespace echo {
namespace {

using namespace siptls;

Result<TlsTransport> listen_on(const std::string& folder, const std::string& address) {
  const auto local = Endpoint::parse(address);
  if (!local) return Unexpected(local.error());
  auto credentials =
      Credentials::from_pem_files(folder + "/privateKey.pem", folder + "/publickey.pem");
  if (!credentials) return Unexpected(credentials.error());
  auto trust = TrustStore::from_pem_file(folder + "/CAList.pem");
  if (!trust) return Unexpected(trust.error());
  TlsContextConfig config;
  config.credentials = *std::move(credentials);
  config.trust = *std::move(trust);
  const auto context = TlsContext::create(std::move(config));
  if (!context) return Unexpected(context.error());

  auto transport = TlsTransport::create();
  if (!transport) return transport;
  const auto listener = transport->listen({*local, *context});
  if (!listener) return Unexpected(listener.error());
  const auto bound = transport->local_endpoint(*listener);
  if (!bound) return Unexpected(bound.error());
  std::printf("listening on %s\n", bound->to_string().c_str());
  std::fflush(stdout);
  return transport;
}

int fail(const char* what) {
  std::fprintf(stderr, "error: %s\n", what);
  return 1;
}

}  // namespace

void handle(TlsTransport& transport, const Event& event) {
  const auto* received = std::get_if<Message>(&event);
  if (received == nullptr || !received->message.is_request()) return;
  if (received->message.method() == "ACK") return;
  const std::string response = tool::make_response(received->message, received->remote);
  const auto sent = transport.respond(received->connection, std::as_bytes(std::span(response)));
  if (!sent) fail(sent.error().message().c_str());
}

int run(int argc, char** argv, void (*loop)(TlsTransport& transport)) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: %s FOLDER [IP[:PORT]]\n", argv[0]);
    return 2;
  }
  try {
    auto transport = listen_on(argv[1], argc == 3 ? argv[2] : "127.0.0.1");
    if (!transport) return fail(transport.error().message().c_str());
    loop(*transport);
    // The descriptor is the transport's. A loop that closes it would close somebody else's, once
    // its number is used again.
    if (fcntl(transport->fd(), F_GETFD) < 0) return fail("the loop has closed the descriptor");
    return 0;
  } catch (const std::exception& failure) {
    return fail(failure.what());
  }
}

}  // namespace echo
