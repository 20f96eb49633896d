#include <string>
#include <vector>

#include "catch.hpp"
#include "pki/pki_support.hpp"

using namespace pki_test;
using demo_pki::KeyType;
using demo_pki::sip_spec;
using siptls::ClockStanding;
using siptls::EkuPolicy;
using siptls::PeerRole;

namespace {

constexpr const char* kSip = "1.3.6.1.5.5.7.3.20";
constexpr const char* kServer = "1.3.6.1.5.5.7.3.1";
constexpr const char* kClient = "1.3.6.1.5.5.7.3.2";
constexpr const char* kEmail = "1.3.6.1.5.5.7.3.4";
constexpr const char* kAny = "2.5.29.37.0";

}  // namespace

TEST_CASE("an entry is judged like everybody else but for its signature", "[pki][chain]") {
  const auto self = [](const Change& change, KeyType key = KeyType::p256) {
    const Entity entity = Entity::self_signed(changed(sip_spec("demo.example"), change), key);
    return outcome(verify(store_of({entity}), entity, expecting("demo.example")));
  };
  CHECK(self([](CertificateSpec& spec) { spec.digest = demo_pki::Digest::sha1; }) == "ok");
  CHECK(self([](CertificateSpec& spec) { spec.not_after = at(kNow - kDay); }) ==
        "certificate_expired");
  CHECK(self({}, KeyType::rsa1024) == "weak_key");
  CHECK(self([](CertificateSpec& spec) { spec.key_usage = {"keyCertSign"}; }) ==
        "key_usage_forbidden");
  CHECK(self([](CertificateSpec& spec) { spec.extended_key_usage = {kEmail}; }) ==
        "extended_key_usage_forbidden");
  CHECK(self([](CertificateSpec& spec) { spec.unknown_critical_extension = true; }) ==
        "unknown_critical_extension");
  CHECK(self([](CertificateSpec& spec) { spec.uris = {}, spec.dns_names = {"other.example"}; }) ==
        "identity_mismatch");
}

