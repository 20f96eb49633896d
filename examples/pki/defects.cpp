#include "pki/defects.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace demo_pki {
namespace {

struct Name {
  std::string_view text;
  Defect defect;
};

constexpr std::array kNames{
    Name{"expired", Defect::expired},
    Name{"not-yet-valid", Defect::not_yet_valid},
    Name{"wrong-ca", Defect::wrong_ca},
    Name{"wrong-identity", Defect::wrong_identity},
    Name{"self-signed", Defect::self_signed},
    Name{"key-mismatch", Defect::key_mismatch},
    Name{"ca-expired", Defect::ca_expired},
    Name{"incomplete", Defect::incomplete},
    Name{"bad-signature", Defect::bad_signature},
    Name{"wildcard", Defect::wildcard},
    Name{"no-san", Defect::no_san},
    Name{"sips-uri-only", Defect::sips_uri},
    Name{"user-in-uri", Defect::user_in_uri},
    Name{"nul-in-name", Defect::nul_in_name},
    Name{"name-constraint", Defect::name_constraint},
    Name{"path-length", Defect::path_length},
    Name{"not-a-ca", Defect::not_a_ca},
    Name{"no-cert-sign", Defect::no_cert_sign},
    Name{"key-usage", Defect::key_usage},
    Name{"eku-wrong", Defect::eku_wrong},
    Name{"ca-eku-wrong", Defect::ca_eku_wrong},
    Name{"weak-key", Defect::weak_key},
    Name{"sha1-signature", Defect::sha1_signature},
    Name{"unknown-critical-extension", Defect::unknown_critical_extension},
    Name{"revoked", Defect::revoked},
    Name{"ca-revoked", Defect::ca_revoked},
    Name{"crl-missing", Defect::crl_missing},
    Name{"crl-stale", Defect::crl_stale},
    Name{"crl-not-yet-valid", Defect::crl_not_yet_valid},
    Name{"crl-bad-signature", Defect::crl_bad_signature},
    Name{"crl-sha1", Defect::crl_sha1},
    Name{"crl-delta", Defect::crl_delta},
    Name{"crl-indirect", Defect::crl_indirect},
    Name{"crl-partial", Defect::crl_partial},
};

constexpr const char* kEmailProtection = "1.3.6.1.5.5.7.3.4";
constexpr std::chrono::hours kDay(24);

void name_by(CertificateSpec& spec, std::vector<std::string> uris,
             std::vector<std::string> dns_names) {
  spec.uris = std::move(uris);
  spec.dns_names = std::move(dns_names);
  spec.ip_addresses.clear();
}

}  // namespace

std::optional<Defect> find_defect(std::string_view name) {
  for (const auto& known : kNames) {
    if (known.text == name) return known.defect;
  }
  return std::nullopt;
}

std::string defect_names() {
  std::string out;
  for (const auto& known : kNames) out.append(out.empty() ? "" : "|").append(known.text);
  return out;
}

bool needs_crls(Defect defect) { return defect >= Defect::revoked; }

bool needs_intermediate(Defect defect) {
  return defect == Defect::path_length || defect == Defect::incomplete ||
         defect == Defect::ca_revoked || defect == Defect::ca_eku_wrong;
}

void spoil_root(CertificateSpec& root, Defect defect, int intermediates) {
  if (defect == Defect::path_length) root.path_length = intermediates - 1;
}

void spoil_issuer(CertificateSpec& issuer, Defect defect, Time now) {
  switch (defect) {
    case Defect::ca_expired:
      issuer.not_after = now - kDay;
      break;
    case Defect::name_constraint:
      issuer.permitted_dns = {"elsewhere.example"};
      break;
    case Defect::not_a_ca:
      issuer.ca = false;
      break;
    case Defect::no_cert_sign:
      issuer.key_usage = {"cRLSign"};
      break;
    case Defect::ca_eku_wrong:
      issuer.extended_key_usage = {kEmailProtection};
      break;
    default:
      break;
  }
}

void spoil_leaf(CertificateSpec& leaf, std::string_view identity, Defect defect, Time now) {
  const std::string name(identity);
  switch (defect) {
    case Defect::expired:
      leaf.not_before = now - 30 * kDay;
      leaf.not_after = now - kDay;
      break;
    case Defect::not_yet_valid:
      leaf.not_before = now + kDay;
      leaf.not_after = now + 30 * kDay;
      break;
    case Defect::bad_signature:
      leaf.corrupt_signature = true;
      break;
    case Defect::wildcard:
      name_by(leaf, {}, {"*" + name.substr(std::min(name.find('.'), name.size()))});
      break;
    case Defect::no_san:
      name_by(leaf, {}, {});
      break;
    case Defect::sips_uri:
      name_by(leaf, {"sips:" + name}, {});
      break;
    case Defect::user_in_uri:
      name_by(leaf, {"sip:user@" + name}, {});
      break;
    case Defect::nul_in_name:
      name_by(leaf, {}, {name + '\0' + ".elsewhere.example"});
      break;
    case Defect::key_usage:
      leaf.key_usage = {"keyAgreement"};
      break;
    case Defect::eku_wrong:
      leaf.extended_key_usage = {kEmailProtection};
      break;
    case Defect::sha1_signature:
      leaf.digest = Digest::sha1;
      break;
    case Defect::unknown_critical_extension:
      leaf.unknown_critical_extension = true;
      break;
    default:
      break;
  }
}

KeyType leaf_key(KeyType key, Defect defect) {
  return defect == Defect::weak_key ? KeyType::rsa1024 : key;
}

void spoil_crl(CrlSpec& crl, Defect defect, Time now) {
  crl.delta = defect == Defect::crl_delta;
  crl.indirect = defect == Defect::crl_indirect;
  crl.only_some_reasons = defect == Defect::crl_partial;
  crl.corrupt_signature = defect == Defect::crl_bad_signature;
  if (defect == Defect::crl_stale) crl.next_update = now - std::chrono::hours(1);
  if (defect == Defect::crl_not_yet_valid) crl.this_update = now + std::chrono::hours(1);
  if (defect == Defect::crl_sha1) crl.digest = Digest::sha1;
}

}  // namespace demo_pki
