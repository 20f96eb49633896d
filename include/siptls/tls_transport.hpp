// TlsTransport: SIP over TLS on non-blocking sockets, driven by the host's own loop.
//
// A host adds `fd()` to whatever loop it has, waits until it is readable, and calls `next_event()`
// until that returns nothing. There is no thread, no callback in the data path and no loop here.
//
//     while (poll(transport.fd()) readable)
//       while (auto event = transport.next_event()) std::visit(handle, *event);
//
// `fd()` is readable whenever there is work, deadlines included. Wake-ups without an event happen.
// A host that takes one event for each wake-up loses nothing; one that registers `fd()`
// edge-triggered must drain to empty.
//
// Threads: one thread owns a transport and makes all calls; `Sender` is for the others. A host with
// several threads makes one transport for each, around one TlsContext. A transport is used in the
// process that made it (`wrong_process` elsewhere).
//
// Sending: every accepted message (a SendToken was returned) ends in the kernel or in a SendFailed
// that carries the token; nothing is lost silently and nothing is sent again. Octets leave a
// connection in the order of the calls. Outside a drain `send` writes before it returns. Between an
// event and the next empty next_event() output is gathered per connection and written when the
// drain leaves that connection, at 16 KiB, on empty, or by flush(). With a connection's last event
// the drain has left it: what is sent on it then is written at once. Messages are sent as given.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "siptls/clock.hpp"
#include "siptls/endpoint.hpp"
#include "siptls/event.hpp"
#include "siptls/export.hpp"
#include "siptls/handshake_trace.hpp"
#include "siptls/keep_alive.hpp"
#include "siptls/log.hpp"
#include "siptls/metrics.hpp"
#include "siptls/result.hpp"
#include "siptls/sender.hpp"
#include "siptls/sip_message_view.hpp"
#include "siptls/tls_context.hpp"
#include "siptls/transport_limits.hpp"

namespace siptls {

// What is done about a request whose framing failed, before its connection is closed.
enum class UnframedRequest : std::uint8_t {
  answer,  // SipFramer::refusal_response() is sent, if there is one
  close,   // nothing
};

struct TransportOptions {
  std::shared_ptr<const Clock> clock = Clock::system();
  TransportLimits limits;
  UnframedRequest unframed_request = UnframedRequest::answer;
  // For targets that bring no context of their own; update_outgoing() exchanges it.
  std::optional<TlsContext> outgoing;
  LogOptions log;
};

// Who the peer of a connection is when a load balancer stands in front: a header before TLS
// (PROXY protocol, haproxy's proxy-protocol.txt). Off unless asked for, since without it the header
// cannot be told from a peer's own octets (its first ones are an RFC 5626 ping).
enum class ProxyProtocol : std::uint8_t {
  off,
  version1,  // the line of text
  version2,  // the binary header
  either,
};

struct ListenOptions {
  Endpoint local;      // port 0: any free one
  TlsContext context;  // must have credentials
  // The address may be one that this host does not have yet (a virtual IP).
  enum class Binding : std::uint8_t { present, may_come_later } binding = Binding::present;
  // With `share` several transports of a process accept on one port (SO_REUSEPORT).
  enum class Port : std::uint8_t { own, share } port = Port::own;
  // With a PROXY header every connection must bring one, and must come from one of
  // `proxy_sources`; others are reset (`proxy_source_not_allowed`, `proxy_header_invalid`). With it
  // and without sources listen() fails. A balancer's health check gives no event and is counted
  // (TransportMetrics::health_checks): a connection that it ends before it has said anything, or
  // behind a header by which it speaks for itself (`PROXY UNKNOWN`, LOCAL).
  ProxyProtocol proxy = ProxyProtocol::off;
  std::vector<AddressRange> proxy_sources = {};
  // Tickets are good at listeners of the same scope alone. Empty: the local address. Machines that
  // stand behind one name and share ticket keys give it one name here.
  std::string ticket_scope = {};
  // With `dual` a listener on [::] takes IPv4 too, and its IPv4 peers have IPv4 addresses in all
  // events. Otherwise each family has a listener of its own, also on the same port.
  enum class Families : std::uint8_t { own, dual } families = Families::own;
};

// Where a message is to go: the result of RFC 3263, which is the host's business.
struct Target {
  std::vector<Endpoint> remotes;  // tried in this order
  // The domain of the URI that was resolved, never an SRV target; what the peer must prove
  // (RFC 5922 section 7.3).
  std::string domain;
  std::optional<TlsContext> context = {};  // none: the transport's own
  // Source address; port 0: any. Remotes of the other family do not work with it, and without one
  // of its own the target is an `invalid_argument`.
  std::optional<Endpoint> local = {};
  // Filled if not null and this call opens the connection.
  std::shared_ptr<HandshakeTrace> trace = {};
  // If this call opens the connection: keep_alive() from Connected on.
  std::optional<KeepAliveOptions> keep_alive = {};
};

// Where a response may go if the connection of its request is gone (RFC 3261 section 18.2.2).
struct ResponseFallback {
  // `received` with the sent-by port, or what DNS gave for it; empty: no fallback.
  std::vector<Endpoint> remotes;
  // The host of the top Via's sent-by, an IPv6 address with its brackets or without.
  std::string sent_by;
  std::optional<TlsContext> context;
};

enum class Report : std::uint8_t { failures, always };

struct SendOptions {
  // A message that is still waiting then comes back as `expired`, never late.
  std::optional<MonoTime> expires_at;
  Report report = Report::failures;
};

// New contexts for several listeners at once; all are exchanged or none.
struct ContextUpdate {
  std::vector<std::pair<ListenerId, TlsContext>> listeners;
  std::optional<TlsContext> outgoing;
};

struct UpdateReport {
  // Counts the updates of a transport. Connections belong to the generation that they were opened
  // in.
  std::uint64_t generation = 0;
  // Open connections of earlier generations that this update concerns: they go on as they are.
  std::size_t older_connections = 0;
};

class TransportCore;

class SIPTLS_API TlsTransport {
 public:
  // Errors: `too_many_files`, `io_failed`, `invalid_argument`, `trust_store_empty`.
  static Result<TlsTransport> create(TransportOptions options = {});
  TlsTransport(TlsTransport&&) noexcept;
  TlsTransport& operator=(TlsTransport&&) noexcept;
  // Aborts what is still open. Nothing is reported after it.
  ~TlsTransport();

