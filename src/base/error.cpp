#include "siptls/error.hpp"

#include <array>

namespace siptls {
namespace {

struct ReasonRow {
  Errc reason;
  std::string_view name;
  Category category;
  std::optional<Alert> alert;
};

#define SIPTLS_ROW(reason, category) \
  ReasonRow { Errc::reason, #reason, Category::category, std::nullopt }
#define SIPTLS_ROW_ALERT(reason, category, alert) \
  ReasonRow { Errc::reason, #reason, Category::category, Alert::alert }

// In the order of the enumerators. Alerts as RFC 8446 section 6.2 describes them.
constexpr std::array kReasons = {
    SIPTLS_ROW(invalid_argument, usage),
    SIPTLS_ROW(invalid_endpoint, usage),
    SIPTLS_ROW(invalid_domain, usage),
    SIPTLS_ROW(unknown_connection, usage),
    SIPTLS_ROW(unknown_listener, usage),
    SIPTLS_ROW(handshake_not_complete, usage),
    SIPTLS_ROW(wrong_process, usage),
    SIPTLS_ROW(alias_refused, usage),

    SIPTLS_ROW(file_not_found, config),
    SIPTLS_ROW(file_permission_denied, config),
    SIPTLS_ROW(file_not_regular, config),
    SIPTLS_ROW(file_too_large, config),
    SIPTLS_ROW(file_unreadable, config),
    SIPTLS_ROW(pem_empty, config),
    SIPTLS_ROW(pem_wrong_type, config),
    SIPTLS_ROW(pem_malformed, config),
    SIPTLS_ROW(certificate_malformed, config),
    SIPTLS_ROW(private_key_malformed, config),
    SIPTLS_ROW(private_key_unsupported, config),
    SIPTLS_ROW(key_encryption_unsupported, config),
    SIPTLS_ROW(passphrase_required, config),
    SIPTLS_ROW(wrong_passphrase, config),
    SIPTLS_ROW(key_mismatch, config),
    SIPTLS_ROW(key_file_exposed, config),
    SIPTLS_ROW_ALERT(signature_unavailable, config, internal_error),
    SIPTLS_ROW(credentials_missing, config),
    SIPTLS_ROW(trust_store_full, config),
    SIPTLS_ROW_ALERT(trust_store_empty, config, unknown_ca),
    SIPTLS_ROW(crl_malformed, config),
    SIPTLS_ROW(policy_unsupported, config),
    SIPTLS_ROW(foreign_tls_library, config),

    SIPTLS_ROW_ALERT(clock_not_trusted, clock, internal_error),

    SIPTLS_ROW_ALERT(certificate_missing, certificate, certificate_required),
    SIPTLS_ROW_ALERT(certificate_unreadable, certificate, bad_certificate),
    SIPTLS_ROW_ALERT(certificate_expired, certificate, certificate_expired),
    SIPTLS_ROW_ALERT(certificate_not_yet_valid, certificate, certificate_expired),
    SIPTLS_ROW_ALERT(certificate_revoked, certificate, certificate_revoked),
    SIPTLS_ROW_ALERT(certificate_signature_invalid, certificate, bad_certificate),
    SIPTLS_ROW_ALERT(certificate_invalid, certificate, bad_certificate),
    SIPTLS_ROW_ALERT(unknown_ca, certificate, unknown_ca),
    SIPTLS_ROW_ALERT(chain_too_deep, certificate, unknown_ca),
    SIPTLS_ROW_ALERT(not_a_ca, certificate, bad_certificate),
    SIPTLS_ROW_ALERT(path_length_exceeded, certificate, bad_certificate),
    SIPTLS_ROW_ALERT(name_constraint_violated, certificate, bad_certificate),
    SIPTLS_ROW_ALERT(unknown_critical_extension, certificate, unsupported_certificate),
    SIPTLS_ROW_ALERT(key_usage_forbidden, certificate, unsupported_certificate),
    SIPTLS_ROW_ALERT(extended_key_usage_forbidden, certificate, unsupported_certificate),
    SIPTLS_ROW_ALERT(weak_key, certificate, bad_certificate),
    SIPTLS_ROW_ALERT(weak_signature, certificate, bad_certificate),
    SIPTLS_ROW_ALERT(crl_missing, certificate, certificate_unknown),
    SIPTLS_ROW_ALERT(crl_stale, certificate, certificate_unknown),
    SIPTLS_ROW_ALERT(crl_invalid, certificate, certificate_unknown),
    SIPTLS_ROW_ALERT(crl_unsupported, certificate, certificate_unknown),
    SIPTLS_ROW_ALERT(ocsp_response_missing, certificate, bad_certificate_status_response),
    SIPTLS_ROW_ALERT(ocsp_response_invalid, certificate, bad_certificate_status_response),
    SIPTLS_ROW_ALERT(no_sip_identity, certificate, bad_certificate),
    SIPTLS_ROW_ALERT(identity_mismatch, certificate, bad_certificate),
    SIPTLS_ROW_ALERT(identity_not_allowed, certificate, access_denied),
    SIPTLS_ROW_ALERT(peer_not_authorised, certificate, access_denied),

    SIPTLS_ROW(not_tls, peer_protocol),
    SIPTLS_ROW_ALERT(tls_protocol_error, peer_protocol, decode_error),
    SIPTLS_ROW_ALERT(decrypt_error, peer_protocol, bad_record_mac),
    SIPTLS_ROW_ALERT(renegotiation_refused, peer_protocol, no_renegotiation),
    SIPTLS_ROW_ALERT(insecure_renegotiation, peer_protocol, handshake_failure),
    SIPTLS_ROW_ALERT(extended_master_secret_missing, peer_protocol, handshake_failure),

    SIPTLS_ROW(peer_rejected_certificate, peer_alert),
    SIPTLS_ROW(peer_denied_access, peer_alert),
    SIPTLS_ROW(peer_rejected_version, peer_alert),
    SIPTLS_ROW(peer_found_nothing_in_common, peer_alert),
    SIPTLS_ROW(peer_alert, peer_alert),

    SIPTLS_ROW_ALERT(protocol_version_unsupported, incompatible, protocol_version),
    SIPTLS_ROW_ALERT(no_common_cipher_suite, incompatible, handshake_failure),
    SIPTLS_ROW_ALERT(no_common_group, incompatible, handshake_failure),
    SIPTLS_ROW_ALERT(no_common_signature_algorithm, incompatible, handshake_failure),
    SIPTLS_ROW_ALERT(no_common_application_protocol, incompatible, no_application_protocol),
    SIPTLS_ROW_ALERT(unknown_server_name, incompatible, unrecognized_name),

    SIPTLS_ROW(missing_content_length, framing),
    SIPTLS_ROW(duplicate_content_length, framing),
    SIPTLS_ROW(invalid_content_length, framing),
    SIPTLS_ROW(content_length_too_large, framing),
    SIPTLS_ROW(header_too_large, framing),
    SIPTLS_ROW(start_line_too_long, framing),
    SIPTLS_ROW(too_many_headers, framing),
    SIPTLS_ROW(invalid_start_line, framing),
    SIPTLS_ROW(invalid_header, framing),
    SIPTLS_ROW(bare_line_feed, framing),
    SIPTLS_ROW(bare_carriage_return, framing),
    SIPTLS_ROW(nul_in_header, framing),
    SIPTLS_ROW(unexpected_fold, framing),
    SIPTLS_ROW(too_many_empty_lines, framing),
    SIPTLS_ROW(framer_failed, framing),

    SIPTLS_ROW(connection_refused, io),
    SIPTLS_ROW(connection_reset, io),
    SIPTLS_ROW(connect_failed, io),
    SIPTLS_ROW(address_in_use, io),
    SIPTLS_ROW(address_not_available, io),
    SIPTLS_ROW(too_many_files, io),
    SIPTLS_ROW(truncated, io),
    SIPTLS_ROW(io_failed, io),
    SIPTLS_ROW(proxy_header_invalid, io),
    SIPTLS_ROW(proxy_source_not_allowed, io),
    SIPTLS_ROW(flow_failed, io),

    SIPTLS_ROW(connect_timeout, limit),
    SIPTLS_ROW(handshake_timeout, limit),
    SIPTLS_ROW(idle_timeout, limit),
    SIPTLS_ROW(first_message_timeout, limit),
    SIPTLS_ROW(message_timeout, limit),
    SIPTLS_ROW(write_timeout, limit),
    SIPTLS_ROW_ALERT(handshake_too_large, limit, illegal_parameter),
    SIPTLS_ROW(too_many_connections, limit),
    SIPTLS_ROW(too_many_from_address, limit),
    SIPTLS_ROW(too_many_handshakes, limit),
    SIPTLS_ROW(accept_rate_reached, limit),
    SIPTLS_ROW(too_many_pings, limit),
    SIPTLS_ROW_ALERT(too_many_key_updates, limit, unexpected_message),
    SIPTLS_ROW(queue_full, limit),
    SIPTLS_ROW(buffers_full, limit),
    SIPTLS_ROW(message_too_large, limit),
    SIPTLS_ROW(expired, limit),

    SIPTLS_ROW(connection_closed, closed),
    SIPTLS_ROW(connection_aborted, closed),
    SIPTLS_ROW(transport_closed, closed),
    SIPTLS_ROW(transport_draining, closed),

    SIPTLS_ROW_ALERT(out_of_memory, internal, internal_error),
    SIPTLS_ROW_ALERT(internal, internal, internal_error),
};
#undef SIPTLS_ROW
#undef SIPTLS_ROW_ALERT

constexpr bool rows_are_in_order() {
  for (std::size_t i = 0; i < kReasons.size(); ++i) {
    if (static_cast<std::size_t>(kReasons[i].reason) != i) return false;
  }
  return true;
}
static_assert(kReasons.size() == kErrcCount && rows_are_in_order());

const ReasonRow& row_of(Errc reason) noexcept {
  const auto index = static_cast<std::size_t>(reason);
  return kReasons[index < kReasons.size() ? index : kReasons.size() - 1];
}

struct AlertRow {
  Alert alert;
  std::string_view name;
};
#define SIPTLS_ALERT(alert) \
  AlertRow { Alert::alert, #alert }
constexpr std::array kAlerts = {
    SIPTLS_ALERT(close_notify),
    SIPTLS_ALERT(unexpected_message),
    SIPTLS_ALERT(bad_record_mac),
    SIPTLS_ALERT(record_overflow),
    SIPTLS_ALERT(handshake_failure),
    SIPTLS_ALERT(no_certificate),
    SIPTLS_ALERT(bad_certificate),
    SIPTLS_ALERT(unsupported_certificate),
    SIPTLS_ALERT(certificate_revoked),
    SIPTLS_ALERT(certificate_expired),
    SIPTLS_ALERT(certificate_unknown),
    SIPTLS_ALERT(illegal_parameter),
    SIPTLS_ALERT(unknown_ca),
    SIPTLS_ALERT(access_denied),
    SIPTLS_ALERT(decode_error),
    SIPTLS_ALERT(decrypt_error),
    SIPTLS_ALERT(export_restriction),
    SIPTLS_ALERT(protocol_version),
    SIPTLS_ALERT(insufficient_security),
    SIPTLS_ALERT(internal_error),
    SIPTLS_ALERT(inappropriate_fallback),
    SIPTLS_ALERT(user_canceled),
    SIPTLS_ALERT(no_renegotiation),
    SIPTLS_ALERT(missing_extension),
    SIPTLS_ALERT(unsupported_extension),
    SIPTLS_ALERT(unrecognized_name),
    SIPTLS_ALERT(bad_certificate_status_response),
    SIPTLS_ALERT(unknown_psk_identity),
    SIPTLS_ALERT(certificate_required),
    SIPTLS_ALERT(general_error),
    SIPTLS_ALERT(no_application_protocol),
};
#undef SIPTLS_ALERT

constexpr std::array<std::string_view, 12> kCategories = {
    "usage",        "config",  "clock", "certificate", "peer_protocol", "peer_alert",
    "incompatible", "framing", "io",    "limit",       "closed",        "internal"};

}  // namespace

std::string_view to_string(Category category) noexcept {
  const auto index = static_cast<std::size_t>(category);
  return index < kCategories.size() ? kCategories[index] : "internal";
}

std::string_view to_string(Errc reason) noexcept { return row_of(reason).name; }

std::string_view to_string(Alert alert) noexcept {
  for (const AlertRow& row : kAlerts) {
    if (row.alert == alert) return row.name;
  }
  return "alert";
}

Category category_of(Errc reason) noexcept { return row_of(reason).category; }

std::optional<Alert> alert_for(Errc reason) noexcept { return row_of(reason).alert; }

std::string Error::message() const {
  std::string text(to_string(reason_));
  if (!evidence_.empty()) text.append(": ").append(evidence_);
  return text;
}

}  // namespace siptls
