// siptls-client: opens one connection to a server that must prove a domain, sends requests over it,
// waits for their final responses, and closes it. An example of a host that asks.
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <memory>
#include <random>
#include <span>
#include <sstream>
#include <unordered_set>

#include "siptls/siptls.hpp"
#include "tool/command_line.hpp"
#include "tool/output.hpp"
#include "tool/tls_setup.hpp"

namespace {

using namespace siptls;
using std::chrono::milliseconds;
using tool::Json;

const tool::Usage kUsage{
    "siptls-client", "Sends SIP requests over TLS and waits for their final responses.",
    tool::with_tls_options({
        {"--connect", "IP[:PORT]", "the server; port 5061 if left out"},
        {"--domain", "NAME", "what the server must prove"},
        {"--options", "URI", "send OPTIONS to this URI (sip:NAME)"},
        {"--file", "MESSAGES", "send the SIP messages of this file as they are"},
        {"--count", "N", "messages in all (1, or each of the file once)"},
        {"--pipeline", "N", "requests without a final response at one time (1)"},
        {"--local", "IP[:PORT]", "address to connect from"},
        {"--timeout", "DURATION", "give up without progress for that long (5s)"},
        {"--ladder", "", "print what went over the connection at the end"},
        {"--ladder-svg", "FILE", "write the same as a picture (SVG)"},
        {"--keylog", "FILE", "dangerous: append secrets that decrypt the traffic"},
    }),
    ""};

// One message to send. `transaction` is what its responses are known by; empty if it gets none.
struct Outgoing {
  std::string bytes;
  std::string transaction;
};

std::string transaction_of(const SipMessageView& message) {
  const std::optional<CSeqView> cseq = message.cseq();
  if (!cseq) return {};
  return fmt::format("{} {} {}", message.call_id(), cseq->number, cseq->method);
}

// The messages of a file: any SIP messages, one behind the other, each with its Content-Length.
Result<std::vector<Outgoing>> read_messages(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Unexpected(Errc::file_not_found, path + ": cannot be opened");
  std::ostringstream text;
  text << file.rdbuf();
  const std::string octets = std::move(text).str();

  std::vector<Outgoing> messages;
  SipFramer framer;
  framer.push(std::as_bytes(std::span(octets)));
  while (true) {
    const FramerOutput next = framer.next();
    if (const auto* message = std::get_if<SipMessageView>(&next)) {
      const bool is_answered = message->is_request() && message->method() != "ACK";
      const std::span<const std::byte> bytes = message->bytes();
      messages.push_back({std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
                          is_answered ? transaction_of(*message) : std::string()});
      if (is_answered && messages.back().transaction.empty()) {
        return Unexpected(Errc::invalid_header,
                          fmt::format("{}: the request at {} has no CSeq to know its response by",
                                      path, message->offset()));
      }
    } else if (const auto* error = std::get_if<Error>(&next)) {
      return Unexpected(error->reason(), path + ": " + error->evidence());
    } else if (std::holds_alternative<NeedMore>(next)) {
      break;
    }
  }
  if (!framer.at_boundary()) {
    return Unexpected(Errc::truncated, fmt::format("{}: ends inside a message that begins at {}",
                                                   path, framer.position()));
  }
  if (messages.empty()) return Unexpected(Errc::invalid_argument, path + ": has no SIP message");
  return messages;
}

// Makes OPTIONS requests (RFC 3261 section 11.1), each a transaction and a call of its own.
class OptionsMaker {
 public:
  OptionsMaker(std::string uri, std::string from) : uri_(std::move(uri)), from_(std::move(from)) {
    std::random_device random;
    for (int i = 0; i < 4; ++i) unique_ += fmt::format("{:08x}", random());
  }

