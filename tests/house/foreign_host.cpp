// A host that uses OpenSSL itself and is linked to it before siptls: foreign_host DIRECTORY, where
// siptls-pki has made credentials for server.example and client.example.
//
// Prints how each noun came out, and last `foreign_tls_library` or `handshake`. Sees OpenSSL's
// headers and siptls' public ones.
#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "siptls/siptls.hpp"

#ifdef OPENSSL_IS_BORINGSSL
#error "this program is to see OpenSSL's headers"
#endif

namespace {

using namespace siptls;

// OpenSSL at work for the host, so that the linker keeps it.
bool openssl_works() {
  SSL_CTX* context = SSL_CTX_new(TLS_method());
  if (context == nullptr) return false;
  SSL* connection = SSL_new(context);
  const bool made = connection != nullptr;
  SSL_free(connection);
  SSL_CTX_free(context);
  std::printf("host: %s\n", OpenSSL_version(OPENSSL_VERSION));
  return made && std::string(OpenSSL_version(OPENSSL_VERSION)).rfind("OpenSSL", 0) == 0;
}

void print(const char* noun, const Error& error) {
  std::printf("%s: %.*s: %s\n", noun, static_cast<int>(to_string(error.reason()).size()),
              to_string(error.reason()).data(), error.evidence().c_str());
}

// The context of one side; or none, and the reason printed.
std::optional<TlsContext> context_of(const std::string& directory, std::vector<Errc>& refused) {
  TlsContextConfig config;
  auto trust = TrustStore::from_pem_file(directory + "/CAList.pem");
  if (!trust) {
    print("TrustStore", trust.error());
    refused.push_back(trust.error().reason());
  } else {
    config.trust = *trust;
  }
  auto credentials =
      Credentials::from_pem_files(directory + "/privateKey.pem", directory + "/publickey.pem");
  if (!credentials) {
    print("Credentials", credentials.error());
    refused.push_back(credentials.error().reason());
  } else {
    config.credentials = *credentials;
  }
  auto context = TlsContext::create(config);
  if (!context) {
    print("TlsContext", context.error());
    refused.push_back(context.error().reason());
    return std::nullopt;
  }
  return *context;
}

// Moves what `from` has to say to `to`; false when it was refused.
bool pump(TlsSession& from, TlsSession& to, const Now& now) {
  const auto output = from.pending_output();
  if (output.empty()) return true;
  const std::vector<std::byte> copy(output.begin(), output.end());
  from.consume_output(copy.size());
  const auto fed = to.feed(copy, now);
  to.keep_input();
  if (!fed) print("TlsSession", fed.error());
  return fed.has_value();
}

bool handshake(const TlsContext& client_context, const TlsContext& server_context) {
  const Now now{std::chrono::steady_clock::now(), std::chrono::system_clock::now()};
  auto server = TlsSession::server(server_context, now);
  auto client = TlsSession::client(client_context, "server.example", now);
  if (!server || !client) return false;
  for (int round = 0; round < 10; ++round) {
    if (!pump(*client, *server, now) || !pump(*server, *client, now)) return false;
  }
  return client->state() == SessionState::established &&
         server->state() == SessionState::established && client->peer().authenticated() &&
         server->peer().authenticated();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || !openssl_works()) return 2;
  const std::string directory = argv[1];
  std::vector<Errc> refused;
  const auto server = context_of(directory + "/server.example", refused);
  const auto client = context_of(directory + "/client.example", refused);
  if (!refused.empty()) {
    // Every noun says it, and for this reason alone.
    for (const Errc reason : refused) {
      if (reason != Errc::foreign_tls_library) return 1;
    }
    if (refused.size() != 6) return 1;
    std::puts("foreign_tls_library");
    return 0;
  }
  if (!handshake(*client, *server)) return 1;
  // OpenSSL still is the host's.
  if (!openssl_works()) return 1;
  std::puts("handshake");
  return 0;
}
