#include "pki/verify_result.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "pki/boringssl_compat.hpp"

namespace siptls::pki {
namespace {

Errc reason_of(int code) {
  switch (code) {
    case X509_V_ERR_OUT_OF_MEM:
      return Errc::out_of_memory;
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return Errc::certificate_expired;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return Errc::certificate_not_yet_valid;
    case X509_V_ERR_CERT_REVOKED:
      return Errc::certificate_revoked;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE:
    case X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY:
      return Errc::certificate_signature_invalid;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_CERT_REJECTED:
      return Errc::unknown_ca;
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
      return Errc::chain_too_deep;
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_INVALID_NON_CA:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
      return Errc::not_a_ca;
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
      return Errc::path_length_exceeded;
    case X509_V_ERR_INVALID_PURPOSE:
      return Errc::extended_key_usage_forbidden;
    case X509_V_ERR_KEYUSAGE_NO_DIGITAL_SIGNATURE:
      return Errc::key_usage_forbidden;
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
      return Errc::unknown_critical_extension;
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
    case X509_V_ERR_SUBTREE_MINMAX:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
    case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
    case X509_V_ERR_NAME_CONSTRAINTS_WITHOUT_SANS:
      return Errc::name_constraint_violated;
    default:
      return Errc::certificate_invalid;
  }
}

// What the library's own words leave out.
const char* explanation(int code) {
  switch (code) {
    case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
      return "; a URI name constraint rejects every URI without \"//\", and so every sip URI (RFC "
             "5280 section 4.2.1.10): the CA should constrain dNSName instead";
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
      return "; a constraint of this kind cannot be checked here, so the path is refused";
    default:
      return "";
  }
}

}  // namespace

Unexpected verify_failure(const CandidatePath& path, int code, int depth) {
  const Errc reason = reason_of(code);
  if (reason == Errc::out_of_memory) return Unexpected(reason);
  const auto at = std::min(static_cast<std::size_t>(std::max(depth, 0)), path.size() - 1);
  const char* const words = X509_verify_cert_error_string(code);
  return path.fail(at, reason,
                   fmt::format("was refused: {}{}", words != nullptr ? words : "unknown reason",
                               explanation(code)));
}

}  // namespace siptls::pki
