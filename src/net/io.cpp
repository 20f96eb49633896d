// The two calls that every octet goes through.
#include <sys/socket.h>

#include <cerrno>

#include "net/net.hpp"

namespace siptls::net {
namespace {

IoResult failed(int error) noexcept {
  if (error == EAGAIN || error == EWOULDBLOCK) return {IoStatus::would_block, 0, 0};
  return {IoStatus::failed, 0, error};
}

}  // namespace

IoResult receive(int socket, std::span<std::byte> into) noexcept {
  for (;;) {
    const ssize_t count = ::recv(socket, into.data(), into.size(), 0);
    if (count > 0) return {IoStatus::done, static_cast<std::size_t>(count), 0};
    if (count == 0) return {IoStatus::ended, 0, 0};
    if (errno != EINTR) return failed(errno);
  }
}

IoResult send(int socket, std::span<const std::byte> octets) noexcept {
  for (;;) {
    const ssize_t count = ::send(socket, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (count >= 0) return {IoStatus::done, static_cast<std::size_t>(count), 0};
    // That is no end of the connection.
    if (errno == ENOBUFS || errno == ENOMEM) return {IoStatus::no_buffers, 0, 0};
    if (errno != EINTR) return failed(errno);
  }
}

}  // namespace siptls::net
