#include <functional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "pki/pki_support.hpp"

using namespace pki_test;
using demo_pki::ca_spec;
using demo_pki::Digest;
using demo_pki::KeyType;
using demo_pki::ocsp_responder_spec;
using demo_pki::OcspAnswer;
using demo_pki::OcspSpec;
using demo_pki::sip_spec;
using siptls::OcspPolicy;
using siptls::PeerRole;

namespace {

constexpr long kHour = 3600;

// A leaf, its issuer, and others who might want to speak for the issuer.
struct World {
  Entity root = Entity::self_signed(ca_spec("root"));
  Entity issuer = Entity::issued_by(root, ca_spec("issuer"));
  Entity leaf = Entity::issued_by(issuer, sip_spec("demo.example"));
  Entity neighbour = Entity::issued_by(issuer, sip_spec("neighbour.example"));
  Entity responder = Entity::issued_by(issuer, ocsp_responder_spec("responder"));

  OcspAnswer answer() const { return {leaf, at(kNow - kHour), at(kNow + kHour)}; }
};

OcspSpec made(long when = kNow - kHour) {
  OcspSpec spec;
  spec.produced_at = at(when);
  return spec;
}

siptls::Result<siptls::ProvenPath> judge(const World& world, const std::string& response,
                                         OcspPolicy policy = OcspPolicy::if_present,
                                         PeerRole role = PeerRole::server) {
  VerifyOptions how = expecting("demo.example");
  how.ocsp = policy;
  how.role = role;
  how.ocsp_response = bytes(response);
  return verify(store_of({world.root}), world.leaf, how);
}

// What a row does to a good response of the issuer.
struct Draft {
  const World& world;
  Entity signer;
  std::vector<OcspAnswer> answers;
  OcspSpec spec;

  explicit Draft(const World& in)
      : world(in), signer(in.issuer), answers{in.answer()}, spec(made()) {}
  OcspAnswer& answer() { return answers.front(); }
  void delegate(const Entity& responder) {
    signer = responder;
    spec.certificates = {responder};
  }
  void delegate(const std::function<void(CertificateSpec&)>& change, KeyType key = KeyType::p256) {
    delegate(
        Entity::issued_by(world.issuer, changed(ocsp_responder_spec("responder"), change), key));
  }
};

struct Row {
  const char* what;
  const char* expected;
  const char* evidence;  // a part of it
  std::function<void(Draft&)> change;
};

void check_rows(const std::vector<Row>& rows) {
  const World world;
  for (const auto& row : rows) {
    INFO(row.what);
    Draft draft(world);
    row.change(draft);
    const std::string response = draft.signer.ocsp_response_der(draft.answers, draft.spec);
    const auto result = judge(world, response);
    CHECK(outcome(result) == row.expected);
    if (!result) {
      INFO(result.error().evidence());
      CHECK(result.error().certificate() == 0U);
      CHECK(mentions(result.error(), row.evidence));
      // Who ignores responses is not bothered by this one.
      CHECK(outcome(judge(world, response, OcspPolicy::ignore)) == "ok");
    } else {
      REQUIRE(result->ocsp_valid_until);
      CHECK(*result->ocsp_valid_until > at(kNow));
    }
  }
}

constexpr const char* kOk = "ok";
constexpr const char* kInvalid = "ocsp_response_invalid";
constexpr const char* kRevoked = "certificate_revoked";

}  // namespace

