#include "transport/raw_peer.hpp"

#include <array>
#include <vector>

#include "catch.hpp"
#include "transport/harness.hpp"

namespace siptls_test {
namespace {

using namespace siptls;

TlsSession make_session(const TlsContext& context, const std::string& domain,
                        const SessionOptions& options) {
  auto session = TlsSession::client(context, domain, Clock::system()->now(), options);
  REQUIRE(session);
  return std::move(*session);
}

}  // namespace

RawPeer RawPeer::connect(const Endpoint& remote) {
  auto socket = net::start_connect(remote, std::nullopt);
  REQUIRE(socket);
  return RawPeer(std::move(*socket));
}

void RawPeer::write(std::string_view octets_to_write) {
  // Until the connection has come about, and for what does not fit, again.
  for (int tries = 0; tries < 1000 && !octets_to_write.empty(); ++tries) {
    const auto sent = net::send(socket_.get(), octets(octets_to_write));
    if (sent.status == net::IoStatus::failed) return;
    octets_to_write.remove_prefix(sent.octets);
  }
  REQUIRE(octets_to_write.empty());
}

void RawPeer::poll() {
  std::array<std::byte, 4096> buffer;
  while (!ended) {
    const auto got = net::receive(socket_.get(), buffer);
    if (got.status == net::IoStatus::would_block) return;
    ended = got.status != net::IoStatus::done;
    was_reset = got.status == net::IoStatus::failed;
    received.append(reinterpret_cast<const char*>(buffer.data()), got.octets);
  }
}

void RawPeer::reset() {
  net::reset_on_close(socket_.get());
  socket_.close();
}

std::optional<Alert> RawPeer::plain_alert() const {
  if (received.size() < 7) return std::nullopt;
  const std::string_view record = std::string_view(received).substr(received.size() - 7);
  if (record[0] != 21 || record[3] != 0 || record[4] != 2) return std::nullopt;
  return Alert{static_cast<std::uint8_t>(record[6])};
}

RawServer::RawServer() {
  auto listener = net::listen({*Endpoint::parse("127.0.0.1", 0), false, false});
  REQUIRE(listener);
  listener_ = std::move(*listener);
}

Endpoint RawServer::endpoint() const { return net::local_endpoint(listener_.get()); }

std::optional<RawPeer> RawServer::accept() {
  auto accepted = net::accept(listener_.get());
  if (accepted.status != net::IoStatus::done) return std::nullopt;
  return RawPeer(std::move(accepted.accepted.socket));
}

RawTlsClient::RawTlsClient(const Endpoint& remote, const TlsContext& context,
                           const std::string& domain, const SessionOptions& options,
                           std::string_view before_tls)
    : peer_(RawPeer::connect(remote)), session_(make_session(context, domain, options)) {
  peer_.write(before_tls);
  write_out();
}

void RawTlsClient::write_out() {
  const auto output = session_.pending_output();
  if (output.empty()) return;
  peer_.write({reinterpret_cast<const char*>(output.data()), output.size()});
  session_.consume_output(output.size());
}

void RawTlsClient::step() {
  const Now now = Clock::system()->now();
  const std::size_t before = peer_.received.size();
  peer_.poll();
  if (peer_.received.size() > before) {
    static_cast<void>(session_.feed(octets(std::string_view(peer_.received).substr(before)), now));
    std::vector<std::byte> buffer(16 * 1024);
    for (;;) {
      const auto piece = session_.next_plaintext(buffer, now);
      if (!piece || piece->empty()) break;
      plaintext.append(reinterpret_cast<const char*>(piece->data()), piece->size());
    }
    session_.keep_input();
  }
  write_out();
}

void RawTlsClient::send(std::string_view message) {
  REQUIRE(session_.send(octets(message), Clock::system()->now()));
  write_out();
}

}  // namespace siptls_test
