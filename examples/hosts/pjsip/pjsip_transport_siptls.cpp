#include "pjsip_transport_siptls.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <span>
#include <utility>

using namespace siptls;
using std::chrono::steady_clock;

namespace {

constexpr const char* kSender = "siptls";  // in PJSIP's log
// Events handed out in a row, so that PJSIP's timers have their turn.
constexpr int kEventsInARow = 500;
// No transaction waits longer for what it sends (64*T1).
constexpr auto kWorthSending = std::chrono::seconds(32);
// After pjsip_transport_shutdown(), for what still goes on; PJSIP ends it when nobody holds it.
constexpr auto kShutdown = std::chrono::minutes(10);

pj_sockaddr to_pj(const Endpoint& endpoint) {
  pj_sockaddr address;
  const bool is_ipv4 = endpoint.family() == AddressFamily::ipv4;
  pj_sockaddr_init(is_ipv4 ? pj_AF_INET() : pj_AF_INET6(), &address, nullptr, endpoint.port());
  std::memcpy(pj_sockaddr_get_addr(&address), endpoint.address_data(), endpoint.address_size());
  if (!is_ipv4) address.ipv6.sin6_scope_id = endpoint.scope();
  return address;
}

Endpoint from_pj(const pj_sockaddr& address) {
  if (address.addr.sa_family == pj_AF_INET6()) {
    std::array<std::uint8_t, 16> octets{};
    std::memcpy(octets.data(), pj_sockaddr_get_addr(&address), octets.size());
    return Endpoint::ipv6(octets, pj_sockaddr_get_port(&address), address.ipv6.sin6_scope_id);
  }
  std::array<std::uint8_t, 4> octets{};
  std::memcpy(octets.data(), pj_sockaddr_get_addr(&address), octets.size());
  return Endpoint::ipv4(octets, pj_sockaddr_get_port(&address));
}

pj_str_t copy(pj_pool_t* pool, const std::string& text) {
  const pj_str_t given{const_cast<char*>(text.data()), static_cast<pj_ssize_t>(text.size())};
  pj_str_t copied;
  pj_strdup_with_null(pool, &copied, &given);
  return copied;
}

pj_status_t status_of(const Error& error) {
  switch (error.reason()) {
    case Errc::connection_refused:
      return PJ_STATUS_FROM_OS(ECONNREFUSED);
    case Errc::connection_reset:
    case Errc::truncated:
      return PJ_STATUS_FROM_OS(OSERR_ECONNRESET);
    case Errc::connect_timeout:
    case Errc::handshake_timeout:
    case Errc::idle_timeout:
    case Errc::expired:
      return PJ_ETIMEDOUT;
    case Errc::queue_full:
    case Errc::buffers_full:
      return PJ_EBUSY;
    case Errc::message_too_large:
      return PJ_ETOOBIG;
    case Errc::connection_closed:
    case Errc::unknown_connection:
      return PJSIP_ESHUTDOWN;
    default:
      return error.category() == Category::certificate ? PJSIP_TLS_ECERTVERIF : PJSIP_TLS_EUNKNOWN;
  }
}

void log_error(const std::string& what, const Error& error) {
  PJ_LOG(2, (kSender, "%s: %s", what.c_str(), error.message().c_str()));
}

}  // namespace

// A PJSIP transport: one connection.
struct SiptlsFactory::Connection : pjsip_transport {
  Connection() noexcept : pjsip_transport{} {}

  // A message that PJSIP has given, and whom to tell what became of it.
  struct Pending {
    void* token;
    pjsip_transport_callback callback;
    pj_ssize_t size;
  };
  void finish(SendToken message, pj_ssize_t result) {
    const auto found = pending.extract(static_cast<std::uint64_t>(message));
    if (!found.empty() && found.mapped().callback != nullptr) {
      found.mapped().callback(this, found.mapped().token,
                              result > 0 ? found.mapped().size : result);
    }
  }

  SiptlsFactory* owner = nullptr;
  ConnectionId id = ConnectionId::none;
  std::optional<PeerInfo> peer;
  std::unordered_map<std::uint64_t, Pending> pending;
  pjsip_rx_data received{};  // PJSIP parses in it, one message at a time
};

SiptlsFactory::SiptlsFactory(pjsip_endpoint* endpoint, pj_pool_t* memory,
                             const SiptlsOptions& options, TlsTransport transport)
    : pjsip_tpfactory{}, transport_(std::move(transport)), endpoint_(endpoint) {
  pool = memory;
  type =
      options.listen.family() == AddressFamily::ipv4 ? PJSIP_TRANSPORT_TLS : PJSIP_TRANSPORT_TLS6;
  type_name = const_cast<char*>(pjsip_transport_get_type_name(type));
  flag = pjsip_transport_get_flag_from_type(type);
  info = const_cast<char*>("siptls");
  create_transport2 = &SiptlsFactory::create_connection;
  destroy = &SiptlsFactory::destroy_factory;
  pj_ansi_snprintf(obj_name, sizeof obj_name, "siptls");
}

