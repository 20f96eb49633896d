// Resumed sessions: that there are any, and that each is judged again.
#include "catch.hpp"
#include "peers.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

constexpr ProtocolVersion kVersions[] = {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3};

Change resuming(ProtocolVersion version, const Change& change = {}) {
  return [version, change](TlsContextConfig& made) {
    only(version)(made);
    made.policy.resumption = Resumption::tickets;
    if (change) change(made);
  };
}

SessionOptions scope(const std::string& name) {
  SessionOptions options;
  options.resumption_scope = name;
  return options;
}

struct Pair {
  SessionEnd a;
  SessionEnd b;
  bool established() const { return a.established() && b.established(); }
  bool resumed() const { return a.session.peer().resumed && b.session.peer().resumed; }
  bool full() const { return !a.session.peer().resumed && !b.session.peer().resumed; }
};

Pair meet(const TlsContext& client_context, const TlsContext& server_context,
          const std::string& listener = "192.0.2.1:5061", const Now& now = test_now()) {
  Pair pair{client(client_context, kDomain, scope("remote"), now),
            server(server_context, scope(listener), now)};
  connect(pair.a, pair.b);
  // BoringSSL's server sends its tickets with the first octets of data.
  if (pair.b.established()) {
    REQUIRE(pair.b.session.send(octets_of("."), now));
    connect(pair.a, pair.b);
  }
  return pair;
}

// The ticket that a BareEnd got last.
bssl::UniquePtr<SSL_SESSION> last_ticket;
int keep_ticket(SSL*, SSL_SESSION* session) {
  last_ticket.reset(session);
  return 1;
}

Now later(std::chrono::hours by) {
  Now now = test_now();
  now.mono += by;
  now.wall += by;
  return now;
}

}  // namespace

TEST_CASE("Every preset resumes, and a policy can forbid it") {
  for (const TlsPolicy& preset :
       {TlsPolicy::modern(), TlsPolicy::interop(), TlsPolicy::img2020()}) {
    CHECK(preset.resumption == Resumption::tickets);
  }
  for (const ProtocolVersion version : kVersions) {
    const TlsContext both = context([version](TlsContextConfig& made) {
      only(version)(made);
      made.policy.resumption = Resumption::off;
    });
    REQUIRE(meet(both, both).established());
    const Pair second = meet(both, both);
    REQUIRE(second.established());
    CHECK(second.full());
  }
}

TEST_CASE("A ticket resumes a session, and both ends know their peer as before") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const TlsContext a = context(resuming(version));
    const TlsContext b = context(resuming(version));
    const Pair first = meet(a, b);
    REQUIRE(first.established());
    CHECK(first.full());
    Pair second = meet(a, b);
    REQUIRE(second.established());
    CHECK(second.resumed());
    for (const SessionEnd* end : {&second.a, &second.b}) {
      REQUIRE(end->session.peer().authenticated());
      CHECK(end->session.peer().path->identities.front().name == kDomain);
    }
    CHECK(second.a.session.peer().path->matched.has_value());
    REQUIRE(second.a.session.send(octets_of("hello"), test_now()));
    REQUIRE(second.b.session.send(octets_of("you"), test_now()));
    connect(second.a, second.b);
    CHECK(second.b.received == "hello");
    CHECK(second.a.received == ".you");
    // The resumed session brought a ticket of its own.
    CHECK(meet(a, b).resumed());
  }
}

