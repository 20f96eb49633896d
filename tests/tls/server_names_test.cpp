// Several certificates in one context, chosen by the name that the client asks for (RFC 6066
// section 3, RFC 9325 section 3.7).
#include "catch.hpp"
#include "peers.hpp"

using namespace siptls;
using namespace siptls_test;
using demo_pki::KeyType;

namespace {

constexpr ProtocolVersion kVersions[] = {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3};

Credentials named(const std::string& domain, KeyType key = KeyType::p256) {
  return credentials_of(demo_pki::Entity::issued_by(site().root, demo_pki::sip_spec(domain), key));
}

Change several(ProtocolVersion version, const Change& change = {}) {
  return [=](TlsContextConfig& made) {
    only(version)(made);
    made.credentials = named("one.example");
    made.more_credentials = {named("two.example", KeyType::rsa2048),
                             named("three.example", KeyType::ed25519)};
    if (change) change(made);
  };
}

}  // namespace

TEST_CASE("Each name of a server is answered with its own certificate") {
  for (const ProtocolVersion version : kVersions) {
    const TlsContext many = context(several(version));
    for (const char* domain : {"one.example", "two.example", "three.example", "TWO.example"}) {
      CAPTURE(to_string(version), domain);
      SessionEnd a = client(context(only(version)), domain);
      SessionEnd b = server(many);
      connect(a, b);
      REQUIRE(a.established());
      REQUIRE(b.established());
      CHECK(a.session.peer().path->matched.has_value());
    }
  }
}

TEST_CASE("An unknown name is refused where there are several, and on request where there is one") {
  struct Row {
    bool many;
    UnknownServerName policy;
    bool refused;
  };
  const Row rows[] = {
      {true, UnknownServerName::refuse_if_several, true},
      {true, UnknownServerName::refuse, true},
      {true, UnknownServerName::use_first, false},
      {false, UnknownServerName::refuse_if_several, false},
      {false, UnknownServerName::refuse, true},
      {false, UnknownServerName::use_first, false},
  };
  for (const ProtocolVersion version : kVersions) {
    for (const Row& row : rows) {
      CAPTURE(to_string(version), row.many, static_cast<int>(row.policy));
      const TlsContext context_b = context(several(version, [&](TlsContextConfig& made) {
        if (!row.many) made.more_credentials.clear();
        made.policy.unknown_server_name = row.policy;
      }));
      SessionEnd a = client(context(only(version)), "four.example");
      SessionEnd b = server(context_b);
      connect(a, b);
      REQUIRE(a.error);
      REQUIRE(b.error);
      if (row.refused) {
        CHECK(b.error->reason() == Errc::unknown_server_name);
        CHECK(b.error->evidence().find("four.example") != std::string::npos);
        CHECK(a.error->alert() == Alert::unrecognized_name);
      } else {
        CHECK(a.error->reason() == Errc::identity_mismatch);
      }
    }
  }
}

TEST_CASE("A client that asks for no name gets the first certificate") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const TlsContext many = context(several(version));
    BareEnd a(PeerRole::client, [](SSL_CTX* made) { use_credentials(made, site().leaf); });
    SessionEnd b = server(many);
    connect(a, b);
    REQUIRE(b.established());
    const auto* const chain = SSL_get0_peer_certificates(a.ssl());
    REQUIRE(chain != nullptr);
    const CRYPTO_BUFFER* const leaf = sk_CRYPTO_BUFFER_value(chain, 0);
    const std::string der(reinterpret_cast<const char*>(CRYPTO_BUFFER_data(leaf)),
                          CRYPTO_BUFFER_len(leaf));
    CHECK(der.find("one.example") != std::string::npos);
  }
}

TEST_CASE("More credentials are checked like the first ones") {
  auto made = config([](TlsContextConfig& change) {
    change.credentials.reset();
    change.more_credentials = {named("two.example")};
  });
  const auto without_first = TlsContext::create(made);
  REQUIRE_FALSE(without_first);
  CHECK(without_first.error().reason() == Errc::credentials_missing);

  made.credentials = named("one.example");
  made.more_credentials = {named("two.example", KeyType::p384)};
  made.policy.groups = {0x001d, 0x0017};
  const auto unlisted_curve = TlsContext::create(made);
  REQUIRE_FALSE(unlisted_curve);
  CHECK(unlisted_curve.error().reason() == Errc::policy_unsupported);
}

TEST_CASE(
    "Credentials that could never be shown are refused, and each that is shown must be valid") {
  auto made = config([](TlsContextConfig& change) {
    change.credentials = named("one.example");
    change.more_credentials = {named("ONE.example", KeyType::rsa2048)};
  });
  const auto hidden = TlsContext::create(made);
  REQUIRE_FALSE(hidden);
  CHECK(hidden.error().reason() == Errc::policy_unsupported);
  CHECK(hidden.error().evidence().find("one.example") != std::string::npos);

  made.more_credentials = {leaf_of(site(), [](demo_pki::CertificateSpec& spec) {
    spec = demo_pki::sip_spec("two.example");
    spec.not_after = test_now().wall + std::chrono::hours(1);
  })};
  const auto brief = TlsContext::create(made);
  REQUIRE(brief);
  CHECK(brief->valid_at(test_now()));
  Now later = test_now();
  later.wall += std::chrono::hours(2);
  const auto expired = brief->valid_at(later);
  REQUIRE_FALSE(expired);
  CHECK(expired.error().reason() == Errc::certificate_expired);
  CHECK(expired.error().evidence().find("two.example") != std::string::npos);
}

TEST_CASE("A list of allowed peers that holds no names is refused") {
  for (const char* name : {"", "*", "sip:a.example", "foo@bar.example", "a b"}) {
    CAPTURE(name);
    const auto made = TlsContext::create(config([&](TlsContextConfig& change) {
      change.allowed_peers = {"a.example", name};
    }));
    REQUIRE_FALSE(made);
    CHECK(made.error().reason() == Errc::invalid_domain);
  }
}
