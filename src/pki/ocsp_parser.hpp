// The DER of OCSP responses (RFC 6960 section 4.2.1), taken apart and not judged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "siptls/clock.hpp"
#include "siptls/result.hpp"

namespace siptls::pki {

// Servers staple a response about one certificate. More than these are not looked at.
inline constexpr std::size_t kMaxOcspAnswers = 32;
inline constexpr std::size_t kMaxOcspCertificates = 8;

// One SingleResponse. All octets are parts of the response.
struct OcspAnswer {
  enum class Digest : std::uint8_t { sha1, sha256, other };
  enum class Status : std::uint8_t { good, revoked, unknown };

  // CertID
  Digest digest = Digest::other;
  std::span<const std::uint8_t> issuer_name_hash;
  std::span<const std::uint8_t> issuer_key_hash;
  std::span<const std::uint8_t> serial;  // content of the INTEGER

  Status status = Status::unknown;
  WallTime revoked_at;         // if revoked
  std::string revoked_reason;  // likewise; empty where none is given
  WallTime this_update;
  std::optional<WallTime> next_update;
};

// A successful OCSPResponse with a BasicOCSPResponse in it.
struct OcspResponse {
  std::span<const std::uint8_t> signed_data;  // ResponseData as DER
  std::span<const std::uint8_t> algorithm;    // signatureAlgorithm as DER
  std::span<const std::uint8_t> signature;

  // responderID: one of them
  std::span<const std::uint8_t> responder_name;  // Name as DER
  std::span<const std::uint8_t> responder_key;   // SHA-1 of the public key

  WallTime produced_at;
  std::vector<OcspAnswer> answers;
  std::vector<std::span<const std::uint8_t>> certificates;  // each as DER
  // OID of the first critical extension that is not known here; empty if there is none.
  std::string critical_extension;
};

// The parts live as long as `der`. Error: ocsp_response_invalid, which says what is wrong.
Result<OcspResponse> parse_ocsp_response(std::span<const std::uint8_t> der);

}  // namespace siptls::pki
