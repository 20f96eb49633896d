#include "siptls/tls_policy.hpp"

#include <algorithm>

#include "catch.hpp"
#include "peers.hpp"
#include "siptls/cipher_suites.hpp"
#include "tls/library_features.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

constexpr std::uint16_t kMlkem = 0x11ec;

bool contains(const std::vector<std::uint16_t>& codes, std::uint16_t code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

// The error of create() for a policy changed by `change`.
std::string refusal(const Change& change) {
  const auto made = TlsContext::create(config(change));
  if (made) return "accepted";
  CHECK(made.error().reason() == Errc::policy_unsupported);
  return made.error().evidence();
}

}  // namespace

TEST_CASE("Every preset can be used as it is") {
  for (const TlsPolicy& policy :
       {TlsPolicy::modern(), TlsPolicy::interop(), TlsPolicy::img2020()}) {
    const auto made = TlsContext::create(config([&](TlsContextConfig& c) { c.policy = policy; }));
    CHECK(made.has_value());
  }
}

TEST_CASE(
    "The default policy has forward-secret AEAD suites only, and interop adds CBC behind them") {
  const TlsPolicy modern = TlsPolicy::modern();
  CHECK(modern.cipher_suites.size() == 6);
  for (const std::uint16_t code : modern.cipher_suites) {
    CHECK(find_cipher_suite(code)->status == SuiteStatus::offered);
  }
  const TlsPolicy interop = TlsPolicy::interop();
  REQUIRE(interop.cipher_suites.size() > modern.cipher_suites.size());
  CHECK(std::equal(modern.cipher_suites.begin(), modern.cipher_suites.end(),
                   interop.cipher_suites.begin()));
  for (std::size_t i = modern.cipher_suites.size(); i < interop.cipher_suites.size(); ++i) {
    const CipherSuite* suite = find_cipher_suite(interop.cipher_suites[i]);
    CAPTURE(suite->name);
    CHECK(suite->status == SuiteStatus::interop);
    CHECK(suite->key_exchange == "ECDHE");
  }
}

TEST_CASE("The hybrid group stands first where the library has it, and only there") {
  const TlsPolicy modern = TlsPolicy::modern();
  const bool available = tls::library_group_name(kMlkem) != nullptr;
  CHECK(contains(modern.groups, kMlkem) == available);
  if (available) CHECK(modern.groups.front() == kMlkem);
  CHECK_FALSE(contains(TlsPolicy::img2020().groups, kMlkem));

  const std::string named = refusal([](TlsContextConfig& c) { c.policy.groups = {kMlkem, 0x17}; });
  if (available) {
    CHECK(named == "accepted");
  } else {
    CHECK(named.find("X25519MLKEM768") != std::string::npos);
  }
}

TEST_CASE("img2020 is TLS 1.2 with the ECDHE suites of its list in its order") {
  const TlsPolicy policy = TlsPolicy::img2020();
  CHECK(policy.min_version == ProtocolVersion::tls1_2);
  CHECK(policy.max_version == ProtocolVersion::tls1_2);
  std::vector<std::uint16_t> expected;
  const std::vector<std::uint16_t> listed = {0xc030, 0xc02c, 0xc014, 0xc00a, 0xc02f,
                                             0xc02b, 0xc027, 0xc023, 0xc013, 0xc009};
  for (const std::uint16_t code : listed) {
    if (tls::library_has_suite(code)) expected.push_back(code);
  }
  CHECK(expected.size() >= 8);
  CHECK(policy.cipher_suites == expected);
}

TEST_CASE("img2020 can be narrowed to suites of 128 bits") {
  const auto all = TlsPolicy::img2020().cipher_suites;
  CHECK(TlsPolicy::img2020(SuiteStrength::any).cipher_suites == all);
  CHECK(TlsPolicy::img2020(SuiteStrength::at_least_128).cipher_suites == all);

  const TlsPolicy narrow = TlsPolicy::img2020(SuiteStrength::only_128);
  CHECK(narrow.min_version == ProtocolVersion::tls1_2);
  CHECK(narrow.max_version == ProtocolVersion::tls1_2);
  std::vector<std::uint16_t> expected;
  for (const std::uint16_t code : all) {
    if (find_cipher_suite(code)->strength_bits == 128) expected.push_back(code);
  }
  CHECK(expected.size() >= 4);
  CHECK(expected.size() < all.size());
  CHECK(narrow.cipher_suites == expected);
}

TEST_CASE("A narrowed img2020 meets only what is of its strength, whatever the peer prefers") {
  const auto with = [](SuiteStrength strength) {
    return context(
        [strength](TlsContextConfig& made) { made.policy = TlsPolicy::img2020(strength); });
  };
  for (const bool narrow_client : {true, false}) {
    CAPTURE(narrow_client);
    const TlsContext narrow = with(SuiteStrength::only_128);
    SessionEnd a = client(narrow_client ? narrow : context());
    SessionEnd b = server(narrow_client ? context() : narrow);
    connect(a, b);
    REQUIRE(a.established());
    REQUIRE(b.established());
    CHECK(a.session.peer().version == ProtocolVersion::tls1_2);
    CHECK(find_cipher_suite(a.session.peer().cipher_suite)->strength_bits == 128);
  }
  SessionEnd wide = client(with(SuiteStrength::any));
  SessionEnd any = server(with(SuiteStrength::any));
  connect(wide, any);
  REQUIRE(wide.established());
  CHECK(find_cipher_suite(wide.session.peer().cipher_suite)->strength_bits == 256);

  // A peer that has 256 bits only is told what is missing.
  SessionEnd strong = client(context([](TlsContextConfig& made) {
    only(ProtocolVersion::tls1_2)(made);
    made.policy.cipher_suites = {0xc02c};
  }));
  SessionEnd narrow = server(with(SuiteStrength::only_128));
  connect(strong, narrow);
  REQUIRE(narrow.error.has_value());
  CHECK(narrow.error->reason() == Errc::no_common_cipher_suite);
}

