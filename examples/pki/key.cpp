#include "pki/key.hpp"

#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pkcs8.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include <stdexcept>
#include <vector>

#include "pki/der.hpp"

namespace demo_pki {
namespace {

std::string_view text(const std::uint8_t* octets, std::size_t count) {
  return {reinterpret_cast<const char*>(octets), count};
}

const std::uint8_t* octets(std::string_view from) {
  return reinterpret_cast<const std::uint8_t*>(from.data());
}

// What `write` puts into a CBB.
template <typename Write>
std::string written(const char* what, Write write) {
  bssl::ScopedCBB cbb;
  std::uint8_t* data = nullptr;
  std::size_t size = 0;
  if (!CBB_init(cbb.get(), 256) || !write(cbb.get()) || !CBB_finish(cbb.get(), &data, &size)) {
    fail(what);
  }
  const bssl::UniquePtr<std::uint8_t> owner(data);
  return std::string(text(data, size));
}

Key make_ec_key(int curve) {
  Key key(EVP_PKEY_new());
  bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(curve));
  if (!key || !ec || !EC_KEY_generate_key(ec.get()) || !EVP_PKEY_set1_EC_KEY(key.get(), ec.get())) {
    fail("making an EC key");
  }
  return key;
}

Key make_rsa_key(int bits) {
  Key key(EVP_PKEY_new());
  bssl::UniquePtr<RSA> rsa(RSA_new());
  bssl::UniquePtr<BIGNUM> exponent(BN_new());
  if (!key || !rsa || !exponent || !BN_set_word(exponent.get(), RSA_F4) ||
      !RSA_generate_key_ex(rsa.get(), bits, exponent.get(), nullptr) ||
      !EVP_PKEY_set1_RSA(key.get(), rsa.get())) {
    fail("making an RSA key");
  }
  return key;
}

Key make_ed25519_key() {
  const bssl::UniquePtr<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nullptr));
  EVP_PKEY* key = nullptr;
  if (!context || !EVP_PKEY_keygen_init(context.get()) || !EVP_PKEY_keygen(context.get(), &key)) {
    fail("making an Ed25519 key");
  }
  return Key(key);
}

const EVP_MD* digest_of(const EVP_PKEY& key, Digest digest) {
  if (EVP_PKEY_id(&key) == EVP_PKEY_ED25519) return nullptr;
  switch (digest) {
    case Digest::sha256:
    case Digest::sha256_pss:
      return EVP_sha256();
    case Digest::sha384:
      return EVP_sha384();
    case Digest::sha512:
      return EVP_sha512();
    case Digest::sha1:
      return EVP_sha1();
    case Digest::md5:
      return EVP_md5();
  }
  fail("choosing a digest");
}

const char* rsa_oid(Digest digest) {
  switch (digest) {
    case Digest::sha256:
      return "1.2.840.113549.1.1.11";
    case Digest::sha384:
      return "1.2.840.113549.1.1.12";
    case Digest::sha512:
      return "1.2.840.113549.1.1.13";
    case Digest::sha1:
      return "1.2.840.113549.1.1.5";
    default:
      return "1.2.840.113549.1.1.4";
  }
}

const char* ecdsa_oid(Digest digest) {
  switch (digest) {
    case Digest::sha256:
      return "1.2.840.10045.4.3.2";
    case Digest::sha384:
      return "1.2.840.10045.4.3.3";
    case Digest::sha512:
      return "1.2.840.10045.4.3.4";
    case Digest::sha1:
      return "1.2.840.10045.4.1";
    default:
      throw std::runtime_error("there is no ECDSA signature of this kind");
  }
}

// RSASSA-PSS with SHA-256, MGF1 with SHA-256, and a salt of 32 octets (RFC 4055 section 3.1).
std::string pss_algorithm() {
  const std::string sha256 = der::sequence({der::object("2.16.840.1.101.3.4.2.1"), der::null()});
  const std::string mgf1 = der::sequence({der::object("1.2.840.113549.1.1.8"), sha256});
  return der::sequence({der::object("1.2.840.113549.1.1.10"),
                        der::sequence({der::constructed(0, sha256), der::constructed(1, mgf1),
                                       der::constructed(2, der::integer(32))})});
}

}  // namespace

void fail(const std::string& what) {
  char reason[160] = "no reason given";
  if (const auto code = ERR_get_error(); code != 0) ERR_error_string_n(code, reason, sizeof reason);
  ERR_clear_error();
  throw std::runtime_error(what + " failed: " + reason);
}

Key make_key(KeyType type) {
  switch (type) {
    case KeyType::p256:
      return make_ec_key(NID_X9_62_prime256v1);
    case KeyType::p384:
      return make_ec_key(NID_secp384r1);
    case KeyType::p521:
      return make_ec_key(NID_secp521r1);
    case KeyType::rsa2048:
      return make_rsa_key(2048);
    case KeyType::rsa3072:
      return make_rsa_key(3072);
    case KeyType::rsa1024:
      return make_rsa_key(1024);
    case KeyType::ed25519:
      return make_ed25519_key();
  }
  fail("choosing a kind of key");
}

