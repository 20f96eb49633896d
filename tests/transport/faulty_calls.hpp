// Trouble at the system calls of src/net.
//
// The program is linked with --wrap for each system call that src/net makes, so what is tested is
// the real src/net with all that stands on it, and a new function of net.hpp is covered as soon as
// the calls it makes are listed here (Call), in faulty_calls.cpp (__wrap_...) and in
// CMakeLists.txt.
//
// Calls are counted and disturbed only where a FaultyScope is alive, in its thread, and nowhere
// inside an Unfaulted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>

#include "siptls/clock.hpp"

namespace siptls_test {

enum class Call : std::uint8_t {
  socket,
  bind,
  listen,
  accept,
  connect,
  connect_outcome,  // getsockopt(SO_ERROR)
  local_address,    // getsockname
  option,           // setsockopt
  receive,
  send,
  shutdown,
  outstanding,  // ioctl(SIOCOUTQ)
  close,
  new_poller,
  watch,  // epoll_ctl(EPOLL_CTL_ADD)
  poll,
  new_timer,
  new_waker,
  clock,  // Clock::now()
};
inline constexpr std::size_t kCalls = static_cast<std::size_t>(Call::clock) + 1;
const char* to_string(Call call) noexcept;

enum class Trouble : std::uint8_t {
  fails,          // with errno `value`; the call is not made
  interrupted,    // the call is made, and says EINTR all the same
  reset,          // the connection is reset, and the call fails with errno `value`
  pipe_broken,    // nothing can be sent any more
  ended,          // end of stream
  cut_short,      // at most `value` octets, or events
  halved,         // half of what was asked
  never_answers,  // connects to somebody who does not accept
  socket_error,   // SO_ERROR is `value`
  wall_steps,     // the wall clock by `value` seconds
  time_leaps,     // the steady clock by `value` seconds
};

struct Fault {
  Call call;
  Trouble trouble;
  std::int64_t value;
  const char* name;
  unsigned times = 1;  // so many calls in a row
};
// What can happen to a call. EPOLL_CTL_MOD, EPOLL_CTL_DEL, timerfd_settime and the eventfd's read
// and write are missing, since they cannot fail for a descriptor of the process.
std::span<const Fault> faults_of(Call call) noexcept;

struct FaultPlan {
  const Fault* fault = nullptr;
  std::uint64_t at = 0;  // the first call of its kind to be disturbed, counted from 1
  // Of each receive and send, in percent: cut short, put off (EAGAIN), interrupted (EINTR).
  unsigned short_percent = 0;
  unsigned put_off_percent = 0;
  unsigned interrupted_percent = 0;
  // Of all calls, of a hundred thousand: any fault that its kind can have, but those of the clock.
  unsigned any_of_100000 = 0;
  // The kernel takes so many octets and no more, of all sockets together.
  std::optional<std::size_t> send_budget;
  // The kernel has no memory for what is sent (ENOBUFS), on whichever socket.
  bool no_buffers = false;
  std::mt19937 random{1};
};

struct CallLog {
  std::array<std::uint64_t, kCalls> counts{};
  std::uint64_t moved = 0;      // receives, sends, accepts and outcomes that succeeded
  std::uint64_t announced = 0;  // events given by epoll_wait
  std::uint64_t struck = 0;     // calls that were disturbed by `fault` or `any_of_100000`
  std::uint64_t octets_sent = 0;

  std::uint64_t count(Call call) const { return counts[static_cast<std::size_t>(call)]; }
};

class FaultyScope {
 public:
  explicit FaultyScope(const FaultPlan& plan);
  FaultyScope(const FaultyScope&) = delete;
  FaultyScope& operator=(const FaultyScope&) = delete;
  ~FaultyScope();

  FaultPlan& plan();
  const CallLog& log() const;
};

// What a test does for a peer of its own.
class Unfaulted {
 public:
  Unfaulted();
  Unfaulted(const Unfaulted&) = delete;
  Unfaulted& operator=(const Unfaulted&) = delete;
  ~Unfaulted();

 private:
  bool before_;
};

// A clock that moves when told to, or when it is struck by a fault. While one lives, the timers of
// src/net go by it: fire_earliest_timer() moves it to the time of the earliest one and makes that
// one readable, so that no test waits for a deadline.
class FaultyClock final : public siptls::Clock {
 public:
  FaultyClock();
  ~FaultyClock() override;
  siptls::Now now() const noexcept override;
  void advance(std::chrono::nanoseconds by) noexcept;
  // Time passes until the earliest timer is due. False if none is set.
  bool fire_earliest_timer();
  // Those that are due already, after a leap.
  void fire_due_timers();

 private:
  mutable siptls::Now now_;
};

// Descriptors that this process has open.
std::size_t open_descriptors();

}  // namespace siptls_test
