// The memory of validated chains: what it answers, and everything that it must not answer.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "pki/chain_verifier.hpp"
#include "pki/pki_support.hpp"

using namespace pki_test;
using demo_pki::ca_spec;
using demo_pki::sip_spec;
using siptls::EkuPolicy;
using siptls::PeerRole;

namespace {

const Three& chain() {
  static const Three made({}, {}, {});
  return made;
}

// What the memory did during one judgement.
struct Step {
  std::string outcome;
  std::uint64_t answered;
  std::uint64_t judged;
};

Step step(const TrustStore& store, const std::vector<std::string>& der, const VerifyOptions& how) {
  const auto before = store.chain_memory();
  auto verdict = outcome(verify(store, der, how));
  const auto after = store.chain_memory();
  return {std::move(verdict), after.answered - before.answered, after.judged - before.judged};
}

void check_answered(const Step& step, const std::string& expected = "ok") {
  CHECK(step.outcome == expected);
  CHECK(step.answered == 1);
  CHECK(step.judged == 0);
}

void check_judged(const Step& step, const std::string& expected) {
  CHECK(step.outcome == expected);
  CHECK(step.answered == 0);
  CHECK(step.judged == 1);
}

siptls::TrustLimits remembering(std::size_t chains) {
  siptls::TrustLimits limits;
  limits.max_remembered_chains = chains;
  return limits;
}

bool same(const siptls::ProvenPath& a, const siptls::ProvenPath& b) {
  bool equal = a.identities == b.identities && a.matched == b.matched && a.ca_depth == b.ca_depth &&
               a.certificates.size() == b.certificates.size();
  for (std::size_t i = 0; equal && i < a.certificates.size(); ++i) {
    const auto &x = a.certificates[i], &y = b.certificates[i];
    equal = x.subject == y.subject && x.issuer == y.issuer && x.serial == y.serial &&
            x.not_before == y.not_before && x.not_after == y.not_after && x.key == y.key &&
            x.sha256 == y.sha256;
  }
  return equal;
}

}  // namespace

TEST_CASE("a chain that was judged good is answered from memory", "[pki][memory]") {
  const TrustStore store = store_of({chain().root});
  const auto der = chain().leaf.chain_der();
  const auto cold = verify(store, der, expecting("demo.example"));
  const auto warm = verify(store, der, expecting("demo.example"));
  REQUIRE(outcome(cold) == "ok");
  REQUIRE(outcome(warm) == "ok");
  CHECK(same(*cold, *warm));
  CHECK(store.chain_memory().chains == 1);
  CHECK(store.chain_memory().judged == 1);
  CHECK(store.chain_memory().answered == 1);
  // Octets at another place are the same octets.
  check_answered(step(store, std::vector<std::string>(der), options()));
  check_answered(step(TrustStore(store), der, options()));
}

TEST_CASE("names are judged each time", "[pki][memory]") {
  const TrustStore store = store_of({chain().root});
  const auto der = chain().leaf.chain_der();
  check_judged(step(store, der, expecting("other.example")), "identity_mismatch");
  check_answered(step(store, der, expecting("demo.example")));
  check_answered(step(store, der, expecting("other.example")), "identity_mismatch");
  VerifyOptions how = options();
  const std::vector<std::string> others{"other.example"};
  const std::vector<std::string> own{"demo.example"};
  how.allowed = others;
  check_answered(step(store, der, how), "identity_not_allowed");
  how.allowed = own;
  check_answered(step(store, der, how));
  CHECK(outcome(verify(store, der, expecting("no name"))) == "invalid_domain");
}

