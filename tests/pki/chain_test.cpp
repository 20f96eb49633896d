#include <string>
#include <vector>

#include "catch.hpp"
#include "pki/pki_support.hpp"

using namespace pki_test;
using demo_pki::ca_spec;
using demo_pki::KeyType;
using demo_pki::sip_spec;

TEST_CASE("a good chain is proven, with everything that was proven", "[pki][chain]") {
  const Three three({}, {}, {});
  const auto result = three.judge();
  REQUIRE(outcome(result) == "ok");
  CHECK(result->ca_depth == 2);
  REQUIRE(result->certificates.size() == 3);
  CHECK(result->certificates[0].subject == "CN=demo.example");
  CHECK(result->certificates[1].subject == "CN=middle");
  CHECK(result->certificates[2].subject == "CN=root");
  CHECK(result->matched == std::optional<std::size_t>(0));
  CHECK(result->certificates[0].key == "P-256");
}

TEST_CASE("chains of every supported key are proven", "[pki][chain]") {
  for (const KeyType key :
       {KeyType::p256, KeyType::p384, KeyType::p521, KeyType::rsa2048, KeyType::ed25519}) {
    const auto made = demo_pki::make_hierarchy("demo.example", 1, key);
    CHECK(outcome(verify(store_of({made.root}), made.leaf, expecting("demo.example"))) == "ok");
  }
}

TEST_CASE("four CA certificates pass and five are too deep", "[pki][chain]") {
  for (int intermediates = 0; intermediates <= 5; ++intermediates) {
    const auto made = demo_pki::make_hierarchy("demo.example", intermediates);
    const auto result = verify(store_of({made.root}), made.leaf, expecting("demo.example"));
    INFO(intermediates);
    if (intermediates + 1 <= 4) {
      REQUIRE(outcome(result) == "ok");
      CHECK(result->ca_depth == static_cast<std::size_t>(intermediates + 1));
    } else {
      REQUIRE(outcome(result) == "chain_too_deep");
      CHECK(mentions(result.error(), std::to_string(intermediates + 1) + " CA certificates"));
      CHECK(mentions(result.error(), "max_ca_depth is 4"));
      siptls::TrustLimits deeper;
      deeper.max_ca_depth = static_cast<std::size_t>(intermediates + 1);
      CHECK(outcome(verify(store_of({made.root}, deeper), made.leaf, expecting("demo.example"))) ==
            "ok");
    }
  }
}

TEST_CASE("an intermediate that is an entry shortens the path", "[pki][chain]") {
  const auto made = demo_pki::make_hierarchy("demo.example", 5);
  const auto both =
      verify(store_of({made.root, made.intermediates[3]}), made.leaf, expecting("demo.example"));
  REQUIRE(outcome(both) == "ok");
  CHECK(both->ca_depth == 2);
  CHECK(both->certificates.back().subject == "CN=siptls demo intermediate 4");
  CHECK(outcome(verify(store_of({made.intermediates[4]}), made.leaf, expecting("demo.example"))) ==
        "ok");
  // The root above it was not trusted, so what is above the entry does not matter.
  CHECK(outcome(verify(store_of({made.intermediates[4]}),
                       std::vector<std::string>{made.leaf.certificate_der()},
                       expecting("demo.example"))) == "ok");
}

TEST_CASE("a peer certificate that is an entry is trusted", "[pki][chain]") {
  const Entity self = Entity::self_signed(sip_spec("demo.example"));
  CHECK(store_of({self}).entries()[0].self_signed);
  CHECK_FALSE(store_of({self}).entries()[0].is_ca);
  const auto result = verify(store_of({self}), self, expecting("demo.example"));
  REQUIRE(outcome(result) == "ok");
  CHECK(result->ca_depth == 0);
  CHECK(result->certificates.size() == 1);

  const auto made = demo_pki::make_hierarchy("demo.example", 1);
  const auto pinned = verify(store_of({made.leaf}), made.leaf, expecting("demo.example"));
  REQUIRE(outcome(pinned) == "ok");
  CHECK(pinned->ca_depth == 0);

  siptls::TrustLimits none;
  none.max_ca_depth = 0;
  CHECK(outcome(verify(store_of({self}, none), self, expecting("demo.example"))) == "ok");
  const auto refused = verify(store_of({made.root}, none), made.leaf, expecting("demo.example"));
  CHECK(outcome(refused) == "chain_too_deep");
}

