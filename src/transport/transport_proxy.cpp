// Connections that come through a load balancer: its PROXY header stands before TLS and says who
// the peer is.
#include <algorithm>
#include <utility>

#include "transport/proxy_header.hpp"
#include "transport/transport_core.hpp"

namespace siptls {

// Only those who are named may say who somebody else is.
std::optional<Error> TransportCore::objection_to_balancer(const Listener& listener,
                                                          const Endpoint& remote) {
  const auto& sources = listener.proxy_sources;
  if (std::any_of(sources.begin(), sources.end(),
                  [&](const AddressRange& range) { return range.contains(remote); })) {
    return std::nullopt;
  }
  return Error(Errc::proxy_source_not_allowed, remote.address_text() +
                                                   " is no load balancer of the listener on " +
                                                   listener.local.to_string());
}

// Takes the header off the beginning of the stream. Gives the octets behind it, for TLS; none while
// it is unfinished, and after an error.
std::span<const std::byte> TransportCore::behind_proxy_header(Connection& connection,
                                                              std::span<const std::byte> octets) {
  ProxyState& proxy = *connection.proxy;
  if (proxy.allowed == ProxyProtocol::off) {
    proxy.own_business = false;
    return octets;
  }
  const std::size_t before = proxy.octets.size();
  proxy.octets.insert(proxy.octets.end(), octets.begin(), octets.end());
  auto parsed = parse_proxy_header(proxy.octets, proxy.allowed);
  if (!parsed) {
    refuse_proxy_header(connection, std::move(parsed).error());
    return {};
  }
  if (!*parsed) return {};
  const ProxyHeader& header = **parsed;
  proxy.allowed = ProxyProtocol::off;
  std::vector<std::byte>().swap(proxy.octets);
  const std::size_t rest = header.length - before;
  proxy.own_business = !header.relayed && rest == octets.size();
  if (header.relayed) {
    connection.remote = header.relayed->source;
    connection.local = header.relayed->destination;
  }
  if (!enter(connection)) return {};
  return octets.subspan(rest);
}

// A balancer that is trusted speaks wrongly: somebody has to mend its configuration.
void TransportCore::refuse_proxy_header(Connection& connection, Error error) {
  put_event(HandshakeFailed{connection.id,
                            connection.role,
                            connection.local,
                            connection.remote,
                            connection.listener,
                            std::move(error),
                            {}});
  bury(connection, Farewell::reset);
}

// A balancer looks whether somebody listens: it connects, may say that it speaks for itself (LOCAL,
// UNKNOWN), and goes without a word of TLS. It does so every few seconds and means nothing by it.
bool TransportCore::ends_health_check(Connection& connection) {
  if (!connection.proxy || !connection.proxy->own_business || !connection.proxy->octets.empty()) {
    return false;
  }
  account_.note_health_check(connection.id, connection.wire_remote(), now_);
  bury(connection, Farewell::close);
  return true;
}

}  // namespace siptls
