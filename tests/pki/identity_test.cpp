#include <string>
#include <vector>

#include "catch.hpp"
#include "pki/identity_support.hpp"

using namespace pki_test;
using siptls::CommonNamePolicy;
using siptls::covers;
using siptls::Identity;
using siptls::WildcardPolicy;

namespace {

struct Row {
  const char* rule;
  std::vector<std::string> uris;
  std::vector<std::string> dns;
  std::string reference;  // empty: any identity will do
  std::string expected;
};

const std::string kNul(1, '\0');

siptls::Result<siptls::ProvenPath> judge(const Entity& leaf, const std::string& reference,
                                         siptls::IdentityPolicy policy = {}) {
  VerifyOptions how = options();
  if (!reference.empty()) how.identity = reference;
  how.names = policy;
  return verify(store(), leaf, how);
}

std::string names_of(const siptls::ProvenPath& path) {
  std::string out;
  for (const auto& identity : path.identities) {
    out += (out.empty() ? "" : " ") + std::string(to_string(identity.source)) + "=" + identity.name;
  }
  return out;
}

}  // namespace

TEST_CASE("identities are compared by the letter of RFC 5922", "[pki][identity]") {
  const std::vector<Row> rows{
      {"7.1: a sip URI without userinfo is an identity",
       {"sip:example.com"},
       {},
       "example.com",
       "ok"},
      {"7.1: the scheme is case-insensitive", {"SIP:example.com"}, {}, "example.com", "ok"},
      {"7.1: sips is no identity", {"sips:example.com"}, {}, "example.com", "no_sip_identity"},
      {"7.1: another scheme is no identity",
       {"http:example.com"},
       {},
       "example.com",
       "no_sip_identity"},
      {"7.1: im is no identity", {"im:example.com"}, {}, "example.com", "no_sip_identity"},
      {"7.1: a userinfo disqualifies",
       {"sip:alice@example.com"},
       {},
       "example.com",
       "no_sip_identity"},
      {"7.1: an empty userinfo disqualifies",
       {"sip:@example.com"},
       {},
       "example.com",
       "no_sip_identity"},
      {"7.1: user and password disqualify",
       {"sip:a:b@example.com"},
       {},
       "example.com",
       "no_sip_identity"},
      {"7.1: an @ behind the host disqualifies",
       {"sip:example.com;x=a@b"},
       {},
       "example.com",
       "no_sip_identity"},
      {"7.1: DNS names count where there is no sip URI", {}, {"example.com"}, "example.com", "ok"},
      {"7.1: DNS names count beside an unacceptable URI",
       {"sip:alice@example.com"},
       {"example.net"},
       "example.net",
       "ok"},
      {"7.1: DNS names count beside a sips URI",
       {"sips:example.com"},
       {"example.net"},
       "example.net",
       "ok"},
      {"7.1: one sip URI switches DNS names off",
       {"sip:a.example"},
       {"b.example"},
       "b.example",
       "identity_mismatch"},
      {"7.1: the sip URI itself still counts", {"sip:a.example"}, {"b.example"}, "a.example", "ok"},
      {"7.1: an unacceptable URI beside an acceptable one",
       {"sip:alice@b.example", "sip:a.example"},
       {"b.example"},
       "b.example",
       "identity_mismatch"},
      {"7.1: several sip URIs are several identities",
       {"sip:a.example", "sip:b.example"},
       {},
       "b.example",
       "ok"},
      {"7.2: port is ignored", {"sip:example.com:5061"}, {}, "example.com", "ok"},
      {"7.2: parameters are ignored", {"sip:example.com;transport=tls"}, {}, "example.com", "ok"},
      {"7.2: headers are ignored", {"sip:example.com?subject=x"}, {}, "example.com", "ok"},
      {"7.2: port, parameters and headers",
       {"sip:example.com:5061;lr?a=b"},
       {},
       "example.com",
       "ok"},
      {"7.2: upper case in the certificate", {"sip:EXAMPLE.Com"}, {}, "example.com", "ok"},
      {"7.2: upper case in the reference", {"sip:example.com"}, {}, "EXAMPLE.COM", "ok"},
      {"7.2: upper case in a DNS name", {}, {"Example.COM"}, "example.com", "ok"},
      {"7.2: no suffix match", {"sip:example.com"}, {}, "sip.example.com", "identity_mismatch"},
      {"7.2: no suffix match the other way",
       {"sip:sip.example.com"},
       {},
       "example.com",
       "identity_mismatch"},
      {"7.2: no suffix match of DNS names",
       {},
       {"example.com"},
       "sip.example.com",
       "identity_mismatch"},
      {"7.2: no wildcard", {}, {"*.example.com"}, "sip.example.com", "identity_mismatch"},
      {"7.2: no wildcard for the parent",
       {},
       {"*.example.com"},
       "example.com",
       "identity_mismatch"},
      {"7.2: no partial wildcard", {}, {"s*.example.com"}, "sip.example.com", "identity_mismatch"},
      {"7.2: a wildcard is no SIP URI",
       {"sip:*.example.com"},
       {},
       "sip.example.com",
       "no_sip_identity"},
      {"7.2: no leading dot", {}, {".example.com"}, "sip.example.com", "identity_mismatch"},
      {"7.2: an infix is no match", {}, {"notexample.com"}, "example.com", "identity_mismatch"},
      {"7.2: one trailing dot in the certificate", {"sip:example.com."}, {}, "example.com", "ok"},
      {"7.2: one trailing dot in a DNS name", {}, {"example.com."}, "example.com", "ok"},
      {"7.2: one trailing dot in the reference", {"sip:example.com"}, {}, "example.com.", "ok"},
      {"7.2: two trailing dots in a URI",
       {"sip:example.com.."},
       {},
       "example.com",
       "no_sip_identity"},
      {"7.2: two trailing dots in a DNS name",
       {},
       {"example.com.."},
       "example.com",
       "no_sip_identity"},
      {"RFC 3261 19.1.1: no authority part in a SIP URI",
       {"sip://example.com"},
       {},
       "example.com",
       "no_sip_identity"},
      {"RFC 3261 19.1.1: no empty host", {"sip:"}, {}, "example.com", "no_sip_identity"},
      {"RFC 3261 19.1.1: a port has digits",
       {"sip:example.com:"},
       {},
       "example.com",
       "no_sip_identity"},
      {"RFC 3261 19.1.1: a port has only digits",
       {"sip:example.com:5o61"},
       {},
       "example.com",
       "no_sip_identity"},
      {"RFC 3261 19.1.1: no escapes in a host",
       {"sip:exampl%65.com"},
       {},
       "example.com",
       "no_sip_identity"},
      {"RFC 3261 19.1.1: no blank", {"sip:example.com "}, {}, "example.com", "no_sip_identity"},
      {"RFC 3261 19.1.1: no path", {"sip:example.com/x"}, {}, "example.com", "no_sip_identity"},
      {"RFC 3261 19.1.1: no empty label",
       {"sip:example..com"},
       {},
       "example.com",
       "no_sip_identity"},
      {"RFC 3261 25.1: a host has no NUL",
       {"sip:example.com" + kNul + ".evil.net"},
       {},
       "example.com",
       "no_sip_identity"},
      {"RFC 3261 25.1: nor one at its end",
       {"sip:example.com" + kNul},
       {},
       "example.com",
       "no_sip_identity"},
      {"RFC 1034 3.5: a DNS name has no NUL",
       {},
       {"example.com" + kNul + ".evil.net"},
       "example.com",
       "no_sip_identity"},
      {"RFC 5280 7.4: a URI is ASCII",
       {"sip:ex\xc3\xa4mple.com"},
       {},
       "example.com",
       "no_sip_identity"},
      {"RFC 5280 7.2: a DNS name is ASCII",
       {},
       {"ex\xc3\xa4mple.com"},
       "example.com",
       "no_sip_identity"},
      {"RFC 5280 7.2: A-labels are compared as they are",
       {"sip:xn--exmple-cua.com"},
       {},
       "xn--exmple-cua.com",
       "ok"},
      {"RFC 5280 7.2: U-label references are refused",
       {"sip:xn--exmple-cua.com"},
       {},
       "ex\xc3\xa4mple.com",
       "invalid_domain"},
      {"RFC 5922 7.3: a reference is no URI",
       {"sip:example.com"},
       {},
       "sip:example.com",
       "invalid_domain"},
      {"RFC 5922 7.3: a reference has no port",
       {"sip:example.com"},
       {},
       "example.com:5061",
       "invalid_domain"},
      {"RFC 5922 7.3: a reference is no wildcard",
       {},
       {"*.example.com"},
       "*.example.com",
       "invalid_domain"},
      {"RFC 5922 7.3: a reference has no leading dot",
       {},
       {".example.com"},
       ".example.com",
       "invalid_domain"},
      {"RFC 5922 7.3: a reference is not only a dot",
       {"sip:example.com"},
       {},
       ".",
       "invalid_domain"},
      {"RFC 5922 7.3: a reference has no NUL",
       {"sip:example.com"},
       {},
       "example.com" + kNul,
       "invalid_domain"},
      {"RFC 3261 25.1: a reference is no broken address",
       {"sip:example.com"},
       {},
       "192.0.2.256",
       "invalid_domain"},
      {"7.1: a certificate without names", {}, {}, "", "no_sip_identity"},
      {"7.3: any identity will do without a reference", {"sip:example.com"}, {}, "", "ok"},
      {"7.2: a sip URI with an address is no DNS name",
       {"sip:192.0.2.1"},
       {"example.com"},
       "example.com",
       "identity_mismatch"},
      {"7.1: an IPv6 address in a URI is a host",
       {"sip:[2001:db8::1]:5061"},
       {"example.com"},
       "example.com",
       "identity_mismatch"},
  };
  for (const auto& row : rows) {
    INFO(row.rule);
    const auto result = judge(leaf_with(row.uris, row.dns), row.reference);
    INFO((result ? names_of(*result) : result.error().message()));
    CHECK(outcome(result) == row.expected);
  }
}

