// siptls-echo-epoll: the server on epoll, edge-triggered. See echo.hpp for what it does.
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

#include "loops/echo.hpp"

namespace {

int open_stop_descriptor() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

void watch(int loop, int descriptor, unsigned what) {
  epoll_event event{};
  event.events = what;
  event.data.fd = descriptor;
  epoll_ctl(loop, EPOLL_CTL_ADD, descriptor, &event);
}

void serve(siptls::TlsTransport& transport) {
  const int stop = open_stop_descriptor();
  const int loop = epoll_create1(EPOLL_CLOEXEC);
  watch(loop, stop, EPOLLIN | EPOLLONESHOT);
  // An edge is told once: who asks for edges takes events until there are none. Without EPOLLET
  // one event for each wake-up would do.
  watch(loop, transport.fd(), EPOLLIN | EPOLLET);

  for (bool stopping = false; !stopping || transport.connection_count() != 0;) {
    epoll_event ready{};
    epoll_wait(loop, &ready, 1, -1);
    if (ready.data.fd == stop) {
      stopping = true;
      transport.close_all();
    }
    while (const auto event = transport.next_event()) echo::handle(transport, *event);
  }
  close(loop);
  close(stop);
}

}  // namespace

int main(int argc, char** argv) { return echo::run(argc, argv, serve); }
