// Signatures over octets that BoringSSL has no type for.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "pki/boringssl_compat.hpp"

namespace siptls::pki {

// Did `key` make `signature` over `message`? `algorithm` is an AlgorithmIdentifier as DER. Gives
// what is wrong; nothing if it is right. RSA (PKCS #1 and PSS) and ECDSA count with SHA-256,
// SHA-384 and SHA-512 only, and Ed25519.
std::string signature_flaw(std::span<const std::uint8_t> algorithm,
                           std::span<const std::uint8_t> message,
                           std::span<const std::uint8_t> signature, EVP_PKEY* key);

}  // namespace siptls::pki
