// The peer is killed after exactly so many octets of what this side has written, for every number
// of octets: what it has read by then tells what must be reported, and with how many octets.
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <iostream>
#include <map>

#include "catch.hpp"
#include "net/net.hpp"
#include "scale.hpp"
#include "transport/fault_scenarios.hpp"
#include "transport/raw_peer.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

enum class Death : std::uint8_t {
  reset,
  end,           // FIN alone
  close_notify,  // and nothing is read any more
  unread,        // closed with unread input, which makes a reset
};
constexpr Death kDeaths[] = {Death::reset, Death::end, Death::close_notify, Death::unread};

struct Case {
  ConnectionRole role;  // of the transport
  ProtocolVersion version;
  Death death;
  std::size_t large = 0;  // octets of one body
};

// The other end of the connection, moved by hand. Not disturbed by faults.
class Peer {
 public:
  Peer(net::Descriptor socket, TlsSession session)
      : socket_(std::move(socket)), session_(std::move(session)) {}

  void step(Now now) {
    const Unfaulted by_hand;
    std::array<std::byte, 32 * 1024> buffer;
    for (;;) {
      const auto got = net::receive(socket_.get(), buffer);
      if (got.status != net::IoStatus::done) break;
      take(std::span(buffer).first(got.octets), now);
    }
    const auto output = session_.pending_output();
    if (output.empty()) return;
    const auto sent = net::send(socket_.get(), output);
    if (sent.status == net::IoStatus::done) session_.consume_output(sent.octets);
  }

  void die(Death death, Now now) {
    const Unfaulted by_hand;
    if (death == Death::unread) {
      // Seen, but not taken out of the kernel.
      std::array<std::byte, 64 * 1024> buffer;
      const ssize_t count =
          ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_PEEK | MSG_DONTWAIT);
      if (count > 0) take(std::span(buffer).first(static_cast<std::size_t>(count)), now);
    } else {
      step(now);
    }
    if (death == Death::reset) net::reset_on_close(socket_.get());
    if (death == Death::close_notify) {
      static_cast<void>(session_.close(now));
      step(now);
    }
    if (death == Death::end) net::shutdown_write(socket_.get());
    if (death == Death::reset || death == Death::unread) socket_.close();
  }

  std::size_t octets_read = 0;  // of ciphertext
  std::string plaintext;

 private:
  void take(std::span<const std::byte> octets, Now now) {
    octets_read += octets.size();
    static_cast<void>(session_.feed(octets, now));
    std::vector<std::byte> plain(16 * 1024);
    for (;;) {
      const auto piece = session_.next_plaintext(plain, now);
      if (!piece || piece->empty()) break;
      plaintext.append(reinterpret_cast<const char*>(piece->data()), piece->size());
    }
    session_.keep_input();
  }

  net::Descriptor socket_;
  TlsSession session_;
};

struct Fate {
  std::string text;
  bool sent = false;
  std::optional<SendFailed> failed;
};

const TlsContext& context_of(ConnectionRole role, ProtocolVersion version) {
  static const std::array<TlsContext, 4> contexts = {
      world().context(world().alpha.leaf, policy_of(ProtocolVersion::tls1_2)),
      world().context(world().alpha.leaf, policy_of(ProtocolVersion::tls1_3)),
      world().context(world().beta, policy_of(ProtocolVersion::tls1_2)),
      world().context(world().beta, policy_of(ProtocolVersion::tls1_3))};
  return contexts[(role == ConnectionRole::client ? 2U : 0U) +
                  (version == ProtocolVersion::tls1_3 ? 1U : 0U)];
}

class Killing {
 public:
  explicit Killing(const Case& its_case)
      : case_(its_case), scope_(FaultPlan{}), party_(invariants_, 1) {
    invariants_.expect_strangers();
    TransportOptions options;
    options.clock = clock_;
    party_.start(options);
    party_.on_event = [this](Party&, const Event& event) { note(event); };
  }

