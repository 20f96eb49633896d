// siptls/c/transport_options.h
#include "capi/options.hpp"

#include "capi/convert.hpp"

namespace siptls::capi {
namespace {

std::uint64_t count_of(std::chrono::milliseconds time) noexcept {
  return static_cast<std::uint64_t>(time.count());
}
siptls_rate show_rate(const Rate& rate) noexcept { return {rate.per_second, rate.burst}; }
Rate rate_of(const siptls_rate& rate) noexcept { return {rate.per_second, rate.burst}; }

siptls_transport_limits default_limits() noexcept {
  const TransportLimits limits;
  siptls_transport_limits out{};
  out.size = sizeof out;
  out.max_connections = limits.max_connections;
  out.max_connections_per_address = limits.max_connections_per_address;
  out.max_handshakes = limits.max_handshakes;
  out.max_handshakes_per_address = limits.max_handshakes_per_address;
  out.accept_rate = show_rate(limits.accept_rate);
  out.accept_rate_per_address = show_rate(limits.accept_rate_per_address);
  out.connect_timeout = count_of(limits.connect_timeout);
  out.handshake_timeout = count_of(limits.handshake_timeout);
  out.first_message_timeout = count_of(limits.first_message_timeout);
  out.idle_timeout = count_of(limits.idle_timeout);
  out.message_timeout = count_of(limits.message_timeout);
  out.write_timeout = count_of(limits.write_timeout);
  out.close_timeout = count_of(limits.close_timeout);
  out.max_queued_bytes = limits.max_queued_bytes;
  out.max_queued_messages = limits.max_queued_messages;
  out.max_buffered_bytes = limits.max_buffered_bytes;
  out.ping_rate = show_rate(limits.ping_rate);
  return out;
}

const char* read_limits(const siptls_transport_limits& given, TransportLimits& into) noexcept {
  into.max_connections = given.max_connections;
  into.max_connections_per_address = given.max_connections_per_address;
  into.max_handshakes = given.max_handshakes;
  into.max_handshakes_per_address = given.max_handshakes_per_address;
  into.accept_rate = rate_of(given.accept_rate);
  into.accept_rate_per_address = rate_of(given.accept_rate_per_address);
  into.connect_timeout = milliseconds_of(given.connect_timeout);
  into.handshake_timeout = milliseconds_of(given.handshake_timeout);
  into.first_message_timeout = milliseconds_of(given.first_message_timeout);
  into.idle_timeout = milliseconds_of(given.idle_timeout);
  into.message_timeout = milliseconds_of(given.message_timeout);
  into.write_timeout = milliseconds_of(given.write_timeout);
  into.close_timeout = milliseconds_of(given.close_timeout);
  into.max_queued_bytes = given.max_queued_bytes;
  into.max_queued_messages = given.max_queued_messages;
  into.max_buffered_bytes = given.max_buffered_bytes;
  into.ping_rate = rate_of(given.ping_rate);
  if (given.framer != nullptr) {
    auto framer = default_framer_limits();
    if (!read_struct(given.framer, framer) || framer.reserved != 0) {
      return "limits.framer: size, or reserved is not 0";
    }
    into.framer = to_cpp(framer);
  }
  return nullptr;
}

// A clock of the host's.
class HostClock final : public Clock {
 public:
  explicit HostClock(const siptls_clock_source& source) noexcept : source_(source) {}

  Now now() const noexcept override {
    siptls_now now{0, 0, SIPTLS_CLOCK_BEHIND_FLOOR, 0};
    source_.now(source_.context, &now);
    return to_cpp(now);
  }

