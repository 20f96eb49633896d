#include "siptls/tls_transport.hpp"

#include <utility>

#include "transport/transport_core.hpp"

namespace siptls {

TlsTransport::TlsTransport(std::unique_ptr<TransportCore> core) noexcept : core_(std::move(core)) {}
TlsTransport::TlsTransport(TlsTransport&&) noexcept = default;
TlsTransport& TlsTransport::operator=(TlsTransport&&) noexcept = default;
TlsTransport::~TlsTransport() = default;

Result<TlsTransport> TlsTransport::create(TransportOptions options) {
  auto core = TransportCore::create(std::move(options));
  if (!core) return Unexpected(std::move(core).error());
  return TlsTransport(std::move(*core));
}

int TlsTransport::fd() const noexcept { return core_->fd(); }
std::optional<Event> TlsTransport::next_event() { return core_->next_event(); }
void TlsTransport::flush() { core_->flush(); }

Result<ListenerId> TlsTransport::listen(const ListenOptions& options) {
  return core_->listen(options);
}
Result<Endpoint> TlsTransport::local_endpoint(ListenerId listener) const {
  return core_->local_endpoint(listener);
}
Result<void> TlsTransport::stop_listening(ListenerId listener) {
  return core_->stop_listening(listener);
}

Result<UpdateReport> TlsTransport::update(ListenerId listener, const TlsContext& context) {
  ContextUpdate contexts;
  contexts.listeners.emplace_back(listener, context);
  return core_->update(contexts);
}
Result<UpdateReport> TlsTransport::update_outgoing(const TlsContext& context) {
  ContextUpdate contexts;
  contexts.outgoing = context;
  return core_->update(contexts);
}
Result<UpdateReport> TlsTransport::update_all(const ContextUpdate& contexts) {
  return core_->update(contexts);
}
Result<void> TlsTransport::reverify(std::uint64_t generation) {
  return core_->reverify(generation);
}

Result<ConnectionId> TlsTransport::connect(const Target& target) { return core_->connect(target); }

Result<void> TlsTransport::accept_alias(ConnectionId connection, const SipMessageView& request) {
  return core_->accept_alias(connection, request);
}

Result<SendToken> TlsTransport::send(ConnectionId connection, std::span<const std::byte> message,
                                     const SendOptions& options) {
  return core_->noted(core_->send(connection, message, options, SendToken::none), message.size());
}
Result<SendToken> TlsTransport::send(const Target& target, std::span<const std::byte> message,
                                     const SendOptions& options) {
  return core_->noted(core_->send(target, message, options, SendToken::none), message.size());
}
Result<SendToken> TlsTransport::respond(ConnectionId connection, std::span<const std::byte> message,
                                        const ResponseFallback& fallback,
                                        const SendOptions& options) {
  return core_->noted(core_->respond(connection, message, fallback, options, SendToken::none),
                      message.size());
}

Result<void> TlsTransport::authorise(ConnectionId connection, Verdict verdict) {
  return core_->authorise(connection, verdict);
}
Result<void> TlsTransport::complete_signature(ConnectionId connection,
                                              std::span<const std::byte> signature) {
  return core_->complete_signature(connection, signature);
}

Result<void> TlsTransport::close(ConnectionId connection) { return core_->close(connection); }
Result<void> TlsTransport::abort(ConnectionId connection) { return core_->abort(connection); }
void TlsTransport::close_all() { core_->close_all(); }
Result<void> TlsTransport::drain(ConnectionId connection, MonoTime deadline) {
  return core_->drain(connection, deadline);
}
void TlsTransport::drain_all(MonoTime deadline) { core_->drain_all(deadline); }
Result<void> TlsTransport::keep_alive(ConnectionId connection, const KeepAliveOptions& options) {
  return core_->keep_alive(connection, options);
}
Result<void> TlsTransport::pause(ConnectionId connection) { return core_->pause(connection); }
Result<void> TlsTransport::resume(ConnectionId connection) { return core_->resume(connection); }

const PeerInfo* TlsTransport::peer(ConnectionId connection) const noexcept {
  return core_->peer(connection);
}
std::size_t TlsTransport::connection_count() const noexcept { return core_->connection_count(); }
TransportMetrics TlsTransport::metrics() const { return core_->metrics(); }
Sender TlsTransport::sender() const { return core_->sender(); }

}  // namespace siptls