TEST_CASE("the policies of names are judged each time", "[pki][memory]") {
  const Three star({}, {}, [](CertificateSpec& spec) {
    spec.uris = {};
    spec.dns_names = {"*.demo.example"};
  });
  const TrustStore store = store_of({star.root});
  const auto der = star.leaf.chain_der();
  VerifyOptions how = expecting("a.demo.example");
  how.names.wildcard = siptls::WildcardPolicy::dangerous_one_label;
  check_judged(step(store, der, how), "ok");
  how.names.wildcard = siptls::WildcardPolicy::none;
  check_answered(step(store, der, how), "identity_mismatch");

  const Three named({}, {}, [](CertificateSpec& spec) { spec.uris = spec.dns_names = {}; });
  const TrustStore other = store_of({named.root});
  how = expecting("demo.example");
  how.names.common_name = siptls::CommonNamePolicy::dangerous_if_no_subject_alt_name;
  check_judged(step(other, named.leaf.chain_der(), how), "ok");
  how.names.common_name = siptls::CommonNamePolicy::never;
  check_answered(step(other, named.leaf.chain_der(), how), "no_sip_identity");
  how.names.common_name = siptls::CommonNamePolicy::dangerous_if_no_subject_alt_name;
  check_answered(step(other, named.leaf.chain_der(), how));
}

TEST_CASE("another store does not know the chain", "[pki][memory]") {
  const auto der = chain().leaf.chain_der();
  const TrustStore store = store_of({chain().root});
  check_judged(step(store, der, options()), "ok");
  check_judged(step(store_of({chain().root}), der, options()), "ok");
  const Entity another = Entity::self_signed(ca_spec("another"));
  check_judged(step(store.with_pem(another.certificate_pem()).value(), der, options()), "ok");
  check_judged(step(store_of({another}), der, options()), "unknown_ca");
  // The store itself still does.
  check_answered(step(store, der, options()));
}

TEST_CASE("another role or EKU policy is another question", "[pki][memory]") {
  const Three server_only(
      {}, {}, [](CertificateSpec& spec) { spec.extended_key_usage = {"1.3.6.1.5.5.7.3.1"}; });
  const TrustStore store = store_of({server_only.root});
  const auto der = server_only.leaf.chain_der();
  VerifyOptions how = options();
  check_judged(step(store, der, how), "ok");
  how.role = PeerRole::client;
  check_judged(step(store, der, how), "extended_key_usage_forbidden");
  how.eku = EkuPolicy::ignore_client_eku;
  check_judged(step(store, der, how), "ok");
  check_answered(step(store, der, how));
  how.eku = EkuPolicy::either;
  check_judged(step(store, der, how), "extended_key_usage_forbidden");
  how.role = PeerRole::server;
  check_answered(step(store, der, how));
  how.eku = EkuPolicy::sip_strict;
  check_judged(step(store, der, how), "extended_key_usage_forbidden");
}

TEST_CASE("the limits of a store are its own", "[pki][memory]") {
  const auto der = chain().leaf.chain_der();
  check_judged(step(store_of({chain().root}), der, options()), "ok");
  siptls::TrustLimits limits;
  limits.max_ca_depth = 1;
  check_judged(step(store_of({chain().root}, limits), der, options()), "chain_too_deep");
}

TEST_CASE("CRLs make another store", "[pki][memory]") {
  const auto der = chain().leaf.chain_der();
  const TrustStore store = store_of({chain().root});
  check_judged(step(store, der, options()), "ok");
  const auto crl = [](const Entity& issuer, const std::vector<Entity>& revoked) {
    return issuer.crl_pem(revoked, at(kNow - kDay), at(kNow + kDay));
  };
  const std::string root_list = crl(chain().root, {});
  const auto revoking = store.with_crls(root_list + crl(chain().middle, {chain().leaf})).value();
  check_judged(step(revoking, der, options()), "certificate_revoked");
  const auto passing = store.with_crls(root_list + crl(chain().middle, {})).value();
  check_judged(step(passing, der, options()), "ok");
  check_answered(step(passing, der, options()));
}

