// Private keys: making them, writing them, signing with them.
#pragma once

#include <openssl/base.h>
#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

#include "pki/demo_pki.hpp"

namespace demo_pki {

using Key = bssl::UniquePtr<EVP_PKEY>;

[[noreturn]] void fail(const std::string& what);

Key make_key(KeyType type);
std::string spki_der(const EVP_PKEY& key);  // SubjectPublicKeyInfo
std::string pkcs8_der(const EVP_PKEY& key);
std::string encrypted_pkcs8_der(const EVP_PKEY& key, const std::string& passphrase);
std::string sec1_der(const EVP_PKEY& key);
std::string pkcs1_der(const EVP_PKEY& key);

// The AlgorithmIdentifier (DER) of signatures by `key`, and such a signature.
std::string signature_algorithm(const EVP_PKEY& key, Digest digest);
std::string sign(EVP_PKEY& key, Digest digest, std::string_view message);

// The digest of a message; what is no SHA counts as SHA-256.
std::string hash(Digest digest, std::string_view message);
// The content of subjectPublicKey, which OCSP makes its hashes of.
std::string public_key_octets(std::string_view spki);

std::string pem(std::string_view label, std::string_view der);
std::string random_octets(std::size_t count);
// An identifier for a key (RFC 7093 section 2, method 1).
std::string key_identifier(std::string_view spki);

}  // namespace demo_pki
