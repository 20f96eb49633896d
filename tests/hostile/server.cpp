// The server under attack: a plain host that answers every request.
#include <poll.h>

#include <array>
#include <limits>
#include <optional>
#include <span>
#include <variant>

#include "hostile/process.hpp"
#include "hostile/stage.hpp"

namespace hostile {
namespace {

// As good as none, each of them.
siptls::TransportLimits no_limits() {
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max() / 4;
  constexpr std::chrono::milliseconds kLong = std::chrono::hours(1);
  siptls::TransportLimits limits;
  limits.max_connections = limits.max_connections_per_address = kNone;
  limits.max_handshakes = limits.max_handshakes_per_address = kNone;
  limits.accept_rate = limits.accept_rate_per_address = limits.ping_rate =
      siptls::Rate::unlimited();
  limits.handshake_timeout = limits.first_message_timeout = kLong;
  limits.idle_timeout = limits.message_timeout = limits.write_timeout = kLong;
  limits.max_queued_bytes = limits.max_queued_messages = limits.max_buffered_bytes = kNone;
  limits.framer.max_start_line = limits.framer.max_header = limits.framer.max_header_rows =
      limits.framer.max_body = limits.framer.max_empty_lines =
          std::numeric_limits<std::uint32_t>::max() / 2;
  return limits;
}

// 200 OK into `response`.
void answer(const siptls::SipMessageView& request, std::string& response) {
  response.assign("SIP/2.0 200 OK\r\n");
  for (std::size_t i = 0; i < request.row_count(); ++i) {
    const siptls::HeaderRow row = request.row(i);
    switch (row.id) {
      case siptls::HeaderId::via:
      case siptls::HeaderId::from:
      case siptls::HeaderId::to:
      case siptls::HeaderId::call_id:
      case siptls::HeaderId::cseq:
        response.append(row.name).append(": ").append(row.value).append("\r\n");
        break;
      default:
        break;
    }
  }
  response.append("Content-Length: 0\r\n\r\n");
}

class Host {
 public:
  explicit Host(siptls::TlsTransport& transport) : transport_(transport) {}

  void handle(const siptls::Event& event) {
    if (const auto* received = std::get_if<siptls::Message>(&event)) {
      if (!received->message.is_request()) return;
      answer(received->message, response_);
      const auto sent = transport_.send(received->connection, std::as_bytes(std::span(response_)));
      // A peer that does not read its answers is not read either.
      if (!sent && sent.error().reason() == siptls::Errc::queue_full) {
        must(transport_.pause(received->connection));
      }
    } else if (const auto* writable = std::get_if<siptls::Writable>(&event)) {
      must(transport_.resume(writable->connection));
    }
  }

 private:
  siptls::TlsTransport& transport_;
  std::string response_;
};

}  // namespace

void run_server(int link, const ServerOrder& order) {
  siptls::TransportOptions options;
  if (order.lifted) options.limits = no_limits();
  if (order.accept_rate > 0) options.limits.accept_rate = {order.accept_rate, order.accept_rate};
  siptls::TlsTransport transport = must(siptls::TlsTransport::create(std::move(options)));
  const auto listener =
      must(transport.listen({must(siptls::Endpoint::parse("127.0.0.1", 0)),
                             make_context(order.certificates.server, order.certificates.root)}));
  write_value(link, must(transport.local_endpoint(listener)).port());
  Host host(transport);
  std::array<pollfd, 2> wait{pollfd{transport.fd(), POLLIN, 0}, pollfd{link, POLLIN, 0}};
  // A look at the link with every so many events: under a flood there may be no end of them.
  for (std::uint64_t events = 0; !is_readable(link);) {
    poll(wait.data(), wait.size(), -1);
    while (const std::optional<siptls::Event> event = transport.next_event()) {
      host.handle(*event);
      if (++events % 1024 == 0 && is_readable(link)) break;
    }
  }
  write_text(link, siptls::to_json(transport.metrics()));
}

}  // namespace hostile
