// Connection: the state of one connection of a TlsTransport. Data only; TransportCore moves it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "net/net.hpp"
#include "siptls/event.hpp"
#include "siptls/sip_framer.hpp"
#include "siptls/tls_session.hpp"
#include "siptls/tls_transport.hpp"
#include "transport/write_queue.hpp"

namespace siptls {

enum class Phase : std::uint8_t {
  connecting,  // TCP is coming about
  handshaking,
  open,     // Connected was given
  closing,  // nothing more goes in; close_notify is on its way or awaited
};

// What an outgoing connection was opened for.
struct Outgoing {
  explicit Outgoing(Target its_target) : target(std::move(its_target)) {}

  Target target;
  std::size_t next_remote = 0;
  std::vector<ConnectAttempt> attempts;
};

struct Connection {
  Connection(ConnectionId its_id, ConnectionRole its_role, TlsContext its_context)
      : context(std::move(its_context)), id(its_id), role(its_role) {}

  TlsContext context;
  ConnectionId id;
  ConnectionRole role;
  Phase phase = Phase::connecting;
  net::Descriptor socket;
  net::Interest interest;
  std::optional<TlsSession> session;
  std::optional<SipFramer> framer;
  std::unique_ptr<Outgoing> outgoing;  // client only
  WriteQueue queue;
  Endpoint local;
  Endpoint remote;
  ListenerId listener = ListenerId::none;

  MonoTime phase_since;  // when this phase, or this attempt, began
  MonoTime last_activity;
  MonoTime message_since = MonoTime::max();  // when the unfinished message began
  MonoTime armed = MonoTime::max();          // see DeadlineQueue
  // The kernel takes no more. What the peer has said before (an alert, perhaps) is still to be
  // read, and tells more than this; it is waited for until the time that stands here.
  std::unique_ptr<Error> write_error;
  MonoTime write_error_until = MonoTime::max();

  bool connected = false;   // Connected was given
  bool finishing = false;   // no more messages are handed out and none are taken
  bool close_sent = false;  // our close_notify is in the session's output
  bool paused = false;
  bool unpolled = false;      // hung up while paused: out of the poller until resume()
  bool kept_input = false;    // session or framer hold input from before a pause
  bool dirty = false;         // has gathered output; is in TransportCore::dirty_
  bool refused_send = false;  // a send was refused with queue_full; Writable is owed
  bool peer_close_seen = false;
};

}  // namespace siptls
