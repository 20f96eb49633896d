#include "transport/faulty_calls.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <map>
#include <memory>

using siptls_test::Call;
using siptls_test::Fault;
using siptls_test::Trouble;

extern "C" {
// The linker gives these names to the calls themselves.
int __real_socket(int, int, int);
int __real_bind(int, const sockaddr*, socklen_t);
int __real_listen(int, int);
int __real_accept4(int, sockaddr*, socklen_t*, int);
int __real_connect(int, const sockaddr*, socklen_t);
int __real_getsockopt(int, int, int, void*, socklen_t*);
int __real_getsockname(int, sockaddr*, socklen_t*);
int __real_setsockopt(int, int, int, const void*, socklen_t);
ssize_t __real_recv(int, void*, size_t, int);
ssize_t __real_send(int, const void*, size_t, int);
int __real_shutdown(int, int);
int __real_ioctl(int, unsigned long, ...);
int __real_close(int);
int __real_epoll_create1(int);
int __real_epoll_ctl(int, int, int, epoll_event*);
int __real_epoll_wait(int, epoll_event*, int, int);
int __real_timerfd_create(int, int);
int __real_timerfd_settime(int, int, const itimerspec*, itimerspec*);
int __real_eventfd(unsigned, int);
}

namespace siptls_test {
namespace {

struct State {
  FaultPlan plan;
  CallLog log;
};
std::unique_ptr<State> state;
// One thread's calls are disturbed: the one that owns the transports.
thread_local bool armed = false;

FaultyClock* the_clock = nullptr;
std::map<int, siptls::MonoTime>& timers() {
  static std::map<int, siptls::MonoTime> due;
  return due;
}

bool chance(unsigned of, unsigned among) { return of > 0 && state->plan.random() % among < of; }

// The fault that strikes this call, if one does.
const Fault* strike(Call call) {
  if (!armed) return nullptr;
  FaultPlan& plan = state->plan;
  const std::uint64_t number = ++state->log.counts[static_cast<std::size_t>(call)];
  if (plan.fault != nullptr && plan.fault->call == call && number >= plan.at &&
      number < plan.at + plan.fault->times) {
    ++state->log.struck;
    return plan.fault;
  }
  if (call != Call::clock && chance(plan.any_of_100000, 100'000)) {
    const auto possible = faults_of(call);
    if (possible.empty()) return nullptr;
    ++state->log.struck;
    return &possible[plan.random() % possible.size()];
  }
  return nullptr;
}

void moved() {
  if (armed) ++state->log.moved;
}

int fail(int error) {
  errno = error;
  return -1;
}

// Fails as the fault says, and does to the socket what the peer or the network would have done.
int fail_by(const Fault& fault, int socket) {
  if (fault.trouble == Trouble::reset) {
    sockaddr nobody{};
    nobody.sa_family = AF_UNSPEC;
    __real_connect(socket, &nobody, sizeof nobody);  // disconnects by a reset
  } else if (fault.trouble == Trouble::pipe_broken) {
    __real_shutdown(socket, SHUT_WR);
  }
  return fail(static_cast<int>(fault.value));
}

// An address where SYNs are dropped: a listener that never accepts and whose backlog is full.
sockaddr_in silent_address() {
  static const sockaddr_in address = [] {
    sockaddr_in local{};
    local.sin_family = AF_INET;
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof local;
    const int listener = __real_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    __real_bind(listener, reinterpret_cast<const sockaddr*>(&local), size);
    __real_listen(listener, 0);
    __real_getsockname(listener, reinterpret_cast<sockaddr*>(&local), &size);
    for (int i = 0; i < 2; ++i) {
      const int filler = __real_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      __real_connect(filler, reinterpret_cast<const sockaddr*>(&local), size);
    }
    return local;
  }();
  return address;
}

// How many octets this call may move; nothing if it is put off or interrupted (errno says which).
std::optional<std::size_t> octets_of(const Fault* fault, std::size_t octets) {
  FaultPlan& plan = state->plan;
  if (fault != nullptr && fault->trouble == Trouble::cut_short) {
    return std::min(octets, static_cast<std::size_t>(fault->value));
  }
  if (fault != nullptr && fault->trouble == Trouble::halved) {
    return std::max<std::size_t>(octets / 2, 1);
  }
  if (chance(plan.put_off_percent, 100)) {
    errno = EAGAIN;
    return std::nullopt;
  }
  if (chance(plan.interrupted_percent, 100)) {
    errno = EINTR;
    return std::nullopt;
  }
  if (octets > 1 && chance(plan.short_percent, 100)) {
    // Far below the receive buffer: TLS records are what is to be cut.
    return 1 + plan.random() % std::min<std::size_t>(octets - 1, 3000);
  }
  return octets;
}

}  // namespace

const char* to_string(Call call) noexcept {
  constexpr std::array<const char*, kCalls> kNames = {
      "socket", "bind",    "listen", "accept",   "connect",     "connect_outcome", "local_address",
      "option", "receive", "send",   "shutdown", "outstanding", "close",           "poller",
      "watch",  "poll",    "timer",  "waker",    "clock"};
  return kNames[static_cast<std::size_t>(call)];
}

FaultyScope::FaultyScope(const FaultPlan& plan) {
  silent_address();  // its descriptors are not the transports'
  state = std::make_unique<State>(State{plan, {}});
  armed = true;
}
FaultyScope::~FaultyScope() {
  armed = false;
  state.reset();
}
FaultPlan& FaultyScope::plan() { return state->plan; }
const CallLog& FaultyScope::log() const { return state->log; }

Unfaulted::Unfaulted() : before_(armed) { armed = false; }
Unfaulted::~Unfaulted() { armed = before_; }

FaultyClock::FaultyClock() : now_(siptls::Clock::system()->now()) {
  now_.standing = siptls::ClockStanding::given;
  timers().clear();
  the_clock = this;
}
FaultyClock::~FaultyClock() {
  the_clock = nullptr;
  timers().clear();
}

siptls::Now FaultyClock::now() const noexcept {
  if (const Fault* fault = strike(Call::clock)) {
    const std::chrono::seconds step(fault->value);
    now_.wall += step;
    if (fault->trouble == Trouble::time_leaps) now_.mono += step;
  }
  return now_;
}

void FaultyClock::advance(std::chrono::nanoseconds by) noexcept {
  now_.mono += by;
  now_.wall += std::chrono::duration_cast<siptls::WallTime::duration>(by);
}

bool FaultyClock::fire_earliest_timer() {
  const auto earliest =
      std::min_element(timers().begin(), timers().end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  if (earliest == timers().end()) return false;
  if (earliest->second > now_.mono) advance(earliest->second - now_.mono);
  fire_due_timers();
  return true;
}

void FaultyClock::fire_due_timers() {
  for (auto timer = timers().begin(); timer != timers().end();) {
    // One that was set when its time had come already has a nanosecond left.
    if (timer->second > now_.mono + std::chrono::microseconds(1)) {
      ++timer;
      continue;
    }
    itimerspec at_once{};
    at_once.it_value.tv_nsec = 1;
    __real_timerfd_settime(timer->first, 0, &at_once, nullptr);
    timer = timers().erase(timer);
  }
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  while (folder != nullptr && ::readdir(folder) != nullptr) ++count;
  if (folder != nullptr) ::closedir(folder);
  return count;
}

}  // namespace siptls_test

using namespace siptls_test;

extern "C" {

int __wrap_socket(int domain, int type, int protocol) {
  if (const Fault* fault = strike(Call::socket)) return fail(static_cast<int>(fault->value));
  return __real_socket(domain, type, protocol);
}

int __wrap_bind(int socket, const sockaddr* address, socklen_t size) {
  if (const Fault* fault = strike(Call::bind)) return fail(static_cast<int>(fault->value));
  return __real_bind(socket, address, size);
}

int __wrap_listen(int socket, int backlog) {
  if (const Fault* fault = strike(Call::listen)) return fail(static_cast<int>(fault->value));
  return __real_listen(socket, backlog);
}

int __wrap_accept4(int listener, sockaddr* address, socklen_t* size, int flags) {
  if (const Fault* fault = strike(Call::accept)) return fail(static_cast<int>(fault->value));
  const int socket = __real_accept4(listener, address, size, flags);
  if (socket >= 0) moved();
  return socket;
}

int __wrap_connect(int socket, const sockaddr* address, socklen_t size) {
  const Fault* fault = strike(Call::connect);
  if (fault == nullptr) return __real_connect(socket, address, size);
  if (fault->trouble == Trouble::fails) return fail(static_cast<int>(fault->value));
  if (fault->trouble == Trouble::interrupted) {
    __real_connect(socket, address, size);
    return fail(EINTR);
  }
  const sockaddr_in silent = silent_address();
  return __real_connect(socket, reinterpret_cast<const sockaddr*>(&silent), sizeof silent);
}

int __wrap_getsockopt(int socket, int level, int name, void* value, socklen_t* size) {
  const bool outcome = level == SOL_SOCKET && name == SO_ERROR;
  const Fault* fault = outcome ? strike(Call::connect_outcome) : nullptr;
  if (fault != nullptr && fault->trouble == Trouble::fails) {
    return fail(static_cast<int>(fault->value));
  }
  const int result = __real_getsockopt(socket, level, name, value, size);
  if (fault != nullptr) *static_cast<int*>(value) = static_cast<int>(fault->value);
  if (outcome) moved();
  return result;
}

int __wrap_getsockname(int socket, sockaddr* address, socklen_t* size) {
  if (const Fault* fault = strike(Call::local_address)) return fail(static_cast<int>(fault->value));
  return __real_getsockname(socket, address, size);
}

int __wrap_setsockopt(int socket, int level, int name, const void* value, socklen_t size) {
  if (const Fault* fault = strike(Call::option)) return fail(static_cast<int>(fault->value));
  return __real_setsockopt(socket, level, name, value, size);
}

ssize_t __wrap_recv(int socket, void* into, size_t octets, int flags) {
  if (!armed) return __real_recv(socket, into, octets, flags);
  const Fault* fault = strike(Call::receive);
  if (fault != nullptr && fault->trouble == Trouble::ended) return 0;
  if (fault != nullptr && fault->trouble != Trouble::cut_short) return fail_by(*fault, socket);
  const auto allowed = octets_of(fault, octets);
  if (!allowed) return -1;
  const ssize_t count = __real_recv(socket, into, *allowed, flags);
  if (count >= 0) moved();
  return count;
}

ssize_t __wrap_send(int socket, const void* from, size_t octets, int flags) {
  if (!armed) return __real_send(socket, from, octets, flags);
  const Fault* fault = strike(Call::send);
  if (fault != nullptr && fault->trouble != Trouble::cut_short &&
      fault->trouble != Trouble::halved) {
    return fail_by(*fault, socket);
  }
  if (state->plan.no_buffers) return fail(ENOBUFS);
  auto allowed = octets_of(fault, octets);
  if (!allowed) return -1;
  if (state->plan.send_budget) {
    *allowed = std::min(*allowed, *state->plan.send_budget);
    if (*allowed == 0) return fail(EAGAIN);
  }
  const ssize_t count = __real_send(socket, from, *allowed, flags);
  if (count > 0) {
    moved();
    state->log.octets_sent += static_cast<std::uint64_t>(count);
    if (state->plan.send_budget) *state->plan.send_budget -= static_cast<std::size_t>(count);
  }
  return count;
}

int __wrap_shutdown(int socket, int how) {
  if (const Fault* fault = strike(Call::shutdown)) return fail(static_cast<int>(fault->value));
  return __real_shutdown(socket, how);
}

int __wrap_ioctl(int descriptor, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  const Fault* fault = request == SIOCOUTQ ? strike(Call::outstanding) : nullptr;
  if (fault != nullptr) return fail(static_cast<int>(fault->value));
  return __real_ioctl(descriptor, request, argument);
}

int __wrap_close(int descriptor) {
  const Fault* fault = strike(Call::close);
  if (armed) timers().erase(descriptor);
  const int result = __real_close(descriptor);
  // Linux has closed it by then (close(2)).
  return fault != nullptr ? fail(static_cast<int>(fault->value)) : result;
}

int __wrap_epoll_create1(int flags) {
  if (const Fault* fault = strike(Call::new_poller)) return fail(static_cast<int>(fault->value));
  return __real_epoll_create1(flags);
}

int __wrap_epoll_ctl(int poller, int operation, int descriptor, epoll_event* event) {
  const Fault* fault = operation == EPOLL_CTL_ADD ? strike(Call::watch) : nullptr;
  if (fault != nullptr) return fail(static_cast<int>(fault->value));
  return __real_epoll_ctl(poller, operation, descriptor, event);
}

int __wrap_epoll_wait(int poller, epoll_event* events, int room, int timeout) {
  const Fault* fault = strike(Call::poll);
  if (fault != nullptr && fault->trouble == Trouble::fails) {
    return fail(static_cast<int>(fault->value));
  }
  if (fault != nullptr) room = std::min(room, static_cast<int>(fault->value));
  const int count = __real_epoll_wait(poller, events, room, timeout);
  if (armed && count > 0) state->log.announced += static_cast<std::uint64_t>(count);
  return count;
}

int __wrap_timerfd_create(int clock, int flags) {
  if (const Fault* fault = strike(Call::new_timer)) return fail(static_cast<int>(fault->value));
  return __real_timerfd_create(clock, flags);
}

int __wrap_timerfd_settime(int timer, int flags, const itimerspec* when, itimerspec* before) {
  if (!armed || the_clock == nullptr) {
    return __real_timerfd_settime(timer, flags, when, before);
  }
  const itimerspec never{};
  const auto delay = std::chrono::seconds(when->it_value.tv_sec) +
                     std::chrono::nanoseconds(when->it_value.tv_nsec);
  if (delay.count() == 0) {
    timers().erase(timer);
  } else {
    const Unfaulted no_step;
    timers()[timer] = the_clock->now().mono + delay;
  }
  return __real_timerfd_settime(timer, flags, &never, before);
}

int __wrap_eventfd(unsigned count, int flags) {
  if (const Fault* fault = strike(Call::new_waker)) return fail(static_cast<int>(fault->value));
  return __real_eventfd(count, flags);
}

}  // extern "C"
