#include "relay.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tool/tls_setup.hpp"

namespace relay {

using namespace siptls;
using std::chrono::steady_clock;
using tool::Json;

namespace {

// Keys in epoll that are no ConnectionId.
constexpr std::uint64_t kTransport = ~std::uint64_t{0};
constexpr std::uint64_t kSignals = kTransport - 1;
constexpr std::uint64_t kInnerListener = kTransport - 2;
// Events handed out in a row, so that a flood from outside keeps neither the inner side nor a
// signal waiting.
constexpr int kEventsInARow = 1000;
// Behind the drain, for close_notify and the inner side's end.
constexpr auto kClosing = std::chrono::seconds(3);
// No event tells that all connections together have room again (`buffers_full`).
constexpr auto kTryAgain = std::chrono::milliseconds(100);

std::span<const std::byte> octets_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

void print_listening(const tool::Output& output, const Endpoint& at, std::string_view side) {
  output.event(Json{{"event", "listening"},
                    {"address", at.address_text()},
                    {"port", at.port()},
                    {"side", side}},
               fmt::format("listening on {} ({})", at.to_string(), side));
}

}  // namespace

Result<void> Relay::open(const std::optional<TlsContext>& server) {
  epoll_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.is_open()) return Unexpected(Errc::io_failed, std::strerror(errno));
  if (auto watched = watch(transport_.fd(), kTransport); !watched) return watched;
  outer_address_ = settings_.advertise;
  if (settings_.inner_listen) {
    Result<Descriptor> listener = listen_at(*settings_.inner_listen);
    if (!listener) return Unexpected(listener.error());
    inner_listener_ = *std::move(listener);
    const Endpoint bound = local_endpoint(inner_listener_.get());
    inner_address_ = bound.to_string();
    if (auto watched = watch(inner_listener_.get(), kInnerListener); !watched) return watched;
    print_listening(output_, bound, "inner");
  }
  if (settings_.listen && server) {
    const Result<ListenerId> listener =
        transport_.listen(ListenOptions{*settings_.listen, *server});
    if (!listener) return Unexpected(listener.error());
    const Result<Endpoint> bound = transport_.local_endpoint(*listener);
    if (!bound) return Unexpected(bound.error());
    if (outer_address_.empty()) outer_address_ = bound->to_string();
    print_listening(output_, *bound, "outer");
  }
  return {};
}

Result<void> Relay::watch(int fd, std::uint64_t key) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = key;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return Unexpected(Errc::io_failed, std::strerror(errno));
}

int Relay::run(int signals) {
  if (const Result<void> watched = watch(signals, kSignals); !watched) {
    return output_.fail(watched.error());
  }
  handle_events();
  bool is_over = false;
  while (!is_over && (!draining_ || !pairs_.empty() || transport_.connection_count() != 0)) {
    std::array<epoll_event, 64> ready{};
    const int count =
        ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), wait_time());
    for (const epoll_event& one :
         std::span(ready).first(static_cast<std::size_t>(std::max(0, count)))) {
      if (one.data.u64 == kSignals) {
        signalfd_siginfo taken{};
        if (::read(signals, &taken, sizeof taken) <= 0) continue;
        if (draining_) {
          is_over = true;  // whoever asks twice does not want to wait
        } else {
          begin_drain();
        }
      } else {
        handle_ready(one.data.u64, one.events);
      }
    }
    do_what_is_due();
    if (draining_ && steady_clock::now() >= end_ + kClosing) is_over = true;
  }
  for (const auto& [id, pair] : pairs_) report_dropped(*pair, Errc::connection_closed);
  return tool::kSuccess;
}

void Relay::handle_ready(std::uint64_t key, std::uint32_t what) {
  if (key == kTransport) return handle_events();
  if (key == kInnerListener) return accept_inner();
  const ConnectionId id{key};
  if (Pair* pair = find(id)) inner_ready(*pair, what);
  remove_if_over(id);
}

