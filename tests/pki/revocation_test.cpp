#include "pki/revocation.hpp"

#include <string>
#include <vector>

#include "catch.hpp"
#include "pki/crl_scope.hpp"
#include "pki/der.hpp"
#include "pki/pki_support.hpp"

using namespace pki_test;
using demo_pki::ca_spec;
using demo_pki::CrlSpec;
using demo_pki::sip_spec;

namespace {

struct Hierarchy {
  Entity root = Entity::self_signed(ca_spec("root"));
  Entity middle = Entity::issued_by(root, ca_spec("middle"));
  Entity leaf = Entity::issued_by(middle, sip_spec("demo.example"));

  std::string fresh(const Entity& issuer, const std::vector<Entity>& revoked = {}) const {
    return issuer.crl_pem(revoked, at(kNow - kDay), at(kNow + kDay));
  }
  siptls::Result<siptls::ProvenPath> judge(const std::string& crls) const {
    const auto store = store_of({root}).with_crls(crls);
    REQUIRE(outcome(store) == "ok");
    return verify(*store, leaf, expecting("demo.example"));
  }
};

CrlSpec fresh_spec() {
  CrlSpec spec;
  spec.this_update = at(kNow - kDay);
  spec.next_update = at(kNow + kDay);
  return spec;
}

}  // namespace

TEST_CASE("every certificate below the anchor needs a CRL of its issuer", "[pki][crl]") {
  const Hierarchy made;
  CHECK(outcome(made.judge(made.fresh(made.root) + made.fresh(made.middle))) == "ok");
  const auto without_middle = made.judge(made.fresh(made.root));
  REQUIRE(outcome(without_middle) == "crl_missing");
  CHECK(without_middle.error().certificate() == 0U);
  CHECK(mentions(without_middle.error(), "CN=middle"));
  const auto without_root = made.judge(made.fresh(made.middle));
  REQUIRE(outcome(without_root) == "crl_missing");
  CHECK(without_root.error().certificate() == 1U);
}

TEST_CASE("revoked certificates are refused at every place", "[pki][crl]") {
  const Hierarchy made;
  const auto leaf = made.judge(made.fresh(made.root) + made.fresh(made.middle, {made.leaf}));
  REQUIRE(outcome(leaf) == "certificate_revoked");
  CHECK(leaf.error().certificate() == 0U);
  CHECK(mentions(leaf.error(), "2025-12-31T00:00:00Z"));
  const auto middle = made.judge(made.fresh(made.root, {made.middle}) + made.fresh(made.middle));
  REQUIRE(outcome(middle) == "certificate_revoked");
  CHECK(middle.error().certificate() == 1U);
  const Entity other = Entity::issued_by(made.middle, sip_spec("other.example"));
  CHECK(outcome(made.judge(made.fresh(made.root) + made.fresh(made.middle, {other}))) == "ok");
}

TEST_CASE("CRLs that cannot be relied on are told apart", "[pki][crl]") {
  const Hierarchy made;
  const std::string root = made.fresh(made.root);
  struct Row {
    const char* what;
    std::string crl;
    std::string expected;
  };
  CrlSpec delta = fresh_spec(), indirect = fresh_spec(), partial = fresh_spec(),
          weak = fresh_spec(), stale = fresh_spec(), future = fresh_spec();
  delta.delta = true;
  indirect.indirect = true;
  partial.only_some_reasons = true;
  weak.digest = demo_pki::Digest::sha1;
  stale.next_update = at(kNow - 1);
  future.this_update = at(kNow + 1);
  const Entity imitation = Entity::self_signed(ca_spec("middle"));
  const std::vector<Row> rows{
      {"complete and direct", made.middle.crl_pem({}, fresh_spec()), "ok"},
      {"stale", made.middle.crl_pem({}, stale), "crl_stale"},
      {"of the future", made.middle.crl_pem({}, future), "crl_invalid"},
      {"delta", made.middle.crl_pem({}, delta), "crl_unsupported"},
      {"indirect", made.middle.crl_pem({}, indirect), "crl_unsupported"},
      {"for some reasons", made.middle.crl_pem({}, partial), "crl_unsupported"},
      {"signed with SHA-1", made.middle.crl_pem({}, weak), "crl_invalid"},
      {"signed by another of the name", imitation.crl_pem({}, fresh_spec()), "crl_invalid"},
      {"a good one beside a stale one",
       made.middle.crl_pem({}, stale) + made.middle.crl_pem({}, fresh_spec()), "ok"},
      {"a good one beside a delta",
       made.middle.crl_pem({}, fresh_spec()) + made.middle.crl_pem({}, delta), "crl_unsupported"},
      {"a revocation beside a delta",
       made.middle.crl_pem({}, delta) + made.middle.crl_pem({made.leaf}, fresh_spec()),
       "certificate_revoked"},
      {"a revocation in one of two good ones",
       made.fresh(made.middle) + made.middle.crl_pem({made.leaf}, fresh_spec()),
       "certificate_revoked"},
      {"a revocation by another of the name does not count",
       made.fresh(made.middle) + imitation.crl_pem({made.leaf}, fresh_spec()), "ok"},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    const auto result = made.judge(root + row.crl);
    CHECK(outcome(result) == row.expected);
    if (!result) {
      CHECK(result.error().certificate() == 0U);
    }
  }
}

