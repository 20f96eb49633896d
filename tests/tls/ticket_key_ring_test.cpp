// Ticket keys that travel from one ring to another.
#include "siptls/ticket_key_ring.hpp"

#include "catch.hpp"
#include "peers.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

constexpr ProtocolVersion kVersions[] = {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3};
using Ring = std::shared_ptr<TicketKeyRing>;

Change resuming(ProtocolVersion version, Ring ring = nullptr) {
  return [version, ring](TlsContextConfig& made) {
    only(version)(made);
    made.policy.resumption = Resumption::tickets;
    made.ticket_keys = ring;
  };
}

Now later(std::chrono::hours by) {
  Now now = test_now();
  now.mono += by;
  now.wall += by;
  return now;
}

// A connection; tells whether it was resumed. It leaves a ticket behind.
bool meet(const TlsContext& a, const TlsContext& b, const Now& now = test_now()) {
  SessionEnd first = client(a, kDomain, {}, now);
  SessionEnd second = server(b, {}, now);
  connect(first, second);
  REQUIRE(first.established());
  REQUIRE(second.established());
  REQUIRE(second.session.send(octets_of("."), now));
  connect(first, second);
  CHECK(first.session.peer().resumed == second.session.peer().resumed);
  return first.session.peer().resumed;
}

}  // namespace

TEST_CASE("Two rings with the same keys open each other's tickets") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const Ring maker = TicketKeyRing::create().value();
    const Ring other = TicketKeyRing::create().value();
    const TlsContext a = context(resuming(version));
    const TlsContext b = context(resuming(version, maker));
    const TlsContext c = context(resuming(version, other));
    CHECK_FALSE(meet(a, b));
    CHECK_FALSE(meet(a, c));
    REQUIRE(other->import_keys(maker->export_keys().value()));
    CHECK_FALSE(meet(a, c));  // the keys of that ticket are gone
    CHECK(meet(a, b));
    CHECK(meet(a, c));
    CHECK(meet(a, b));
  }
}

TEST_CASE("Keys that were exported before the first use are those that are used then") {
  const Ring maker = TicketKeyRing::create().value();
  const Ring other = TicketKeyRing::create().value();
  REQUIRE(other->import_keys(maker->export_keys().value()));
  CHECK(maker->export_keys().value() == other->export_keys().value());
  const TlsContext a = context(resuming(ProtocolVersion::tls1_3));
  CHECK_FALSE(meet(a, context(resuming(ProtocolVersion::tls1_3, maker))));
  CHECK(meet(a, context(resuming(ProtocolVersion::tls1_3, other))));
}

TEST_CASE("A ring with imported keys rotates as any other, from their first use here") {
  TicketKeyOptions options;
  options.rotate_after = std::chrono::hours(2);
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const Ring maker = TicketKeyRing::create(options).value();
    const Ring other = TicketKeyRing::create(options).value();
    const TlsContext a = context(resuming(version));
    const TlsContext b = context(resuming(version, maker));
    const TlsContext c = context(resuming(version, other));
    maker->rotate();
    maker->rotate();
    CHECK_FALSE(meet(a, b));
    REQUIRE(other->import_keys(maker->export_keys().value()));
    SECTION("the time begins here") {
      // By the maker's clock the key is new, by the other's it is four hours later.
      CHECK(meet(a, c, later(std::chrono::hours(4))));
      CHECK(other->export_keys().value() == maker->export_keys().value());
      CHECK(meet(a, c, later(std::chrono::hours(5))));
      CHECK(other->export_keys().value() == maker->export_keys().value());
      CHECK(meet(a, c, later(std::chrono::hours(7))));
      CHECK(other->export_keys().value() != maker->export_keys().value());
    }
    SECTION("at once") {
      other->rotate();
      CHECK(meet(a, c));
      // New tickets are of a key that the maker does not have.
      const TlsContext fresh = context(resuming(version));
      CHECK_FALSE(meet(fresh, c));
      CHECK_FALSE(meet(fresh, b));
    }
    SECTION("two rotations later the imported keys are gone") {
      other->rotate();
      other->rotate();
      CHECK_FALSE(meet(a, c));
    }
    SECTION("older keys travel as well") {
      const TlsContext d = context(resuming(version));
      const Ring source = TicketKeyRing::create(options).value();
      const TlsContext e = context(resuming(version, source));
      CHECK_FALSE(meet(d, e));
      source->rotate();
      REQUIRE(other->import_keys(source->export_keys().value()));
      CHECK(meet(d, c));
    }
  }
}

