// That the queue of deadlines stays as small as what it is for, however long connections live.
#include "transport/deadline_queue.hpp"

#include <map>

#include "catch.hpp"
#include "transport/harness.hpp"
#include "transport/raw_peer.hpp"
#include "transport/transport_core.hpp"

using namespace siptls;
using namespace siptls_test;
using std::chrono::hours;
using std::chrono::seconds;

namespace {

// Keys with a note of their earliest entry, as the transport has them.
struct Keys {
  void arm(std::uint64_t key, MonoTime at) {
    auto [note, is_new] = armed.try_emplace(key, MonoTime::max());
    if (!queue.arm(key, at, note->second)) return;
    ++arms;
    if (!queue.is_crowded(armed.size())) return;
    queue.rebuild([&](const auto& tell) {
      for (const auto& [one, at_time] : armed) {
        ++looked_at;
        tell(one, at_time);
      }
    });
  }
  // Gives what is due to `due`, in its order.
  template <typename Due>
  void run(MonoTime now, Due due) {
    while (const auto entry = queue.take_due(now)) {
      const auto note = armed.find(entry->key);
      if (note == armed.end() || note->second != entry->at) continue;
      note->second = MonoTime::max();
      due(entry->key, entry->at);
    }
  }

  DeadlineQueue queue;
  std::map<std::uint64_t, MonoTime> armed;
  std::size_t arms = 0;
  std::size_t looked_at = 0;
};

}  // namespace

TEST_CASE("Entries that nearer ones took the place of are dropped, at a constant cost for each") {
  constexpr std::uint64_t kKeys = 1000;
  Keys keys;
  const MonoTime start{};
  // An idle deadline far away, and again and again a near one that takes its place for a while.
  for (int round = 0; round < 200; ++round) {
    const MonoTime now = start + seconds(21) * round;
    std::size_t due = 0;
    keys.run(now, [&](std::uint64_t key, MonoTime) {
      ++due;
      keys.arm(key, now + hours(24));
    });
    CHECK(due == (round == 0 ? 0 : kKeys));
    for (std::uint64_t key = 0; key < kKeys; ++key) keys.arm(key, now + seconds(20));
    CHECK(keys.queue.size() <= 4 * kKeys + 4096);
  }
  CHECK(keys.looked_at > 0);
  CHECK(keys.looked_at <= keys.arms);
}

TEST_CASE("Of one key that is armed for the same time again there is one entry after a rebuild") {
  Keys keys;
  const MonoTime far = MonoTime{} + hours(24);
  MonoTime near{};
  while (!keys.queue.is_crowded(1)) {
    near += seconds(1);
    MonoTime& note = keys.armed.try_emplace(7, MonoTime::max()).first->second;
    keys.queue.arm(7, near, note);
    static_cast<void>(keys.queue.take_due(near));
    note = MonoTime::max();
    keys.queue.arm(7, far, note);
  }
  keys.queue.rebuild([&](const auto& tell) {
    tell(7, keys.armed.at(7));
    tell(8, MonoTime::max());  // one that waits for nothing
  });
  CHECK(keys.queue.size() == 1);
  CHECK(keys.queue.earliest() == far);
}

TEST_CASE(
    "A connection that lives for months costs no more deadlines than one that has just come") {
  constexpr std::size_t kClients = 4;
  constexpr int kCycles = 2500;
  const auto clock = std::make_shared<ManualClock>(Clock::system()->now());
  TransportOptions options;
  options.clock = clock;
  options.limits.idle_timeout = hours(24 * 365);
  auto server = TransportCore::create(options);
  REQUIRE(server);
  TransportCore& core = **server;
  const auto listener = core.listen(
      ListenOptions{*Endpoint::parse("127.0.0.1", 0), world().context(world().alpha.leaf)});
  REQUIRE(listener);
  std::vector<RawTlsClient> clients;
  std::size_t messages = 0;
  std::vector<ConnectionId> ids;
  const auto drain = [&] {
    while (auto event = core.next_event()) {
      if (const auto* connected = std::get_if<Connected>(&*event)) {
        ids.push_back(connected->connection);
      }
      if (std::holds_alternative<Message>(*event)) ++messages;
    }
  };
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.emplace_back(*core.local_endpoint(*listener), world().context(world().beta));
    for (int turn = 0; turn < 10'000 && ids.size() <= i; ++turn) {
      clients.back().step();
      drain();
    }
  }
  REQUIRE(ids.size() == kClients);
  const std::string request = options_request(1);
  const auto until_read = [&](std::size_t wanted) {
    for (int turn = 0; turn < 10'000 && messages < wanted; ++turn) drain();
  };
  std::size_t most = 0;
  for (int cycle = 1; cycle <= kCycles; ++cycle) {
    // In two pieces: message_timeout stands before idle_timeout for a while.
    for (RawTlsClient& client : clients) client.send(request.substr(0, 20));
    drain();
    for (RawTlsClient& client : clients) client.send(request.substr(20));
    until_read(static_cast<std::size_t>(cycle) * kClients);
    clock->advance(seconds(21));
    drain();
    most = std::max(most, core.deadline_entries());
  }
  CHECK(messages == kClients * kCycles);
  CHECK(core.connection_count() == kClients);
  CHECK(most > 4096);  // or nothing was tested
  CHECK(most <= 4096 + 4 * (kClients + 2));
  // With it, no end has more to look through.
  REQUIRE(core.abort(ids.front()));
  CHECK(core.deadline_entries() <= 4096 + 4 * (kClients + 2));
  // The deadlines themselves are all there.
  clock->advance(hours(24 * 366));
  drain();
  CHECK(core.connection_count() == 0);
}
