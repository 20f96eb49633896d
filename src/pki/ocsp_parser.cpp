#include "pki/ocsp_parser.hpp"

#include <fmt/format.h>
#include <openssl/bytestring.h>
#include <openssl/mem.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string_view>
#include <utility>

#include "pki/ocsp_response.hpp"

namespace siptls::pki {
namespace {

constexpr unsigned explicit_tag(unsigned number) {
  return CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | number;
}

// Contents of the object identifiers that matter here.
constexpr std::array<std::uint8_t, 9> kBasicResponse{0x2b, 6, 1, 5, 5, 7, 48, 1, 1};
constexpr std::array<std::uint8_t, 9> kNonce{0x2b, 6, 1, 5, 5, 7, 48, 1, 2};
constexpr std::array<std::uint8_t, 5> kSha1{0x2b, 14, 3, 2, 26};
constexpr std::array<std::uint8_t, 9> kSha256{0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1};

template <std::size_t N>
bool equals(const CBS& octets, const std::array<std::uint8_t, N>& other) {
  return CBS_mem_equal(&octets, other.data(), other.size()) != 0;
}

std::span<const std::uint8_t> span_of(const CBS& octets) {
  return {CBS_data(&octets), CBS_len(&octets)};
}

struct FreeText {
  void operator()(char* text) const { OPENSSL_free(text); }
};

std::string oid_text(const CBS& oid) {
  const std::unique_ptr<char, FreeText> text(CBS_asn1_oid_to_text(&oid));
  return text ? std::string(text.get()) : std::string("an unreadable object identifier");
}

Unexpected malformed(std::string_view what) {
  return Unexpected(Errc::ocsp_response_invalid,
                    fmt::format("the OCSP response cannot be read: {}", what));
}

// The only INTEGER, ENUMERATED or NULL content that is asked for has few octets.
std::optional<std::uint8_t> small_number(CBS* in, unsigned tag) {
  CBS number;
  std::uint8_t out = 0;
  if (!CBS_get_asn1(in, &number, tag) || !CBS_get_u8(&number, &out) || CBS_len(&number) != 0 ||
      out > 127) {
    return std::nullopt;
  }
  return out;
}

std::optional<unsigned> digits(std::string_view text) {
  unsigned out = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    out = out * 10 + static_cast<unsigned>(c - '0');
  }
  return out;
}

// YYYYMMDDHHMMSSZ and nothing else (RFC 5280 section 4.1.2.5.2). Times that no WallTime can hold
// become its last or first one.
std::optional<WallTime> wall_time(const CBS& octets) {
  const std::string_view text(reinterpret_cast<const char*>(CBS_data(&octets)), CBS_len(&octets));
  if (text.size() != 15 || text[14] != 'Z') return std::nullopt;
  const auto year = digits(text.substr(0, 4)), month = digits(text.substr(4, 2)),
             day = digits(text.substr(6, 2)), hour = digits(text.substr(8, 2)),
             minute = digits(text.substr(10, 2)), second = digits(text.substr(12, 2));
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(*month), std::chrono::day(*day));
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  const auto since_epoch = std::chrono::sys_days(date).time_since_epoch() +
                           std::chrono::seconds((*hour * 60 + *minute) * 60 + *second);
  constexpr auto kLast = std::chrono::floor<std::chrono::seconds>(WallTime::max());
  constexpr auto kFirst = std::chrono::ceil<std::chrono::seconds>(WallTime::min());
  if (since_epoch >= kLast.time_since_epoch()) return WallTime::max();
  if (since_epoch <= kFirst.time_since_epoch()) return WallTime::min();
  return WallTime(since_epoch);
}

std::optional<WallTime> take_time(CBS* in) {
  CBS time;
  if (!CBS_get_asn1(in, &time, CBS_ASN1_GENERALIZEDTIME)) return std::nullopt;
  return wall_time(time);
}