TEST_CASE("A ticket is offered to the address and domain that it came from, in TLS 1.3 once") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const TlsContext a = context(resuming(version, [](TlsContextConfig& made) {
      made.trust = made.trust.with_pem(site().root.certificate_pem()).value();
    }));
    const TlsContext b = context(resuming(version));
    REQUIRE(meet(a, b).established());
    SessionEnd elsewhere = client(a, kDomain, scope("another remote"));
    SessionEnd there = server(b, scope("192.0.2.1:5061"));
    connect(elsewhere, there);
    REQUIRE(elsewhere.established());
    CHECK_FALSE(elsewhere.session.peer().resumed);
    SessionEnd once = client(a, kDomain, scope("remote"));
    SessionEnd twice = client(a, kDomain, scope("remote"));
    SessionEnd once_server = server(b, scope("192.0.2.1:5061"));
    SessionEnd twice_server = server(b, scope("192.0.2.1:5061"));
    connect(once, once_server);
    connect(twice, twice_server);
    CHECK(once.session.peer().resumed);
    CHECK(twice.session.peer().resumed == (version == ProtocolVersion::tls1_2));
  }
}

// What must end in a full handshake, or in a refusal with that reason.
struct Row {
  const char* what;
  Change changed;       // of the server
  const char* refusal;  // at the server; empty for a full handshake
};

TEST_CASE("A ticket does not outlive what it was given for at the server") {
  const auto ring = TicketKeyRing::create().value();
  const auto other = demo_pki::make_hierarchy("other.example");
  const std::vector<Row> rows{
      {"the CA was removed", [&](TlsContextConfig& made) { made.trust = trust_of(other.root); },
       "unknown_ca"},
      {"the allow-list lost the name",
       [](TlsContextConfig& made) { made.allowed_peers = {"other.example"}; },
       "identity_not_allowed"},
      {"another EKU policy",
       [](TlsContextConfig& made) { made.policy.eku = EkuPolicy::sip_strict; },
       "extended_key_usage_forbidden"},
      {"another certificate of the server",
       [](TlsContextConfig& made) {
         made.credentials = leaf_of(site(), [](demo_pki::CertificateSpec&) {});
       },
       ""},
      {"a CA was added",
       [&](TlsContextConfig& made) {
         made.trust = made.trust.with_pem(other.root.certificate_pem()).value();
       },
       ""},
  };
  for (const ProtocolVersion version : kVersions) {
    for (const Row& row : rows) {
      CAPTURE(to_string(version), row.what);
      const auto with_ring = [&](TlsContextConfig& made) { made.ticket_keys = ring; };
      const TlsContext a = context(resuming(version));
      const TlsContext b = context(resuming(version, with_ring));
      const TlsContext changed = context(resuming(version, [&](TlsContextConfig& made) {
        with_ring(made);
        row.changed(made);
      }));
      REQUIRE(meet(a, b).established());
      REQUIRE(meet(a, b).resumed());
      Pair pair = meet(a, changed);
      if (*row.refusal == '\0') {
        REQUIRE(pair.established());
        CHECK(pair.full());
        continue;
      }
      CHECK_FALSE(pair.b.established());
      REQUIRE(pair.b.error);
      CHECK(to_string(pair.b.error->reason()) == row.refusal);
      REQUIRE(pair.a.error);
      CHECK(pair.a.error->category() == Category::peer_alert);
    }
  }
}

TEST_CASE("A ticket of one listener is none at another with the same keys") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const TlsContext a = context(resuming(version));
    const TlsContext b = context(resuming(version));
    REQUIRE(meet(a, b, "192.0.2.1:5061").established());
    REQUIRE(meet(a, b, "192.0.2.1:5061").resumed());
    const Pair pair = meet(a, b, "192.0.2.2:5061");
    REQUIRE(pair.established());
    CHECK(pair.full());
  }
}

TEST_CASE("Contexts that share ticket keys and judge alike accept each other's tickets") {
  const auto ring = TicketKeyRing::create().value();
  const auto with_ring = [&](TlsContextConfig& made) { made.ticket_keys = ring; };
  for (const ProtocolVersion version : kVersions) {
    const TlsContext a = context(resuming(version));
    const TlsContext b = context(resuming(version, with_ring));
    const TlsContext same = context(resuming(version, with_ring));
    const TlsContext own_keys = context(resuming(version));
    REQUIRE(meet(a, b).established());
    CHECK(meet(a, same).resumed());
    const Pair pair = meet(a, own_keys);
    REQUIRE(pair.established());
    CHECK(pair.full());
  }
}