  Outgoing make(std::uint64_t index, const Endpoint& local) const {
    const std::string call_id = fmt::format("{}-{}@{}", unique_, index, local.address_text());
    return {fmt::format("OPTIONS {} SIP/2.0\r\n"
                        "Via: SIP/2.0/TLS {};branch=z9hG4bK{}-{}\r\n"
                        "Max-Forwards: 70\r\n"
                        "From: <{}>;tag={}\r\n"
                        "To: <{}>\r\n"
                        "Call-ID: {}\r\n"
                        "CSeq: 1 OPTIONS\r\n"
                        "Accept: application/sdp\r\n"
                        "Content-Length: 0\r\n\r\n",
                        uri_, local.to_string(), unique_, index, from_, unique_.substr(0, 16), uri_,
                        call_id),
            fmt::format("{} 1 OPTIONS", call_id)};
  }

 private:
  std::string uri_;
  std::string from_;
  std::string unique_;
};

// What the command line asks for.
struct Plan {
  Endpoint remote;
  std::string domain;
  std::optional<Endpoint> local;
  std::string uri;                 // of the OPTIONS requests
  std::vector<Outgoing> messages;  // sent in turn instead of OPTIONS, if there are any
  std::uint64_t count = 1;
  std::uint64_t pipeline = 1;
  milliseconds timeout{};
};

// The life of one connection: connected, the exchange, closed.
class Exchange {
 public:
  Exchange(TlsTransport& transport, const Plan& plan, OptionsMaker options,
           const tool::Output& output)
      : transport_(transport), plan_(plan), options_(std::move(options)), output_(output) {}

  // Gives the exit code.
  int run(const Target& target) {
    const Result<ConnectionId> connection = transport_.connect(target);
    if (!connection) return output_.fail(connection.error());
    connection_ = *connection;
    note_progress();
    while (!ended_) {
      wait();
      while (const std::optional<Event> event = transport_.next_event()) {
        std::visit([this](const auto& what) { handle(what); }, *event);
      }
      if (connected_ && !closing_ && is_late()) give_up();
    }
    return failed_ ? tool::kFailed : tool::kSuccess;
  }

 private:
  void handle(const Connected& connected) {
    connected_ = true;
    local_ = connected.local;
    tool::print_connected(output_, connected);
    note_progress();
    send_more();
  }

  void handle(const Message& received) {
    const SipMessageView& response = received.message;
    if (response.is_request()) return;  // nobody serves requests here
    output_.event(Json{{"event", "response"},
                       {"status", response.status()},
                       {"reason_phrase", response.reason_phrase()},
                       {"call_id", response.call_id()},
                       {"cseq", response.find(HeaderId::cseq).value_or(HeaderRow{}).value},
                       {"connection", tool::number_of(received.connection)}},
                  response.start_line());
    const auto waiting = waiting_.find(transaction_of(response));
    if (waiting == waiting_.end()) return;
    note_progress();
    if (response.status() < 200) return;
    waiting_.erase(waiting);
    send_more();
  }

  void handle(const ConnectFailed& failed) {
    for (const ConnectAttempt& attempt : failed.attempts) {
      fail(attempt.error, {{"remote", attempt.remote.to_string()}});
    }
    failed_ = true;
    ended_ = true;
  }
  // With TLS 1.3 it can come after Connected: then Closed follows.
  void handle(const HandshakeFailed& failed) {
    fail(failed.error, {{"remote", failed.remote.to_string()}});
    ended_ = !connected_;
  }
  void handle(const SendFailed& failed) {
    // What became of the requests is told once, when the connection has ended.
    if (!send_error_) send_error_ = failed.error;
  }
  void handle(const Closed& closed) {
    if (!failed_ && (!is_done() || send_error_)) {
      const Error why = closed.error  ? *closed.error
                        : send_error_ ? *send_error_
                                      : Error(Errc::connection_closed, "by the peer");
      fail(Error(why.reason(), fmt::format("{}; {}", why.evidence(), unanswered())));
    }
    tool::print_closed(output_, closed);
    ended_ = true;
  }
  void handle(const Warning& warning) { output_.warning(warning.error); }
  void handle(const Writable&) { send_more(); }
  // The transport has answered it.
  void handle(const KeepAliveReceived&) {}
  // Closed follows.
  void handle(const PeerClosing&) {}
  // Not asked for.
  void handle(const AuthorisePeer&) {}
  void handle(const SignatureWanted&) {}
  void handle(const Sent&) {}
  void handle(const ListenerPaused&) {}
  void handle(const ListenerResumed&) {}
  void handle(const FlowFailed&) {}  // Closed follows, with the reason
  void handle(const Posted&) {}

