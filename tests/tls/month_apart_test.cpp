// Sessions of one context that are 30 days apart, at the same time.
#include "catch.hpp"
#include "peers.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

constexpr ProtocolVersion kVersions[] = {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3};

Now after(std::chrono::hours by) {
  Now now = test_now();
  now.mono += by;
  now.wall += by;
  return now;
}
const Now kHourLater = after(std::chrono::hours(1));
const Now kMonthLater = after(std::chrono::hours(30 * 24));

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

void learn(const TlsContext& both, const std::string& address) {
  SessionEnd a = client(both, kDomain, scope(address));
  SessionEnd b = server(both);
  connect(a, b);
  REQUIRE(b.established());
  REQUIRE(b.session.send(octets_of("."), b.now));
  connect(a, b);
}

struct Pair {
  Pair(const TlsContext& both, const std::string& address, const Now& now)
      : a(client(both, kDomain, scope(address), now)), b(server(both, {}, now)) {}
  bool established() const { return a.established() && b.established(); }
  bool resumed() const { return a.session.peer().resumed && b.session.peer().resumed; }
  SessionEnd a;
  SessionEnd b;
};

// One flight of each in turn.
void connect_interleaved(Pair& first, Pair& second) {
  for (int i = 0; i < 8; ++i) {
    for (Pair* pair : {&first, &second}) pair->b.receive(pair->a.take_output());
    for (Pair* pair : {&second, &first}) pair->a.receive(pair->b.take_output());
  }
}

void exchange(Pair& pair) {
  REQUIRE(pair.a.session.send(octets_of("there"), pair.a.now));
  REQUIRE(pair.b.session.send(octets_of("back"), pair.b.now));
  connect(pair.a, pair.b);
  CHECK(pair.b.received == "there");
  CHECK(pair.a.received == "back");
}

// Plain BoringSSL's memory of a session, which knows nothing of the server's time.
bssl::UniquePtr<SSL_SESSION> remembered;
int remember(SSL* /*ssl*/, SSL_SESSION* session) {
  remembered.reset(session);
  return 1;
}
void be_resumable(SSL_CTX* bare) {
  use_credentials(bare, site().leaf);
  SSL_CTX_set_session_cache_mode(bare, SSL_SESS_CACHE_CLIENT);
  SSL_CTX_sess_set_new_cb(bare, remember);
}

}  // namespace

TEST_CASE("Sessions a month apart, one after the other or interleaved, have each their own time") {
  for (const ProtocolVersion version : kVersions) {
    for (const bool interleaved : {true, false}) {
      CAPTURE(to_string(version), interleaved);
      const TlsContext both = context(resuming(version));
      learn(both, "early");
      learn(both, "late");
      Pair early(both, "early", kHourLater);
      Pair late(both, "late", kMonthLater);
      if (interleaved) {
        connect_interleaved(early, late);
      } else {
        connect(late.a, late.b);
        connect(early.a, early.b);
      }
      REQUIRE(early.established());
      REQUIRE(late.established());
      // By the later clock the ticket keys are old and go: a ticket that comes after that has lost
      // its key, and costs a full handshake.
      CHECK(early.resumed() == interleaved);
      CHECK_FALSE(late.a.session.peer().resumed);
      CHECK_FALSE(late.b.session.peer().resumed);
      exchange(early);
      exchange(late);
    }
  }
}

TEST_CASE("Full handshakes a month apart, with a certificate that ends between them") {
  const Credentials brief = leaf_of(site(), [](demo_pki::CertificateSpec& spec) {
    spec.not_after = test_now().wall + std::chrono::hours(20 * 24);
  });
  for (const ProtocolVersion version : kVersions) {
    for (const bool known : {true, false}) {
      CAPTURE(to_string(version), known);
      const TlsContext both =
          context(resuming(version, [&](TlsContextConfig& made) { made.credentials = brief; }));
      if (known) {
        learn(both, "early");
        learn(both, "late");
      }
      Pair early(both, "early", kHourLater);
      Pair late(both, "late", kMonthLater);
      connect_interleaved(early, late);
      REQUIRE(early.established());
      CHECK(early.resumed() == known);
      exchange(early);
      CHECK_FALSE(late.a.established());
      REQUIRE(late.a.error.has_value());
      CHECK(late.a.error->reason() == Errc::certificate_expired);
      CHECK(late.a.error->evidence().find("2026-07-01") != std::string::npos);
      REQUIRE(late.b.error.has_value());
      CHECK(late.b.error->reason() == Errc::peer_rejected_certificate);
      // What the later one found does not reach the earlier one.
      CHECK(early.a.session.judge_again(both, kHourLater));
      CHECK(early.b.session.judge_again(both, kHourLater));
      CHECK_FALSE(early.b.session.judge_again(both, kMonthLater));
    }
  }
}

TEST_CASE("A ticket whose time is over is not accepted, however long its key is kept") {
  TicketKeyOptions options;
  options.rotate_after = std::chrono::hours(365 * 24);
  const std::pair<int, bool> rows[] = {{1, true}, {23, true}, {25, false}, {720, false}};
  for (const ProtocolVersion version : kVersions) {
    for (const auto& [hours, accepted] : rows) {
      CAPTURE(to_string(version), hours);
      const TlsContext mine = context(resuming(version, [&](TlsContextConfig& made) {
        made.ticket_keys = TicketKeyRing::create(options).value();
      }));
      remembered.reset();
      BareEnd first(PeerRole::client, be_resumable);
      SessionEnd before = server(mine);
      connect(first, before);
      REQUIRE(before.established());
      REQUIRE(before.session.send(octets_of("."), before.now));
      connect(first, before);
      REQUIRE(remembered != nullptr);

      const auto ticket = std::move(remembered);
      BareEnd again(PeerRole::client, be_resumable, ticket.get());
      SessionEnd after_that = server(mine, {}, after(std::chrono::hours(hours)));
      connect(again, after_that);
      if (after_that.error) FAIL(after_that.error->message());
      REQUIRE(after_that.established());
      CHECK(after_that.session.peer().resumed == accepted);
      CHECK((SSL_session_reused(again.ssl()) == 1) == accepted);
      CHECK(after_that.session.peer().authenticated());
    }
  }
  remembered.reset();
}
