// Who may come in, as pure logic: token buckets and counts by address, against simple models.
#include "transport/admission.hpp"

#include <map>
#include <random>

#include "catch.hpp"
#include "scale.hpp"
#include "siptls/tls_transport.hpp"

using namespace siptls;
using namespace siptls_test;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

namespace {

const MonoTime kNow = MonoTime(std::chrono::hours(1));

const MonoTime kStart{seconds(1'000'000)};

Endpoint at(const char* address) { return *Endpoint::parse(address, 5061); }

// Counts the tokens that can be taken at `now`, up to `most`.
std::uint32_t take_all(TokenBucket& bucket, const Rate& rate, MonoTime now, std::uint32_t most) {
  std::uint32_t taken = 0;
  while (taken < most && bucket.take(rate, now)) ++taken;
  return taken;
}

}  // namespace

TEST_CASE("A token bucket gives its burst at once, and then its rate") {
  struct Row {
    Rate rate;
    milliseconds later;
    std::uint32_t then;
  };
  const Row rows[] = {
      {{10, 100}, milliseconds(99), 0},     {{10, 100}, milliseconds(100), 1},
      {{10, 100}, milliseconds(1050), 10},  {{10, 100}, seconds(3600), 100},
      {{1000, 1}, milliseconds(1), 1},      {{1, 3}, milliseconds(1999), 1},
      {{3, 5}, milliseconds(1000), 3},      {{1000, 1000}, milliseconds(500), 500},
      {{1, 4'000'000}, milliseconds(0), 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.rate.per_second, row.rate.burst, row.later.count());
    TokenBucket bucket;
    CHECK(take_all(bucket, row.rate, kStart, row.rate.burst + 1) == row.rate.burst);
    CHECK(take_all(bucket, row.rate, kStart + row.later, row.rate.burst + 1) == row.then);
  }
  TokenBucket endless;
  CHECK(take_all(endless, Rate::unlimited(), kStart, 100'000) == 100'000);
}

TEST_CASE("A token bucket keeps its rate however it is asked, and says when tokens are there") {
  std::mt19937_64 random(7);
  for (std::size_t round = scaled("token buckets", 200); round-- > 0;) {
    const Rate rate{static_cast<std::uint32_t>(1 + random() % 2000),
                    static_cast<std::uint32_t>(1 + random() % 500)};
    CAPTURE(rate.per_second, rate.burst);
    TokenBucket bucket;
    MonoTime now = kStart;
    std::uint64_t given = 0;
    for (int step = 0; step < 200; ++step) {
      const auto wanted = static_cast<std::uint32_t>(1 + random() % rate.burst);
      if (random() % 4 == 0) {
        // So many are there at that time, and one nanosecond before they are not.
        const MonoTime then = bucket.when(wanted, rate, now);
        REQUIRE(then >= now);
        if (then > now) {
          TokenBucket early = bucket;
          REQUIRE(take_all(early, rate, then - nanoseconds(1), wanted) == wanted - 1);
        }
        now = then;
        REQUIRE(take_all(bucket, rate, now, wanted) == wanted);
        given += wanted;
      } else {
        now += nanoseconds(random() % 20'000'000);
        given += take_all(bucket, rate, now, wanted);
      }
      const double time = std::chrono::duration<double>(now - kStart).count();
      REQUIRE(static_cast<double>(given) <= rate.burst + time * rate.per_second * 1.00001 + 1e-6);
    }
  }
}

TEST_CASE("Addresses are counted as one subscriber has them") {
  TransportLimits limits;
  limits.max_connections_per_address = 2;
  struct Row {
    const char* first;
    const char* second;
    bool same;
  };
  const Row rows[] = {
      {"192.0.2.1", "192.0.2.1", true},
      {"192.0.2.1", "192.0.2.2", false},
      {"192.0.2.1", "::ffff:192.0.2.1", true},
      {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
      {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
      // The same 64 bits with and without a family must not meet.
      {"0.0.0.1", "0:0:0:1::", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.first, row.second);
    Admission admission(limits, 1);
    REQUIRE_FALSE(admission.enter(at(row.first), kNow));
    REQUIRE_FALSE(admission.enter(at(row.first), kNow));
    const auto third = admission.enter(at(row.second), kNow);
    CHECK(third.has_value() == row.same);
    if (third) CHECK(third->reason() == Errc::too_many_from_address);
    CHECK(admission.addresses() == (row.same ? 1 : 2));
  }
}

TEST_CASE("What was counted is forgotten when it has left, in any order") {
  TransportLimits limits;
  limits.accept_rate_per_address = Rate::unlimited();
  limits.max_connections_per_address = 5;
  limits.max_handshakes_per_address = 3;
  const char* addresses[] = {"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"};
  struct Open {
    std::size_t address;
    bool proven;
  };
  std::mt19937_64 random(11);
  for (std::size_t round = scaled("admissions", 50); round-- > 0;) {
    Admission admission(limits, random());
    std::vector<Open> open;
    const auto count = [&](std::size_t address, bool handshakes) {
      std::size_t found = 0;
      for (const Open& one : open) {
        found += one.address == address && !(handshakes && one.proven) ? 1u : 0u;
      }
      return found;
    };
    for (int step = 0; step < 300; ++step) {
      const std::size_t address = random() % 4;
      if (random() % 2 == 0) {
        const bool fits = count(address, false) < 5 && count(address, true) < 3;
        REQUIRE(admission.enter(at(addresses[address]), kNow).has_value() == !fits);
        if (fits) open.push_back({address, false});
      } else if (!open.empty()) {
        const std::size_t which = random() % open.size();
        if (!open[which].proven && random() % 2 == 0) {
          admission.prove(at(addresses[open[which].address]));
          open[which].proven = true;
        } else {
          admission.leave(at(addresses[open[which].address]), open[which].proven, kNow);
          open.erase(open.begin() + static_cast<std::ptrdiff_t>(which));
        }
      }
    }
    for (const Open& one : open) admission.leave(at(addresses[one.address]), one.proven, kNow);
    REQUIRE(admission.addresses() == 0);
  }
}

TEST_CASE(
    "One address that comes too fast leaves the others their room, and is forgiven with time") {
  TransportLimits limits;
  limits.accept_rate_per_address = {10, 50};
  Admission admission(limits, 1);
  MonoTime now = kNow;
  // Alone it may come as it likes: there is nobody to protect, and the common rate holds.
  for (int i = 0; i < 300; ++i) {
    REQUIRE_FALSE(admission.enter(at("192.0.2.9"), now));
    admission.accepted(now);
    admission.leave(at("192.0.2.9"), false, now);
  }
  // And beside others as long as there is enough for all.
  for (int i = 0; i < 200; ++i) {
    REQUIRE_FALSE(admission.enter(at("192.0.2.8"), now));
    admission.accepted(now);
    admission.leave(at("192.0.2.8"), false, now);
  }
  admission.accepted(now);  // half of the common rate is used up
  std::size_t let_in = 0;
  for (int i = 0; i < 500; ++i) {
    const auto why = admission.enter(at("192.0.2.1"), now);
    if (why) {
      CHECK(why->reason() == Errc::accept_rate_reached);
      continue;
    }
    ++let_in;
    // It ends at once, as in a storm of resets: that must not make it unknown.
    admission.leave(at("192.0.2.1"), false, now);
  }
  CHECK(let_in == 50);
  CHECK_FALSE(admission.enter(at("192.0.2.2"), now));
  admission.leave(at("192.0.2.2"), false, now);
  now += std::chrono::seconds(1);
  let_in = 0;
  for (int i = 0; i < 501; ++i) admission.accepted(now);
  for (int i = 0; i < 100; ++i) let_in += admission.enter(at("192.0.2.1"), now) ? 0U : 1U;
  CHECK(let_in == 10);
}

TEST_CASE("However many addresses come, those that nothing is open from are not kept for ever") {
  const TransportLimits limits;
  Admission admission(limits, 1);
  for (std::uint32_t i = 0; i < 200'000; ++i) {
    const Endpoint from =
        Endpoint::ipv4({10, static_cast<std::uint8_t>(i >> 16), static_cast<std::uint8_t>(i >> 8),
                        static_cast<std::uint8_t>(i)},
                       5061);
    REQUIRE_FALSE(admission.enter(from, kNow));
    admission.leave(from, false, kNow);
  }
  CHECK(admission.addresses() < 40'000);
}

TEST_CASE("Accepting goes on in spoonfuls, and not before something has ended") {
  TransportLimits limits;
  limits.max_connections = 100;
  limits.max_handshakes = 16;
  limits.accept_rate = {1000, 50};
  Admission admission(limits, 1);
  const auto reason = [&](std::size_t connections) {
    const auto found = admission.obstacle(connections, kStart);
    return found ? std::string(to_string(found->reason())) : std::string("none");
  };
  CHECK(reason(99) == "none");
  CHECK(reason(100) == "too_many_connections");
  CHECK(admission.open_from(100, kStart) == MonoTime::max());
  for (int i = 0; i < 16; ++i) admission.begin_handshake();
  CHECK(reason(16) == "too_many_handshakes");
  CHECK(admission.open_from(16, kStart) == MonoTime::max());
  admission.end_handshake();
  CHECK(reason(15) == "none");
  CHECK(admission.open_from(15, kStart) == MonoTime::max());
  admission.end_handshake();
  CHECK(admission.open_from(14, kStart) == kStart);
  for (int i = 0; i < 50; ++i) admission.accepted(kStart);
  CHECK(reason(14) == "accept_rate_reached");
  // A tenth of a second's are more than the burst.
  CHECK(admission.open_from(14, kStart) == kStart + milliseconds(50));
}

TEST_CASE("Rates by which nothing could ever happen are refused") {
  TransportLimits limits;
  CHECK(check_limits(limits));
  for (const Rate& nothing : {Rate{0, 1}, Rate{1, 0}}) {
    TransportLimits one = limits;
    one.accept_rate = nothing;
    CHECK_FALSE(check_limits(one));
    one = limits;
    one.ping_rate = nothing;
    CHECK_FALSE(check_limits(one));
  }
}

TEST_CASE("A transport with limits by which nothing could happen is not made") {
  using Limits = TransportLimits;
  struct Row {
    const char* field;
    void (*set)(Limits&, int);
    bool none_is_good = false;
  };
  const Row rows[] = {
      {"max_connections", [](Limits& l, int) { l.max_connections = 0; }},
      {"max_connections_per_address", [](Limits& l, int) { l.max_connections_per_address = 0; }},
      {"max_handshakes", [](Limits& l, int) { l.max_handshakes = 0; }},
      {"max_handshakes_per_address", [](Limits& l, int) { l.max_handshakes_per_address = 0; }},
      {"accept_rate", [](Limits& l, int) { l.accept_rate = {}; }},
      {"accept_rate_per_address", [](Limits& l, int) { l.accept_rate_per_address.burst = 0; }},
      {"connect_timeout", [](Limits& l, int n) { l.connect_timeout = milliseconds(n); }},
      {"handshake_timeout", [](Limits& l, int n) { l.handshake_timeout = milliseconds(n); }},
      {"first_message_timeout",
       [](Limits& l, int n) { l.first_message_timeout = milliseconds(n); }},
      {"idle_timeout", [](Limits& l, int n) { l.idle_timeout = milliseconds(n); }},
      {"message_timeout", [](Limits& l, int n) { l.message_timeout = milliseconds(n); }},
      {"write_timeout", [](Limits& l, int n) { l.write_timeout = milliseconds(n); }},
      // Not to wait for the peer's close_notify is a way to close.
      {"close_timeout", [](Limits& l, int n) { l.close_timeout = milliseconds(n); }, true},
      {"max_queued_bytes", [](Limits& l, int) { l.max_queued_bytes = 0; }},
      {"max_queued_messages", [](Limits& l, int) { l.max_queued_messages = 0; }},
      {"max_buffered_bytes", [](Limits& l, int) { l.max_buffered_bytes = 0; }},
      {"ping_rate", [](Limits& l, int) { l.ping_rate.per_second = 0; }},
      {"framer.max_start_line", [](Limits& l, int) { l.framer.max_start_line = 0; }},
      {"framer.max_header", [](Limits& l, int) { l.framer.max_header = 0; }},
      {"framer.max_header_rows", [](Limits& l, int) { l.framer.max_header_rows = 0; }},
  };
  for (const Row& row : rows) {
    for (const int value : {0, -1}) {
      CAPTURE(row.field, value);
      TransportOptions options;
      row.set(options.limits, value);
      const auto made = TlsTransport::create(options);
      const bool good = row.none_is_good && value == 0;
      CHECK(made.has_value() == good);
      if (made) continue;
      CHECK(made.error().reason() == Errc::invalid_argument);
      CHECK(made.error().evidence().find(std::string("TransportLimits::") + row.field + " ") == 0);
    }
  }
  // No message with a body, and none behind empty lines: that can be wanted.
  TransportOptions options;
  options.limits.framer.max_body = options.limits.framer.max_empty_lines = 0;
  CHECK(TlsTransport::create(options));
}
