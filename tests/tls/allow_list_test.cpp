// The list of allowed peers at a server: whoever is not proven to be on it is not let in.
#include "catch.hpp"
#include "peers.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

constexpr ProtocolVersion kVersions[] = {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3};
constexpr const char* kOther = "other.example";

TlsContext server_context(ProtocolVersion version, ClientCertificate mode, const char* allowed,
                          const std::shared_ptr<TicketKeyRing>& ring = nullptr) {
  return context([&](TlsContextConfig& made) {
    only(version)(made);
    made.policy.client_certificate = mode;
    if (allowed != nullptr) made.allowed_peers = {allowed};
    made.ticket_keys = ring;
  });
}

TlsContext anonymous(ProtocolVersion version) {
  return context([&](TlsContextConfig& made) {
    only(version)(made);
    made.credentials.reset();
  });
}

struct Pair {
  SessionEnd a;
  SessionEnd b;
};

Pair meet(const TlsContext& client_context, const TlsContext& server_context) {
  Pair pair{client(client_context), server(server_context)};
  connect(pair.a, pair.b);
  // BoringSSL's server sends its tickets with the first octets of data.
  if (pair.b.established()) {
    REQUIRE(pair.b.session.send(octets_of("."), test_now()));
    connect(pair.a, pair.b);
  }
  return pair;
}

}  // namespace

TEST_CASE("Nobody gets past the list of allowed peers, least of all without a certificate") {
  struct Row {
    const char* what;
    bool has_certificate;
    const char* allowed;
    std::optional<Errc> refusal;
  };
  const Row rows[] = {{"on the list", true, kDomain, std::nullopt},
                      {"not on the list", true, kOther, Errc::identity_not_allowed},
                      {"no certificate", false, kDomain, Errc::certificate_missing}};
  for (const ProtocolVersion version : kVersions) {
    for (const auto mode : {ClientCertificate::required, ClientCertificate::requested}) {
      for (const Row& row : rows) {
        CAPTURE(to_string(version), static_cast<int>(mode), row.what);
        const TlsContext a = row.has_certificate ? context(only(version)) : anonymous(version);
        const Pair pair = meet(a, server_context(version, mode, row.allowed));
        CHECK(pair.b.established() == !row.refusal);
        if (!row.refusal) continue;
        REQUIRE(pair.b.error);
        CHECK(pair.b.error->reason() == *row.refusal);
        REQUIRE(pair.a.error);
        CHECK(pair.a.error->alert() == pair.b.error->alert());
      }
    }
  }
}

TEST_CASE("A server with a list that asks for no certificate is not made, a client is") {
  const TlsContext both = server_context(ProtocolVersion::tls1_3, ClientCertificate::none, kDomain);
  const auto refused = TlsSession::server(both, test_now());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().reason() == Errc::policy_unsupported);
  CHECK(refused.error().evidence().find("list of allowed peers") != std::string::npos);
  const Pair pair = meet(both, context());
  CHECK(pair.a.established());
}

TEST_CASE("Who came without a certificate before there was a list is not let in after") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const auto ring = TicketKeyRing::create().value();
    const TlsContext a = anonymous(version);
    const TlsContext open = server_context(version, ClientCertificate::requested, nullptr, ring);
    const TlsContext closed = server_context(version, ClientCertificate::requested, kDomain, ring);
    const Pair first = meet(a, open);
    REQUIRE(first.b.established());
    REQUIRE(meet(a, open).b.session.peer().resumed);
    // Its ticket is none at the server with a list.
    const Pair second = meet(a, closed);
    REQUIRE(second.b.error);
    CHECK(second.b.error->reason() == Errc::certificate_missing);
    // Nor does its open connection go on where peers are judged again.
    CHECK(first.b.session.judge_again(open, test_now()));
    const auto again = first.b.session.judge_again(closed, test_now());
    REQUIRE_FALSE(again);
    CHECK(again.error().reason() == Errc::certificate_missing);
  }
}