TEST_CASE("an empty reference is no name", "[pki][identity]") {
  VerifyOptions how = options();
  how.identity = "";
  CHECK(outcome(verify(store(), leaf_with({"sip:example.com"}, {}), how)) == "invalid_domain");
}

TEST_CASE("an IP address is proven by an equal iPAddress entry only", "[pki][identity]") {
  struct IpRow {
    const char* rule;
    std::vector<std::string> uris, dns, addresses;
    std::string reference;
    std::string expected;
  };
  const std::vector<IpRow> rows{
      {"RFC 9525 6.4: equal octets", {}, {}, {"192.0.2.1"}, "192.0.2.1", "ok"},
      {"RFC 9525 6.4: other octets", {}, {}, {"192.0.2.2"}, "192.0.2.1", "identity_mismatch"},
      {"RFC 9525 6.4: IPv6 in any spelling", {}, {}, {"2001:db8::1"}, "2001:DB8:0:0:0:0:0:1", "ok"},
      {"RFC 9525 6.4: IPv6 in brackets", {}, {}, {"2001:db8::1"}, "[2001:db8::1]", "ok"},
      {"RFC 9525 6.4: a DNS name is no address",
       {},
       {"192.0.2.1"},
       {},
       "192.0.2.1",
       "identity_mismatch"},
      {"RFC 9525 6.4: a sip URI is no address",
       {"sip:192.0.2.1"},
       {},
       {},
       "192.0.2.1",
       "identity_mismatch"},
      {"RFC 9525 6.4: a sip URI does not switch addresses off",
       {"sip:example.com"},
       {},
       {"192.0.2.1"},
       "192.0.2.1",
       "ok"},
      {"RFC 9525 6.4: a mapped address is another one",
       {},
       {},
       {"192.0.2.1"},
       "::ffff:192.0.2.1",
       "identity_mismatch"},
      {"RFC 9525 6.4: a domain is not proven by an address",
       {},
       {},
       {"192.0.2.1"},
       "example.com",
       "identity_mismatch"},
      {"RFC 3986 3.2.2: brackets are for IPv6",
       {},
       {},
       {"192.0.2.1"},
       "[192.0.2.1]",
       "invalid_domain"},
  };
  for (const auto& row : rows) {
    INFO(row.rule);
    const auto result = judge(leaf_with(row.uris, row.dns, row.addresses), row.reference);
    CHECK(outcome(result) == row.expected);
  }
}

