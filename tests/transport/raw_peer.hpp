// A bare TCP peer for tests, that says whatever the test wants, or a TLS peer that stops anywhere.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/net.hpp"
#include "siptls/siptls.hpp"

namespace siptls_test {

// Never blocks: poll() takes what has come.
class RawPeer {
 public:
  static RawPeer connect(const siptls::Endpoint& remote);

  explicit RawPeer(siptls::net::Descriptor socket) : socket_(std::move(socket)) {}

  void write(std::string_view octets);
  void poll();
  void end() { siptls::net::shutdown_write(socket_.get()); }
  void reset();

  std::string received;
  bool ended = false;  // by FIN or reset
  bool was_reset = false;

  // The alert in the last 7 octets received, if they are a plaintext alert record.
  std::optional<siptls::Alert> plain_alert() const;

 private:
  siptls::net::Descriptor socket_;
};

// Accepts one connection.
class RawServer {
 public:
  RawServer();
  siptls::Endpoint endpoint() const;
  std::optional<RawPeer> accept();

 private:
  siptls::net::Descriptor listener_;
};

// A TLS client on a RawPeer, moved by hand.
class RawTlsClient {
 public:
  RawTlsClient(const siptls::Endpoint& remote, const siptls::TlsContext& context,
               const std::string& domain = "alpha.example",
               const siptls::SessionOptions& options = {}, std::string_view before_tls = {});

  // Reads what has come and writes what the session has to say.
  void step();
  void send(std::string_view message);
  RawPeer& peer() { return peer_; }
  std::string plaintext;  // received
  siptls::TlsSession& session() { return session_; }

 private:
  void write_out();
  RawPeer peer_;
  siptls::TlsSession session_;
};

}  // namespace siptls_test
