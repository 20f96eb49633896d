#include "transport/invariants.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace siptls_test {

using namespace siptls;

std::string message_text(std::uint64_t number, bool response, std::size_t body) {
  const std::string n = std::to_string(number);
  std::string text = response ? "SIP/2.0 200 OK\r\n" : "OPTIONS sip:alpha.example SIP/2.0\r\n";
  text += "Via: SIP/2.0/TLS beta.example;branch=z9hG4bK" + n +
          "\r\nMax-Forwards: 70\r\nFrom: <sip:beta.example>;tag=" + n +
          "\r\nTo: <sip:alpha.example>\r\nCall-ID: " + n + "@example\r\nCSeq: 1 OPTIONS\r\n" +
          "Content-Length: " + std::to_string(body) + "\r\n\r\n";
  const std::size_t begin = text.size();
  text.resize(begin + body);
  for (std::size_t i = 0; i < body; ++i) {
    text[begin + i] = static_cast<char>('!' + (i * 7 + number * 13) % 90);
  }
  return text;
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  constexpr std::string_view kRow = "\r\nCall-ID: ";
  const auto at = text.find(kRow);
  if (at == std::string_view::npos) return std::nullopt;
  std::uint64_t number = 0;
  const char* begin = text.data() + at + kRow.size();
  const auto parsed = std::from_chars(begin, text.data() + text.size(), number);
  if (parsed.ptr == begin) return std::nullopt;
  return number;
}

std::string Invariants::name(Party party, ConnectionId connection) {
  return "party " + std::to_string(party) + ", connection " +
         std::to_string(static_cast<std::uint64_t>(connection) & 0xFFFFFF) + ": ";
}

void Invariants::violated(const std::string& what) { violations_.push_back(what); }

void Invariants::accepted(Party party, SendToken token, ConnectionId connection, std::string text,
                          Wants wants, unsigned stream) {
  const Key key{party, static_cast<std::uint64_t>(token)};
  Sending sending;
  sending.number = number_of(text).value_or(0);
  sending.connection = connection;
  sending.octets = text.size();
  sending.wants = wants;
  if (!sendings_.emplace(key, sending).second) violated("a token was given twice");
  if (sending.number != 0) {
    texts_.emplace(sending.number, Text{std::move(text), key, stream, false});
  }
}

void Invariants::targeted(Party party, const std::vector<Endpoint>& remotes) {
  const std::pair<Party, std::vector<Endpoint>> one{party, remotes};
  if (std::find(targets_.begin(), targets_.end(), one) == targets_.end()) targets_.push_back(one);
}

void Invariants::opened(Party party, ConnectionId connection) {
  lines_.try_emplace(Key{party, static_cast<std::uint64_t>(connection)});
}

void Invariants::ended_by_host(Party party, ConnectionId connection) {
  const auto found = lines_.find(Key{party, static_cast<std::uint64_t>(connection)});
  if (found != lines_.end()) found->second.ended_by_host = true;
}

void Invariants::ended_by_host(Party party) {
  for (auto& [key, line] : lines_) {
    if (key.party == party) line.ended_by_host = true;
  }
}

void Invariants::saw(Party party, const Event& event) {
  std::visit([&](const auto& one) { take(party, one); }, event);
}

// The line that an event names; nothing if it must not name it any more.
Invariants::Line* Invariants::line_of(Party party, ConnectionId connection, const char* event) {
  const auto [found, fresh] =
      lines_.try_emplace(Key{party, static_cast<std::uint64_t>(connection)});
  if (fresh) ++connections_seen_;
  if (!found->second.ended) return &found->second;
  violated(name(party, connection) + event + " after its end");
  return nullptr;
}

void Invariants::end(Party party, ConnectionId connection, bool broken) {
  Line& line = lines_.at(Key{party, static_cast<std::uint64_t>(connection)});
  line.ended = true;
  line.broken = broken;
}

void Invariants::take(Party party, const Connected& event) {
  Line* line = line_of(party, event.connection, "Connected");
  if (line == nullptr) return;
  if (line->connected) violated(name(party, event.connection) + "Connected twice");
  line->connected = true;
  line->client = event.role == ConnectionRole::client;
  line->local = event.local;
  line->remote = event.remote;
}

void Invariants::take(Party party, const AuthorisePeer& event) {
  const Line* line = line_of(party, event.connection, "AuthorisePeer");
  if (line != nullptr && line->connected) {
    violated(name(party, event.connection) + "AuthorisePeer after Connected");
  }
}

