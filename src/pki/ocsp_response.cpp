#include "pki/ocsp_response.hpp"

#include <fmt/format.h>
#include <openssl/bytestring.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "pki/guarded.hpp"
#include "pki/ocsp_parser.hpp"
#include "pki/signature.hpp"

namespace siptls::pki {
namespace {

using Octets = std::span<const std::uint8_t>;

Unexpected invalid(std::string_view what) {
  return Unexpected(Errc::ocsp_response_invalid, fmt::format("the OCSP response {}", what));
}

std::string judged_at(const Now& at) {
  return fmt::format("judged at {} ({})", format_time(at.wall), to_string(at.standing));
}

bool same(Octets a, Octets b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

// The octets of a certificate that a CertID speaks of, as they stand in it.
struct CertificateId {
  Octets serial;  // content of the INTEGER
  Octets issuer;  // Name as DER
};

CertificateId id_of(const Certificate& certificate) {
  CBS der, whole, to_be_signed, serial, issuer;
  CBS_init(&der, certificate.der().data(), certificate.der().size());
  if (!CBS_get_asn1(&der, &whole, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&whole, &to_be_signed, CBS_ASN1_SEQUENCE) ||
      !CBS_get_optional_asn1(&to_be_signed, nullptr, nullptr,
                             CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0) ||
      !CBS_get_asn1(&to_be_signed, &serial, CBS_ASN1_INTEGER) ||
      !CBS_get_asn1(&to_be_signed, nullptr, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1_element(&to_be_signed, &issuer, CBS_ASN1_SEQUENCE)) {
    return {};
  }
  return {{CBS_data(&serial), CBS_len(&serial)}, {CBS_data(&issuer), CBS_len(&issuer)}};
}

// The content of subjectPublicKey, which the hashes of keys are made of.
Octets key_octets(const Certificate& certificate) {
  const ASN1_BIT_STRING* const bits = X509_get0_pubkey_bitstr(certificate.x509());
  if (bits == nullptr) return {};
  return {ASN1_STRING_get0_data(bits), static_cast<std::size_t>(ASN1_STRING_length(bits))};
}

bool is_digest_of(Octets hash, OcspAnswer::Digest digest, Octets octets) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> made{};
  std::size_t size = 0;
  if (digest == OcspAnswer::Digest::sha1) {
    SHA1(octets.data(), octets.size(), made.data());
    size = SHA_DIGEST_LENGTH;
  } else if (digest == OcspAnswer::Digest::sha256) {
    SHA256(octets.data(), octets.size(), made.data());
    size = SHA256_DIGEST_LENGTH;
  }
  return size != 0 && same(hash, Octets(made).first(size));
}

// Is this answer about that certificate? Serial numbers first: they differ in nearly every case.
bool concerns(const OcspAnswer& answer, const CertificateId& id, const Certificate* issuer) {
  return same(answer.serial, id.serial) &&
         is_digest_of(answer.issuer_name_hash, answer.digest, id.issuer) &&
         (issuer == nullptr ||
          is_digest_of(answer.issuer_key_hash, answer.digest, key_octets(*issuer)));
}

// Is `certificate` the one that responderID names?
bool is_responder(const OcspResponse& response, const Certificate& certificate) {
  if (response.responder_name.empty()) {
    return is_digest_of(response.responder_key, OcspAnswer::Digest::sha1, key_octets(certificate));
  }
  if (same(response.responder_name, certificate.subject_der())) return true;
  const std::uint8_t* at = response.responder_name.data();
  const bssl::UniquePtr<X509_NAME> name(
      d2i_X509_NAME(nullptr, &at, static_cast<long>(response.responder_name.size())));
  return name && X509_NAME_cmp(name.get(), X509_get_subject_name(certificate.x509())) == 0;
}

std::string responder_text(const OcspResponse& response) {
  if (response.responder_name.empty()) {
    std::string out = "the responder with the key ";
    for (const std::uint8_t octet : response.responder_key) out += fmt::format("{:02x}", octet);
    return out;
  }
  const std::uint8_t* at = response.responder_name.data();
  const bssl::UniquePtr<X509_NAME> name(
      d2i_X509_NAME(nullptr, &at, static_cast<long>(response.responder_name.size())));
  return name ? fmt::format("\"{}\"", name_text(name.get()))
              : "a responder without a readable name";
}

// What is wrong with `signer` as the owner of a signature; empty if nothing is.
std::string key_flaw(const Certificate& signer) {
  if (signer.key().usable && !signer.key().weak) return {};
  return fmt::format("its signer \"{}\" has a key of {}, which is {}", signer.subject(),
                     signer.key().description, signer.key().weak ? "too weak" : "not supported");
}

std::string response_flaw(const OcspResponse& response, const Certificate& signer) {
  if (std::string flaw = key_flaw(signer); !flaw.empty()) return flaw;
  return signature_flaw(response.algorithm, response.signed_data, response.signature,
                        public_key(signer.x509()).get());
}

// What is wrong with a responder that signs in the issuer's place (RFC 6960 section 4.2.2.2); empty
// if nothing is.
std::string delegation_flaw(const Certificate& responder, const Certificate& issuer,
                            const Now& at) {
  X509* const x509 = responder.x509();
  const std::uint32_t flags = X509_get_extension_flags(x509);
  if (!issuer.is_ca()) {
    return fmt::format("is not \"{}\", which is no CA and can let nobody sign for it",
                       issuer.subject());
  }
  if (X509_NAME_cmp(X509_get_issuer_name(x509), X509_get_subject_name(issuer.x509())) != 0) {
    return fmt::format("was issued by \"{}\" and not by the issuer of the certificate, \"{}\"",
                       responder.issuer(), issuer.subject());
  }
  if ((flags & (EXFLAG_INVALID | EXFLAG_CRITICAL)) != 0) {
    return "has an extension that cannot be read or a critical one that is not known here";
  }
  if ((flags & EXFLAG_XKUSAGE) == 0 || (X509_get_extended_key_usage(x509) & XKU_OCSP_SIGN) == 0) {
    return "has no extendedKeyUsage id-kp-OCSPSigning";
  }
  if ((flags & EXFLAG_KUSAGE) != 0 && (X509_get_key_usage(x509) & KU_DIGITAL_SIGNATURE) == 0) {
    return "has a keyUsage without digitalSignature";
  }
  const auto now = std::chrono::floor<std::chrono::seconds>(at.wall);
  if (now < responder.not_before() || now > responder.not_after()) {
    return fmt::format("is valid from {} to {}; {}", format_time(responder.not_before()),
                       format_time(responder.not_after()), judged_at(at));
  }
  if (responder.signature_digest().weak()) {
    return fmt::format("is signed with {}", responder.signature_digest().name);
  }
  const auto issuer_key = public_key(issuer.x509());
  if (!issuer_key || X509_verify(x509, issuer_key.get()) != 1) {
    return "is not signed by the issuer's key";
  }
  return {};
}

// The embedded certificate that responderID names, if it is not the issuer's own.
std::optional<Certificate> delegated_responder(const OcspResponse& response,
                                               const Certificate& issuer) {
  for (const Octets der : response.certificates) {
    auto certificate = Certificate::parse(der);
    if (certificate && !(*certificate == issuer) && is_responder(response, *certificate)) {
      return certificate;
    }
  }
  return std::nullopt;
}

// Judges who signed. Gives until when the signer may.
Result<WallTime> judge_signer(const OcspResponse& response, const Certificate& issuer,
                              const Now& at) {
  std::string flaw;
  if (is_responder(response, issuer)) {
    flaw = response_flaw(response, issuer);
    if (flaw.empty()) return WallTime::max();
  }
  // A responder may have its issuer's name.
  const auto responder = delegated_responder(response, issuer);
  if (!responder) {
    if (!flaw.empty()) return invalid(fmt::format("cannot be trusted: {}", flaw));
    return invalid(
        fmt::format("names {} as its signer, which is neither the issuer \"{}\" nor among "
                    "the {} certificates in it",
                    responder_text(response), issuer.subject(), response.certificates.size()));
  }
  flaw = delegation_flaw(*responder, issuer, at);
  if (!flaw.empty()) {
    return invalid(
        fmt::format("cannot be trusted: its signer \"{}\" {}", responder->subject(), flaw));
  }
  flaw = response_flaw(response, *responder);
  if (!flaw.empty()) return invalid(fmt::format("cannot be trusted: {}", flaw));
  return responder->not_after();
}

// Is a "good" from then still good now? Gives how long. No clock skew is allowed for: the times of
// certificates have none either, and a response that is too new is soon right.
Result<WallTime> judge_times(const OcspAnswer& answer, const Now& at) {
  const auto now = std::chrono::floor<std::chrono::seconds>(at.wall);
  if (now < answer.this_update) {
    return invalid(fmt::format("is of {}; {}", format_time(answer.this_update), judged_at(at)));
  }
  if (!answer.next_update) {
    return invalid(
        fmt::format("of {} does not say when the next one comes", format_time(answer.this_update)));
  }
  if (now > *answer.next_update) {
    return invalid(fmt::format("of {} was to be replaced at {}; {}",
                               format_time(answer.this_update), format_time(*answer.next_update),
                               judged_at(at)));
  }
  return *answer.next_update;
}

Unexpected revoked(const OcspAnswer& answer, const Certificate& leaf, const Now& at) {
  return Unexpected(
      Errc::certificate_revoked,
      fmt::format("\"{}\" was revoked at {} ({}), says an OCSP response of {}; {}", leaf.subject(),
                  format_time(answer.revoked_at),
                  answer.revoked_reason.empty() ? "no reason given" : answer.revoked_reason,
                  format_time(answer.this_update), judged_at(at)));
}

// The answers about the leaf: a revocation stands whatever the others and the dates say, and
// "unknown" is no better than none.
Result<WallTime> judge_answers(const OcspResponse& response, const Certificate& leaf,
                               const Certificate* issuer, const Now& at) {
  const CertificateId id = id_of(leaf);
  std::vector<const OcspAnswer*> answers;
  for (const auto& answer : response.answers) {
    if (concerns(answer, id, issuer)) answers.push_back(&answer);
  }
  if (answers.empty()) {
    return invalid(
        fmt::format("is about {} certificates, and \"{}\" with the serial number {} is "
                    "none of them",
                    response.answers.size(), leaf.subject(), leaf.summary().serial));
  }
  for (const OcspAnswer* const answer : answers) {
    if (answer->status == OcspAnswer::Status::revoked) return revoked(*answer, leaf, at);
  }
  for (const OcspAnswer* const answer : answers) {
    if (answer->status == OcspAnswer::Status::unknown) {
      return invalid(fmt::format("of {} says that the responder does not know \"{}\"",
                                 format_time(answer->this_update), leaf.subject()));
    }
  }
  auto verdict = judge_times(*answers.front(), at);
  for (std::size_t i = 1; i < answers.size() && !verdict; ++i) {
    if (auto other = judge_times(*answers[i], at)) verdict = other;
  }
  return verdict;
}

Result<WallTime> judge(Octets der, const Certificate& leaf, const Certificate* issuer,
                       const Now& at) {
  const auto response = parse_ocsp_response(der);
  if (!response) return Unexpected(response.error());
  if (!response->critical_extension.empty()) {
    return invalid(fmt::format("has the critical extension {}, which is not known here",
                               response->critical_extension));
  }
  WallTime until = WallTime::max();
  if (issuer != nullptr) {
    auto signer = judge_signer(*response, *issuer, at);
    if (!signer) return signer;
    until = *signer;
  }
  if (std::chrono::floor<std::chrono::seconds>(at.wall) < response->produced_at) {
    return invalid(fmt::format("was made at {}, which is yet to come; {}",
                               format_time(response->produced_at), judged_at(at)));
  }
  auto answer = judge_answers(*response, leaf, issuer, at);
  if (!answer) return answer;
  return std::min(until, *answer);
}

// Who signs for the leaf of this path; null where nobody is known to.
const Certificate* issuer_in(const JudgedPath& path) {
  if (path.certificates.size() > 1) return &path.certificates[1];
  const Certificate& leaf = path.certificates.front();
  if (!leaf.is_self_signed()) return nullptr;
  const auto key = public_key(leaf.x509());
  return key && X509_verify(leaf.x509(), key.get()) == 1 ? &leaf : nullptr;
}

Unexpected about_leaf(Error error) { return Unexpected(std::move(error).with_certificate(0)); }

Result<std::optional<WallTime>> check(const JudgedPath& path, const VerifyOptions& options) {
  if (options.ocsp == OcspPolicy::ignore) return std::optional<WallTime>();
  const Certificate& leaf = path.certificates.front();
  const bool required = options.ocsp == OcspPolicy::require && options.role == PeerRole::server;
  if (options.ocsp_response.empty()) {
    if (!required) return std::optional<WallTime>();
    return about_leaf(Error(
        Errc::ocsp_response_missing,
        fmt::format("no OCSP response came with \"{}\", and one is required", leaf.subject())));
  }
  const Certificate* const issuer = issuer_in(path);
  if (issuer == nullptr) {
    // An entry itself: the operator's word about it needs nobody else's.
    if (!required) return std::optional<WallTime>();
    return about_leaf(Error(Errc::ocsp_response_invalid,
                            fmt::format("\"{}\" is trusted itself, and the certificate of its "
                                        "issuer \"{}\", who could vouch for an OCSP response, is "
                                        "not known",
                                        leaf.subject(), leaf.issuer())));
  }
  const auto* const octets = reinterpret_cast<const std::uint8_t*>(options.ocsp_response.data());
  auto until =
      judge_ocsp_response({octets, options.ocsp_response.size()}, leaf, issuer, options.at);
  if (!until) return about_leaf(std::move(until).error());
  return std::optional<WallTime>(*until);
}

}  // namespace

Result<void> check_ocsp_shape(Octets response) {
  const ErrorQueueScope errors;
  return guarded([&]() -> Result<void> {
    auto parsed = parse_ocsp_response(response);
    if (!parsed) return Unexpected(std::move(parsed).error());
    return {};
  });
}

Result<WallTime> judge_ocsp_response(Octets response, const Certificate& leaf,
                                     const Certificate* issuer, const Now& at) {
  const ErrorQueueScope errors;
  return guarded([&] { return judge(response, leaf, issuer, at); });
}

Result<std::optional<WallTime>> check_ocsp_response(const JudgedPath& path,
                                                    const VerifyOptions& options) {
  const ErrorQueueScope errors;
  return guarded([&] { return check(path, options); });
}

}  // namespace siptls::pki
