// pjsip-siptls: a user agent of PJSIP over siptls. Without --call and --options it answers calls
// and OPTIONS until SIGINT or SIGTERM; with one of them it does that once and ends.
#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <utility>

#include "pjsip_transport_siptls.hpp"
#include "tool/command_line.hpp"
#include "tool/output.hpp"
#include "tool/tls_setup.hpp"
#include "user_agent.hpp"

namespace {

using namespace siptls;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using tool::Json;

const tool::Usage kUsage{
    "pjsip-siptls", "A user agent of PJSIP with siptls as its transport.",
    tool::with_tls_options({
        {"--listen", "IP[:PORT]", "where to listen; port 5061 if left out, 0 picks one"},
        {"--domain", "NAME", "the own name, in From and Contact (the address)"},
        {"--address", "NAME=IP[:PORT]", "where a name is; there is no DNS here",
         tool::Option::Repeat::yes},
        {"--call", "URI", "INVITE, ACK and BYE, then the end"},
        {"--keep-call", "", "leave the BYE to the other side, or to a signal"},
        {"--options", "URI", "OPTIONS, then the end"},
        {"--route", "URI", "the proxy that requests go to first (sip:NAME;transport=tls;lr)"},
        {"--timeout", "DURATION", "give up (40s)"},
    }),
    ""};

// How long connections have to end.
constexpr auto kClosing = std::chrono::seconds(4);

Result<TlsContext> make_context(const tool::CommandLine& arguments, ConnectionRole role) {
  Result<TlsContextConfig> config = tool::load_tls(arguments, tool::read_policy(arguments), role);
  if (!config) return Unexpected(config.error());
  return TlsContext::create(*std::move(config));
}

Error pj_error(pj_status_t status, const std::string& doing) {
  std::array<char, PJ_ERR_MSG_SIZE> text{};
  pj_strerror(status, text.data(), text.size());
  return Error(Errc::internal, fmt::format("{}: {}", doing, text.data()));
}

// PJLIB and the endpoint, ended in the right order.
class Pjsip {
 public:
  pj_status_t open() {
    pj_log_set_level(2);
    pj_log_set_log_func([](int, const char* text, int) { std::fputs(text, stderr); });
    if (const pj_status_t status = pj_init(); status != PJ_SUCCESS) return status;
    initialised_ = true;
    if (const pj_status_t status = pjlib_util_init(); status != PJ_SUCCESS) return status;
    pj_caching_pool_init(&pools_, &pj_pool_factory_default_policy, 0);
    has_pools_ = true;
    return pjsip_endpt_create(&pools_.factory, "siptls", &endpoint_);
  }
  // What is under way is given up, and whoever waits for it is told.
  void close() {
    if (endpoint_ != nullptr) pjsip_endpt_destroy(std::exchange(endpoint_, nullptr));
    if (std::exchange(has_pools_, false)) pj_caching_pool_destroy(&pools_);
    if (std::exchange(initialised_, false)) pj_shutdown();
  }
  ~Pjsip() { close(); }
  Pjsip() = default;
  Pjsip(const Pjsip&) = delete;
  Pjsip& operator=(const Pjsip&) = delete;
  pjsip_endpoint* endpoint() const noexcept { return endpoint_; }

 private:
  pj_caching_pool pools_{};
  pjsip_endpoint* endpoint_ = nullptr;
  bool initialised_ = false;
  bool has_pools_ = false;
};

class Program {
 public:
  Program(const tool::CommandLine& arguments, const tool::Output& output)
      : arguments_(arguments), output_(output) {}

