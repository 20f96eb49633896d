// The two ends of an in-memory TLS connection: ours, and a bare BoringSSL one that can do what
// siptls refuses to do.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pki/demo_pki.hpp"
#include "siptls/tls_context.hpp"
#include "siptls/tls_session.hpp"

namespace siptls_test {

using Octets = std::vector<std::byte>;

// 2026-06-01, given by the test.
siptls::Now test_now();
siptls::Now at(const char* rfc3339);
Octets octets_of(std::string_view text);
std::string text_of(std::span<const std::byte> octets);
Octets from_hex(std::string_view hex);

// A domain: its CA, credentials, and a store that trusts it.
struct Site {
  demo_pki::Entity root;
  demo_pki::Entity leaf;
  siptls::Credentials credentials;
  siptls::TrustStore trust;
};
// Made once per process for each kind of key: server.example below one intermediate.
const Site& site(demo_pki::KeyType key = demo_pki::KeyType::p256);
// A leaf below the intermediate of `of`, changed by `change`.
siptls::Credentials leaf_of(const Site& of,
                            const std::function<void(demo_pki::CertificateSpec&)>& change,
                            demo_pki::KeyType key = demo_pki::KeyType::p256);
siptls::Credentials credentials_of(const demo_pki::Entity& leaf);
siptls::TrustStore trust_of(const demo_pki::Entity& root);
inline constexpr const char* kDomain = "server.example";

// The default context of both ends, after `change`.
using Change = std::function<void(siptls::TlsContextConfig&)>;
siptls::TlsContextConfig config(const Change& change = {});
siptls::TlsContext context(const Change& change = {});
Change only(siptls::ProtocolVersion version);

// What the wire between two ends needs of each.
class End {
 public:
  virtual ~End() = default;
  virtual void receive(std::span<const std::byte> octets) = 0;
  virtual Octets take_output() = 0;
};

class SessionEnd final : public End {
 public:
  SessionEnd(siptls::TlsSession made, siptls::Now at) : session(std::move(made)), now(at) {}

  // Feeds, then reads all plaintext into `received`; the first error stays in `error`.
  void receive(std::span<const std::byte> octets) override;
  Octets take_output() override;
  void end_of_stream();
  bool established() const { return session.state() == siptls::SessionState::established; }

  siptls::TlsSession session;
  siptls::Now now;
  std::string received;
  std::optional<siptls::Error> error;
};

SessionEnd client(const siptls::TlsContext& context, const std::string& domain = kDomain,
                  const siptls::SessionOptions& options = {}, siptls::Now now = test_now());
SessionEnd server(const siptls::TlsContext& context, const siptls::SessionOptions& options = {},
                  siptls::Now now = test_now());

// Plain BoringSSL over memory.
class BareEnd final : public End {
 public:
  // `setup` runs on the context before the connection is made; `session` is offered, and
  // `server_name` asked for.
  BareEnd(siptls::PeerRole role, const std::function<void(SSL_CTX*)>& setup,
          SSL_SESSION* session = nullptr, const char* server_name = nullptr);
  void receive(std::span<const std::byte> octets) override;
  Octets take_output() override;
  void write(std::string_view text);

  bool established = false;
  std::optional<int> alert_received;
  std::string received;
  SSL* ssl() const { return ssl_.get(); }

 private:
  bssl::UniquePtr<SSL_CTX> context_;
  bssl::UniquePtr<SSL> ssl_;
};
// Certificate and key for a bare end; it trusts everybody.
void use_credentials(SSL_CTX* context, const demo_pki::Entity& leaf);

// Carries octets both ways until both ends are silent, in pieces of `piece` octets. `alter` may
// change what travels: (to_server, octets).
struct WireOptions {
  std::size_t piece = SIZE_MAX;
  std::function<void(siptls::PeerRole to, Octets&)> alter;
};
void connect(End& client, End& server, const WireOptions& options = {});

}  // namespace siptls_test