TEST_CASE("the common name counts only by option and without subjectAltName", "[pki][identity]") {
  siptls::IdentityPolicy policy;
  const Entity plain = leaf_with({}, {}, {}, "Example.com");
  CHECK(outcome(judge(plain, "example.com", policy)) == "no_sip_identity");
  policy.common_name = CommonNamePolicy::dangerous_if_no_subject_alt_name;
  const auto named = judge(plain, "example.com", policy);
  REQUIRE(outcome(named) == "ok");
  CHECK(named->identities[0].source == Identity::Source::common_name);
  CHECK(outcome(judge(leaf_with({}, {"other.example"}, {}, "example.com"), "example.com",
                      policy)) == "identity_mismatch");
  CHECK(outcome(judge(leaf_with({"sips:x"}, {}, {}, "example.com"), "example.com", policy)) ==
        "no_sip_identity");
  CHECK(outcome(judge(leaf_with({}, {}, {}, "Example Inc."), "", policy)) == "no_sip_identity");
}

TEST_CASE("a wildcard stands for one label where the option says so", "[pki][identity]") {
  siptls::IdentityPolicy policy;
  policy.wildcard = WildcardPolicy::dangerous_one_label;
  const Entity leaf = leaf_with({}, {"*.example.com"});
  CHECK(outcome(judge(leaf, "sip.example.com", policy)) == "ok");
  CHECK(outcome(judge(leaf, "SIP.EXAMPLE.COM", policy)) == "ok");
  CHECK(outcome(judge(leaf, "example.com", policy)) == "identity_mismatch");
  CHECK(outcome(judge(leaf, "a.b.example.com", policy)) == "identity_mismatch");
  CHECK(outcome(judge(leaf_with({}, {"s*.example.com"}), "sip.example.com", policy)) ==
        "identity_mismatch");
  CHECK(outcome(judge(leaf_with({}, {"*.com"}), "example.com", policy)) == "identity_mismatch");
  CHECK(outcome(judge(leaf_with({"sip:a.example"}, {"*.example.com"}), "sip.example.com",
                      policy)) == "identity_mismatch");
}

