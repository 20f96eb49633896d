// Chains that are made to cost much: what is done for them is bounded, by counting.
#include <cstddef>
#include <string>
#include <vector>

#include "catch.hpp"
#include "pki/path_builder.hpp"
#include "pki/path_checks.hpp"
#include "pki/pki_support.hpp"

using namespace pki_test;
using demo_pki::ca_spec;
using demo_pki::KeyType;
using demo_pki::sip_spec;
using siptls::Result;
using siptls::TrustStoreImpl;
using siptls::Unexpected;
using siptls::pki::CandidatePath;
using siptls::pki::Certificate;
using siptls::pki::NameBudget;

namespace {

Certificate parsed(const Entity& entity) {
  const std::string der = entity.certificate_der();
  return Certificate::parse({reinterpret_cast<const std::uint8_t*>(der.data()), der.size()})
      .value();
}

std::vector<std::string> numbered(std::size_t count, const std::string& suffix) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back("n" + std::to_string(i) + suffix);
  return out;
}

// A leaf with that many DNS names under a CA with that many constraints.
Three constrained(std::size_t names, std::size_t constraints) {
  return Three(
      {},
      [&](CertificateSpec& spec) {
        spec.excluded_dns = numbered(constraints, ".excluded.example");
      },
      [&](CertificateSpec& spec) {
        spec.uris = {};
        spec.dns_names = numbered(names, ".example");
      });
}

CandidatePath path_of(const Three& three) {
  CandidatePath path;
  path.certificates = {parsed(three.leaf), parsed(three.middle), parsed(three.root)};
  path.positions = {0U, 1U, std::nullopt};
  return path;
}

}  // namespace

TEST_CASE("a chain of too many certificates or octets is not even parsed", "[pki][hostile]") {
  const Three three({}, {}, {});
  const TrustStore store = store_of({three.root});
  const auto chain = three.leaf.chain_der();
  const auto refused = [&](const std::vector<std::string>& der) {
    const auto result = verify(store, der, options());
    CHECK(store.chain_memory().judged == 0);
    return outcome(result);
  };
  std::vector<std::string> many(11, "no certificate at all");
  CHECK(refused(many) == "chain_too_deep");
  std::vector<std::string> large{chain[0], chain[1], std::string(64 * 1024, 'x')};
  CHECK(refused(large) == "certificate_invalid");
  many.pop_back();
  const auto looked_at = verify(store, many, options());
  CHECK(outcome(looked_at) == "certificate_unreadable");
  CHECK(store.chain_memory().judged == 1);
}

TEST_CASE("a certificate without an octet is none", "[pki][hostile]") {
  const auto made = demo_pki::make_hierarchy("demo.example", 1);
  const TrustStore store = store_of({made.root});
  const std::string leaf = made.leaf.certificate_der();
  CHECK(outcome(verify(store, {""}, options())) == "certificate_unreadable");
  CHECK(outcome(verify(store, {leaf, ""}, options())) == "certificate_unreadable");
  const std::vector<std::span<const std::byte>> nothing(2);
  CHECK(outcome(store.verify(nothing, options())) == "certificate_unreadable");
}

TEST_CASE("certificates of one name do not multiply the paths that are judged", "[pki][hostile]") {
  // Every one of them may be the issuer of every other one.
  const Entity top = Entity::self_signed(ca_spec("same"), KeyType::ed25519);
  std::vector<Certificate> presented;
  presented.push_back(parsed(Entity::issued_by(top, sip_spec("demo.example"), KeyType::ed25519)));
  for (int i = 0; i < 9; ++i) {
    presented.push_back(parsed(Entity::issued_by(top, ca_spec("same"), KeyType::ed25519)));
  }
  const TrustStore store = store_of({top});
  std::size_t judged = 0;
  const auto verdict = siptls::pki::find_path(
      TrustStoreImpl::of(store), presented, [&](const CandidatePath&) -> Result<void> {
        ++judged;
        return Unexpected(Errc::certificate_signature_invalid);
      });
  CHECK_FALSE(verdict);
  CHECK(judged > 0);
  CHECK(judged <= 8);
}

TEST_CASE("many names under many constraints are refused before signatures are checked",
          "[pki][hostile]") {
  const Three three = constrained(300, 300);
  const auto refused = three.judge(options());
  REQUIRE(outcome(refused) == "certificate_invalid");
  CHECK(refused.error().certificate() == 0U);
  CHECK(mentions(refused.error(), "65536 comparisons"));
  // The same for a stranger's chain, whose signatures are wrong.
  const Three other = constrained(1, 1);
  const auto unsigned_chain = verify(store_of({other.root}), three.leaf, options());
  CHECK(outcome(unsigned_chain) == "unknown_ca");
  auto chain = three.leaf.chain_der();
  chain[1].back() = static_cast<char>(chain[1].back() ^ 1);
  CHECK(outcome(verify(store_of({three.root}), chain, options())) == "certificate_invalid");
  // What an operator may really have is far below.
  CHECK(outcome(constrained(100, 100).judge(options())) == "ok");
}

TEST_CASE("the comparisons of names are counted over all paths of a chain", "[pki][hostile]") {
  const Three three = constrained(100, 100);
  const CandidatePath path = path_of(three);
  NameBudget budget;
  REQUIRE(outcome(budget.spend(path)) == "ok");
  // 100 DNS names and the subject.
  CHECK(budget.spent() == 101U * 100U);
  int paid = 1;
  while (budget.spend(path)) ++paid;
  CHECK(paid == 6);  // 65,536 / 10,100
  NameBudget free;
  REQUIRE(outcome(free.spend(path_of(Three({}, {}, {})))) == "ok");
  CHECK(free.spent() == 0);
}

TEST_CASE("a certificate may have thousands of names, each of which counts once",
          "[pki][hostile]") {
  const auto names = numbered(2000, ".example");
  const Three three({}, {}, [&](CertificateSpec& spec) {
    spec.uris = {};
    spec.dns_names = names;
    spec.dns_names.insert(spec.dns_names.end(), names.begin(), names.begin() + 100);
  });
  const auto proven = three.judge(expecting("n1999.example"));
  REQUIRE(outcome(proven) == "ok");
  CHECK(proven->identities.size() == names.size());
  CHECK(proven->matched == 1999U);
  const auto refused = three.judge(expecting("other.example"));
  REQUIRE(outcome(refused) == "identity_mismatch");
  CHECK(mentions(refused.error(), "and 1950 more"));
  CHECK(refused.error().evidence().size() < 4000);
}