TEST_CASE("nothing is answered outside the validity of any certificate", "[pki][memory]") {
  for (int which = 0; which < 3; ++which) {
    INFO(which);
    const auto limited = [&](int index) {
      return [which, index](CertificateSpec& spec) {
        if (which != index) return;
        spec.not_before = at(kNow - 10);
        spec.not_after = at(kNow + 10);
      };
    };
    const Three three(limited(2), limited(1), limited(0));
    const auto der = three.leaf.chain_der();
    const struct {
      long time;
      const char* expected;
    } rows[] = {{kNow - 10, "ok"},
                {kNow + 10, "ok"},
                {kNow + 11, "certificate_expired"},
                {kNow - 11, "certificate_not_yet_valid"}};
    for (const auto& row : rows) {
      INFO(row.time);
      const TrustStore store = store_of({three.root});
      check_judged(step(store, der, options(kNow)), "ok");
      const Step then = step(store, der, options(row.time));
      if (row.expected == std::string("ok")) {
        check_answered(then);
      } else {
        check_judged(then, row.expected);
        check_judged(step(store, der, options(kNow)), "ok");
      }
    }
    // The last second counts to its end.
    const TrustStore store = store_of({three.root});
    check_judged(step(store, der, options(kNow)), "ok");
    check_answered(
        step(store, der, VerifyOptions::given(at(kNow + 10) + std::chrono::milliseconds(999))));
  }
}

TEST_CASE("nothing is answered when a CRL has run out or come into force", "[pki][memory]") {
  const auto der = chain().leaf.chain_der();
  const std::string root_list = chain().root.crl_pem({}, at(kNow - kDay), at(kNow + kDay));
  const auto judged_after = [&](const std::string& crls, long first, long then) {
    const TrustStore store = store_of({chain().root}).with_crls(root_list + crls).value();
    check_judged(step(store, der, options(first)), "ok");
    check_answered(step(store, der, options(first)));
    const Step second = step(store, der, options(then));
    CHECK(second.answered == 0);
    return second.outcome;
  };
  const auto list = [](const std::vector<Entity>& revoked, long from, long until) {
    return chain().middle.crl_pem(revoked, at(from), at(until));
  };
  CHECK(judged_after(list({}, kNow - 5, kNow + 5), kNow, kNow + 6) == "crl_stale");
  CHECK(judged_after(list({}, kNow - 5, kNow + 5), kNow, kNow - 6) == "crl_invalid");
  // The next one is there already and revokes; the old one is still valid.
  CHECK(judged_after(list({}, kNow - 5, kNow + 50) + list({chain().leaf}, kNow + 10, kNow + 90),
                     kNow, kNow + 10) == "certificate_revoked");
  // The clock goes back to a time at which a revoking one was valid.
  CHECK(judged_after(list({}, kNow - 50, kNow + 50) + list({chain().leaf}, kNow - 90, kNow - 10),
                     kNow, kNow - 10) == "certificate_revoked");
}

TEST_CASE("a clock that is not trusted is reported before memory is asked", "[pki][memory]") {
  const TrustStore store = store_of({chain().root});
  const auto der = chain().leaf.chain_der();
  check_judged(step(store, der, options()), "ok");
  siptls::Now now{siptls::MonoTime{}, at(kNow)};
  now.standing = siptls::ClockStanding::unsynchronised;
  VerifyOptions how(now);
  how.clock = siptls::ClockPolicy::require;
  const Step step_with = step(store, der, how);
  CHECK(step_with.outcome == "clock_not_trusted");
  CHECK(step_with.answered == 0);
}

TEST_CASE("one other octet in any certificate is another chain", "[pki][memory]") {
  const TrustStore store = store_of({chain().root});
  auto der = chain().leaf.chain_der();
  der.push_back(chain().root.certificate_der());  // presented, though it is the anchor
  check_judged(step(store, der, options()), "ok");
  for (std::size_t i = 0; i < der.size(); ++i) {
    for (std::size_t at = 0; at < der[i].size(); ++at) {
      auto changed = der;
      changed[i][at] = static_cast<char>(changed[i][at] ^ 1);
      const auto before = store.chain_memory();
      const auto verdict = verify(store, changed, options());
      INFO("certificate " << i << ", octet " << at);
      CHECK(store.chain_memory().answered == before.answered);
      // A presented root of another octet is not needed; every other change breaks a signature.
      if (i < 2) CHECK_FALSE(verdict);
    }
  }
}