TEST_CASE("what an OCSP response says about the leaf decides", "[pki][ocsp]") {
  check_rows({
      {"good", kOk, "", [](Draft&) {}},
      {"unknown", kInvalid, "does not know \"CN=demo.example\"",
       [](Draft& d) { d.answer().status = OcspAnswer::Status::unknown; }},
      {"revoked", kRevoked, "was revoked at 2025-01-01T00:00:00Z (no reason given)",
       [](Draft& d) { d.answer().status = OcspAnswer::Status::revoked; }},
      {"revoked for a reason", kRevoked, "(keyCompromise)",
       [](Draft& d) {
         d.answer().status = OcspAnswer::Status::revoked;
         d.answer().reason = 1;
       }},
      {"revoked for a reason without a name", kRevoked, "(reason 7)",
       [](Draft& d) {
         d.answer().status = OcspAnswer::Status::revoked;
         d.answer().reason = 7;
       }},
      {"revoked, in a response that is out of date", kRevoked, "judged at 2026-01-01T00:00:00Z",
       [](Draft& d) {
         d.answer().status = OcspAnswer::Status::revoked;
         d.answer().next_update = at(kNow - 1);
       }},
      {"revoked beside good", kRevoked, "",
       [](Draft& d) {
         d.answers.push_back(d.answer());
         d.answers.back().status = OcspAnswer::Status::revoked;
       }},
      {"unknown beside good", kInvalid, "does not know",
       [](Draft& d) {
         d.answers.push_back(d.answer());
         d.answers.back().status = OcspAnswer::Status::unknown;
       }},
      {"stale beside good", kOk, "",
       [](Draft& d) {
         d.answers.push_back(d.answer());
         d.answer().next_update = at(kNow - 1);
       }},
      {"good about the leaf, revoked about its neighbour", kOk, "",
       [](Draft& d) {
         d.answers.push_back(d.answer());
         d.answer().certificate = d.world.neighbour;
         d.answer().status = OcspAnswer::Status::revoked;
       }},
  });
}

TEST_CASE("an OCSP response is about the certificate that its CertID names", "[pki][ocsp]") {
  check_rows({
      {"SHA-256", kOk, "", [](Draft& d) { d.answer().id_digest = Digest::sha256; }},
      {"another digest", kInvalid, "is none of them",
       [](Draft& d) { d.answer().id_digest = Digest::sha512; }},
      {"the neighbour", kInvalid, "is none of them",
       [](Draft& d) { d.answer().certificate = d.world.neighbour; }},
      {"another serial number", kInvalid, "is none of them",
       [](Draft& d) { d.answer().wrong_serial = true; }},
      {"another issuer", kInvalid, "is none of them",
       [](Draft& d) { d.answer().issuer = d.world.root; }},
      {"an issuer of another name with the same key", kInvalid, "is none of them",
       [](Draft& d) { d.answer().wrong_issuer_name = true; }},
      {"an issuer of the same name with another key", kInvalid, "is none of them",
       [](Draft& d) { d.answer().issuer = Entity::self_signed(ca_spec("issuer")); }},
      {"nobody", kInvalid, "is about 0 certificates", [](Draft& d) { d.answers.clear(); }},
      {"as many as are looked at", kOk, "", [](Draft& d) { d.answers.resize(32, d.answer()); }},
      {"too many", kInvalid, "more than 32", [](Draft& d) { d.answers.resize(33, d.answer()); }},
  });
}

TEST_CASE("an OCSP response holds from thisUpdate to nextUpdate", "[pki][ocsp]") {
  check_rows({
      {"thisUpdate is now", kOk, "", [](Draft& d) { d.answer().this_update = at(kNow); }},
      {"thisUpdate is to come", kInvalid,
       "is of 2026-01-01T00:00:01Z; judged at 2026-01-01T00:00:00Z (given)",
       [](Draft& d) { d.answer().this_update = at(kNow + 1); }},
      {"nextUpdate was a second ago", kInvalid,
       "was to be replaced at 2025-12-31T23:59:59Z; judged at 2026-01-01T00:00:00Z (given)",
       [](Draft& d) { d.answer().next_update = at(kNow - 1); }},
      {"no nextUpdate", kInvalid, "does not say when the next one comes",
       [](Draft& d) { d.answer().next_update = std::nullopt; }},
      {"made now", kOk, "", [](Draft& d) { d.spec.produced_at = at(kNow); }},
      {"made in a second", kInvalid, "2026-01-01T00:00:01Z, which is yet to come",
       [](Draft& d) { d.spec.produced_at = at(kNow + 1); }},
  });
  // The last second counts, and the end is told.
  const World world;
  OcspAnswer answer = world.answer();
  answer.next_update = at(kNow);
  VerifyOptions how = expecting("demo.example");
  const std::string response = world.issuer.ocsp_response_der({answer}, made());
  how.ocsp_response = bytes(response);
  const auto result = verify(store_of({world.root}), world.leaf, how);
  REQUIRE(outcome(result) == "ok");
  CHECK(result->ocsp_valid_until == at(kNow));
}

