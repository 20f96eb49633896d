#include "siptls/clock.hpp"

#include <string>

#include "catch.hpp"
#include "siptls/version.hpp"

using namespace siptls;

namespace {
WallTime at(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }
}  // namespace

TEST_CASE("Times are written and read as RFC 3339 has them") {
  CHECK(format_time(at(0)) == "1970-01-01T00:00:00Z");
  CHECK(format_time(at(951782400)) == "2000-02-29T00:00:00Z");
  CHECK(format_time(at(4102444799)) == "2099-12-31T23:59:59Z");
  CHECK(format_time(at(-1)) == "1969-12-31T23:59:59Z");
  struct Row {
    const char* text;
    std::int64_t seconds;
  };
  const Row rows[] = {{"1970-01-01T00:00:00Z", 0},
                      {"2000-02-29T00:00:00Z", 951782400},
                      {"2011-04-15T12:30:00+02:00", 1302863400},
                      {"2011-04-15T10:30:00.25Z", 1302863400},
                      {"2011-04-15t10:30:00z", 1302863400},
                      {"2011-04-15T05:00:00-05:30", 1302863400}};
  for (const Row& row : rows) {
    INFO(row.text);
    const auto time = parse_time(row.text);
    REQUIRE(time);
    CHECK(*time == at(row.seconds));
  }
  for (const char* text : {"",
                           "now",
                           "2011-04-15",
                           "2011-04-15T10:30:00",
                           "2011-02-29T00:00:00Z",
                           "2011-13-01T00:00:00Z",
                           "2011-04-15T24:00:00Z",
                           "2011-04-15T10:60:00Z",
                           "2011-04-15T10:30:00.Z",
                           "2011-04-15T10:30:00Zx",
                           "2011-04-15T10:30:00+2:00",
                           "0001-01-01T00:00:00Z",
                           "1442-04-25T00:00:00Z",
                           "1677-09-21T00:12:43Z",
                           "2262-04-11T23:47:17Z",
                           "2610-06-01T00:00:00Z",
                           "9999-12-31T23:59:59Z",
                           "11-04-15T10:30:00Z",
                           "2011-4-15T10:30:00Z",
                           "2011-04-15T10:30:00+24:00"}) {
    INFO(text);
    const auto time = parse_time(text);
    REQUIRE_FALSE(time);
    CHECK(time.error().reason() == Errc::invalid_argument);
  }
}

TEST_CASE("A clock behind the release of the library is not trusted, under any policy") {
  Now now{MonoTime{}, at(0), ClockStanding::behind_floor};
  for (const ClockPolicy policy : {ClockPolicy::warn, ClockPolicy::require}) {
    const auto judged = check_clock(now, policy);
    REQUIRE_FALSE(judged);
    CHECK(judged.error().reason() == Errc::clock_not_trusted);
    CHECK(judged.error().evidence().find("1970-01-01T00:00:00Z") != std::string::npos);
    CHECK(judged.error().evidence().find(format_time(at(release_epoch()))) != std::string::npos);
  }
}

TEST_CASE("An unsynchronised clock is judged only where synchronisation is required") {
  const Now now{MonoTime{}, at(release_epoch()), ClockStanding::unsynchronised};
  CHECK(check_clock(now, ClockPolicy::warn));
  CHECK_FALSE(check_clock(now, ClockPolicy::require));
}

TEST_CASE("A time that was given is taken as given, however old") {
  const Now now{MonoTime{}, at(0)};
  CHECK(now.standing == ClockStanding::given);
  CHECK(check_clock(now, ClockPolicy::require));
}

TEST_CASE("The system clock reports the time and what is known about it") {
  const auto clock = Clock::system();
  const Now first = clock->now();
  const Now second = clock->now();
  CHECK(second.mono >= first.mono);
  CHECK(first.standing != ClockStanding::given);
  CHECK(std::chrono::abs(first.wall - std::chrono::system_clock::now()) < std::chrono::minutes(1));
  CHECK((first.wall < at(release_epoch())) == (first.standing == ClockStanding::behind_floor));
}

TEST_CASE("A manual clock moves when it is told to") {
  ManualClock clock(Now{MonoTime{}, at(1000)});
  clock.advance(std::chrono::seconds(5));
  CHECK(clock.now().wall == at(1005));
  CHECK(clock.now().mono == MonoTime(std::chrono::seconds(5)));
  clock.set_wall(at(7));
  CHECK(clock.now().wall == at(7));
  CHECK(clock.now().mono == MonoTime(std::chrono::seconds(5)));
}