// Extensions (RFC 5280 section 4.1) inside the optional [1]. A nonce answers a question that
// nobody asked, so it is passed over.
bool take_extensions(CBS* in, std::string& first_critical) {
  CBS wrapped, all;
  int present = 0;
  if (!CBS_get_optional_asn1(in, &wrapped, &present, explicit_tag(1))) return false;
  if (present == 0) return true;
  if (!CBS_get_asn1(&wrapped, &all, CBS_ASN1_SEQUENCE) || CBS_len(&wrapped) != 0 ||
      CBS_len(&all) == 0) {
    return false;
  }
  while (CBS_len(&all) != 0) {
    CBS extension, oid, value;
    int critical = 0;
    if (!CBS_get_asn1(&all, &extension, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&extension, &oid, CBS_ASN1_OBJECT)) {
      return false;
    }
    if (CBS_peek_asn1_tag(&extension, CBS_ASN1_BOOLEAN) &&
        !CBS_get_asn1_bool(&extension, &critical)) {
      return false;
    }
    if (!CBS_get_asn1(&extension, &value, CBS_ASN1_OCTETSTRING) || CBS_len(&extension) != 0) {
      return false;
    }
    if (critical != 0 && first_critical.empty() && !equals(oid, kNonce)) {
      first_critical = oid_text(oid);
    }
  }
  return true;
}

bool take_certificate_id(CBS* in, OcspAnswer& out) {
  CBS id, algorithm, oid, name_hash, key_hash, serial;
  int negative = 0;
  if (!CBS_get_asn1(in, &id, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&id, &algorithm, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&algorithm, &oid, CBS_ASN1_OBJECT) ||
      !CBS_get_asn1(&id, &name_hash, CBS_ASN1_OCTETSTRING) ||
      !CBS_get_asn1(&id, &key_hash, CBS_ASN1_OCTETSTRING) ||
      !CBS_get_asn1(&id, &serial, CBS_ASN1_INTEGER) || CBS_len(&id) != 0 ||
      !CBS_is_valid_asn1_integer(&serial, &negative)) {
    return false;
  }
  // Of digests known here the parameters are NULL or left out.
  const bool plain = CBS_len(&algorithm) == 0 ||
                     CBS_mem_equal(&algorithm, std::array<std::uint8_t, 2>{5, 0}.data(), 2);
  if (plain && equals(oid, kSha1)) out.digest = OcspAnswer::Digest::sha1;
  if (plain && equals(oid, kSha256)) out.digest = OcspAnswer::Digest::sha256;
  out.issuer_name_hash = span_of(name_hash);
  out.issuer_key_hash = span_of(key_hash);
  out.serial = span_of(serial);
  return true;
}

std::string reason_text(std::uint8_t code) {
  constexpr std::array<const char*, 11> kReasons{
      "unspecified",   "keyCompromise",        "cACompromise",    "affiliationChanged",
      "superseded",    "cessationOfOperation", "certificateHold", nullptr,
      "removeFromCRL", "privilegeWithdrawn",   "aACompromise"};
  if (code < kReasons.size() && kReasons[code] != nullptr) return kReasons[code];
  return fmt::format("reason {}", code);
}

// certStatus: [0] NULL, [1] RevokedInfo or [2] NULL, tagged implicitly.
bool take_status(CBS* in, OcspAnswer& out) {
  CBS content;
  unsigned tag = 0;
  if (!CBS_get_any_asn1(in, &content, &tag)) return false;
  if (tag == (CBS_ASN1_CONTEXT_SPECIFIC | 0) || tag == (CBS_ASN1_CONTEXT_SPECIFIC | 2)) {
    out.status = tag == (CBS_ASN1_CONTEXT_SPECIFIC | 0) ? OcspAnswer::Status::good
                                                        : OcspAnswer::Status::unknown;
    return CBS_len(&content) == 0;
  }
  if (tag != explicit_tag(1)) return false;
  out.status = OcspAnswer::Status::revoked;
  const auto since = take_time(&content);
  CBS reason;
  int present = 0;
  if (!since || !CBS_get_optional_asn1(&content, &reason, &present, explicit_tag(0)) ||
      CBS_len(&content) != 0) {
    return false;
  }
  out.revoked_at = *since;
  if (present == 0) return true;
  const auto code = small_number(&reason, CBS_ASN1_ENUMERATED);
  if (!code || CBS_len(&reason) != 0) return false;
  out.revoked_reason = reason_text(*code);
  return true;
}

