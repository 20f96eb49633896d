// What holds for TlsTransports whatever happens to them: checked with every event, and at the end.
//
// An Invariants is told what several parties have sent and what their transports say. A message
// carries its number (message_text()), so each one is accounted for:
// - every accepted token is reported as failed at most once, as Sent at most once and only if asked
//   for; where neither says otherwise its message arrived in the peer;
// - no message arrives twice, altered, out of order, or though SendFailed says that the peer cannot
//   have it; bytes_written and delivery agree with each other;
// - a connection gives Connected at most once and ends once, in the way that event.hpp tells, and
//   no event names it again; a failed connect tells every address.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "siptls/siptls.hpp"

namespace siptls_test {

// A request or response with this number in its Call-ID.
std::string message_text(std::uint64_t number, bool response, std::size_t body);
std::optional<std::uint64_t> number_of(std::string_view text);

class Invariants {
 public:
  using Party = unsigned;

  // Before it is sent: the next number.
  std::uint64_t next_number() { return ++last_number_; }

  enum class Wants : std::uint8_t { failures, always };
  // A send that was accepted. `stream`: messages of one stream are sent one after the other.
  // `connection` none: not known yet. Text without a number (a keep-alive) is not awaited.
  void accepted(Party party, siptls::SendToken token, siptls::ConnectionId connection,
                std::string text, Wants wants, unsigned stream = 0);
  // What the host knows that it asked for.
  void targeted(Party party, const std::vector<siptls::Endpoint>& remotes);
  void opened(Party party, siptls::ConnectionId connection);
  void ended_by_host(Party party, siptls::ConnectionId connection);
  void ended_by_host(Party party);  // all of them
  // From here on nothing can be said about who gets what, as when a test writes by hand.
  void expect_strangers() { strangers_ = true; }

  void saw(Party party, const siptls::Event& event);
  // Everything has ended: what is left over is a violation. Forgets what it knows.
  void at_end();

  // Also for what else went wrong.
  void violated(const std::string& what);
  const std::vector<std::string>& violations() const { return violations_; }
  std::size_t messages_received() const { return messages_received_; }
  std::size_t sends_failed() const { return sends_failed_; }
  std::size_t connections() const { return connections_seen_; }

 private:
  struct Key {
    Party party = 0;
    std::uint64_t id = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept {
      return static_cast<std::size_t>(key.id * 31 + key.party);
    }
  };
  struct Line {  // a connection, seen from one party
    bool connected = false;
    bool client = false;
    bool refused = false;  // HandshakeFailed came after Connected
    bool ended = false;
    bool broken = false;  // ended with an error, or truncated
    bool ended_by_host = false;
    siptls::Endpoint local;
    siptls::Endpoint remote;
    std::map<unsigned, std::uint64_t> last;  // number received, by stream
  };
  struct Sending {
    std::uint64_t number = 0;
    siptls::ConnectionId connection = siptls::ConnectionId::none;
    std::size_t octets = 0;
    Wants wants = Wants::failures;
    bool sent = false;
    bool failed = false;
    siptls::Delivery delivery = siptls::Delivery::none;
  };
  struct Text {
    std::string text;
    Key sender;
    unsigned stream = 0;
    bool received = false;
  };

  static std::string name(Party party, siptls::ConnectionId connection);
  Line* line_of(Party party, siptls::ConnectionId connection, const char* event);
  void end(Party party, siptls::ConnectionId connection, bool broken);
  Sending* sending_of(Party party, siptls::ConnectionId connection, siptls::SendToken token);

  void take(Party party, const siptls::Connected& event);
  void take(Party party, const siptls::AuthorisePeer& event);
  void take(Party party, const siptls::SignatureWanted& event);
  void take(Party party, const siptls::ConnectFailed& event);
  void take(Party party, const siptls::HandshakeFailed& event);
  void take(Party party, const siptls::Message& event);
  void take(Party party, const siptls::Sent& event);
  void take(Party party, const siptls::SendFailed& event);
  void take(Party party, const siptls::Closed& event);
  // All others name a connection, or none.
  template <typename Other>
  void take(Party party, const Other& event) {
    if constexpr (requires { event.connection; }) line_of(party, event.connection, "an event");
  }

  void judge_sending(const Key& key, const Sending& sending);
  bool may_be_lost(const Key& key, const Sending& sending) const;
  std::string story(const Key& key, const Sending& sending) const;

  std::uint64_t last_number_ = 0;
  bool strangers_ = false;
  std::unordered_map<Key, Line, KeyHash> lines_;
  std::unordered_map<Key, Sending, KeyHash> sendings_;
  std::unordered_map<std::uint64_t, Text> texts_;
  std::vector<std::pair<Party, std::vector<siptls::Endpoint>>> targets_;
  std::vector<std::string> violations_;
  std::size_t messages_received_ = 0;
  std::size_t sends_failed_ = 0;
  std::size_t connections_seen_ = 0;
};

}  // namespace siptls_test