TEST_CASE("order and number of certificates belong to the question", "[pki][memory]") {
  const Entity second = Entity::issued_by(chain().middle, ca_spec("second"));
  const Entity leaf = Entity::issued_by(second, sip_spec("demo.example"));
  const TrustStore store = store_of({chain().root});
  const std::string a = leaf.certificate_der(), b = second.certificate_der(),
                    c = chain().middle.certificate_der();
  check_judged(step(store, {a, b, c}, options()), "ok");
  check_answered(step(store, {a, b, c}, options()));
  check_judged(step(store, {a, c, b}, options()), "ok");
  check_judged(step(store, {a, b, c, b}, options()), "ok");
  check_judged(step(store, {a, b}, options()), "unknown_ca");
  check_judged(step(store, {b, a, c}, options()), "key_usage_forbidden");
  // Nothing but the cut between two certificates differs.
  check_judged(step(store, {a, b + c}, options()), "certificate_unreadable");
}

TEST_CASE("what was judged bad is judged again", "[pki][memory]") {
  const TrustStore store = store_of({Entity::self_signed(ca_spec("another"))});
  for (int i = 0; i < 2; ++i) {
    check_judged(step(store, chain().leaf.chain_der(), options()), "unknown_ca");
  }
  CHECK(store.chain_memory().chains == 0);
}

TEST_CASE("the memory is bounded and forgets what was not used longest", "[pki][memory]") {
  std::vector<Entity> leaves;
  for (int i = 0; i < 4; ++i) {
    leaves.push_back(Entity::issued_by(chain().middle, sip_spec("demo.example")));
  }
  const TrustStore store = store_of({chain().root}, remembering(3));
  for (int i = 0; i < 3; ++i) {
    check_judged(step(store, leaves[static_cast<std::size_t>(i)].chain_der(), options()), "ok");
  }
  check_answered(step(store, leaves[0].chain_der(), options()));
  check_judged(step(store, leaves[3].chain_der(), options()), "ok");  // in the place of 1
  CHECK(store.chain_memory().chains == 3);
  check_answered(step(store, leaves[0].chain_der(), options()));
  check_answered(step(store, leaves[2].chain_der(), options()));
  check_judged(step(store, leaves[1].chain_der(), options()), "ok");
  CHECK(store.chain_memory().chains == 3);
}

TEST_CASE("a store without memory judges each time", "[pki][memory]") {
  const TrustStore store = store_of({chain().root}, remembering(0));
  for (int i = 0; i < 3; ++i) check_judged(step(store, chain().leaf.chain_der(), options()), "ok");
  CHECK(store.chain_memory().chains == 0);
  CHECK(store.digest() == store_of({chain().root}, remembering(9)).digest());
}

TEST_CASE("very long chains are not remembered", "[pki][memory]") {
  const Three large({}, {}, [](CertificateSpec& spec) {
    spec.uris = {};
    for (int i = 0; i < 1000; ++i) spec.dns_names.push_back(std::to_string(i) + ".demo.example");
  });
  const TrustStore store = store_of({large.root});
  for (int i = 0; i < 2; ++i) check_judged(step(store, large.leaf.chain_der(), options()), "ok");
  CHECK(store.chain_memory().chains == 0);
}

TEST_CASE("connections of one peer share what was proven", "[pki][memory]") {
  const Three three({}, {}, [](CertificateSpec& spec) {
    spec.uris = {"sip:a.example", "sip:b.example"};
  });
  const TrustStore store = store_of({three.root});
  const auto& impl = siptls::TrustStoreImpl::of(store);
  std::vector<std::span<const std::byte>> views;
  const auto der = three.leaf.chain_der();
  for (const auto& certificate : der) views.push_back(bytes(certificate));
  const siptls::pki::PresentedChain presented{std::span<const std::span<const std::byte>>(views)};
  const auto any = siptls::pki::verify_chain(impl, presented, options()).value();
  const auto a = siptls::pki::verify_chain(impl, presented, expecting("a.example")).value();
  const auto b = siptls::pki::verify_chain(impl, presented, expecting("b.example")).value();
  CHECK_FALSE(any->matched);
  CHECK(a->matched == 0U);
  CHECK(b->matched == 1U);
  CHECK(siptls::pki::verify_chain(impl, presented, options()).value() == any);
  CHECK(siptls::pki::verify_chain(impl, presented, expecting("A.example")).value() == a);
  CHECK(siptls::pki::verify_chain(impl, presented, expecting("b.example.")).value() == b);
}