bool take_answer(CBS* in, OcspResponse& out) {
  CBS single, wrapped;
  OcspAnswer answer;
  int present = 0;
  if (!CBS_get_asn1(in, &single, CBS_ASN1_SEQUENCE) || !take_certificate_id(&single, answer) ||
      !take_status(&single, answer)) {
    return false;
  }
  const auto this_update = take_time(&single);
  if (!this_update || !CBS_get_optional_asn1(&single, &wrapped, &present, explicit_tag(0))) {
    return false;
  }
  answer.this_update = *this_update;
  if (present != 0) {
    answer.next_update = take_time(&wrapped);
    if (!answer.next_update || CBS_len(&wrapped) != 0) return false;
  }
  if (!take_extensions(&single, out.critical_extension) || CBS_len(&single) != 0) return false;
  out.answers.push_back(std::move(answer));
  return true;
}

bool take_responder(CBS* in, OcspResponse& out) {
  CBS content, value;
  unsigned tag = 0;
  if (!CBS_get_any_asn1(in, &content, &tag)) return false;
  if (tag == explicit_tag(1)) {
    out.responder_name = span_of(content);
    return CBS_get_asn1(&content, &value, CBS_ASN1_SEQUENCE) && CBS_len(&content) == 0;
  }
  if (tag != explicit_tag(2) || !CBS_get_asn1(&content, &value, CBS_ASN1_OCTETSTRING)) return false;
  out.responder_key = span_of(value);
  return CBS_len(&content) == 0;
}

Result<void> read_response_data(CBS data, OcspResponse& out) {
  CBS version, answers;
  int present = 0;
  if (!CBS_get_optional_asn1(&data, &version, &present, explicit_tag(0))) {
    return malformed("its version");
  }
  // DER leaves the default version out, but responders that write it do no harm.
  if (present != 0 && (small_number(&version, CBS_ASN1_INTEGER) != 0 || CBS_len(&version) != 0)) {
    return malformed("its version is not v1");
  }
  if (!take_responder(&data, out)) return malformed("its responderID");
  const auto produced_at = take_time(&data);
  if (!produced_at) return malformed("its producedAt is no GeneralizedTime of RFC 5280");
  out.produced_at = *produced_at;
  if (!CBS_get_asn1(&data, &answers, CBS_ASN1_SEQUENCE)) return malformed("its responses");
  while (CBS_len(&answers) != 0) {
    if (out.answers.size() == kMaxOcspAnswers) {
      return malformed(fmt::format("it answers for more than {} certificates", kMaxOcspAnswers));
    }
    if (!take_answer(&answers, out)) {
      return malformed(fmt::format("SingleResponse {}", out.answers.size()));
    }
  }
  if (!take_extensions(&data, out.critical_extension) || CBS_len(&data) != 0) {
    return malformed("its responseExtensions");
  }
  return {};
}

