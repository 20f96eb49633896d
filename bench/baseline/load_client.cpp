#include "baseline/load_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "baseline/pem.hpp"

namespace bench {
namespace {

using baseline::check;
using Clock = std::chrono::steady_clock;

// For what has nothing to do with TLS.
void require(bool good, const char* what) {
  if (!good) throw std::runtime_error(what);
}
void require_call(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

constexpr std::uint32_t kOpeningAtOnce = 64;
// Each source address has room for far fewer connections than it has ports.
constexpr std::uint32_t kSourceAddresses = 16;
constexpr int kPatience = 30'000;  // ms without any progress
constexpr std::string_view kMessageEnd = "\r\n\r\n";

struct Connection {
  int socket = -1;
  bssl::UniquePtr<SSL> ssl;
  bool reached = false;  // TCP is there
  bool established = false;
  std::uint32_t awaited = 0;  // responses
  std::size_t matched = 0;    // octets of kMessageEnd that the last piece ended with
  Clock::time_point sent;
};

// What lies between a connection's SSL and its socket: one call of the kernel for many records.
struct Wire {
  std::array<char, 65536> received;
  std::size_t received_begin = 0;
  std::size_t received_end = 0;
  std::vector<char> sending;
};
Wire wire;

int wire_read(BIO* bio, char* to, int length) {
  BIO_clear_retry_flags(bio);
  const auto count = std::min<std::size_t>(wire.received_end - wire.received_begin,
                                           static_cast<std::size_t>(std::max(length, 0)));
  if (count == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  std::memcpy(to, wire.received.data() + wire.received_begin, count);
  wire.received_begin += count;
  return static_cast<int>(count);
}

int wire_write(BIO* bio, const char* from, int length) {
  BIO_clear_retry_flags(bio);
  wire.sending.insert(wire.sending.end(), from, from + length);
  return length;
}

long wire_control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO* new_wire_bio() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "load");
    BIO_meth_set_read(made, wire_read);
    BIO_meth_set_write(made, wire_write);
    BIO_meth_set_ctrl(made, wire_control);
    return made;
  }();
  BIO* bio = BIO_new(method);
  BIO_set_init(bio, 1);
  return bio;
}

// The whole of what SSL has written.
void send_wire(int socket) {
  std::string_view left(wire.sending.data(), wire.sending.size());
  while (!left.empty()) {
    const ssize_t count = ::send(socket, left.data(), left.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      left.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      pollfd wait{socket, POLLOUT, 0};
      require(poll(&wait, 1, kPatience) == 1, "the server takes no more");
    } else {
      require_call(errno == EINTR, "send");
    }
  }
  wire.sending.clear();
}

// The session that the others resume.
bssl::UniquePtr<SSL_SESSION> ticket;
int keep_first_ticket(SSL* /*ssl*/, SSL_SESSION* session) {
  if (ticket) return 0;
  ticket.reset(session);
  return 1;
}

bssl::UniquePtr<SSL_CTX> make_context(const ClientConfig& config) {
  bssl::UniquePtr<SSL_CTX> made(SSL_CTX_new(TLS_method()));
  SSL_CTX* context = made.get();
  check(context != nullptr, "context");
  check(SSL_CTX_set_min_proto_version(context, config.version) == 1 &&
            SSL_CTX_set_max_proto_version(context, config.version) == 1,
        "version");
  check(SSL_CTX_set_strict_cipher_list(context, "ECDHE-ECDSA-AES128-GCM-SHA256") == 1, "suites");
  check(SSL_CTX_set1_curves_list(context, "X25519:P-256") == 1, "groups");
  const bssl::UniquePtr<EVP_PKEY> key(PEM_read_bio_PrivateKey(
      baseline::reader(config.certificates.key).get(), nullptr, nullptr, nullptr));
  const auto chain = baseline::certificates(config.certificates.chain);
  check(SSL_CTX_use_certificate(context, chain.front().get()) == 1, "certificate");
  check(key && SSL_CTX_use_PrivateKey(context, key.get()) == 1, "private key");
  for (std::size_t i = 1; i < chain.size(); ++i) {
    check(SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1, "chain");
  }
  // The server is who we have started.
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, keep_first_ticket);
  return made;
}

double percentile(std::vector<double>& sorted, double part) {
  if (sorted.empty()) return 0;
  const auto at = static_cast<std::size_t>(part * static_cast<double>(sorted.size()));
  return sorted[std::min(at, sorted.size() - 1)];
}

class Client {
 public:
  explicit Client(const ClientConfig& config)
      : config_(config),
        context_(make_context(config)),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        request_(options_request()) {
    require_call(epoll_ >= 0, "epoll_create1");
  }

  std::uint32_t served() const { return served_; }

