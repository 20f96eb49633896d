// Error: what went wrong, who is at fault, and the evidence.
//
// Every failure in siptls is an Error value. `reason()` is stable and its name is the word that
// every tool prints; `category()` follows from the reason and says who is at fault, which is what a
// host decides on; `evidence()` is text for people (names, dates, numbers) and not stable.
// An Error owns its text and refers to nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "siptls/export.hpp"

namespace siptls {

// Who is at fault.
enum class Category : std::uint8_t {
  usage,          // the calling program broke a rule of the API
  config,         // a file, key, certificate, list or policy that the operator supplied
  clock,          // the clock cannot be right, so no certificate can be judged
  certificate,    // what the peer presented does not prove who it should be
  peer_protocol,  // the peer broke the TLS protocol
  peer_alert,     // the peer refused and said so in an alert
  incompatible,   // both sides are right and have nothing in common
  framing,        // the byte stream is not a stream of SIP messages
  io,             // the network or the operating system
  limit,          // a limit or deadline that the host set
  closed,         // the connection or transport has ended
  internal,       // memory, or a mistake in siptls
};

// The stable reasons. Names are unique; `to_string` gives exactly the enumerator's name.
enum class Errc : std::uint8_t {
  // usage
  invalid_argument,
  invalid_endpoint,    // text that is no IP address with an optional port
  invalid_domain,      // a reference identity that is neither a DNS name nor an IP address
  unknown_connection,  // an id that was never given out or whose end was already reported
  unknown_listener,
  handshake_not_complete,  // application data before the peer was proven
  wrong_process,           // used after fork() in another process than the one that made it
  alias_refused,           // a connection that cannot be reused for requests (RFC 5923)

  // config
  file_not_found,
  file_permission_denied,
  file_not_regular,  // a folder, FIFO or device where a file was expected, or the reverse
  file_too_large,
  file_unreadable,  // any other reason why the system refused to read it
  pem_empty,        // no PEM block in the text
  pem_wrong_type,   // PEM blocks, but none (or not only) of the type that is needed
  pem_malformed,    // a block that does not end, or is not base64
  certificate_malformed,
  private_key_malformed,
  private_key_unsupported,     // a kind of key that siptls does not use (DSA, other curves)
  key_encryption_unsupported,  // encrypted in a way that the TLS library cannot open
  passphrase_required,
  wrong_passphrase,
  key_mismatch,           // private key and leaf certificate do not belong together
  key_file_exposed,       // others than its owner can read the private key's file
  signature_unavailable,  // the signer that holds the private key did not sign
  credentials_missing,    // a role that needs a certificate has none
  trust_store_full,
  trust_store_empty,
  crl_malformed,
  policy_unsupported,   // a TlsPolicy setting that the TLS library cannot honour
  foreign_tls_library,  // BoringSSL's functions are another library's in this process

  // clock
  clock_not_trusted,

  // certificate
  certificate_missing,     // the peer was asked for a certificate and sent none
  certificate_unreadable,  // the peer's certificate is no certificate
  certificate_expired,
  certificate_not_yet_valid,
  certificate_revoked,
  certificate_signature_invalid,
  certificate_invalid,  // any other breach of RFC 5280
  unknown_ca,           // no path to an entry of the trust store
  chain_too_deep,
  not_a_ca,  // an issuer without basicConstraints CA=TRUE or keyCertSign
  path_length_exceeded,
  name_constraint_violated,
  unknown_critical_extension,
  key_usage_forbidden,  // keyUsage does not allow digital signatures
  extended_key_usage_forbidden,
  weak_key,
  weak_signature,
  crl_missing,
  crl_stale,
  crl_invalid,
  crl_unsupported,  // delta, indirect or partial CRL
  ocsp_response_missing,
  ocsp_response_invalid,
  no_sip_identity,  // a certificate without any identity (RFC 5922 section 7.1)
  identity_mismatch,
  identity_not_allowed,  // proven, but not on the allow-list
  peer_not_authorised,   // proven, and refused by the host

  // peer_protocol
  not_tls,  // the first bytes are no TLS record
  tls_protocol_error,
  decrypt_error,  // a record or signature that fails its check
  renegotiation_refused,
  insecure_renegotiation,          // TLS 1.2 without RFC 5746
  extended_master_secret_missing,  // TLS 1.2 without RFC 7627

  // peer_alert
  peer_rejected_certificate,     // alerts 42 to 46, 48 and 116
  peer_denied_access,            // alert 49
  peer_rejected_version,         // alert 70
  peer_found_nothing_in_common,  // alerts 40, 71 and 120
  peer_alert,                    // any other

  // incompatible
  protocol_version_unsupported,
  no_common_cipher_suite,
  no_common_group,
  no_common_signature_algorithm,
  no_common_application_protocol,
  unknown_server_name,  // the client asked for a name that no certificate here has

