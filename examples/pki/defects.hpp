// What can be wrong with the certificates of a demonstration, each mistake alone and by a name of
// its own. Everything about them that is not spoilt is good.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pki/demo_pki.hpp"

namespace demo_pki {

enum class Defect {
  none,
  expired,
  not_yet_valid,
  ca_expired,
  wrong_ca,         // issued by a CA that the CA list does not have
  self_signed,      // and not in the CA list
  key_mismatch,     // the private key is another one
  incomplete,       // the chain lacks its intermediate CAs
  bad_signature,    // of the leaf
  wrong_identity,   // the leaf says not-NAME
  wildcard,         // "*" for its first label
  no_san,           // only a common name
  sips_uri,         // a sips URI alone
  user_in_uri,      // sip:user@NAME alone
  nul_in_name,      // NAME, an octet of 0, and more
  name_constraint,  // the issuer may certify other domains only
  path_length,      // the root allows fewer CAs below it
  not_a_ca,         // the issuer's basicConstraints say cA FALSE
  no_cert_sign,     // the issuer's keyUsage lacks keyCertSign
  key_usage,        // the leaf's keyUsage lacks digitalSignature
  eku_wrong,        // the leaf is for email
  ca_eku_wrong,     // its issuer is
  weak_key,
  sha1_signature,
  unknown_critical_extension,
  // Of the CRLs of all CAs.
  revoked,
  ca_revoked,
  crl_missing,  // the CRL of the leaf's issuer
  crl_stale,
  crl_not_yet_valid,
  crl_bad_signature,
  crl_sha1,
  crl_delta,
  crl_indirect,
  crl_partial,
};

std::optional<Defect> find_defect(std::string_view name);
// "expired|not-yet-valid|..."
std::string defect_names();

// Is the mistake in the CRLs?
bool needs_crls(Defect defect);
// Does it need CAs between root and leaf?
bool needs_intermediate(Defect defect);

// These change what the defect is about and leave everything else alone.
void spoil_root(CertificateSpec& root, Defect defect, int intermediates);
void spoil_issuer(CertificateSpec& issuer, Defect defect, Time now);  // the CA above the leaf
void spoil_leaf(CertificateSpec& leaf, std::string_view identity, Defect defect, Time now);
KeyType leaf_key(KeyType key, Defect defect);
// For the CRL of the CA above the leaf.
void spoil_crl(CrlSpec& crl, Defect defect, Time now);

}  // namespace demo_pki