TEST_CASE("the times of OCSP responses have one form", "[pki][ocsp]") {
  const auto made_at = [](const char* text) {
    return [text](Draft& d) { d.spec.produced_at_text = text; };
  };
  const char* const wrong = "its producedAt is no GeneralizedTime of RFC 5280";
  check_rows({
      {"as it should be", kOk, "", made_at("20251231235959Z")},
      {"a leap day", kOk, "", made_at("20240229120000Z")},
      {"no leap year", kInvalid, wrong, made_at("20250229120000Z")},
      {"no month", kInvalid, wrong, made_at("20251301000000Z")},
      {"no day", kInvalid, wrong, made_at("20250100000000Z")},
      {"no hour", kInvalid, wrong, made_at("20250101240000Z")},
      {"no minute", kInvalid, wrong, made_at("20250101006000Z")},
      {"a leap second", kInvalid, wrong, made_at("20241231235960Z")},
      {"a fraction", kInvalid, wrong, made_at("20250101000000.5Z")},
      {"without seconds", kInvalid, wrong, made_at("202501010000Z")},
      {"an offset", kInvalid, wrong, made_at("20250101000000+0000")},
      {"local time", kInvalid, wrong, made_at("20250101000000")},
      {"a sign for a digit", kInvalid, wrong, made_at("-0250101000000Z")},
      {"before all times", kOk, "", made_at("00000101000000Z")},
      {"after all times", kInvalid, "which is yet to come", made_at("99991231235959Z")},
      {"a nextUpdate after all times", kOk, "",
       [](Draft& d) { d.answer().next_update_text = "99991231235959Z"; }},
      {"a nextUpdate of another form", kInvalid, "SingleResponse 0",
       [](Draft& d) { d.answer().next_update_text = "9912312359Z"; }},
  });
}

