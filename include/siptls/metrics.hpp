// TransportMetrics: what a TlsTransport has done and holds, as numbers.
//
// A snapshot that owns what it holds. Counting costs a few additions; taking a snapshot looks at
// every connection once, for the gauges. The metrics of several transports (threads) are added up
// with merge().
// Names in JSON and OpenMetrics are stable; new ones may be added.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "siptls/error.hpp"
#include "siptls/export.hpp"
#include "siptls/peer_info.hpp"

namespace siptls {

struct TransportMetrics {
  using ByReason = std::map<Errc, std::uint64_t>;
  using ByCode = std::map<std::uint16_t, std::uint64_t>;  // IANA code

  // --- Gauges: as it is now ---
  std::uint64_t connections = 0;  // both roles, handshakes included
  std::uint64_t handshakes = 0;   // of these, not proven yet
  std::uint64_t aliases = 0;      // accepted connections that are reused (RFC 5923)
  std::uint64_t listeners = 0;
  std::uint64_t listeners_paused = 0;
  std::uint64_t queued_messages = 0;  // accepted from the host, not in the kernel
  std::uint64_t queued_bytes = 0;
  // What the kernel has not taken yet, encrypted or not, and what is held of input: unfinished
  // messages and TLS records, and what came for paused connections.
  std::uint64_t buffered_bytes = 0;

  // --- Counters: since the transport was made ---
  std::uint64_t accepted = 0;       // TCP connections taken from a listener
  ByReason accepts_refused;         // and ended at once, by limit
  std::uint64_t health_checks = 0;  // and ended by a load balancer (ListenOptions::proxy)
  ByReason listener_pauses;         // by what made a listener pause
  // Addresses tried. Each one ends as a handshake that was done, as connect_failures (it did not
  // work, or was given up by abort(), close() or drain_all() before TCP had come about), or, the
  // last one of a target, as handshake_failures.
  std::uint64_t connect_attempts = 0;
  ByReason connect_failures;

  // Handshakes that were done, both roles.
  std::uint64_t handshakes_server = 0;
  std::uint64_t handshakes_client = 0;
  std::uint64_t handshakes_resumed = 0;        // of both
  std::uint64_t handshakes_authenticated = 0;  // whose peer had a certificate
  std::map<ProtocolVersion, std::uint64_t> handshakes_by_version;
  ByCode handshakes_by_suite;
  ByCode handshakes_by_group;  // 0: none was used
  ByReason handshake_failures;

  std::uint64_t messages_received = 0;
  std::uint64_t message_bytes_received = 0;
  std::uint64_t messages_accepted = 0;  // by send and respond: a token was given
  std::uint64_t message_bytes_accepted = 0;
  ByReason sends_refused;  // no token was given
  ByReason sends_failed;   // a token was answered with SendFailed
  std::uint64_t pings_received = 0;
  std::uint64_t pongs_received = 0;
  std::uint64_t pings_sent = 0;
  std::uint64_t flows_failed = 0;
  std::uint64_t connections_reused = 0;  // sends to a target that needed no new connection

  std::uint64_t closed_clean = 0;
  ByReason closed;  // by error
  ByReason warnings;
  std::uint64_t context_updates = 0;

  // Adds up: of several transports.
  SIPTLS_API void merge(const TransportMetrics& other);
};

// One JSON object.
SIPTLS_API std::string to_json(const TransportMetrics& metrics);
// OpenMetrics text (version 1.0.0), "# EOF" included; every name begins with "siptls_".
SIPTLS_API std::string to_openmetrics(const TransportMetrics& metrics);

}  // namespace siptls
