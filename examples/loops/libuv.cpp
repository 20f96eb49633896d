// siptls-echo-libuv: the server on libuv. See echo.hpp for what it does.
#include <uv.h>

#include <csignal>

#include "loops/echo.hpp"

namespace {

struct Host {
  siptls::TlsTransport& transport;
  uv_poll_t readable{};
  uv_signal_t stop{};
  bool stopping = false;
};

void on_readable(uv_poll_t* readable, int, int) {
  Host& host = *static_cast<Host*>(readable->data);
  while (const auto event = host.transport.next_event()) echo::handle(host.transport, *event);
  if (!host.stopping || host.transport.connection_count() != 0) return;
  // Closes the handles and not the descriptor; without handles the loop ends.
  uv_close(reinterpret_cast<uv_handle_t*>(&host.readable), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&host.stop), nullptr);
}

void on_signal(uv_signal_t* stop, int) {
  Host& host = *static_cast<Host*>(stop->data);
  uv_signal_stop(stop);
  host.stopping = true;
  host.transport.close_all();
  on_readable(&host.readable, 0, UV_READABLE);  // what close_all() has left behind
}

void serve(siptls::TlsTransport& transport) {
  uv_loop_t loop;
  uv_loop_init(&loop);
  Host host{transport};
  host.readable.data = host.stop.data = &host;
  uv_poll_init(&loop, &host.readable, transport.fd());
  uv_poll_start(&host.readable, UV_READABLE, on_readable);
  uv_signal_init(&loop, &host.stop);
  uv_signal_start(&host.stop, on_signal, SIGTERM);
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_loop_close(&loop);
}

}  // namespace

int main(int argc, char** argv) { return echo::run(argc, argv, serve); }
