// PeerInfo: what was proven about a peer.
//
// Values that own what they hold; copies share the certificate part. TLS proves the neighbour of
// this hop and nothing about elements behind it (RFC 3261 section 26.4.3).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "siptls/clock.hpp"
#include "siptls/export.hpp"

namespace siptls {

enum class ProtocolVersion : std::uint16_t { tls1_2 = 0x0303, tls1_3 = 0x0304 };
// "TLS 1.2", "TLS 1.3"
SIPTLS_API std::string_view to_string(ProtocolVersion version) noexcept;

// A certificate in the words of a log line.
struct CertificateSummary {
  std::string subject;  // RFC 4514 order and spelling, for people
  std::string issuer;
  std::string serial;  // upper-case hex
  WallTime not_before;
  WallTime not_after;
  std::string key;                        // "P-256", "RSA 2048", "Ed25519"
  std::array<std::uint8_t, 32> sha256{};  // of the DER
};

// One identity of a certificate (RFC 5922 section 7.1).
struct Identity {
  enum class Source : std::uint8_t { sip_uri, dns_name, ip_address, common_name };
  Source source = Source::dns_name;
  std::string name;  // lower case; an IP address as text

  friend bool operator==(const Identity&, const Identity&) = default;
};
SIPTLS_API std::string_view to_string(Identity::Source source) noexcept;

// A chain that was judged good.
struct ProvenPath {
  std::vector<Identity> identities;    // of the leaf; in the order of the certificate
  std::optional<std::size_t> matched;  // index of the identity that equals the one asked for
  std::vector<CertificateSummary> certificates;  // leaf first, trust anchor last
  std::size_t ca_depth = 0;  // CA certificates above the leaf, the anchor included
  // Until when the OCSP response that was checked is valid; none if none was.
  std::optional<WallTime> ocsp_valid_until;
};

// True if `domain` equals one of `identities` by RFC 5922 section 7.2.
SIPTLS_API bool covers(const std::vector<Identity>& identities, std::string_view domain) noexcept;

struct PeerInfo {
  // What was proven by certificate; null for a client that was not asked for one or had none.
  std::shared_ptr<const ProvenPath> path;
  ProtocolVersion version = ProtocolVersion::tls1_3;
  std::uint16_t cipher_suite = 0;  // IANA code; cipher_suites.hpp has names
  std::uint16_t group = 0;         // IANA code; 0 where none was used
  bool resumed = false;
  std::string application_protocol;  // ALPN, empty if none was negotiated

  bool authenticated() const noexcept { return path != nullptr; }
};

}  // namespace siptls
