// Generated chains: good in many ways, or with a defect put in. What has a defect never verifies,
// what has none always does.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "pki/pki_support.hpp"
#include "scale.hpp"

using namespace pki_test;
using demo_pki::ca_spec;
using demo_pki::KeyType;
using demo_pki::sip_spec;

namespace {

constexpr const char* kServerAuth = "1.3.6.1.5.5.7.3.1";
constexpr const char* kClientAuth = "1.3.6.1.5.5.7.3.2";
constexpr const char* kSipDomain = "1.3.6.1.5.5.7.3.20";
constexpr const char* kAnyPurpose = "2.5.29.37.0";
constexpr const char* kCodeSigning = "1.3.6.1.5.5.7.3.3";

// The same numbers everywhere, unlike the distributions of the standard library.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  std::size_t below(std::size_t count) { return static_cast<std::size_t>(engine_() % count); }
  long between(long low, long high) {
    return low + static_cast<long>(below(static_cast<std::size_t>(high - low + 1)));
  }
  bool one_in(std::size_t count) { return below(count) == 0; }
  template <typename T>
  const T& any_of(const std::vector<T>& all) {
    return all[below(all.size())];
  }

 private:
  std::mt19937_64 engine_;
};

// What all chains hang from. Making keys is left out of the rounds as far as can be.
struct Ground {
  std::vector<Entity> roots;
  Entity stranger = Entity::self_signed(ca_spec("stranger"), KeyType::ed25519);
  std::vector<TrustStore> stores;  // by max_ca_depth

  Ground() {
    for (int i = 0; i < 3; ++i) {
      const auto key = i == 0 ? KeyType::p256 : KeyType::ed25519;
      roots.push_back(Entity::self_signed(ca_spec("root " + std::to_string(i)), key));
    }
    for (std::size_t depth = 0; depth <= 4; ++depth) {
      siptls::TrustLimits limits;
      limits.max_ca_depth = depth;
      stores.push_back(store_of(roots, limits));
    }
  }
};

// A chain before it is signed.
struct Draft {
  std::size_t root = 0;
  std::vector<CertificateSpec> cas;  // below the root, top first
  CertificateSpec leaf = sip_spec("a.demo.example");
  std::string asked = "a.demo.example";
  siptls::PeerRole role = siptls::PeerRole::server;
  siptls::EkuPolicy eku = siptls::EkuPolicy::either;
  std::size_t max_ca_depth = 4;
  bool by_stranger = false;                // the top is signed by a root that is not trusted
  std::optional<std::size_t> imitated;     // this CA's name on another key signs what is below
  std::optional<std::size_t> left_out;     // this CA is not presented
  std::optional<std::size_t> bit_flipped;  // in the certificate at that place
  bool with_crls = false;
  std::optional<std::size_t> revoked;  // the certificate at that place
  std::optional<std::size_t> stale;    // the CRL of the issuer of that certificate

  std::size_t length() const { return cas.size() + 1; }  // what is presented
  CertificateSpec& at_place(std::size_t place) {
    return place == 0 ? leaf : cas[cas.size() - place];
  }
};

