// The plain TCP side of siptls-relay: non-blocking sockets, and what waits to be written to one.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "siptls/endpoint.hpp"
#include "siptls/result.hpp"

namespace relay {

// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() noexcept = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { close(); }
  int get() const noexcept { return fd_; }
  bool is_open() const noexcept { return fd_ >= 0; }
  void close() noexcept;

 private:
  int fd_ = -1;
};

// Errors: `address_in_use`, `io_failed`.
siptls::Result<Descriptor> listen_at(const siptls::Endpoint& local);
siptls::Endpoint local_endpoint(int fd);
siptls::Endpoint remote_endpoint(int fd);

// One connection with the inner stack.
class InnerSocket {
 public:
  InnerSocket() noexcept = default;
  // An accepted connection.
  explicit InnerSocket(Descriptor socket);
  // Begins to connect; finish_connect() tells the outcome when the socket is writable.
  static siptls::Result<InnerSocket> connect(const siptls::Endpoint& remote);
  siptls::Result<void> finish_connect();

  // Octets that came, into `buffer`: 0 at the end of the stream, none if there is nothing now.
  // Errors: `connection_reset`, `io_failed`.
  siptls::Result<std::optional<std::size_t>> read(std::span<std::byte> buffer);
  // Writes what the kernel takes and keeps the rest for flush().
  siptls::Result<void> write(std::string_view octets);
  siptls::Result<void> flush();
  // The end of this side's stream, behind all that was written.
  void shut_down() noexcept;
  void close() noexcept { socket_.close(); }

  int fd() const noexcept { return socket_.get(); }
  bool is_open() const noexcept { return socket_.is_open(); }
  bool is_connecting() const noexcept { return connecting_; }
  std::size_t waiting() const noexcept { return waiting_.size() - written_; }
  // What the other end has not acknowledged, waiting() included.
  std::size_t undelivered() const noexcept;

 private:
  Descriptor socket_;
  std::string waiting_;
  std::size_t written_ = 0;  // of waiting_
  bool connecting_ = false;
};

}  // namespace relay