TEST_CASE("identities come in the order of the certificate", "[pki][identity]") {
  const auto result = judge(leaf_with({"sip:B.example:5061", "sip:a.example", "sip:A.EXAMPLE"},
                                      {"c.example"}, {"192.0.2.1"}),
                            "a.example");
  REQUIRE(result);
  CHECK(names_of(*result) == "sip_uri=b.example sip_uri=a.example ip_address=192.0.2.1");
  REQUIRE(result->matched);
  CHECK(*result->matched == 1);
}

TEST_CASE("a mismatch names what was expected and what was presented", "[pki][identity]") {
  const auto result = judge(leaf_with({"sip:a.example"}, {"b.example"}), "b.example");
  REQUIRE(outcome(result) == "identity_mismatch");
  CHECK(mentions(result.error(), "expected b.example"));
  CHECK(mentions(result.error(), "sip:a.example"));
  CHECK(mentions(result.error(), "a sip URI switches DNS names off"));
  CHECK(result.error().certificate() == 0U);
}

TEST_CASE("evidence of strange names is printable", "[pki][identity]") {
  const auto result = judge(leaf_with({}, {"ex\x01" + kNul + "\xff.com"}), "");
  REQUIRE(outcome(result) == "no_sip_identity");
  CHECK(mentions(result.error(), "ex\\01\\00\\ff.com"));
}

TEST_CASE("an allow-list narrows who is accepted", "[pki][identity]") {
  const Entity leaf = leaf_with({"sip:a.example", "sip:b.example"}, {});
  const auto with = [&](const std::vector<std::string>& allowed) {
    VerifyOptions how = options();
    how.allowed = allowed;
    return outcome(verify(store(), leaf, how));
  };
  CHECK(with({}) == "ok");
  CHECK(with({"B.example"}) == "ok");
  CHECK(with({"c.example", "a.example."}) == "ok");
  CHECK(with({"c.example"}) == "identity_not_allowed");
  CHECK(with({"*.example", "example"}) == "identity_not_allowed");
  CHECK(with({""}) == "identity_not_allowed");
}

TEST_CASE("covers compares as RFC 5922 does", "[pki][identity]") {
  const std::vector<Identity> identities{
      {Identity::Source::sip_uri, "a.example"},
      {Identity::Source::dns_name, "*.b.example"},
      {Identity::Source::ip_address, "2001:db8::1"},
      {Identity::Source::sip_uri, "192.0.2.1"},
  };
  CHECK(covers(identities, "a.example"));
  CHECK(covers(identities, "A.EXAMPLE."));
  CHECK(covers(identities, "2001:db8:0::1"));
  CHECK_FALSE(covers(identities, "x.b.example"));
  CHECK_FALSE(covers(identities, "192.0.2.1"));
  CHECK_FALSE(covers(identities, "example"));
  CHECK_FALSE(covers(identities, ""));
  CHECK_FALSE(covers({}, "a.example"));
}
