// TlsPolicy: what may be negotiated. Plain data; start from a preset and change what must differ.
//
// A setting that the TLS library cannot honour is `policy_unsupported` at TlsContext::create, which
// names it. TLS 1.2 is the floor and there is no way below it: SSL 3.0 (RFC 7568), TLS 1.0 and 1.1
// (RFC 8996) must not be negotiated. Renegotiation, compression and 0-RTT data are always off
// (RFC 9325 sections 3.3, 3.5 and 3.10).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "siptls/clock.hpp"
#include "siptls/export.hpp"
#include "siptls/peer_info.hpp"
#include "siptls/trust_store.hpp"

namespace siptls {

// What a server asks of its clients (RFC 3261 section 26.3.1).
enum class ClientCertificate : std::uint8_t {
  required,   // mutual authentication: no proof, no connection
  requested,  // a client may come without; one that comes with a certificate must prove it
  none,       // not asked for
};

// Application-layer protocol negotiation with "sip/2" (RFC 7301).
enum class Alpn : std::uint8_t { off, offer, require };

// Who has the last word about a peer whose certificate was judged good.
enum class PeerAuthorisation : std::uint8_t {
  automatic,  // nobody: the trust store and the list of allowed peers decide
  host,       // the host is asked (AuthorisePeer, TlsSession::authorise); it can only narrow
};

// What a server does about a client that asks for a name which no certificate of its context has
// (RFC 9325 section 3.7). A client that names none gets the first certificate.
enum class UnknownServerName : std::uint8_t {
  refuse_if_several,  // refused where there is a choice; a single certificate speaks for itself
  refuse,             // `unknown_server_name`, alert unrecognized_name
  use_first,          // gets the first certificate
};

// Session resumption by tickets (RFC 5077; RFC 8446 section 2.2, always with a new key exchange).
// A resumed session is judged again: its chain, names and the list of allowed peers, at the time
// and by the context of the resumption. RFC 9325 section 3.4 calls it essential for performance;
// its conditions (authenticated encryption, keys that change, tickets that do not live long) hold
// always.
enum class Resumption : std::uint8_t { off, tickets };

// What is done about TLS 1.2 peers without the extended master secret (RFC 7627). TLS 1.3 has it
// built in.
enum class ExtendedMasterSecret : std::uint8_t {
  required,  // `extended_master_secret_missing` (RFC 7627 section 5.2)
  // Such peers are served, and never resumed (RFC 7627 section 5.3): every connection is a full
  // handshake with its own proof. What remains is that the session's secrets are not bound to the
  // certificates, so nothing outside TLS may rely on them (section 5.4).
  dangerous_optional,
};

// Which suites of the IMG 2020's list, by the length of their cipher's key.
enum class SuiteStrength : std::uint8_t {
  any,           // all that the preset has
  only_128,      // 128 bits and nothing else
  at_least_128,  // 128 bits and more: the same as `any`, since BoringSSL has no shorter key
};

struct SIPTLS_API TlsPolicy {
  ProtocolVersion min_version = ProtocolVersion::tls1_2;
  ProtocolVersion max_version = ProtocolVersion::tls1_3;
  // TLS 1.2 suites by IANA code, best first. Suites of TLS 1.3 cannot be chosen.
  std::vector<std::uint16_t> cipher_suites;
  // Groups by IANA code, best first.
  std::vector<std::uint16_t> groups;
  // Signature schemes by IANA code, best first: for signing and for what is accepted.
  std::vector<std::uint16_t> signature_schemes;
  ClientCertificate client_certificate = ClientCertificate::required;
  EkuPolicy eku = EkuPolicy::either;
  IdentityPolicy names;
  ClockPolicy clock = ClockPolicy::warn;
  // For clients: of the server's certificate. No client staples, so a context with `require` cannot
  // serve (`policy_unsupported`).
  OcspPolicy ocsp = OcspPolicy::if_present;
  PeerAuthorisation authorise = PeerAuthorisation::automatic;
  UnknownServerName unknown_server_name = UnknownServerName::refuse_if_several;
  Resumption resumption = Resumption::tickets;
  ExtendedMasterSecret extended_master_secret = ExtendedMasterSecret::required;
  // `off`: some providers refuse a handshake that offers it.
  Alpn alpn = Alpn::off;

  // TLS 1.3 and 1.2, forward-secret AEAD suites only (RFC 9325 section 4.2); X25519MLKEM768
  // (RFC 10024) first where the TLS library has it, then X25519 and P-256.
  static TlsPolicy modern();
  // modern, and the ECDHE suites with CBC for older peers. Static RSA only by naming it.
  static TlsPolicy interop();
  // The IMG 2020: TLS 1.2, and those suites of its list that the TLS library has, in its order: all
  // are ECDHE. Its static RSA suites must not be used (RFC 10015 section 4); a host that has to
  // meet a peer without any other adds 0x009C, 0x009D, 0x002F or 0x0035 to cipher_suites by name.
  static TlsPolicy img2020();
  // The same, narrowed to suites of that strength. That can be because TLS 1.2 is the only version
  // here: the suites of TLS 1.3 cannot be chosen, so a host that raises max_version gets those with
  // 256 bits as well.
  static TlsPolicy img2020(SuiteStrength strength);
};

}  // namespace siptls