  bool is_done() const { return sent_ == plan_.count && waiting_.empty(); }

  void send_more() {
    while (!closing_ && sent_ < plan_.count && waiting_.size() < plan_.pipeline) {
      const Outgoing message = plan_.messages.empty()
                                   ? options_.make(sent_ + 1, local_)
                                   : plan_.messages[sent_ % plan_.messages.size()];
      const Result<SendToken> accepted =
          transport_.send(connection_, std::as_bytes(std::span(message.bytes)));
      if (!accepted) {
        if (accepted.error().reason() == Errc::queue_full) return;  // Writable follows
        fail(accepted.error());
        return close();
      }
      ++sent_;
      if (!message.transaction.empty()) waiting_.insert(message.transaction);
    }
    if (is_done()) close();
  }

  void close() {
    closing_ = true;
    // An error means that the connection is closing already.
    static_cast<void>(transport_.close(connection_));
  }

  void note_progress() { progress_ = std::chrono::steady_clock::now(); }
  bool is_late() const { return std::chrono::steady_clock::now() - progress_ >= plan_.timeout; }

  void give_up() {
    fail(Error(Errc::idle_timeout,
               fmt::format("no response for {} ms; {}", plan_.timeout.count(), unanswered())));
    close();
  }

  std::string unanswered() const {
    return fmt::format("{} of {} messages sent, {} without a final response", sent_, plan_.count,
                       waiting_.size());
  }

  // The deadlines of connecting and closing are the transport's own.
  void wait() {
    pollfd ready{transport_.fd(), POLLIN, 0};
    int wait_ms = -1;
    if (connected_ && !closing_) {
      const auto left = progress_ + plan_.timeout - std::chrono::steady_clock::now();
      // Rounded up, so that it is late indeed when the wait ends.
      wait_ms = static_cast<int>(
          std::max<std::int64_t>(0, std::chrono::ceil<milliseconds>(left).count()));
    }
    poll(&ready, 1, wait_ms);
  }

  void fail(const Error& error, const Json& more = Json::object()) {
    output_.error(error, more);
    failed_ = true;
  }