Draft good_draft(Dice& dice) {
  Draft draft;
  draft.root = dice.below(3);
  const std::size_t cas = dice.below(4);
  for (std::size_t i = 0; i < cas; ++i) {
    CertificateSpec spec = ca_spec("CA " + std::to_string(i));
    if (dice.one_in(3)) spec.path_length = static_cast<int>(cas - 1 - i + dice.below(2));
    if (dice.one_in(4)) spec.key_usage = {"keyCertSign", "cRLSign", "digitalSignature"};
    if (dice.one_in(6)) spec.extended_key_usage = {kServerAuth, kClientAuth};
    if (dice.one_in(6)) spec.permitted_dns = {dice.one_in(2) ? "demo.example" : "example"};
    if (dice.one_in(6)) spec.excluded_dns = {"b.demo.example"};
    if (dice.one_in(5)) spec.not_before = at(kNow);
    if (dice.one_in(5)) spec.not_after = at(kNow);
    draft.cas.push_back(std::move(spec));
  }
  CertificateSpec& leaf = draft.leaf;
  if (dice.one_in(4)) leaf.uris.insert(leaf.uris.begin(), "sip:other.demo.example");
  if (dice.one_in(4)) leaf.uris = {"SIP:A.demo.example:5061;transport=tls"};
  if (dice.one_in(4)) leaf.uris.clear();
  if (dice.one_in(5)) leaf.ip_addresses = {"192.0.2.1"};
  // An iPAddress constraint is nowhere in these chains, so an address is nobody's concern.
  if (dice.one_in(5)) leaf.key_usage.clear();
  if (dice.one_in(5)) leaf.with_basic_constraints = false;
  if (dice.one_in(5)) leaf.not_before = at(kNow);
  if (dice.one_in(5)) leaf.not_after = at(kNow);
  draft.role = dice.one_in(2) ? siptls::PeerRole::server : siptls::PeerRole::client;
  switch (dice.below(5)) {
    case 0:
      leaf.extended_key_usage.clear();
      break;
    case 1:
      leaf.extended_key_usage = {kAnyPurpose};
      break;
    case 2:
      leaf.extended_key_usage = {kCodeSigning, kSipDomain};
      draft.eku = siptls::EkuPolicy::sip_strict;
      break;
    default:
      break;
  }
  draft.max_ca_depth = std::min<std::size_t>(4, draft.length() + dice.below(2));
  draft.with_crls = dice.one_in(12);
  return draft;
}

// Puts a defect in; false if this draft has no place for it.
using Apply = bool (*)(Draft&, Dice&);
struct Defect {
  const char* name;
  std::vector<std::string> reasons;  // empty: any
  Apply apply;
};

// A CA of the draft, if there is any.
CertificateSpec* any_ca(Draft& draft, Dice& dice) {
  return draft.cas.empty() ? nullptr : &draft.cas[dice.below(draft.cas.size())];
}