TEST_CASE("validity includes its first and its last second", "[pki][chain]") {
  const auto judge = [](long from, long until, long when) {
    const Three three({}, {}, [&](CertificateSpec& spec) {
      spec.not_before = at(from);
      spec.not_after = at(until);
    });
    return outcome(three.judge(expecting("demo.example", when)));
  };
  CHECK(judge(kNow, kNow + kDay, kNow) == "ok");
  CHECK(judge(kNow - kDay, kNow, kNow) == "ok");
  CHECK(judge(kNow + 1, kNow + kDay, kNow) == "certificate_not_yet_valid");
  CHECK(judge(kNow - kDay, kNow - 1, kNow) == "certificate_expired");
}

TEST_CASE("a chain that leads to no entry is of an unknown CA", "[pki][chain]") {
  const Three three({}, {}, {});
  const Three other([](CertificateSpec& spec) { spec.common_name = "other root"; }, {}, {});
  const Three same_name({}, {}, {});

  const auto elsewhere = verify(store_of({other.root}), three.leaf, expecting("demo.example"));
  REQUIRE(outcome(elsewhere) == "unknown_ca");
  CHECK(mentions(elsewhere.error(), "CN=root"));
  CHECK(elsewhere.error().certificate() == 1U);

  const auto imitated = verify(store_of({same_name.root}), three.leaf, expecting("demo.example"));
  REQUIRE(outcome(imitated) == "unknown_ca");
  CHECK(mentions(imitated.error(), "another key"));

  const auto alone =
      verify(store_of({three.root}), std::vector<std::string>{three.leaf.certificate_der()},
             expecting("demo.example"));
  REQUIRE(outcome(alone) == "unknown_ca");
  CHECK(mentions(alone.error(), "CN=middle"));
  CHECK(alone.error().certificate() == 0U);

  const Entity self = Entity::self_signed(sip_spec("demo.example"));
  const auto lonely = verify(store_of({three.root}), self, expecting("demo.example"));
  REQUIRE(outcome(lonely) == "unknown_ca");
  CHECK(mentions(lonely.error(), "self-signed"));

  const auto whole = std::vector<std::string>{
      three.leaf.certificate_der(), three.middle.certificate_der(), three.root.certificate_der()};
  CHECK(outcome(verify(store_of({other.root}), whole, expecting("demo.example"))) == "unknown_ca");
}

TEST_CASE("a certificate that was changed after it was signed is refused", "[pki][chain]") {
  const Three three({}, {}, {});
  auto chain = three.leaf.chain_der();
  const auto at_name = chain[0].rfind("demo.example");
  REQUIRE(at_name != std::string::npos);
  chain[0].replace(at_name, 4, "evil");
  const auto result = verify(store_of({three.root}), chain, options());
  REQUIRE(outcome(result) == "certificate_signature_invalid");
  CHECK(result.error().certificate() == 0U);
}

TEST_CASE("what a peer presents may be out of order, doubled or superfluous", "[pki][chain]") {
  const auto made = demo_pki::make_hierarchy("demo.example", 2);
  const std::string leaf = made.leaf.certificate_der();
  const std::string upper = made.intermediates[0].certificate_der();
  const std::string lower = made.intermediates[1].certificate_der();
  const std::string root = made.root.certificate_der();
  const std::string stranger = Entity::self_signed(ca_spec("stranger")).certificate_der();
  const TrustStore store = store_of({made.root});
  const auto judge = [&](const std::vector<std::string>& chain) {
    return outcome(verify(store, chain, expecting("demo.example")));
  };
  CHECK(judge({leaf, lower, upper, root}) == "ok");
  CHECK(judge({leaf, upper, lower}) == "ok");
  CHECK(judge({leaf, stranger, lower, upper}) == "ok");
  CHECK(judge({leaf, lower, lower, upper, leaf}) == "ok");
  CHECK(judge({lower, leaf, upper}) != "ok");
  CHECK(judge({leaf, lower}) == "unknown_ca");
}

