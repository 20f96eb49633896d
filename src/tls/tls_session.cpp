#include "siptls/tls_session.hpp"

#include <algorithm>
#include <new>

#include "pki/identity.hpp"
#include "tls/session_callbacks.hpp"
#include "tls/session_clock.hpp"
#include "tls/tls_session_impl.hpp"

namespace siptls {
namespace {

// SSL_write takes an int; whole records are cut from each piece.
constexpr std::size_t kLargestWrite = std::size_t{1} << 20;
// What a record adds to its 16 KiB of plaintext: header, explicit nonce or type, tag or padding.
constexpr std::size_t kRecordSize = 16384;
constexpr std::size_t kRecordOverhead = 5 + 64;
// RFC 9846 section 5.5 wants another key before 2^24.5 records under one of AES-GCM.
constexpr std::uint64_t kRecordsOfOneKey = std::uint64_t{1} << 24;

// Runs a public function; memory that runs out becomes an Error.
template <typename F>
auto guarded(F&& call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return Unexpected(Errc::out_of_memory);
  }
}

// A time that has no end must not be one that is over.
MonoTime deadline_after(std::chrono::milliseconds timeout, MonoTime now) {
  using std::chrono::milliseconds;
  const auto left = std::chrono::floor<milliseconds>(MonoTime::max() - std::max(now, MonoTime()));
  if (timeout >= left) return MonoTime::max();
  return now + std::max(timeout, milliseconds(0));
}

}  // namespace

TlsSession::TlsSession(std::unique_ptr<TlsSessionImpl> impl) noexcept : impl_(std::move(impl)) {}
TlsSession::TlsSession(TlsSession&&) noexcept = default;
TlsSession& TlsSession::operator=(TlsSession&&) noexcept = default;
TlsSession::~TlsSession() = default;

Result<TlsSession> TlsSession::client(const TlsContext& context, const std::string& domain,
                                      const Now& now, const SessionOptions& options) {
  return guarded([&] { return TlsSessionImpl::client(context, domain, now, options); });
}
Result<TlsSession> TlsSession::server(const TlsContext& context, const Now& now,
                                      const SessionOptions& options) {
  return guarded([&] { return TlsSessionImpl::server(context, now, options); });
}
Result<void> TlsSession::feed(std::span<const std::byte> ciphertext, const Now& now) {
  return guarded([&] { return impl_->feed(ciphertext, now); });
}
void TlsSession::keep_input() { impl_->keep_input(); }
bool TlsSession::has_unread_input() const noexcept { return impl_->has_unread_input(); }
std::size_t TlsSession::held_input() const noexcept { return impl_->held_input(); }
Result<void> TlsSession::feed_end(const Now& now) {
  return guarded([&] { return impl_->feed_end(now); });
}
Result<std::span<const std::byte>> TlsSession::next_plaintext(std::span<std::byte> buffer,
                                                              const Now& now) {
  return guarded([&] { return impl_->next_plaintext(buffer, now); });
}
Result<void> TlsSession::send(std::span<const std::byte> plaintext, const Now& now) {
  return guarded([&] { return impl_->send(plaintext, now); });
}
std::span<const std::byte> TlsSession::pending_output() const noexcept {
  return impl_->wire().output.pending();
}
void TlsSession::consume_output(std::size_t octets) noexcept {
  impl_->wire().output.consume(octets);
}
std::uint64_t TlsSession::output_total() const noexcept { return impl_->wire().output.total(); }
Result<void> TlsSession::close(const Now& now) {
  return guarded([&] { return impl_->close(now); });
}
SessionState TlsSession::state() const noexcept { return impl_->state(); }
bool TlsSession::peer_has_answered() const noexcept { return impl_->peer_has_answered(); }
const PeerInfo& TlsSession::peer() const noexcept { return impl_->peer(); }
const std::optional<Error>& TlsSession::error() const noexcept { return impl_->error(); }
Result<void> TlsSession::authorise(Verdict verdict, const Now& now) {
  return guarded([&] { return impl_->authorise(verdict, now); });
}
const SignatureRequest* TlsSession::wanted_signature() const noexcept {
  return impl_->wanted_signature();
}
Result<void> TlsSession::complete_signature(std::span<const std::byte> signature, const Now& now) {
  return guarded([&] { return impl_->complete_signature(signature, now); });
}
Result<void> TlsSession::judge_again(const TlsContext& context, const Now& now) const {
  return guarded([&] { return impl_->judge_again(context, now); });
}
std::optional<MonoTime> TlsSession::next_deadline() const noexcept {
  return impl_->next_deadline();
}
Result<void> TlsSession::on_deadline(const Now& now) {
  return guarded([&] { return impl_->on_deadline(now); });
}

