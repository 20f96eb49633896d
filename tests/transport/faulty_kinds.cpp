// What can happen to each system call of src/net: errnos that its manual page names, and what a
// network does.
#include <cerrno>
#include <iterator>

#include "transport/faulty_calls.hpp"

namespace siptls_test {
namespace {

constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kYears30 = 30LL * 365 * 24 * kHour;

// In the order of Call.
constexpr Fault kFaults[] = {
    {Call::socket, Trouble::fails, EMFILE, "EMFILE"},
    {Call::socket, Trouble::fails, ENFILE, "ENFILE"},
    {Call::socket, Trouble::fails, ENOBUFS, "ENOBUFS"},
    {Call::socket, Trouble::fails, ENOMEM, "ENOMEM"},
    {Call::bind, Trouble::fails, EADDRINUSE, "EADDRINUSE"},
    {Call::bind, Trouble::fails, EADDRNOTAVAIL, "EADDRNOTAVAIL"},
    {Call::listen, Trouble::fails, EADDRINUSE, "EADDRINUSE"},
    {Call::accept, Trouble::fails, EAGAIN, "EAGAIN"},
    {Call::accept, Trouble::fails, EINTR, "EINTR"},
    {Call::accept, Trouble::fails, ECONNABORTED, "ECONNABORTED"},
    {Call::accept, Trouble::fails, EPROTO, "EPROTO"},
    {Call::accept, Trouble::fails, EMFILE, "EMFILE"},
    {Call::accept, Trouble::fails, EMFILE, "EMFILE, five times", 5},
    {Call::accept, Trouble::fails, ENFILE, "ENFILE"},
    {Call::accept, Trouble::fails, ENOBUFS, "ENOBUFS"},
    {Call::accept, Trouble::fails, ENOMEM, "ENOMEM"},
    {Call::accept, Trouble::fails, ENETDOWN, "ENETDOWN"},
    {Call::connect, Trouble::interrupted, EINTR, "EINTR"},
    {Call::connect, Trouble::fails, ECONNREFUSED, "ECONNREFUSED"},
    {Call::connect, Trouble::fails, ENETUNREACH, "ENETUNREACH"},
    {Call::connect, Trouble::fails, EADDRNOTAVAIL, "EADDRNOTAVAIL"},
    {Call::connect, Trouble::never_answers, 0, "never answers"},
    {Call::connect, Trouble::never_answers, 0, "never answers, three times", 3},
    {Call::connect_outcome, Trouble::socket_error, ECONNREFUSED, "ECONNREFUSED"},
    {Call::connect_outcome, Trouble::socket_error, ETIMEDOUT, "ETIMEDOUT"},
    {Call::connect_outcome, Trouble::socket_error, EHOSTUNREACH, "EHOSTUNREACH"},
    {Call::connect_outcome, Trouble::fails, ENOBUFS, "fails with ENOBUFS"},
    {Call::local_address, Trouble::fails, ENOBUFS, "ENOBUFS"},
    {Call::option, Trouble::fails, ENOMEM, "ENOMEM"},
    {Call::receive, Trouble::fails, EAGAIN, "EAGAIN"},
    {Call::receive, Trouble::fails, EAGAIN, "EAGAIN, twenty times", 20},
    {Call::receive, Trouble::fails, EINTR, "EINTR"},
    {Call::receive, Trouble::reset, ECONNRESET, "ECONNRESET"},
    {Call::receive, Trouble::reset, ETIMEDOUT, "ETIMEDOUT"},
    {Call::receive, Trouble::fails, ENOMEM, "ENOMEM"},
    {Call::receive, Trouble::ended, 0, "end of stream"},
    {Call::receive, Trouble::cut_short, 1, "one octet"},
    {Call::receive, Trouble::cut_short, 6, "six octets"},
    {Call::send, Trouble::fails, EAGAIN, "EAGAIN"},
    {Call::send, Trouble::fails, EAGAIN, "EAGAIN, twenty times", 20},
    {Call::send, Trouble::fails, EINTR, "EINTR"},
    {Call::send, Trouble::reset, ECONNRESET, "ECONNRESET"},
    {Call::send, Trouble::reset, ETIMEDOUT, "ETIMEDOUT"},
    {Call::send, Trouble::pipe_broken, EPIPE, "EPIPE"},
    {Call::send, Trouble::fails, ENOBUFS, "ENOBUFS"},
    {Call::send, Trouble::fails, ENOMEM, "ENOMEM"},
    {Call::send, Trouble::cut_short, 1, "one octet"},
    {Call::send, Trouble::halved, 0, "half"},
    {Call::shutdown, Trouble::fails, ENOTCONN, "ENOTCONN"},
    {Call::outstanding, Trouble::fails, EINVAL, "EINVAL"},
    {Call::close, Trouble::fails, EINTR, "EINTR"},
    {Call::new_poller, Trouble::fails, EMFILE, "EMFILE"},
    {Call::new_poller, Trouble::fails, ENOMEM, "ENOMEM"},
    {Call::watch, Trouble::fails, ENOMEM, "ENOMEM"},
    {Call::watch, Trouble::fails, ENOSPC, "ENOSPC"},
    {Call::poll, Trouble::fails, EINTR, "EINTR"},
    {Call::poll, Trouble::cut_short, 1, "one event"},
    {Call::new_timer, Trouble::fails, EMFILE, "EMFILE"},
    {Call::new_timer, Trouble::fails, ENOMEM, "ENOMEM"},
    {Call::new_waker, Trouble::fails, ENFILE, "ENFILE"},
    {Call::new_waker, Trouble::fails, ENOMEM, "ENOMEM"},
    {Call::clock, Trouble::wall_steps, kHour, "the wall clock goes forward an hour"},
    {Call::clock, Trouble::wall_steps, -kHour, "the wall clock goes back an hour"},
    {Call::clock, Trouble::wall_steps, kYears30, "the wall clock goes forward 30 years"},
    {Call::clock, Trouble::wall_steps, -kYears30, "the wall clock goes back 30 years"},
    {Call::clock, Trouble::time_leaps, 3, "three seconds are missing"},
    {Call::clock, Trouble::time_leaps, 24 * kHour, "a day is missing"},
};

}  // namespace

std::span<const Fault> faults_of(Call call) noexcept {
  const Fault* begin = std::begin(kFaults);
  while (begin != std::end(kFaults) && begin->call != call) ++begin;
  const Fault* end = begin;
  while (end != std::end(kFaults) && end->call == call) ++end;
  return {begin, end};
}

}  // namespace siptls_test
