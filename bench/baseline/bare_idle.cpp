#include "baseline/bare_idle.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <stdexcept>
#include <vector>

#include "baseline/pem.hpp"

namespace baseline {
namespace {

bssl::UniquePtr<SSL_CTX> make_context(const IdleConfig& config) {
  bssl::UniquePtr<SSL_CTX> made(SSL_CTX_new(TLS_method()));
  SSL_CTX* context = made.get();
  check(context != nullptr, "context");
  check(SSL_CTX_set_min_proto_version(context, config.version) == 1 &&
            SSL_CTX_set_max_proto_version(context, config.version) == 1,
        "version");
  check(SSL_CTX_set1_curves_list(context, "X25519:P-256") == 1, "groups");
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  const auto chain = certificates(config.chain_pem);
  const bssl::UniquePtr<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(reader(config.key_pem).get(), nullptr, nullptr, nullptr));
  check(SSL_CTX_use_certificate(context, chain.front().get()) == 1, "certificate");
  check(key && SSL_CTX_use_PrivateKey(context, key.get()) == 1, "private key");
  for (std::size_t i = 1; i < chain.size(); ++i) {
    check(SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1, "chain");
  }
  for (const auto& root : certificates(config.root_pem)) {
    check(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root.get()) == 1, "root");
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  // For one end as the other: the demo certificates have both purposes.
  X509_VERIFY_PARAM_set_purpose(SSL_CTX_get0_param(context), X509_PURPOSE_ANY);
  return made;
}

void pass_message(SSL* from, SSL* to) {
  std::array<char, 600> message{};
  constexpr int kSize = static_cast<int>(message.size());
  check(SSL_write(from, message.data(), kSize) == kSize, "write");
  check(SSL_read(to, message.data(), kSize) == kSize, "read");
}

}  // namespace

struct BareIdle::Parts {
  bssl::UniquePtr<SSL_CTX> context;
  std::string domain;
  std::vector<bssl::UniquePtr<SSL>> clients;
  std::vector<bssl::UniquePtr<SSL>> servers;

  // Takes `bio`.
  bssl::UniquePtr<SSL> connection(BIO* bio) const {
    bssl::UniquePtr<SSL> ssl(SSL_new(context.get()));
    check(ssl != nullptr, "connection");
    SSL_set_bio(ssl.get(), bio, bio);
    return ssl;
  }
};

BareIdle::BareIdle(const IdleConfig& config) : parts_(std::make_unique<Parts>()) {
  parts_->context = make_context(config);
  parts_->domain = config.domain;
}
BareIdle::~BareIdle() = default;

void BareIdle::add() {
  BIO* client_end = nullptr;
  BIO* server_end = nullptr;
  check(BIO_new_bio_pair(&client_end, 0, &server_end, 0) == 1, "BIO pair");
  bssl::UniquePtr<SSL> client = parts_->connection(client_end);
  bssl::UniquePtr<SSL> server = parts_->connection(server_end);
  SSL_set_connect_state(client.get());
  SSL_set_tlsext_host_name(client.get(), parts_->domain.c_str());
  X509_VERIFY_PARAM_set1_host(SSL_get0_param(client.get()), parts_->domain.data(),
                              parts_->domain.size());
  SSL_set_accept_state(server.get());
  bool client_done = false;
  bool server_done = false;
  for (int round = 0; round < 4 && !(client_done && server_done); ++round) {
    client_done = SSL_do_handshake(client.get()) == 1;
    server_done = SSL_do_handshake(server.get()) == 1;
  }
  check(client_done && server_done, "handshake");
  pass_message(client.get(), server.get());
  pass_message(server.get(), client.get());
  parts_->clients.push_back(std::move(client));
  parts_->servers.push_back(std::move(server));
}

void BareIdle::drop_clients() { parts_->clients.clear(); }
void BareIdle::drop_servers() { parts_->servers.clear(); }

}  // namespace baseline
