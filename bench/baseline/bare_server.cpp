#include "baseline/bare_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "baseline/pem.hpp"

namespace baseline {
namespace {

bssl::UniquePtr<SSL_CTX> make_context(const ServerConfig& config) {
  bssl::UniquePtr<SSL_CTX> made(SSL_CTX_new(TLS_method()));
  SSL_CTX* context = made.get();
  check(context != nullptr, "context");
  check(SSL_CTX_set_min_proto_version(context, config.version) == 1 &&
            SSL_CTX_set_max_proto_version(context, config.version) == 1,
        "version");
  check(SSL_CTX_set_strict_cipher_list(context, "ECDHE-ECDSA-AES128-GCM-SHA256") == 1, "suites");
  check(SSL_CTX_set1_curves_list(context, "X25519:P-256") == 1, "groups");
  const bssl::UniquePtr<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(reader(config.key_pem).get(), nullptr, nullptr, nullptr));
  const auto chain = certificates(config.chain_pem);
  check(SSL_CTX_use_certificate(context, chain.front().get()) == 1, "certificate");
  check(key && SSL_CTX_use_PrivateKey(context, key.get()) == 1, "private key");
  for (std::size_t i = 1; i < chain.size(); ++i) {
    check(SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1, "chain");
  }
  for (const auto& root : certificates(config.root_pem)) {
    check(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root.get()) == 1, "root");
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  const std::array<std::uint8_t, 4> scope{'b', 'a', 'r', 'e'};
  check(SSL_CTX_set_session_id_context(context, scope.data(), scope.size()) == 1, "scope");
  return made;
}

struct Peer {
  int socket = -1;
  bssl::UniquePtr<SSL> ssl;
  std::string unfinished;  // the beginning of a message
};

// Octets of the first message, or 0 if it is not whole yet.
std::size_t message_size(std::string_view text) {
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  static constexpr std::string_view kName = "\r\nContent-Length:";
  std::size_t body = 0;
  for (std::size_t at = 0; (at = text.find("\r\n", at)) < end; at += 2) {
    if (text.size() - at < kName.size() ||
        strncasecmp(text.data() + at, kName.data(), kName.size()) != 0) {
      continue;
    }
    const char* digits = text.data() + at + kName.size();
    while (*digits == ' ') ++digits;
    std::from_chars(digits, text.data() + end, body);
    break;
  }
  const std::size_t size = end + 4 + body;
  return size <= text.size() ? size : 0;
}

bool is_copied(std::string_view row) {
  static constexpr std::array<std::string_view, 5> kNames = {
      "Via:", "From:", "To:", "Call-ID:", "CSeq:"};
  for (const std::string_view name : kNames) {
    if (row.size() > name.size() && strncasecmp(row.data(), name.data(), name.size()) == 0) {
      return true;
    }
  }
  return false;
}

// 200 OK into `response`.
void answer(std::string_view request, std::string& response) {
  response.assign("SIP/2.0 200 OK\r\n");
  for (std::size_t at = request.find("\r\n") + 2; at < request.size();) {
    const std::size_t end = request.find("\r\n", at);
    if (end == at || end == std::string_view::npos) break;
    const std::string_view row = request.substr(at, end + 2 - at);
    if (is_copied(row)) response.append(row);
    at = end + 2;
  }
  response.append("Content-Length: 0\r\n\r\n");
}

class Server {
 public:
  Server(const ServerConfig& config, int listener, int epoll)
      : context_(make_context(config)), listener_(listener), epoll_(epoll) {
    watch(listener_, nullptr);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 64> events{};
    for (;;) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        auto* peer = static_cast<Peer*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (peer == nullptr) {
          accept_peer();
        } else if (!read_from(*peer)) {
          close(peer->socket);
          delete peer;
        }
      }
    }
  }

 private:
  void watch(int socket, Peer* peer) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = peer;
    check(epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event) == 0, "epoll_ctl");
  }

  void accept_peer() {
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) return;
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto peer = std::make_unique<Peer>();
    peer->socket = socket;
    peer->ssl.reset(SSL_new(context_.get()));
    check(peer->ssl && SSL_set_fd(peer->ssl.get(), socket) == 1, "connection");
    SSL_set_accept_state(peer->ssl.get());
    watch(socket, peer.get());
    peer.release();
  }

  // One SSL_read, which does the handshake as well. False if the connection has ended.
  bool read_from(Peer& peer) {
    const int count = SSL_read(peer.ssl.get(), buffer_.data(), static_cast<int>(buffer_.size()));
    if (count <= 0) {
      const bool wait = SSL_get_error(peer.ssl.get(), count) == SSL_ERROR_WANT_READ;
      ERR_clear_error();
      return wait;
    }
    std::string_view text(buffer_.data(), static_cast<std::size_t>(count));
    if (!peer.unfinished.empty()) {
      peer.unfinished.append(text);
      text = peer.unfinished;
    }
    while (const std::size_t size = message_size(text)) {
      answer(text.substr(0, size), response_);
      const auto octets = static_cast<int>(response_.size());
      // The load is such that the kernel always has room for it.
      if (SSL_write(peer.ssl.get(), response_.data(), octets) != octets) return false;
      text.remove_prefix(size);
    }
    if (!text.empty() || !peer.unfinished.empty()) peer.unfinished = std::string(text);
    return true;
  }

  bssl::UniquePtr<SSL_CTX> context_;
  int listener_;
  int epoll_;
  std::vector<char> buffer_ = std::vector<char>(16384);
  std::string response_;
};

}  // namespace

void serve_bare(const ServerConfig& config, const std::function<void(std::uint16_t port)>& ready) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  check(epoll >= 0 && bind(listener, generic, size) == 0 && listen(listener, SOMAXCONN) == 0 &&
            getsockname(listener, generic, &size) == 0,
        "listener");
  Server server(config, listener, epoll);
  ready(ntohs(address.sin_port));
  server.run();
}

}  // namespace baseline
