// Outgoing connections that are found again. However many there are to one address, a look-up meets
// those alone that have proven the name, or are about to, and that were opened in the same way.
#include <algorithm>
#include <iterator>
#include <utility>

#include "pki/reference.hpp"
#include "transport/transport_core.hpp"

namespace siptls {
namespace {

// Empty for what is no name; nothing is found by that.
std::string spelled(std::string_view domain) {
  const auto reference = pki::Reference::parse(domain);
  return reference ? reference->name() : std::string();
}

ReuseKey key_for(const Connection& connection, NamedRemote to) {
  return {std::move(to), connection.context.id(), connection.outgoing->target.local};
}

bool has_proven(const Connection& connection, std::string_view domain) {
  if (!connection.connected || !connection.session->peer().path) return false;
  return covers(connection.session->peer().path->identities, domain);
}

}  // namespace

// Same remote, source address and context, and the peer has proven the domain, or is about to prove
// exactly it (RFC 5923 section 8.1). Never by address alone.
Connection* TransportCore::find_reusable(const Target& target, const TlsContext& context) {
  const std::string name = spelled(target.domain);
  for (const Endpoint& remote : target.remotes) {
    const auto [begin, end] = by_remote_.equal_range({{remote, name}, context.id(), target.local});
    for (auto entry = begin; entry != end; ++entry) {
      Connection* connection = find(entry->second);
      if (connection == nullptr || !takes_new(*connection)) continue;
      // It is at another of its addresses, which may be the one that the host gives up.
      if (connection->remote != remote) continue;
      const Target& opened_for = connection->outgoing->target;
      if (spelled(opened_for.domain) == name || has_proven(*connection, target.domain)) {
        return connection;
      }
    }
    if (Connection* accepted = find_alias(target, {remote, name}, context)) return accepted;
  }
  return nullptr;
}

// A connection is found under each address that it may still be opened to.
void TransportCore::index_remote(Connection& connection) {
  const Target& target = connection.outgoing->target;
  for (const Endpoint& remote : target.remotes) {
    by_remote_.emplace(key_for(connection, {remote, spelled(target.domain)}), connection.id);
  }
}

// What the peer has proven, at this address, besides `own`.
std::vector<NamedRemote> TransportCore::proven_names(const Connection& connection,
                                                     const Endpoint& remote,
                                                     const std::string& own) {
  std::vector<NamedRemote> names;
  if (!connection.connected || !connection.session->peer().path) return names;
  for (const Identity& identity : connection.session->peer().path->identities) {
    NamedRemote name{remote, spelled(identity.name)};
    if (name.name.empty() || name.name == own) continue;
    // One name can stand in a certificate as URI and as DNS name.
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(std::move(name));
    }
  }
  return names;
}

// Once the peer is proven, it is found under its other names as well.
void TransportCore::index_proven(Connection& connection) {
  const std::string own = spelled(connection.outgoing->target.domain);
  for (NamedRemote& name : proven_names(connection, connection.remote, own)) {
    by_remote_.emplace(key_for(connection, std::move(name)), connection.id);
  }
}

void TransportCore::unindex_remote(Connection& connection) {
  drop_alias(connection);
  if (!connection.outgoing) return;
  const Target& target = connection.outgoing->target;
  const std::string own = spelled(target.domain);
  std::vector<NamedRemote> names = proven_names(connection, connection.remote, own);
  for (const Endpoint& remote : target.remotes) names.push_back({remote, own});
  for (NamedRemote& name : names) {
    const auto [begin, end] = by_remote_.equal_range(key_for(connection, std::move(name)));
    for (auto entry = begin; entry != end;) {
      entry = entry->second == connection.id ? by_remote_.erase(entry) : std::next(entry);
    }
  }
}

}  // namespace siptls
