// siptls/c/transport.h
#include "capi/convert.hpp"
#include "capi/event.hpp"
#include "capi/options.hpp"
#include "capi/sending.hpp"

namespace {

using siptls::ConnectionId;
using siptls::ListenerId;
using siptls::Result;
using siptls::TlsTransport;
using siptls::UpdateReport;
using siptls::capi::fail;
using siptls::capi::finish;
using siptls::capi::guarded;
using siptls::capi::invalid;
using siptls::capi::mono_time;
using siptls::capi::octets_of;
using siptls::capi::refused;
using siptls::capi::send_message;
using siptls::capi::to_c;

ConnectionId id_of(siptls_connection connection) noexcept {
  return static_cast<ConnectionId>(connection);
}

// The many calls that concern one connection and give nothing back.
template <typename F>
int on_connection(siptls_transport* transport, siptls_error* error, F&& call) {
  return guarded(error, [&] {
    if (transport == nullptr) return invalid(error, "transport is NULL");
    return finish(call(transport->transport), error);
  });
}

// At its end nothing of the host's is kept, only memory for the next call.
class Borrowed {
 public:
  explicit Borrowed(siptls_transport& transport) noexcept : transport_(transport) {}
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  ~Borrowed() {
    transport_.target.trace.reset();
    transport_.target.context.reset();
    transport_.fallback.context.reset();
  }

 private:
  siptls_transport& transport_;
};

// The calls that return nothing: memory that is out is told with the next event.
template <typename F>
void tell_later(siptls_transport* transport, F&& call) noexcept {
  if (transport == nullptr) return;
  try {
    call(transport->transport);
  } catch (const std::exception&) {
    transport->out_of_memory = true;
  }
}

// A report may be left out, but not be without a size: that is said before anything is done.
bool can_report(const siptls_update_report* report) noexcept {
  return report == nullptr || siptls::capi::size_of(report) != 0;
}

int give_report(Result<UpdateReport> result, siptls_update_report* report, siptls_error* error) {
  if (!result) return fail(error, std::move(result).error());
  siptls_update_report out{};
  out.generation = result->generation;
  out.older_connections = result->older_connections;
  if (report != nullptr) static_cast<void>(siptls::capi::write_struct(report, out));
  return SIPTLS_OK;
}

}  // namespace

int siptls_transport_new(const siptls_transport_options* options, siptls_transport** transport,
                         siptls_error* error) {
  return guarded(error, [&] {
    if (transport == nullptr) return invalid(error, "transport is NULL");
    siptls::TransportOptions into;
    if (const char* const why = siptls::capi::read_options(options, into)) {
      return invalid(error, why);
    }
    return finish(TlsTransport::create(std::move(into)), transport, error, [](TlsTransport made) {
      return new siptls_transport{std::move(made), {}, {}, {}, {}, {}, false, {}, {}};
    });
  });
}

void siptls_transport_free(siptls_transport* transport) { delete transport; }

int siptls_transport_fd(const siptls_transport* transport) {
  return transport == nullptr ? -1 : transport->transport.fd();
}

int siptls_transport_next_event(siptls_transport* transport, siptls_event* event) {
  siptls_event shown{};
  if (transport == nullptr || !siptls::capi::write_struct(event, shown)) return 0;
  try {
    transport->event = transport->transport.next_event();
  } catch (const std::exception&) {
    transport->out_of_memory = true;
  }
  if (std::exchange(transport->out_of_memory, false)) {
    transport->event.emplace(siptls::Warning{siptls::Error(siptls::Errc::out_of_memory)});
  }
  if (!transport->event) return 0;
  siptls::capi::show_event(*transport, shown);
  static_cast<void>(siptls::capi::write_struct(event, shown));
  return 1;
}

int siptls_transport_attempt(const siptls_transport* transport, size_t index,
                             siptls_endpoint* remote, siptls_error* why) {
  if (why != nullptr) why->error.reset();
  if (transport == nullptr || !transport->event) return 0;
  const std::vector<siptls::ConnectAttempt>* attempts = nullptr;
  if (const auto* const failed = std::get_if<siptls::ConnectFailed>(&*transport->event)) {
    attempts = &failed->attempts;
  } else if (const auto* const refusal = std::get_if<siptls::HandshakeFailed>(&*transport->event)) {
    attempts = &refusal->earlier;
  }
  if (attempts == nullptr || index >= attempts->size()) return 0;
  return siptls::capi::guarded_or(0, [&] {
    if (remote != nullptr) *remote = to_c((*attempts)[index].remote);
    if (why != nullptr) why->error = (*attempts)[index].error;
    return 1;
  });
}

void siptls_transport_flush(siptls_transport* transport) {
  tell_later(transport, [](TlsTransport& own) { own.flush(); });
}

