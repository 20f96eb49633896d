#include "pki/key_encryption.hpp"

#include <fmt/format.h>
#include <openssl/bytestring.h>
#include <openssl/mem.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "pki/certificate.hpp"

namespace siptls::pki {
namespace {

constexpr std::string_view kUnknown = "an unknown algorithm";

struct KnownAlgorithm {
  std::string_view oid;
  std::string_view name;
};
// RFC 8018 appendix C, RFC 7914 section 7, RFC 3565 section 2.1; those that are met in practice.
constexpr std::array kKnown{
    KnownAlgorithm{"1.2.840.113549.1.5.13", "PBES2"},
    KnownAlgorithm{"1.2.840.113549.1.5.12", "PBKDF2"},
    KnownAlgorithm{"1.3.6.1.4.1.11591.4.11", "scrypt"},
    KnownAlgorithm{"1.2.840.113549.2.7", "HMAC-SHA1"},
    KnownAlgorithm{"1.2.840.113549.2.8", "HMAC-SHA224"},
    KnownAlgorithm{"1.2.840.113549.2.9", "HMAC-SHA256"},
    KnownAlgorithm{"1.2.840.113549.2.10", "HMAC-SHA384"},
    KnownAlgorithm{"1.2.840.113549.2.11", "HMAC-SHA512"},
    KnownAlgorithm{"2.16.840.1.101.3.4.1.2", "AES-128-CBC"},
    KnownAlgorithm{"2.16.840.1.101.3.4.1.22", "AES-192-CBC"},
    KnownAlgorithm{"2.16.840.1.101.3.4.1.42", "AES-256-CBC"},
    KnownAlgorithm{"1.2.840.113549.3.7", "DES-EDE3-CBC"},
    KnownAlgorithm{"1.2.840.113549.1.5.3", "PBE-MD5-DES"},
    KnownAlgorithm{"1.2.840.113549.1.12.1.3", "PBE-SHA1-3DES"},
    KnownAlgorithm{"1.2.840.113549.1.12.1.6", "PBE-SHA1-RC2-40"},
};

struct FreeText {
  void operator()(char* text) const { OPENSSL_free(text); }
};

std::string name_of(const CBS& oid) {
  const std::unique_ptr<char, FreeText> dotted(CBS_asn1_oid_to_text(&oid));
  if (!dotted) return std::string(kUnknown);
  const std::string_view text(dotted.get());
  for (const KnownAlgorithm& known : kKnown) {
    if (known.oid == text) return std::string(known.name);
  }
  return std::string(text);
}

// An AlgorithmIdentifier from the front of `from`: its name; what follows in `parameters`.
std::optional<std::string> read_algorithm(CBS& from, CBS& parameters) {
  CBS algorithm, oid;
  if (!CBS_get_asn1(&from, &algorithm, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&algorithm, &oid, CBS_ASN1_OBJECT)) {
    return std::nullopt;
  }
  parameters = algorithm;
  return name_of(oid);
}

// The pseudo-random function of PBKDF2 (RFC 8018 appendix A.2); HMAC-SHA1 where none is named.
std::string prf_of(CBS parameters) {
  CBS sequence, salt, count, prf_parameters;
  if (!CBS_get_asn1(&parameters, &sequence, CBS_ASN1_SEQUENCE) ||
      !CBS_get_any_asn1_element(&sequence, &salt, nullptr, nullptr) ||
      !CBS_get_any_asn1_element(&sequence, &count, nullptr, nullptr)) {
    return std::string(kUnknown);
  }
  if (CBS_peek_asn1_tag(&sequence, CBS_ASN1_INTEGER)) {
    CBS length;
    CBS_get_asn1(&sequence, &length, CBS_ASN1_INTEGER);
  }
  if (CBS_len(&sequence) == 0) return "HMAC-SHA1";
  return read_algorithm(sequence, prf_parameters).value_or(std::string(kUnknown));
}

std::string describe_pbes2(CBS parameters) {
  CBS sequence, derivation_parameters, cipher_parameters;
  if (!CBS_get_asn1(&parameters, &sequence, CBS_ASN1_SEQUENCE)) return "PBES2";
  const auto derivation = read_algorithm(sequence, derivation_parameters);
  const auto cipher = read_algorithm(sequence, cipher_parameters);
  if (!derivation || !cipher) return "PBES2";
  const std::string prf =
      *derivation == "PBKDF2" ? fmt::format(" ({})", prf_of(derivation_parameters)) : "";
  return fmt::format("PBES2 with {}{} and {}", *derivation, prf, *cipher);
}

// The row "DEK-Info: AES-256-CBC,..." (RFC 1421 section 4.6.1.3).
std::string describe_dek_info(std::string_view text) {
  constexpr std::string_view kRow = "DEK-Info:";
  const auto row = text.find(kRow);
  if (row == std::string_view::npos) return std::string(kUnknown);
  std::string_view value = text.substr(row + kRow.size(), 64);
  value = value.substr(0, value.find_first_of(",\r\n"));
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  return value.empty() ? std::string(kUnknown) : printable(value);
}

}  // namespace

std::string describe_key_encryption(const PemBlock& block) {
  if (block.encrypted) return describe_dek_info(block.text);
  CBS der, outer, parameters;
  CBS_init(&der, block.der.data(), block.der.size());
  if (!CBS_get_asn1(&der, &outer, CBS_ASN1_SEQUENCE)) return std::string(kUnknown);
  const auto algorithm = read_algorithm(outer, parameters);
  if (!algorithm) return std::string(kUnknown);
  return *algorithm == "PBES2" ? describe_pbes2(parameters) : *algorithm;
}

}  // namespace siptls::pki