void Invariants::take(Party party, const SignatureWanted& event) {
  const Line* line = line_of(party, event.connection, "SignatureWanted");
  if (line != nullptr && line->connected) {
    violated(name(party, event.connection) + "SignatureWanted after Connected");
  }
}

void Invariants::take(Party party, const ConnectFailed& event) {
  const Line* line = line_of(party, event.connection, "ConnectFailed");
  if (line == nullptr) return;
  const std::string at = name(party, event.connection);
  if (line->connected) violated(at + "ConnectFailed after Connected");
  if (event.attempts.empty()) violated(at + "ConnectFailed without an address");
  // All of them in their order; fewer only if the host has ended it before.
  const auto tells = [&](const auto& target) {
    if (target.first != party || target.second.size() < event.attempts.size()) return false;
    if (target.second.size() > event.attempts.size() && !line->ended_by_host) return false;
    return std::equal(event.attempts.begin(), event.attempts.end(), target.second.begin(),
                      [](const ConnectAttempt& attempt, const Endpoint& remote) {
                        return attempt.remote == remote;
                      });
  };
  if (std::none_of(targets_.begin(), targets_.end(), tells)) {
    violated(at + "ConnectFailed with " + std::to_string(event.attempts.size()) +
             " addresses, which are not those of its target");
  }
  end(party, event.connection, true);
}

void Invariants::take(Party party, const HandshakeFailed& event) {
  Line* line = line_of(party, event.connection, "HandshakeFailed");
  if (line == nullptr) return;
  if (!line->connected) {
    line->local = event.local;
    line->remote = event.remote;
    end(party, event.connection, true);
    return;
  }
  if (event.role == ConnectionRole::server) {
    violated(name(party, event.connection) + "HandshakeFailed after Connected on a server");
  }
  line->refused = true;
}

void Invariants::take(Party party, const Message& event) {
  Line* line = line_of(party, event.connection, "Message");
  if (line == nullptr) return;
  ++messages_received_;
  const std::string at = name(party, event.connection);
  if (!line->connected || line->refused) violated(at + "Message outside of Connected and its end");
  if (line->ended_by_host) violated(at + "Message after close() or abort()");
  const auto bytes = event.message.bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto number = number_of(text);
  const auto found = texts_.find(number.value_or(0));
  if (found == texts_.end()) {
    if (!strangers_) violated(at + "a message that nobody has sent");
    return;
  }
  Text& sent = found->second;
  const std::string which = at + "message " + std::to_string(*number);
  if (sent.text != text) violated(which + " was altered");
  if (sent.sender.party == party) violated(which + " came to its sender");
  if (std::exchange(sent.received, true)) violated(which + " came twice");
  if (std::exchange(line->last[sent.stream], *number) >= *number) {
    violated(which + " came out of order");
  }
}

// What is known of a token that an event names; nothing if it must not name it.
Invariants::Sending* Invariants::sending_of(Party party, ConnectionId connection, SendToken token) {
  const auto found = sendings_.find(Key{party, static_cast<std::uint64_t>(token)});
  const std::string at =
      name(party, connection) + "token " + std::to_string(static_cast<std::uint64_t>(token));
  if (found == sendings_.end()) {
    violated(at + " was never given");
    return nullptr;
  }
  Sending& sending = found->second;
  if (sending.connection == ConnectionId::none) sending.connection = connection;
  if (sending.connection != connection) violated(at + " changes its connection");
  if (!sending.failed) return &sending;
  violated(at + " is reported after it had failed");
  return nullptr;
}

void Invariants::take(Party party, const Sent& event) {
  if (line_of(party, event.connection, "Sent") == nullptr) return;
  Sending* sending = sending_of(party, event.connection, event.token);
  if (sending == nullptr) return;
  if (sending->wants != Wants::always) violated("Sent without being asked for");
  if (std::exchange(sending->sent, true)) violated("Sent twice");
}

