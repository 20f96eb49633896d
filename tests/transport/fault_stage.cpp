#include "transport/fault_stage.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

#include "catch.hpp"

namespace siptls_test {

using namespace siptls;

namespace {

// Wakes in a row that find nothing, and leaps of the clock: beyond these it spins.
constexpr unsigned kMostIdleWakes = 400;
constexpr unsigned kMostTimeSteps = 2000;

struct KindOf {
  const char* operator()(const Connected&) const { return "Connected"; }
  const char* operator()(const AuthorisePeer&) const { return "AuthorisePeer"; }
  const char* operator()(const SignatureWanted&) const { return "SignatureWanted"; }
  const char* operator()(const ConnectFailed&) const { return "ConnectFailed"; }
  const char* operator()(const HandshakeFailed&) const { return "HandshakeFailed"; }
  const char* operator()(const Message&) const { return "Message"; }
  const char* operator()(const KeepAliveReceived&) const { return "KeepAlive"; }
  const char* operator()(const Sent&) const { return "Sent"; }
  const char* operator()(const SendFailed&) const { return "SendFailed"; }
  const char* operator()(const Writable&) const { return "Writable"; }
  const char* operator()(const PeerClosing&) const { return "PeerClosing"; }
  const char* operator()(const FlowFailed&) const { return "FlowFailed"; }
  const char* operator()(const Closed&) const { return "Closed"; }
  const char* operator()(const ListenerPaused&) const { return "ListenerPaused"; }
  const char* operator()(const ListenerResumed&) const { return "ListenerResumed"; }
  const char* operator()(const Posted&) const { return "Posted"; }
  template <typename Other>
  const char* operator()(const Other&) const {
    return "Other";
  }
};

template <typename T>
auto connection_of(const T& event, int) -> decltype(event.connection) {
  return event.connection;
}
template <typename T>
ConnectionId connection_of(const T&, long) {
  return ConnectionId::none;
}

}  // namespace

Party::Party(Invariants& invariants, Invariants::Party number)
    : invariants_(invariants), number_(number) {}

void Party::start(TransportOptions options) {
  for (int tries = 0; tries < 50 && !transport_; ++tries) {
    auto created = TlsTransport::create(options);
    if (created) transport_.emplace(std::move(*created));
  }
  REQUIRE(transport_);
}

std::optional<Endpoint> Party::listen(const TlsContext& context,
                                      const std::function<void(ListenOptions&)>& change) {
  ListenOptions options{*Endpoint::parse("127.0.0.1", 0), context};
  if (change) change(options);
  for (int tries = 0; tries < 50; ++tries) {
    const auto id = transport_->listen(options);
    if (!id) {
      last_reason = id.error().reason();
      continue;
    }
    listener = *id;
    const auto bound = transport_->local_endpoint(listener);
    // Where getsockname() has failed, the host does not know its port.
    if (bound && bound->port() != 0) return *bound;
    static_cast<void>(transport_->stop_listening(listener));
  }
  return std::nullopt;
}

std::optional<ConnectionId> Party::connect(const Target& target) {
  invariants_.targeted(number_, target.remotes);
  const auto id = transport_->connect(target);
  if (!id) {
    last_reason = id.error().reason();
    return std::nullopt;
  }
  invariants_.opened(number_, *id);
  return *id;
}

template <typename Outcome>
std::optional<SendToken> Party::account(const Outcome& outcome, ConnectionId connection,
                                        std::string text, const SendOptions& options) {
  if (!outcome) {
    last_reason = outcome.error().reason();
    return std::nullopt;
  }
  const auto wants =
      options.report == Report::always ? Invariants::Wants::always : Invariants::Wants::failures;
  invariants_.accepted(number_, *outcome, connection, std::move(text), wants);
  return *outcome;
}

std::optional<SendToken> Party::send(ConnectionId connection, std::size_t body,
                                     const SendOptions& options) {
  std::string text = message_text(invariants_.next_number(), false, body);
  const auto sent = transport_->send(connection, octets(text), options);
  return account(sent, connection, std::move(text), options);
}

std::optional<SendToken> Party::send(const Target& target, std::size_t body,
                                     const SendOptions& options) {
  invariants_.targeted(number_, target.remotes);
  std::string text = message_text(invariants_.next_number(), false, body);
  const auto sent = transport_->send(target, octets(text), options);
  return account(sent, ConnectionId::none, std::move(text), options);
}

std::optional<SendToken> Party::respond(ConnectionId connection, const ResponseFallback& fallback,
                                        std::size_t body) {
  if (!fallback.remotes.empty()) invariants_.targeted(number_, fallback.remotes);
  std::string text = message_text(invariants_.next_number(), true, body);
  const SendOptions options{std::nullopt, Report::always};
  const auto sent = transport_->respond(connection, octets(text), fallback, options);
  return account(sent, ConnectionId::none, std::move(text), options);
}

void Party::send_text(ConnectionId connection, const std::string& text) {
  const auto sent = transport_->send(connection, octets(text));
  account(sent, connection, text, {});
}

void Party::close(ConnectionId connection) {
  if (transport_->close(connection)) invariants_.ended_by_host(number_, connection);
}

void Party::abort(ConnectionId connection) {
  if (transport_->abort(connection)) invariants_.ended_by_host(number_, connection);
}

void Party::close_all() {
  transport_->close_all();
  invariants_.ended_by_host(number_);
}

bool Party::take_events(Pace pace) {
  bool any = false;
  while (auto event = transport_->next_event()) {
    invariants_.saw(number_, *event);
    // Told when there is an occasion, and no reason to wake anybody.
    if (std::get_if<Warning>(&*event) != nullptr) continue;
    any = true;
    const ConnectionId connection =
        std::visit([](const auto& one) { return connection_of(one, 0); }, *event);
    noted_.push_back({std::visit(KindOf{}, *event), connection});
    if (on_event) on_event(*this, *event);
    if (pace == Pace::one_event) break;
  }
  return any;
}

std::size_t Party::count(std::string_view kind) const {
  return static_cast<std::size_t>(std::count_if(
      noted_.begin(), noted_.end(), [&](const Noted& one) { return one.kind == kind; }));
}

ConnectionId Party::last(std::string_view kind) const {
  const auto found = std::find_if(noted_.rbegin(), noted_.rend(),
                                  [&](const Noted& one) { return one.kind == kind; });
  return found == noted_.rend() ? ConnectionId::none : found->connection;
}

void answer_each_request(Party& party, std::size_t body) {
  party.on_event = [body](Party& self, const Event& event) {
    const auto* message = std::get_if<Message>(&event);
    if (message == nullptr || !message->message.is_request()) return;
    self.respond(message->connection, {}, body);
  };
}

FaultStage::FaultStage(const FaultPlan& plan, Pace pace, bool patient)
    : scope_(plan),
      descriptors_before_(open_descriptors()),
      clock_(std::make_shared<FaultyClock>()),
      pace_(pace),
      patient_(patient),
      plan_can_fail_(plan.any_of_100000 > 0) {}

FaultStage::~FaultStage() = default;

void FaultStage::start(const TlsContext& server_context, const TlsContext& its_client_context,
                       const TransportLimits& client_limits, const TransportLimits& server_limits) {
  TransportOptions options;
  options.clock = clock_;
  server_.emplace(invariants_, 1);
  client_.emplace(invariants_, 2);
  options.limits = server_limits;
  server_->start(options);
  options.limits = client_limits;
  client_->start(options);
  const auto bound = server_->listen(server_context);
  REQUIRE(bound);
  at = *bound;
  client_context = its_client_context;
}

Target FaultStage::target() const { return siptls_test::target(at, *client_context); }

bool FaultStage::random_faults() const { return plan_can_fail_; }

std::uint64_t FaultStage::progress() const { return events_ + scope_.log().moved; }

// Gives each party whose fd is readable its turn. False if there was none.
bool FaultStage::take_ready(int patience) {
  clock_->fire_due_timers();
  std::array<pollfd, 2> waits{
      {{server_->transport().fd(), POLLIN, 0}, {client_->transport().fd(), POLLIN, 0}}};
  if (::poll(waits.data(), waits.size(), patience) <= 0) return false;
  Party* const parties[] = {&*server_, &*client_};
  for (std::size_t i = 0; i < waits.size(); ++i) {
    if ((waits[i].revents & POLLIN) != 0 && parties[i]->take_events(pace_)) ++events_;
  }
  const std::uint64_t now = progress();
  idle_wakes_ = now == last_progress_ ? idle_wakes_ + 1 : 0;
  last_progress_ = now;
  return true;
}

// fd() says that there is nothing to do. Is that true?
void FaultStage::probe() {
  for (Party* party : {&*server_, &*client_}) {
    clock_->fire_due_timers();
    pollfd wait{party->transport().fd(), POLLIN, 0};
    if (::poll(&wait, 1, 0) > 0) continue;
    const std::uint64_t announced = log().announced;
    const std::uint64_t struck = log().struck;
    const std::uint64_t before = progress();
    const bool any = party->take_events(pace_);
    if (any) ++events_;
    // What came in meanwhile would have made fd() readable, and a clock that leaps meanwhile too.
    if (log().announced == announced && log().struck == struck && progress() != before) {
      // Behind a leap that a party has not seen when it set its timer, the timer is late, once.
      const Fault* fault = plan().fault;
      const bool leapt = fault != nullptr && fault->trouble == Trouble::time_leaps && struck > 0;
      if (leapt && !std::exchange(excused_[party->number() - 1], true)) continue;
      invariants_.violated("party " + std::to_string(party->number()) +
                           ": there was work, and fd() was not readable");
    }
  }
}

bool FaultStage::step(bool time_passes) {
  if (idle_wakes_ > kMostIdleWakes || time_steps_ > kMostTimeSteps) {
    invariants_.violated(idle_wakes_ > kMostIdleWakes ? "wakes without anything to do"
                                                      : "deadlines without an end");
    return false;
  }
  if (take_ready(0)) return true;
  // What crosses the loopback in another thread of the kernel may need a moment.
  if (!patient_) std::this_thread::yield();
  if (take_ready(patient_ ? 20 : 0)) return true;
  probe();
  if (take_ready(0)) return true;
  if (!time_passes) return false;
  ++time_steps_;
  idle_wakes_ = 0;
  return clock_->fire_earliest_timer();
}

bool FaultStage::until(const std::function<bool()>& done) {
  while (!done()) {
    if (!step(true)) return done();
  }
  return true;
}

void FaultStage::run_out() {
  while (step(true)) {
  }
}

void FaultStage::settle() {
  while (step(false)) {
  }
}

void FaultStage::finish() {
  if (!server_ || !client_) return;
  settle();
  client_->close_all();
  settle();
  server_->close_all();
  run_out();
  for (Party* party : {&*server_, &*client_}) {
    if (const auto left = party->transport().connection_count(); left != 0) {
      invariants_.violated(std::to_string(left) + " connections without an end");
    }
  }
  server_.reset();
  client_.reset();
  clock_.reset();
  invariants_.at_end();
  if (const auto now = open_descriptors(); now != descriptors_before_) {
    invariants_.violated(std::to_string(descriptors_before_) + " descriptors were open, and " +
                         std::to_string(now) + " are");
  }
}

}  // namespace siptls_test