std::string spki_der(const EVP_PKEY& key) {
  return written("writing a public key",
                 [&](CBB* out) { return EVP_marshal_public_key(out, &key); });
}

std::string pkcs8_der(const EVP_PKEY& key) {
  return written("writing a private key",
                 [&](CBB* out) { return EVP_marshal_private_key(out, &key); });
}

std::string encrypted_pkcs8_der(const EVP_PKEY& key, const std::string& passphrase) {
  // Algorithm -1 is PBES2. The count is low because this protects nothing but test keys.
  return written("encrypting a private key", [&](CBB* out) {
    return PKCS8_marshal_encrypted_private_key(out, -1, EVP_aes_256_cbc(), passphrase.data(),
                                               passphrase.size(), nullptr, 0, 2048, &key);
  });
}

std::string sec1_der(const EVP_PKEY& key) {
  const EC_KEY* const ec = EVP_PKEY_get0_EC_KEY(&key);
  if (ec == nullptr) throw std::runtime_error("only EC keys have a SEC 1 form");
  return written("writing an EC key", [&](CBB* out) {
    return EC_KEY_marshal_private_key(out, ec, EC_KEY_get_enc_flags(ec));
  });
}

std::string pkcs1_der(const EVP_PKEY& key) {
  const RSA* const rsa = EVP_PKEY_get0_RSA(&key);
  if (rsa == nullptr) throw std::runtime_error("only RSA keys have a PKCS #1 form");
  return written("writing an RSA key", [&](CBB* out) { return RSA_marshal_private_key(out, rsa); });
}

std::string signature_algorithm(const EVP_PKEY& key, Digest digest) {
  const int type = EVP_PKEY_id(&key);
  if (type == EVP_PKEY_ED25519) return der::sequence({der::object("1.3.101.112")});
  if (type == EVP_PKEY_RSA && digest == Digest::sha256_pss) return pss_algorithm();
  if (type == EVP_PKEY_RSA) return der::sequence({der::object(rsa_oid(digest)), der::null()});
  return der::sequence({der::object(ecdsa_oid(digest))});
}

std::string sign(EVP_PKEY& key, Digest digest, std::string_view message) {
  bssl::ScopedEVP_MD_CTX context;
  EVP_PKEY_CTX* parameters = nullptr;
  std::size_t size = 0;
  if (!EVP_DigestSignInit(context.get(), &parameters, digest_of(key, digest), nullptr, &key) ||
      (digest == Digest::sha256_pss &&
       (!EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) ||
        !EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, -1))) ||
      !EVP_DigestSign(context.get(), nullptr, &size, octets(message), message.size())) {
    fail("signing");
  }
  std::vector<std::uint8_t> signature(size);
  if (!EVP_DigestSign(context.get(), signature.data(), &size, octets(message), message.size())) {
    fail("signing");
  }
  return std::string(text(signature.data(), size));
}

std::string pem(std::string_view label, std::string_view der) {
  std::string out = "-----BEGIN " + std::string(label) + "-----\n";
  while (!der.empty()) {
    const std::string_view line = der.substr(0, 48);
    std::uint8_t coded[65];
    const std::size_t size = EVP_EncodeBlock(coded, octets(line), line.size());
    out.append(text(coded, size)) += '\n';
    der.remove_prefix(line.size());
  }
  return out + "-----END " + std::string(label) + "-----\n";
}

std::string public_key_octets(std::string_view spki) {
  CBS der, whole, bits;
  CBS_init(&der, octets(spki), spki.size());
  if (!CBS_get_asn1(&der, &whole, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&whole, nullptr, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&whole, &bits, CBS_ASN1_BITSTRING) || !CBS_skip(&bits, 1)) {
    fail("reading a public key");
  }
  return std::string(text(CBS_data(&bits), CBS_len(&bits)));
}

std::string hash(Digest digest, std::string_view message) {
  std::uint8_t out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  const EVP_MD* const md = digest == Digest::sha1     ? EVP_sha1()
                           : digest == Digest::sha384 ? EVP_sha384()
                           : digest == Digest::sha512 ? EVP_sha512()
                                                      : EVP_sha256();
  if (!EVP_Digest(octets(message), message.size(), out, &size, md, nullptr)) fail("hashing");
  return std::string(text(out, size));
}

std::string random_octets(std::size_t count) {
  std::vector<std::uint8_t> out(count);
  RAND_bytes(out.data(), out.size());
  return std::string(text(out.data(), out.size()));
}

std::string key_identifier(std::string_view spki) {
  std::uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(octets(spki), spki.size(), digest);
  return std::string(text(digest, 20));
}

}  // namespace demo_pki
