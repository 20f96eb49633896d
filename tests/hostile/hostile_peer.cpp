#include "hostile/hostile_peer.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <random>
#include <span>

namespace hostile {
namespace {

using namespace std::string_literals;

constexpr std::chrono::milliseconds kSlowOctet{100};
constexpr std::size_t kPingsAtOnce = 4096;
constexpr std::size_t kBodyAtOnce = 16 * 1024;
constexpr std::size_t kRequestsAtOnce = 10;  // 1000 a second

siptls::Now now() { return siptls::Clock::system()->now(); }

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

siptls::TlsSession make_session(const siptls::TlsContext& context) {
  return must(siptls::TlsSession::client(context, std::string(kDomain), now()));
}

bool is_member(Kind kind, std::uint64_t number) {
  switch (kind) {
    case Kind::slow_message:
    case Kind::ping_flood:
    case Kind::huge_body:
    case Kind::never_read:
      return true;
    case Kind::half_close:
      return number % 4 == 0;
    case Kind::reset_storm:
      return number % 16 == 0;
    default:
      return false;
  }
}

void set(int socket, int level, int name, int value) {
  setsockopt(socket, level, name, &value, sizeof value);
}

// Of a request whose body is as long as it says.
std::string header_with_body(std::uint64_t length) {
  std::string header = options_request(0);
  const std::string_view zero = "Content-Length: 0";
  header.replace(header.find(zero), zero.size(), "Content-Length: " + std::to_string(length));
  return header;
}

// A record of application data that nobody has encrypted.
std::string noise_record(std::string_view noise) {
  return "\x17\x03\x03\x01\x00"s + std::string(noise.substr(0, 256));
}

}  // namespace

Tools::Tools(const Certificates& certificates)
    : member(make_context(certificates.client, certificates.root)),
      stranger(make_context(certificates.huge, certificates.root)) {
  const siptls::TlsSession session = make_session(member);
  const auto hello = session.pending_output();
  client_hello.assign(reinterpret_cast<const char*>(hello.data()), hello.size());
  std::minstd_rand random(1);
  for (int i = 0; i < 512; ++i) noise.push_back(static_cast<char>(random() % 255 + 1));
}

HostilePeer::HostilePeer(Kind kind, std::uint64_t number, const Tools& tools)
    : kind_(kind), number_(number), tools_(tools), next_(Clock::now()) {}

HostilePeer::~HostilePeer() {
  if (socket_ < 0) return;
  const linger reset{1, 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(socket_);
}

bool HostilePeer::connect(std::uint8_t source, std::uint16_t port) {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return false;
  set(socket_, IPPROTO_TCP, TCP_NODELAY, 1);
  set(socket_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  if (kind_ == Kind::never_read) set(socket_, SOL_SOCKET, SO_RCVBUF, 4096);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(0x7f000000u | source);
  if (bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return false;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const int outcome =
      ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return outcome == 0 || errno == EINPROGRESS;
}

// TCP has come about.
void HostilePeer::begin() {
  if (is_member(kind_, number_)) {
    session_.emplace(make_session(tools_.member));
    return;
  }
  switch (kind_) {
    case Kind::slow_handshake:
      slow_ = tools_.client_hello;
      break;
    case Kind::garbage_flood:
      outbox_ = number_ % 2 == 0 ? tools_.noise : tools_.client_hello + noise_record(tools_.noise);
      break;
    case Kind::certificate_flood:
      session_.emplace(make_session(tools_.stranger));
      break;
    case Kind::half_close:
    case Kind::reset_storm:
      if (number_ % 2 == 1) outbox_ = tools_.client_hello;
      break;
    default:
      break;
  }
}

// The server has let this peer in, as far as that can be known.
void HostilePeer::established() {
  switch (kind_) {
    case Kind::slow_message:
      slow_ = options_request(number_);
      break;
    case Kind::huge_body:
      if (number_ % 2 == 0) {
        say(header_with_body(2'000'000'000));
      } else {
        slow_ = std::string(1'000'000, 'x');
        say(header_with_body(slow_.size()));
      }
      break;
    case Kind::half_close:
    case Kind::reset_storm:
      say(options_request(number_));
      break;
    default:
      break;
  }
}

bool HostilePeer::is_proven() const {
  return session_ && session_->state() == siptls::SessionState::established;
}

bool HostilePeer::move() {
  if (!up_) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size);
    sockaddr_in peer{};
    socklen_t peer_size = sizeof peer;
    if (error != 0) return false;
    if (getpeername(socket_, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) return true;
    up_ = true;
    begin();
  }
  if (!write() || !read() || !write()) {
    ended_ = true;
    return false;
  }
  if (is_proven() && !begun_) {
    begun_ = true;
    established();
    if (!write()) return false;
  }
  const bool said = outbox_.empty() && (!is_member(kind_, number_) || begun_);
  if (kind_ == Kind::reset_storm && said) return false;
  if (kind_ == Kind::half_close && said && !half_closed_) {
    half_closed_ = true;
    shutdown(socket_, SHUT_WR);
  }
  return true;
}

bool HostilePeer::tick(Clock::time_point at) {
  if (!up_) return true;
  if (slow_said_ < slow_.size()) {
    if (at < next_) return true;
    next_ = at + kSlowOctet;
    const std::string_view octet = std::string_view(slow_).substr(slow_said_++, 1);
    if (session_) {
      say(octet);
    } else {
      outbox_ += octet;
    }
    return write();
  }
  return !is_proven() || attack_established();
}

bool HostilePeer::attack_established() {
  if (!outbox_.empty()) return true;  // TCP holds it back
  switch (kind_) {
    case Kind::ping_flood: {
      std::string pings;
      for (std::size_t i = 0; i < kPingsAtOnce; ++i) pings += "\r\n\r\n";
      say(pings);
      break;
    }
    case Kind::huge_body:
      say(std::string(kBodyAtOnce, 'x'));
      break;
    case Kind::never_read: {
      std::string requests;
      for (std::size_t i = 0; i < kRequestsAtOnce; ++i) requests += options_request(i);
      say(requests);
      break;
    }
    default:
      return true;
  }
  return write();
}

void HostilePeer::say(std::string_view plaintext) {
  static_cast<void>(session_->send(bytes(plaintext), now()));
}

// False: the server has ended this connection.
bool HostilePeer::read() {
  if (kind_ == Kind::never_read && begun_) return true;
  std::array<char, 16 * 1024> buffer;
  for (;;) {
    const ssize_t count = recv(socket_, buffer.data(), buffer.size(), 0);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
    if (session_) take({buffer.data(), static_cast<std::size_t>(count)});
  }
}

void HostilePeer::take(std::string_view octets) {
  std::array<std::byte, 16 * 1024> plaintext;
  if (!session_->feed(bytes(octets), now())) return;
  for (;;) {
    const auto piece = session_->next_plaintext(plaintext, now());
    if (!piece || piece->empty()) break;
  }
  session_->keep_input();
}

bool HostilePeer::write() {
  if (session_) {
    const auto output = session_->pending_output();
    outbox_.append(reinterpret_cast<const char*>(output.data()), output.size());
    session_->consume_output(output.size());
  }
  while (outbox_sent_ < outbox_.size()) {
    const ssize_t count =
        send(socket_, outbox_.data() + outbox_sent_, outbox_.size() - outbox_sent_, MSG_NOSIGNAL);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    outbox_sent_ += static_cast<std::size_t>(count);
    octets_ += static_cast<std::size_t>(count);
  }
  outbox_.clear();
  outbox_sent_ = 0;
  return true;
}

}  // namespace hostile