void Relay::handle_events() {
  for (int i = 0; i < kEventsInARow; ++i) {
    const std::optional<Event> event = transport_.next_event();
    if (!event) return;
    std::visit([this](const auto& happened) { handle(happened); }, *event);
  }
  transport_.flush();
}

void Relay::handle(const Connected& connected) {
  tool::print_connected(output_, connected);
  Pair* pair = find(connected.connection);
  if (connected.role == ConnectionRole::server && settings_.inner) {
    Result<InnerSocket> inner = InnerSocket::connect(*settings_.inner);
    if (inner) {
      pair = add_pair(connected.connection, *std::move(inner), FramerRole::client);
    } else {
      report(connected.connection, inner.error());
    }
  }
  if (pair == nullptr) {
    static_cast<void>(transport_.close(connected.connection));
    return;
  }
  pair->outer_open = true;
  pair->identity = identity_value(connected.peer);
  if (pair->outer_side.sent_by.empty()) pair->outer_side.sent_by = connected.local.to_string();
  // Nothing is read from the peer before there is somebody to give it to.
  if (pair->inner.is_connecting()) pair->outer_paused = transport_.pause(pair->id).has_value();
  if (!pair->inner.is_connecting() && inner_address_.empty()) {
    pair->inner_side.sent_by = local_endpoint(pair->inner.fd()).to_string();
  }
  update_interest(*pair);
}

void Relay::handle(const Message& received) {
  Pair* pair = find(received.connection);
  if (pair == nullptr || !pair->inner.is_open()) return;
  const SipMessageView& message = received.message;
  Outcome outcome =
      forward(message, {pair->outer_side, pair->inner_side, received.remote, pair->identity},
              {settings_.identity_header, pair->identity});
  if (const auto* refused = std::get_if<Refused>(&outcome)) {
    if (message.method() == "ACK") return;
    if (!pair->refused_for_room.empty()) return;  // a peer that does not read needs no answer
    return send_outward(*pair, make_response(message, received.remote, *refused));
  }
  if (const auto* dropped = std::get_if<Dropped>(&outcome)) {
    return report(pair->id, Error(Errc::invalid_header, dropped->why));
  }
  const Forwarded& forwarded = std::get<Forwarded>(outcome);
  print_message(*pair, message, "inward");
  if (message.is_request()) {
    // To an inner stack that has closed its side, and so cannot answer.
    if (pair->inner_input_over) return close_outer(*pair);
    if (message.method() != "ACK") pair->open_inward.add(forwarded.transaction);
  } else if (message.status() >= 200) {
    pair->open_outward.remove(forwarded.transaction);
  }
  write_inward(*pair, forwarded.message);
  if (pair->inner_input_over && pair->open_outward.empty()) close_outer(*pair);
  close_if_idle(*pair);
}

// What found no room waits, and with it whatever the inner stack sends behind it.
void Relay::send_outward(Pair& pair, std::string message) {
  const Result<SendToken> sent = transport_.send(pair.id, octets_of(message));
  if (sent) return;
  const Errc reason = sent.error().reason();
  if (reason == Errc::queue_full || reason == Errc::buffers_full) {
    if (reason == Errc::buffers_full) set_due(pair, steady_clock::now() + kTryAgain);
    pair.refused_for_room = std::move(message);
    return update_interest(pair);
  }
  report(pair.id, sent.error());
  pair.outward_over = true;
  close_outer(pair);
}

void Relay::send_again(Pair& pair) {
  if (!pair.refused_for_room.empty()) {
    send_outward(pair, std::exchange(pair.refused_for_room, {}));
  }
  if (!pair.refused_for_room.empty()) return;
  take_messages(pair);
  close_if_idle(pair);
}

void Relay::handle(const Writable& writable) {
  if (Pair* pair = find(writable.connection)) send_again(*pair);
  remove_if_over(writable.connection);
}

void Relay::handle(const ConnectFailed& failed) {
  for (const ConnectAttempt& attempt : failed.attempts) report(failed.connection, attempt.error);
  if (Pair* pair = find(failed.connection)) {
    pair->outer_ended = true;
    end_inner(*pair);
  }
  remove_if_over(failed.connection);
}

