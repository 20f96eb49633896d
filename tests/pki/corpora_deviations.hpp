// Where siptls's verdict on a case of NIST PKITS or x509-limbo differs from the corpus's
// expectation, and why that is meant. corpora_through_tool.py reads the tables of this file too.
#pragma once

#include <array>
#include <string_view>

namespace corpora {

struct Deviation {
  std::string_view id;
  std::string_view reason;
};

inline constexpr std::string_view kDsa =
    "DSA keys are not supported: TLS 1.3 has no DSA and BoringSSL cannot verify it";
inline constexpr std::string_view kIssuerDuty =
    "a duty of those who issue certificates or CRLs; a verifier loses nothing by accepting";
inline constexpr std::string_view kNoCommonName =
    "common names never name a service (RFC 9525 section 2), so what they say is not compared";
inline constexpr std::string_view kWebProfile = "a rule of the CA/Browser Forum for web servers";
inline constexpr std::string_view kDigitalSignature =
    "a TLS peer signs, so a keyUsage without digitalSignature is refused (RFC 8446 section "
    "4.4.2.2)";
inline constexpr std::string_view kWildcard = "RFC 5922 section 7.2 has no wildcards";
inline constexpr std::string_view kSelfIssued =
    "max_ca_depth counts every CA certificate, self-issued ones too";
inline constexpr std::string_view kIpConstraint =
    "BoringSSL cannot check iPAddress constraints and refuses such paths";
inline constexpr std::string_view kSpareName =
    "another name of the certificate is malformed; the one asked for is proven and permitted";
inline constexpr std::string_view kUnderscore =
    "people give such names to hosts, and equal is equal";
inline constexpr std::string_view kAnchor =
    "an anchor is trusted for its name and key (RFC 5280 section 6.1.1 (d)); this field of "
    "it is not read";
inline constexpr std::string_view kSip =
    "RFC 5924 section 5 accepts certificates with anyExtendedKeyUsage and with none";
inline constexpr std::string_view kEmptyConstraint =
    "nameConstraints without content constrain nothing";

inline constexpr std::string_view kSeparateCrlKey =
    "the CRL is signed by a key that no certificate of the path has";
inline constexpr std::string_view kIndirect = "indirect CRLs are not supported";
inline constexpr std::string_view kSomeReasons = "CRLs with onlySomeReasons are not supported";
inline constexpr std::string_view kDelta =
    "delta CRLs are not supported, and none is passed over: it could revoke";

inline constexpr auto kDeviations = std::to_array<Deviation>({
    {"crl::crlnumber-missing", kIssuerDuty},
    {"online::docs.python.org", kWildcard},
    {"pathlen::max-chain-depth-1-self-issued", kSelfIssued},
    {"pathlen::validation-ignores-pathlen-in-leaf", kDigitalSignature},
    {"pkits 4.1.4", kDsa},
    {"pkits 4.1.5", kDsa},
    {"pkits 4.1.4 with CRLs", kDsa},
    {"pkits 4.1.5 with CRLs", kDsa},
    {"pkits 4.14.18 with CRLs", kSomeReasons},
    {"pkits 4.14.19 with CRLs", kSomeReasons},
    {"pkits 4.14.22 with CRLs", kIndirect},
    {"pkits 4.14.24 with CRLs", kIndirect},
    {"pkits 4.14.25 with CRLs", kIndirect},
    {"pkits 4.14.28 with CRLs", kIndirect},
    {"pkits 4.14.29 with CRLs", kIndirect},
    {"pkits 4.14.30 with CRLs", kIndirect},
    {"pkits 4.14.33 with CRLs", kIndirect},
    {"pkits 4.15.2 with CRLs", kDelta},
    {"pkits 4.15.5 with CRLs", kDelta},
    {"pkits 4.15.7 with CRLs", kDelta},
    {"pkits 4.15.8 with CRLs", kDelta},
    {"pkits 4.4.19 with CRLs", kSeparateCrlKey},
    {"pkits 4.5.4 with CRLs", kSeparateCrlKey},
    {"pkits 4.5.6 with CRLs", kSeparateCrlKey},
    {"rfc5280::aki::cross-signed-root-missing-aki", kIssuerDuty},
    {"rfc5280::aki::intermediate-missing-aki", kIssuerDuty},
    {"rfc5280::aki::leaf-missing-aki", kIssuerDuty},
    {"rfc5280::ca-as-leaf", kDigitalSignature},
    {"rfc5280::leaf-ku-keycertsign", kIssuerDuty},
    {"rfc5280::nc::invalid-dnsname-leading-period", kIssuerDuty},
    {"rfc5280::nc::nc-permits-invalid-dns-san", kSpareName},
    {"rfc5280::nc::not-allowed-in-ee-critical", kIssuerDuty},
    {"rfc5280::nc::not-allowed-in-ee-noncritical", kIssuerDuty},
    {"rfc5280::nc::permitted-dns-match-noncritical", kIssuerDuty},
    {"rfc5280::nc::permitted-ipv4-match", kIpConstraint},
    {"rfc5280::nc::permitted-ipv6-match", kIpConstraint},
    {"rfc5280::pc::ica-noncritical-pc", kIssuerDuty},
    {"rfc5280::root-non-critical-basic-constraints", kAnchor},
    {"rfc5280::san::noncritical-with-empty-subject", kIssuerDuty},
    {"rfc5280::san::underscore-dns", kUnderscore},
    {"rfc5280::serial::too-long", kIssuerDuty},
    {"rfc5280::serial::zero", kIssuerDuty},
    {"rfc5280::ski::intermediate-missing-ski", kIssuerDuty},
    {"rfc5280::ski::root-missing-ski", kAnchor},
    {"webpki::aki::root-with-aki-all-fields", kAnchor},
    {"webpki::aki::root-with-aki-authoritycertissuer", kAnchor},
    {"webpki::aki::root-with-aki-authoritycertserialnumber", kAnchor},
    {"webpki::aki::root-with-aki-missing-keyidentifier", kAnchor},
    {"webpki::aki::root-with-aki-ski-mismatch", kAnchor},
    {"webpki::cn::case-mismatch", kNoCommonName},
    {"webpki::cn::ipv4-hex-mismatch", kNoCommonName},
    {"webpki::cn::ipv4-leading-zeros-mismatch", kNoCommonName},
    {"webpki::cn::ipv6-non-rfc5952-mismatch", kNoCommonName},
    {"webpki::cn::ipv6-uncompressed-mismatch", kNoCommonName},
    {"webpki::cn::ipv6-uppercase-mismatch", kNoCommonName},
    {"webpki::cn::not-in-san", kNoCommonName},
    {"webpki::cn::punycode-not-in-san", kNoCommonName},
    {"webpki::cn::utf8-vs-punycode-mismatch", kNoCommonName},
    {"webpki::ee-basicconstraints-ca", kWebProfile},
    {"webpki::eku::ee-anyeku", kSip},
    {"webpki::eku::ee-critical-eku", kWebProfile},
    {"webpki::eku::ee-without-eku", kSip},
    {"webpki::eku::root-has-eku", kAnchor},
    {"webpki::forbidden-rsa-key-not-divisible-by-8-in-leaf", kWebProfile},
    {"webpki::forbidden-rsa-not-divisible-by-8-in-root", kWebProfile},
    {"webpki::malformed-aia", kWebProfile},
    {"webpki::nc::intermediate-permitted-excluded-subtrees-both-empty-sequences", kEmptyConstraint},
    {"webpki::nc::intermediate-permitted-excluded-subtrees-both-null", kEmptyConstraint},
    {"webpki::nc::nc-permits-dns-san-pattern", kWildcard},
    {"webpki::san::leftmost-wildcard-san", kWildcard},
    {"webpki::san::san-critical-with-nonempty-subject", kWebProfile},
});

// What the option for wildcards accepts.
inline constexpr auto kAcceptedWithWildcard = std::to_array<std::string_view>({
    "online::docs.python.org",
    "webpki::nc::nc-permits-dns-san-pattern",
    "webpki::san::leftmost-wildcard-san",
});

inline bool accepted_with_wildcard(std::string_view id) {
  for (const auto& known : kAcceptedWithWildcard) {
    if (known == id) return true;
  }
  return false;
}

// Null where there is none.
inline const Deviation* deviation_for(std::string_view id) {
  for (const auto& deviation : kDeviations) {
    if (deviation.id == id) return &deviation;
  }
  return nullptr;
}

}  // namespace corpora
