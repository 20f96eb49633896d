// More of RFC 5922 sections 7.1 and 7.2, and of what the options change, as tables whose rows name
// the section that they prove.
#include <string>
#include <vector>

#include "catch.hpp"
#include "pki/identity_support.hpp"

using namespace pki_test;
using siptls::CommonNamePolicy;
using siptls::WildcardPolicy;

namespace {

// A row with everything that may differ; what is not named is as by default.
struct FullRow {
  const char* rule;
  std::vector<std::string> uris, dns, addresses;
  std::string common_name;
  std::string reference;
  std::vector<std::string> allowed;
  WildcardPolicy wildcard;
  CommonNamePolicy common_name_policy;
  std::string expected;
};

constexpr auto kLetter = WildcardPolicy::none;
constexpr auto kOneLabel = WildcardPolicy::dangerous_one_label;
constexpr auto kNoName = CommonNamePolicy::never;
constexpr auto kIfNoSan = CommonNamePolicy::dangerous_if_no_subject_alt_name;

std::string judge(const FullRow& row) {
  VerifyOptions how = options();
  if (!row.reference.empty()) how.identity = row.reference;
  how.allowed = row.allowed;
  how.names = {row.wildcard, row.common_name_policy};
  return outcome(
      verify(store(), leaf_with(row.uris, row.dns, row.addresses, row.common_name), how));
}

}  // namespace

TEST_CASE("URIs are read as RFC 3261 has them", "[pki][identity]") {
  const auto uri = [](const char* rule, const std::string& text, const std::string& reference,
                      const std::string& expected) {
    return FullRow{rule, {text}, {}, {}, "leaf", reference, {}, kLetter, kNoName, expected};
  };
  const std::vector<FullRow> rows{
      uri("19.1.1: an escaped @ is no userinfo, and no host", "sip:a%40example.com", "example.com",
          "no_sip_identity"),
      uri("19.1.1: an escaped @ does not hide a user", "sip:alice%40b@example.com", "example.com",
          "no_sip_identity"),
      uri("19.1.1: a host behind a host", "sip:example.com@evil.example", "example.com",
          "no_sip_identity"),
      uri("19.1.1: a host behind a host, the other way", "sip:evil.example@example.com",
          "evil.example", "no_sip_identity"),
      uri("19.1.1: a @ in a header", "sip:example.com?to=alice@b", "example.com",
          "no_sip_identity"),
      uri("19.1.1: several parameters", "sip:example.com;lr;transport=tls;maddr=evil.example",
          "example.com", "ok"),
      uri("19.1.1: maddr is no identity", "sip:example.com;maddr=evil.example", "evil.example",
          "identity_mismatch"),
      uri("19.1.1: headers are no identity", "sip:example.com?route=evil.example", "evil.example",
          "identity_mismatch"),
      uri("25.1: port 0", "sip:example.com:0", "example.com", "ok"),
      uri("25.1: a signed port", "sip:example.com:+5061", "example.com", "no_sip_identity"),
      uri("25.1: two ports", "sip:example.com:5061:5061", "example.com", "no_sip_identity"),
      uri("25.1: a port before nothing", "sip::5061", "example.com", "no_sip_identity"),
      uri("25.1: parameters without host", "sip:;transport=tls", "example.com", "no_sip_identity"),
      uri("25.1: a label does not begin with a hyphen", "sip:-a.example", "-a.example",
          "invalid_domain"),
      uri("25.1: a label does not end with a hyphen", "sip:a-.example", "a.example",
          "no_sip_identity"),
      uri("25.1: one label is a host name", "sip:localhost", "localhost", "ok"),
      uri("25.1: the last label is not all digits", "sip:example.123", "example.com",
          "no_sip_identity"),
      uri("25.1: a tab is no part of a URI", "sip:example.com\t", "example.com", "no_sip_identity"),
      uri("25.1: a backslash is no part of a host", "sip:example.com\\x", "example.com",
          "no_sip_identity"),
      uri("25.1: an IPv6 reference that does not end", "sip:[2001:db8::1", "2001:db8::1",
          "no_sip_identity"),
      uri("25.1: an IPv6 address without brackets", "sip:2001:db8::1", "2001:db8::1",
          "no_sip_identity"),
      uri("19.1: a scheme needs its colon", "sip", "sip", "no_sip_identity"),
      uri("19.1: another scheme that begins alike", "sipx:example.com", "example.com",
          "no_sip_identity"),
      uri("RFC 3986 3: nothing before the scheme", " sip:example.com", "example.com",
          "no_sip_identity"),
      uri("RFC 1034 3.1: a label of 63 octets", "sip:" + std::string(63, 'a') + ".example",
          std::string(63, 'a') + ".example", "ok"),
      uri("RFC 1034 3.1: no label of 64 octets", "sip:" + std::string(64, 'a') + ".example",
          "example", "no_sip_identity"),
      uri("RFC 5890 2.3.2.1: A-labels in any case", "sip:XN--EXMPLE-CUA.com", "xn--exmple-cua.com",
          "ok"),
      uri("RFC 5890 2.3.2.1: an A-label is not its ASCII part", "sip:xn--exmple-cua.com",
          "exmple.com", "identity_mismatch"),
  };
  for (const auto& row : rows) {
    INFO(row.rule);
    CHECK(judge(row) == row.expected);
  }
}