TEST_CASE("A thread whose clock was read a little earlier does not wear out the keys of another") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const Ring ring = TicketKeyRing::create().value();
    const TlsContext a = context(resuming(version));
    const TlsContext b = context(resuming(version, ring));
    const auto keys = ring->export_keys().value();
    CHECK_FALSE(meet(a, b));  // the keys begin their time
    for (const auto by :
         {std::chrono::nanoseconds(1), std::chrono::nanoseconds(std::chrono::hours(100))}) {
      Now before = test_now();
      before.mono -= by;
      CHECK(meet(a, b, before));
    }
    CHECK(ring->export_keys().value() == keys);
    CHECK(meet(a, b));
  }
}

TEST_CASE("A ring can have keys that stay for ever") {
  TicketKeyOptions options;
  options.rotate_after = std::chrono::seconds::max();
  const Ring ring = TicketKeyRing::create(options).value();
  const TlsContext a = context(resuming(ProtocolVersion::tls1_3));
  const TlsContext b = context(resuming(ProtocolVersion::tls1_3, ring));
  const auto keys = ring->export_keys().value();
  CHECK_FALSE(meet(a, b));
  CHECK(meet(a, b, later(std::chrono::hours(1))));
  CHECK(ring->export_keys().value() == keys);
}

TEST_CASE("A ring keeps of imported keys as many as it is for, the newest") {
  TicketKeyOptions three;
  three.keys = 3;
  TicketKeyOptions one;
  one.keys = 1;
  const Ring source = TicketKeyRing::create(three).value();
  const TlsContext a = context(resuming(ProtocolVersion::tls1_2));
  const TlsContext newest = context(resuming(ProtocolVersion::tls1_2));
  CHECK_FALSE(meet(a, context(resuming(ProtocolVersion::tls1_2, source))));
  source->rotate();
  source->rotate();
  CHECK_FALSE(meet(newest, context(resuming(ProtocolVersion::tls1_2, source))));
  const auto exported = source->export_keys().value();
  const Ring narrow = TicketKeyRing::create(one).value();
  REQUIRE(narrow->import_keys(exported));
  const TlsContext b = context(resuming(ProtocolVersion::tls1_2, narrow));
  CHECK(meet(newest, b));
  CHECK_FALSE(meet(a, b));
  CHECK(narrow->export_keys().value().size() < exported.size());
}

TEST_CASE("What is no export, or not whole, is refused, and the ring stays as it was") {
  const Ring source = TicketKeyRing::create().value();
  source->rotate();
  source->rotate();
  const auto exported = source->export_keys().value();
  const Ring ring = TicketKeyRing::create().value();
  const auto before = ring->export_keys().value();
  const auto is_refused = [&](std::span<const std::byte> octets) {
    const auto imported = ring->import_keys(octets);
    if (imported) return false;
    CHECK(imported.error().reason() == Errc::invalid_argument);
    CHECK_FALSE(imported.error().evidence().empty());
    return ring->export_keys().value() == before;
  };
  for (std::size_t size = 0; size < exported.size(); ++size) {
    CAPTURE(size);
    CHECK(is_refused(std::span(exported).first(size)));
  }
  for (std::size_t i = 0; i < exported.size(); ++i) {
    CAPTURE(i);
    auto altered = exported;
    altered[i] ^= std::byte{1};
    CHECK(is_refused(altered));
  }
  auto longer = exported;
  longer.push_back(std::byte{0});
  CHECK(is_refused(longer));
  CHECK(is_refused(Octets(exported.size())));

  auto newer = exported;
  newer[8] = std::byte{2};
  CHECK(ring->import_keys(newer).error().evidence().find("format 2") != std::string::npos);
  CHECK(ring->import_keys(exported));
  CHECK(ring->export_keys().value() == exported);
}

TEST_CASE("An export without keys is refused") {
  const Ring ring = TicketKeyRing::create().value();
  const auto imported = ring->import_keys(
      from_hex("736970746c73746b0100"
               "0000000000000000000000000000000000000000000000000000000000000000"));
  REQUIRE_FALSE(imported);
  CHECK(imported.error().evidence().find(": 0 keys") != std::string::npos);
}