TEST_CASE("A resumed peer is judged at the time of the resumption") {
  for (const ProtocolVersion version : kVersions) {
    for (const bool server_expires : {false, true}) {
      CAPTURE(to_string(version), server_expires);
      const Credentials brief = leaf_of(site(), [](demo_pki::CertificateSpec& spec) {
        spec.not_after = test_now().wall + std::chrono::hours(2);
      });
      const auto use = [&](TlsContextConfig& made) { made.credentials = brief; };
      const TlsContext a = context(resuming(version, server_expires ? Change() : use));
      const TlsContext b = context(resuming(version, server_expires ? use : Change()));
      REQUIRE(meet(a, b).established());
      REQUIRE(meet(a, b, "192.0.2.1:5061", later(std::chrono::hours(1))).resumed());
      Pair pair = meet(a, b, "192.0.2.1:5061", later(std::chrono::hours(3)));
      SessionEnd& judge = server_expires ? pair.a : pair.b;
      CHECK_FALSE(judge.established());
      REQUIRE(judge.error);
      CHECK(judge.error->reason() == Errc::certificate_expired);
    }
  }
}

TEST_CASE("A clock that cannot be right is noticed at a resumption too") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const TlsContext a = context(resuming(version));
    const TlsContext b = context(resuming(version));
    REQUIRE(meet(a, b).established());
    SessionEnd good = client(a, kDomain, scope("remote"));
    Now wrong = test_now();
    wrong.wall = WallTime{};
    wrong.standing = ClockStanding::behind_floor;
    SessionEnd bad = server(b, scope("192.0.2.1:5061"), wrong);
    connect(good, bad);
    CHECK_FALSE(bad.established());
    REQUIRE(bad.error);
    CHECK(bad.error->reason() == Errc::clock_not_trusted);
  }
}

TEST_CASE("The host is asked about a resumed peer too") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const TlsContext a = context(resuming(version));
    const TlsContext b = context(resuming(
        version, [](TlsContextConfig& made) { made.policy.authorise = PeerAuthorisation::host; }));
    Pair first = meet(a, b);
    REQUIRE(first.b.session.authorise(Verdict::admit, test_now()));
    REQUIRE(first.b.session.send(octets_of("."), test_now()));
    connect(first.a, first.b);
    REQUIRE(first.established());
    Pair second = meet(a, b);
    REQUIRE(second.b.session.state() == SessionState::authorising);
    CHECK(second.b.session.peer().resumed);
    REQUIRE(second.b.session.peer().authenticated());
    SECTION("admitted") {
      REQUIRE(second.b.session.authorise(Verdict::admit, test_now()));
      connect(second.a, second.b);
      CHECK(second.established());
    }
    SECTION("refused") {
      CHECK_FALSE(second.b.session.authorise(static_cast<Verdict>(7), test_now()));
      connect(second.a, second.b);
      REQUIRE(second.a.error);
      CHECK(second.a.error->reason() == Errc::peer_denied_access);
    }
  }
}

TEST_CASE("Ticket keys are exchanged by time and at once, and old ones open tickets for a while") {
  TicketKeyOptions options;
  options.rotate_after = std::chrono::hours(2);
  const auto ring = TicketKeyRing::create(options).value();
  const auto with_ring = [&](TlsContextConfig& made) { made.ticket_keys = ring; };
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const TlsContext a = context(resuming(version));
    const TlsContext b = context(resuming(version, with_ring));
    const std::string here = "192.0.2.1:5061";
    REQUIRE(meet(a, b).established());
    SECTION("one key later") {
      ring->rotate();
      CHECK(meet(a, b).resumed());
    }
    SECTION("two keys later") {
      ring->rotate();
      ring->rotate();
      const Pair pair = meet(a, b);
      REQUIRE(pair.established());
      CHECK(pair.full());
    }
    SECTION("after one rotation's time") {
      CHECK(meet(a, b, here, later(std::chrono::hours(3))).resumed());
    }
    SECTION("after two") {
      const Pair pair = meet(a, b, here, later(std::chrono::hours(5)));
      REQUIRE(pair.established());
      CHECK(pair.full());
    }
  }
  CHECK(TicketKeyRing::create({std::chrono::hours(1), 0}).error().reason() ==
        Errc::invalid_argument);
}

