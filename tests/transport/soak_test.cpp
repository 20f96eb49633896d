// Everything at once for a long time, at full speed: connects, closes, aborts, pauses, new
// contexts, peers judged again, and a network that makes trouble. Every message is accounted for;
// memory and descriptors come back to where they were whenever all connections have ended.
//
// SIPTLS_SOAK_SECONDS sets how long it lasts, SIPTLS_SOAK_SEED repeats a run (as far as the
// machine lets it: time is real here).
#include <malloc.h>
#include <poll.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <iostream>

#include "catch.hpp"
#include "scale.hpp"
#include "transport/fault_scenarios.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Steady = std::chrono::steady_clock;

// Between two times at which everything ends.
constexpr milliseconds kRound{2500};
constexpr std::size_t kMostConnections = 60;

double setting(const char* name, double otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtod(text, nullptr) : otherwise;
}

// Octets of the heap that are in use.
std::size_t heap_in_use() {
  const struct mallinfo2 heap = ::mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

TransportOptions soak_options() {
  TransportOptions options;
  options.limits.connect_timeout = milliseconds(500);
  options.limits.handshake_timeout = seconds(2);
  options.limits.message_timeout = seconds(2);
  options.limits.idle_timeout = seconds(3);
  options.limits.close_timeout = milliseconds(200);
  options.limits.max_queued_bytes = 128 * 1024;
  options.limits.max_queued_messages = 200;
  return options;
}

TlsContext with_tickets(const demo_pki::Entity& entity, ProtocolVersion version,
                        const std::shared_ptr<TicketKeyRing>& keys) {
  TlsPolicy policy = version == ProtocolVersion::tls1_2 ? policy_of(version) : TlsPolicy::modern();
  policy.resumption = Resumption::tickets;
  TlsContextConfig config = world().config(entity, policy);
  config.ticket_keys = keys;
  return make_context(config);
}

class Soak {
 public:
  explicit Soak(unsigned seed) : scope_(plan(seed)), random_(seed) {
    auto keys = TicketKeyRing::create();
    REQUIRE(keys);
    for (int i = 0; i < 3; ++i) {
      servers_.push_back(with_tickets(world().alpha.leaf, ProtocolVersion::tls1_3, *keys));
    }
    servers_.push_back(world().context(world().alpha.leaf));
    clients_ = {with_tickets(world().beta, ProtocolVersion::tls1_3, nullptr),
                with_tickets(world().beta, ProtocolVersion::tls1_2, nullptr),
                world().context(world().beta), fault_contexts().stranger};
    for (Party* party : {&server_, &client_}) {
      party->start(soak_options());
      party->on_event = [this](Party& self, const Event& event) { note(self, event); };
    }
    for (int i = 0; i < 2; ++i) {
      const auto at = server_.listen(servers_[0]);
      REQUIRE(at);
      addresses_.push_back(*at);
      listeners_.push_back(server_.listener);
    }
  }

  void run(seconds duration) {
    const auto end = Steady::now() + duration;
    while (Steady::now() < end) {
      const auto round_end = std::min(end, Steady::now() + kRound);
      while (Steady::now() < round_end) {
        for (int i = 0; i < 10; ++i) act();
        turn(0);
      }
      end_all();
      heap_.push_back(heap_in_use());
      descriptors_.push_back(open_descriptors());
      for (const std::string& violation : invariants_.violations()) UNSCOPED_INFO(violation);
      REQUIRE(invariants_.violations().empty());
    }
  }

  // Flat: the last rounds have no more than the first ones after the beginning, in which tables of
  // a fixed size fill.
  void judge() {
    for (const std::string& one : invariants_.violations()) {
      INFO(one);
      CHECK(false);
    }
    std::cout << "soak: " << heap_.size() << " rounds, " << invariants_.messages_received()
              << " messages, " << invariants_.sends_failed() << " sends failed, "
              << invariants_.connections() << " connections, " << scope_.log().struck << " faults; "
              << heap_.front() / 1024 << " KiB of heap after the first round, "
              << heap_.back() / 1024 << " KiB after the last\n";
    CHECK(invariants_.messages_received() > 100);
    for (const std::size_t one : descriptors_) CHECK(one == descriptors_.front());
    const std::size_t third = heap_.size() / 3;
    if (third < 3) return;
    const auto median = [&](std::size_t from) {
      std::vector<std::size_t> some(heap_.begin() + static_cast<std::ptrdiff_t>(from),
                                    heap_.begin() + static_cast<std::ptrdiff_t>(from + third));
      std::nth_element(some.begin(), some.begin() + static_cast<std::ptrdiff_t>(third / 2),
                       some.end());
      return some[third / 2];
    };
    const std::size_t before = median(third);
    const std::size_t after = median(heap_.size() - third);
    std::cout << "soak: " << before / 1024 << " KiB in the middle third, " << after / 1024
              << " KiB in the last one\n";
    CHECK(after < before + before / 20 + 128 * 1024);
  }

 private:
  struct Open {
    std::vector<ConnectionId> ids;

    void add(ConnectionId id) { ids.push_back(id); }
    void remove(ConnectionId id) { ids.erase(std::remove(ids.begin(), ids.end(), id), ids.end()); }
  };

  static FaultPlan plan(unsigned seed) {
    FaultPlan made;
    made.any_of_100000 = 30;
    made.short_percent = 3;
    made.put_off_percent = 2;
    made.interrupted_percent = 2;
    made.random.seed(seed + 1);
    return made;
  }

  unsigned below(std::size_t count) { return static_cast<unsigned>(random_() % count); }
  Open& open_of(const Party& party) { return open_[party.number() - 1]; }

  void note(Party& party, const Event& event) {
    if (const auto* connected = std::get_if<Connected>(&event)) {
      open_of(party).add(connected->connection);
    } else if (const auto* closed = std::get_if<Closed>(&event)) {
      open_of(party).remove(closed->connection);
    } else if (const auto* message = std::get_if<Message>(&event)) {
      if (message->message.is_request() && below(3) == 0) {
        party.respond(message->connection, {}, below(400));
      }
      if (below(2000) == 0) party.abort(message->connection);
      if (below(2000) == 0) party.close(message->connection);
      if (below(500) == 0) static_cast<void>(party.transport().pause(message->connection));
    }
  }

  Target a_target() {
    Target target = siptls_test::target(addresses_[below(addresses_.size())],
                                        clients_[below(100) == 0 ? 3 : below(3)]);
    if (below(4) == 0) target.remotes.push_back(addresses_[below(addresses_.size())]);
    return target;
  }

  SendOptions some_options() {
    SendOptions options;
    if (below(2) == 0) options.report = Report::always;
    if (below(20) == 0) options.expires_at = Steady::now() + milliseconds(below(50));
    return options;
  }

  std::size_t a_size() { return below(100) == 0 ? below(60'000) : below(900); }

  void act() {
    Party& party = below(2) == 0 ? server_ : client_;
    const Open& open = open_of(party);
    const unsigned dice = below(1000);
    if (dice < 12 || open.ids.empty()) {
      if (client_.transport().connection_count() >= kMostConnections) return;
      client_.send(a_target(), a_size(), some_options());
      return;
    }
    const ConnectionId id = open.ids[below(open.ids.size())];
    if (dice < 16) {
      party.close(id);
    } else if (dice < 19) {
      party.abort(id);
    } else if (dice < 22) {
      static_cast<void>(party.transport().pause(id));
    } else if (dice < 40) {
      static_cast<void>(party.transport().resume(id));
    } else if (dice < 42) {
      renew();
    } else if (dice < 50) {
      party.send_text(id, "\r\n\r\n");
    } else if (dice < 51) {
      // Connections that end before they have come about.
      if (const auto fresh = client_.connect(a_target()); fresh && below(2) == 0) {
        client_.abort(*fresh);
      }
    } else if (dice < 60) {
      client_.send(a_target(), a_size(), some_options());
    } else if (dice < 300) {
      party.send(id, a_size(), some_options());
    }
  }

  void renew() {
    TlsTransport& transport = server_.transport();
    const auto updated =
        transport.update(listeners_[below(listeners_.size())], servers_[below(servers_.size())]);
    if (updated && below(2) == 0) static_cast<void>(transport.reverify(updated->generation));
  }

  // False if nothing was readable.
  bool turn(int patience) {
    std::array<pollfd, 2> waits{
        {{server_.transport().fd(), POLLIN, 0}, {client_.transport().fd(), POLLIN, 0}}};
    if (::poll(waits.data(), waits.size(), patience) <= 0) return false;
    const Pace pace = below(4) == 0 ? Pace::one_event : Pace::drain;
    if ((waits[0].revents & POLLIN) != 0) server_.take_events(pace);
    if ((waits[1].revents & POLLIN) != 0) client_.take_events(pace);
    return true;
  }

  // Every connection ends, and everything is accounted for.
  void end_all() {
    for (Party* party : {&client_, &server_}) {
      for (const ConnectionId id : std::vector<ConnectionId>(open_of(*party).ids)) {
        static_cast<void>(party->transport().resume(id));
      }
    }
    for (int i = 0; i < 200; ++i) turn(0);
    for (const ConnectionId id : std::vector<ConnectionId>(open_[1].ids)) client_.close(id);
    const auto give_up = Steady::now() + seconds(60);
    const auto all_ended = [&] {
      return server_.transport().connection_count() + client_.transport().connection_count() == 0;
    };
    while (!all_ended()) {
      turn(50);
      // Those that have come about meanwhile.
      for (const ConnectionId id : std::vector<ConnectionId>(open_[1].ids)) client_.close(id);
      REQUIRE(Steady::now() < give_up);
    }
    // Sockets that linger until their peer has read its alert.
    const auto lingered = Steady::now() + 3 * soak_options().limits.close_timeout;
    while (Steady::now() < lingered) turn(20);
    invariants_.at_end();
    server_.forget_events();
    client_.forget_events();
  }

  Invariants invariants_;
  FaultyScope scope_;
  std::mt19937 random_;
  Party server_{invariants_, 1};
  Party client_{invariants_, 2};
  std::array<Open, 2> open_;  // by party
  std::vector<TlsContext> servers_;
  std::vector<TlsContext> clients_;
  std::vector<Endpoint> addresses_;
  std::vector<ListenerId> listeners_;
  std::vector<std::size_t> heap_;
  std::vector<std::size_t> descriptors_;
};

void soak(double its_seconds) {
  // Whatever else runs on this machine goes first.
  ::setpriority(PRIO_PROCESS, 0, 10);
  const auto duration =
      seconds(static_cast<long>(std::max(setting("SIPTLS_SOAK_SECONDS", its_seconds), 2.0)));
  const auto seed = static_cast<unsigned>(
      setting("SIPTLS_SOAK_SEED", static_cast<double>(std::random_device{}() % 1'000'000)));
  std::cout << "soak: " << duration.count() << " s, SIPTLS_SOAK_SEED=" << seed << "\n";
  INFO("SIPTLS_SOAK_SEED=" << seed);
  Soak running(seed);
  running.run(duration);
  running.judge();
}

}  // namespace

TEST_CASE("A soak of a minute loses no message, no memory and no descriptor") {
  soak(static_cast<double>(scaled("seconds of soak", 60)));
}

TEST_CASE("A soak of fifteen minutes loses no message, no memory and no descriptor", "[long]") {
  soak(900);
}
