// Connection: the state of one connection of a TlsTransport. Data only; TransportCore moves it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/net.hpp"
#include "siptls/event.hpp"
#include "siptls/sip_framer.hpp"
#include "siptls/tls_session.hpp"
#include "siptls/tls_transport.hpp"
#include "transport/flow.hpp"
#include "transport/rate.hpp"
#include "transport/room_queue.hpp"
#include "transport/write_queue.hpp"

namespace siptls {

enum class Phase : std::uint8_t {
  connecting,  // TCP is coming about
  handshaking,
  open,     // Connected was given
  closing,  // nothing more goes in; close_notify is on its way or awaited
};

// Whose the context of a connection is. A later one takes its place where new connections are made,
// and where this one is judged again.
enum class ContextOwner : std::uint8_t {
  listener,
  transport,  // the one for outgoing connections
  target,     // it came with the target and stays
};
struct ContextSource {
  ContextOwner owner = ContextOwner::target;
  ListenerId listener = ListenerId::none;
};

// What an outgoing connection was opened for. Its context is the connection's.
struct Outgoing {
  explicit Outgoing(Target its_target) : target(std::move(its_target)) {}

  Target target;
  std::size_t next_remote = 0;
  std::vector<ConnectAttempt> attempts;
};

// What stands between a connection and its peer: a load balancer with a PROXY header.
struct ProxyState {
  ProxyProtocol allowed = ProxyProtocol::off;  // off: the header was read
  std::vector<std::byte> octets;               // of an unfinished header
  Endpoint balancer;                           // the other end of TCP
  // Nothing was said by, or about, anybody but the balancer.
  bool own_business = true;
};

struct Connection {
  Connection(ConnectionId its_id, ConnectionRole its_role, TlsContext its_context,
             ContextSource its_source)
      : context(std::move(its_context)), id(its_id), context_source(its_source), role(its_role) {}

  TlsContext context;
  ConnectionId id;
  ContextSource context_source;
  ConnectionRole role;
  Phase phase = Phase::connecting;
  net::Descriptor socket;
  net::Interest interest;
  std::optional<TlsSession> session;
  std::optional<SipFramer> framer;
  std::unique_ptr<Outgoing> outgoing;  // client only
  std::unique_ptr<ProxyState> proxy;   // of a listener with PROXY headers only
  std::unique_ptr<Endpoint> alias;     // under which TransportCore::aliases_ has it
  WriteQueue queue;
  Endpoint local;
  Endpoint remote;
  ListenerId listener = ListenerId::none;
  // Of the contexts by which the peer was judged last.
  std::uint64_t generation = 0;

  const Endpoint& wire_remote() const noexcept { return proxy ? proxy->balancer : remote; }

  MonoTime phase_since;  // when this phase, or this attempt, began
  MonoTime last_activity;
  MonoTime message_since = MonoTime::max();  // when the unfinished message began
  MonoTime armed = MonoTime::max();          // see DeadlineQueue
  // The kernel takes no more. What the peer has said before (an alert, perhaps) is still to be
  // read, and tells more than this; it is waited for until the time that stands here.
  std::unique_ptr<Error> write_error;
  MonoTime write_error_until = MonoTime::max();
  MonoTime write_since = MonoTime::max();  // since when the kernel takes nothing of what waits
  MonoTime drain_until;                    // if draining
  TokenBucket pings;                       // of the peer
  std::unique_ptr<Flow> flow;              // if this side pings
  // Its part of TransportCore::buffered_.
  std::size_t counted_queued = 0;
  std::size_t counted_held = 0;
  RoomQueue::Place room;  // a send was refused with buffers_full; Writable is owed

  bool connected = false;   // Connected was given
  bool finishing = false;   // no more messages are handed out and none are taken
  bool close_sent = false;  // our close_notify is in the session's output
  bool paused = false;
  bool asked = false;         // the handshake waits for the host's answer
  bool to_judge = false;      // is in TransportCore::to_judge_
  bool input_over = false;    // the peer's TCP has ended: there is nothing to read any more
  bool unpolled = false;      // hung up while nobody reads: out of the poller until then
  bool hung_up = false;       // the same, and also when somebody reads again
  bool kept_input = false;    // session or framer hold input from before a pause
  bool dirty = false;         // has gathered output; is in TransportCore::dirty_
  bool refused_send = false;  // a send was refused with queue_full; Writable is owed
  bool peer_close_seen = false;
  bool entered = false;  // counted by Admission, under `remote`
  bool heard = false;    // a message or keep-alive has come
  bool starved = false;  // the kernel had no memory for its output; see TransportCore::starved_
  bool lacked_memory = false;  // the same, of the last attempt to write
  bool draining = false;       // no target finds it any more
};

// Known to be dead, though nobody has read yet how it ended: the peer has reset it while the host
// does not listen, or a write has failed. One that has another address to go to is not.
inline bool is_lost(const Connection& connection) noexcept {
  if (!connection.connected && connection.outgoing &&
      connection.outgoing->next_remote < connection.outgoing->target.remotes.size()) {
    return false;
  }
  return connection.hung_up || connection.write_error != nullptr;
}

// Whether something may begin on it that any other connection would do for (RFC 5923 section 8).
inline bool takes_new(const Connection& connection) noexcept {
  return !connection.finishing && !connection.draining && !connection.peer_close_seen &&
         !is_lost(connection);
}

inline std::string describe(ConnectionId id) {
  return "connection " + std::to_string(static_cast<std::uint64_t>(id));
}

}  // namespace siptls
