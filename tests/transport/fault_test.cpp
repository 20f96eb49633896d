// The transport over a network that makes trouble.
#include <cerrno>
#include <map>
#include <set>
#include <utility>

#include "catch.hpp"
#include "scale.hpp"
#include "transport/faulty_io.hpp"
#include "transport/harness.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

struct FaultPlan {
  explicit FaultPlan(const Faults& plan) { faults() = plan; }
  FaultPlan(const FaultPlan&) = delete;
  ~FaultPlan() { faults() = Faults{}; }
};

// Each connection has one end, nothing comes after it, and nothing else ended.
void check_ends(const Host& host) {
  std::map<ConnectionId, bool> connected;
  std::set<ConnectionId> ended;
  for (const Seen& one : host.seen) {
    CHECK(ended.find(one.connection) == ended.end());
    if (one.kind == "Connected") connected[one.connection] = true;
    const bool end = one.kind == "Closed" || one.kind == "ConnectFailed" ||
                     (one.kind == "HandshakeFailed" && !connected[one.connection]);
    if (end) {
      CHECK((one.kind == "Closed") == connected[one.connection]);
      ended.insert(one.connection);
    }
  }
}

}  // namespace

TEST_CASE("Short reads, short writes and calls put off change nothing but the pace") {
  for (const unsigned seed : {1U, 2U, 3U}) {
    CAPTURE(seed);
    Faults plan;
    plan.short_percent = 60;
    plan.would_block_percent = 30;
    plan.random.seed(seed);
    const FaultPlan active(plan);
    Host server;
    Host client;
    answer_requests(server);
    const Endpoint at = server.listen(world().context(world().alpha.leaf));
    const TlsContext context = world().context(world().beta);
    constexpr unsigned kMessages = 120;
    for (unsigned i = 1; i <= kMessages; ++i) {
      REQUIRE(client.transport().send(target(at, context),
                                      octets(options_request(i, std::string(i * 37, 'x')))));
    }
    run_until({&server, &client}, [&] { return client.count("Message") == kMessages; });
    const auto requests = server.all("Message");
    const auto answers = client.all("Message");
    for (unsigned i = 0; i < kMessages; ++i) {
      CHECK(requests[i].text == options_request(i + 1, std::string((i + 1) * 37, 'x')));
      CHECK(answers[i].text.find("CSeq: " + std::to_string(i + 1) + " ") != std::string::npos);
    }
    client.transport().close_all();
    run_until({&server, &client},
              [&] { return client.count("Closed") == 1 && server.count("Closed") == 1; });
    CHECK_FALSE(server.last("Closed").error);
    CHECK(client.count("SendFailed") == 0);
  }
}

TEST_CASE("Whichever call fails, every token is answered for and every connection ends once") {
  // How many calls there are without a fault.
  std::uint64_t calls = 0;
  const auto exchange = [&](const Faults& plan, bool asks) {
    const FaultPlan active(plan);
    // A faulty call leaves the socket as it is, so only deadlines end what it has broken.
    TransportOptions options;
    options.limits.close_timeout = std::chrono::milliseconds(50);
    options.limits.handshake_timeout = std::chrono::milliseconds(1500);
    Host server(options);
    Host client(options);
    answer_requests(server);
    const auto answer = std::exchange(server.on_event, nullptr);
    server.on_event = [&](const Event& event, const Seen& seen) {
      // Whom the host is asked for can be gone.
      if (seen.kind == "AuthorisePeer") {
        static_cast<void>(server.transport().authorise(seen.connection, Verdict::admit));
      }
      answer(event, seen);
    };
    TlsPolicy policy = TlsPolicy::modern();
    if (asks) policy.authorise = PeerAuthorisation::host;
    const Endpoint at = server.listen(world().context(world().alpha.leaf, policy));
    const TlsContext context = world().context(world().beta);
    std::set<SendToken> open;
    for (unsigned i = 1; i <= 3; ++i) {
      const auto token = client.transport().send(target(at, context), octets(options_request(i)),
                                                 {std::nullopt, Report::always});
      if (token) open.insert(*token);
    }
    const auto over = [&] {
      return client.count("Message") == 3 || client.count("Closed") > 0 ||
             client.count("HandshakeFailed") > 0 || client.count("ConnectFailed") > 0;
    };
    run_until({&server, &client}, over);
    client.transport().close_all();
    run_until({&server, &client}, [&] {
      return client.transport().connection_count() + server.transport().connection_count() == 0;
    });
    settle({&server, &client});
    for (const Seen& one : client.seen) {
      if (one.kind == "Sent" || one.kind == "SendFailed") open.erase(one.token);
    }
    CHECK(open.empty());
    check_ends(client);
    check_ends(server);
    calls = faults().calls;
  };
  exchange(Faults{}, false);
  REQUIRE(calls > 10);
  const std::uint64_t all_calls = calls;
  const std::size_t rounds = scaled("failing calls", all_calls * 4);
  for (std::size_t i = 0; i < rounds; ++i) {
    Faults plan;
    plan.failing_call = 1 + i * all_calls / rounds;
    plan.failing_error = i % 2 == 0 ? ECONNRESET : EPIPE;
    CAPTURE(plan.failing_call, plan.failing_error);
    exchange(plan, i % 4 >= 2);
  }
}