TEST_CASE("No preset signs with SHA-1, and all know Ed25519 and P-521") {
  for (const TlsPolicy& policy :
       {TlsPolicy::modern(), TlsPolicy::interop(), TlsPolicy::img2020()}) {
    CHECK_FALSE(contains(policy.signature_schemes, 0x0201));
    CHECK_FALSE(contains(policy.signature_schemes, 0x0203));
    CHECK(contains(policy.signature_schemes, 0x0807));
    CHECK(contains(policy.signature_schemes, 0x0603));
  }
}

TEST_CASE("A policy that cannot be honoured is refused, and the refusal names what") {
  struct Row {
    const char* what;
    Change change;
    const char* named;
  };
  const Row rows[] = {
      {"TLS 1.1", [](auto& c) { c.policy.min_version = static_cast<ProtocolVersion>(0x0302); },
       "0x0302"},
      {"versions the wrong way round",
       [](auto& c) {
         c.policy.min_version = ProtocolVersion::tls1_3;
         c.policy.max_version = ProtocolVersion::tls1_2;
       },
       "0x0304 to 0x0303"},
      {"a suite of TLS 1.3",
       [](auto& c) {
         c.policy.cipher_suites = {0xc02b, 0x1301};
       },
       "TLS_AES_128_GCM_SHA256"},
      {"a refused suite",
       [](auto& c) {
         c.policy.cipher_suites = {0x0033, 0xc02b};
       },
       "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"},
      {"an unknown suite", [](auto& c) { c.policy.cipher_suites = {0x000a}; }, "0x000A"},
      {"no suite", [](auto& c) { c.policy.cipher_suites.clear(); }, "without any"},
      {"an unknown group",
       [](auto& c) {
         c.policy.groups = {0x17, 0x0100};
       },
       "ffdhe2048"},
      {"a weak group",
       [](auto& c) {
         c.policy.groups = {0x17, 0x0015};
       },
       "P-224"},
      {"no group", [](auto& c) { c.policy.groups.clear(); }, "none"},
      {"the certificate's curve is missing", [](auto& c) { c.policy.groups = {0x1d}; }, "P-256"},
      {"SHA-1",
       [](auto& c) {
         c.policy.signature_schemes = {0x0403, 0x0201};
       },
       "rsa_pkcs1_sha1"},
      {"no scheme", [](auto& c) { c.policy.signature_schemes.clear(); }, "none"},
      {"no scheme for the key", [](auto& c) { c.policy.signature_schemes = {0x0804}; }, "P-256"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const std::string text = refusal(row.change);
    CAPTURE(text);
    CHECK(text.find(row.named) != std::string::npos);
  }
}

TEST_CASE("Static RSA is used by a policy that names it, and by no other") {
  const auto with = [](std::vector<std::uint16_t> suites) {
    return [suites](TlsContextConfig& c) {
      only(ProtocolVersion::tls1_2)(c);
      // Newer BoringSSL wants keyUsage to allow what the suite does with the key.
      c.credentials = leaf_of(
          site(),
          [](demo_pki::CertificateSpec& spec) {
            spec.key_usage = {"digitalSignature", "keyEncipherment"};
          },
          demo_pki::KeyType::rsa2048);
      if (!suites.empty()) c.policy.cipher_suites = suites;
    };
  };
  SessionEnd a = client(context(with({0x009c})));
  SessionEnd b = server(context(with({0x009c})));
  connect(a, b);
  if (a.error) FAIL(a.error->message());
  REQUIRE(a.established());
  CHECK(a.session.peer().cipher_suite == 0x009c);
  CHECK(a.session.peer().group == 0);

  SessionEnd c = client(context(with({0x009c})));
  SessionEnd d = server(context([&](TlsContextConfig& made) {
    with({})(made);
    made.policy.cipher_suites = TlsPolicy::interop().cipher_suites;
  }));
  connect(c, d);
  REQUIRE(d.error.has_value());
  CHECK(d.error->reason() == Errc::no_common_cipher_suite);
  CHECK(d.error->evidence().find("RFC 10015") != std::string::npos);
}

TEST_CASE("A context without trust store is refused unless it can only be such a server") {
  const auto make = [](const Change& change) {
    return TlsContext::create(config([&](TlsContextConfig& c) {
      c.trust = TrustStore();
      change(c);
    }));
  };
  const auto refused = make([](auto&) {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().reason() == Errc::trust_store_empty);
  CHECK_FALSE(make([](auto& c) { c.credentials.reset(); }));
  CHECK(make([](auto& c) { c.policy.client_certificate = ClientCertificate::none; }));
}

TEST_CASE("Each context has an id, and copies share it") {
  const TlsContext one = context();
  const TlsContext two = context();
  const TlsContext copy = one;
  CHECK(one.id() != two.id());
  CHECK(copy.id() == one.id());
  CHECK(copy.trust().digest() == one.trust().digest());
  CHECK(copy.credentials().has_value());
  CHECK(copy.policy().cipher_suites == one.policy().cipher_suites);
}
