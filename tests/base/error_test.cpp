#include <set>
#include <string>

#include "catch.hpp"
#include "siptls/result.hpp"

using namespace siptls;

TEST_CASE("Every reason has a name of its own, in the form that tools print") {
  std::set<std::string> names;
  for (unsigned i = 0; i < kErrcCount; ++i) {
    const std::string name(to_string(static_cast<Errc>(i)));
    INFO(name);
    CHECK_FALSE(name.empty());
    CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos);
    CHECK(names.insert(name).second);
  }
  CHECK(to_string(Errc::chain_too_deep) == "chain_too_deep");
  CHECK(to_string(Errc::internal) == "internal");
}

TEST_CASE("The category of a reason says who is at fault") {
  struct Row {
    Errc reason;
    Category category;
  };
  const Row rows[] = {
      {Errc::wrong_process, Category::usage},
      {Errc::trust_store_full, Category::config},
      {Errc::clock_not_trusted, Category::clock},
      {Errc::identity_mismatch, Category::certificate},
      {Errc::not_tls, Category::peer_protocol},
      {Errc::peer_rejected_certificate, Category::peer_alert},
      {Errc::no_common_cipher_suite, Category::incompatible},
      {Errc::missing_content_length, Category::framing},
      {Errc::connection_refused, Category::io},
      {Errc::handshake_timeout, Category::limit},
      {Errc::transport_closed, Category::closed},
      {Errc::out_of_memory, Category::internal},
  };
  for (const Row& row : rows) {
    INFO(to_string(row.reason));
    CHECK(category_of(row.reason) == row.category);
    CHECK(Error(row.reason).category() == row.category);
    CHECK_FALSE(to_string(row.category).empty());
  }
}

TEST_CASE("Reasons that concern the peer's certificate have the alert of RFC 8446 section 6.2") {
  CHECK(alert_for(Errc::certificate_expired) == Alert::certificate_expired);
  CHECK(alert_for(Errc::unknown_ca) == Alert::unknown_ca);
  CHECK(alert_for(Errc::certificate_missing) == Alert::certificate_required);
  CHECK(alert_for(Errc::identity_not_allowed) == Alert::access_denied);
  CHECK(alert_for(Errc::no_common_application_protocol) == Alert::no_application_protocol);
  CHECK_FALSE(alert_for(Errc::connection_reset));
  for (unsigned i = 0; i < kErrcCount; ++i) {
    const auto reason = static_cast<Errc>(i);
    INFO(to_string(reason));
    if (category_of(reason) == Category::certificate) CHECK(alert_for(reason));
    if (category_of(reason) == Category::peer_alert) CHECK_FALSE(alert_for(reason));
  }
}

TEST_CASE("An error prints its reason and then its evidence") {
  CHECK(Error(Errc::queue_full).message() == "queue_full");
  CHECK(Error(Errc::queue_full, "1024 messages").message() == "queue_full: 1024 messages");
  const Error error = Error(Errc::unknown_ca, "x").with_certificate(2).with_offset(9);
  CHECK(error.certificate() == 2U);
  CHECK(error.offset() == 9U);
  CHECK_FALSE(error.alert());
}

TEST_CASE("A Result holds a value or an error") {
  const Result<int> good(7);
  REQUIRE(good.has_value());
  CHECK(*good == 7);
  CHECK(good.value_or(1) == 7);
  const Result<int> bad = Unexpected(Errc::expired, "late");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().reason() == Errc::expired);
  CHECK(bad.value_or(1) == 1);
  CHECK_THROWS_AS(bad.value(), BadResultAccess);

  const auto half = [](int n) -> Result<int> {
    if (n % 2 != 0) return Unexpected(Errc::invalid_argument, "odd");
    return n / 2;
  };
  CHECK(*Result<int>(8).and_then(half) == 4);
  CHECK(Result<int>(7).and_then(half).error().evidence() == "odd");
  CHECK(*Result<int>(8).transform([](int n) { return std::to_string(n); }) == "8");

  CHECK(Result<void>());
  const Result<void> failed = Unexpected(Errc::expired);
  CHECK_FALSE(failed);
}