  TlsTransport& transport_;
  const Plan& plan_;
  OptionsMaker options_;
  const tool::Output& output_;
  ConnectionId connection_ = ConnectionId::none;
  Endpoint local_;
  std::unordered_multiset<std::string> waiting_;  // transactions without a final response
  std::optional<Error> send_error_;
  std::uint64_t sent_ = 0;
  MonoTime progress_;
  bool connected_ = false;
  bool closing_ = false;
  bool failed_ = false;
  bool ended_ = false;
};

// The URI of a domain or an IP address.
std::string sip_uri(const std::string& host) {
  const bool needs_brackets = host.find(':') != host.npos && host.front() != '[';
  return needs_brackets ? fmt::format("sip:[{}]", host) : "sip:" + host;
}

// Who asks: the identity of the own certificate, if there is one.
std::string from_uri(const TlsContextConfig& config) {
  if (config.credentials && !config.credentials->identities().empty()) {
    return sip_uri(config.credentials->identities().front().name);
  }
  return "sip:anonymous@anonymous.invalid";  // RFC 3261 section 8.1.1.3
}

Plan read_plan(const tool::CommandLine& arguments) {
  Plan plan;
  plan.remote = tool::CommandLine::endpoint("--connect", arguments.required("--connect"));
  plan.domain = arguments.required("--domain");
  if (const std::optional<std::string> text = arguments.value("--local")) {
    plan.local = tool::CommandLine::endpoint("--local", *text, 0);
  }
  if (arguments.has("--options") && arguments.has("--file")) {
    throw tool::UsageError("--options and --file exclude each other");
  }
  const std::optional<std::string> uri = arguments.value("--options");
  const auto is_blank_or_control = [](unsigned char octet) { return octet <= ' '; };
  if (uri && (!uri_host(*uri) || std::any_of(uri->begin(), uri->end(), is_blank_or_control))) {
    throw tool::UsageError(fmt::format("--options: \"{}\" is no SIP URI", *uri));
  }
  plan.uri = uri.value_or(sip_uri(plan.domain));
  plan.count = arguments.number("--count", plan.count, 1, 1'000'000'000);
  plan.pipeline = arguments.number("--pipeline", plan.pipeline, 1, 1'000'000);
  plan.timeout = arguments.duration("--timeout", std::chrono::seconds(5));
  return plan;
}

// Where the call flow is drawn. Opened before anything is sent: who asks for it in vain should know
// before the connection is made.
class Picture {
 public:
  explicit Picture(const std::optional<std::string>& path) : path_(path.value_or("")) {
    if (path) file_.open(*path, std::ios::binary | std::ios::trunc);
  }
  bool is_wanted() const { return !path_.empty(); }
  Result<void> check() const {
    if (is_wanted() && !file_) return Unexpected(Errc::io_failed, path_ + ": cannot be written");
    return {};
  }
  Result<void> write(const HandshakeTrace& trace) {
    file_ << trace.ladder_svg() << std::flush;
    return check();
  }

 private:
  std::string path_;
  std::ofstream file_;
};

int ask(const tool::CommandLine& arguments, const tool::Output& output) {
  Plan plan = read_plan(arguments);
  Result<TlsContextConfig> config =
      tool::load_tls(arguments, tool::read_policy(arguments), ConnectionRole::client);
  if (!config) return output.fail(config.error());
  if (const std::optional<std::string> path = arguments.value("--keylog")) {
    Result<KeyLog> key_log = dangerous_key_log_to_file(*path);
    if (!key_log) return output.fail(key_log.error());
    config->dangerous_key_log = *std::move(key_log);
    fmt::print(stderr, "warning: whoever reads {} can decrypt the traffic\n", *path);
  }
  if (const std::optional<std::string> path = arguments.value("--file")) {
    Result<std::vector<Outgoing>> messages = read_messages(*path);
    if (!messages) return output.fail(messages.error());
    plan.messages = *std::move(messages);
    if (!arguments.has("--count")) plan.count = plan.messages.size();
  }
  OptionsMaker options_maker(plan.uri, from_uri(*config));
  Picture picture(arguments.value("--ladder-svg"));
  if (const Result<void> good = picture.check(); !good) return output.fail(good.error());
  Result<TlsContext> context = TlsContext::create(*std::move(config));
  if (!context) return output.fail(context.error());

  TransportOptions options;
  options.limits.connect_timeout = plan.timeout;
  options.limits.handshake_timeout = plan.timeout;
  Result<TlsTransport> transport = TlsTransport::create(options);
  if (!transport) return output.fail(transport.error());

  const bool is_traced = arguments.has("--ladder") || picture.is_wanted();
  const auto trace = is_traced ? std::make_shared<HandshakeTrace>() : nullptr;
  const Target target{{plan.remote}, plan.domain, *std::move(context), plan.local, trace};
  const int code = Exchange(*transport, plan, std::move(options_maker), output).run(target);
  if (arguments.has("--ladder")) {
    output.event(Json{{"event", "ladder"}, {"text", trace->ladder()}}, trace->ladder());
  }
  if (picture.is_wanted()) {
    if (const Result<void> done = picture.write(*trace); !done) return output.fail(done.error());
  }
  return code;
}

}  // namespace

int main(int argc, char** argv) { return tool::run(kUsage, argc, argv, ask); }