  // The one descriptor to wait on, for reading. Owned by the transport.
  int fd() const noexcept;
  // The next event, or none: then wait for fd().
  std::optional<Event> next_event();
  // Writes what was gathered.
  void flush();

  // A certificate that is not valid now gives a Warning. Errors: `credentials_missing`,
  // `policy_unsupported`, `address_in_use`, `address_not_available`, `too_many_files`, `io_failed`,
  // `invalid_argument` (PROXY headers without sources; dual on another address than [::]),
  // `transport_draining` (after drain_all()), `wrong_process`.
  Result<ListenerId> listen(const ListenOptions& options);
  // The bound address, with the port that was picked.
  Result<Endpoint> local_endpoint(ListenerId listener) const;
  // Stops accepting. Its connections stay.
  Result<void> stop_listening(ListenerId listener);

  // Exchanges what new connections are made with, without losing one that is open: certificates,
  // trust, policy. All or nothing: an error leaves everything as it was. Errors:
  // `unknown_listener`, `credentials_missing`, `certificate_expired` and
  // `certificate_not_yet_valid` for a certificate of this side that nobody would accept now,
  // `clock_not_trusted`, `policy_unsupported`, `trust_store_empty`, `invalid_argument` (a listener
  // is named twice), `wrong_process`.
  Result<UpdateReport> update(ListenerId listener, const TlsContext& context);
  Result<UpdateReport> update_outgoing(const TlsContext& context);
  Result<UpdateReport> update_all(const ContextUpdate& contexts);
  // Judges the peers of open connections of generations before this one again: by the context that
  // their listener, or outgoing connections, have now, and at the present time; a listener that has
  // stopped counts with the context that it had last, and a target's own stays its own. Done
  // piecemeal with each next_event(); what is not good any more is closed, and Closed tells why.
  // Errors: `clock_not_trusted`, before anything was judged by it; `wrong_process`.
  Result<void> reverify(std::uint64_t generation);

  // Opens a connection, or gives the one that `send` to this target would use.
  Result<ConnectionId> connect(const Target& target);