bool take_signature(CBS* in, OcspResponse& out) {
  CBS algorithm, signature;
  std::uint8_t unused_bits = 0;
  if (!CBS_get_asn1_element(in, &algorithm, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(in, &signature, CBS_ASN1_BITSTRING) || !CBS_get_u8(&signature, &unused_bits) ||
      unused_bits != 0) {
    return false;
  }
  out.algorithm = span_of(algorithm);
  out.signature = span_of(signature);
  return true;
}

Result<void> read_certificates(CBS* in, OcspResponse& out) {
  CBS wrapped, all;
  int present = 0;
  if (!CBS_get_optional_asn1(in, &wrapped, &present, explicit_tag(0))) {
    return malformed("its certs");
  }
  if (present == 0) return {};
  if (!CBS_get_asn1(&wrapped, &all, CBS_ASN1_SEQUENCE) || CBS_len(&wrapped) != 0) {
    return malformed("its certs");
  }
  while (CBS_len(&all) != 0) {
    CBS certificate;
    if (!CBS_get_asn1_element(&all, &certificate, CBS_ASN1_SEQUENCE)) {
      return malformed("its certs");
    }
    if (out.certificates.size() == kMaxOcspCertificates) {
      return malformed(fmt::format("it has more than {} certificates", kMaxOcspCertificates));
    }
    out.certificates.push_back(span_of(certificate));
  }
  return {};
}

Result<OcspResponse> read_basic_response(CBS octets) {
  CBS basic, element, data;
  OcspResponse out;
  if (!CBS_get_asn1(&octets, &basic, CBS_ASN1_SEQUENCE) || CBS_len(&octets) != 0 ||
      !CBS_get_asn1_element(&basic, &element, CBS_ASN1_SEQUENCE)) {
    return malformed("its BasicOCSPResponse");
  }
  out.signed_data = span_of(element);
  if (!CBS_get_asn1(&element, &data, CBS_ASN1_SEQUENCE)) return malformed("its tbsResponseData");
  if (!take_signature(&basic, out)) return malformed("its signature");
  auto read = read_certificates(&basic, out);
  if (read && CBS_len(&basic) != 0) return malformed("octets behind its last element");
  if (read) read = read_response_data(data, out);
  if (!read) return Unexpected(std::move(read).error());
  return out;
}

std::string_view status_text(std::uint8_t status) {
  switch (status) {
    case 1:
      return "malformedRequest";
    case 2:
      return "internalError";
    case 3:
      return "tryLater";
    case 5:
      return "sigRequired";
    case 6:
      return "unauthorized";
    default:
      return "unknown";
  }
}

}  // namespace

Result<OcspResponse> parse_ocsp_response(std::span<const std::uint8_t> der) {
  if (der.size() > kMaxOcspOctets) {
    return malformed(
        fmt::format("it has {} octets; at most {} are looked at", der.size(), kMaxOcspOctets));
  }
  CBS octets, response, bytes, content, oid, basic;
  CBS_init(&octets, der.data(), der.size());
  if (!CBS_get_asn1(&octets, &response, CBS_ASN1_SEQUENCE)) return malformed("it is no DER");
  if (CBS_len(&octets) != 0) {
    return malformed(fmt::format("{} octets behind its end", CBS_len(&octets)));
  }
  const auto status = small_number(&response, CBS_ASN1_ENUMERATED);
  if (!status) return malformed("its responseStatus");
  if (*status != 0) {
    return Unexpected(Errc::ocsp_response_invalid,
                      fmt::format("the OCSP response answers nothing: its status is {} ({})",
                                  *status, status_text(*status)));
  }
  if (!CBS_get_asn1(&response, &bytes, explicit_tag(0)) || CBS_len(&response) != 0 ||
      !CBS_get_asn1(&bytes, &content, CBS_ASN1_SEQUENCE) || CBS_len(&bytes) != 0 ||
      !CBS_get_asn1(&content, &oid, CBS_ASN1_OBJECT) ||
      !CBS_get_asn1(&content, &basic, CBS_ASN1_OCTETSTRING) || CBS_len(&content) != 0) {
    return malformed("its responseBytes");
  }
  if (!equals(oid, kBasicResponse)) {
    return malformed(fmt::format("its type is {}, not id-pkix-ocsp-basic", oid_text(oid)));
  }
  return read_basic_response(basic);
}

}  // namespace siptls::pki
