#include "siptls/keep_alive.hpp"

#include <set>

#include "catch.hpp"

using namespace siptls;
using Due = KeepAliveTimer::Due;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const MonoTime kStart = MonoTime{} + std::chrono::hours(1);

}  // namespace

TEST_CASE("pings come after 80 to 100 percent of the interval, each after a time of its own") {
  for (const auto interval : {milliseconds(seconds(120)), milliseconds(seconds(840))}) {
    KeepAliveOptions options;
    options.interval = interval;
    std::set<MonoTime::duration> waits;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      KeepAliveTimer timer(options, kStart, seed);
      MonoTime now = kStart;
      for (int ping = 0; ping < 20; ++ping) {
        const auto wait = timer.deadline().value() - now;
        CHECK(wait >= interval * 8 / 10);
        CHECK(wait <= interval);
        waits.insert(wait);
        CHECK(timer.due(timer.deadline().value() - milliseconds(1)) == Due::nothing);
        now = timer.deadline().value();
        REQUIRE(timer.due(now) == Due::ping);
        timer.pong_received(now);
      }
    }
    // Spread over the whole range, not crowded at one end.
    CHECK(waits.size() > 900);
    CHECK(*waits.begin() < interval * 81 / 100);
    CHECK(*waits.rbegin() > interval * 99 / 100);
  }
}

TEST_CASE("a flow fails ten seconds after a ping without pong, once") {
  KeepAliveTimer timer({}, kStart, 7);
  const MonoTime ping = timer.deadline().value();
  REQUIRE(timer.due(ping) == Due::ping);
  CHECK(timer.due(ping) == Due::nothing);
  CHECK(timer.deadline() == ping + seconds(10));
  CHECK(timer.due(ping + milliseconds(9999)) == Due::nothing);
  SECTION("the pong comes in time") {
    timer.pong_received(ping + milliseconds(9999));
    CHECK(timer.due(ping + seconds(10)) == Due::nothing);
    CHECK(timer.deadline().value() >= ping + milliseconds(9999) + seconds(96));
  }
  SECTION("no pong comes") {
    CHECK(timer.due(ping + seconds(10)) == Due::flow_failed);
    CHECK(timer.due(ping + seconds(1000)) == Due::nothing);
    CHECK_FALSE(timer.deadline().has_value());
    timer.pong_received(ping + seconds(11));
    CHECK_FALSE(timer.deadline().has_value());
  }
}

TEST_CASE("a pong that nobody waits for changes nothing") {
  KeepAliveTimer timer({}, kStart, 7);
  const auto deadline = timer.deadline();
  timer.pong_received(kStart + seconds(50));
  CHECK(timer.deadline() == deadline);
}

TEST_CASE("a flow is opened again after a time that doubles up to half an hour") {
  struct Row {
    unsigned failures;
    OtherFlows others;
    int upper;  // seconds
  };
  const Row rows[] = {
      {1, OtherFlows::none, 60},
      {2, OtherFlows::none, 120},
      {3, OtherFlows::none, 240},
      {5, OtherFlows::none, 960},
      {6, OtherFlows::none, 1800},
      {1, OtherFlows::some, 180},
      {4, OtherFlows::some, 1440},
      {5, OtherFlows::some, 1800},
      {4000000000, OtherFlows::some, 1800},
  };
  for (const Row& row : rows) {
    CAPTURE(row.failures, row.upper);
    milliseconds least = milliseconds::max();
    milliseconds most = milliseconds::min();
    for (std::uint64_t random = 0; random < 2000; ++random) {
      const auto wait = flow_retry_delay(row.failures, row.others, random);
      least = std::min(least, wait);
      most = std::max(most, wait);
    }
    CHECK(least >= milliseconds(seconds(row.upper)) / 2);
    CHECK(least <= milliseconds(seconds(row.upper)) * 52 / 100);
    CHECK(most <= milliseconds(seconds(row.upper)));
    CHECK(most >= milliseconds(seconds(row.upper)) * 98 / 100);
  }
}
