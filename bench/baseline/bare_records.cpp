#include "baseline/bare_records.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <stdexcept>
#include <vector>

#include "baseline/pem.hpp"

namespace baseline {
namespace {

bssl::UniquePtr<SSL_CTX> make_context(const RecordsConfig& config) {
  bssl::UniquePtr<SSL_CTX> made(SSL_CTX_new(TLS_method()));
  SSL_CTX* context = made.get();
  check(context != nullptr, "context");
  check(SSL_CTX_set_min_proto_version(context, config.version) == 1 &&
            SSL_CTX_set_max_proto_version(context, config.version) == 1,
        "version");
  check(SSL_CTX_set_strict_cipher_list(context, "ECDHE-ECDSA-AES128-GCM-SHA256") == 1, "suites");
  check(SSL_CTX_set1_curves_list(context, "X25519:P-256") == 1, "groups");
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  const bssl::UniquePtr<X509> certificate(
      PEM_read_bio_X509(reader(config.certificate_pem).get(), nullptr, nullptr, nullptr));
  const bssl::UniquePtr<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(reader(config.key_pem).get(), nullptr, nullptr, nullptr));
  check(certificate && SSL_CTX_use_certificate(context, certificate.get()) == 1, "certificate");
  check(key && SSL_CTX_use_PrivateKey(context, key.get()) == 1, "private key");
  return made;
}

}  // namespace

struct BareRecords::Parts {
  bssl::UniquePtr<SSL_CTX> context;
  bssl::UniquePtr<SSL> client;
  bssl::UniquePtr<SSL> server;
  std::vector<std::byte> plaintext = std::vector<std::byte>(16384);

  bssl::UniquePtr<SSL> connection(BIO* in, BIO* out) const {
    bssl::UniquePtr<SSL> ssl(SSL_new(context.get()));
    check(ssl != nullptr, "connection");
    BIO_up_ref(in);
    BIO_up_ref(out);
    SSL_set_bio(ssl.get(), in, out);
    return ssl;
  }
};

BareRecords::BareRecords(const RecordsConfig& config) : parts_(std::make_unique<Parts>()) {
  parts_->context = make_context(config);
  const bssl::UniquePtr<BIO> to_server(BIO_new(BIO_s_mem()));
  const bssl::UniquePtr<BIO> to_client(BIO_new(BIO_s_mem()));
  check(to_server && to_client, "BIO");
  BIO_set_mem_eof_return(to_server.get(), -1);
  BIO_set_mem_eof_return(to_client.get(), -1);
  parts_->client = parts_->connection(to_client.get(), to_server.get());
  parts_->server = parts_->connection(to_server.get(), to_client.get());
  SSL_set_connect_state(parts_->client.get());
  SSL_set_accept_state(parts_->server.get());
  bool client_done = false;
  bool server_done = false;
  for (int round = 0; round < 4 && !(client_done && server_done); ++round) {
    client_done = SSL_do_handshake(parts_->client.get()) == 1;
    server_done = SSL_do_handshake(parts_->server.get()) == 1;
  }
  check(client_done && server_done, "handshake");
}
BareRecords::~BareRecords() = default;

std::uint16_t BareRecords::cipher_suite() const {
  return SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(parts_->client.get()));
}

void BareRecords::carry(std::span<const std::byte> octets) {
  const auto size = static_cast<int>(octets.size());
  check(SSL_write(parts_->client.get(), octets.data(), size) == size, "write");
  std::vector<std::byte>& plaintext = parts_->plaintext;
  for (int read = 0; read < size;) {
    const int result =
        SSL_read(parts_->server.get(), plaintext.data(), static_cast<int>(plaintext.size()));
    check(result > 0, "read");
    read += result;
  }
}

}  // namespace baseline