Result<SiptlsFactory*> SiptlsFactory::create(pjsip_endpoint* endpoint,
                                             const SiptlsOptions& options) {
  TransportOptions settings;
  settings.outgoing = options.client;
  settings.limits = options.limits;
  Result<TlsTransport> transport = TlsTransport::create(settings);
  if (!transport) return Unexpected(transport.error());
  pj_pool_t* pool = pjsip_endpt_create_pool(endpoint, "siptls", 512, 512);
  if (pool == nullptr) return Unexpected(Errc::out_of_memory, "PJSIP has no memory");
  // From here on destroy_factory() ends it.
  auto* factory = new SiptlsFactory(endpoint, pool, options, *std::move(transport));
  if (pj_lock_create_recursive_mutex(pool, "siptls", &factory->lock) != PJ_SUCCESS) {
    destroy_factory(factory);
    return Unexpected(Errc::out_of_memory, "PJSIP has no lock");
  }
  Result<void> opened = factory->open(options);
  if (opened &&
      pjsip_tpmgr_register_tpfactory(pjsip_endpt_get_tpmgr(endpoint), factory) != PJ_SUCCESS) {
    opened = Unexpected(Errc::invalid_argument, "PJSIP does not take another transport for TLS");
  }
  if (!opened) {
    destroy_factory(factory);
    return Unexpected(opened.error());
  }
  return factory;
}

Result<void> SiptlsFactory::open(const SiptlsOptions& options) {
  local_ = options.listen;
  if (options.server) {
    const Result<ListenerId> listener = transport_.listen({options.listen, *options.server});
    if (!listener) return Unexpected(listener.error());
    const Result<Endpoint> bound = transport_.local_endpoint(*listener);
    if (!bound) return Unexpected(bound.error());
    local_ = *bound;
  }
  local_addr = to_pj(local_);
  has_addr_name = options.published_host.empty() ? PJ_FALSE : PJ_TRUE;
  addr_name.host = copy(pool, has_addr_name != 0 ? options.published_host : local_.address_text());
  addr_name.port = local_.port();
  return {};
}

void SiptlsFactory::close_all() { transport_.close_all(); }

pj_status_t SiptlsFactory::destroy_factory(pjsip_tpfactory* factory) {
  auto* self = static_cast<SiptlsFactory*>(factory);
  pj_pool_t* const pool = self->pool;
  pjsip_endpoint* const endpoint = self->endpoint_;
  if (self->lock != nullptr) pj_lock_destroy(self->lock);
  delete self;
  pjsip_endpt_release_pool(endpoint, pool);
  return PJ_SUCCESS;
}

// --- Connections ---------------------------------------------------------------------------------

// PJSIP has found no transport to that address whose peer was asked for that name.
pj_status_t SiptlsFactory::create_connection(pjsip_tpfactory* factory, pjsip_tpmgr*,
                                             pjsip_endpoint*, const pj_sockaddr* remote, int,
                                             pjsip_tx_data* message, pjsip_transport** made) {
  auto* self = static_cast<SiptlsFactory*>(factory);
  Target target;
  target.remotes = {from_pj(*remote)};
  // The name before it was resolved: what the peer must prove (RFC 5922 section 7.3).
  if (message != nullptr && message->dest_info.name.slen > 0) {
    target.domain.assign(message->dest_info.name.ptr,
                         static_cast<std::size_t>(message->dest_info.name.slen));
  } else {
    target.domain = target.remotes.front().address_text();
  }
  const Result<ConnectionId> id = self->transport_.connect(target);
  if (!id) {
    log_error("connecting to " + target.domain, id.error());
    return status_of(id.error());
  }
  Connection* connection = self->find(*id);
  if (connection == nullptr) {
    connection = self->add(*id, PJSIP_TP_DIR_OUTGOING, *remote, target.domain);
  }
  if (connection == nullptr) {
    static_cast<void>(self->transport_.close(*id));
    return PJ_ENOMEM;
  }
  *made = connection;
  return PJ_SUCCESS;
}

