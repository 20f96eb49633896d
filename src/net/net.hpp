// The system calls of the transport: TCP sockets, epoll, timerfd, eventfd.
//
// Thin and without state of its own, so that a test can put another implementation of this header
// in its place. Nothing here blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "siptls/clock.hpp"
#include "siptls/endpoint.hpp"
#include "siptls/result.hpp"

namespace siptls::net {

// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() noexcept = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { close(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept;
  void close() noexcept;

 private:
  int fd_ = -1;
};

enum class IoStatus : std::uint8_t {
  done,  // `octets` were moved
  would_block,
  no_buffers,  // send only: the kernel has no memory for it now, and no poll tells when it has
  ended,       // receive only: the peer's FIN
  failed,      // `error` says why
};

struct IoResult {
  IoStatus status = IoStatus::done;
  std::size_t octets = 0;
  int error = 0;
};

// An Error for an errno of `what`.
Error io_error(int error, const std::string& what);

struct ListenSpec {
  Endpoint local;
  bool may_come_later = false;  // IP_FREEBIND
  bool share_port = false;      // SO_REUSEPORT
  bool dual = false;            // IPv4 as well, on [::]
};
Result<Descriptor> listen(const ListenSpec& spec);

struct Accepted {
  Descriptor socket;
  Endpoint remote;  // an IPv4 one also where a dual listener accepted it
};
struct AcceptResult {
  IoStatus status = IoStatus::done;
  Accepted accepted;
  int error = 0;
};
AcceptResult accept(int listener) noexcept;
// True for an errno of accept() that says that this process or system is out of descriptors or
// memory, so that trying on would spin.
bool is_resource_limit(int error) noexcept;

// Starts to connect; the socket becomes writable when that is decided.
Result<Descriptor> start_connect(const Endpoint& remote, const std::optional<Endpoint>& local);
// The outcome of a started connect: 0 or an errno.
int connect_outcome(int socket) noexcept;

Endpoint local_endpoint(int socket) noexcept;
IoResult receive(int socket, std::span<std::byte> into) noexcept;
IoResult send(int socket, std::span<const std::byte> octets) noexcept;
// Octets that were given to the kernel and are not acknowledged by the peer's TCP.
std::size_t unacknowledged(int socket) noexcept;
void shutdown_write(int socket) noexcept;
// Makes close() send a reset.
void reset_on_close(int socket) noexcept;

struct Interest {
  bool read = false;
  bool write = false;
  friend bool operator==(const Interest&, const Interest&) = default;
};

struct Ready {
  std::uint64_t key = 0;
  bool readable = false;  // or ended, or failed
  bool writable = false;
  bool hung_up = false;  // failed, or closed in both directions
};

// Level-triggered epoll: a set that is itself a descriptor to wait on.
class Poller {
 public:
  static Result<Poller> create();
  int fd() const noexcept { return epoll_.get(); }
  Result<void> add(int fd, std::uint64_t key, Interest interest);
  void change(int fd, std::uint64_t key, Interest interest) noexcept;
  void remove(int fd) noexcept;
  // Never waits.
  std::size_t poll(std::span<Ready> ready) noexcept;

 private:
  explicit Poller(Descriptor epoll) noexcept : epoll_(std::move(epoll)) {}
  Descriptor epoll_;
};

// Becomes readable after a while.
class Timer {
 public:
  static Result<Timer> create();
  int fd() const noexcept { return timer_.get(); }
  // Readable after `delay`; at least one nanosecond.
  void set(std::chrono::nanoseconds delay) noexcept;
  void clear() noexcept;

 private:
  explicit Timer(Descriptor timer) noexcept : timer_(std::move(timer)) {}
  Descriptor timer_;
};

// Readable from signal() to clear(). signal() may be called from any thread.
class Waker {
 public:
  static Result<Waker> create();
  int fd() const noexcept { return event_.get(); }
  void signal() const noexcept;
  void clear() const noexcept;

 private:
  explicit Waker(Descriptor event) noexcept : event_(std::move(event)) {}
  Descriptor event_;
};

}  // namespace siptls::net
