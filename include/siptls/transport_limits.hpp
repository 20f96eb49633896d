// TransportLimits: what a TlsTransport takes on, and for how long it waits. All on by default.
//
// Each limit has a reason of its own (Errc) and a count of its own (TransportMetrics). What is
// refused before its handshake is counted and told to the log, and gives no event: a flood must
// cost less than what it floods.
//
// 0 is not "off": it would mean that nothing can ever happen, and such a limit, or a time below 0,
// is an `invalid_argument` of TlsTransport::create(). What shall not be limited has the largest
// value of its type, `milliseconds::max()` or Rate::unlimited(). A 0 has a meaning in
// close_timeout, max_body and max_empty_lines alone.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "siptls/sip_framer.hpp"

namespace siptls {

// A token bucket: `burst` at once, and `per_second` more each second.
struct Rate {
  std::uint32_t per_second = 0;
  std::uint32_t burst = 0;

  static constexpr Rate unlimited() noexcept {
    return {std::numeric_limits<std::uint32_t>::max(), std::numeric_limits<std::uint32_t>::max()};
  }
  friend bool operator==(const Rate&, const Rate&) = default;
};

struct TransportLimits {
  // --- How many ---
  // Connections of a transport, both roles, handshakes included. The listeners pause here
  // (`too_many_connections`), and connections to targets are refused.
  std::size_t max_connections = 20'000;
  // Accepted from one IPv4 address, or from one /64 of IPv6: no single peer takes more than half.
  // Further ones are reset (`too_many_from_address`).
  std::size_t max_connections_per_address = 10'000;
  // Accepted, with their handshake not done. The listeners pause here (`too_many_handshakes`).
  std::size_t max_handshakes = 1024;
  // The same from one address, as above. Further ones are reset.
  std::size_t max_handshakes_per_address = 512;
  // How fast connections are accepted, listeners together. They pause when it is used up
  // (`accept_rate_reached`); meanwhile connections wait in the kernel's queue.
  Rate accept_rate{1000, 1000};
  // The same from one address, as above, so that a flood of few leaves room for others: where there
  // are others, and less than half of the common rate is left, further ones are reset
  // (`accept_rate_reached`). A host whose peers come back by the thousand from one address, after a
  // failure of theirs, raises this and max_handshakes_per_address.
  Rate accept_rate_per_address{100, 100};

  // --- How long ---
  // For TCP to come about, for each address. Shorter than SIP's 32 s (64*T1, RFC 3261 section
  // 17.1.1.2), so that a second address can still be tried in time.
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(5);
  // From accept or connect until the peer is proven; a PROXY header included.
  std::chrono::milliseconds handshake_timeout = std::chrono::seconds(10);
  // From Connected to the first whole message or keep-alive of a peer that was accepted. Longer
  // than the 120 s after which a client without other traffic pings at the latest (RFC 5626 section
  // 4.4.1).
  std::chrono::milliseconds first_message_timeout = std::chrono::seconds(150);
  // Without a message or keep-alive in either direction. RFC 3261 section 18 wants at least 32 s;
  // RFC 5923 section 8.1 wants connections kept up. A registrar whose clients ping more seldom
  // (840 s on battery) raises it.
  std::chrono::milliseconds idle_timeout = std::chrono::seconds(600);
  // From the first octet of a message to its last (RFC 4475 section 3.1.2.2), or of a TLS record,
  // before whose last octet nothing of a message can be read. Not while the host has paused the
  // connection.
  std::chrono::milliseconds message_timeout = std::chrono::seconds(20);
  // For a peer that reads nothing of what waits for it: 64*T1, after which no transaction waits.
  std::chrono::milliseconds write_timeout = std::chrono::seconds(32);
  // For the peer's close_notify after ours, and for the queue to be written before it. 0: neither
  // is waited for.
  std::chrono::milliseconds close_timeout = std::chrono::seconds(2);

  // --- How much ---
  // Queued and not yet written, for each connection. At either limit `queue_full`, until half of it
  // is free again (Writable).
  std::size_t max_queued_bytes = 1024 * 1024;
  std::size_t max_queued_messages = 1024;
  // What all connections together may hold: messages that wait to be written, unfinished messages
  // and TLS records that came, and what had been received of a connection (64 KiB at most) when the
  // host paused it. A send that does not fit is refused (`buffers_full`), and Writable tells its
  // connection when it would, those first that have waited longest, unless theirs is too large for
  // what is free and others are not. When input does not fit, the connection that holds the most
  // input is closed with `buffers_full`, whichever it is: a peer whose record came in two segments
  // does not pay for others with large unfinished messages. Where no connection holds more input
  // than one TLS record (18 KiB) and most of what is held waits for peers that do not read, the one
  // of these for which the most waits is closed instead. Handshakes are not counted: max_handshakes
  // bounds what they hold.
  std::size_t max_buffered_bytes = 256 * 1024 * 1024;
  // Pings of one peer. A peer that sends more is closed (`too_many_pings`).
  Rate ping_rate{10, 100};
  FramerLimits framer;
};

}  // namespace siptls