void Relay::handle(const HandshakeFailed& failed) {
  output_.error(failed.error, Json{{"connection", tool::number_of(failed.connection)},
                                   {"remote", failed.remote.to_string()}});
  Pair* pair = find(failed.connection);
  if (pair == nullptr || pair->outer_open) return;  // Closed follows
  pair->outer_ended = true;
  end_inner(*pair);
  remove_if_over(failed.connection);
}

void Relay::handle(const Closed& closed) {
  if (closed.error) report(closed.connection, *closed.error);
  tool::print_closed(output_, closed);
  if (Pair* pair = find(closed.connection)) {
    pair->outer_ended = true;
    end_inner(*pair);
  }
  remove_if_over(closed.connection);
}

void Relay::close_outer(const Pair& pair) {
  // An error means that it is closing already.
  static_cast<void>(transport_.close(pair.id));
}

Relay::Pair* Relay::find(ConnectionId id) {
  const auto found = pairs_.find(id);
  return found == pairs_.end() ? nullptr : found->second.get();
}

void Relay::remove_if_over(ConnectionId id) {
  const auto found = pairs_.find(id);
  if (found == pairs_.end()) return;
  if (!found->second->outer_ended || found->second->inner.is_open()) return;
  set_due(*found->second, MonoTime::max());
  pairs_.erase(found);
}

// No new connection in either direction; those without a transaction end now, others when it is
// done, and at the deadline all.
void Relay::begin_drain() {
  draining_ = true;
  end_ = steady_clock::now() + settings_.drain;
  inner_listener_.close();
  accept_again_ = MonoTime::max();
  transport_.drain_all(end_);
  for (const auto& [id, pair] : pairs_) close_if_idle(*pair);
  handle_events();
}

void Relay::close_if_idle(const Pair& pair) {
  const bool is_idle = pair.open_inward.empty() && pair.open_outward.empty() &&
                       pair.inner.waiting() == 0 && pair.refused_for_room.empty();
  if (draining_ && pair.outer_open && is_idle) close_outer(pair);
}

void Relay::set_due(Pair& pair, MonoTime at) {
  due_.erase({pair.due, pair.id});
  pair.due = at;
  if (at != MonoTime::max()) due_.emplace(at, pair.id);
}

void Relay::do_what_is_due() {
  const MonoTime now = steady_clock::now();
  while (!due_.empty() && due_.begin()->first <= now) {
    const ConnectionId id = due_.begin()->second;
    Pair& pair = *find(id);
    set_due(pair, MonoTime::max());
    if (pair.outer_ended) {
      linger(pair);
    } else {
      send_again(pair);
    }
    remove_if_over(id);
  }
  if (accept_again_ <= now) {
    accept_again_ = MonoTime::max();
    static_cast<void>(watch(inner_listener_.get(), kInnerListener));
  }
}

int Relay::wait_time() const {
  MonoTime next = accept_again_;
  if (!due_.empty()) next = std::min(next, due_.begin()->first);
  if (draining_) next = std::min(next, end_ + kClosing);
  if (next == MonoTime::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - steady_clock::now());
  return static_cast<int>(std::max<std::int64_t>(0, left.count()));
}

void Relay::print_message(const Pair& pair, const SipMessageView& message,
                          std::string_view direction) const {
  Json fields{{"event", message.is_request() ? "request" : "response"}, {"direction", direction}};
  if (message.is_request()) {
    fields["method"] = message.method();
    fields["uri"] = message.request_uri();
  } else {
    fields["status"] = message.status();
  }
  fields["call_id"] = message.call_id();
  fields["connection"] = tool::number_of(pair.id);
  output_.event(fields, fmt::format("connection {}: {} {}", tool::number_of(pair.id), direction,
                                    message.start_line()));
}

void Relay::report(ConnectionId id, const Error& error) const {
  output_.error(error, Json{{"connection", tool::number_of(id)}});
}

}  // namespace relay
