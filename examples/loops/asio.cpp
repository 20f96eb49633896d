// siptls-echo-asio: the server on asio. See echo.hpp for what it does.
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/signal_set.hpp>
#include <csignal>

#include "loops/echo.hpp"

namespace {

class Host {
 public:
  Host(asio::io_context& loop, siptls::TlsTransport& transport)
      : transport_(transport), readable_(loop, transport.fd()), stop_(loop, SIGTERM) {
    stop_.async_wait([this](const asio::error_code& error, int) {
      if (error) return;
      stopping_ = true;
      transport_.close_all();
      readable_.cancel();  // comes back at once, for what close_all() has left behind
    });
    drain();
  }
  // The descriptor is the transport's: released, it is not closed a second time.
  ~Host() { readable_.release(); }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

 private:
  void drain() {
    while (const auto event = transport_.next_event()) echo::handle(transport_, *event);
    if (stopping_ && transport_.connection_count() == 0) return;  // no work left: run() ends
    readable_.async_wait(asio::posix::stream_descriptor::wait_read,
                         [this](const asio::error_code&) { drain(); });
  }

  siptls::TlsTransport& transport_;
  asio::posix::stream_descriptor readable_;
  asio::signal_set stop_;
  bool stopping_ = false;
};

void serve(siptls::TlsTransport& transport) {
  asio::io_context loop(1);
  const Host host(loop, transport);
  loop.run();
}

}  // namespace

int main(int argc, char** argv) { return echo::run(argc, argv, serve); }