const std::vector<Defect>& defects() {
  static const std::vector<Defect> all{
      {"expired",
       {"certificate_expired"},
       [](Draft& draft, Dice& dice) {
         draft.at_place(dice.below(draft.length())).not_after = at(kNow - dice.between(1, kDay));
         return true;
       }},
      {"not yet valid",
       {"certificate_not_yet_valid"},
       [](Draft& draft, Dice& dice) {
         draft.at_place(dice.below(draft.length())).not_before = at(kNow + dice.between(1, kDay));
         return true;
       }},
      {"a root that is not trusted",
       {"unknown_ca"},
       [](Draft& draft, Dice&) { return draft.by_stranger = true; }},
      {"signed by another CA of the name",
       {"unknown_ca", "certificate_signature_invalid"},
       [](Draft& draft, Dice& dice) {
         if (draft.cas.empty()) return false;
         draft.imitated = dice.below(draft.cas.size());
         return true;
       }},
      {"an intermediate left out",
       {"unknown_ca"},
       [](Draft& draft, Dice& dice) {
         if (draft.cas.empty()) return false;
         draft.left_out = dice.below(draft.cas.size());
         return true;
       }},
      {"one bit of a certificate",
       {},
       [](Draft& draft, Dice& dice) {
         draft.bit_flipped = dice.below(draft.length());
         return true;
       }},
      {"an issuer that is no CA",
       {"not_a_ca"},
       [](Draft& draft, Dice& dice) {
         CertificateSpec* const spec = any_ca(draft, dice);
         if (spec == nullptr) return false;
         spec->ca = false;
         spec->path_length.reset();
         spec->with_basic_constraints = dice.one_in(2);
         return true;
       }},
      {"an issuer without keyCertSign",
       {"not_a_ca"},
       [](Draft& draft, Dice& dice) {
         CertificateSpec* const spec = any_ca(draft, dice);
         if (spec == nullptr) return false;
         spec->key_usage = {"cRLSign", "digitalSignature"};
         return true;
       }},
      {"too many CAs below one",
       {"path_length_exceeded"},
       [](Draft& draft, Dice& dice) {
         if (draft.cas.size() < 2) return false;
         const std::size_t index = dice.below(draft.cas.size() - 1);
         const auto below = static_cast<int>(draft.cas.size() - 1 - index);
         draft.cas[index].path_length = below - 1;
         return true;
       }},
      {"a critical extension that nobody knows",
       {"unknown_critical_extension"},
       [](Draft& draft, Dice& dice) {
         draft.at_place(dice.below(draft.length())).unknown_critical_extension = true;
         return true;
       }},
      {"a name that a CA may not give",
       {"name_constraint_violated"},
       [](Draft& draft, Dice& dice) {
         CertificateSpec* const spec = any_ca(draft, dice);
         if (spec == nullptr) return false;
         if (dice.one_in(2)) {
           spec->permitted_dns = {dice.one_in(2) ? "example.com" : "b.demo.example"};
         } else {
           spec->excluded_dns = {dice.one_in(2) ? "demo.example" : "A.demo.example"};
         }
         return true;
       }},
      {"a purpose that is another",
       {"extended_key_usage_forbidden"},
       [](Draft& draft, Dice& dice) {
         const bool server = draft.role == siptls::PeerRole::server;
         draft.leaf.extended_key_usage = {dice.one_in(2) ? kCodeSigning
                                          : server       ? kClientAuth
                                                         : kServerAuth};
         return true;
       }},
      {"a CA for another purpose",
       {"extended_key_usage_forbidden"},
       [](Draft& draft, Dice& dice) {
         CertificateSpec* const spec = any_ca(draft, dice);
         if (spec == nullptr) return false;
         spec->extended_key_usage = {kCodeSigning};
         return true;
       }},
      {"a leaf that may not sign",
       {"key_usage_forbidden"},
       [](Draft& draft, Dice&) {
         draft.leaf.key_usage = {"keyEncipherment"};
         return true;
       }},
      {"another name",
       {"identity_mismatch"},
       [](Draft& draft, Dice& dice) {
         static const std::vector<std::string> others{"demo.example", "b.demo.example",
                                                      "x.a.demo.example", "192.0.2.2"};
         draft.asked = dice.any_of(others);
         return true;
       }},
      {"too deep",
       {"chain_too_deep"},
       [](Draft& draft, Dice& dice) {
         draft.max_ca_depth = dice.below(draft.length());
         return true;
       }},
      {"revoked",
       {"certificate_revoked"},
       [](Draft& draft, Dice& dice) {
         draft.with_crls = true;
         draft.revoked = dice.below(draft.length());
         return true;
       }},
      {"a stale CRL",
       {"crl_stale"},
       [](Draft& draft, Dice& dice) {
         draft.with_crls = true;
         draft.stale = dice.below(draft.length());
         return true;
       }},
  };
  return all;
}

// The entities of a draft, leaf first, the root last.
std::vector<Entity> sign(const Ground& ground, const Draft& draft, Dice& dice) {
  std::vector<Entity> out{draft.by_stranger ? ground.stranger : ground.roots[draft.root]};
  Entity issuer = out.front();
  for (std::size_t i = 0; i < draft.cas.size(); ++i) {
    const auto key = dice.one_in(10) ? KeyType::p256 : KeyType::ed25519;
    const Entity made = Entity::issued_by(issuer, draft.cas[i], key);
    out.insert(out.begin(), made);
    // What is below hangs from a twin that nobody presents.
    issuer = draft.imitated == i ? Entity::issued_by(issuer, draft.cas[i], key) : made;
  }
  const auto key = dice.one_in(10) ? KeyType::p256 : KeyType::ed25519;
  out.insert(out.begin(), Entity::issued_by(issuer, draft.leaf, key));
  return out;
}