  // Gives the octets that the transport has written: `budget` if there were as many.
  std::uint64_t run(std::size_t budget) {
    scope_.plan().send_budget = budget;
    meet();
    for (int quiet = 0; quiet < 3;) quiet = turn() ? 0 : quiet + 1;
    // With some of it unread at the end, or none of it.
    if (case_.death != Death::unread) settle_peer();
    const std::uint64_t written = scope_.log().octets_sent;
    scope_.plan().send_budget = 0;
    peer_->die(case_.death, clock_->now());
    CHECK(peer_->octets_read == written);
    for (int i = 0; i < 3000 && !over_; ++i) {
      if (party_.take_events(Pace::drain)) continue;
      if (i % 20 == 19) clock_->fire_earliest_timer();
    }
    CHECK(over_);
    CHECK(scope_.log().octets_sent == written);
    account();
    invariants_.at_end();
    for (const std::string& one : invariants_.violations()) {
      INFO(one);
      CHECK(false);
    }
    return written;
  }

 private:
  void meet() {
    const bool server = case_.role == ConnectionRole::server;
    const TlsContext& own = context_of(case_.role, case_.version);
    const TlsContext& other =
        context_of(server ? ConnectionRole::client : ConnectionRole::server, case_.version);
    const Now now = clock_->now();
    if (server) {
      const auto at = party_.listen(own);
      REQUIRE(at);
      const Unfaulted by_hand;
      auto socket = net::start_connect(*at, std::nullopt);
      auto session = TlsSession::client(other, "alpha.example", now);
      REQUIRE(socket);
      REQUIRE(session);
      peer_.emplace(std::move(*socket), std::move(*session));
      peer_->step(now);
      return;
    }
    const net::Descriptor listener = listen_by_hand();
    const auto id = party_.connect(target(net::local_endpoint(listener.get()), own));
    REQUIRE(id);
    send_all(*id);
    const Unfaulted by_hand;
    auto accepted = net::accept(listener.get());
    REQUIRE(accepted.status == net::IoStatus::done);
    auto session = TlsSession::server(other, now);
    REQUIRE(session);
    peer_.emplace(std::move(accepted.accepted.socket), std::move(*session));
  }

  static net::Descriptor listen_by_hand() {
    const Unfaulted by_hand;
    auto listener = net::listen({*Endpoint::parse("127.0.0.1", 0), false, false});
    REQUIRE(listener);
    return std::move(*listener);
  }