TEST_CASE("the issuer signs OCSP responses, or somebody whom it lets", "[pki][ocsp]") {
  check_rows({
      {"the issuer by key", kOk, "", [](Draft& d) { d.spec.by_key = true; }},
      {"a responder", kOk, "", [](Draft& d) { d.delegate(d.world.responder); }},
      {"a responder by key", kOk, "",
       [](Draft& d) {
         d.delegate(d.world.responder);
         d.spec.by_key = true;
       }},
      {"a responder behind certificates that have nothing to do with it", kOk, "",
       [](Draft& d) {
         d.delegate(d.world.responder);
         d.spec.certificates = {d.world.root, d.world.issuer, d.world.leaf, d.world.responder};
       }},
      {"a responder with its issuer's name", kOk, "",
       [](Draft& d) { d.delegate([](CertificateSpec& spec) { spec.common_name = "issuer"; }); }},
      {"a responder with its issuer's name, behind the issuer", kOk, "",
       [](Draft& d) {
         d.delegate([](CertificateSpec& spec) { spec.common_name = "issuer"; });
         d.spec.certificates.insert(d.spec.certificates.begin(), d.world.issuer);
       }},
      {"a responder without keyUsage", kOk, "",
       [](Draft& d) { d.delegate([](CertificateSpec& spec) { spec.key_usage.clear(); }); }},
      {"a responder whose certificate is not in it", kInvalid,
       "names \"CN=responder\" as its signer", [](Draft& d) { d.signer = d.world.responder; }},
      {"a responder by key whose certificate is not in it", kInvalid,
       "names the responder with the key ",
       [](Draft& d) {
         d.signer = d.world.responder;
         d.spec.by_key = true;
       }},
      {"a responder that says it is the issuer", kInvalid, "its signature is wrong",
       [](Draft& d) {
         d.delegate(d.world.responder);
         d.spec.claimed_responder = d.world.issuer;
       }},
      {"the issuer, which says it is the responder", kInvalid, "its signature is wrong",
       [](Draft& d) {
         d.spec.certificates = {d.world.responder};
         d.spec.claimed_responder = d.world.responder;
       }},
      {"the root", kInvalid, "names \"CN=root\" as its signer",
       [](Draft& d) { d.signer = d.world.root; }},
      {"a responder of the root", kInvalid, "was issued by \"CN=root\"",
       [](Draft& d) {
         d.delegate(Entity::issued_by(d.world.root, ocsp_responder_spec("responder")));
       }},
      {"a responder of an issuer of the same name", kInvalid, "is not signed by the issuer's key",
       [](Draft& d) {
         d.delegate(Entity::issued_by(Entity::self_signed(ca_spec("issuer")),
                                      ocsp_responder_spec("responder")));
       }},
      {"a responder that it issued itself", kInvalid, "was issued by \"CN=responder\"",
       [](Draft& d) { d.delegate(Entity::self_signed(ocsp_responder_spec("responder"))); }},
      {"the neighbour", kInvalid, "has no extendedKeyUsage id-kp-OCSPSigning",
       [](Draft& d) { d.delegate(d.world.neighbour); }},
      {"a responder without extendedKeyUsage", kInvalid, "id-kp-OCSPSigning",
       [](Draft& d) {
         d.delegate([](CertificateSpec& spec) { spec.extended_key_usage.clear(); });
       }},
      {"a responder for any purpose", kInvalid, "id-kp-OCSPSigning",
       [](Draft& d) {
         d.delegate([](CertificateSpec& spec) { spec.extended_key_usage = {"2.5.29.37.0"}; });
       }},
      {"a responder with another keyUsage", kInvalid, "keyUsage without digitalSignature",
       [](Draft& d) {
         d.delegate([](CertificateSpec& spec) { spec.key_usage = {"keyAgreement"}; });
       }},
      {"a responder that has run out", kInvalid,
       "is valid from 2024-01-01T00:00:00Z to 2025-12-31T23:59:59Z; judged at "
       "2026-01-01T00:00:00Z (given)",
       [](Draft& d) { d.delegate([](CertificateSpec& spec) { spec.not_after = at(kNow - 1); }); }},
      {"a responder of the future", kInvalid, "is valid from 2026-01-01T00:00:01Z",
       [](Draft& d) { d.delegate([](CertificateSpec& spec) { spec.not_before = at(kNow + 1); }); }},
      {"a responder with a critical extension", kInvalid, "critical one that is not known here",
       [](Draft& d) {
         d.delegate([](CertificateSpec& spec) { spec.unknown_critical_extension = true; });
       }},
      {"a responder certified with SHA-1", kInvalid, "is signed with SHA-1",
       [](Draft& d) { d.delegate([](CertificateSpec& spec) { spec.digest = Digest::sha1; }); }},
      {"a responder with a weak key", kInvalid, "RSA 1024, which is too weak",
       [](Draft& d) { d.delegate([](CertificateSpec&) {}, KeyType::rsa1024); }},
      {"a responder with an altered certificate", kInvalid, "is not signed by the issuer's key",
       [](Draft& d) { d.delegate([](CertificateSpec& spec) { spec.corrupt_signature = true; }); }},
  });
}

TEST_CASE("a delegated OCSP response ends with its responder's certificate", "[pki][ocsp]") {
  const World world;
  auto spec = ocsp_responder_spec("responder");
  spec.not_after = at(kNow + 60);
  const Entity responder = Entity::issued_by(world.issuer, spec);
  OcspSpec how = made();
  how.certificates = {responder};
  const auto result = judge(world, responder.ocsp_response_der({world.answer()}, how));
  REQUIRE(outcome(result) == "ok");
  CHECK(result->ocsp_valid_until == at(kNow + 60));
}

