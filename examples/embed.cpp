// A minimal host: listens on port 5061, proves itself, asks every client for proof, and answers
// OPTIONS. It needs privateKey.pem, publickey.pem and CAList.pem in the current folder.
#include <poll.h>

#include <cstdio>
#include <random>
#include <span>
#include <string>

#include "siptls/siptls.hpp"

using namespace siptls;

// 200 OK with the rows that belong to the request (RFC 3261 section 8.2.6).
static std::string ok(const SipMessageView& request) {
  std::string response = "SIP/2.0 200 OK\r\n";
  for (std::size_t i = 0; i < request.row_count(); ++i) {
    const auto [id, name, value] = request.row(i);
    if (id != HeaderId::via && id != HeaderId::from && id != HeaderId::to &&
        id != HeaderId::call_id && id != HeaderId::cseq)
      continue;
    response.append(name).append(": ").append(value);
    // Within a dialog To has its tag already, behind the brackets (RFC 3261 section 20.39).
    const bool tagged = value.find("tag=", value.find_last_of('>') + 1) != value.npos;
    if (id == HeaderId::to && !tagged)
      response.append(";tag=").append(std::to_string(std::random_device{}()));
    response.append("\r\n");
  }
  return response + "Content-Length: 0\r\n\r\n";
}

int main() try {
  TlsContextConfig config;
  config.credentials = Credentials::from_pem_files("privateKey.pem", "publickey.pem").value();
  config.trust = TrustStore::from_pem_file("CAList.pem").value();
  const TlsContext context = TlsContext::create(config).value();
  TlsTransport transport = TlsTransport::create().value();
  transport.listen({Endpoint::parse("0.0.0.0:5061").value(), context}).value();

  for (pollfd ready{transport.fd(), POLLIN, 0}; poll(&ready, 1, -1) >= 0;) {
    while (const auto event = transport.next_event()) {
      const auto* received = std::get_if<Message>(&*event);
      if (received == nullptr || received->message.method() != "OPTIONS") continue;
      const std::string response = ok(received->message);
      (void)transport.respond(received->connection, std::as_bytes(std::span(response)));
    }
  }
} catch (const BadResultAccess& failure) {
  std::fprintf(stderr, "error: %s\n", failure.error().message().c_str());
  return 1;
}