  void send_all(ConnectionId connection) {
    const std::array<std::size_t, 4> bodies = {20, case_.large, 0, 100};
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      const SendOptions options{std::nullopt, i % 2 == 0 ? Report::always : Report::failures};
      const auto token = party_.send(connection, bodies[i], options);
      if (!token) continue;
      // The number of a message is the count of those before it.
      const std::string text = message_text(++number_, false, bodies[i]);
      order_.push_back(*token);
      fates_[*token].text = text;
    }
  }

  void note(const Event& event) {
    if (const auto* connected = std::get_if<Connected>(&event)) {
      if (case_.role == ConnectionRole::server) send_all(connected->connection);
    } else if (const auto* sent = std::get_if<Sent>(&event)) {
      fates_[sent->token].sent = true;
    } else if (const auto* failed = std::get_if<SendFailed>(&event)) {
      fates_[failed->token].failed = *failed;
    } else if (std::get_if<Closed>(&event) != nullptr ||
               std::get_if<ConnectFailed>(&event) != nullptr) {
      over_ = true;
    } else if (std::get_if<HandshakeFailed>(&event) != nullptr) {
      over_ = over_ || party_.count("Connected") == 0;
    }
  }

  bool turn() {
    const std::uint64_t sent = scope_.log().octets_sent;
    const bool any = party_.take_events(Pace::drain);
    // While it can still read a peer reads; one that dies with input unread stops half-way.
    const std::size_t read = peer_->octets_read;
    if (case_.death != Death::unread || party_.count("Connected") == 0 || order_.empty()) {
      peer_->step(clock_->now());
    }
    return any || scope_.log().octets_sent != sent || peer_->octets_read != read;
  }

  void settle_peer() {
    for (int i = 0; i < 1000 && peer_->octets_read < scope_.log().octets_sent; ++i) {
      peer_->step(clock_->now());
    }
  }

  // What the peer has read, against what was said of each message.
  void account() {
    const std::string& got = peer_->plaintext;
    std::string all;
    std::size_t written = 0;
    for (const SendToken token : order_) {
      const Fate& fate = fates_[token];
      const std::size_t begin = all.size();
      all += fate.text;
      const bool whole = all.size() <= got.size();
      const std::size_t part = std::min(got.size(), all.size()) - std::min(got.size(), begin);
      CAPTURE(begin, all.size(), got.size(), fate.sent);
      if (fate.sent) CHECK(whole);
      if (!fate.failed) {
        CHECK(whole);  // otherwise it was lost silently
        written += fate.text.size();
        continue;
      }
      const SendFailed& failed = *fate.failed;
      CAPTURE(static_cast<int>(failed.delivery), failed.bytes_written, failed.error.message());
      CHECK(failed.bytes_written == part);
      written += failed.bytes_written;
      if (failed.delivery == Delivery::none || failed.delivery == Delivery::partial) {
        CHECK_FALSE(whole);
      } else {
        CHECK(whole);
      }
    }
    CHECK(all.substr(0, got.size()) == got);
    CHECK(written == got.size());
  }

  const Case case_;
  Invariants invariants_;
  FaultyScope scope_;
  std::shared_ptr<FaultyClock> clock_ = std::make_shared<FaultyClock>();
  Party party_;
  std::optional<Peer> peer_;
  std::map<SendToken, Fate> fates_;
  std::vector<SendToken> order_;
  std::uint64_t number_ = 0;
  bool over_ = false;
};

std::uint64_t kill_after(const Case& one, std::size_t octets) {
  INFO((one.role == ConnectionRole::server ? "server, " : "client, ")
       << to_string(one.version) << ", death " << static_cast<int>(one.death) << ", large "
       << one.large << ", after " << octets << " octets");
  Killing killing(one);
  return killing.run(octets);
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const ConnectionRole role : {ConnectionRole::server, ConnectionRole::client}) {
    for (const ProtocolVersion version : {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3}) {
      for (const Death death : kDeaths) {
        all.push_back({role, version, death, 0});
        all.push_back({role, version, death, 40'000});
      }
    }
  }
  return all;
}

void kill_everywhere(std::size_t wanted) {
  constexpr std::size_t kUnlimited = 1'000'000;
  std::size_t tried = 0;
  std::size_t of = 0;
  for (const Case& one : cases()) {
    // On a busy machine loopback can be late, and a run in which nothing happens for three turns
    // ends before its messages are written.
    std::size_t total = 0;
    for (int tries = 0; tries < 10 && total <= 1500; ++tries) {
      total = static_cast<std::size_t>(kill_after(one, kUnlimited));
    }
    REQUIRE(total > 1500);
    REQUIRE(total < kUnlimited);
    of += total;
    // Of the large ones, only every so many-th octet.
    const std::size_t rounds = std::min(one.large == 0 ? total : total / 16, wanted);
    for (std::size_t i = 0; i < rounds; ++i, ++tried) kill_after(one, i * total / rounds);
  }
  std::cout << tried << " of " << of << " octets at which the peer can be killed\n";
}

}  // namespace

TEST_CASE("A peer that is killed at any octet leaves no message without an answer") {
  kill_everywhere(scaled("octets at which the peer is killed, for each case", 60));
}

TEST_CASE("A peer that is killed at every octet leaves no message without an answer", "[long]") {
  kill_everywhere(scaled("octets at which the peer is killed, for each case", 1'000'000));
}
