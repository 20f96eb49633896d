#include "tls/library_features.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>

namespace siptls::tls {
namespace {

// X25519MLKEM768, X25519, P-256, P-384, P-521. Not P-224, which is too weak to offer, and no draft
// of a hybrid that was superseded.
constexpr std::array<std::uint16_t, 5> kUsedGroups = {0x11ec, 0x001d, 0x0017, 0x0018, 0x0019};

constexpr std::uint16_t kRsaPkcs1Sha1 = 0x0201;
constexpr std::uint16_t kEcdsaSha1 = 0x0203;
constexpr std::uint16_t kRsaPkcs1Md5Sha1 = 0xff01;

}  // namespace

bool library_has_suite(std::uint16_t code) noexcept {
  const SSL_CIPHER* cipher = SSL_get_cipher_by_value(code);
  return cipher != nullptr && SSL_CIPHER_get_min_version(cipher) <= TLS1_2_VERSION;
}

const char* library_group_name(std::uint16_t code) noexcept {
  const bool used = std::find(kUsedGroups.begin(), kUsedGroups.end(), code) != kUsedGroups.end();
  return used ? SSL_get_curve_name(code) : nullptr;
}

bool library_has_signature_scheme(std::uint16_t code) noexcept {
  return code != kRsaPkcs1Sha1 && code != kEcdsaSha1 && code != kRsaPkcs1Md5Sha1 &&
         SSL_get_signature_algorithm_name(code, 1) != nullptr;
}

std::string signature_scheme_name(std::uint16_t code) {
  const char* name = SSL_get_signature_algorithm_name(code, 1);
  return name != nullptr ? std::string(name) : fmt::format("0x{:04X}", code);
}

}  // namespace siptls::tls