 private:
  siptls_clock_source source_;
};

const char* read_clock(const siptls_clock_source* given, TransportOptions& into) {
  if (given == nullptr) return nullptr;
  siptls_clock_source source{};
  if (!read_struct(given, source) || source.now == nullptr) return "clock: size, or no function";
  into.clock = std::make_shared<const HostClock>(source);
  return nullptr;
}

const char* read_log(const siptls_transport_options& given, TransportOptions& into) {
  const auto level = to_enum(given.log_level, LogLevel::debug);
  if (!level) return "log_level is no level";
  if (given.log == nullptr) return nullptr;
  into.log.level = *level;
  into.log.write = [write = given.log, context = given.log_context](const LogLine& line) {
    const siptls_now time = to_c(line.time);
    write(context, static_cast<std::uint32_t>(line.level), &time,
          static_cast<siptls_connection>(line.connection), line.text.data(), line.text.size());
  };
  return nullptr;
}

siptls_transport_options default_options() noexcept {
  siptls_transport_options out{};
  out.size = sizeof out;
  out.log_level = SIPTLS_LOG_INFO;
  return out;
}

const char* read_endpoints(const siptls_endpoint* given, std::size_t count,
                           std::vector<Endpoint>& into) {
  into.clear();
  if (given == nullptr) return count == 0 ? nullptr : "remotes is NULL and not empty";
  for (const auto& endpoint : std::span(given, count)) {
    const auto known = to_cpp(endpoint);
    if (!known) return "a remote endpoint of no family";
    into.push_back(*known);
  }
  return nullptr;
}

void set_context(const siptls_context* given, std::optional<TlsContext>& into) {
  if (given == nullptr) {
    into.reset();
  } else {
    into = given->context;
  }
}

}  // namespace

const char* read_options(const siptls_transport_options* given, TransportOptions& into) {
  if (given == nullptr) return nullptr;
  auto options = default_options();
  if (!read_struct(given, options)) return "options: size";
  if (options.limits != nullptr) {
    auto limits = default_limits();
    if (!read_struct(options.limits, limits)) return "limits: size";
    if (const char* const why = read_limits(limits, into.limits)) return why;
  }
  const auto unframed = to_enum(options.unframed_request, UnframedRequest::close);
  if (!unframed) return "unframed_request is no choice";
  into.unframed_request = *unframed;
  if (options.outgoing != nullptr) into.outgoing = options.outgoing->context;
  if (const char* const why = read_clock(options.clock, into)) return why;
  return read_log(options, into);
}

const char* read_listen(const siptls_listen_options* given, std::optional<ListenOptions>& into) {
  siptls_listen_options options{};
  if (given == nullptr || !read_struct(given, options)) return "options: NULL, or its size";
  const auto local = to_cpp(options.local);
  const auto proxy = to_enum(options.proxy, ProxyProtocol::either);
  if (!local) return "local is an endpoint of no family";
  if (options.context == nullptr) return "context is NULL";
  if (!proxy) return "proxy is no choice";
  into.emplace(ListenOptions{*local, options.context->context});
  using Binding = ListenOptions::Binding;
  using Port = ListenOptions::Port;
  using Families = ListenOptions::Families;
  into->binding = options.may_come_later != 0 ? Binding::may_come_later : Binding::present;
  into->port = options.share_port != 0 ? Port::share : Port::own;
  into->families = options.dual != 0 ? Families::dual : Families::own;
  into->proxy = *proxy;
  if (options.ticket_scope != nullptr) into->ticket_scope = options.ticket_scope;
  std::vector<std::string> sources;
  if (!to_cpp(options.proxy_sources, options.proxy_source_count, sources)) {
    return "one of proxy_sources is NULL";
  }
  for (const auto& source : sources) {
    auto range = AddressRange::parse(source);
    if (!range) return "one of proxy_sources is no block of addresses";
    into->proxy_sources.push_back(*range);
  }
  return nullptr;
}

const char* read_target(const siptls_target* given, Target& into) {
  siptls_target target{};
  if (given == nullptr || !read_struct(given, target)) return "target: NULL, or its size";
  if (target.domain == nullptr) return "domain is NULL";
  if (const char* const why = read_endpoints(target.remotes, target.remote_count, into.remotes)) {
    return why;
  }
  into.domain.assign(target.domain);
  set_context(target.context, into.context);
  into.local.reset();
  if (target.local != nullptr) {
    into.local = to_cpp(*target.local);
    if (!into.local) return "local is an endpoint of no family";
  }
  into.trace = target.trace != nullptr ? target.trace->trace : nullptr;
  into.keep_alive.reset();
  if (target.keep_alive_interval != 0) {
    auto& keep_alive = into.keep_alive.emplace();
    keep_alive.interval = milliseconds_of(target.keep_alive_interval);
    if (target.pong_timeout != 0) keep_alive.pong_timeout = milliseconds_of(target.pong_timeout);
  }
  return nullptr;
}

const char* read_fallback(const siptls_fallback* given, ResponseFallback& into) {
  siptls_fallback fallback{};
  if (given != nullptr && !read_struct(given, fallback)) return "fallback: size";
  into.sent_by.assign(fallback.sent_by != nullptr ? fallback.sent_by : "");
  set_context(fallback.context, into.context);
  return read_endpoints(fallback.remotes, fallback.remote_count, into.remotes);
}

const char* read_send(const siptls_send_options* given, SendOptions& into) {
  if (given == nullptr) return nullptr;
  siptls_send_options options{};
  if (!read_struct(given, options)) return "options: size";
  const auto report = to_enum(options.report, Report::always);
  if (options.reserved != 0) return "options.reserved is not 0";
  if (!report) return "report is no choice";
  into.report = *report;
  if (options.expires_at != 0) into.expires_at = mono_time(options.expires_at);
  return nullptr;
}

}  // namespace siptls::capi

using siptls::capi::init_struct;

void siptls_transport_limits_init(siptls_transport_limits* limits, size_t size) {
  init_struct(limits, size, siptls::capi::default_limits());
}

void siptls_transport_options_init(siptls_transport_options* options, size_t size) {
  init_struct(options, size, siptls::capi::default_options());
}

void siptls_listen_options_init(siptls_listen_options* options, size_t size) {
  init_struct(options, size, siptls_listen_options{});
}

void siptls_target_init(siptls_target* target, size_t size) {
  init_struct(target, size, siptls_target{});
}

void siptls_fallback_init(siptls_fallback* fallback, size_t size) {
  init_struct(fallback, size, siptls_fallback{});
}

void siptls_send_options_init(siptls_send_options* options, size_t size) {
  init_struct(options, size, siptls_send_options{});
}

int siptls_trace_new(siptls_trace** trace, siptls_error* error) {
  return siptls::capi::guarded(error, [&]() -> int {
    if (trace == nullptr) return siptls::capi::invalid(error, "trace is NULL");
    *trace = new siptls_trace{std::make_shared<siptls::HandshakeTrace>(), {}};
    return SIPTLS_OK;
  });
}

void siptls_trace_free(siptls_trace* trace) { delete trace; }

const char* siptls_trace_ladder(siptls_trace* trace) {
  if (trace == nullptr) return "";
  return siptls::capi::guarded_or("", [trace] {
    trace->text = trace->trace->ladder();
    return trace->text.c_str();
  });
}

const char* siptls_trace_ladder_svg(siptls_trace* trace) {
  if (trace == nullptr) return "";
  return siptls::capi::guarded_or("", [trace] {
    trace->text = trace->trace->ladder_svg();
    return trace->text.c_str();
  });
}
