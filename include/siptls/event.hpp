// Event: what happened in a TlsTransport. A closed variant, so that a host's std::visit is checked
// by the compiler.
//
// Lifetime: views in an event (Message) live until the next next_event() of the transport that gave
// it; everything else is owned by the event.
// Order: a connection gives Connected at most once. One that gave it ends with Closed; one that did
// not ends with ConnectFailed or HandshakeFailed. What a connection asks the host (AuthorisePeer,
// SignatureWanted) comes before Connected, one question after the answer to the other. All
// SendFailed of a connection come before its end, and after its end no event names it again, but
// the SendFailed of a message that another thread had sent to it through a Sender meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "siptls/clock.hpp"
#include "siptls/endpoint.hpp"
#include "siptls/error.hpp"
#include "siptls/peer_info.hpp"
#include "siptls/sip_framer.hpp"
#include "siptls/sip_message_view.hpp"
#include "siptls/tls_session.hpp"

namespace siptls {

// Names one connection: unique in the process and never used again, so it can serve as the flow
// identifier of RFC 5626. 0 names none.
enum class ConnectionId : std::uint64_t { none = 0 };
enum class ListenerId : std::uint32_t { none = 0 };
// Names one accepted send; never used again by the same transport. 0 names none.
enum class SendToken : std::uint64_t { none = 0 };

enum class ConnectionRole : std::uint8_t { client, server };

// One address that was tried, and why it did not work.
struct ConnectAttempt {
  Endpoint remote;
  Error error;
};

// The handshake is done and the peer was judged; data may flow.
struct Connected {
  ConnectionId connection = ConnectionId::none;
  ConnectionRole role = ConnectionRole::client;
  // The two ends, in all events. Where a PROXY header told them, the peer's address and the one
  // that the peer had connected to.
  Endpoint local;
  Endpoint remote;
  ListenerId listener = ListenerId::none;  // the one that accepted it
  PeerInfo peer;
  Endpoint wire_remote = {};  // the other end of TCP
};

// With TlsPolicy::authorise = host: the peer's certificate was judged good, or it was not asked for
// one; the handshake waits for TlsTransport::authorise() within its deadline. Nothing of the peer
// is handed out before.
struct AuthorisePeer {
  ConnectionId connection = ConnectionId::none;
  ConnectionRole role = ConnectionRole::client;
  Endpoint local;
  Endpoint remote;
  ListenerId listener = ListenerId::none;
  PeerInfo peer;
};

// With Credentials::from_external_key: the handshake waits for TlsTransport::complete_signature()
// within its deadline.
struct SignatureWanted {
  ConnectionId connection = ConnectionId::none;
  SignatureRequest request;
};

// An outgoing connection did not come about: no address could be reached by TCP.
struct ConnectFailed {
  ConnectionId connection = ConnectionId::none;
  std::string domain;
  std::vector<ConnectAttempt> attempts;  // every address, in the order tried
};

// TLS with the peer failed. For a client in TLS 1.3 it can follow Connected, when the server
// refused afterwards (RFC 8446 section 4.4.2.4); then Closed comes next.
struct HandshakeFailed {
  ConnectionId connection = ConnectionId::none;
  ConnectionRole role = ConnectionRole::client;
  Endpoint local;
  Endpoint remote;
  ListenerId listener = ListenerId::none;
  Error error;
  std::vector<ConnectAttempt> earlier;  // other addresses that had been tried before
};

// One whole SIP message.
struct Message {
  ConnectionId connection = ConnectionId::none;
  SipMessageView message;
  Endpoint local;
  Endpoint remote;
};

// A keep-alive came between messages. A ping has been answered already (RFC 5626 section 5.4).
struct KeepAliveReceived {
  ConnectionId connection = ConnectionId::none;
  KeepAlive::Kind kind = KeepAlive::Kind::ping;
};

// The message is in the kernel. Only with Report::always.
struct Sent {
  ConnectionId connection = ConnectionId::none;
  SendToken token = SendToken::none;
};

// What is known about a message that is reported as failed.
enum class Delivery : std::uint8_t {
  none,     // no octet of it left this host
  partial,  // the peer cannot have the whole of it
  refused,  // written, and the peer refused the connection before it answered anything
  // Written, and at the connection's end the peer's TCP had not acknowledged it, or a server had
  // not shown yet that it serves this client (RFC 8446 section 4.4.2.4).
  unknown,
};

struct SendFailed {
  ConnectionId connection = ConnectionId::none;
  SendToken token = SendToken::none;
  Error error;
  std::size_t bytes_written = 0;  // of the message, as given to the kernel
  Delivery delivery = Delivery::none;
};

// There is room again for what was refused: the write queue is below its low-water mark after
// `queue_full`, or the memory of all connections has room for the message after `buffers_full`
// (where that came before Connected, this comes after it).
struct Writable {
  ConnectionId connection = ConnectionId::none;
};

// The peer's close_notify came. What the host sends before its next next_event() still goes out;
// then the connection is closed from this side too.
struct PeerClosing {
  ConnectionId connection = ConnectionId::none;
};

// No pong came in time (RFC 5626 section 4.4.1): the flow has failed, and the connection ends with
// `flow_failed`. flow_retry_delay() says when to try again.
struct FlowFailed {
  ConnectionId connection = ConnectionId::none;
  Error error;
};

struct Closed {
  ConnectionId connection = ConnectionId::none;
  // None: both sides said close_notify between two messages, or the peer ended its stream behind
  // this side's.
  std::optional<Error> error;
  // The stream ended without close_notify, or inside a message.
  bool truncated = false;
};

// Accepting is paused: at a limit (TransportLimits), or the process is out of descriptors.
struct ListenerPaused {
  ListenerId listener = ListenerId::none;
  Error why;
};
struct ListenerResumed {
  ListenerId listener = ListenerId::none;
};

// A value that Sender::post() sent to this transport's thread.
struct Posted {
  std::uint64_t value = 0;
};

// Something that an operator should know and that stops nothing, such as a clock that lost its
// synchronisation.
struct Warning {
  Error error;
};

using Event =
    std::variant<Connected, AuthorisePeer, SignatureWanted, ConnectFailed, HandshakeFailed, Message,
                 KeepAliveReceived, Sent, SendFailed, Writable, PeerClosing, FlowFailed, Closed,
                 ListenerPaused, ListenerResumed, Posted, Warning>;

}  // namespace siptls

template <>
struct std::hash<siptls::ConnectionId> {
  std::size_t operator()(siptls::ConnectionId id) const noexcept {
    return std::hash<std::uint64_t>{}(static_cast<std::uint64_t>(id));
  }
};
