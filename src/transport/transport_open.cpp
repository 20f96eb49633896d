// Listeners and outgoing connections.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "transport/transport_core.hpp"

namespace siptls {
namespace {

bool is_any_ipv6(const Endpoint& endpoint) noexcept {
  const std::uint8_t* octets = endpoint.address_data();
  return endpoint.family() == AddressFamily::ipv6 &&
         std::all_of(octets, octets + endpoint.address_size(),
                     [](auto octet) { return octet == 0; });
}

Result<void> check_listen_options(const ListenOptions& options) {
  if (options.proxy != ProxyProtocol::off && options.proxy_sources.empty()) {
    return Unexpected(Errc::invalid_argument,
                      "a listener with PROXY headers must be told from whom it takes them");
  }
  if (options.families == ListenOptions::Families::dual && !is_any_ipv6(options.local)) {
    return Unexpected(Errc::invalid_argument,
                      options.local.to_string() + ": only [::] can take both families");
  }
  return {};
}

// At least one address must be one that can be reached from there; others just do not work.
Result<void> check_source_address(const Target& target) {
  if (!target.local) return {};
  const AddressFamily family = target.local->family();
  const auto& remotes = target.remotes;
  if (std::any_of(remotes.begin(), remotes.end(),
                  [&](const Endpoint& remote) { return remote.family() == family; })) {
    return {};
  }
  return Unexpected(Errc::invalid_argument,
                    "the source address " + target.local->address_text() +
                        " is of another family than each of the target's addresses");
}

}  // namespace

Result<ListenerId> TransportCore::listen(const ListenOptions& options) {
  if (in_wrong_process()) {
    return Unexpected(Errc::wrong_process, "this transport was made in another process");
  }
  begin_call();
  if (running_out_) {
    return Unexpected(Errc::transport_draining, "this transport takes no connection any more");
  }
  // A certificate that has expired is told as Warning below: a start that it prevents would help
  // nobody.
  if (auto usable = check_usable(options.context, ConnectionRole::server); !usable) {
    return Unexpected(std::move(usable).error());
  }
  if (auto good = check_listen_options(options); !good) {
    return Unexpected(std::move(good).error());
  }
  auto socket =
      net::listen({options.local, options.binding == ListenOptions::Binding::may_come_later,
                   options.port == ListenOptions::Port::share,
                   options.families == ListenOptions::Families::dual});
  if (!socket) return Unexpected(std::move(socket).error());
  const ListenerId id{++last_listener_};
  if (auto added = poller_.add(socket->get(), key_of(id), {true, false}); !added) {
    return Unexpected(std::move(added).error());
  }
  const Endpoint local = net::local_endpoint(socket->get());
  listeners_.emplace(
      static_cast<std::uint32_t>(id),
      Listener{id, std::move(*socket), local, options.context,
               options.ticket_scope.empty() ? local.to_string() : options.ticket_scope,
               options.proxy, options.proxy_sources});
  account_.note_listening(local, now_);
  warn_about(options.context);
  end_call();
  return id;
}

Result<Endpoint> TransportCore::local_endpoint(ListenerId id) const {
  const auto found = listeners_.find(static_cast<std::uint32_t>(id));
  if (found == listeners_.end()) {
    return Unexpected(Errc::unknown_listener, "no listener with this id");
  }
  return found->second.local;
}

Result<void> TransportCore::stop_listening(ListenerId id) {
  if (in_wrong_process()) {
    return Unexpected(Errc::wrong_process, "this transport was made in another process");
  }
  const auto found = listeners_.find(static_cast<std::uint32_t>(id));
  if (found == listeners_.end()) {
    return Unexpected(Errc::unknown_listener, "no listener with this id");
  }
  keep_context_of(found->second);
  listeners_.erase(found);
  forget_last_contexts();
  return {};
}

void TransportCore::stop_all_listeners() {
  for (const auto& [number, listener] : listeners_) keep_context_of(listener);
  listeners_.clear();
  forget_last_contexts();
}

void TransportCore::accept_one(Listener& listener, net::Accepted accepted) {
  SessionOptions session_options;
  session_options.handshake_timeout = limits_.handshake_timeout;
  session_options.resumption_scope = listener.ticket_scope;
  auto session = TlsSession::server(listener.context, now_, session_options);
  const ConnectionId id = new_id();
  auto connection =
      std::make_unique<Connection>(id, ConnectionRole::server, listener.context,
                                   ContextSource{ContextOwner::listener, listener.id});
  connection->generation = context_generation_;
  connection->socket = std::move(accepted.socket);
  connection->remote = accepted.remote;
  connection->local = net::local_endpoint(connection->socket.get());
  connection->listener = listener.id;
  if (listener.proxy != ProxyProtocol::off) {
    connection->proxy =
        std::make_unique<ProxyState>(ProxyState{listener.proxy, {}, accepted.remote});
  }
  connection->phase = Phase::handshaking;
  connection->phase_since = connection->last_activity = now_.mono;
  connection->entered = !connection->proxy;  // see objection_to()
  admission_.begin_handshake();
  Result<void> added;
  if (session) {
    connection->session.emplace(std::move(*session));
    connection->interest = {true, false};
    added = poller_.add(connection->socket.get(), static_cast<std::uint64_t>(id), {true, false});
  }
  if (!session || !added) {
    Error error = session ? std::move(added).error() : std::move(session).error();
    leave(*connection);
    put_event(HandshakeFailed{id,
                              ConnectionRole::server,
                              connection->local,
                              connection->remote,
                              listener.id,
                              std::move(error),
                              {}});
    return;
  }
  Connection& accepted_one = *connection;
  connections_.emplace(static_cast<std::uint64_t>(id), std::move(connection));
  arm(accepted_one);
}

Result<ConnectionId> TransportCore::connect(const Target& target) {
  if (in_wrong_process()) {
    return Unexpected(Errc::wrong_process, "this transport was made in another process");
  }
  const auto choice = choose_context(target);
  if (!choice) return Unexpected(choice.error());
  begin_call();
  auto connection = open(target, *choice);
  if (!connection) return Unexpected(std::move(connection).error());
  const ConnectionId id = (*connection)->id;
  if (!(*connection)->socket) try_next_remote(**connection);
  end_call();
  return id;
}

Result<TransportCore::ContextChoice> TransportCore::choose_context(const Target& target) const {
  if (target.context) return ContextChoice{&*target.context, {}};
  if (outgoing_) return ContextChoice{&*outgoing_, {ContextOwner::transport, ListenerId::none}};
  return Unexpected(Errc::invalid_argument,
                    "the target has no context, and the transport has none for outgoing "
                    "connections");
}

// The connection that a message for `target` goes out on. A new one has no socket yet.
Result<Connection*> TransportCore::open(const Target& target, const ContextChoice& choice) {
  if (target.remotes.empty()) {
    return Unexpected(Errc::invalid_argument, "the target has no remote address");
  }
  for (const Endpoint& remote : target.remotes) {
    if (remote.port() == 0) {
      return Unexpected(Errc::invalid_argument, remote.to_string() + ": the port is 0");
    }
  }
  if (auto good = check_source_address(target); !good) return Unexpected(std::move(good).error());
  if (target.keep_alive) {
    if (auto good = check_keep_alive(*target.keep_alive); !good) {
      return Unexpected(std::move(good).error());
    }
  }
  if (Connection* reusable = find_reusable(target, *choice.context)) return reusable;
  if (running_out_) {
    return Unexpected(Errc::transport_draining, "this transport opens no connection any more");
  }
  if (connections_.size() >= limits_.max_connections) {
    return Unexpected(
        Errc::too_many_connections,
        "the limit of " + std::to_string(limits_.max_connections) + " connections is reached");
  }
  // Refuses a domain or context that cannot be used, before anything is accepted.
  if (auto session = TlsSession::client(*choice.context, target.domain, now_); !session) {
    return Unexpected(std::move(session).error());
  }
  const ConnectionId id = new_id();
  auto connection =
      std::make_unique<Connection>(id, ConnectionRole::client, *choice.context, choice.source);
  connection->outgoing = std::make_unique<Outgoing>(target);
  connection->generation = context_generation_;
  connection->phase_since = connection->last_activity = now_.mono;
  Connection* opened = connection.get();
  connections_.emplace(static_cast<std::uint64_t>(id), std::move(connection));
  index_remote(*opened);
  return opened;
}

// RFC 3263 section 4.3: the addresses in order, until one works.
void TransportCore::try_next_remote(Connection& connection) {
  Outgoing& outgoing = *connection.outgoing;
  while (outgoing.next_remote < outgoing.target.remotes.size()) {
    const Endpoint remote = outgoing.target.remotes[outgoing.next_remote++];
    if (start_attempt(connection, remote)) return;
  }
  Error error = outgoing.attempts.back().error;
  end_unproven(connection, std::move(error));
}

bool TransportCore::start_attempt(Connection& connection, const Endpoint& remote) {
  account_.note_connect_attempt();
  Outgoing& outgoing = *connection.outgoing;
  connection.remote = remote;
  connection.phase = Phase::connecting;
  connection.phase_since = now_.mono;
  auto socket = net::start_connect(remote, outgoing.target.local);
  if (!socket) {
    note_attempt(connection, std::move(socket).error());
    return false;
  }
  connection.socket = std::move(*socket);
  connection.interest = {false, true};
  if (auto added = poller_.add(connection.socket.get(), static_cast<std::uint64_t>(connection.id),
                               connection.interest);
      !added) {
    connection.socket.close();
    note_attempt(connection, std::move(added).error());
    return false;
  }
  arm(connection);
  return true;
}

void TransportCore::finish_connect(Connection& connection) {
  if (const int error = net::connect_outcome(connection.socket.get()); error != 0) {
    attempt_failed(connection,
                   net::io_error(error, "connecting to " + connection.remote.to_string()));
    return;
  }
  start_handshake(connection);
}

void TransportCore::start_handshake(Connection& connection) {
  const Target& target = connection.outgoing->target;
  connection.local = net::local_endpoint(connection.socket.get());
  connection.phase = Phase::handshaking;
  connection.phase_since = connection.last_activity = now_.mono;
  SessionOptions options;
  options.handshake_timeout = limits_.handshake_timeout;
  options.trace = target.trace;
  options.resumption_scope = connection.remote.to_string();
  auto session = TlsSession::client(connection.context, target.domain, now_, options);
  if (!session) {
    attempt_failed(connection, std::move(session).error());
    return;
  }
  connection.session.emplace(std::move(*session));
  write_out(connection);
  arm(connection);
}

// Before the peer was proven. A client may have other addresses.
void TransportCore::unproven_failed(Connection& connection, Error error) {
  if (connection.role == ConnectionRole::client) {
    attempt_failed(connection, std::move(error));
  } else {
    end_unproven(connection, std::move(error));
  }
}

// This address did not work; the messages wait for the next one, since none of them has gone out.
void TransportCore::attempt_failed(Connection& connection, Error error) {
  Outgoing& outgoing = *connection.outgoing;
  // While the host has not answered, it would be asked again for another address under the same id,
  // and a late answer to the first question would be taken for one to the second.
  if (outgoing.next_remote >= outgoing.target.remotes.size() || connection.asked) {
    if (connection.phase == Phase::connecting) note_attempt(connection, error);
    end_unproven(connection, std::move(error));
    return;
  }
  note_attempt(connection, std::move(error));
  poller_.remove(connection.socket.get());
  if (connection.phase == Phase::handshaking) {
    linger(connection);
  } else {
    connection.socket.close();
  }
  connection.session.reset();
  connection.asked = connection.unpolled = connection.hung_up = connection.input_over = false;
  connection.starved = connection.lacked_memory = false;
  connection.write_error.reset();
  connection.write_error_until = connection.write_since = MonoTime::max();
  try_next_remote(connection);
}

void TransportCore::note_attempt(Connection& connection, Error error) {
  account_.note_connect_failure(connection.id, connection.remote, error, now_);
  connection.outgoing->attempts.push_back({connection.remote, std::move(error)});
}

}  // namespace siptls