TEST_CASE("the OCSP response is judged each time", "[pki][memory]") {
  const TrustStore store = store_of({chain().root});
  const auto der = chain().leaf.chain_der();
  check_judged(step(store, der, options()), "ok");
  demo_pki::OcspSpec spec;
  spec.produced_at = at(kNow - kDay);
  demo_pki::OcspAnswer answer{chain().leaf, at(kNow - kDay), at(kNow + kDay)};
  const std::string good = chain().middle.ocsp_response_der({answer}, spec);
  answer.status = demo_pki::OcspAnswer::Status::revoked;
  const std::string revoked = chain().middle.ocsp_response_der({answer}, spec);
  VerifyOptions how = options();
  how.ocsp = siptls::OcspPolicy::require;
  check_answered(step(store, der, how), "ocsp_response_missing");
  how.ocsp_response = bytes(good);
  check_answered(step(store, der, how));
  CHECK(verify(store, der, how)->ocsp_valid_until == at(kNow + kDay));
  how.ocsp_response = bytes(revoked);
  check_answered(step(store, der, how), "certificate_revoked");
  how.ocsp = siptls::OcspPolicy::ignore;
  check_answered(step(store, der, how));
  // What an earlier response said is not said of a judgement without one.
  CHECK_FALSE(verify(store, der, options())->ocsp_valid_until);
}

TEST_CASE("several threads may use one memory", "[pki][memory]") {
  constexpr int kThreads = 4, kRounds = 200, kLeaves = 5;
  std::vector<Entity> leaves;
  for (int i = 0; i < kLeaves; ++i) {
    leaves.push_back(
        Entity::issued_by(chain().middle, sip_spec("p" + std::to_string(i) + ".example")));
  }
  std::vector<std::vector<std::string>> chains;
  for (const auto& leaf : leaves) chains.push_back(leaf.chain_der());
  // Fewer places than chains, so that threads also push each other's out.
  const TrustStore store = store_of({chain().root}, remembering(kLeaves - 1));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        const int own = (i * (t + 1)) % kLeaves;
        const int asked = i % 3 == 0 ? (own + 1) % kLeaves : own;
        const auto result = verify(store, chains[static_cast<std::size_t>(own)],
                                   expecting("p" + std::to_string(asked) + ".example"));
        if (outcome(result) != (asked == own ? "ok" : "identity_mismatch")) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
  const auto memory = store.chain_memory();
  CHECK(memory.answered + memory.judged == static_cast<std::uint64_t>(kThreads) * kRounds);
  CHECK(memory.answered > 0);
  CHECK(memory.chains <= kLeaves - 1);
}

TEST_CASE("entries that run out are listed", "[pki][loading]") {
  const auto until = [](const char* name, long end) {
    CertificateSpec spec = ca_spec(name);
    spec.not_after = at(end);
    return Entity::self_signed(spec);
  };
  const TrustStore store = store_of(
      {until("gone", kNow - 1), until("soon", kNow + kDay), until("late", kNow + 9 * kDay)});
  const auto names = [&](std::chrono::seconds within) {
    std::string out;
    for (const auto& entry : store.expiring(at(kNow), within)) {
      out += entry.certificate.subject + " ";
    }
    return out;
  };
  CHECK(names(std::chrono::seconds(0)) == "CN=gone ");
  CHECK(names(std::chrono::seconds(-2)).empty());
  CHECK(names(std::chrono::seconds(kDay)) == "CN=gone ");  // valid in its last second
  CHECK(names(std::chrono::seconds(kDay + 1)) == "CN=gone CN=soon ");
  CHECK(names(std::chrono::seconds::max()) == "CN=gone CN=soon CN=late ");
}