  // Errors of the three: `unknown_connection`, `connection_closed` (it is closing), `queue_full`,
  // `buffers_full`, `message_too_large` (never fits into the queue), `invalid_argument`,
  // `invalid_domain`, `too_many_connections`, `transport_draining` (a new connection would be
  // needed), `wrong_process`. Nothing was accepted then. After `queue_full`, and after
  // `buffers_full`, Writable follows on that connection when it is worth while to try again; where
  // `buffers_full` came for a target that had no connection yet there is none to follow on, and the
  // host tries again in its own time. After the others no event follows.
  Result<SendToken> send(ConnectionId connection, std::span<const std::byte> message,
                         const SendOptions& options = {});
  // On an open connection to one of `remotes` with the same source address and context whose peer
  // has proven `domain` (or an alias of one, see accept_alias()); otherwise on a new one. One that
  // is known to be dead is not used, though its Closed is still to come.
  Result<SendToken> send(const Target& target, std::span<const std::byte> message,
                         const SendOptions& options = {});
  // On the connection of the request, or, if it has ended or is known to be dead, on one to
  // `fallback` that must prove an identity which the lost one had proven, or the sent-by host if
  // that peer had proven nothing. What was proven is remembered of the last 1024 that have ended;
  // of older ones nobody can say who may get the response (`connection_closed`), and as little of a
  // connection that this transport never had (`unknown_connection`). An id that a host has kept
  // from an earlier process can be that of another connection now, so it must not be used.
  Result<SendToken> respond(ConnectionId connection, std::span<const std::byte> message,
                            const ResponseFallback& fallback = {}, const SendOptions& options = {});

  // RFC 5923: takes the connection that `request` came on for requests in the other direction too,
  // towards the source address with the sent-by port of its top Via (5061 if it names none). From
  // then on a target is served by it whose `remotes` have that address, whose `domain` the peer's
  // certificate covers, and whose context is the listener's or has the same credentials, trust and
  // policy: what was opened to one virtual server never carries requests of another (section 9.3).
  // Errors: `alias_refused` (the request asks for no alias, the peer was not proven by certificate
  // (section 9.2), this side opened the connection), `unknown_connection`, `connection_closed`,
  // `wrong_process`.
  Result<void> accept_alias(ConnectionId connection, const SipMessageView& request);

  // Sends pings on a connection that this side opened (RFC 5626 section 4.4.1), the first after an
  // interval; without a pong in time FlowFailed comes, and the connection ends. A second call
  // changes the interval (a new Flow-Timer). While the connection is paused its pings go on, since
  // they keep the way open (NAT, firewalls), and no pong is missed, since nobody could read it;
  // with resume() a pong that is still awaited gets its whole time anew. Errors: `invalid_argument`
  // (accepted connections do not ping; an interval of 0), `unknown_connection`,
  // `connection_closed`, `wrong_process`.
  Result<void> keep_alive(ConnectionId connection, const KeepAliveOptions& options = {});

  // The answers to AuthorisePeer and SignatureWanted. Errors: `unknown_connection`,
  // `invalid_argument` for a connection that did not ask.
  Result<void> authorise(ConnectionId connection, Verdict verdict);
  Result<void> complete_signature(ConnectionId connection, std::span<const std::byte> signature);

  // Ends a connection: what is queued is written, close_notify is sent and the peer's awaited
  // (close_timeout). No further message of it is handed out. Closed follows.
  Result<void> close(ConnectionId connection);
  // Ends it at once, with a TCP reset. Closed follows, with `connection_aborted`.
  Result<void> abort(ConnectionId connection);
  // Stops listening and closes every connection.
  void close_all();

  // Lets a connection run out (RFC 5923 section 8.3): no target is served by it any more, while its
  // transactions go on in both directions by send(ConnectionId) and respond(). The host closes it
  // when they are done; at `deadline` it is closed as by close(). A second call changes the
  // deadline. Errors: `unknown_connection`, `connection_closed`, `wrong_process`.
  Result<void> drain(ConnectionId connection, MonoTime deadline);
  // Stops listening, opens no connection any more (`transport_draining`), and drains all that are
  // open; handshakes are given up. connection_count() is 0 when it is done.
  void drain_all(MonoTime deadline);

  // Stops and goes on with reading from a connection; meanwhile TCP holds the peer back. Messages
  // that were already read are kept and come first; they count in max_buffered_bytes. What the peer
  // does not say meanwhile is not its fault: only write_timeout and idle_timeout go on, and the
  // pings of keep_alive(), in whose place no idle_timeout stands.
  Result<void> pause(ConnectionId connection);
  Result<void> resume(ConnectionId connection);

  // What was proven about the peer of a connection that gave Connected and has not ended; null for
  // others. Valid until the next call that is not const.
  const PeerInfo* peer(ConnectionId connection) const noexcept;
  std::size_t connection_count() const noexcept;
  TransportMetrics metrics() const;
  // A handle for other threads.
  Sender sender() const;

 private:
  explicit TlsTransport(std::unique_ptr<TransportCore> core) noexcept;
  std::unique_ptr<TransportCore> core_;
};

}  // namespace siptls