TEST_CASE("signatures of OCSP responses are checked", "[pki][ocsp]") {
  const auto by = [](KeyType key, Digest digest) {
    return [key, digest](Draft& d) {
      d.delegate([](CertificateSpec&) {}, key);
      d.spec.digest = digest;
    };
  };
  check_rows({
      {"altered", kInvalid, "its signature is wrong",
       [](Draft& d) { d.spec.corrupt_signature = true; }},
      {"ECDSA with SHA-384", kOk, "", by(KeyType::p384, Digest::sha384)},
      {"ECDSA with SHA-512", kOk, "", by(KeyType::p521, Digest::sha512)},
      {"ECDSA with SHA-1", kInvalid, "ecdsa-with-SHA1", by(KeyType::p256, Digest::sha1)},
      {"Ed25519", kOk, "", by(KeyType::ed25519, Digest::sha256)},
      {"RSA with SHA-256", kOk, "", by(KeyType::rsa2048, Digest::sha256)},
      {"RSA with SHA-384", kOk, "", by(KeyType::rsa2048, Digest::sha384)},
      {"RSA with SHA-512", kOk, "", by(KeyType::rsa2048, Digest::sha512)},
      {"RSA-PSS", kOk, "", by(KeyType::rsa2048, Digest::sha256_pss)},
      {"RSA with SHA-1", kInvalid, "sha1WithRSAEncryption", by(KeyType::rsa2048, Digest::sha1)},
      {"RSA with MD5", kInvalid, "md5WithRSAEncryption", by(KeyType::rsa2048, Digest::md5)},
  });
}

TEST_CASE("OCSP responses that are not understood are refused", "[pki][ocsp]") {
  const auto status = [](int code) { return [code](Draft& d) { d.spec.response_status = code; }; };
  check_rows({
      {"a nonce", kOk, "", [](Draft& d) { d.spec.nonce = true; }},
      {"v1 said aloud", kOk, "", [](Draft& d) { d.spec.version = 0; }},
      {"v2", kInvalid, "its version is not v1", [](Draft& d) { d.spec.version = 1; }},
      {"malformedRequest", kInvalid, "its status is 1 (malformedRequest)", status(1)},
      {"tryLater", kInvalid, "its status is 3 (tryLater)", status(3)},
      {"a status without a name", kInvalid, "its status is 4 (unknown)", status(4)},
      {"another type", kInvalid, "1.3.6.1.5.5.7.48.1.99, not id-pkix-ocsp-basic",
       [](Draft& d) { d.spec.response_type = "1.3.6.1.5.5.7.48.1.99"; }},
      {"a critical extension", kInvalid, "the critical extension 1.3.6.1.4.1.32473.1",
       [](Draft& d) { d.spec.unknown_critical_extension = true; }},
      {"a critical extension of an answer", kInvalid, "the critical extension 1.3.6.1.4.1.32473.1",
       [](Draft& d) { d.answer().unknown_critical_extension = true; }},
      {"octets behind the end", kInvalid, "2 octets behind its end",
       [](Draft& d) { d.spec.trailing = "ab"; }},
      {"as many certificates as are looked at", kOk, "",
       [](Draft& d) { d.spec.certificates.assign(8, d.world.root); }},
      {"too many certificates", kInvalid, "more than 8 certificates",
       [](Draft& d) { d.spec.certificates.assign(9, d.world.root); }},
  });
}

TEST_CASE("an OCSP response is read whole or not at all", "[pki][ocsp]") {
  const World world;
  OcspSpec spec = made();
  spec.certificates = {world.responder};
  spec.nonce = true;
  const std::string good = world.responder.ocsp_response_der({world.answer()}, spec);
  REQUIRE(outcome(judge(world, good)) == "ok");
  for (std::size_t size = 1; size < good.size(); ++size) {
    INFO("the first " << size << " octets");
    CHECK(outcome(judge(world, good.substr(0, size))) == kInvalid);
  }
  // The responder's certificate stands behind what it signs, but the issuer has signed that.
  for (std::size_t i = 0; i < good.size(); ++i) {
    INFO("octet " << i);
    std::string altered = good;
    altered[i] = static_cast<char>(altered[i] ^ 0x01);
    CHECK(outcome(judge(world, altered)) == kInvalid);
  }
  CHECK(outcome(judge(world, std::string(64 * 1024, '\0'))) == kInvalid);
  const auto long_one = judge(world, std::string(64 * 1024 + 1, '0'));
  REQUIRE(outcome(long_one) == kInvalid);
  CHECK(mentions(long_one.error(), "65537 octets"));
}