TEST_CASE("A ticket that was changed on its way gives a full handshake") {
  const TlsContext a = context(resuming(ProtocolVersion::tls1_2));
  const TlsContext b = context(resuming(ProtocolVersion::tls1_2));
  REQUIRE(meet(a, b).established());
  const TlsContext b_other_keys = context(resuming(ProtocolVersion::tls1_2));
  const Pair pair = meet(a, b_other_keys);
  REQUIRE(pair.established());
  CHECK(pair.full());
}

// RFC 6066 section 3: a server must not resume a session under another name.
TEST_CASE("A ticket that was given under one server name is none under another") {
  const auto two_names = leaf_of(site(), [](demo_pki::CertificateSpec& spec) {
    spec.dns_names = {"a.example", "other.example"};
    spec.uris = {"sip:a.example", "sip:other.example"};
  });
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const TlsContext b =
        context(resuming(version, [&](TlsContextConfig& made) { made.credentials = two_names; }));
    last_ticket.reset();
    const auto resumed_as = [&](const char* name) {
      bssl::UniquePtr<SSL_SESSION> ticket = std::move(last_ticket);
      BareEnd a(
          PeerRole::client,
          [](SSL_CTX* bare) {
            use_credentials(bare, site().leaf);
            SSL_CTX_set_session_cache_mode(bare, SSL_SESS_CACHE_CLIENT);
            SSL_CTX_sess_set_new_cb(bare, keep_ticket);
          },
          ticket.get(), name);
      SessionEnd end = server(b);
      connect(a, end);
      REQUIRE(end.established());
      REQUIRE(end.session.send(octets_of("."), test_now()));
      connect(a, end);
      if (!last_ticket) last_ticket = std::move(ticket);  // a resumed TLS 1.2 session brings none
      REQUIRE(last_ticket);
      return end.session.peer().resumed;
    };
    CHECK_FALSE(resumed_as("a.example"));
    CHECK(resumed_as("a.example"));
    CHECK(resumed_as("A.Example"));
    CHECK_FALSE(resumed_as("other.example"));
    CHECK(resumed_as("other.example"));
    CHECK_FALSE(resumed_as(nullptr));
    CHECK(resumed_as(nullptr));
    CHECK_FALSE(resumed_as("a.example"));
  }
}

TEST_CASE("An established peer can be judged again by another context and at another time") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const auto other = demo_pki::make_hierarchy("other.example");
    const TlsContext both = context(only(version));
    const Pair pair = meet(both, both);
    REQUIRE(pair.established());
    const TlsContext stranger =
        context([&](TlsContextConfig& made) { made.trust = trust_of(other.root); });
    const TlsContext narrow =
        context([&](TlsContextConfig& made) { made.allowed_peers = {"other.example"}; });
    for (const SessionEnd* end : {&pair.a, &pair.b}) {
      CHECK(end->session.judge_again(both, test_now()));
      const auto unknown = end->session.judge_again(stranger, test_now());
      REQUIRE_FALSE(unknown);
      CHECK(unknown.error().reason() == Errc::unknown_ca);
      const auto excluded = end->session.judge_again(narrow, test_now());
      REQUIRE_FALSE(excluded);
      CHECK(excluded.error().reason() == Errc::identity_not_allowed);
      const auto expired = end->session.judge_again(both, at("2101-01-01T00:00:00Z"));
      REQUIRE_FALSE(expired);
      CHECK(expired.error().reason() == Errc::certificate_expired);
      CHECK(end->established());
    }
  }
}
