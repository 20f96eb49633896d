// siptls-many-cores: a server that uses several processors. Each thread has a transport of its own
// on the same port, and the kernel spreads the connections among them (SO_REUSEPORT). All of them
// share one TlsContext, and with it certificates, trust and ticket keys; no lock is on the path of
// a message. A connection stays with the transport that accepted it: what another thread wants to
// send on it goes through that transport's Sender.
//
// Usage: siptls-many-cores FOLDER [THREADS], where siptls-pki has put a server's files. It answers
// every request but ACK with 200 OK, prints the port, and runs until its standard input ends.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "siptls/siptls.hpp"

namespace {

using namespace siptls;

// Whether To has a tag. Neither quoted text nor what is in angle brackets holds parameters of it.
bool has_tag(std::string_view to) {
  std::string rest;
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (to[i] == '<') {
      i = std::min(to.find('>', i), to.size());
    } else if (to[i] == '"') {
      while (++i < to.size() && to[i] != '"') i += to[i] == '\\' ? 1 : 0;
    } else if (const auto octet = static_cast<unsigned char>(to[i]); std::isspace(octet) == 0) {
      rest += static_cast<char>(std::tolower(octet));
    }
  }
  return rest.find(";tag=") != rest.npos;
}

// Via, From, To, Call-ID and CSeq as in the request, and a tag in To (RFC 3261 section 8.2.6).
std::string make_ok(const SipMessageView& request) {
  std::string response = "SIP/2.0 200 OK\r\n";
  for (std::size_t i = 0; i < request.row_count(); ++i) {
    const HeaderRow row = request.row(i);
    if (row.id < HeaderId::via || row.id > HeaderId::cseq) continue;
    response.append(row.name).append(": ").append(row.value);
    if (row.id == HeaderId::to && !has_tag(row.value)) {
      response.append(";tag=").append(std::to_string(std::random_device{}()));
    }
    response.append("\r\n");
  }
  return response + "Content-Length: 0\r\n\r\n";
}

constexpr std::uint64_t kStop = 1;  // what main posts to the threads

void handle(TlsTransport& transport, const Message& received) {
  // Neither an ACK nor a response has an answer: two such servers would never stop.
  if (!received.message.is_request() || received.message.method() == "ACK") return;
  const std::string response = make_ok(received.message);
  const auto sent = transport.respond(received.connection, std::as_bytes(std::span(response)));
  if (!sent) std::fprintf(stderr, "%s\n", sent.error().message().c_str());
}

// The loop of one thread. It ends when everybody has been told goodbye.
void run(TlsTransport& transport) {
  for (bool stopping = false; !stopping || transport.connection_count() != 0;) {
    pollfd wait{transport.fd(), POLLIN, 0};
    poll(&wait, 1, -1);
    while (const auto event = transport.next_event()) {
      if (const auto* received = std::get_if<Message>(&*event)) {
        handle(transport, *received);
      } else if (const auto* posted = std::get_if<Posted>(&*event); posted != nullptr) {
        stopping = posted->value == kStop;
        transport.close_all();
      }
    }
  }
}

Result<TlsContext> make_context(const std::string& folder) {
  auto credentials =
      Credentials::from_pem_files(folder + "/privateKey.pem", folder + "/publickey.pem");
  if (!credentials) return Unexpected(credentials.error());
  auto trust = TrustStore::from_pem_file(folder + "/CAList.pem");
  if (!trust) return Unexpected(trust.error());
  TlsContextConfig config;
  config.credentials = *std::move(credentials);
  config.trust = *std::move(trust);
  return TlsContext::create(std::move(config));
}

Result<void> serve(const std::string& folder, unsigned count) {
  const auto context = make_context(folder);
  if (!context) return Unexpected(context.error());
  ListenOptions options{Endpoint::ipv4({127, 0, 0, 1}, 0), *context};
  options.port = ListenOptions::Port::share;
  std::vector<TlsTransport> transports;
  for (unsigned i = 0; i < count; ++i) {
    auto transport = TlsTransport::create();
    if (!transport) return Unexpected(transport.error());
    const auto listener = transport->listen(options);
    if (!listener) return Unexpected(listener.error());
    options.local = *transport->local_endpoint(*listener);  // the first one picks the port
    transports.push_back(*std::move(transport));
  }
  std::printf("%u threads on %s\n", count, options.local.to_string().c_str());
  std::fflush(stdout);

  std::vector<Sender> senders;
  std::vector<std::thread> threads;
  for (TlsTransport& transport : transports) {
    senders.push_back(transport.sender());
    threads.emplace_back([&transport] { run(transport); });
  }
  char octet = 0;
  while (read(STDIN_FILENO, &octet, 1) > 0) {
  }
  for (const Sender& sender : senders) static_cast<void>(sender.post(kStop));
  for (std::thread& thread : threads) thread.join();
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: siptls-many-cores FOLDER [THREADS]\n");
    return 2;
  }
  const int wanted = argc == 3 ? std::atoi(argv[2]) : 0;
  const unsigned threads = wanted > 0 ? static_cast<unsigned>(wanted) : 2;
  const auto served = serve(argv[1], threads);
  if (served) return 0;
  std::fprintf(stderr, "error: %s\n", served.error().message().c_str());
  return 1;
}