int siptls_transport_listen(siptls_transport* transport, const siptls_listen_options* options,
                            siptls_listener* listener, siptls_error* error) {
  return guarded(error, [&]() -> int {
    if (transport == nullptr) return invalid(error, "transport is NULL");
    std::optional<siptls::ListenOptions> into;
    if (const char* const why = siptls::capi::read_listen(options, into)) {
      return invalid(error, why);
    }
    const auto made = transport->transport.listen(*into);
    if (!made) return fail(error, made.error());
    if (listener != nullptr) *listener = static_cast<siptls_listener>(*made);
    return SIPTLS_OK;
  });
}

int siptls_transport_local_endpoint(const siptls_transport* transport, siptls_listener listener,
                                    siptls_endpoint* local, siptls_error* error) {
  return guarded(error, [&]() -> int {
    if (transport == nullptr || local == nullptr) return invalid(error, "an argument is NULL");
    const auto found = transport->transport.local_endpoint(static_cast<ListenerId>(listener));
    if (!found) return fail(error, found.error());
    *local = to_c(*found);
    return SIPTLS_OK;
  });
}

int siptls_transport_stop_listening(siptls_transport* transport, siptls_listener listener,
                                    siptls_error* error) {
  return on_connection(transport, error, [&](TlsTransport& own) {
    return own.stop_listening(static_cast<ListenerId>(listener));
  });
}

int siptls_transport_update(siptls_transport* transport, siptls_listener listener,
                            const siptls_context* context, siptls_update_report* report,
                            siptls_error* error) {
  return guarded(error, [&] {
    if (transport == nullptr || context == nullptr) return invalid(error, "an argument is NULL");
    if (!can_report(report)) return invalid(error, "report: size");
    return give_report(
        transport->transport.update(static_cast<ListenerId>(listener), context->context), report,
        error);
  });
}

int siptls_transport_update_outgoing(siptls_transport* transport, const siptls_context* context,
                                     siptls_update_report* report, siptls_error* error) {
  return guarded(error, [&] {
    if (transport == nullptr || context == nullptr) return invalid(error, "an argument is NULL");
    if (!can_report(report)) return invalid(error, "report: size");
    return give_report(transport->transport.update_outgoing(context->context), report, error);
  });
}

int siptls_transport_update_all(siptls_transport* transport,
                                const siptls_listener_update* listeners, size_t listener_count,
                                const siptls_context* outgoing, siptls_update_report* report,
                                siptls_error* error) {
  return guarded(error, [&] {
    if (transport == nullptr || (listeners == nullptr && listener_count != 0)) {
      return invalid(error, "transport or listeners is NULL");
    }
    if (!can_report(report)) return invalid(error, "report: size");
    siptls::ContextUpdate update;
    for (size_t i = 0; i < listener_count; ++i) {
      if (listeners[i].context == nullptr || listeners[i].reserved != 0) {
        return invalid(error, "a context is NULL, or reserved is not 0");
      }
      update.listeners.emplace_back(static_cast<ListenerId>(listeners[i].listener),
                                    listeners[i].context->context);
    }
    if (outgoing != nullptr) update.outgoing = outgoing->context;
    return give_report(transport->transport.update_all(update), report, error);
  });
}

int siptls_transport_reverify(siptls_transport* transport, uint64_t generation,
                              siptls_error* error) {
  return on_connection(transport, error,
                       [&](TlsTransport& own) { return own.reverify(generation); });
}

int siptls_transport_connect(siptls_transport* transport, const siptls_target* target,
                             siptls_connection* connection, siptls_error* error) {
  return guarded(error, [&]() -> int {
    if (transport == nullptr) return invalid(error, "transport is NULL");
    const Borrowed borrowed(*transport);
    if (const char* const why = siptls::capi::read_target(target, transport->target)) {
      return invalid(error, why);
    }
    const auto opened = transport->transport.connect(transport->target);
    if (!opened) return fail(error, opened.error());
    if (connection != nullptr) *connection = static_cast<siptls_connection>(*opened);
    return SIPTLS_OK;
  });
}

int siptls_transport_send(siptls_transport* transport, siptls_connection connection,
                          const void* message, size_t size, const siptls_send_options* options,
                          siptls_token* token, siptls_error* error) {
  return send_message(transport, message, size, options, token, error,
                      [&](std::span<const std::byte> octets, const siptls::SendOptions& how) {
                        return transport->transport.send(id_of(connection), octets, how);
                      });
}

int siptls_transport_send_to(siptls_transport* transport, const siptls_target* target,
                             const void* message, size_t size, const siptls_send_options* options,
                             siptls_token* token, siptls_error* error) {
  return send_message(transport, message, size, options, token, error,
                      [&](std::span<const std::byte> octets, const siptls::SendOptions& how) {
                        const Borrowed borrowed(*transport);
                        auto& into = transport->target;
                        if (const char* const why = siptls::capi::read_target(target, into)) {
                          return refused(why);
                        }
                        return transport->transport.send(into, octets, how);
                      });
}

