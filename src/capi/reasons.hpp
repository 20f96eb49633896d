// The numbers of the reasons in the C interface, which never change, whatever is added to Errc.
#pragma once

#include <array>

#include "siptls/c/error.h"
#include "siptls/error.hpp"

namespace siptls::capi {

struct ReasonNumber {
  Errc reason;
  int number;
};

// In the order of Errc.
inline constexpr std::array<ReasonNumber, kErrcCount> kReasons{{
    {Errc::invalid_argument, SIPTLS_E_INVALID_ARGUMENT},
    {Errc::invalid_endpoint, SIPTLS_E_INVALID_ENDPOINT},
    {Errc::invalid_domain, SIPTLS_E_INVALID_DOMAIN},
    {Errc::unknown_connection, SIPTLS_E_UNKNOWN_CONNECTION},
    {Errc::unknown_listener, SIPTLS_E_UNKNOWN_LISTENER},
    {Errc::handshake_not_complete, SIPTLS_E_HANDSHAKE_NOT_COMPLETE},
    {Errc::wrong_process, SIPTLS_E_WRONG_PROCESS},
    {Errc::alias_refused, SIPTLS_E_ALIAS_REFUSED},
    {Errc::file_not_found, SIPTLS_E_FILE_NOT_FOUND},
    {Errc::file_permission_denied, SIPTLS_E_FILE_PERMISSION_DENIED},
    {Errc::file_not_regular, SIPTLS_E_FILE_NOT_REGULAR},
    {Errc::file_too_large, SIPTLS_E_FILE_TOO_LARGE},
    {Errc::file_unreadable, SIPTLS_E_FILE_UNREADABLE},
    {Errc::pem_empty, SIPTLS_E_PEM_EMPTY},
    {Errc::pem_wrong_type, SIPTLS_E_PEM_WRONG_TYPE},
    {Errc::pem_malformed, SIPTLS_E_PEM_MALFORMED},
    {Errc::certificate_malformed, SIPTLS_E_CERTIFICATE_MALFORMED},
    {Errc::private_key_malformed, SIPTLS_E_PRIVATE_KEY_MALFORMED},
    {Errc::private_key_unsupported, SIPTLS_E_PRIVATE_KEY_UNSUPPORTED},
    {Errc::key_encryption_unsupported, SIPTLS_E_KEY_ENCRYPTION_UNSUPPORTED},
    {Errc::passphrase_required, SIPTLS_E_PASSPHRASE_REQUIRED},
    {Errc::wrong_passphrase, SIPTLS_E_WRONG_PASSPHRASE},
    {Errc::key_mismatch, SIPTLS_E_KEY_MISMATCH},
    {Errc::key_file_exposed, SIPTLS_E_KEY_FILE_EXPOSED},
    {Errc::signature_unavailable, SIPTLS_E_SIGNATURE_UNAVAILABLE},
    {Errc::credentials_missing, SIPTLS_E_CREDENTIALS_MISSING},
    {Errc::trust_store_full, SIPTLS_E_TRUST_STORE_FULL},
    {Errc::trust_store_empty, SIPTLS_E_TRUST_STORE_EMPTY},
    {Errc::crl_malformed, SIPTLS_E_CRL_MALFORMED},
    {Errc::policy_unsupported, SIPTLS_E_POLICY_UNSUPPORTED},
    {Errc::foreign_tls_library, SIPTLS_E_FOREIGN_TLS_LIBRARY},
    {Errc::clock_not_trusted, SIPTLS_E_CLOCK_NOT_TRUSTED},
    {Errc::certificate_missing, SIPTLS_E_CERTIFICATE_MISSING},
    {Errc::certificate_unreadable, SIPTLS_E_CERTIFICATE_UNREADABLE},
    {Errc::certificate_expired, SIPTLS_E_CERTIFICATE_EXPIRED},
    {Errc::certificate_not_yet_valid, SIPTLS_E_CERTIFICATE_NOT_YET_VALID},
    {Errc::certificate_revoked, SIPTLS_E_CERTIFICATE_REVOKED},
    {Errc::certificate_signature_invalid, SIPTLS_E_CERTIFICATE_SIGNATURE_INVALID},
    {Errc::certificate_invalid, SIPTLS_E_CERTIFICATE_INVALID},
    {Errc::unknown_ca, SIPTLS_E_UNKNOWN_CA},
    {Errc::chain_too_deep, SIPTLS_E_CHAIN_TOO_DEEP},
    {Errc::not_a_ca, SIPTLS_E_NOT_A_CA},
    {Errc::path_length_exceeded, SIPTLS_E_PATH_LENGTH_EXCEEDED},
    {Errc::name_constraint_violated, SIPTLS_E_NAME_CONSTRAINT_VIOLATED},
    {Errc::unknown_critical_extension, SIPTLS_E_UNKNOWN_CRITICAL_EXTENSION},
    {Errc::key_usage_forbidden, SIPTLS_E_KEY_USAGE_FORBIDDEN},
    {Errc::extended_key_usage_forbidden, SIPTLS_E_EXTENDED_KEY_USAGE_FORBIDDEN},
    {Errc::weak_key, SIPTLS_E_WEAK_KEY},
    {Errc::weak_signature, SIPTLS_E_WEAK_SIGNATURE},
    {Errc::crl_missing, SIPTLS_E_CRL_MISSING},
    {Errc::crl_stale, SIPTLS_E_CRL_STALE},
    {Errc::crl_invalid, SIPTLS_E_CRL_INVALID},
    {Errc::crl_unsupported, SIPTLS_E_CRL_UNSUPPORTED},
    {Errc::ocsp_response_missing, SIPTLS_E_OCSP_RESPONSE_MISSING},
    {Errc::ocsp_response_invalid, SIPTLS_E_OCSP_RESPONSE_INVALID},
    {Errc::no_sip_identity, SIPTLS_E_NO_SIP_IDENTITY},
    {Errc::identity_mismatch, SIPTLS_E_IDENTITY_MISMATCH},
    {Errc::identity_not_allowed, SIPTLS_E_IDENTITY_NOT_ALLOWED},
    {Errc::peer_not_authorised, SIPTLS_E_PEER_NOT_AUTHORISED},
    {Errc::not_tls, SIPTLS_E_NOT_TLS},
    {Errc::tls_protocol_error, SIPTLS_E_TLS_PROTOCOL_ERROR},
    {Errc::decrypt_error, SIPTLS_E_DECRYPT_ERROR},
    {Errc::renegotiation_refused, SIPTLS_E_RENEGOTIATION_REFUSED},
    {Errc::insecure_renegotiation, SIPTLS_E_INSECURE_RENEGOTIATION},
    {Errc::extended_master_secret_missing, SIPTLS_E_EXTENDED_MASTER_SECRET_MISSING},
    {Errc::peer_rejected_certificate, SIPTLS_E_PEER_REJECTED_CERTIFICATE},
    {Errc::peer_denied_access, SIPTLS_E_PEER_DENIED_ACCESS},
    {Errc::peer_rejected_version, SIPTLS_E_PEER_REJECTED_VERSION},
    {Errc::peer_found_nothing_in_common, SIPTLS_E_PEER_FOUND_NOTHING_IN_COMMON},
    {Errc::peer_alert, SIPTLS_E_PEER_ALERT},
    {Errc::protocol_version_unsupported, SIPTLS_E_PROTOCOL_VERSION_UNSUPPORTED},
    {Errc::no_common_cipher_suite, SIPTLS_E_NO_COMMON_CIPHER_SUITE},
    {Errc::no_common_group, SIPTLS_E_NO_COMMON_GROUP},
    {Errc::no_common_signature_algorithm, SIPTLS_E_NO_COMMON_SIGNATURE_ALGORITHM},
    {Errc::no_common_application_protocol, SIPTLS_E_NO_COMMON_APPLICATION_PROTOCOL},
    {Errc::unknown_server_name, SIPTLS_E_UNKNOWN_SERVER_NAME},
    {Errc::missing_content_length, SIPTLS_E_MISSING_CONTENT_LENGTH},
    {Errc::duplicate_content_length, SIPTLS_E_DUPLICATE_CONTENT_LENGTH},
    {Errc::invalid_content_length, SIPTLS_E_INVALID_CONTENT_LENGTH},
    {Errc::content_length_too_large, SIPTLS_E_CONTENT_LENGTH_TOO_LARGE},
    {Errc::header_too_large, SIPTLS_E_HEADER_TOO_LARGE},
    {Errc::start_line_too_long, SIPTLS_E_START_LINE_TOO_LONG},
    {Errc::too_many_headers, SIPTLS_E_TOO_MANY_HEADERS},
    {Errc::invalid_start_line, SIPTLS_E_INVALID_START_LINE},
    {Errc::invalid_header, SIPTLS_E_INVALID_HEADER},
    {Errc::bare_line_feed, SIPTLS_E_BARE_LINE_FEED},
    {Errc::bare_carriage_return, SIPTLS_E_BARE_CARRIAGE_RETURN},
    {Errc::nul_in_header, SIPTLS_E_NUL_IN_HEADER},
    {Errc::unexpected_fold, SIPTLS_E_UNEXPECTED_FOLD},
    {Errc::too_many_empty_lines, SIPTLS_E_TOO_MANY_EMPTY_LINES},
    {Errc::framer_failed, SIPTLS_E_FRAMER_FAILED},
    {Errc::connection_refused, SIPTLS_E_CONNECTION_REFUSED},
    {Errc::connection_reset, SIPTLS_E_CONNECTION_RESET},
    {Errc::connect_failed, SIPTLS_E_CONNECT_FAILED},
    {Errc::address_in_use, SIPTLS_E_ADDRESS_IN_USE},
    {Errc::address_not_available, SIPTLS_E_ADDRESS_NOT_AVAILABLE},
    {Errc::too_many_files, SIPTLS_E_TOO_MANY_FILES},
    {Errc::truncated, SIPTLS_E_TRUNCATED},
    {Errc::io_failed, SIPTLS_E_IO_FAILED},
    {Errc::proxy_header_invalid, SIPTLS_E_PROXY_HEADER_INVALID},
    {Errc::proxy_source_not_allowed, SIPTLS_E_PROXY_SOURCE_NOT_ALLOWED},
    {Errc::flow_failed, SIPTLS_E_FLOW_FAILED},
    {Errc::connect_timeout, SIPTLS_E_CONNECT_TIMEOUT},
    {Errc::handshake_timeout, SIPTLS_E_HANDSHAKE_TIMEOUT},
    {Errc::idle_timeout, SIPTLS_E_IDLE_TIMEOUT},
    {Errc::first_message_timeout, SIPTLS_E_FIRST_MESSAGE_TIMEOUT},
    {Errc::message_timeout, SIPTLS_E_MESSAGE_TIMEOUT},
    {Errc::write_timeout, SIPTLS_E_WRITE_TIMEOUT},
    {Errc::handshake_too_large, SIPTLS_E_HANDSHAKE_TOO_LARGE},
    {Errc::too_many_connections, SIPTLS_E_TOO_MANY_CONNECTIONS},
    {Errc::too_many_from_address, SIPTLS_E_TOO_MANY_FROM_ADDRESS},
    {Errc::too_many_handshakes, SIPTLS_E_TOO_MANY_HANDSHAKES},
    {Errc::accept_rate_reached, SIPTLS_E_ACCEPT_RATE_REACHED},
    {Errc::too_many_pings, SIPTLS_E_TOO_MANY_PINGS},
    {Errc::too_many_key_updates, SIPTLS_E_TOO_MANY_KEY_UPDATES},
    {Errc::queue_full, SIPTLS_E_QUEUE_FULL},
    {Errc::buffers_full, SIPTLS_E_BUFFERS_FULL},
    {Errc::message_too_large, SIPTLS_E_MESSAGE_TOO_LARGE},
    {Errc::expired, SIPTLS_E_EXPIRED},
    {Errc::connection_closed, SIPTLS_E_CONNECTION_CLOSED},
    {Errc::connection_aborted, SIPTLS_E_CONNECTION_ABORTED},
    {Errc::transport_closed, SIPTLS_E_TRANSPORT_CLOSED},
    {Errc::transport_draining, SIPTLS_E_TRANSPORT_DRAINING},
    {Errc::out_of_memory, SIPTLS_E_OUT_OF_MEMORY},
    {Errc::internal, SIPTLS_E_INTERNAL},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kReasons.size(); ++i) {
    if (static_cast<std::size_t>(kReasons.at(i).reason) != i) return false;
  }
  return true;
}
static_assert(in_order(), "a reason without a number, or in the wrong place");

constexpr int number_of(Errc reason) noexcept {
  return kReasons[static_cast<std::size_t>(reason)].number;
}

}  // namespace siptls::capi