TEST_CASE("an OCSP response is required, taken or ignored", "[pki][ocsp]") {
  const World world;
  const std::string good = world.issuer.ocsp_response_der({world.answer()}, made());
  OcspAnswer stale_answer = world.answer();
  stale_answer.next_update = at(kNow - 1);
  const std::string stale = world.issuer.ocsp_response_der({stale_answer}, made());
  struct Case {
    const char* what;
    std::string response;
    OcspPolicy policy;
    PeerRole role;
    const char* expected;
    bool judged;
  };
  const std::vector<Case> cases{
      {"ignored", stale, OcspPolicy::ignore, PeerRole::server, "ok", false},
      {"none, if present", "", OcspPolicy::if_present, PeerRole::server, "ok", false},
      {"none, required", "", OcspPolicy::require, PeerRole::server, "ocsp_response_missing", false},
      {"good, required", good, OcspPolicy::require, PeerRole::server, "ok", true},
      {"stale, required", stale, OcspPolicy::require, PeerRole::server, kInvalid, false},
      {"stale, if present", stale, OcspPolicy::if_present, PeerRole::server, kInvalid, false},
      {"clients bring none", "", OcspPolicy::require, PeerRole::client, "ok", false},
      {"but one given is judged", stale, OcspPolicy::if_present, PeerRole::client, kInvalid, false},
  };
  for (const auto& row : cases) {
    INFO(row.what);
    const auto result = judge(world, row.response, row.policy, row.role);
    CHECK(outcome(result) == row.expected);
    if (result) {
      CHECK(result->ocsp_valid_until.has_value() == row.judged);
    }
    if (!result) {
      CHECK(result.error().certificate() == 0U);
    }
  }
}

TEST_CASE("of a leaf that is trusted itself only its own word can be judged", "[pki][ocsp]") {
  const World world;
  const auto judge_entry = [](const Entity& entry, const std::string& response, OcspPolicy policy) {
    VerifyOptions how = expecting("demo.example");
    how.ocsp = policy;
    how.ocsp_response = bytes(response);
    return verify(store_of({entry}), entry, how);
  };
  const Entity own = Entity::self_signed(sip_spec("demo.example"));
  OcspAnswer answer = world.answer();
  answer.certificate = own;
  CHECK(outcome(judge_entry(own, own.ocsp_response_der({answer}, made()), OcspPolicy::require)) ==
        "ok");
  answer.status = OcspAnswer::Status::revoked;
  CHECK(outcome(judge_entry(own, own.ocsp_response_der({answer}, made()),
                            OcspPolicy::if_present)) == kRevoked);
  // It is no CA, so it lets nobody sign.
  answer.status = OcspAnswer::Status::good;
  const Entity friend_of_it = Entity::issued_by(own, ocsp_responder_spec("responder"));
  OcspSpec delegated = made();
  delegated.certificates = {friend_of_it};
  const auto refused =
      judge_entry(own, friend_of_it.ocsp_response_der({answer}, delegated), OcspPolicy::if_present);
  REQUIRE(outcome(refused) == kInvalid);
  CHECK(mentions(refused.error(), "is no CA"));
  // An entry whose issuer is not known.
  const std::string good = world.issuer.ocsp_response_der({world.answer()}, made());
  CHECK(outcome(judge_entry(world.leaf, good, OcspPolicy::if_present)) == "ok");
  const auto required = judge_entry(world.leaf, good, OcspPolicy::require);
  REQUIRE(outcome(required) == kInvalid);
  CHECK(mentions(required.error(), "CN=issuer"));
  CHECK(outcome(judge_entry(world.leaf, "", OcspPolicy::require)) == "ocsp_response_missing");
}

TEST_CASE("a path that is not good is not saved by its OCSP response", "[pki][ocsp]") {
  const World world;
  const std::string good = world.issuer.ocsp_response_der({world.answer()}, made());
  VerifyOptions how = expecting("demo.example");
  how.ocsp_response = bytes(good);
  CHECK(outcome(verify(store_of({Entity::self_signed(ca_spec("stranger"))}), world.leaf, how)) ==
        "unknown_ca");
  how.identity = "neighbour.example";
  CHECK(outcome(verify(store_of({world.root}), world.leaf, how)) == "identity_mismatch");
}
