// OCSP responses that a server staples (RFC 6066 section 8), from both ends.
#include "catch.hpp"
#include "peers.hpp"

using namespace siptls;
using namespace siptls_test;
using demo_pki::OcspAnswer;

namespace {

constexpr ProtocolVersion kVersions[] = {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3};
constexpr std::chrono::hours kHour(1);

const demo_pki::Hierarchy& home() {
  static const auto made = demo_pki::make_hierarchy(kDomain);
  return made;
}

Octets response(OcspAnswer::Status status, const demo_pki::Entity& about = home().leaf,
                std::chrono::hours until = 24 * kHour) {
  OcspAnswer answer{about, test_now().wall - kHour};
  answer.next_update = test_now().wall + until;
  answer.status = status;
  answer.revoked_at = test_now().wall - 2 * kHour;
  demo_pki::OcspSpec spec;
  spec.produced_at = test_now().wall - kHour;
  return octets_of(home().intermediates[0].ocsp_response_der({answer}, spec));
}

Octets good() { return response(OcspAnswer::Status::good); }

TlsContext serving(ProtocolVersion version, const Octets& staple, const Change& change = {}) {
  return context([&](TlsContextConfig& made) {
    only(version)(made);
    made.credentials = credentials_of(home().leaf).with_ocsp_response(staple).value();
    made.trust = trust_of(home().root);
    if (change) change(made);
  });
}

TlsContext asking(ProtocolVersion version, OcspPolicy policy, const Change& change = {}) {
  return context([&](TlsContextConfig& made) {
    only(version)(made);
    made.credentials = credentials_of(home().leaf);
    made.trust = trust_of(home().root);
    made.policy.ocsp = policy;
    if (change) change(made);
  });
}

Now later(std::chrono::hours by) {
  Now now = test_now();
  now.mono += by;
  now.wall += by;
  return now;
}

std::string outcome(const SessionEnd& end) {
  return end.error ? std::string(to_string(end.error->reason())) : "ok";
}

}  // namespace

TEST_CASE("A client judges the response that a server staples, and can require one") {
  struct Row {
    const char* what;
    Octets staple;
    const char* ignoring;
    const char* if_present;
    const char* requiring;
  };
  const auto other =
      demo_pki::Entity::issued_by(home().intermediates[0], demo_pki::sip_spec("other.example"));
  const Row rows[] = {
      {"good", good(), "ok", "ok", "ok"},
      {"none", {}, "ok", "ok", "ocsp_response_missing"},
      {"revoked", response(OcspAnswer::Status::revoked), "ok", "certificate_revoked",
       "certificate_revoked"},
      // These are not served.
      {"unknown", response(OcspAnswer::Status::unknown), "ok", "ok", "ocsp_response_missing"},
      {"out of date", response(OcspAnswer::Status::good, home().leaf, std::chrono::hours(0)), "ok",
       "ok", "ocsp_response_missing"},
      {"of another certificate", response(OcspAnswer::Status::good, other), "ok", "ok",
       "ocsp_response_missing"},
  };
  const Now now = later(std::chrono::hours(1));
  for (const ProtocolVersion version : kVersions) {
    for (const Row& row : rows) {
      const std::pair<OcspPolicy, const char*> expectations[] = {
          {OcspPolicy::ignore, row.ignoring},
          {OcspPolicy::if_present, row.if_present},
          {OcspPolicy::require, row.requiring}};
      for (const auto& [policy, expected] : expectations) {
        CAPTURE(to_string(version), row.what, static_cast<int>(policy));
        SessionEnd a = client(asking(version, policy), kDomain, {}, now);
        SessionEnd b = server(serving(version, row.staple), {}, now);
        connect(a, b);
        CHECK(outcome(a) == expected);
        if (a.error) {
          CHECK(a.error->certificate() == 0U);
          CHECK_FALSE(b.established());
        } else {
          REQUIRE(a.established());
          CHECK(b.established());
          const bool judged = *row.what == 'g' && policy != OcspPolicy::ignore;
          CHECK(a.session.peer().path->ocsp_valid_until.has_value() == judged);
        }
      }
    }
  }
}