TEST_CASE("options widen the letter of RFC 5922 by what they name", "[pki][identity]") {
  const std::vector<std::string> none;
  const auto wild = [&](const char* rule, const std::string& dns, const std::string& reference,
                        const std::string& expected) {
    return FullRow{rule, none, {dns}, none, "leaf", reference, none, kOneLabel, kNoName, expected};
  };
  const auto named = [&](const char* rule, const std::string& cn, const std::string& reference,
                         const std::string& expected) {
    return FullRow{rule, none, none, none, cn, reference, none, kLetter, kIfNoSan, expected};
  };
  const auto listed = [&](const char* rule, const std::vector<std::string>& allowed,
                          const std::string& expected) {
    return FullRow{rule,    {"sip:a.example", "sip:b.example"},
                   none,    {"192.0.2.1"},
                   "leaf",  "",
                   allowed, kLetter,
                   kNoName, expected};
  };
  const std::vector<FullRow> rows{
      wild("RFC 9525 6.3: one label", "*.example.com", "a.example.com", "ok"),
      wild("RFC 9525 6.3: not two labels", "*.example.com", "a.b.example.com", "identity_mismatch"),
      wild("RFC 9525 6.3: not no label", "*.example.com", "example.com", "identity_mismatch"),
      wild("RFC 9525 6.3: only whole labels", "a*.example.com", "ab.example.com",
           "identity_mismatch"),
      wild("RFC 9525 6.3: only the leftmost label", "a.*.example.com", "a.b.example.com",
           "identity_mismatch"),
      wild("RFC 9525 6.3: only one of them", "*.*.example.com", "a.b.example.com",
           "identity_mismatch"),
      wild("RFC 9525 6.3: not for a top-level domain", "*.com", "example.com", "identity_mismatch"),
      wild("RFC 9525 6.3: not for everything", "*", "example", "identity_mismatch"),
      wild("RFC 9525 6.3: in any case", "*.Example.COM.", "A.example.com", "ok"),
      wild("RFC 9525 6.3: not for an address", "*.0.2.1", "192.0.2.1", "identity_mismatch"),
      {"RFC 5922 7.2: a wildcard is no SIP URI, by option neither",
       {"sip:*.example.com"},
       none,
       none,
       "leaf",
       "a.example.com",
       none,
       kOneLabel,
       kNoName,
       "no_sip_identity"},
      named("RFC 5922 7.1: the common name, by option", "example.com", "example.com", "ok"),
      named("RFC 5922 7.1: the common name in any case", "EXAMPLE.com", "example.com", "ok"),
      named("RFC 5922 7.1: the whole common name", "example.com", "a.example.com",
            "identity_mismatch"),
      named("RFC 5922 7.1: a common name that is no host", "sip:example.com", "example.com",
            "no_sip_identity"),
      named("RFC 5922 7.1: a common name is no address", "192.0.2.1", "192.0.2.1",
            "no_sip_identity"),
      named("RFC 5922 7.1: a common name is no wildcard", "*.example.com", "a.example.com",
            "no_sip_identity"),
      {"RFC 5922 7.1: the common name does not count beside a SAN",
       none,
       none,
       {"192.0.2.1"},
       "example.com",
       "example.com",
       none,
       kLetter,
       kIfNoSan,
       "identity_mismatch"},
      listed("RFC 5922 7.4: one of the allowed names", {"x.example", "b.example"}, "ok"),
      listed("RFC 5922 7.4: none of the allowed names", {"x.example"}, "identity_not_allowed"),
      listed("RFC 5922 7.4: no suffix is allowed", {"example"}, "identity_not_allowed"),
      listed("RFC 5922 7.4: an allowed address", {"192.0.2.1"}, "ok"),
      listed("RFC 5922 7.4: another address", {"192.0.2.2"}, "identity_not_allowed"),
      listed("RFC 5922 7.4: what is no name allows nobody", {"sip:a.example", "*", ""},
             "identity_not_allowed"),
  };
  for (const auto& row : rows) {
    INFO(row.rule);
    CHECK(judge(row) == row.expected);
  }
}

TEST_CASE("an iPAddress entry counts by its octets", "[pki][identity]") {
  const std::vector<FullRow> rows{
      {"RFC 5280 4.2.1.6: four octets, IPv4",
       {},
       {},
       {"192.0.2.1"},
       "leaf",
       "192.0.2.1",
       {},
       kLetter,
       kNoName,
       "ok"},
      {"RFC 3261 25.1: leading zeros are no address",
       {},
       {},
       {"192.0.2.1"},
       "leaf",
       "192.0.2.001",
       {},
       kLetter,
       kNoName,
       "invalid_domain"},
      {"RFC 4291 2.2: an embedded IPv4 address",
       {},
       {},
       {"64:ff9b::c000:201"},
       "leaf",
       "64:ff9b::192.0.2.1",
       {},
       kLetter,
       kNoName,
       "ok"},
      {"RFC 9525 6.4: an IPv6 address is no sip URI",
       {"sip:[2001:db8::1]"},
       {},
       {},
       "leaf",
       "2001:db8::1",
       {},
       kLetter,
       kNoName,
       "identity_mismatch"},
      {"RFC 4007 11: a zone is no part of an identity",
       {},
       {},
       {"fe80::1"},
       "leaf",
       "fe80::1%eth0",
       {},
       kLetter,
       kNoName,
       "invalid_domain"},
  };
  for (const auto& row : rows) {
    INFO(row.rule);
    CHECK(judge(row) == row.expected);
  }
}
