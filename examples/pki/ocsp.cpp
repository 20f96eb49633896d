#include "pki/ocsp.hpp"

#include "pki/certificate.hpp"
#include "pki/der.hpp"

namespace demo_pki {
namespace {

std::string digest_algorithm(Digest digest) {
  const char* const oid = digest == Digest::sha1     ? "1.3.14.3.2.26"
                          : digest == Digest::sha384 ? "2.16.840.1.101.3.4.2.2"
                          : digest == Digest::sha512 ? "2.16.840.1.101.3.4.2.3"
                                                     : "2.16.840.1.101.3.4.2.1";
  return der::sequence({der::object(oid), der::null()});
}

std::string certificate_id(const OcspAnswerParts& parts) {
  const Digest digest = parts.answer.id_digest;
  std::string serial(parts.serial);
  if (parts.answer.wrong_serial) serial.back() = static_cast<char>(serial.back() ^ 1);
  const std::string issuer(parts.answer.wrong_issuer_name ? name_der("nobody")
                                                          : std::string(parts.issuer));
  return der::sequence({digest_algorithm(digest), der::octet_string(hash(digest, issuer)),
                        der::octet_string(hash(digest, public_key_octets(parts.issuer_spki))),
                        der::unsigned_integer(serial)});
}

std::string status(const OcspAnswer& answer) {
  switch (answer.status) {
    case OcspAnswer::Status::good:
      return der::primitive(0, {});
    case OcspAnswer::Status::unknown:
      return der::primitive(2, {});
    case OcspAnswer::Status::revoked:
      break;
  }
  std::string content = der::generalized_time(answer.revoked_at);
  if (answer.reason) {
    const std::string code(1, static_cast<char>(*answer.reason));
    content += der::constructed(0, der::value(der::kEnumerated, code));
  }
  return der::constructed(1, content);
}

std::string extensions(std::string_view content) {
  if (content.empty()) return {};
  return der::constructed(1, der::value(der::kSequence, content));
}

std::string next_update(const OcspAnswer& answer) {
  if (!answer.next_update_text.empty()) {
    return der::constructed(0, der::value(der::kGeneralizedTime, answer.next_update_text));
  }
  if (!answer.next_update) return {};
  return der::constructed(0, der::generalized_time(*answer.next_update));
}

std::string single_response(const OcspAnswerParts& parts) {
  const OcspAnswer& answer = parts.answer;
  return der::sequence({certificate_id(parts), status(answer),
                        der::generalized_time(answer.this_update), next_update(answer),
                        extensions(answer.unknown_critical_extension ? unknown_critical_extension()
                                                                     : std::string())});
}

std::string response_data(const OcspParts& parts) {
  const OcspSpec& spec = parts.spec;
  std::string answers;
  for (const auto& answer : parts.answers) answers += single_response(answer);
  std::string more;
  if (spec.nonce) {
    more += extension("1.3.6.1.5.5.7.48.1.2", false, der::octet_string(random_octets(16)));
  }
  if (spec.unknown_critical_extension) more += unknown_critical_extension();
  return der::sequence(
      {spec.version ? der::constructed(0, der::integer(*spec.version)) : std::string(),
       spec.by_key
           ? der::constructed(
                 2, der::octet_string(hash(Digest::sha1, public_key_octets(parts.responder_spki))))
           : der::constructed(1, parts.responder),
       spec.produced_at_text.empty() ? der::generalized_time(spec.produced_at)
                                     : der::value(der::kGeneralizedTime, spec.produced_at_text),
       der::value(der::kSequence, answers), extensions(more)});
}

}  // namespace

std::string encode_ocsp_response(const OcspParts& parts) {
  const OcspSpec& spec = parts.spec;
  const std::string response_status =
      der::value(der::kEnumerated, std::string(1, static_cast<char>(spec.response_status)));
  if (spec.response_status != 0) return der::sequence({response_status}) + spec.trailing;
  const std::string data = response_data(parts);
  std::string signature = sign(parts.key, spec.digest, data);
  if (spec.corrupt_signature) signature.back() = static_cast<char>(signature.back() ^ 1);
  std::string certificates;
  for (const auto& certificate : parts.certificates) certificates += certificate;
  const std::string basic = der::sequence(
      {data, signature_algorithm(parts.key, spec.digest), der::bit_string(signature),
       certificates.empty() ? std::string()
                            : der::constructed(0, der::value(der::kSequence, certificates))});
  return der::sequence(
             {response_status, der::constructed(0, der::sequence({der::object(spec.response_type),
                                                                  der::octet_string(basic)}))}) +
         spec.trailing;
}

}  // namespace demo_pki
