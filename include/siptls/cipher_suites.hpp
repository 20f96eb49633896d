// The catalogue of cipher suites: the list of the IMG 2020 in its order, the suites of TLS 1.3, and
// the ChaCha20 ones, with what siptls does about each and why.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "siptls/export.hpp"

namespace siptls {

enum class SuiteStatus : std::uint8_t {
  offered,  // by the default policy
  interop,  // only by a policy that names it
  refused,  // never; `reason` says why
};

struct CipherSuite {
  std::uint16_t code;             // IANA
  std::string_view name;          // "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
  std::string_view openssl_name;  // "ECDHE-RSA-AES256-GCM-SHA384"; empty if there is none
  std::string_view key_exchange;
  std::string_view authentication;
  std::string_view cipher;
  std::uint16_t strength_bits;  // of the cipher's key; 0 for the signalling value
  SuiteStatus status;
  std::string_view reason;  // empty for `offered`
  bool in_img2020_list;
};

// All, the 55 of the IMG 2020 first and in its order.
SIPTLS_API std::span<const CipherSuite> cipher_suites() noexcept;
// By IANA code, and by IANA or OpenSSL name (in any case); null if unknown. The catalogue is
// static.
SIPTLS_API const CipherSuite* find_cipher_suite(std::uint16_t code) noexcept;
SIPTLS_API const CipherSuite* find_cipher_suite(std::string_view name) noexcept;
// The IANA name, or "0xABCD" for a code that the catalogue does not have.
SIPTLS_API std::string cipher_suite_name(std::uint16_t code);
// "X25519", "P-256", ... or "0xABCD".
SIPTLS_API std::string group_name(std::uint16_t code);

}  // namespace siptls
