#include "inner_socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace relay {

using siptls::Endpoint;
using siptls::Errc;
using siptls::Result;
using siptls::Unexpected;

namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
};

Address address_of(const Endpoint& endpoint) {
  Address address;
  if (endpoint.family() == siptls::AddressFamily::ipv4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(endpoint.port());
    std::memcpy(&in.sin_addr, endpoint.address_data(), endpoint.address_size());
    std::memcpy(&address.storage, &in, sizeof in);
    address.size = sizeof in;
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(endpoint.port());
    in.sin6_scope_id = endpoint.scope();
    std::memcpy(&in.sin6_addr, endpoint.address_data(), endpoint.address_size());
    std::memcpy(&address.storage, &in, sizeof in);
    address.size = sizeof in;
  }
  return address;
}

Endpoint endpoint_of(const Address& address) {
  if (address.storage.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &address.storage, sizeof in);
    std::array<std::uint8_t, 16> octets{};
    std::memcpy(octets.data(), &in.sin6_addr, octets.size());
    return Endpoint::ipv6(octets, ntohs(in.sin6_port), in.sin6_scope_id);
  }
  sockaddr_in in{};
  std::memcpy(&in, &address.storage, sizeof in);
  std::array<std::uint8_t, 4> octets{};
  std::memcpy(octets.data(), &in.sin_addr, octets.size());
  return Endpoint::ipv4(octets, ntohs(in.sin_port));
}

Unexpected failure(int error, const std::string& doing) {
  Errc reason = Errc::io_failed;
  if (error == ECONNRESET || error == EPIPE) reason = Errc::connection_reset;
  if (error == ECONNREFUSED) reason = Errc::connection_refused;
  if (error == EADDRINUSE) reason = Errc::address_in_use;
  if (error == EMFILE || error == ENFILE) reason = Errc::too_many_files;
  return Unexpected(reason, doing + ": " + std::generic_category().message(error));
}

Descriptor new_socket(const Endpoint& endpoint) {
  const int family = endpoint.family() == siptls::AddressFamily::ipv4 ? AF_INET : AF_INET6;
  return Descriptor(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

// A message is written in one call and must not wait for the acknowledgement of the one before.
void send_at_once(int fd) noexcept {
  const int on = 1;
  static_cast<void>(::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Descriptor::close() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Result<Descriptor> listen_at(const Endpoint& local) {
  const std::string doing = "listening on " + local.to_string();
  Descriptor socket = new_socket(local);
  if (!socket.is_open()) return failure(errno, doing);
  const int on = 1;
  Address address = address_of(local);
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(socket.get(), address.get(), address.size) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0) {
    return failure(errno, doing);
  }
  return socket;
}

Endpoint local_endpoint(int fd) {
  Address address;
  ::getsockname(fd, address.get(), &address.size);
  return endpoint_of(address);
}

Endpoint remote_endpoint(int fd) {
  Address address;
  ::getpeername(fd, address.get(), &address.size);
  return endpoint_of(address);
}

InnerSocket::InnerSocket(Descriptor socket) : socket_(std::move(socket)) { send_at_once(fd()); }

Result<InnerSocket> InnerSocket::connect(const Endpoint& remote) {
  Descriptor socket = new_socket(remote);
  Address address = address_of(remote);
  if (!socket.is_open() ||
      (::connect(socket.get(), address.get(), address.size) != 0 && errno != EINPROGRESS)) {
    return failure(errno, "connecting to " + remote.to_string());
  }
  InnerSocket connecting(std::move(socket));
  connecting.connecting_ = true;
  return connecting;
}

Result<void> InnerSocket::finish_connect() {
  connecting_ = false;
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) return failure(error, "connecting to the inner stack");
  return {};
}

Result<std::optional<std::size_t>> InnerSocket::read(std::span<std::byte> buffer) {
  const ssize_t count = ::recv(fd(), buffer.data(), buffer.size(), 0);
  if (count >= 0) return std::optional(static_cast<std::size_t>(count));
  if (errno == EAGAIN || errno == EINTR) return std::optional<std::size_t>();
  return failure(errno, "reading from the inner stack");
}

Result<void> InnerSocket::write(std::string_view octets) {
  waiting_.append(octets);
  return flush();
}

Result<void> InnerSocket::flush() {
  while (!connecting_ && waiting() != 0) {
    const ssize_t count = ::send(fd(), waiting_.data() + written_, waiting(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) return failure(errno, "writing to the inner stack");
    written_ += static_cast<std::size_t>(count);
  }
  if (waiting() == 0) {
    std::string().swap(waiting_);  // an idle connection keeps no buffer
    written_ = 0;
  } else if (written_ > waiting_.size() / 2) {
    waiting_.erase(0, std::exchange(written_, 0));
  }
  return {};
}

std::size_t InnerSocket::undelivered() const noexcept {
  int in_kernel = 0;
  if (::ioctl(fd(), TIOCOUTQ, &in_kernel) != 0) in_kernel = 0;
  return waiting() + static_cast<std::size_t>(in_kernel);
}

void InnerSocket::shut_down() noexcept { static_cast<void>(::shutdown(fd(), SHUT_WR)); }

}  // namespace relay