void Invariants::take(Party party, const SendFailed& event) {
  ++sends_failed_;
  // A refusal that only the transport's thread could see (Sender) can name what has ended.
  const auto known = lines_.find(Key{party, static_cast<std::uint64_t>(event.connection)});
  const bool refused_late = (known == lines_.end() || known->second.ended) &&
                            event.delivery == Delivery::none &&
                            (event.error.reason() == Errc::unknown_connection ||
                             event.error.reason() == Errc::connection_closed);
  if (!refused_late && line_of(party, event.connection, "SendFailed") == nullptr) return;
  Sending* sending = sending_of(party, event.connection, event.token);
  if (sending == nullptr) return;
  sending->failed = true;
  sending->delivery = event.delivery;
  bool agrees = true;
  switch (event.delivery) {
    case Delivery::none:
      agrees = event.bytes_written == 0 && !sending->sent;
      break;
    case Delivery::partial:
      agrees = event.bytes_written < sending->octets && !sending->sent;
      break;
    case Delivery::refused:
    case Delivery::unknown:
      agrees = event.bytes_written == sending->octets;
      break;
  }
  if (!agrees) {
    violated(name(party, event.connection) + "SendFailed with delivery " +
             std::to_string(static_cast<int>(event.delivery)) + " and " +
             std::to_string(event.bytes_written) + " of " + std::to_string(sending->octets) +
             " octets written" + (sending->sent ? ", after Sent" : ""));
  }
}

void Invariants::take(Party party, const Closed& event) {
  const Line* line = line_of(party, event.connection, "Closed");
  if (line == nullptr) return;
  if (!line->connected) violated(name(party, event.connection) + "Closed without Connected");
  if (line->refused && !event.error) {
    violated(name(party, event.connection) + "Closed without a reason after HandshakeFailed");
  }
  end(party, event.connection, event.error.has_value() || event.truncated);
}

// A message that was handed to the peer's TCP is lost there if the peer's connection has ended
// before all was read from it. Nobody but the peer knows then.
bool Invariants::may_be_lost(const Key& key, const Sending& sending) const {
  const auto own = lines_.find(Key{key.party, static_cast<std::uint64_t>(sending.connection)});
  if (own == lines_.end() || !own->second.connected)
    return sending.connection == ConnectionId::none;
  // The two ends know each other by the client's address.
  const bool client = own->second.client;
  std::size_t ends = 0;
  bool lost = false;
  for (const auto& [other_key, line] : lines_) {
    const bool other_end =
        client ? line.remote == own->second.local : line.local == own->second.remote;
    if (other_key.party == key.party || !other_end) continue;
    ++ends;
    // A client is told if its server never came to serve it.
    lost = lost || (line.connected ? line.broken || line.ended_by_host : !client);
  }
  // Not known where getsockname() had failed for the client, or the port was used twice.
  const bool unknown = client ? own->second.local.port() == 0 : ends == 0;
  return lost || ends > 1 || unknown;
}

// What is known of both ends of the connection that it was sent on.
std::string Invariants::story(const Key& key, const Sending& sending) const {
  const auto tell = [](const Line& line) {
    std::string text = line.client ? " client" : " server";
    text += " " + line.local.to_string() + " " + line.remote.to_string();
    if (line.connected) text += " connected";
    if (line.refused) text += " refused";
    if (line.broken) text += " broken";
    if (line.ended_by_host) text += " ended-by-host";
    return text + ";";
  };
  const auto own = lines_.find(Key{key.party, static_cast<std::uint64_t>(sending.connection)});
  if (own == lines_.end()) return ", on a connection that is not known";
  std::string text = ":" + tell(own->second);
  for (const auto& [other_key, line] : lines_) {
    if (other_key.party == key.party) continue;
    if (own->second.client ? line.remote == own->second.local : line.local == own->second.remote) {
      text += " other end:" + tell(line);
    }
  }
  return text + (sending.sent ? " Sent was given" : "");
}

void Invariants::judge_sending(const Key& key, const Sending& sending) {
  if (sending.number == 0) return;
  const bool received = texts_.at(sending.number).received;
  const std::string which = "party " + std::to_string(key.party) + ": message " +
                            std::to_string(sending.number) + ", token " + std::to_string(key.id);
  if (sending.wants == Wants::always && !sending.sent && !sending.failed) {
    violated(which + " was never reported");
  }
  if (sending.failed && received &&
      (sending.delivery == Delivery::none || sending.delivery == Delivery::partial)) {
    violated(which + " arrived, and was reported as not written");
  }
  if (!sending.failed && !received && !strangers_ && !may_be_lost(key, sending)) {
    violated(which + " was lost silently" + story(key, sending));
  }
}

void Invariants::at_end() {
  for (const auto& [key, line] : lines_) {
    if (!line.ended) violated(name(key.party, ConnectionId{key.id}) + "has no end");
  }
  for (const auto& [key, sending] : sendings_) judge_sending(key, sending);
  // With their storage, so that a soak sees what the transports keep.
  lines_ = {};
  sendings_ = {};
  texts_ = {};
  targets_ = {};
}

}  // namespace siptls_test
