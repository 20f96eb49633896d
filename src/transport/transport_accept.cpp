// Listeners that accept, pause and go on, and the connections that are refused.
#include <algorithm>
#include <utility>

#include "transport/transport_core.hpp"

namespace siptls {
namespace {

// Connections that one listener may accept in its turn. Few, because handshakes wait behind it.
constexpr int kAcceptsPerTurn = 16;
// Those that are refused at once cost little.
constexpr int kLooksPerTurn = 64;
// Out of descriptors: how long to wait before trying again, if no connection ends before.
constexpr std::chrono::milliseconds kAcceptRetry{250};
// A listener that has just gone on and must pause again goes on so much later: a host gets at most
// ten of these events a second.
constexpr std::chrono::milliseconds kPauseInterval{100};

}  // namespace

void TransportCore::accept_from(Listener& listener) {
  int taken = 0;
  for (int turn = 0; turn < kLooksPerTurn; ++turn) {
    if (auto obstacle = admission_.obstacle(connections_.size(), now_.mono)) {
      pause_listener(listener, *std::move(obstacle));
      return;
    }
    net::AcceptResult result = net::accept(listener.socket.get());
    if (result.status == net::IoStatus::would_block) return;
    if (result.status != net::IoStatus::done) {
      Error error = net::io_error(result.error, "accept on " + listener.local.to_string());
      if (net::is_resource_limit(result.error)) {
        pause_listener(listener, std::move(error));
      } else {
        put_event(Warning{std::move(error)});
      }
      return;
    }
    account_.note_accepted();
    if (const auto why = objection_to(listener, result.accepted.remote)) {
      refuse(std::move(result.accepted.socket), result.accepted.remote, *why);
      continue;
    }
    admission_.accepted(now_.mono);
    accept_one(listener, std::move(result.accepted));
    if (++taken == kAcceptsPerTurn) break;
  }
  may_be_more_ = true;
}

// Who comes through a load balancer is counted when its header has told the address.
std::optional<Error> TransportCore::objection_to(const Listener& listener, const Endpoint& remote) {
  if (listener.proxy != ProxyProtocol::off) return objection_to_balancer(listener, remote);
  return admission_.enter(remote, now_.mono);
}

// Before its handshake: the peer sees a reset, and the host sees nothing.
void TransportCore::refuse(net::Descriptor socket, const Endpoint& remote, const Error& why) {
  account_.note_accept_refused(remote, why, now_);
  net::reset_on_close(socket.get());
  socket.close();
}

// Counts a connection whose address has become known. False: it was one too many, and is gone.
bool TransportCore::enter(Connection& connection) {
  if (const auto full = admission_.enter(connection.remote, now_.mono)) {
    account_.note_accept_refused(connection.remote, *full, now_);
    bury(connection, Farewell::reset);
    return false;
  }
  connection.entered = true;
  return true;
}

void TransportCore::leave(const Connection& connection) {
  if (connection.role == ConnectionRole::client) return;
  if (!connection.connected) admission_.end_handshake();
  if (connection.entered) admission_.leave(connection.remote, connection.connected, now_.mono);
}

void TransportCore::pause_listener(Listener& listener, Error why) {
  if (listener.paused) return;
  listener.paused = true;
  poller_.change(listener.socket.get(), key_of(listener.id), {});
  const bool again = now_.mono < listener.resume_from + kPauseInterval;
  listener.resume_from = again ? now_.mono + kPauseInterval : now_.mono;
  const bool out_of_resources = category_of(why.reason()) != Category::limit;
  listener.retry_from = out_of_resources ? now_.mono + kAcceptRetry : MonoTime::min();
  put_event(ListenerPaused{listener.id, std::move(why)});
  static_cast<void>(may_resume(listener));
}

// Otherwise it is tried again when that may have changed.
bool TransportCore::may_resume(Listener& listener) {
  const MonoTime open_from = admission_.open_from(connections_.size(), now_.mono);
  const MonoTime from = std::max({open_from, listener.resume_from, listener.retry_from});
  if (from <= now_.mono) return true;
  if (open_from != MonoTime::max()) {
    arm_key(key_of(listener.id), from, listener.armed);
  }
  return false;
}

void TransportCore::resume_listeners(bool descriptor_is_free) {
  for (auto& [number, listener] : listeners_) {
    if (!listener.paused) continue;
    if (descriptor_is_free) listener.retry_from = MonoTime::min();
    if (!may_resume(listener)) continue;
    listener.paused = false;
    poller_.change(listener.socket.get(), key_of(listener.id), {true, false});
    put_event(ListenerResumed{listener.id});
    may_be_more_ = true;
  }
}

}  // namespace siptls