  // framing
  missing_content_length,
  duplicate_content_length,
  invalid_content_length,
  content_length_too_large,  // overflow, or more than the limit for a body
  header_too_large,
  start_line_too_long,
  too_many_headers,
  invalid_start_line,
  invalid_header,
  bare_line_feed,
  bare_carriage_return,
  nul_in_header,
  unexpected_fold,  // a line that begins with a blank where no header precedes it
  too_many_empty_lines,
  framer_failed,  // used after it had reported an error

  // io
  connection_refused,
  connection_reset,
  connect_failed,  // unreachable, no route, address family, and the like
  address_in_use,
  address_not_available,
  too_many_files,
  truncated,  // the stream ended without close_notify
  io_failed,
  proxy_header_invalid,      // a load balancer's PROXY header that is missing or malformed
  proxy_source_not_allowed,  // a connection that did not come from the load balancer
  flow_failed,               // no pong came (RFC 5626 section 4.4.1)

  // limit
  connect_timeout,
  handshake_timeout,
  idle_timeout,
  first_message_timeout,
  message_timeout,
  write_timeout,  // the peer reads nothing of what waits for it
  handshake_too_large,
  too_many_connections,
  too_many_from_address,  // connections, or handshakes, of one address
  too_many_handshakes,
  accept_rate_reached,
  too_many_pings,
  too_many_key_updates,  // with no data between them
  queue_full,
  buffers_full,  // of all connections together
  message_too_large,
  expired,  // waited longer than SendOptions::expires_at

  // closed
  connection_closed,
  connection_aborted,  // by abort() of this side
  transport_closed,
  transport_draining,

  // internal
  out_of_memory,
  internal,
};

inline constexpr unsigned kErrcCount = static_cast<unsigned>(Errc::internal) + 1;

// TLS alerts (RFC 8446 section 6, RFC 9846 section 6).
enum class Alert : std::uint8_t {
  close_notify = 0,
  unexpected_message = 10,
  bad_record_mac = 20,
  record_overflow = 22,
  handshake_failure = 40,
  no_certificate = 41,
  bad_certificate = 42,
  unsupported_certificate = 43,
  certificate_revoked = 44,
  certificate_expired = 45,
  certificate_unknown = 46,
  illegal_parameter = 47,
  unknown_ca = 48,
  access_denied = 49,
  decode_error = 50,
  decrypt_error = 51,
  export_restriction = 60,
  protocol_version = 70,
  insufficient_security = 71,
  internal_error = 80,
  inappropriate_fallback = 86,
  user_canceled = 90,
  no_renegotiation = 100,
  missing_extension = 109,
  unsupported_extension = 110,
  unrecognized_name = 112,
  bad_certificate_status_response = 113,
  unknown_psk_identity = 115,
  certificate_required = 116,
  general_error = 117,
  no_application_protocol = 120,
};

SIPTLS_API std::string_view to_string(Category category) noexcept;
SIPTLS_API std::string_view to_string(Errc reason) noexcept;
// The alert's RFC name, or "alert" for a number without one.
SIPTLS_API std::string_view to_string(Alert alert) noexcept;

// The category that `reason` belongs to.
SIPTLS_API Category category_of(Errc reason) noexcept;
// The alert that tells a TLS peer about `reason`; none where an alert would be wrong or useless.
SIPTLS_API std::optional<Alert> alert_for(Errc reason) noexcept;

class Error {
 public:
  explicit Error(Errc reason, std::string evidence = {})
      : evidence_(std::move(evidence)), reason_(reason) {}

  Errc reason() const noexcept { return reason_; }
  Category category() const noexcept { return category_of(reason_); }
  const std::string& evidence() const noexcept { return evidence_; }

  // The alert that was sent to the peer or, in category peer_alert, came from it.
  std::optional<Alert> alert() const noexcept { return alert_; }
  // Which certificate of the presented chain is meant; 0 is the leaf.
  std::optional<std::uint32_t> certificate() const noexcept { return certificate_; }
  // Where in the stream (octets from its beginning) a framing error was found.
  std::optional<std::uint64_t> offset() const noexcept { return offset_; }

  Error& with_alert(Alert alert) & { return alert_ = alert, *this; }
  Error with_alert(Alert alert) && { return alert_ = alert, std::move(*this); }
  Error with_certificate(std::uint32_t index) && { return certificate_ = index, std::move(*this); }
  Error with_offset(std::uint64_t offset) && { return offset_ = offset, std::move(*this); }

  // "reason: evidence", the form in which the tools print it.
  SIPTLS_API std::string message() const;

 private:
  std::string evidence_;
  std::optional<std::uint64_t> offset_;
  std::optional<std::uint32_t> certificate_;
  std::optional<Alert> alert_;
  Errc reason_;
};

}  // namespace siptls
