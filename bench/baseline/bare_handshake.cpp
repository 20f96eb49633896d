#include "baseline/bare_handshake.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <time.h>

#include <stdexcept>
#include <vector>

#include "baseline/pem.hpp"

namespace baseline {
namespace {

ssl_verify_result_t accept(SSL*, std::uint8_t*) { return ssl_verify_ok; }

bssl::UniquePtr<EVP_PKEY> private_key(const std::string& pem) {
  const auto bio = reader(pem);
  return bssl::UniquePtr<EVP_PKEY>(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
}

// X509 objects in, X509 verification.
void set_up_full(SSL_CTX* context, const BareConfig& config) {
  const auto key = private_key(config.key_pem);
  const auto chain = certificates(config.chain_pem);
  check(SSL_CTX_use_certificate(context, chain.front().get()) == 1, "certificate");
  check(SSL_CTX_use_PrivateKey(context, key.get()) == 1, "private key");
  for (std::size_t i = 1; i < chain.size(); ++i) {
    check(SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1, "chain");
  }
  for (const auto& root : certificates(config.root_pem)) {
    check(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root.get()) == 1, "root");
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  // For one end as the other: the demo certificates have both purposes.
  X509_VERIFY_PARAM_set_purpose(SSL_CTX_get0_param(context), X509_PURPOSE_ANY);
}

// Buffers only, and nothing is verified.
void set_up_ceiling(SSL_CTX* context, const BareConfig& config) {
  const auto key = private_key(config.key_pem);
  std::vector<bssl::UniquePtr<CRYPTO_BUFFER>> owned;
  std::vector<CRYPTO_BUFFER*> chain;
  for (const auto& certificate : certificates(config.chain_pem)) {
    std::uint8_t* der = nullptr;
    const int size = i2d_X509(certificate.get(), &der);
    check(size > 0, "certificate");
    owned.emplace_back(CRYPTO_BUFFER_new(der, static_cast<std::size_t>(size), nullptr));
    OPENSSL_free(der);
    chain.push_back(owned.back().get());
  }
  check(SSL_CTX_set_chain_and_key(context, chain.data(), chain.size(), key.get(), nullptr) == 1,
        "chain and key");
  SSL_CTX_set_custom_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept);
}

bssl::UniquePtr<SSL_CTX> make_context(const BareConfig& config) {
  const bool full = config.verification == Verification::full;
  bssl::UniquePtr<SSL_CTX> made(SSL_CTX_new(full ? TLS_method() : TLS_with_buffers_method()));
  SSL_CTX* context = made.get();
  check(context != nullptr, "context");
  check(SSL_CTX_set_min_proto_version(context, config.version) == 1 &&
            SSL_CTX_set_max_proto_version(context, config.version) == 1,
        "version");
  check(SSL_CTX_set_strict_cipher_list(
            context, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256") == 1,
        "suites");
  // P-256 too, because TLS 1.2 wants the certificate's curve there.
  check(SSL_CTX_set1_curves_list(context, "X25519:P-256") == 1, "groups");
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  if (full) {
    set_up_full(context, config);
  } else {
    set_up_ceiling(context, config);
  }
  static const std::uint16_t schemes[] = {0x0403, 0x0807, 0x0804, 0x0401};
  check(SSL_CTX_set_verify_algorithm_prefs(context, schemes, 4) == 1 &&
            SSL_CTX_set_signing_algorithm_prefs(context, schemes, 4) == 1,
        "signature schemes");
  return made;
}

// Adds the processor time of its life to a sum.
class Stopwatch {
 public:
  explicit Stopwatch(std::chrono::nanoseconds& sum) : sum_(sum), begin_(thread_time()) {}
  ~Stopwatch() { sum_ += thread_time() - begin_; }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  std::chrono::nanoseconds& sum_;
  std::chrono::nanoseconds begin_;
};

}  // namespace

std::chrono::nanoseconds thread_time() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

struct BareTls::Parts {
  bssl::UniquePtr<SSL_CTX> context;
  std::string domain;
  bool full;

  bssl::UniquePtr<SSL> connection(BIO* in, BIO* out, bool client) {
    bssl::UniquePtr<SSL> ssl(SSL_new(context.get()));
    check(ssl != nullptr, "connection");
    BIO_up_ref(in);
    BIO_up_ref(out);
    SSL_set_bio(ssl.get(), in, out);
    if (client) {
      SSL_set_connect_state(ssl.get());
      SSL_set_tlsext_host_name(ssl.get(), domain.c_str());
      if (full) {
        X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl.get()), domain.data(), domain.size());
      }
    } else {
      SSL_set_accept_state(ssl.get());
    }
    return ssl;
  }
};

BareTls::BareTls(const BareConfig& config)
    : parts_(new Parts{make_context(config), config.domain,
                       config.verification == Verification::full}) {}
BareTls::~BareTls() = default;

HandshakeCost BareTls::handshake() {
  HandshakeCost cost;
  bssl::UniquePtr<BIO> to_server(BIO_new(BIO_s_mem()));
  bssl::UniquePtr<BIO> to_client(BIO_new(BIO_s_mem()));
  BIO_set_mem_eof_return(to_server.get(), -1);
  BIO_set_mem_eof_return(to_client.get(), -1);
  bssl::UniquePtr<SSL> client;
  bssl::UniquePtr<SSL> server;
  {
    const Stopwatch watch(cost.client);
    client = parts_->connection(to_client.get(), to_server.get(), true);
  }
  {
    const Stopwatch watch(cost.server);
    server = parts_->connection(to_server.get(), to_client.get(), false);
  }
  bool client_done = false;
  bool server_done = false;
  for (int round = 0; round < 4 && !(client_done && server_done); ++round) {
    {
      const Stopwatch watch(cost.client);
      client_done = SSL_do_handshake(client.get()) == 1;
    }
    const Stopwatch watch(cost.server);
    server_done = SSL_do_handshake(server.get()) == 1;
  }
  check(client_done && server_done, "handshake");
  {
    const Stopwatch watch(cost.client);
    client.reset();
  }
  const Stopwatch watch(cost.server);
  server.reset();
  return cost;
}

}  // namespace baseline