  Outcome run(const Order& order) {
    order_ = order;
    outcome_ = {};
    const auto begin = Clock::now();
    switch (order.kind) {
      case Order::Kind::open:
        open_all();
        break;
      case Order::Kind::exchange:
        exchange();
        break;
      case Order::Kind::close_all:
        close_all();
        break;
    }
    outcome_.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    outcome_.connections = served_;
    if (!connections_.empty()) {
      const SSL* ssl = connections_.front()->ssl.get();
      outcome_.version = static_cast<std::uint16_t>(SSL_version(ssl));
      outcome_.suite = SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl));
    }
    outcome_.good = true;
    return outcome_;
  }

 private:
  void open_all() {
    std::uint32_t left = order_.count;
    opening_ = 0;
    if (order_.resumed && !ticket && left > 0) {
      --left;
      open_one();  // for its ticket
      wait_until([this] { return opening_ == 0; });
    }
    wait_until([&] {
      while (left > 0 && opening_ < kOpeningAtOnce) {
        --left;
        open_one();
      }
      return opening_ == 0;
    });
  }

  void open_one() {
    auto connection = std::make_unique<Connection>();
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    require_call(socket >= 0, "socket");
    connection->socket = socket;
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(0x7f000101U + opened_++ % kSourceAddresses);  // 127.0.1.1 on
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    require_call(bind(socket, generic, sizeof address) == 0, "bind");
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(config_.port);
    require_call(connect(socket, generic, sizeof address) == 0 || errno == EINPROGRESS, "connect");
    SSL* ssl = SSL_new(context_.get());
    connection->ssl.reset(ssl);
    check(ssl != nullptr, "connection");
    BIO* bio = new_wire_bio();
    SSL_set_bio(ssl, bio, bio);
    SSL_set_connect_state(ssl);
    check(SSL_set_tlsext_host_name(ssl, config_.domain.c_str()) == 1, "server name");
    if (order_.resumed && ticket) check(SSL_set_session(ssl, ticket.get()) == 1, "ticket");
    epoll_event event{};
    event.events = EPOLLOUT;  // until TCP is there
    event.data.ptr = connection.get();
    require_call(epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event) == 0, "epoll_ctl");
    connections_.push_back(std::move(connection));
    ++opening_;
  }

  void exchange() {
    latencies_.clear();
    latencies_.reserve(order_.count / order_.depth + 1);
    batches_left_ = order_.count / order_.depth;
    in_flight_ = 0;
    const std::uint32_t at_once = order_.at_once == 0 ? order_.active : order_.at_once;
    in_turn_ = at_once < order_.active;
    for (std::uint32_t i = 0; i < at_once && batches_left_ > 0; ++i) {
      send_batch(in_turn_ ? next_in_turn() : *connections_.at(i));
    }
    wait_until([this] { return in_flight_ == 0; });
    std::sort(latencies_.begin(), latencies_.end());
    outcome_.p50 = percentile(latencies_, 0.5);
    outcome_.p99 = percentile(latencies_, 0.99);
    outcome_.p999 = percentile(latencies_, 0.999);
  }

  // Of the active connections that has nothing under way.
  Connection& next_in_turn() {
    for (;;) {
      turn_ = (turn_ + 1) % order_.active;
      if (connections_.at(turn_)->awaited == 0) return *connections_[turn_];
    }
  }

  void send_batch(Connection& connection) {
    --batches_left_;
    ++in_flight_;
    send_requests(connection, order_.depth);
  }

  void send_requests(Connection& connection, std::uint32_t count) {
    connection.awaited = count;
    connection.sent = Clock::now();
    batch_.clear();
    for (std::uint32_t i = 0; i < count; ++i) {
      batch_.append(request_);
      if (order_.in_one_record && i + 1 < count) continue;
      const int size = static_cast<int>(batch_.size());
      check(SSL_write(connection.ssl.get(), batch_.data(), size) == size, "SSL_write");
      batch_.clear();
    }
    send_wire(connection.socket);
  }

  void close_all() {
    for (const auto& connection : connections_) {
      SSL_shutdown(connection->ssl.get());
      send_wire(connection->socket);
      close(connection->socket);
    }
    connections_.clear();
    served_ = 0;
  }

  template <typename Done>
  void wait_until(Done done) {
    std::array<epoll_event, 64> events{};
    while (!done()) {
      const int count =
          epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), kPatience);
      require(count > 0 || (count < 0 && errno == EINTR), "the server does not answer");
      for (int i = 0; i < count; ++i) {
        serve(*static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr));
      }
    }
  }

  void serve(Connection& connection) {
    if (!std::exchange(connection.reached, true)) {
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = &connection;
      require_call(epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.socket, &event) == 0, "epoll_ctl");
    } else {
      const ssize_t count = recv(connection.socket, wire.received.data(), wire.received.size(), 0);
      if (count < 0 && errno == EAGAIN) return;
      require(count > 0, "the server has closed a connection");
      wire.received_begin = 0;
      wire.received_end = static_cast<std::size_t>(count);
    }
    if (!connection.established && !shake_hands(connection)) return;
    read_responses(connection);
  }

  // True once it is done.
  bool shake_hands(Connection& connection) {
    SSL* ssl = connection.ssl.get();
    const int result = SSL_do_handshake(ssl);
    check(result == 1 || SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ, "handshake");
    send_wire(connection.socket);
    if (result != 1) return false;
    connection.established = true;
    if (SSL_session_reused(ssl) == 1) ++outcome_.resumed;
    send_requests(connection, 1);
    return true;
  }

  void read_responses(Connection& connection) {
    SSL* ssl = connection.ssl.get();
    for (;;) {
      const int count = SSL_read(ssl, plaintext_.data(), static_cast<int>(plaintext_.size()));
      if (count <= 0) {
        check(SSL_get_error(ssl, count) == SSL_ERROR_WANT_READ, "SSL_read");
        break;
      }
      count_responses(connection, {plaintext_.data(), static_cast<std::size_t>(count)});
    }
    if (!wire.sending.empty()) send_wire(connection.socket);
  }

  // The responses have no bodies, so each ends with an empty line.
  void count_responses(Connection& connection, std::string_view text) {
    if (connection.matched == 0 && text.substr(0, 12) != "SIP/2.0 200 ") refuse(text);
    std::uint32_t ends = 0;
    if (connection.matched > 0 && connection.matched < kMessageEnd.size()) {
      const std::string_view rest = kMessageEnd.substr(connection.matched);
      if (text.substr(0, rest.size()) == rest) ++ends;
    }
    std::size_t at = 0;
    for (std::size_t end = 0; (end = text.find(kMessageEnd, at)) != text.npos; ++ends) {
      at = end + kMessageEnd.size();
    }
    connection.matched = at == text.size() ? 0 : kMessageEnd.size();
    if (at < text.size()) {
      for (std::size_t length = kMessageEnd.size() - 1; length > 0; --length) {
        const std::string_view begin = kMessageEnd.substr(0, length);
        if (text.size() - at < length || text.substr(text.size() - length) != begin) continue;
        connection.matched = length;
        break;
      }
    }
    answered(connection, ends);
  }

  void answered(Connection& connection, std::uint32_t count) {
    if (count == 0) return;
    if (count > connection.awaited) throw std::runtime_error("more responses than requests");
    connection.awaited -= count;
    if (connection.awaited > 0) return;
    if (order_.kind == Order::Kind::open) {
      --opening_;
      ++served_;
      return;
    }
    latencies_.push_back(
        std::chrono::duration<double, std::micro>(Clock::now() - connection.sent).count());
    --in_flight_;
    if (batches_left_ > 0) send_batch(in_turn_ ? next_in_turn() : connection);
  }

  [[noreturn]] static void refuse(std::string_view text) {
    throw std::runtime_error("no 200 OK: " + std::string(text.substr(0, text.find('\r'))));
  }

  const ClientConfig config_;
  bssl::UniquePtr<SSL_CTX> context_;
  int epoll_;
  const std::string request_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::uint32_t opened_ = 0;
  std::uint32_t opening_ = 0;
  std::uint32_t served_ = 0;  // connections whose first request was answered
  std::uint32_t batches_left_ = 0;
  std::uint32_t in_flight_ = 0;
  std::uint32_t turn_ = 0;
  bool in_turn_ = false;
  std::vector<double> latencies_;
  std::string batch_;
  std::array<char, 16384> plaintext_{};
  Order order_;
  Outcome outcome_;
};

