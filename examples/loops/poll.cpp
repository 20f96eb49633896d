// siptls-echo-poll: the server on poll(). See echo.hpp for what it does.
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "loops/echo.hpp"

namespace {

// SIGTERM as a descriptor, blocked so that none is missed between two polls.
int open_stop_descriptor() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

void serve(siptls::TlsTransport& transport) {
  const int stop = open_stop_descriptor();
  std::array<pollfd, 2> ready{{{transport.fd(), POLLIN, 0}, {stop, POLLIN, 0}}};

  for (bool stopping = false; !stopping || transport.connection_count() != 0;) {
    poll(ready.data(), ready.size(), -1);
    if ((ready[1].revents & POLLIN) != 0) {
      stopping = true;
      ready[1].fd = -1;  // told once
      transport.close_all();
    }
    while (const auto event = transport.next_event()) echo::handle(transport, *event);
  }
  close(stop);
}

}  // namespace

int main(int argc, char** argv) { return echo::run(argc, argv, serve); }