  int run() {
    const bool asks = arguments_.has("--call") || arguments_.has("--options");
    const milliseconds patience = arguments_.duration("--timeout", kPatience);
    open_signals();
    if (const pj_status_t status = pjsip_.open(); status != PJ_SUCCESS) {
      return output_.fail(pj_error(status, "starting PJSIP"));
    }
    if (const pj_status_t status = agent_.open(pjsip_.endpoint()); status != PJ_SUCCESS) {
      return output_.fail(pj_error(status, "starting the user agent"));
    }
    check_uris();
    if (const Result<void> opened = open_transport(); !opened) {
      return output_.fail(opened.error());
    }
    const auto deadline = asks ? steady_clock::now() + patience : steady_clock::time_point::max();
    if (asks) ask();
    while (!done_ && !turn(deadline)) {
      if (steady_clock::now() < deadline) continue;
      fail(Error(Errc::idle_timeout, "no answer"));
    }
    close();
    pjsip_.close();  // OPTIONS without an answer fails here at the latest
    ::close(signals_);
    return failed_ ? tool::kFailed : tool::kSuccess;
  }

 private:
  static constexpr milliseconds kPatience = std::chrono::seconds(40);

  void open_signals() {
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigprocmask(SIG_BLOCK, &wanted, nullptr);
    signals_ = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
  }

  // PJSIP's parser reads them, so not before PJSIP is there.
  void check_uris() const {
    if (arguments_.has("--call") && arguments_.has("--options")) {
      throw tool::UsageError("--call and --options exclude each other");
    }
    for (const char* option : {"--call", "--options", "--route"}) {
      const std::optional<std::string> uri = arguments_.value(option);
      if (uri && !agent_.is_uri(*uri)) {
        throw tool::UsageError(fmt::format("{}: \"{}\" is no SIP URI", option, *uri));
      }
    }
  }

  Result<void> open_transport() {
    for (const std::string& text : arguments_.values("--address")) {
      const std::size_t equals = text.find('=');
      if (equals == text.npos) throw tool::UsageError("--address: \"" + text + "\" has no =");
      UserAgent::set_address(text.substr(0, equals),
                             tool::CommandLine::endpoint("--address", text.substr(equals + 1)));
    }
    const Endpoint listen =
        tool::CommandLine::endpoint("--listen", arguments_.required("--listen"));
    Result<TlsContext> client = make_context(arguments_, ConnectionRole::client);
    if (!client) return Unexpected(client.error());
    Result<TlsContext> server = make_context(arguments_, ConnectionRole::server);
    if (!server) return Unexpected(server.error());
    Result<SiptlsFactory*> factory =
        SiptlsFactory::create(pjsip_.endpoint(), {*std::move(client),
                                                  *std::move(server),
                                                  listen,
                                                  arguments_.value("--domain").value_or(""),
                                                  {}});
    if (!factory) return Unexpected(factory.error());
    factory_ = *factory;
    const Endpoint bound = factory_->local();
    const std::string domain = arguments_.value("--domain").value_or(bound.address_text());
    const std::string host = domain == bound.address_text()
                                 ? bound.to_string()
                                 : fmt::format("{}:{}", domain, bound.port());
    agent_.set_names(fmt::format("<sip:pjsip@{}>", domain),
                     fmt::format("<sip:pjsip@{};transport=tls>", host));
    if (arguments_.has("--route")) agent_.set_route(arguments_.required("--route"));
    output_.event(
        Json{{"event", "listening"}, {"address", bound.address_text()}, {"port", bound.port()}},
        fmt::format("listening on {}", bound.to_string()));
    return {};
  }

  UserAgentEvents events() {
    UserAgentEvents events;
    events.request = [this](const pjsip_rx_data& request) {
      const pjsip_method& method = request.msg_info.msg->line.req.method;
      Json fields{
          {"event", "request"},
          {"method", std::string(method.name.ptr, static_cast<std::size_t>(method.name.slen))},
          {"identities", Json::array()}};
      const PeerInfo* peer = SiptlsFactory::peer_of(request.tp_info.transport);
      if (peer != nullptr && peer->authenticated()) {
        for (const Identity& identity : peer->path->identities) {
          fields["identities"].push_back(identity.name);
        }
      }
      output_.event(fields, fmt::format("request {}", fields["method"].get<std::string>()));
    };
    events.call_state = [this](const pjsip_inv_session& call) {
      const std::string state = pjsip_inv_state_name(call.state);
      output_.event(Json{{"event", "call"}, {"state", state}, {"cause", int{call.cause}}},
                    fmt::format("call {} {}", state, int{call.cause}));
      if (call.role != PJSIP_ROLE_UAC || call.state != PJSIP_INV_STATE_DISCONNECTED) return;
      if (call.cause != PJSIP_SC_OK && !closing_) {
        fail(
            Error(Errc::connection_closed, fmt::format("the call ended with {}", int{call.cause})));
      }
      done_ = true;
    };
    events.options_answered = [this](int status, const std::string& text) {
      output_.event(Json{{"event", "response"}, {"status", status}, {"reason_phrase", text}},
                    fmt::format("{} {}", status, text));
      if (status / 100 != 2) failed_ = true;
      done_ = true;
    };
    return events;
  }