TEST_CASE("a CA without cRLSign does not revoke", "[pki][crl]") {
  Hierarchy made;
  auto spec = ca_spec("middle");
  spec.key_usage = {"keyCertSign"};
  made.middle = Entity::issued_by(made.root, spec);
  made.leaf = Entity::issued_by(made.middle, sip_spec("demo.example"));
  CHECK(outcome(made.judge(made.fresh(made.root) + made.fresh(made.middle))) == "crl_invalid");
}

TEST_CASE("an entry that is presented itself is not subject to revocation", "[pki][crl]") {
  const Hierarchy made;
  const auto store = store_of({made.leaf}).with_crls(made.fresh(made.root)).value();
  CHECK(outcome(verify(store, made.leaf, expecting("demo.example"))) == "ok");
}

TEST_CASE("an issuer that changes its key may sign its CRLs with either", "[pki][crl]") {
  Hierarchy made;
  const Entity newer = Entity::issued_by(made.middle, ca_spec("middle"));
  made.leaf = Entity::issued_by(newer, sip_spec("demo.example"));
  const std::string root = made.fresh(made.root);
  CHECK(outcome(made.judge(root + made.fresh(made.middle))) == "ok");
  CHECK(outcome(made.judge(root + made.fresh(made.middle, {made.leaf}))) == "certificate_revoked");
  // Not the key of somebody else in the path.
  const Entity imitation = Entity::self_signed(ca_spec("middle"));
  CHECK(outcome(made.judge(root + made.fresh(imitation))) == "crl_invalid");
}

TEST_CASE("a CRL speaks for the certificates of its distribution point", "[pki][crl]") {
  namespace der = demo_pki::der;
  const Hierarchy made;
  const auto parsed = [](const Entity& entity) {
    const std::string octets = entity.certificate_der();
    return siptls::pki::Certificate::parse(
               {reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size()})
        .value();
  };
  const auto leaf = parsed(made.leaf), middle = parsed(made.middle);
  const auto name = [](const siptls::pki::Certificate& of) {
    const auto subject = of.subject_der();
    return std::string(reinterpret_cast<const char*>(subject.data()), subject.size());
  };
  const auto point = [&](const std::string& general_names) {
    return der::constructed(0, der::constructed(0, general_names));
  };
  const std::string yes("\xff");
  struct Row {
    const char* what;
    std::string content;
    std::string leaf_and_middle;  // "y" for each that is covered; "?" if it cannot be read
  };
  const std::vector<Row> rows{
      {"nothing said", "", "yy"},
      {"user certificates", der::primitive(1, yes), "yn"},
      {"CA certificates", der::primitive(2, yes), "ny"},
      {"attribute certificates", der::primitive(5, yes), "nn"},
      {"the issuer's name, for certificates that name no point",
       point(der::constructed(4, name(middle))), "yn"},
      {"another name", point(der::primitive(6, "http://crl.example/1")), "nn"},
      {"one of several names",
       point(der::primitive(6, "http://crl.example/1") + der::constructed(4, name(middle))), "yn"},
      {"an empty flag", der::primitive(1, ""), "?"},
      {"something behind it", der::primitive(1, yes) + der::primitive(9, yes), "?"},
      {"a point without a name", der::constructed(0, ""), "?"},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    const std::string extension = der::sequence({row.content});
    const auto scope = siptls::pki::CrlScope::parse(
        {reinterpret_cast<const std::uint8_t*>(extension.data()), extension.size()},
        X509_get_subject_name(middle.x509()));
    std::string got = "?";
    if (scope) {
      got = scope->covers(leaf.x509()) ? "y" : "n";
      // The middle's issuer is the root, so the points of the middle's CRLs are none of its own.
      got += scope->covers(middle.x509()) ? "y" : "n";
    }
    CHECK(got == row.leaf_and_middle);
  }
}
