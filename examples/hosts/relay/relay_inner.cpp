// The inner half of siptls-relay: what comes from the inner stack, and what waits for it.
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "relay.hpp"
#include "tool/tls_setup.hpp"

namespace relay {

using namespace siptls;
using std::chrono::steady_clock;

namespace {

// Queued for an inner stack that does not read: its TLS peer is paused above the first, and goes on
// below the second. One message more can stand above.
constexpr std::size_t kHighWater = 256 * 1024;
constexpr std::size_t kLowWater = 64 * 1024;
// 64*T1: no transaction waits longer for the response to what the inner stack had sent before it
// closed its side (RFC 3261 section 17.1.1.2).
constexpr auto kHalfClosed = std::chrono::seconds(32);
// For the end of an inner connection behind ours, once all that was written has reached it.
constexpr auto kLinger = std::chrono::seconds(2);
// And until then, as long as it takes nothing: 64*T1 again.
constexpr auto kGivenUp = std::chrono::seconds(32);
// For a private connection: drained without end, no target is served by it but its own pair.
constexpr auto kForEver = std::chrono::hours(24 * 365 * 10);
constexpr auto kOutOfDescriptors = std::chrono::milliseconds(100);

}  // namespace

void Relay::accept_inner() {
  while (inner_listener_.is_open()) {
    Descriptor socket(
        ::accept4(inner_listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.is_open()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN) {
        // Readable all the same: the listener must not be waited for meanwhile.
        output_.warning(Error(Errc::too_many_files, std::strerror(errno)));
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, inner_listener_.get(), nullptr);
        accept_again_ = steady_clock::now() + kOutOfDescriptors;
      }
      return;
    }
    // A new connection for this one alone, since nobody else has got it and nobody will.
    const Result<ConnectionId> outer = transport_.connect(*settings_.next_hop);
    if (!outer) {
      output_.error(outer.error());
      continue;
    }
    static_cast<void>(transport_.drain(*outer, steady_clock::now() + kForEver));
    add_pair(*outer, InnerSocket(std::move(socket)), FramerRole::server);
  }
}

Relay::Pair* Relay::add_pair(ConnectionId id, InnerSocket inner, FramerRole role) {
  auto pair = std::make_unique<Pair>();
  pair->id = id;
  pair->framer = SipFramer(FramerOptions{role, {}});
  pair->inner_remote = inner.is_connecting() ? *settings_.inner : remote_endpoint(inner.fd());
  pair->inner = std::move(inner);
  pair->inner_side = {"TCP", inner_address_};
  pair->outer_side = {"TLS", outer_address_};
  epoll_event event{};
  event.data.u64 = tool::number_of(id);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, pair->inner.fd(), &event) != 0) {
    report(id, Error(Errc::io_failed, std::strerror(errno)));
    close_outer(*pair);
    return nullptr;
  }
  Pair* added = pair.get();
  pairs_.emplace(id, std::move(pair));
  update_interest(*added);
  return added;
}

