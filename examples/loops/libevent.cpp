// siptls-echo-libevent: the server on libevent. See echo.hpp for what it does.
#include <event2/event.h>

#include <csignal>

#include "loops/echo.hpp"

namespace {

struct Host {
  siptls::TlsTransport& transport;
  event_base* loop;
  bool stopping = false;
};

void on_readable(evutil_socket_t, short, void* argument) {
  Host& host = *static_cast<Host*>(argument);
  while (const auto event = host.transport.next_event()) echo::handle(host.transport, *event);
  if (host.stopping && host.transport.connection_count() == 0) event_base_loopbreak(host.loop);
}

void on_signal(evutil_socket_t, short, void* argument) {
  Host& host = *static_cast<Host*>(argument);
  host.stopping = true;
  host.transport.close_all();
  on_readable(-1, 0, argument);  // what close_all() has left behind
}

void serve(siptls::TlsTransport& transport) {
  event_base* loop = event_base_new();
  Host host{transport, loop};
  event* readable = event_new(loop, transport.fd(), EV_READ | EV_PERSIST, on_readable, &host);
  event* stop = evsignal_new(loop, SIGTERM, on_signal, &host);
  event_add(readable, nullptr);
  event_add(stop, nullptr);
  event_base_dispatch(loop);
  event_free(stop);
  event_free(readable);  // leaves the descriptor open
  event_base_free(loop);
}

}  // namespace

int main(int argc, char** argv) { return echo::run(argc, argv, serve); }
