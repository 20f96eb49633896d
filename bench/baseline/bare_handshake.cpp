#include "baseline/bare_handshake.hpp"

#include <openssl/base.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <time.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <utility>
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

std::string group_list(const std::vector<std::uint16_t>& codes) {
  static constexpr std::pair<std::uint16_t, const char*> kNames[] = {{0x11ec, "X25519MLKEM768"},
                                                                     {0x001d, "X25519"},
                                                                     {0x0017, "P-256"},
                                                                     {0x0018, "P-384"},
                                                                     {0x0019, "P-521"}};
  std::string list;
  for (const std::uint16_t code : codes) {
    const auto* const named = std::find_if(std::begin(kNames), std::end(kNames),
                                           [&](const auto& name) { return name.first == code; });
    check(named != std::end(kNames), "group");
    if (!list.empty()) list += ':';
    list += named->second;
  }
  return list;
}

// Where a client keeps the newest session.
using Newest = bssl::UniquePtr<SSL_SESSION>;

int keep_session(SSL* ssl, SSL_SESSION* session) {
  static_cast<Newest*>(SSL_get_app_data(ssl))->reset(session);
  return 1;
}

void set_up_tickets(SSL_CTX* context, Tickets tickets) {
  if (tickets == Tickets::off) {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return;
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, keep_session);
  static const std::uint8_t id_context[] = {'b', 'a', 'r', 'e'};
  check(SSL_CTX_set_session_id_context(context, id_context, sizeof id_context) == 1, "id context");
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
  check(SSL_CTX_set1_curves_list(context, group_list(config.groups).c_str()) == 1, "groups");
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  set_up_tickets(context, config.tickets);
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

std::chrono::nanoseconds thread_time() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

Meter::Meter() : last_(thread_time()) {}

void Meter::charge(std::chrono::nanoseconds& to) {
  const std::chrono::nanoseconds now = thread_time();
  to += now - last_;
  last_ = now;
}

std::string boringssl_version() {
  return "API " + std::to_string(BORINGSSL_API_VERSION) + ", " + OpenSSL_version(OPENSSL_VERSION);
}

namespace {

// The server's first octets: BoringSSL keeps the tickets of TLS 1.3 until something is written.
void greet(SSL& server, SSL& client, Meter& meter, HandshakeCost& cost) {
  static const char octets[] = {'\r', '\n'};
  check(SSL_write(&server, octets, sizeof octets) == sizeof octets, "write");
  meter.charge(cost.server);
  char buffer[16];
  check(SSL_read(&client, buffer, sizeof buffer) == sizeof octets, "read");
  check(SSL_read(&client, buffer, sizeof buffer) < 0, "nothing more to read");
  meter.charge(cost.client);
}

}  // namespace

struct BareTls::Parts {
  bssl::UniquePtr<SSL_CTX> context;
  BareConfig config;
  Newest newest;
  Negotiated negotiated;

  bssl::UniquePtr<SSL> connection(BIO* in, BIO* out) const {
    bssl::UniquePtr<SSL> ssl(SSL_new(context.get()));
    check(ssl != nullptr, "connection");
    BIO_up_ref(in);
    BIO_up_ref(out);
    SSL_set_bio(ssl.get(), in, out);
    return ssl;
  }

  // With its ClientHello sent.
  bssl::UniquePtr<SSL> client(BIO* in, BIO* out) {
    bssl::UniquePtr<SSL> ssl = connection(in, out);
    SSL_set_connect_state(ssl.get());
    SSL_set_app_data(ssl.get(), &newest);
    SSL_set_tlsext_host_name(ssl.get(), config.domain.c_str());
    if (config.verification == Verification::full) {
      X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl.get()), config.domain.data(),
                                  config.domain.size());
    }
    if (config.tickets == Tickets::resumed && newest) {
      // One of TLS 1.3 is offered once (RFC 8446 appendix C.4).
      const Newest offered =
          SSL_SESSION_should_be_single_use(newest.get()) ? std::move(newest) : bssl::UpRef(newest);
      SSL_set_session(ssl.get(), offered.get());
    }
    SSL_do_handshake(ssl.get());
    return ssl;
  }

  bssl::UniquePtr<SSL> server(BIO* in, BIO* out) const {
    bssl::UniquePtr<SSL> ssl = connection(in, out);
    SSL_set_accept_state(ssl.get());
    if (!config.client_proves_itself) {
      if (config.verification == Verification::full) {
        SSL_set_verify(ssl.get(), SSL_VERIFY_NONE, nullptr);
      } else {
        SSL_set_custom_verify(ssl.get(), SSL_VERIFY_NONE, accept);
      }
    }
    return ssl;
  }

  void note(const SSL* client) {
    negotiated.version = static_cast<std::uint16_t>(SSL_version(client));
    negotiated.cipher_suite = SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(client));
    negotiated.group = SSL_get_curve_id(client);
    negotiated.resumed = SSL_session_reused(client) != 0;
  }
};

BareTls::BareTls(const BareConfig& config)
    : parts_(new Parts{make_context(config), config, nullptr, {}}) {}
BareTls::~BareTls() = default;

const Negotiated& BareTls::negotiated() const { return parts_->negotiated; }

HandshakeCost BareTls::handshake() {
  HandshakeCost cost;
  const bssl::UniquePtr<BIO> to_server(BIO_new(BIO_s_mem()));
  const bssl::UniquePtr<BIO> to_client(BIO_new(BIO_s_mem()));
  BIO_set_mem_eof_return(to_server.get(), -1);
  BIO_set_mem_eof_return(to_client.get(), -1);
  Meter meter;
  bssl::UniquePtr<SSL> client = parts_->client(to_client.get(), to_server.get());
  meter.charge(cost.client);
  bssl::UniquePtr<SSL> server = parts_->server(to_server.get(), to_client.get());
  meter.charge(cost.server);
  bool client_done = false;
  bool server_done = false;
  for (int round = 0; round < 4 && !server_done; ++round) {
    server_done = SSL_do_handshake(server.get()) == 1;
    meter.charge(cost.server);
    client_done = SSL_do_handshake(client.get()) == 1;
    meter.charge(cost.client);
  }
  check(client_done && server_done, "handshake");
  if (parts_->config.tickets != Tickets::off) greet(*server, *client, meter, cost);
  parts_->note(client.get());
  Meter freeing;
  client.reset();
  freeing.charge(cost.client);
  server.reset();
  freeing.charge(cost.server);
  return cost;
}

}  // namespace baseline