Result<TlsSession> TlsSessionImpl::client(const TlsContext& context, const std::string& domain,
                                          const Now& now, const SessionOptions& options) {
  auto reference = pki::Reference::parse(domain);
  if (!reference) return Unexpected(std::move(reference).error());
  if (context.trust().entries().empty()) {
    return Unexpected(Errc::trust_store_empty, "a client needs one to prove its server");
  }
  std::unique_ptr<TlsSessionImpl> impl(new TlsSessionImpl(context, Role::client));
  if (auto made = impl->make_ssl(now, options); !made) return Unexpected(std::move(made).error());
  impl->domain_ = reference->name();
  // No address in SNI (RFC 6066 section 3).
  if (!reference->is_ip_address()) {
    if (auto set = impl->set_server_name(reference->name()); !set) {
      return Unexpected(std::move(set).error());
    }
  }
  SSL_set_connect_state(impl->ssl_.get());
  SSL_set_custom_verify(impl->ssl_.get(), SSL_VERIFY_PEER, tls::verify_peer);
  // A client listens until it knows what the server chose and that it was accepted.
  SSL_set_msg_callback(impl->ssl_.get(), tls::note_message);
  if (context.policy().ocsp != OcspPolicy::ignore) SSL_enable_ocsp_stapling(impl->ssl_.get());
  if (impl->context().resumes()) impl->offer_session(options.resumption_scope, now);
  return start(std::move(impl), now);
}

Result<TlsSession> TlsSessionImpl::server(const TlsContext& context, const Now& now,
                                          const SessionOptions& options) {
  if (!context.credentials()) {
    return Unexpected(Errc::credentials_missing, "a server needs a certificate");
  }
  if (context.policy().ocsp == OcspPolicy::require) {
    return Unexpected(Errc::policy_unsupported,
                      "ocsp: a server cannot require it, since no client staples a response");
  }
  const TlsContextImpl& judge = TlsContextImpl::of(context);
  if (context.policy().client_certificate == ClientCertificate::none &&
      judge.asks_of_clients() != ClientCertificate::none) {
    return Unexpected(Errc::policy_unsupported,
                      "client_certificate: a server that asks for none cannot know who is on its "
                      "list of allowed peers");
  }
  std::unique_ptr<TlsSessionImpl> impl(new TlsSessionImpl(context, Role::server));
  if (auto made = impl->make_ssl(now, options); !made) return Unexpected(std::move(made).error());
  SSL* ssl = impl->ssl_.get();
  SSL_set_accept_state(ssl);
  // The context's own mode is `required`.
  switch (judge.asks_of_clients()) {
    case ClientCertificate::required:
      break;
    case ClientCertificate::requested:
      SSL_set_custom_verify(ssl, SSL_VERIFY_PEER, tls::verify_peer);
      break;
    case ClientCertificate::none:
      SSL_set_custom_verify(ssl, SSL_VERIFY_NONE, tls::verify_peer);
      break;
  }
  if (impl->recorder_) SSL_set_msg_callback(ssl, tls::note_message);
  return start(std::move(impl), now);
}