TEST_CASE("A response that a foreign server staples badly is refused") {
  const Octets stale = response(OcspAnswer::Status::good, home().leaf, std::chrono::hours(0));
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    BareEnd b(PeerRole::server, [&](SSL_CTX* made) {
      use_credentials(made, home().leaf);
      const std::uint16_t schemes[] = {0x0403};
      SSL_CTX_set_verify_algorithm_prefs(made, schemes, 1);
      SSL_CTX_set_ocsp_response(made, reinterpret_cast<const std::uint8_t*>(stale.data()),
                                stale.size());
    });
    SessionEnd a =
        client(asking(version, OcspPolicy::if_present), kDomain, {}, later(std::chrono::hours(1)));
    connect(a, b);
    CHECK(outcome(a) == "ocsp_response_invalid");
    CHECK(a.error->alert() == Alert::bad_certificate_status_response);
    CHECK(b.alert_received == 113);
  }
}

TEST_CASE("An operator is told of a response that is not served, or that says revoked") {
  const auto reasons = [](const Octets& staple, const Now& now) {
    std::string all;
    for (const Error& warning : serving(ProtocolVersion::tls1_3, staple).warnings(now)) {
      all += std::string(to_string(warning.reason())) + " ";
    }
    return all;
  };
  CHECK(reasons({}, test_now()).empty());
  CHECK(reasons(good(), test_now()).empty());
  CHECK(reasons(good(), later(std::chrono::hours(25))) == "ocsp_response_invalid ");
  CHECK(reasons(response(OcspAnswer::Status::revoked), test_now()) == "certificate_revoked ");
  CHECK(reasons(response(OcspAnswer::Status::good, home().intermediates[0]), test_now()) ==
        "ocsp_response_invalid ");
  // After both have run out: the certificates of this side, and the response.
  CHECK(reasons({}, at("2101-01-01T00:00:00Z")) == "certificate_expired certificate_expired ");
}

TEST_CASE("A response that runs out is served no longer, by the same context") {
  for (const ProtocolVersion version : kVersions) {
    const TlsContext b_context = serving(version, good());
    const std::pair<int, const char*> rows[] = {
        {0, "ok"}, {23, "ok"}, {25, "ocsp_response_missing"}, {1, "ok"}};
    for (const auto& [hours, expected] : rows) {
      CAPTURE(to_string(version), hours);
      const Now now = later(std::chrono::hours(hours));
      SessionEnd a = client(asking(version, OcspPolicy::require), kDomain, {}, now);
      SessionEnd b = server(b_context, {}, now);
      connect(a, b);
      CHECK(outcome(a) == expected);
    }
  }
}

TEST_CASE("A context that requires responses cannot serve, since no client staples") {
  const auto made =
      TlsSession::server(asking(ProtocolVersion::tls1_3, OcspPolicy::require), test_now());
  REQUIRE_FALSE(made);
  CHECK(made.error().reason() == Errc::policy_unsupported);
}

TEST_CASE("A session is not resumed when the response that came with it has run out") {
  const auto resuming = [](TlsContextConfig& made) {
    made.policy.resumption = Resumption::tickets;
  };
  for (const ProtocolVersion version : kVersions) {
    for (const OcspPolicy policy : {OcspPolicy::if_present, OcspPolicy::require}) {
      CAPTURE(to_string(version), static_cast<int>(policy));
      const TlsContext a_context = asking(version, policy, resuming);
      const auto ring = TicketKeyRing::create().value();
      const auto with_ring = [&](TlsContextConfig& made) {
        resuming(made);
        made.ticket_keys = ring;
      };
      const auto meet = [&](const Octets& staple, const Now& now) {
        SessionEnd a = client(a_context, kDomain, {}, now);
        SessionEnd b = server(serving(version, staple, with_ring), {}, now);
        connect(a, b);
        REQUIRE(a.established());
        REQUIRE(b.session.send(octets_of("."), now));
        connect(a, b);
        return a.session.peer().resumed;
      };
      const Octets brief = response(OcspAnswer::Status::good, home().leaf, std::chrono::hours(2));
      CHECK_FALSE(meet(brief, test_now()));
      CHECK(meet(brief, later(std::chrono::hours(1))));
      CHECK_FALSE(meet(good(), later(std::chrono::hours(3))));
      CHECK(meet(good(), later(std::chrono::hours(4))));
    }
  }
}
