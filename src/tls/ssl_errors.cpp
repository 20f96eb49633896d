#include "tls/ssl_errors.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <string_view>

namespace siptls::tls {
namespace {

struct ReasonRow {
  int ssl_reason;
  Errc reason;
};

constexpr std::array kReasons = {
    ReasonRow{SSL_R_HTTP_REQUEST, Errc::not_tls},
    ReasonRow{SSL_R_HTTPS_PROXY_REQUEST, Errc::not_tls},

    ReasonRow{SSL_R_UNSUPPORTED_PROTOCOL, Errc::protocol_version_unsupported},
    ReasonRow{SSL_R_UNKNOWN_PROTOCOL, Errc::protocol_version_unsupported},

    ReasonRow{SSL_R_NO_SHARED_CIPHER, Errc::no_common_cipher_suite},
    ReasonRow{SSL_R_NO_SHARED_GROUP, Errc::no_common_group},
    // The curve of an ECDSA certificate counts as group in TLS 1.2.
    ReasonRow{SSL_R_WRONG_CURVE, Errc::no_common_group},
    ReasonRow{SSL_R_BAD_ECC_CERT, Errc::no_common_group},
    ReasonRow{SSL_R_NO_COMMON_SIGNATURE_ALGORITHMS, Errc::no_common_signature_algorithm},
    ReasonRow{SSL_R_WRONG_SIGNATURE_TYPE, Errc::no_common_signature_algorithm},
    ReasonRow{SSL_R_NO_APPLICATION_PROTOCOL, Errc::no_common_application_protocol},

    ReasonRow{SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, Errc::certificate_missing},
    ReasonRow{SSL_R_NO_CERTIFICATES_RETURNED, Errc::certificate_missing},
    ReasonRow{SSL_R_CANNOT_PARSE_LEAF_CERT, Errc::certificate_unreadable},
    ReasonRow{SSL_R_CERT_LENGTH_MISMATCH, Errc::certificate_unreadable},
    ReasonRow{SSL_R_UNKNOWN_CERTIFICATE_TYPE, Errc::certificate_invalid},
    ReasonRow{SSL_R_PEER_ERROR_UNSUPPORTED_CERTIFICATE_TYPE, Errc::certificate_invalid},
    ReasonRow{SSL_R_WRONG_CERTIFICATE_TYPE, Errc::certificate_invalid},
    ReasonRow{SSL_R_ECC_CERT_NOT_FOR_SIGNING, Errc::key_usage_forbidden},
    ReasonRow{SSL_R_KEY_USAGE_BIT_INCORRECT, Errc::key_usage_forbidden},

    ReasonRow{SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, Errc::decrypt_error},
    ReasonRow{SSL_R_DECRYPTION_FAILED, Errc::decrypt_error},
    ReasonRow{SSL_R_DIGEST_CHECK_FAILED, Errc::decrypt_error},
    ReasonRow{SSL_R_BAD_SIGNATURE, Errc::decrypt_error},

    ReasonRow{SSL_R_NO_RENEGOTIATION, Errc::renegotiation_refused},
    ReasonRow{SSL_R_SCSV_RECEIVED_WHEN_RENEGOTIATING, Errc::renegotiation_refused},
    ReasonRow{SSL_R_RENEGOTIATION_MISMATCH, Errc::insecure_renegotiation},
    ReasonRow{SSL_R_RENEGOTIATION_ENCODING_ERR, Errc::insecure_renegotiation},
    ReasonRow{SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED, Errc::insecure_renegotiation},

    ReasonRow{SSL_R_EXCESSIVE_MESSAGE_SIZE, Errc::handshake_too_large},
    ReasonRow{SSL_R_TOO_MANY_KEY_UPDATES, Errc::too_many_key_updates},
};

}  // namespace

LibraryFailure take_library_failure() {
  LibraryFailure failure;
  while (const auto packed = ERR_get_error()) {
    const int library = ERR_GET_LIB(packed);
    const int reason = ERR_GET_REASON(packed);
    if (library == ERR_LIB_SSL && failure.ssl_reason == 0) failure.ssl_reason = reason;
    failure.out_of_memory = failure.out_of_memory || reason == ERR_R_MALLOC_FAILURE;
    if (!failure.text.empty()) failure.text += ", ";
    const char* text = ERR_reason_error_string(packed);
    failure.text += text != nullptr ? text : "an error without text";
  }
  return failure;
}

Errc reason_for(const LibraryFailure& failure) noexcept {
  if (failure.out_of_memory) return Errc::out_of_memory;
  for (const ReasonRow& row : kReasons) {
    if (row.ssl_reason == failure.ssl_reason) return row.reason;
  }
  return Errc::tls_protocol_error;
}

Errc reason_for_alert(std::uint8_t alert) noexcept {
  switch (static_cast<Alert>(alert)) {
    case Alert::bad_certificate:
    case Alert::unsupported_certificate:
    case Alert::certificate_revoked:
    case Alert::certificate_expired:
    case Alert::certificate_unknown:
    case Alert::unknown_ca:
    case Alert::certificate_required:
      return Errc::peer_rejected_certificate;
    case Alert::access_denied:
      return Errc::peer_denied_access;
    case Alert::protocol_version:
      return Errc::peer_rejected_version;
    case Alert::handshake_failure:
    case Alert::insufficient_security:
    case Alert::no_application_protocol:
      return Errc::peer_found_nothing_in_common;
    default:
      return Errc::peer_alert;
  }
}

std::string alert_text(std::uint8_t alert) {
  return fmt::format("{} ({})", to_string(static_cast<Alert>(alert)), alert);
}

}  // namespace siptls::tls