std::vector<std::string> present(const Draft& draft, const std::vector<Entity>& entities,
                                 const Ground& ground, Dice& dice) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i + 1 < entities.size(); ++i) {
    std::string der = entities[i].certificate_der();
    if (draft.bit_flipped == i) {
      const std::size_t at = dice.below(der.size());
      der[at] = static_cast<char>(der[at] ^ 1 << dice.below(8));
    }
    const bool left_out = draft.left_out && i == draft.cas.size() - *draft.left_out;
    if (!left_out) out.push_back(std::move(der));
  }
  // Peers send more than they should, and in any order behind the leaf.
  if (dice.one_in(6)) out.push_back(ground.stranger.certificate_der());
  if (dice.one_in(6)) out.push_back(entities.back().certificate_der());
  if (dice.one_in(6)) {
    for (std::size_t i = out.size() - 1; i > 1; --i) std::swap(out[i], out[1 + dice.below(i)]);
  }
  return out;
}

TrustStore with_lists(const TrustStore& store, const Draft& draft,
                      const std::vector<Entity>& entities) {
  std::string lists;
  for (std::size_t i = 0; i + 1 < entities.size(); ++i) {
    std::vector<Entity> revoked;
    if (draft.revoked == i) revoked.push_back(entities[i]);
    const bool stale = draft.stale == i;
    lists += entities[i + 1].crl_pem(revoked, at(kNow - kDay), at(stale ? kNow - 1 : kNow + kDay));
  }
  return store.with_crls(lists).value();
}

}  // namespace

TEST_CASE("generated chains verify if and only if no defect was put in", "[pki][property]") {
  const char* const given = std::getenv("SIPTLS_TEST_SEED");
  const std::uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::uint64_t{std::random_device{}()};
  std::cout << "generated chains: SIPTLS_TEST_SEED " << seed << "\n";
  const Ground ground;
  std::vector<std::size_t> applied(defects().size());
  std::size_t good = 0;
  const std::size_t rounds = siptls_test::scaled("generated chains", 20000);
  for (std::size_t round = 0; round < rounds; ++round) {
    Dice dice(seed * 1000003 + round);
    Draft draft = good_draft(dice);
    std::vector<const Defect*> put_in;
    for (std::size_t wanted = dice.below(4) == 0 ? 0 : dice.one_in(8) ? 2 : 1; wanted > 0;) {
      const std::size_t which = dice.below(defects().size());
      if (!defects()[which].apply(draft, dice)) continue;
      put_in.push_back(&defects()[which]);
      ++applied[which];
      --wanted;
    }
    good += put_in.empty() ? 1 : 0;
    const auto entities = sign(ground, draft, dice);
    const auto chain = present(draft, entities, ground, dice);
    TrustStore store = ground.stores[draft.max_ca_depth];
    if (draft.with_crls) store = with_lists(store, draft, entities);
    VerifyOptions how = expecting(draft.asked);
    how.role = draft.role;
    how.eku = draft.eku;
    const auto result = verify(store, chain, how);
    const std::string got = outcome(result);
    bool right = (got == "ok") == put_in.empty();
    if (put_in.size() == 1 && !put_in[0]->reasons.empty()) {
      const auto& reasons = put_in[0]->reasons;
      right = right && std::find(reasons.begin(), reasons.end(), got) != reasons.end();
    }
    // And from memory, where it was judged good.
    if (put_in.empty()) right = right && outcome(verify(store, chain, how)) == "ok";
    if (right) continue;
    std::string names;
    for (const auto* defect : put_in) names += std::string(defect->name) + "; ";
    FAIL("seed " << seed << ", round " << round << ", defects: " << names << "outcome: " << got
                 << (result ? "" : " " + result.error().evidence()));
  }
  CHECK(good > 0);
  if (rounds >= 2000) {
    CHECK(std::all_of(applied.begin(), applied.end(), [](std::size_t n) { return n > 0; }));
  }
}
