#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/mapped_address.hpp"
#include "net/net.hpp"

namespace siptls::net {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
};

Address to_address(const Endpoint& endpoint) noexcept {
  Address address;
  if (endpoint.family() == AddressFamily::ipv4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(endpoint.port());
    std::memcpy(&in.sin_addr, endpoint.address_data(), 4);
    std::memcpy(&address.storage, &in, sizeof in);
    address.size = sizeof in;
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(endpoint.port());
    in.sin6_scope_id = endpoint.scope();
    std::memcpy(&in.sin6_addr, endpoint.address_data(), 16);
    std::memcpy(&address.storage, &in, sizeof in);
    address.size = sizeof in;
  }
  return address;
}

Endpoint to_endpoint(const Address& address) noexcept {
  if (address.storage.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &address.storage, sizeof in);
    std::array<std::uint8_t, 16> octets{};
    std::memcpy(octets.data(), &in.sin6_addr, octets.size());
    return unmapped(Endpoint::ipv6(octets, ntohs(in.sin6_port), in.sin6_scope_id));
  }
  sockaddr_in in{};
  std::memcpy(&in, &address.storage, sizeof in);
  std::array<std::uint8_t, 4> octets{};
  std::memcpy(octets.data(), &in.sin_addr, octets.size());
  return Endpoint::ipv4(octets, ntohs(in.sin_port));
}

void set_option(int socket, int level, int name, int value) noexcept {
  ::setsockopt(socket, level, name, &value, sizeof value);
}

Descriptor open_socket(AddressFamily family) noexcept {
  const int domain = family == AddressFamily::ipv4 ? AF_INET : AF_INET6;
  return Descriptor(::socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

}  // namespace

Error io_error(int error, const std::string& what) {
  Errc reason = Errc::io_failed;
  switch (error) {
    case ECONNREFUSED:
      reason = Errc::connection_refused;
      break;
    case ECONNRESET:
    case EPIPE:
      reason = Errc::connection_reset;
      break;
    case ETIMEDOUT:
      reason = Errc::connect_timeout;
      break;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EAFNOSUPPORT:
      reason = Errc::connect_failed;
      break;
    case EADDRINUSE:
      reason = Errc::address_in_use;
      break;
    case EADDRNOTAVAIL:
      reason = Errc::address_not_available;
      break;
    case EMFILE:
    case ENFILE:
      reason = Errc::too_many_files;
      break;
    case ENOMEM:
    case ENOBUFS:
      reason = Errc::out_of_memory;
      break;
    default:
      break;
  }
  return Error(reason, what + ": " + std::generic_category().message(error));
}

bool is_resource_limit(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

Result<Descriptor> listen(const ListenSpec& spec) {
  Descriptor socket = open_socket(spec.local.family());
  if (!socket) return Unexpected(io_error(errno, "socket"));
  set_option(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (spec.share_port) set_option(socket.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (spec.may_come_later) {
    const bool ipv4 = spec.local.family() == AddressFamily::ipv4;
    set_option(socket.get(), ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_FREEBIND : IPV6_FREEBIND,
               1);
  }
  // Said in either case: what holds otherwise is the system's choice (net.ipv6.bindv6only).
  if (spec.local.family() == AddressFamily::ipv6) {
    set_option(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, spec.dual ? 0 : 1);
  }
  Address address = to_address(spec.local);
  if (::bind(socket.get(), address.get(), address.size) != 0) {
    return Unexpected(io_error(errno, "bind to " + spec.local.to_string()));
  }
  if (::listen(socket.get(), SOMAXCONN) != 0) {
    return Unexpected(io_error(errno, "listen on " + spec.local.to_string()));
  }
  return socket;
}

AcceptResult accept(int listener) noexcept {
  for (;;) {
    Address address;
    Descriptor socket(
        ::accept4(listener, address.get(), &address.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
      set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1);
      return {IoStatus::done, {std::move(socket), to_endpoint(address)}, 0};
    }
    const int error = errno;
    // The connection was gone before it was accepted (accept(2)): the next one.
    if (error == EINTR || error == ECONNABORTED || error == EPROTO) continue;
    if (error == EAGAIN || error == EWOULDBLOCK) return {IoStatus::would_block, {}, 0};
    return {IoStatus::failed, {}, error};
  }
}

Result<Descriptor> start_connect(const Endpoint& remote, const std::optional<Endpoint>& local) {
  if (local && local->family() != remote.family()) {
    return Unexpected(Errc::connect_failed, "connect to " + remote.to_string() + " from " +
                                                local->address_text() +
                                                ": the addresses are of two families");
  }
  Descriptor socket = open_socket(remote.family());
  if (!socket) return Unexpected(io_error(errno, "socket"));
  set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  if (local) {
    // Lets the kernel choose the port when the remote address is known, so that one source address
    // can have more connections than ports.
    if (local->port() == 0) set_option(socket.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    set_option(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    Address address = to_address(*local);
    if (::bind(socket.get(), address.get(), address.size) != 0) {
      return Unexpected(io_error(errno, "bind to " + local->to_string()));
    }
  }
  Address address = to_address(remote);
  int outcome = ::connect(socket.get(), address.get(), address.size);
  while (outcome != 0 && errno == EINTR) {
    outcome = ::connect(socket.get(), address.get(), address.size);
  }
  if (outcome != 0 && errno != EINPROGRESS && errno != EALREADY && errno != EISCONN) {
    return Unexpected(io_error(errno, "connect to " + remote.to_string()));
  }
  return socket;
}

int connect_outcome(int socket) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

Endpoint local_endpoint(int socket) noexcept {
  Address address;
  if (::getsockname(socket, address.get(), &address.size) != 0) return {};
  return to_endpoint(address);
}

std::size_t unacknowledged(int socket) noexcept {
  int octets = 0;
  if (::ioctl(socket, SIOCOUTQ, &octets) != 0 || octets < 0) return 0;
  return static_cast<std::size_t>(octets);
}

void shutdown_write(int socket) noexcept { ::shutdown(socket, SHUT_WR); }

void reset_on_close(int socket) noexcept {
  const linger immediately{1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &immediately, sizeof immediately);
}

}  // namespace siptls::net
