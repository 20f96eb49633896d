#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "net/net.hpp"

namespace siptls::net {
namespace {

epoll_event to_epoll(std::uint64_t key, Interest interest) noexcept {
  epoll_event event{};
  if (interest.read) event.events |= EPOLLIN;
  if (interest.write) event.events |= EPOLLOUT;
  event.data.u64 = key;
  return event;
}

}  // namespace

Result<Poller> Poller::create() {
  Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return Unexpected(io_error(errno, "epoll_create1"));
  return Poller(std::move(epoll));
}

Result<void> Poller::add(int fd, std::uint64_t key, Interest interest) {
  epoll_event event = to_epoll(key, interest);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return Unexpected(io_error(errno, "epoll_ctl"));
  }
  return {};
}

void Poller::change(int fd, std::uint64_t key, Interest interest) noexcept {
  epoll_event event = to_epoll(key, interest);
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void Poller::remove(int fd) noexcept {
  epoll_event event{};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, &event);
}

std::size_t Poller::poll(std::span<Ready> ready) noexcept {
  std::array<epoll_event, 256> events;
  const int room = static_cast<int>(std::min(ready.size(), events.size()));
  int count = ::epoll_wait(epoll_.get(), events.data(), room, 0);
  while (count < 0 && errno == EINTR) {
    count = ::epoll_wait(epoll_.get(), events.data(), room, 0);
  }
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    const bool hung_up = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
    ready[static_cast<std::size_t>(i)] =
        Ready{event.data.u64, (event.events & EPOLLIN) != 0 || hung_up,
              (event.events & EPOLLOUT) != 0 || hung_up, hung_up};
  }
  return static_cast<std::size_t>(std::max(count, 0));
}

Result<Timer> Timer::create() {
  Descriptor timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer) return Unexpected(io_error(errno, "timerfd_create"));
  return Timer(std::move(timer));
}

void Timer::set(std::chrono::nanoseconds delay) noexcept {
  const auto wait = std::max(delay, std::chrono::nanoseconds(1));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
  itimerspec spec{};
  spec.it_value.tv_sec = static_cast<time_t>(seconds.count());
  spec.it_value.tv_nsec = static_cast<long>((wait - seconds).count());
  ::timerfd_settime(timer_.get(), 0, &spec, nullptr);
}

void Timer::clear() noexcept {
  const itimerspec none{};
  ::timerfd_settime(timer_.get(), 0, &none, nullptr);
}

Result<Waker> Waker::create() {
  Descriptor event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return Unexpected(io_error(errno, "eventfd"));
  return Waker(std::move(event));
}

void Waker::signal() const noexcept {
  const std::uint64_t one = 1;
  // A full counter is readable already.
  [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
}

void Waker::clear() const noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(event_.get(), &count, sizeof count);
}

}  // namespace siptls::net