TEST_CASE("a path that fails does not hide one that holds", "[pki][chain]") {
  // Two CAs with one name and key identifiers that do not tell which is meant: cross-certificates.
  const Entity old_root = Entity::self_signed(ca_spec("old root"));
  const Entity new_root = Entity::self_signed(ca_spec("new root"));
  const Entity leaf_issuer = Entity::issued_by(new_root, ca_spec("issuer"));
  const Entity leaf = Entity::issued_by(leaf_issuer, sip_spec("demo.example"));
  CertificateSpec stale = ca_spec("old root");
  stale.not_after = at(kNow - kDay);
  const Entity stale_root = Entity::self_signed(stale);
  std::vector<std::string> chain = leaf.chain_der();
  chain.insert(chain.begin() + 1, stale_root.certificate_der());
  CHECK(outcome(verify(store_of({stale_root, old_root, new_root}), chain,
                       expecting("demo.example"))) == "ok");
}

TEST_CASE("chains that are too large are refused unread", "[pki][chain]") {
  const Three three({}, {}, {});
  std::vector<std::string> chain = three.leaf.chain_der();
  while (chain.size() < 200) chain.push_back("no certificate");
  const auto many = verify(store_of({three.root}), chain, options());
  REQUIRE(outcome(many) == "chain_too_deep");
  CHECK(mentions(many.error(), "200"));
  const std::vector<std::string> huge{three.leaf.certificate_der(), std::string(70000, 'x')};
  CHECK(outcome(verify(store_of({three.root}), huge, options())) == "certificate_invalid");
}

TEST_CASE("many certificates of one name cost a bounded amount of work", "[pki][chain]") {
  // Each is an issuer of each other by name; none has a key identifier that says otherwise.
  const Entity root = Entity::self_signed(ca_spec("same"));
  siptls::TrustLimits limits;
  limits.max_ca_depth = 40;
  Entity top = Entity::self_signed(ca_spec("same"));
  std::vector<std::string> chain;
  std::vector<std::string> above;
  for (int i = 0; i < 40; ++i) {
    top = Entity::issued_by(top, ca_spec("same"));
    above.insert(above.begin(), top.certificate_der());
  }
  chain.push_back(Entity::issued_by(top, sip_spec("demo.example")).certificate_der());
  chain.insert(chain.end(), above.begin(), above.end());
  CHECK(outcome(verify(store_of({root}, limits), chain, options())) == "unknown_ca");
}

TEST_CASE("no chain, unreadable chains and empty stores have their reasons", "[pki][chain]") {
  const Three three({}, {}, {});
  const TrustStore store = store_of({three.root});
  CHECK(outcome(verify(store, std::vector<std::string>{}, options())) == "certificate_missing");
  auto chain = three.leaf.chain_der();
  chain[1] += '\0';
  const auto garbage = verify(store, chain, options());
  REQUIRE(outcome(garbage) == "certificate_unreadable");
  CHECK(garbage.error().certificate() == 1U);
  CHECK(outcome(verify(TrustStore(), three.leaf, options())) == "trust_store_empty");
  CHECK(outcome(store.verify_pem(three.leaf.chain_pem(), expecting("demo.example"))) == "ok");
  CHECK(outcome(store.verify_pem("", options())) == "pem_empty");
  CHECK(outcome(store.verify_pem(three.leaf.public_key_pem(), options())) == "pem_wrong_type");
}

TEST_CASE("the path is judged before the names", "[pki][chain]") {
  const Three three({}, {}, [](CertificateSpec& spec) { spec.not_after = at(kNow - kDay); });
  CHECK(outcome(three.judge(expecting("other.example"))) == "certificate_expired");
  // A reference that is no name is the caller's mistake and reported in any case.
  CHECK(outcome(three.judge(expecting("not a name"))) == "invalid_domain");
}
