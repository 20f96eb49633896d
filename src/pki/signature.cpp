#include "pki/signature.hpp"

#include <fmt/format.h>
#include <openssl/bytestring.h>
#include <openssl/digest.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/rsa.h>

#include <array>
#include <optional>

namespace siptls::pki {
namespace {

struct Scheme {
  int nid = NID_undef;
  int key_type = EVP_PKEY_NONE;
  const EVP_MD* (*digest)() = nullptr;  // null for Ed25519, which has its own
  bool pss = false;
};

constexpr std::array kSchemes{
    Scheme{NID_sha256WithRSAEncryption, EVP_PKEY_RSA, EVP_sha256},
    Scheme{NID_sha384WithRSAEncryption, EVP_PKEY_RSA, EVP_sha384},
    Scheme{NID_sha512WithRSAEncryption, EVP_PKEY_RSA, EVP_sha512},
    Scheme{NID_ecdsa_with_SHA256, EVP_PKEY_EC, EVP_sha256},
    Scheme{NID_ecdsa_with_SHA384, EVP_PKEY_EC, EVP_sha384},
    Scheme{NID_ecdsa_with_SHA512, EVP_PKEY_EC, EVP_sha512},
    Scheme{NID_ED25519, EVP_PKEY_ED25519, nullptr},
};

constexpr unsigned explicit_tag(unsigned number) {
  return CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | number;
}

// NULL, or nothing at all.
bool no_parameters(const CBS& parameters) {
  constexpr std::array<std::uint8_t, 2> kNull{5, 0};
  return CBS_len(&parameters) == 0 || CBS_mem_equal(&parameters, kNull.data(), kNull.size()) != 0;
}

// An AlgorithmIdentifier of a digest that is good enough; null for every other.
using Digest = const EVP_MD* (*)();
Digest take_digest(CBS* in) {
  CBS algorithm, oid;
  if (!CBS_get_asn1(in, &algorithm, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&algorithm, &oid, CBS_ASN1_OBJECT) || !no_parameters(algorithm)) {
    return nullptr;
  }
  switch (OBJ_cbs2nid(&oid)) {
    case NID_sha256:
      return EVP_sha256;
    case NID_sha384:
      return EVP_sha384;
    case NID_sha512:
      return EVP_sha512;
    default:
      return nullptr;
  }
}

// RSASSA-PSS-params (RFC 4055 section 3.1) as everybody writes them: one digest for the message and
// for MGF1, a salt of its length. The defaults are SHA-1's, so nothing may be left to them.
std::optional<Scheme> pss_scheme(CBS parameters) {
  CBS all, hash, mask, mask_algorithm, mask_oid, salt;
  std::uint64_t salt_length = 0;
  if (!CBS_get_asn1(&parameters, &all, CBS_ASN1_SEQUENCE) || CBS_len(&parameters) != 0 ||
      !CBS_get_asn1(&all, &hash, explicit_tag(0)) || !CBS_get_asn1(&all, &mask, explicit_tag(1)) ||
      !CBS_get_asn1(&all, &salt, explicit_tag(2)) || CBS_len(&all) != 0 ||
      !CBS_get_asn1(&mask, &mask_algorithm, CBS_ASN1_SEQUENCE) || CBS_len(&mask) != 0 ||
      !CBS_get_asn1(&mask_algorithm, &mask_oid, CBS_ASN1_OBJECT) ||
      OBJ_cbs2nid(&mask_oid) != NID_mgf1 || !CBS_get_asn1_uint64(&salt, &salt_length) ||
      CBS_len(&salt) != 0) {
    return std::nullopt;
  }
  const Digest digest = take_digest(&hash);
  const Digest mask_digest = take_digest(&mask_algorithm);
  if (digest == nullptr || digest != mask_digest || CBS_len(&hash) != 0 ||
      CBS_len(&mask_algorithm) != 0 || salt_length != EVP_MD_size(digest())) {
    return std::nullopt;
  }
  return Scheme{NID_rsassaPss, EVP_PKEY_RSA, digest, true};
}

std::optional<Scheme> scheme_of(int nid, const CBS& parameters) {
  if (nid == NID_rsassaPss) return pss_scheme(parameters);
  for (const auto& scheme : kSchemes) {
    if (scheme.nid != nid) continue;
    const bool as_written =
        scheme.key_type == EVP_PKEY_RSA ? no_parameters(parameters) : CBS_len(&parameters) == 0;
    if (as_written) return scheme;
  }
  return std::nullopt;
}

bool prepare(EVP_MD_CTX* context, const Scheme& scheme, EVP_PKEY* key) {
  EVP_PKEY_CTX* parameters = nullptr;  // owned by the context
  const EVP_MD* const digest = scheme.digest != nullptr ? scheme.digest() : nullptr;
  if (!EVP_DigestVerifyInit(context, &parameters, digest, nullptr, key)) return false;
  return !scheme.pss || (EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) &&
                         EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, -1) &&
                         EVP_PKEY_CTX_set_rsa_mgf1_md(parameters, digest));
}

}  // namespace

std::string signature_flaw(std::span<const std::uint8_t> algorithm,
                           std::span<const std::uint8_t> message,
                           std::span<const std::uint8_t> signature, EVP_PKEY* key) {
  CBS whole, content, oid;
  CBS_init(&whole, algorithm.data(), algorithm.size());
  if (!CBS_get_asn1(&whole, &content, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&content, &oid, CBS_ASN1_OBJECT)) {
    return "its signature algorithm cannot be read";
  }
  const int nid = OBJ_cbs2nid(&oid);
  const auto scheme = scheme_of(nid, content);
  if (!scheme) {
    const char* const name = nid != NID_undef ? OBJ_nid2ln(nid) : nullptr;
    return fmt::format("it is signed with {}, which is weak or not supported",
                       name != nullptr ? name : "an unknown algorithm");
  }
  if (key == nullptr || EVP_PKEY_id(key) != scheme->key_type) {
    return fmt::format("it is signed with {}, which is not for the signer's kind of key",
                       OBJ_nid2ln(nid));
  }
  bssl::ScopedEVP_MD_CTX context;
  if (prepare(context.get(), *scheme, key) &&
      EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                       message.size())) {
    return {};
  }
  return "its signature is wrong";
}

}  // namespace siptls::pki