Result<void> TlsSessionImpl::make_ssl(const Now& now, const SessionOptions& options) {
  const tls::CallScope scope(now);
  handshake_ = std::make_unique<Handshake>();
  handshake_->deadline = deadline_after(options.handshake_timeout, now.mono);
  if (role_ == Role::server && context().resumes()) handshake_->scope = options.resumption_scope;
  if (options.trace) {
    recorder_ = std::make_unique<tls::TraceRecorder>(
        options.trace, role_ == Role::client ? tls::Sender::self : tls::Sender::peer);
  }
  ssl_.reset(SSL_new(context().ssl_context()));
  BIO* bio = ssl_ ? tls::new_session_bio(*this) : nullptr;
  if (bio == nullptr) return Unexpected(Errc::out_of_memory);
  SSL_set_bio(ssl_.get(), bio, bio);
  // An idle session keeps nothing that only the handshake needs.
  SSL_set_shed_handshake_config(ssl_.get(), 1);
  return {};
}

Result<void> TlsSessionImpl::set_server_name(const std::string& domain) {
  if (SSL_set_tlsext_host_name(ssl_.get(), domain.c_str())) return {};
  return Unexpected(Errc::invalid_domain, domain + " cannot be sent as server name");
}

Result<TlsSession> TlsSessionImpl::start(std::unique_ptr<TlsSessionImpl> impl, const Now& now) {
  if (impl->role_ == Role::client) {
    const tls::CallScope scope(now);
    if (auto begun = impl->advance_handshake(now); !begun) {
      return Unexpected(std::move(begun).error());
    }
  }
  return TlsSession(std::move(impl));
}

Result<void> TlsSessionImpl::feed(std::span<const std::byte> ciphertext, const Now& now) {
  if (error_) return Unexpected(*error_);
  if (state_ == SessionState::peer_closed || state_ == SessionState::closed) return {};
  const tls::CallScope scope(now);
  if (state_ == SessionState::established) {
    wire_.input.lend(ciphertext);
    return {};
  }
  if (auto looked = look_at_octets(ciphertext); !looked) return looked;
  wire_.input.lend(ciphertext);
  if (state_ != SessionState::handshaking) {
    wire_.input.keep();  // until the host has answered
    return {};
  }
  return advance_handshake(now);
}

void TlsSessionImpl::keep_input() noexcept {
  try {
    wire_.input.keep();
  } catch (const std::bad_alloc&) {
    // What is lost cannot be made good: the session has failed, as its next call tells.
    static_cast<void>(fail(Error(Errc::out_of_memory, "no memory for unread input")));
  }
}

// A record of which the rest has not come counts as well.
bool TlsSessionImpl::has_unread_input() const noexcept {
  return !wire_.input.empty() || SSL_has_pending(ssl_.get()) == 1;
}

// Between records BoringSSL has given its buffer back.
std::size_t TlsSessionImpl::held_input() const noexcept {
  const std::size_t kept = wire_.input.kept();
  if (SSL_has_pending(ssl_.get()) == 0) return kept;
  return kept +
         std::max<std::size_t>(record_room_, static_cast<std::size_t>(SSL_pending(ssl_.get())));
}

Result<void> TlsSessionImpl::feed_end(const Now& now) {
  if (error_) return Unexpected(*error_);
  if (state_ == SessionState::peer_closed || state_ == SessionState::closed) return {};
  const tls::CallScope scope(now);
  input_ended_ = true;
  if (handshake_) {
    return fail(Error(Errc::truncated,
                      "the stream ended without close_notify during the handshake, " + phase()));
  }
  // What was received before may hold the close_notify.
  if (!wire_.input.empty()) return {};
  auto ended = end_of_input();
  if (!ended) return Unexpected(std::move(ended).error());
  return {};
}

Result<std::span<const std::byte>> TlsSessionImpl::end_of_input() {
  wire_.input.drop();
  // Nothing was expected any more after this side's close_notify.
  if (closing_) {
    state_ = SessionState::closed;
    return std::span<const std::byte>();
  }
  return fail(Error(Errc::truncated, "the stream ended without close_notify"));
}