  void ask() {
    const auto hang_up =
        arguments_.has("--keep-call") ? UserAgent::HangUp::never : UserAgent::HangUp::at_once;
    const pj_status_t status = arguments_.has("--call")
                                   ? agent_.call(arguments_.required("--call"), hang_up)
                                   : agent_.ask_options(arguments_.required("--options"));
    if (status != PJ_SUCCESS) fail(pj_error(status, "sending the request"));
  }

  // One turn of the loop: waits for the transport, a signal or PJSIP's next timer, then lets both
  // do what there is. PJSIP has no socket of its own here; one that has waits for less long.
  // True if a signal came.
  bool turn(steady_clock::time_point deadline) {
    std::array<pollfd, 2> ready{{{factory_->fd(), POLLIN, 0}, {signals_, POLLIN, 0}}};
    ::poll(ready.data(), ready.size(), wait_time(deadline));
    pj_time_val none{0, 0};
    pjsip_endpt_handle_events(pjsip_.endpoint(), &none);
    factory_->handle_events();
    signalfd_siginfo taken{};
    return (ready[1].revents & POLLIN) != 0 && ::read(signals_, &taken, sizeof taken) > 0;
  }

  int wait_time(steady_clock::time_point deadline) const {
    constexpr std::int64_t kLongest = 60'000;
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    std::int64_t wait = std::clamp<std::int64_t>(left.count(), 0, kLongest);
    pj_timer_heap_t* timers = pjsip_endpt_get_timer_heap(pjsip_.endpoint());
    pj_time_val next{};
    pj_time_val now{};
    if (pj_timer_heap_count(timers) != 0 &&
        pj_timer_heap_earliest_time(timers, &next) == PJ_SUCCESS &&
        pj_gettickcount(&now) == PJ_SUCCESS) {
      PJ_TIME_VAL_SUB(next, now);
      wait = std::clamp<std::int64_t>(std::int64_t{next.sec} * 1000 + next.msec, 0, wait);
    }
    return static_cast<int>(wait);
  }

  // BYE to who is in a call, then close_notify to everybody. A second signal ends the wait.
  void close() {
    auto deadline = steady_clock::now() + kClosing;
    closing_ = true;
    agent_.hang_up_all();
    while (agent_.is_in_call() && steady_clock::now() < deadline) {
      if (turn(deadline)) return;
    }
    factory_->close_all();
    deadline = steady_clock::now() + kClosing;
    factory_->handle_events();
    while (!factory_->is_closed() && steady_clock::now() < deadline) {
      if (turn(deadline)) return;
    }
  }

  void fail(const Error& error) {
    output_.error(error);
    failed_ = done_ = true;
  }

  const tool::CommandLine& arguments_;
  const tool::Output& output_;
  bool done_ = false;
  bool closing_ = false;
  bool failed_ = false;
  UserAgent agent_{events()};
  Pjsip pjsip_;                       // behind what it calls until its end
  SiptlsFactory* factory_ = nullptr;  // PJSIP owns it
  int signals_ = -1;
};

int serve(const tool::CommandLine& arguments, const tool::Output& output) {
  return Program(arguments, output).run();
}

}  // namespace

int main(int argc, char** argv) { return tool::run(kUsage, argc, argv, serve); }