TEST_CASE("every flaw of a path has its reason and its certificate", "[pki][chain]") {
  struct Row {
    const char* what;
    Change root, middle, leaf;
    std::string expected;
    std::optional<std::uint32_t> certificate;
    std::string evidence;
    KeyType leaf_key = KeyType::p256;
    KeyType ca_key = KeyType::p256;
  };
  const auto expired = [](CertificateSpec& spec) { spec.not_after = at(kNow - kDay); };
  const auto future = [](CertificateSpec& spec) { spec.not_before = at(kNow + kDay); };
  const auto no_constraints = [](CertificateSpec& spec) { spec.with_basic_constraints = false; };
  const auto no_ca = [](CertificateSpec& spec) { spec.ca = false; };
  const auto no_sign = [](CertificateSpec& spec) { spec.key_usage = {"cRLSign"}; };
  const auto length_zero = [](CertificateSpec& spec) { spec.path_length = 0; };
  const auto critical = [](CertificateSpec& spec) { spec.unknown_critical_extension = true; };
  const auto sha1 = [](CertificateSpec& spec) { spec.digest = demo_pki::Digest::sha1; };
  const auto md5 = [](CertificateSpec& spec) { spec.digest = demo_pki::Digest::md5; };
  const auto encipher = [](CertificateSpec& spec) { spec.key_usage = {"keyEncipherment"}; };
  const auto permits = [](const std::string& name) {
    return [name](CertificateSpec& spec) { spec.permitted_dns = {name}; };
  };
  const auto excludes = [](const std::string& name) {
    return [name](CertificateSpec& spec) { spec.excluded_dns = {name}; };
  };
  const auto only_uri = [](CertificateSpec& spec) { spec.dns_names = {}; };
  const auto only_dns = [](CertificateSpec& spec) { spec.uris = {}; };
  const auto uri_constraint = [](CertificateSpec& spec) { spec.permitted_uris = {"demo.example"}; };
  const auto uri_exclusion = [](CertificateSpec& spec) { spec.excluded_uris = {"other.example"}; };
  const auto email_constraint = [](CertificateSpec& spec) {
    spec.permitted_emails = {"demo.example"};
  };
  const auto with_email = [](CertificateSpec& spec) { spec.emails = {"a@other.example"}; };

  const std::vector<Row> rows{
      {"expired leaf", {}, {}, expired, "certificate_expired", 0, "2025-12-31T00:00:00Z"},
      {"expired intermediate", {}, expired, {}, "certificate_expired", 1, "CN=middle"},
      {"expired anchor", expired, {}, {}, "certificate_expired", {}, "trust anchor \"CN=root\""},
      {"leaf of the future",
       {},
       {},
       future,
       "certificate_not_yet_valid",
       0,
       "2026-01-02T00:00:00Z"},
      {"the clock is named",
       {},
       {},
       future,
       "certificate_not_yet_valid",
       0,
       "judged at 2026-01-01T00:00:00Z (given)"},
      {"intermediate of the future", {}, future, {}, "certificate_not_yet_valid", 1, "CN=middle"},
      {"anchor of the future", future, {}, {}, "certificate_not_yet_valid", {}, "CN=root"},
      {"intermediate without basicConstraints",
       {},
       no_constraints,
       {},
       "not_a_ca",
       1,
       "no basicConstraints"},
      {"intermediate with cA FALSE", {}, no_ca, {}, "not_a_ca", 1, "cA FALSE"},
      {"intermediate without keyCertSign", {}, no_sign, {}, "not_a_ca", 1, "keyCertSign"},
      {"anchor without basicConstraints", no_constraints, {}, {}, "not_a_ca", {}, "CN=root"},
      {"anchor with cA FALSE", no_ca, {}, {}, "not_a_ca", {}, "CN=root"},
      {"anchor without keyCertSign", no_sign, {}, {}, "not_a_ca", {}, "CN=root"},
      {"path length of the anchor", length_zero, {}, {}, "path_length_exceeded", {}, "there are 1"},
      {"path length of the last intermediate", {}, length_zero, {}, "ok", {}, ""},
      {"critical extension of the leaf", {}, {}, critical, "unknown_critical_extension", 0, ""},
      {"critical extension of the intermediate",
       {},
       critical,
       {},
       "unknown_critical_extension",
       1,
       ""},
      {"critical extension of the anchor",
       critical,
       {},
       {},
       "unknown_critical_extension",
       {},
       "CN=root"},
      {"an issuer without a name",
       {},
       [](CertificateSpec& spec) { spec.common_name = ""; },
       {},
       "certificate_invalid",
       1,
       "without a name"},
      {"SHA-1 on the leaf", {}, {}, sha1, "weak_signature", 0, "SHA-1"},
      {"SHA-1 on the intermediate", {}, sha1, {}, "weak_signature", 1, "SHA-1"},
      {"SHA-1 on the anchor", sha1, {}, {}, "ok", {}, ""},
      {"MD5 on the leaf", {}, {}, md5, "weak_signature", 0, "MD5", KeyType::p256, KeyType::rsa2048},
      {"SHA-1 with RSA",
       {},
       {},
       sha1,
       "weak_signature",
       0,
       "SHA-1",
       KeyType::p256,
       KeyType::rsa2048},
      {"short key of the leaf", {}, {}, {}, "weak_key", 0, "RSA 1024", KeyType::rsa1024},
      {"short key of the CAs",
       {},
       {},
       {},
       "weak_key",
       1,
       "RSA 1024",
       KeyType::p256,
       KeyType::rsa1024},
      {"leaf for encryption only", {}, {}, encipher, "key_usage_forbidden", 0, "digitalSignature"},
      {"leaf without keyUsage",
       {},
       {},
       [](CertificateSpec& spec) { spec.key_usage = {}; },
       "ok",
       {},
       ""},
      {"permitted DNS name", permits("example"), {}, {}, "ok", {}, ""},
      {"permitted DNS name, equal", permits("demo.example"), {}, {}, "ok", {}, ""},
      {"DNS name outside", permits("other.example"), {}, {}, "name_constraint_violated", 0, ""},
      {"excluded DNS name", excludes("example"), {}, {}, "name_constraint_violated", 0, ""},
      {"excluded elsewhere", excludes("other.example"), {}, {}, "ok", {}, ""},
      {"constraint of the intermediate",
       {},
       permits("other.example"),
       {},
       "name_constraint_violated",
       0,
       ""},
      {"DNS constraint and a sip URI outside",
       permits("other.example"),
       {},
       only_uri,
       "name_constraint_violated",
       0,
       "trust anchor \"CN=root\""},
      {"DNS constraint and a sip URI within", permits("example"), {}, only_uri, "ok", {}, ""},
      {"DNS constraint with a leading dot", permits(".example"), {}, only_uri, "ok", {}, ""},
      {"DNS constraint with a leading dot, equal",
       permits(".demo.example"),
       {},
       only_uri,
       "name_constraint_violated",
       0,
       "sip:demo.example"},
      {"DNS constraint that is no suffix of labels",
       permits("mo.example"),
       {},
       only_uri,
       "name_constraint_violated",
       0,
       "sip:demo.example"},
      {"DNS constraint in upper case", permits("EXAMPLE"), {}, only_uri, "ok", {}, ""},
      {"DNS exclusion and a sip URI",
       {},
       excludes("demo.example"),
       only_uri,
       "name_constraint_violated",
       0,
       "CN=middle"},
      {"a URI constraint rejects every sip URI",
       uri_constraint,
       {},
       only_uri,
       "name_constraint_violated",
       0,
       "4.2.1.10"},
      {"a URI exclusion too",
       uri_exclusion,
       {},
       only_uri,
       "name_constraint_violated",
       0,
       "4.2.1.10"},
      {"a URI constraint and DNS names only", uri_constraint, {}, only_dns, "ok", {}, ""},
      {"an e-mail constraint does not concern domains", email_constraint, {}, {}, "ok", {}, ""},
      {"an e-mail outside its constraint",
       email_constraint,
       {},
       with_email,
       "name_constraint_violated",
       0,
       ""},
      {"critical subjectAltName",
       {},
       {},
       [](CertificateSpec& spec) { spec.subject_alt_name_critical = true; },
       "ok",
       {},
       ""},
      {"no subject, only names",
       {},
       {},
       [](CertificateSpec& spec) { spec.common_name = ""; },
       "ok",
       {},
       ""},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    const Three three(row.root, row.middle, row.leaf, row.leaf_key, row.ca_key);
    const auto result = three.judge();
    CHECK(outcome(result) == row.expected);
    if (!result) {
      INFO(result.error().evidence());
      CHECK(mentions(result.error(), row.evidence));
      CHECK(result.error().certificate() == row.certificate);
    }
  }
}

