// What a client remembers: for whom a ticket is offered, for whom not, how many, and how long.
#include "tls/session_memory.hpp"

#include "catch.hpp"
#include "peers.hpp"
#include "raw_hello.hpp"
#include "tls/tls_context_impl.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

constexpr ProtocolVersion kVersions[] = {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3};
constexpr const char* kAddress = "192.0.2.7:5061";
constexpr std::uint16_t kSessionTicket = 35;
constexpr std::uint16_t kPreSharedKey = 41;

Change resuming(ProtocolVersion version, const Change& change = {}) {
  return [version, change](TlsContextConfig& made) {
    only(version)(made);
    made.policy.resumption = Resumption::tickets;
    // A store of its own, so that what is remembered of chains is not shared.
    made.trust = trust_of(site().root);
    if (change) change(made);
  };
}

SessionOptions scope(const std::string& name) {
  SessionOptions options;
  options.resumption_scope = name;
  return options;
}

Now later(std::chrono::hours by) {
  Now now = test_now();
  now.mono += by;
  now.wall += by;
  return now;
}

// Does the ClientHello of a new connection have a ticket in it?
bool offers_ticket(const TlsContext& context, ProtocolVersion version,
                   const std::string& address = kAddress, const std::string& domain = kDomain,
                   const Now& now = test_now()) {
  SessionEnd end = client(context, domain, scope(address), now);
  const Octets hello = end.take_output();
  return version == ProtocolVersion::tls1_3 ? extension_size(hello, kPreSharedKey).has_value()
                                            : extension_size(hello, kSessionTicket).value_or(0) > 0;
}

void learn(const TlsContext& mine, const TlsContext& servers, const std::string& address = kAddress,
           const Now& now = test_now()) {
  SessionEnd a = client(mine, kDomain, scope(address), now);
  SessionEnd b = server(servers, {}, now);
  connect(a, b);
  REQUIRE(a.established());
  REQUIRE(b.established());
  REQUIRE(b.session.send(octets_of("."), now));
  connect(a, b);
}

}  // namespace

TEST_CASE("A ticket is offered only where everything is as it was") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const TlsContext mine = context(resuming(version));
    const TlsContext servers = context(resuming(version));
    CHECK_FALSE(offers_ticket(mine, version));
    learn(mine, servers);

    SECTION("the same") {
      CHECK(offers_ticket(mine, version));
      // In TLS 1.3 once.
      CHECK(offers_ticket(mine, version) == (version == ProtocolVersion::tls1_2));
    }
    SECTION("the same name in other letters") {
      CHECK(offers_ticket(mine, version, kAddress, "SERVER.Example."));
    }
    SECTION("another address") {
      CHECK_FALSE(offers_ticket(mine, version, "192.0.2.7:5062"));
      CHECK_FALSE(offers_ticket(mine, version, ""));
      CHECK(offers_ticket(mine, version));
    }
    SECTION("another reference identity, and so another server name") {
      CHECK_FALSE(offers_ticket(mine, version, kAddress, "other.example"));
      CHECK_FALSE(offers_ticket(mine, version, kAddress, "sub.server.example"));
      CHECK_FALSE(offers_ticket(mine, version, kAddress, "192.0.2.7"));
      CHECK(offers_ticket(mine, version));
    }
    SECTION("an address and a name that together read the same") {
      CHECK_FALSE(offers_ticket(mine, version, std::string(kAddress) + "\nserver", "example"));
    }
    // Credentials, policy and trust store belong to a context, which remembers for itself.
    SECTION("other contexts") {
      const std::pair<const char*, Change> rows[] = {
          {"nothing", {}},
          {"credentials",
           [](TlsContextConfig& made) {
             made.credentials = leaf_of(site(), [](demo_pki::CertificateSpec&) {});
           }},
          {"no credentials", [](TlsContextConfig& made) { made.credentials.reset(); }},
          {"policy", [](TlsContextConfig& made) { made.policy.eku = EkuPolicy::sip_strict; }},
          {"allowed peers", [](TlsContextConfig& made) { made.allowed_peers = {kDomain}; }},
          {"trust", [](TlsContextConfig& made) {
             made.trust =
                 made.trust.with_pem(demo_pki::make_hierarchy("x.example").root.certificate_pem())
                     .value();
           }}};
      for (const auto& [what, change] : rows) {
        CAPTURE(what);
        CHECK_FALSE(offers_ticket(context(resuming(version, change)), version));
      }
      CHECK(offers_ticket(mine, version));
    }
    SECTION("a policy without resumption") {
      CHECK_FALSE(offers_ticket(context(only(version)), version));
    }
    SECTION("a copy of the context") {
      const TlsContext copy = mine;
      CHECK(offers_ticket(copy, version));
    }
  }
}

TEST_CASE("A ticket is offered as long as it lives and its server would be judged good") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const TlsContext mine = context(resuming(version));
    SECTION("its life") {
      learn(mine, context(resuming(version)));
      const Now at_last = later(std::chrono::hours(23));
      const Now too_late = later(std::chrono::hours(25));
      // Twice where it can be: TLS 1.3 takes it out at the first time.
      if (version == ProtocolVersion::tls1_2) {
        CHECK(offers_ticket(mine, version, kAddress, kDomain, at_last));
      }
      CHECK_FALSE(offers_ticket(mine, version, kAddress, kDomain, too_late));
    }
    SECTION("the certificate of its server") {
      const TlsContext brief = context(resuming(version, [](TlsContextConfig& made) {
        made.credentials = leaf_of(site(), [](demo_pki::CertificateSpec& spec) {
          spec.not_after = test_now().wall + std::chrono::hours(2);
        });
      }));
      learn(mine, brief);
      CHECK_FALSE(offers_ticket(mine, version, kAddress, kDomain, later(std::chrono::hours(3))));
      learn(mine, brief);
      CHECK(offers_ticket(mine, version, kAddress, kDomain, later(std::chrono::hours(1))));
    }
  }
}

TEST_CASE("A client remembers a bounded number of servers, and forgets the oldest first") {
  constexpr std::size_t kMost = 1024;
  const TlsContext any = context(resuming(ProtocolVersion::tls1_2));
  SSL_CTX* const maker = TlsContextImpl::of(any).ssl_context();
  const auto key = [](std::size_t i) {
    return tls::SessionMemory::key("address " + std::to_string(i), kDomain);
  };
  tls::SessionMemory memory;
  const auto put = [&](std::size_t i) {
    memory.put(key(i), bssl::UniquePtr<SSL_SESSION>(SSL_SESSION_new(maker)));
  };
  for (std::size_t i = 0; i < kMost; ++i) put(i);
  CHECK(memory.take(key(0)) != nullptr);
  put(1);  // anew: the newest now
  put(kMost);
  CHECK(memory.take(key(0)) == nullptr);
  CHECK(memory.take(key(1)) != nullptr);
  CHECK(memory.take(key(2)) != nullptr);
  CHECK(memory.take(key(kMost)) != nullptr);
  put(kMost + 1);
  CHECK(memory.take(key(2)) == nullptr);
  CHECK(memory.take(key(1)) != nullptr);
  for (std::size_t i = 2 * kMost; i < 5 * kMost; ++i) put(i);
  for (std::size_t i = 0; i < 4 * kMost; ++i) REQUIRE(memory.take(key(i)) == nullptr);
  for (std::size_t i = 4 * kMost; i < 5 * kMost; ++i) REQUIRE(memory.take(key(i)) != nullptr);
}