void serve_orders(const ClientConfig& config, int link) {
  raise_descriptor_limit();
  Client client(config);
  for (;;) {
    Order order;
    read_fully(link, &order, sizeof order);
    Outcome outcome;
    try {
      outcome = client.run(order);
    } catch (const std::exception& failure) {
      outcome = {};
      outcome.connections = client.served();
      std::strncpy(outcome.why, failure.what(), sizeof outcome.why - 1);
    }
    write_fully(link, &outcome, sizeof outcome);
  }
}

}  // namespace

LoadClient::LoadClient(const ClientConfig& config)
    : process_([&config](int link) {
        try {
          serve_orders(config, link);
        } catch (const std::exception&) {
          // The benchmark has ended.
        }
      }) {}

Outcome LoadClient::finish() const {
  Outcome outcome;
  read_fully(process_.link(), &outcome, sizeof outcome);
  if (!outcome.good) {
    throw std::runtime_error(std::string(outcome.why) + ", with " +
                             std::to_string(outcome.connections) + " connections open");
  }
  return outcome;
}

std::string options_request() {
  constexpr std::size_t kSize = 600;
  std::string text =
      "OPTIONS sip:server.example SIP/2.0\r\n"
      "Via: SIP/2.0/TLS client.example:5061;branch=z9hG4bK776asdhds4b5c6;rport\r\n"
      "Max-Forwards: 70\r\n"
      "From: \"Trunk monitor\" <sip:monitor@client.example>;tag=1928301774\r\n"
      "To: <sip:server.example>\r\n"
      "Call-ID: a84b4c76e66710f3b0c1d2@client.example\r\n"
      "CSeq: 63104 OPTIONS\r\n"
      "Contact: <sip:monitor@client.example:5061;transport=tls>\r\n"
      "Accept: application/sdp, application/isup\r\n"
      "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, PRACK, UPDATE, REFER, NOTIFY, INFO\r\n"
      "Supported: 100rel, timer, replaces, path\r\n"
      "User-Agent: ";
  const std::string end = "\r\nContent-Length: 0\r\n\r\n";
  text.append(kSize - text.size() - end.size(), 'x');
  return text + end;
}

}  // namespace bench