int siptls_transport_respond(siptls_transport* transport, siptls_connection connection,
                             const void* message, size_t size, const siptls_fallback* fallback,
                             const siptls_send_options* options, siptls_token* token,
                             siptls_error* error) {
  return send_message(transport, message, size, options, token, error,
                      [&](std::span<const std::byte> octets, const siptls::SendOptions& how) {
                        const Borrowed borrowed(*transport);
                        auto& into = transport->fallback;
                        if (const char* const why = siptls::capi::read_fallback(fallback, into)) {
                          return refused(why);
                        }
                        return transport->transport.respond(id_of(connection), octets, into, how);
                      });
}

int siptls_transport_accept_alias(siptls_transport* transport, siptls_connection connection,
                                  const siptls_message* request, siptls_error* error) {
  return guarded(error, [&] {
    if (transport == nullptr || request == nullptr) return invalid(error, "an argument is NULL");
    return finish(transport->transport.accept_alias(id_of(connection), request->view), error);
  });
}

int siptls_transport_keep_alive(siptls_transport* transport, siptls_connection connection,
                                uint64_t interval_ms, uint64_t pong_timeout_ms,
                                siptls_error* error) {
  return on_connection(transport, error, [&](TlsTransport& own) {
    siptls::KeepAliveOptions options;
    if (interval_ms != 0) options.interval = siptls::capi::milliseconds_of(interval_ms);
    if (pong_timeout_ms != 0) options.pong_timeout = siptls::capi::milliseconds_of(pong_timeout_ms);
    return own.keep_alive(id_of(connection), options);
  });
}

uint64_t siptls_flow_retry_delay(unsigned failures, int other_flows_alive, uint64_t random) {
  const auto others = other_flows_alive != 0 ? siptls::OtherFlows::some : siptls::OtherFlows::none;
  return static_cast<uint64_t>(siptls::flow_retry_delay(failures, others, random).count());
}

int siptls_transport_authorise(siptls_transport* transport, siptls_connection connection,
                               uint32_t verdict, siptls_error* error) {
  return guarded(error, [&] {
    const auto known = siptls::capi::to_enum(verdict, siptls::Verdict::refuse);
    if (transport == nullptr || !known) return invalid(error, "transport is NULL, or no verdict");
    return finish(transport->transport.authorise(id_of(connection), *known), error);
  });
}

int siptls_transport_complete_signature(siptls_transport* transport, siptls_connection connection,
                                        const void* signature, size_t size, siptls_error* error) {
  return guarded(error, [&] {
    if (transport == nullptr || (signature == nullptr && size != 0)) {
      return invalid(error, "transport or signature is NULL");
    }
    return finish(
        transport->transport.complete_signature(id_of(connection), octets_of(signature, size)),
        error);
  });
}

int siptls_transport_close(siptls_transport* transport, siptls_connection connection,
                           siptls_error* error) {
  return on_connection(transport, error,
                       [&](TlsTransport& own) { return own.close(id_of(connection)); });
}

int siptls_transport_abort(siptls_transport* transport, siptls_connection connection,
                           siptls_error* error) {
  return on_connection(transport, error,
                       [&](TlsTransport& own) { return own.abort(id_of(connection)); });
}

void siptls_transport_close_all(siptls_transport* transport) {
  tell_later(transport, [](TlsTransport& own) { own.close_all(); });
}

int siptls_transport_drain(siptls_transport* transport, siptls_connection connection,
                           int64_t deadline, siptls_error* error) {
  return on_connection(transport, error, [&](TlsTransport& own) {
    return own.drain(id_of(connection), mono_time(deadline));
  });
}

void siptls_transport_drain_all(siptls_transport* transport, int64_t deadline) {
  tell_later(transport, [&](TlsTransport& own) { own.drain_all(mono_time(deadline)); });
}

int siptls_transport_pause(siptls_transport* transport, siptls_connection connection,
                           siptls_error* error) {
  return on_connection(transport, error,
                       [&](TlsTransport& own) { return own.pause(id_of(connection)); });
}

int siptls_transport_resume(siptls_transport* transport, siptls_connection connection,
                            siptls_error* error) {
  return on_connection(transport, error,
                       [&](TlsTransport& own) { return own.resume(id_of(connection)); });
}

const siptls_peer* siptls_transport_peer(siptls_transport* transport,
                                         siptls_connection connection) {
  if (transport == nullptr) return nullptr;
  return siptls::capi::guarded_or(static_cast<const siptls_peer*>(nullptr), [&] {
    const siptls::PeerInfo* const found = transport->transport.peer(id_of(connection));
    if (found == nullptr) return static_cast<const siptls_peer*>(nullptr);
    transport->asked_for.info = *found;
    transport->asked_for.path.path = found->path;
    return static_cast<const siptls_peer*>(&transport->asked_for);
  });
}

size_t siptls_transport_connection_count(const siptls_transport* transport) {
  return transport == nullptr ? 0 : transport->transport.connection_count();
}