Result<std::span<const std::byte>> TlsSessionImpl::next_plaintext(std::span<std::byte> buffer,
                                                                  const Now& now) {
  if (error_) return Unexpected(*error_);
  if (state_ != SessionState::established) return std::span<const std::byte>();
  if (buffer.empty()) return Unexpected(Errc::invalid_argument, "an empty buffer");
  const tls::CallScope scope(now);
  const auto size = static_cast<int>(std::min<std::size_t>(buffer.size(), kLargestWrite));
  for (;;) {
    const int result = SSL_read(ssl_.get(), buffer.data(), size);
    if (result > 0) {
      if (recorder_) recorder_->confirm_application_data();
      peer_answered();
      if (closing_) continue;  // dropped (RFC 5246 section 7.2.1)
      return std::span<const std::byte>(buffer.data(), static_cast<std::size_t>(result));
    }
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        if (input_ended_) return end_of_input();
        return std::span<const std::byte>();
      case SSL_ERROR_ZERO_RETURN:
        peer_answered();
        wire_.input.drop();
        state_ = closing_ ? SessionState::closed : SessionState::peer_closed;
        return std::span<const std::byte>();
      default:
        return fail_by_library(result);
    }
  }
}

Result<void> TlsSessionImpl::send(std::span<const std::byte> plaintext, const Now& now) {
  if (error_) return Unexpected(*error_);
  if (handshake_) {
    return Unexpected(Errc::handshake_not_complete, "the peer is not proven yet");
  }
  // The peer's close_notify ends its direction only (RFC 8446 section 6.1).
  if (closing_ || state_ == SessionState::closed) {
    return Unexpected(Errc::connection_closed, "close_notify was sent");
  }
  const tls::CallScope scope(now);
  wire_.output.reserve(plaintext.size() + (plaintext.size() / kRecordSize + 1) * kRecordOverhead);
  while (!plaintext.empty()) {
    const auto piece = plaintext.first(std::min(plaintext.size(), kLargestWrite));
    if (auto renewed = renew_key_if_due(); !renewed) return renewed;
    const int result = SSL_write(ssl_.get(), piece.data(), static_cast<int>(piece.size()));
    if (result <= 0) return fail_by_library(result);
    if (recorder_) recorder_->confirm_application_data();
    plaintext = plaintext.subspan(static_cast<std::size_t>(result));
  }
  return {};
}

// In TLS 1.3 each direction gets another key by a KeyUpdate; TLS 1.2 has no such thing. The peer
// may keep its own key: it counts its own records.
Result<void> TlsSessionImpl::renew_key_if_due() {
  SSL* const ssl = ssl_.get();
  if (SSL_get_write_sequence(ssl) < kRecordsOfOneKey || SSL_version(ssl) != TLS1_3_VERSION) {
    return {};
  }
  if (SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED)) return {};
  return fail_by_library(0);
}

Result<void> TlsSessionImpl::close(const Now& now) {
  if (error_) return Unexpected(*error_);
  if (closing_ || state_ == SessionState::closed) return {};
  const tls::CallScope scope(now);
  closing_ = true;
  if (handshake_) {
    // Nothing to close yet (RFC 9846 section 6.1).
    SSL_send_fatal_alert(ssl_.get(), static_cast<std::uint8_t>(Alert::user_canceled));
    wire_.input.drop();
    handshake_.reset();
    state_ = SessionState::closed;
    return {};
  }
  const int result = SSL_shutdown(ssl_.get());
  if (result < 0) return fail_by_library(result);
  if (state_ == SessionState::peer_closed) state_ = SessionState::closed;
  return {};
}

std::optional<MonoTime> TlsSessionImpl::next_deadline() const noexcept {
  if (!handshake_) return std::nullopt;
  return handshake_->deadline;
}

Result<void> TlsSessionImpl::on_deadline(const Now& now) {
  if (error_) return Unexpected(*error_);
  if (!handshake_ || now.mono < handshake_->deadline) return {};
  const tls::CallScope scope(now);
  return fail(Error(Errc::handshake_timeout, "the handshake did not end in time, " + phase()));
}

void TlsSessionImpl::peer_answered() noexcept {
  peer_has_answered_ = true;
  if (!recorder_) SSL_set_msg_callback(ssl_.get(), nullptr);
}

}  // namespace siptls