SiptlsFactory::Connection* SiptlsFactory::add(ConnectionId id, pjsip_transport_dir direction,
                                              const pj_sockaddr& remote,
                                              const std::string& remote_name) {
  pj_pool_t* memory = pjsip_endpt_create_pool(endpoint_, "siptls", 1000, 1000);
  if (memory == nullptr) return nullptr;
  auto connection = std::make_unique<Connection>();
  pjsip_transport& base = *connection;
  connection->owner = this;
  connection->id = id;
  base.pool = memory;
  pj_ansi_snprintf(base.obj_name, sizeof base.obj_name, "siptls%p",
                   static_cast<void*>(connection.get()));
  base.key.type = type;
  pj_sockaddr_cp(&base.key.rem_addr, &remote);
  base.type_name = type_name;
  base.flag = flag;
  base.info = copy(memory, "siptls to " + from_pj(remote).to_string()).ptr;
  base.addr_len = static_cast<int>(pj_sockaddr_get_len(&remote));
  pj_sockaddr_cp(&base.local_addr, &local_addr);
  base.has_addr_name = has_addr_name;
  base.local_name = addr_name;
  base.remote_name.host = copy(memory, remote_name);
  base.remote_name.port = pj_sockaddr_get_port(&remote);
  base.dir = direction;
  base.endpt = endpoint_;
  base.tpmgr = pjsip_endpt_get_tpmgr(endpoint_);
  base.factory = this;
  base.send_msg = &SiptlsFactory::send_message;
  base.do_shutdown = &SiptlsFactory::shut_down;
  base.destroy = &SiptlsFactory::destroy_connection;

  pjsip_rx_data& received = connection->received;
  received.tp_info.transport = connection.get();
  received.tp_info.pool =
      pjsip_endpt_create_pool(endpoint_, "rtd", PJSIP_POOL_RDATA_LEN, PJSIP_POOL_RDATA_INC);
  pj_sockaddr_cp(&received.pkt_info.src_addr, &remote);
  received.pkt_info.src_addr_len = base.addr_len;
  pj_sockaddr_print(&remote, received.pkt_info.src_name, sizeof received.pkt_info.src_name, 0);
  received.pkt_info.src_port = pj_sockaddr_get_port(&remote);

  if (received.tp_info.pool == nullptr ||
      pj_atomic_create(memory, 0, &base.ref_cnt) != PJ_SUCCESS ||
      pj_lock_create_recursive_mutex(memory, "siptls", &base.lock) != PJ_SUCCESS ||
      pjsip_transport_register(base.tpmgr, &base) != PJ_SUCCESS) {
    destroy_connection(connection.release());
    return nullptr;
  }
  connections_[id] = connection.get();
  return connection.release();
}

SiptlsFactory::Connection* SiptlsFactory::find(ConnectionId id) const {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second;
}

// The message is written at once or waits in siptls; PJSIP is told by its callback.
pj_status_t SiptlsFactory::send_message(pjsip_transport* transport, pjsip_tx_data* message,
                                        const pj_sockaddr_t*, int, void* token,
                                        pjsip_transport_callback callback) {
  auto* connection = static_cast<Connection*>(transport);
  const std::span octets(message->buf.start, message->buf.cur);
  const Result<SendToken> sent = connection->owner->transport_.send(
      connection->id, std::as_bytes(octets), {steady_clock::now() + kWorthSending, Report::always});
  if (!sent) {
    log_error(connection->obj_name, sent.error());
    return status_of(sent.error());
  }
  connection->pending.emplace(
      static_cast<std::uint64_t>(*sent),
      Connection::Pending{token, callback, static_cast<pj_ssize_t>(octets.size())});
  return PJ_EPENDING;
}

// No new target is to find it; what holds it goes on.
pj_status_t SiptlsFactory::shut_down(pjsip_transport* transport) {
  auto* connection = static_cast<Connection*>(transport);
  static_cast<void>(
      connection->owner->transport_.drain(connection->id, steady_clock::now() + kShutdown));
  return PJ_SUCCESS;
}

// What waits to be written still goes out, and close_notify behind it.
pj_status_t SiptlsFactory::destroy_connection(pjsip_transport* transport) {
  const std::unique_ptr<Connection> connection(static_cast<Connection*>(transport));
  SiptlsFactory& owner = *connection->owner;
  if (owner.connections_.erase(connection->id) != 0) {
    static_cast<void>(owner.transport_.close(connection->id));
  }
  while (!connection->pending.empty()) {
    connection->finish(SendToken{connection->pending.begin()->first}, -PJSIP_ESHUTDOWN);
  }
  if (connection->lock != nullptr) pj_lock_destroy(connection->lock);
  if (connection->ref_cnt != nullptr) pj_atomic_destroy(connection->ref_cnt);
  if (connection->received.tp_info.pool != nullptr) {
    pjsip_endpt_release_pool(connection->endpt, connection->received.tp_info.pool);
  }
  pjsip_endpt_release_pool(connection->endpt, connection->pool);
  return PJ_SUCCESS;
}

