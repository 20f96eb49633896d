// Connection reuse (RFC 5923): an accepted connection that carries requests in the other direction
// too. Rows of the table are address and connection; the identities are the connection's own.
#include <algorithm>
#include <utility>

#include "tls/standing.hpp"
#include "transport/transport_core.hpp"

namespace siptls {
namespace {

Unexpected refused(const std::string& why) { return Unexpected(Errc::alias_refused, why); }

bool is_tls(std::string_view transport) noexcept {
  constexpr std::string_view kTls = "tls";
  return std::equal(transport.begin(), transport.end(), kTls.begin(), kTls.end(),
                    [](char x, char y) { return (x | 0x20) == y; });
}

// The port that the sender of `request` serves at (RFC 5923 section 8.2).
Result<std::uint16_t> alias_port(const SipMessageView& request) {
  if (!request.is_request()) return refused("a response asks for no alias");
  const auto via = request.top_via();
  if (!via || !via->alias) return refused("the top Via has no parameter `alias`");
  if (!is_tls(via->transport)) {
    return refused("the top Via is of transport " + std::string(via->transport) + ", not TLS");
  }
  if (via->port == std::uint16_t{0}) return refused("the sent-by of the top Via has port 0");
  return via->port.value_or(kDefaultPort);
}

// A source address that leaves the choice to the system, or is the connection's own.
bool suits(const std::optional<Endpoint>& wanted, const Endpoint& local) noexcept {
  if (!wanted) return true;
  const std::uint8_t* octets = wanted->address_data();
  const bool any = std::all_of(octets, octets + wanted->address_size(),
                               [](std::uint8_t octet) { return octet == 0; });
  return any || wanted->with_port(0) == local.with_port(0);
}

}  // namespace

Result<void> TransportCore::accept_alias(ConnectionId id, const SipMessageView& request) {
  auto found = find_open(id);
  if (!found) return Unexpected(std::move(found).error());
  Connection& connection = **found;
  if (connection.role == ConnectionRole::client) {
    return refused("this side opened the connection, so targets are served by it already");
  }
  if (!connection.connected || !connection.session->peer().path) {
    return refused("the peer has proven nothing by certificate (RFC 5923 section 9.2)");
  }
  // RFC 5923 section 8.3: nothing new begins on a connection that ends.
  if (!takes_new(connection)) {
    return Unexpected(Errc::connection_closed, "the connection is ending");
  }
  const auto port = alias_port(request);
  if (!port) return Unexpected(port.error());
  // One row for each connection: a later request can move it.
  drop_alias(connection);
  const Endpoint serves_at = connection.remote.with_port(*port);
  connection.alias = std::make_unique<Endpoint>(serves_at);
  for (const NamedRemote& name : proven_names(connection, serves_at, {})) {
    aliases_[name].push_back(id);
  }
  return {};
}

// Same address, a domain that the peer has proven, and this side as the same party: what was opened
// to one virtual server never carries requests of another (RFC 5923 sections 8.2 and 9.3).
Connection* TransportCore::find_alias(const Target& target, const NamedRemote& wanted,
                                      const TlsContext& context) {
  const auto row = aliases_.find(wanted);
  if (row == aliases_.end()) return nullptr;
  for (auto id = row->second.rbegin(); id != row->second.rend(); ++id) {
    Connection* connection = find(*id);
    if (connection == nullptr || !takes_new(*connection)) continue;
    const auto& path = connection->session->peer().path;
    if (path && covers(path->identities, target.domain) && suits(target.local, connection->local) &&
        tls::has_standing_of(*connection->session, context)) {
      return connection;
    }
  }
  return nullptr;
}

void TransportCore::drop_alias(Connection& connection) {
  if (!connection.alias) return;
  const std::unique_ptr<Endpoint> serves_at = std::move(connection.alias);
  for (const NamedRemote& name : proven_names(connection, *serves_at, {})) {
    const auto row = aliases_.find(name);
    if (row == aliases_.end()) continue;
    auto& ids = row->second;
    ids.erase(std::remove(ids.begin(), ids.end(), connection.id), ids.end());
    if (ids.empty()) aliases_.erase(row);
  }
}

}  // namespace siptls