void Relay::inner_ready(Pair& pair, std::uint32_t what) {
  if (pair.inner.is_connecting()) return finish_connect(pair);
  if ((what & EPOLLOUT) != 0) flush_inner(pair);
  if (!pair.inner.is_open()) return;
  if ((pair.interest & EPOLLIN) != 0) {
    if ((what & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_inner(pair);
  } else if ((what & (EPOLLHUP | EPOLLERR)) != 0) {
    inner_failed(pair, Error(Errc::connection_reset, "by the inner stack"));
  }
}

void Relay::finish_connect(Pair& pair) {
  if (const Result<void> done = pair.inner.finish_connect(); !done) {
    return inner_failed(pair, done.error());
  }
  if (inner_address_.empty()) pair.inner_side.sent_by = local_endpoint(pair.inner.fd()).to_string();
  flush_inner(pair);
}

void Relay::read_inner(Pair& pair) {
  const Result<std::optional<std::size_t>> count = pair.inner.read(buffer_);
  if (!count) return inner_failed(pair, count.error());
  if (!*count) return;
  if (**count == 0) return inner_input_ended(pair);
  if (pair.outer_ended) return;  // nobody is there to get it
  pair.framer.push(std::span(buffer_).first(**count));
  take_messages(pair);
}

void Relay::take_messages(Pair& pair) {
  while (pair.refused_for_room.empty() && pair.inner.is_open() && !pair.framer.failed() &&
         !pair.outward_over) {
    const FramerOutput next = pair.framer.next();
    if (std::holds_alternative<NeedMore>(next)) break;
    if (const auto* message = std::get_if<SipMessageView>(&next)) {
      handle_inner(pair, *message);
    } else if (const auto* keep_alive = std::get_if<KeepAlive>(&next)) {
      if (keep_alive->kind == KeepAlive::Kind::ping) write_inward(pair, kPong);
    } else if (const auto* error = std::get_if<Error>(&next)) {
      report(pair.id, *error);
      write_inward(pair, pair.framer.refusal_response());
      close_outer(pair);
    }
  }
  pair.framer.keep_input();
  update_interest(pair);
}

void Relay::handle_inner(Pair& pair, const SipMessageView& message) {
  // Nothing of this name may leave: the peer's relay would not be the one that says it.
  const IdentityHeader stripped{settings_.identity_header, ""};
  Outcome outcome = forward(
      message, {pair.inner_side, pair.outer_side, pair.inner_remote, pair.identity}, stripped);
  if (const auto* refused = std::get_if<Refused>(&outcome)) {
    if (message.method() == "ACK") return;
    return write_inward(pair, make_response(message, pair.inner_remote, *refused));
  }
  if (const auto* dropped = std::get_if<Dropped>(&outcome)) {
    return report(pair.id, Error(Errc::invalid_header, dropped->why));
  }
  auto& forwarded = std::get<Forwarded>(outcome);
  print_message(pair, message, "outward");
  if (message.is_request()) {
    if (message.method() != "ACK") pair.open_outward.add(forwarded.transaction);
  } else if (message.status() >= 200) {
    pair.open_inward.remove(forwarded.transaction);
  }
  send_outward(pair, std::move(forwarded.message));
  close_if_idle(pair);
}

void Relay::inner_input_ended(Pair& pair) {
  pair.inner_input_over = true;
  if (pair.outer_ended) {
    // It may have closed one direction only, and still read.
    if (pair.inner.waiting() == 0) pair.inner.close();
    return update_interest(pair);
  }
  if (!pair.framer.at_boundary()) {
    report(pair.id, Error(Errc::truncated, "the inner stack's stream ends inside a message"));
  }
  // It may have closed one direction only, and wait for its responses in the other.
  if (pair.open_outward.empty() || !transport_.drain(pair.id, steady_clock::now() + kHalfClosed)) {
    close_outer(pair);
  }
  update_interest(pair);
}

void Relay::inner_failed(Pair& pair, const Error& error) {
  pair.inner.close();
  report_dropped(pair, error.reason());
  if (pair.outer_ended) return;
  report(pair.id, error);
  close_outer(pair);
}

void Relay::write_inward(Pair& pair, std::string_view octets) {
  if (!pair.inner.is_open()) return;
  if (const Result<void> written = pair.inner.write(octets); !written) {
    return inner_failed(pair, written.error());
  }
  if (!pair.outer_paused && pair.inner.waiting() > kHighWater) {
    pair.outer_paused = transport_.pause(pair.id).has_value();
  }
  update_interest(pair);
}

void Relay::flush_inner(Pair& pair) {
  if (const Result<void> written = pair.inner.flush(); !written) {
    return inner_failed(pair, written.error());
  }
  if (pair.outer_paused && !pair.outer_ended && pair.inner.waiting() < kLowWater) {
    pair.outer_paused = false;
    // An error means that the connection is closing, and Closed follows.
    static_cast<void>(transport_.resume(pair.id));
  }
  if (pair.outer_ended && pair.inner.waiting() == 0) return end_inner(pair);
  update_interest(pair);
  close_if_idle(pair);
}

// The outer connection has ended. What waits for the inner stack is written, then this side is
// closed, and the inner stack's own end is awaited: closing with octets unread would take back what
// was written.
void Relay::end_inner(Pair& pair) {
  if (!pair.inner.is_open()) return;
  if (pair.inner.waiting() == 0) {
    if (pair.inner.is_connecting() || pair.inner_input_over) return pair.inner.close();
    pair.inner.shut_down();
  }
  pair.undelivered = pair.inner.undelivered();
  pair.undelivered_since = steady_clock::now();
  set_due(pair, pair.undelivered_since + kLinger);
  update_interest(pair);
}

// Whether the inner stack has got everything, or has stopped to take it. What the kernel holds
// counts: a reset in answer to what the stack still sends would take it back.
void Relay::linger(Pair& pair) {
  if (!pair.inner.is_open()) return;
  const MonoTime now = steady_clock::now();
  const std::size_t left = pair.inner.undelivered();
  if (left < pair.undelivered) pair.undelivered_since = now;
  pair.undelivered = left;
  if (left != 0 && now < pair.undelivered_since + kGivenUp) return set_due(pair, now + kLinger);
  report_dropped(pair, Errc::write_timeout);
  pair.inner.close();
}

void Relay::report_dropped(const Pair& pair, Errc reason) const {
  if (pair.inner.waiting() == 0) return;
  report(pair.id, Error(reason, fmt::format("{} octets are dropped, which the inner stack has not "
                                            "taken",
                                            pair.inner.waiting())));
}

void Relay::update_interest(Pair& pair) {
  if (!pair.inner.is_open()) return;
  const bool wants_input = pair.outer_ended
                               ? !pair.inner_input_over
                               : pair.outer_open && !pair.inner_input_over &&
                                     pair.refused_for_room.empty() && !pair.framer.failed() &&
                                     !pair.outward_over && pair.inner.waiting() <= kHighWater;
  std::uint32_t interest = 0;
  if (pair.inner.is_connecting() || pair.inner.waiting() != 0) interest |= EPOLLOUT;
  if (wants_input && !pair.inner.is_connecting()) interest |= EPOLLIN;
  if (interest == pair.interest) return;
  pair.interest = interest;
  epoll_event event{};
  event.events = interest;
  event.data.u64 = tool::number_of(pair.id);
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, pair.inner.fd(), &event);
}

}  // namespace relay
