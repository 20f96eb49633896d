#include "peers.hpp"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/pool.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <stdexcept>

#include "catch.hpp"

namespace siptls_test {

using namespace siptls;
using demo_pki::Entity;
using demo_pki::KeyType;

Now at(const char* rfc3339) {
  return Now{MonoTime{} + std::chrono::hours(1), parse_time(rfc3339).value()};
}

Now test_now() {
  static const Now now = at("2026-06-01T12:00:00Z");
  return now;
}

Octets octets_of(std::string_view text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return Octets(begin, begin + text.size());
}

std::string text_of(std::span<const std::byte> octets) {
  return std::string(reinterpret_cast<const char*>(octets.data()), octets.size());
}

Octets from_hex(std::string_view hex) {
  Octets octets;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    const std::string pair(hex.substr(i, 2));
    octets.push_back(static_cast<std::byte>(std::stoul(pair, nullptr, 16)));
  }
  return octets;
}

Credentials credentials_of(const Entity& leaf) {
  return Credentials::from_pem(leaf.private_key_pem(), leaf.chain_pem()).value();
}

TrustStore trust_of(const Entity& root) {
  return TrustStore::from_pem(root.certificate_pem()).value();
}

const Site& site(KeyType key) {
  static std::map<KeyType, std::unique_ptr<Site>> sites;
  auto& known = sites[key];
  if (!known) {
    const auto made = demo_pki::make_hierarchy(kDomain, 1, key);
    known.reset(new Site{made.root, made.leaf, credentials_of(made.leaf), trust_of(made.root)});
  }
  return *known;
}

Credentials leaf_of(const Site& of, const std::function<void(demo_pki::CertificateSpec&)>& change,
                    KeyType key) {
  auto spec = demo_pki::sip_spec(kDomain);
  change(spec);
  return credentials_of(Entity::issued_by(of.root, spec, key));
}

TlsContextConfig config(const Change& change) {
  TlsContextConfig made;
  made.credentials = site().credentials;
  made.trust = site().trust;
  if (change) change(made);
  return made;
}

TlsContext context(const Change& change) {
  auto made = TlsContext::create(config(change));
  if (!made) throw std::runtime_error("context: " + made.error().message());
  return *made;
}

Change only(ProtocolVersion version) {
  return [version](TlsContextConfig& made) {
    made.policy.min_version = version;
    made.policy.max_version = version;
  };
}

void SessionEnd::receive(std::span<const std::byte> octets) {
  if (auto fed = session.feed(octets, now); !fed) {
    if (!error) error = fed.error();
    return;
  }
  std::array<std::byte, 16384> buffer;
  for (;;) {
    auto plaintext = session.next_plaintext(buffer, now);
    if (!plaintext) {
      if (!error) error = plaintext.error();
      return;
    }
    if (plaintext->empty()) return;
    received += text_of(*plaintext);
  }
}

void SessionEnd::end_of_stream() {
  if (auto ended = session.feed_end(now); !ended && !error) error = ended.error();
  receive({});
}

Octets SessionEnd::take_output() {
  const auto pending = session.pending_output();
  Octets octets(pending.begin(), pending.end());
  session.consume_output(octets.size());
  return octets;
}

SessionEnd client(const TlsContext& context, const std::string& domain,
                  const SessionOptions& options, Now now) {
  return SessionEnd(TlsSession::client(context, domain, now, options).value(), now);
}

SessionEnd server(const TlsContext& context, const SessionOptions& options, Now now) {
  return SessionEnd(TlsSession::server(context, now, options).value(), now);
}

namespace {

ssl_verify_result_t accept_all(SSL*, std::uint8_t*) { return ssl_verify_ok; }

void note_alert(const SSL* ssl, int event, int value) {
  if (event != SSL_CB_READ_ALERT) return;
  static_cast<BareEnd*>(SSL_get_app_data(ssl))->alert_received = value & 0xff;
}

}  // namespace

void use_credentials(SSL_CTX* context, const Entity& leaf) {
  const std::string pem = leaf.private_key_pem();
  bssl::UniquePtr<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  bssl::UniquePtr<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  std::vector<bssl::UniquePtr<CRYPTO_BUFFER>> owned;
  std::vector<CRYPTO_BUFFER*> chain;
  for (const std::string& der : leaf.chain_der()) {
    owned.emplace_back(
        CRYPTO_BUFFER_new(reinterpret_cast<const std::uint8_t*>(der.data()), der.size(), nullptr));
    chain.push_back(owned.back().get());
  }
  if (!SSL_CTX_set_chain_and_key(context, chain.data(), chain.size(), key.get(), nullptr)) {
    throw std::runtime_error("bare credentials");
  }
}

BareEnd::BareEnd(PeerRole role, const std::function<void(SSL_CTX*)>& setup, SSL_SESSION* session,
                 const char* server_name)
    : context_(SSL_CTX_new(TLS_with_buffers_method())) {
  SSL_CTX_set_custom_verify(context_.get(), SSL_VERIFY_PEER, accept_all);
  SSL_CTX_set_info_callback(context_.get(), note_alert);
  setup(context_.get());
  ssl_.reset(SSL_new(context_.get()));
  SSL_set_app_data(ssl_.get(), this);
  if (session != nullptr) SSL_set_session(ssl_.get(), session);
  if (server_name != nullptr) SSL_set_tlsext_host_name(ssl_.get(), server_name);
  SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  BIO_set_mem_eof_return(SSL_get_rbio(ssl_.get()), -1);
  if (role == PeerRole::client) {
    SSL_set_connect_state(ssl_.get());
  } else {
    SSL_set_accept_state(ssl_.get());
  }
  receive({});
}

void BareEnd::receive(std::span<const std::byte> octets) {
  if (!octets.empty()) {
    BIO_write(SSL_get_rbio(ssl_.get()), octets.data(), static_cast<int>(octets.size()));
  }
  if (!established) established = SSL_do_handshake(ssl_.get()) == 1;
  if (!established) return;
  std::array<char, 16384> buffer;
  int count = 0;
  while ((count = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()))) > 0) {
    received.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

Octets BareEnd::take_output() {
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
  BIO_mem_contents(SSL_get_wbio(ssl_.get()), &data, &size);
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  Octets octets(begin, begin + size);
  BIO_reset(SSL_get_wbio(ssl_.get()));
  return octets;
}

void BareEnd::write(std::string_view text) {
  SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
}

void connect(End& client_end, End& server_end, const WireOptions& options) {
  const auto carry = [&](End& from, End& to, PeerRole receiver) {
    Octets octets = from.take_output();
    if (octets.empty()) return false;
    if (options.alter) options.alter(receiver, octets);
    std::span<const std::byte> rest(octets);
    while (!rest.empty()) {
      const auto piece = rest.first(std::min(options.piece, rest.size()));
      to.receive(piece);
      rest = rest.subspan(piece.size());
    }
    return true;
  };
  bool moved = true;
  while (moved) {
    moved = carry(client_end, server_end, PeerRole::server);
    moved = carry(server_end, client_end, PeerRole::client) || moved;
  }
}

}  // namespace siptls_test
