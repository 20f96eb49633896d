#include "transport/faulty_io.hpp"

#include <sys/socket.h>

#include <cerrno>

#include "net/net.hpp"

namespace siptls_test {

Faults& faults() {
  static Faults the_faults;
  return the_faults;
}

namespace {

bool chance(unsigned percent) { return faults().random() % 100 < percent; }

// What this call is to do, and on how many octets at most.
siptls::net::IoResult plan(std::size_t octets) {
  Faults& f = faults();
  if (++f.calls == f.failing_call) return {siptls::net::IoStatus::failed, 0, f.failing_error};
  if (chance(f.would_block_percent)) return {siptls::net::IoStatus::would_block, 0, 0};
  if (octets > 1 && chance(f.short_percent)) octets = 1 + f.random() % (octets - 1);
  return {siptls::net::IoStatus::done, octets, 0};
}

siptls::net::IoResult result(ssize_t count, bool receiving) {
  using siptls::net::IoStatus;
  if (count > 0) return {IoStatus::done, static_cast<std::size_t>(count), 0};
  if (count == 0 && receiving) return {IoStatus::ended, 0, 0};
  if (errno == EAGAIN) return {IoStatus::would_block, 0, 0};
  return {IoStatus::failed, 0, errno};
}

}  // namespace
}  // namespace siptls_test

namespace siptls::net {

IoResult receive(int socket, std::span<std::byte> into) noexcept {
  // A short read stays far below the buffer: TLS records are what is to be cut.
  const IoResult planned = siptls_test::plan(into.size() < 3000 ? into.size() : 3000);
  if (planned.status != IoStatus::done) return planned;
  return siptls_test::result(::recv(socket, into.data(), planned.octets, 0), true);
}

IoResult send(int socket, std::span<const std::byte> octets) noexcept {
  const IoResult planned = siptls_test::plan(octets.size());
  if (planned.status != IoStatus::done) return planned;
  return siptls_test::result(::send(socket, octets.data(), planned.octets, MSG_NOSIGNAL), false);
}

}  // namespace siptls::net
