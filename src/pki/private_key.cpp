#include "pki/private_key.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bytestring.h>
#include <openssl/cipher.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/pkcs8.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pki/certificate.hpp"
#include "pki/key_encryption.hpp"
#include "pki/loading.hpp"
#include "pki/pem.hpp"

namespace siptls::pki {
namespace {

using Key = bssl::UniquePtr<EVP_PKEY>;

// A passphrase that does not stay in memory.
class Passphrase {
 public:
  explicit Passphrase(std::string text) : text_(std::move(text)) {}
  Passphrase(const Passphrase&) = delete;
  Passphrase& operator=(const Passphrase&) = delete;
  ~Passphrase() { OPENSSL_cleanse(text_.data(), text_.size()); }
  const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

std::string where(const PemBlock& block) {
  return fmt::format("the {} block in line {}", printable(block.label), block.line);
}

// Is one of BoringSSL's queued errors this one?
bool queued(int library, std::initializer_list<int> reasons) {
  std::vector<std::uint32_t> codes;
  while (const auto code = ERR_get_error()) codes.push_back(static_cast<std::uint32_t>(code));
  bool found = false;
  for (const auto code : codes) {
    const bool wanted =
        ERR_GET_LIB(code) == library &&
        std::find(reasons.begin(), reasons.end(), ERR_GET_REASON(code)) != reasons.end();
    found = found || wanted;
    ERR_put_error(ERR_GET_LIB(code), 0, ERR_GET_REASON(code), "private_key.cpp", __LINE__);
  }
  return found;
}

bool names_unsupported_kind() {
  return queued(ERR_LIB_EVP, {EVP_R_UNSUPPORTED_ALGORITHM, EVP_R_UNKNOWN_PUBLIC_KEY_TYPE}) ||
         queued(ERR_LIB_EC, {EC_R_UNKNOWN_GROUP, EC_R_NON_NAMED_CURVE});
}

bool names_unsupported_encryption() {
  return queued(
             ERR_LIB_PKCS8,
             {PKCS8_R_UNKNOWN_ALGORITHM, PKCS8_R_UNKNOWN_CIPHER, PKCS8_R_UNKNOWN_CIPHER_ALGORITHM,
              PKCS8_R_UNKNOWN_DIGEST, PKCS8_R_UNKNOWN_HASH, PKCS8_R_UNSUPPORTED_CIPHER,
              PKCS8_R_UNSUPPORTED_KEYLENGTH, PKCS8_R_UNSUPPORTED_KEY_DERIVATION_FUNCTION,
              PKCS8_R_UNSUPPORTED_PRF, PKCS8_R_UNSUPPORTED_SALT_TYPE, PKCS8_R_UNSUPPORTED_OPTIONS,
              PKCS8_R_BAD_ITERATION_COUNT}) ||
         queued(ERR_LIB_PEM, {PEM_R_UNSUPPORTED_CIPHER, PEM_R_UNSUPPORTED_ENCRYPTION});
}

Unexpected malformed(const PemBlock& block) {
  if (names_unsupported_kind()) {
    return Unexpected(Errc::private_key_unsupported,
                      where(block) + " holds a kind of key or a curve that is not supported");
  }
  return Unexpected(Errc::private_key_malformed, where(block) + " is not one private key");
}

Unexpected wrong_type(const PemBlock& block) {
  return Unexpected(Errc::pem_wrong_type,
                    fmt::format("expected one private key, found a {} block in line {}",
                                printable(block.label), block.line));
}

Result<Key> parse_pkcs8(const PemBlock& block) {
  CBS der;
  CBS_init(&der, block.der.data(), block.der.size());
  Key key(EVP_parse_private_key(&der));
  if (!key || CBS_len(&der) != 0) return malformed(block);
  return key;
}

Result<Key> parse_pkcs1(const PemBlock& block) {
  CBS der;
  CBS_init(&der, block.der.data(), block.der.size());
  const bssl::UniquePtr<RSA> rsa(RSA_parse_private_key(&der));
  Key key(EVP_PKEY_new());
  if (!rsa || CBS_len(&der) != 0 || !key || !EVP_PKEY_set1_RSA(key.get(), rsa.get())) {
    return malformed(block);
  }
  return key;
}

// `parameters` is the EC PARAMETERS block that stood before it, if any: it names the curve where
// the key does not.
Result<Key> parse_sec1(const PemBlock& block, const PemBlock* parameters) {
  bssl::UniquePtr<EC_KEY> curve;
  if (parameters != nullptr) {
    CBS der;
    CBS_init(&der, parameters->der.data(), parameters->der.size());
    const EC_GROUP* const group = EC_KEY_parse_parameters(&der);
    if (group == nullptr || CBS_len(&der) != 0) return malformed(*parameters);
    curve.reset(EC_KEY_new());
    if (!curve || !EC_KEY_set_group(curve.get(), group)) return Unexpected(Errc::out_of_memory);
  }
  CBS der;
  CBS_init(&der, block.der.data(), block.der.size());
  const bssl::UniquePtr<EC_KEY> ec(
      EC_KEY_parse_private_key(&der, curve ? EC_KEY_get0_group(curve.get()) : nullptr));
  Key key(EVP_PKEY_new());
  if (!ec || CBS_len(&der) != 0 || !key || !EVP_PKEY_set1_EC_KEY(key.get(), ec.get())) {
    return malformed(block);
  }
  return key;
}

Result<std::unique_ptr<Passphrase>> ask(const PemBlock& block, const PassphraseSource& source) {
  std::optional<std::string> text;
  if (source) text = source();
  if (!text) {
    return Unexpected(Errc::passphrase_required,
                      where(block) + " is encrypted, and no passphrase was given");
  }
  auto passphrase = std::make_unique<Passphrase>(*text);
  const std::size_t size = text->size();
  OPENSSL_cleanse(text->data(), size);
  return passphrase;
}

// EncryptedPrivateKeyInfo as far as it is readable without a passphrase (RFC 5958 section 3).
bool has_encrypted_shape(const PemBlock& block) {
  CBS der, outer, algorithm, octets;
  CBS_init(&der, block.der.data(), block.der.size());
  return CBS_get_asn1(&der, &outer, CBS_ASN1_SEQUENCE) && CBS_len(&der) == 0 &&
         CBS_get_asn1(&outer, &algorithm, CBS_ASN1_SEQUENCE) &&
         CBS_get_asn1(&outer, &octets, CBS_ASN1_OCTETSTRING) && CBS_len(&outer) == 0;
}

Unexpected decryption_failed(const PemBlock& block) {
  if (names_unsupported_encryption()) {
    return Unexpected(Errc::key_encryption_unsupported,
                      fmt::format("{} is encrypted with {}, which this BoringSSL cannot open; "
                                  "convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf "
                                  "hmacWithSHA256 -in OLD -out NEW",
                                  where(block), describe_key_encryption(block)));
  }
  if (names_unsupported_kind()) return malformed(block);
  return Unexpected(Errc::wrong_passphrase,
                    where(block) + " cannot be opened with this passphrase");
}

Result<Key> parse_encrypted_pkcs8(const PemBlock& block, const PassphraseSource& source) {
  if (!has_encrypted_shape(block)) return malformed(block);
  auto passphrase = ask(block, source);
  if (!passphrase) return Unexpected(std::move(passphrase).error());
  CBS der;
  CBS_init(&der, block.der.data(), block.der.size());
  const std::string& text = (*passphrase)->text();
  Key key(PKCS8_parse_encrypted_private_key(&der, text.data(), text.size()));
  if (key) return key;
  if (queued(ERR_LIB_PKCS8, {PKCS8_R_DECODE_ERROR})) {
    return Unexpected(Errc::private_key_malformed,
                      where(block) + " has encryption parameters that cannot be read");
  }
  return decryption_failed(block);
}

int give_passphrase(char* buffer, int size, int, void* user) {
  const std::string& text = static_cast<const Passphrase*>(user)->text();
  if (text.size() > static_cast<std::size_t>(size)) return -1;
  std::copy(text.begin(), text.end(), buffer);
  return static_cast<int>(text.size());
}

// The form of RFC 1421, which OpenSSL wrote before PKCS#8: BoringSSL reads its text.
Result<Key> parse_proc_type(const PemBlock& block, const PassphraseSource& source) {
  auto passphrase = ask(block, source);
  if (!passphrase) return Unexpected(std::move(passphrase).error());
  if (block.text.size() > kMaxFileOctets) return malformed(block);
  const bssl::UniquePtr<BIO> bio(
      BIO_new_mem_buf(block.text.data(), static_cast<int>(block.text.size())));
  if (!bio) return Unexpected(Errc::out_of_memory);
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &give_passphrase, passphrase->get()));
  if (!key) return decryption_failed(block);
  return key;
}

Result<Key> parse_block(const PemBlock& block, const PemBlock* parameters,
                        const PassphraseSource& source) {
  if (block.encrypted) return parse_proc_type(block, source);
  if (block.label == "PRIVATE KEY") return parse_pkcs8(block);
  if (block.label == "RSA PRIVATE KEY") return parse_pkcs1(block);
  if (block.label == "EC PRIVATE KEY") return parse_sec1(block, parameters);
  if (block.label == "ENCRYPTED PRIVATE KEY") return parse_encrypted_pkcs8(block, source);
  if (block.label == "DSA PRIVATE KEY" || block.label == "OPENSSH PRIVATE KEY") {
    return Unexpected(Errc::private_key_unsupported,
                      where(block) +
                          " is of a kind that TLS does not use here; make an EC, RSA or "
                          "Ed25519 key in PKCS#8");
  }
  return wrong_type(block);
}

Result<void> check_kind(const EVP_PKEY* key) {
  const KeyStrength strength = strength_of(key);
  if (strength.usable && strength.weak) {
    return Unexpected(Errc::weak_key, fmt::format("the private key is {}; RSA needs 2048 bits",
                                                  strength.description));
  }
  if (strength.usable) return {};
  return Unexpected(Errc::private_key_unsupported,
                    fmt::format("the private key is {}; P-256, P-384, P-521, RSA and Ed25519 are "
                                "supported",
                                strength.description));
}

}  // namespace

Result<bssl::UniquePtr<EVP_PKEY>> read_private_key(std::string_view pem,
                                                   const PassphraseSource& passphrase) {
  const ErrorQueueScope errors;
  auto blocks = read_pem(pem);
  if (!blocks) return Unexpected(std::move(blocks).error());
  const PemBlock* parameters = nullptr;
  const PemBlock* found = nullptr;
  for (const auto& block : *blocks) {
    if (block.label == "EC PARAMETERS" && found == nullptr && parameters == nullptr) {
      parameters = &block;
    } else if (found == nullptr) {
      found = &block;
    } else {
      return wrong_type(block);
    }
  }
  if (found == nullptr) return wrong_type(*parameters);
  auto key = parse_block(*found, parameters, passphrase);
  if (!key) return key;
  if (auto kind = check_kind(key->get()); !kind) return Unexpected(std::move(kind).error());
  return key;
}

}  // namespace siptls::pki