TEST_CASE("extendedKeyUsage is judged by policy", "[pki][chain]") {
  using Purposes = std::vector<std::string>;
  struct Row {
    const char* what;
    Purposes purposes;
    PeerRole role;
    EkuPolicy policy;
    bool good;
  };
  const auto server = PeerRole::server;
  const auto client = PeerRole::client;
  const std::vector<Row> rows{
      {"RFC 5924 5: no extension", {}, server, EkuPolicy::either, true},
      {"RFC 5924 5: no extension, strict", {}, server, EkuPolicy::sip_strict, true},
      {"RFC 5924 5: sipDomain", {kSip}, server, EkuPolicy::either, true},
      {"RFC 5924 5: sipDomain, strict", {kSip}, client, EkuPolicy::sip_strict, true},
      {"RFC 5924 5: any, strict", {kAny}, client, EkuPolicy::sip_strict, true},
      {"RFC 5924 5: web purposes, strict",
       {kServer, kClient},
       server,
       EkuPolicy::sip_strict,
       false},
      {"RFC 5924 5: sipDomain among others, strict",
       {kServer, kSip},
       server,
       EkuPolicy::sip_strict,
       true},
      {"serverAuth for a server", {kServer}, server, EkuPolicy::either, true},
      {"serverAuth for a client", {kServer}, client, EkuPolicy::either, false},
      {"clientAuth for a client", {kClient}, client, EkuPolicy::either, true},
      {"clientAuth for a server", {kClient}, server, EkuPolicy::either, false},
      {"another purpose", {kEmail}, server, EkuPolicy::either, false},
      {"serverAuth for a client, ignored", {kServer}, client, EkuPolicy::ignore_client_eku, true},
      {"clientAuth for a server, not ignored",
       {kClient},
       server,
       EkuPolicy::ignore_client_eku,
       false},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    const Three three({}, {},
                      [&](CertificateSpec& spec) { spec.extended_key_usage = row.purposes; });
    VerifyOptions how = expecting("demo.example");
    how.role = row.role;
    how.eku = row.policy;
    CHECK(outcome(three.judge(how)) == (row.good ? "ok" : "extended_key_usage_forbidden"));
  }
  const Three for_email({}, [](CertificateSpec& spec) { spec.extended_key_usage = {kEmail}; }, {});
  const auto limited = for_email.judge();
  REQUIRE(outcome(limited) == "extended_key_usage_forbidden");
  CHECK(limited.error().certificate() == 1U);
  CHECK(mentions(limited.error(), kEmail));
}

TEST_CASE("keyUsage of a leaf is judged in both roles", "[pki][chain]") {
  const Three three({}, {}, [](CertificateSpec& spec) { spec.key_usage = {"digitalSignature"}; });
  VerifyOptions how = expecting("demo.example");
  how.role = PeerRole::client;
  CHECK(outcome(three.judge(how)) == "ok");
}

TEST_CASE("a clock that cannot be right judges nothing", "[pki][chain]") {
  const Three three({}, {}, {});
  VerifyOptions how(siptls::Now{{}, at(0), ClockStanding::behind_floor});
  CHECK(outcome(three.judge(how)) == "clock_not_trusted");
  how = VerifyOptions(siptls::Now{{}, at(kNow), ClockStanding::unsynchronised});
  CHECK(outcome(three.judge(how)) == "ok");
  how.clock = siptls::ClockPolicy::require;
  CHECK(outcome(three.judge(how)) == "clock_not_trusted");
  how.at.standing = ClockStanding::given;
  how.at.wall = at(0);
  CHECK(outcome(three.judge(how)) == "certificate_not_yet_valid");
}