const PeerInfo* SiptlsFactory::peer_of(const pjsip_transport* transport) noexcept {
  if (transport == nullptr || transport->send_msg != &SiptlsFactory::send_message) return nullptr;
  const auto& peer = static_cast<const Connection*>(transport)->peer;
  return peer ? &*peer : nullptr;
}

// --- Events --------------------------------------------------------------------------------------

void SiptlsFactory::handle_events() {
  for (int i = 0; i < kEventsInARow; ++i) {
    const std::optional<Event> event = transport_.next_event();
    if (!event) return;
    std::visit([this](const auto& happened) { handle(happened); }, *event);
  }
  transport_.flush();
}

void SiptlsFactory::handle(const Connected& connected) {
  Connection* connection = find(connected.connection);
  if (connected.role == ConnectionRole::server) {
    connection = add(connected.connection, PJSIP_TP_DIR_INCOMING, to_pj(connected.remote),
                     connected.remote.address_text());
  }
  if (connection == nullptr) {
    static_cast<void>(transport_.close(connected.connection));
    return;
  }
  connection->peer = connected.peer;
  connection->local_addr = to_pj(connected.local);
  report_state(*connection, PJSIP_TP_STATE_CONNECTED, PJ_SUCCESS);
}

void SiptlsFactory::handle(const Message& received) {
  Connection* connection = find(received.connection);
  if (connection == nullptr) return;
  const std::span<const std::byte> octets = received.message.bytes();
  auto& packet = connection->received.pkt_info;
  if (octets.size() >= sizeof packet.packet) {
    log_error(connection->obj_name,
              Error(Errc::message_too_large, std::to_string(octets.size()) +
                                                 " octets; PJSIP was built for PJSIP_MAX_PKT_LEN"));
    static_cast<void>(transport_.close(received.connection));
    return;
  }
  std::memcpy(packet.packet, octets.data(), octets.size());
  packet.packet[octets.size()] = '\0';
  packet.len = static_cast<pj_ssize_t>(octets.size());
  packet.zero = 0;
  pj_gettimeofday(&packet.timestamp);
  // Whoever handles the message may let the transport go.
  pjsip_transport_add_ref(connection);
  pjsip_tpmgr_receive_packet(connection->tpmgr, &connection->received);
  pj_pool_reset(connection->received.tp_info.pool);
  pjsip_transport_dec_ref(connection);
}

void SiptlsFactory::handle(const Sent& sent) {
  if (Connection* connection = find(sent.connection)) connection->finish(sent.token, 1);
}

void SiptlsFactory::handle(const SendFailed& failed) {
  if (Connection* connection = find(failed.connection)) {
    connection->finish(failed.token, -status_of(failed.error));
  }
}

void SiptlsFactory::handle(const ConnectFailed& failed) {
  for (const ConnectAttempt& attempt : failed.attempts) {
    log_error(attempt.remote.to_string(), attempt.error);
  }
  end(failed.connection,
      failed.attempts.empty() ? PJSIP_TLS_ECONNECT : status_of(failed.attempts.back().error));
}

void SiptlsFactory::handle(const HandshakeFailed& failed) {
  log_error(failed.remote.to_string(), failed.error);
  const Connection* connection = find(failed.connection);
  // In TLS 1.3 a client can have been connected; then Closed follows.
  if (connection != nullptr && !connection->peer) end(failed.connection, status_of(failed.error));
}

void SiptlsFactory::handle(const Closed& closed) {
  if (closed.error) log_error("connection closed", *closed.error);
  end(closed.connection, closed.error ? status_of(*closed.error) : PJ_EEOF);
}

void SiptlsFactory::handle(const Warning& warning) { log_error("warning", warning.error); }

// PJSIP ends the transport itself, when nobody holds it any more.
void SiptlsFactory::end(ConnectionId id, pj_status_t status) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  connections_.erase(id);
  pjsip_transport_add_ref(connection);
  report_state(*connection, PJSIP_TP_STATE_DISCONNECTED, status);
  pjsip_transport_shutdown(connection);
  pjsip_transport_dec_ref(connection);
}

void SiptlsFactory::report_state(Connection& connection, pjsip_transport_state state,
                                 pj_status_t status) {
  const pjsip_tp_state_callback callback = pjsip_tpmgr_get_state_cb(connection.tpmgr);
  if (callback == nullptr) return;
  pjsip_transport_state_info what{};
  what.status = status;
  callback(&connection, state, &what);
}
