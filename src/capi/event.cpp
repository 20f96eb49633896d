// siptls/c/event.h: events of the C++ interface, laid out for C.
#include "capi/event.hpp"

#include <utility>
#include <variant>

#include "capi/convert.hpp"

namespace siptls::capi {
namespace {

// Fills the struct from one kind of event. What it points to is in the transport's handle; moved
// there, not copied, so that no event can be lost for want of memory.
class Show {
 public:
  Show(siptls_transport& transport, siptls_event& out) noexcept
      : transport_(transport), out_(out) {}

  void operator()(Connected& event) {
    begin(SIPTLS_EVENT_CONNECTED, event);
    place(event);
    peer(event.peer);
    out_.wire_remote = to_c(event.wire_remote);
  }
  void operator()(AuthorisePeer& event) {
    begin(SIPTLS_EVENT_AUTHORISE_PEER, event);
    place(event);
    peer(event.peer);
  }
  void operator()(SignatureWanted& event) {
    begin(SIPTLS_EVENT_SIGNATURE_WANTED, event);
    out_.key_id = event.request.key_id.c_str();
    out_.signature_scheme = event.request.scheme;
    out_.signature_input = to_c(std::span<const std::byte>(event.request.input));
  }
  void operator()(ConnectFailed& event) {
    begin(SIPTLS_EVENT_CONNECT_FAILED, event);
    out_.domain = event.domain.c_str();
    out_.attempt_count = event.attempts.size();
  }
  void operator()(HandshakeFailed& event) {
    begin(SIPTLS_EVENT_HANDSHAKE_FAILED, event);
    place(event);
    error(event.error);
    out_.attempt_count = event.earlier.size();
  }
  void operator()(Message& event) {
    begin(SIPTLS_EVENT_MESSAGE, event);
    out_.local = to_c(event.local);
    out_.remote = to_c(event.remote);
    transport_.message.view = event.message;
    out_.message = &transport_.message;
  }
  void operator()(KeepAliveReceived& event) {
    begin(event.kind == KeepAlive::Kind::ping ? SIPTLS_EVENT_PING : SIPTLS_EVENT_PONG, event);
  }
  void operator()(Sent& event) {
    begin(SIPTLS_EVENT_SENT, event);
    out_.token = static_cast<siptls_token>(event.token);
  }
  void operator()(SendFailed& event) {
    begin(SIPTLS_EVENT_SEND_FAILED, event);
    out_.token = static_cast<siptls_token>(event.token);
    out_.bytes_written = event.bytes_written;
    out_.delivery = static_cast<std::uint32_t>(event.delivery);
    error(event.error);
  }
  void operator()(Writable& event) { begin(SIPTLS_EVENT_WRITABLE, event); }
  void operator()(PeerClosing& event) { begin(SIPTLS_EVENT_PEER_CLOSING, event); }
  void operator()(FlowFailed& event) {
    begin(SIPTLS_EVENT_FLOW_FAILED, event);
    error(event.error);
  }
  void operator()(Closed& event) {
    begin(SIPTLS_EVENT_CLOSED, event);
    if (event.error) error(*event.error);
    out_.truncated = event.truncated ? 1 : 0;
  }
  void operator()(ListenerPaused& event) {
    out_.kind = SIPTLS_EVENT_LISTENER_PAUSED;
    out_.listener = static_cast<siptls_listener>(event.listener);
    error(event.why);
  }
  void operator()(ListenerResumed& event) {
    out_.kind = SIPTLS_EVENT_LISTENER_RESUMED;
    out_.listener = static_cast<siptls_listener>(event.listener);
  }
  void operator()(Posted& event) {
    out_.kind = SIPTLS_EVENT_POSTED;
    out_.value = event.value;
  }
  void operator()(Warning& event) {
    out_.kind = SIPTLS_EVENT_WARNING;
    error(event.error);
  }

 private:
  template <typename E>
  void begin(siptls_event_kind kind, const E& event) noexcept {
    out_.kind = kind;
    out_.connection = static_cast<siptls_connection>(event.connection);
  }
  template <typename E>
  void place(const E& event) noexcept {
    out_.role = static_cast<std::uint32_t>(event.role);
    out_.local = to_c(event.local);
    out_.remote = to_c(event.remote);
    out_.listener = static_cast<siptls_listener>(event.listener);
  }
  void peer(PeerInfo& info) noexcept {
    transport_.peer.path.path = info.path;
    transport_.peer.info = std::move(info);
    out_.peer = &transport_.peer;
  }
  void error(Error& why) noexcept {
    transport_.error.error.emplace(std::move(why));
    out_.error = &transport_.error;
  }

  siptls_transport& transport_;
  siptls_event& out_;
};

}  // namespace

void show_event(siptls_transport& transport, siptls_event& out) {
  std::visit(Show(transport, out), *transport.event);
}

}  // namespace siptls::capi

const siptls_path* siptls_peer_path(const siptls_peer* peer) {
  return peer == nullptr || peer->path.path == nullptr ? nullptr : &peer->path;
}

uint32_t siptls_peer_version(const siptls_peer* peer) {
  return peer == nullptr ? 0 : static_cast<uint32_t>(peer->info.version);
}

uint32_t siptls_peer_cipher_suite(const siptls_peer* peer) {
  return peer == nullptr ? 0U : peer->info.cipher_suite;
}

uint32_t siptls_peer_group(const siptls_peer* peer) {
  return peer == nullptr ? 0U : peer->info.group;
}

int siptls_peer_resumed(const siptls_peer* peer) {
  return peer != nullptr && peer->info.resumed ? 1 : 0;
}

const char* siptls_peer_application_protocol(const siptls_peer* peer) {
  return peer == nullptr ? "" : peer->info.application_protocol.c_str();
}
