#include "tls/session_callbacks.hpp"

#include <algorithm>
#include <exception>
#include <iterator>
#include <string_view>

#include "tls/tls_session_impl.hpp"

namespace siptls::tls {
namespace {

TlsSessionImpl& session_of(const SSL* ssl) noexcept { return tls::session_of(SSL_get_rbio(ssl)); }

// Runs `judge`; an exception must not pass through BoringSSL.
template <typename F>
Result<void> judged(F&& judge) noexcept {
  try {
    return judge();
  } catch (const std::exception&) {
    return Unexpected(Errc::out_of_memory);
  }
}

}  // namespace

ssl_verify_result_t verify_peer(SSL* ssl, std::uint8_t* out_alert) noexcept {
  TlsSessionImpl& session = session_of(ssl);
  auto verdict = judged([&]() -> Result<void> {
    // Asked again by BoringSSL after the host's answer.
    if (session.answer() != TlsSessionImpl::Answer::none) return {};
    return session.judge_peer();
  });
  if (verdict) {
    switch (session.answer()) {
      case TlsSessionImpl::Answer::wanted:
        return ssl_verify_retry;
      case TlsSessionImpl::Answer::refuse:
        verdict = Unexpected(Errc::peer_not_authorised, "the host refused the peer");
        break;
      case TlsSessionImpl::Answer::none:
      case TlsSessionImpl::Answer::admit:
        return ssl_verify_ok;
    }
  }
  *out_alert = static_cast<std::uint8_t>(
      alert_for(verdict.error().reason()).value_or(Alert::certificate_unknown));
  session.refuse(std::move(verdict).error());
  return ssl_verify_invalid;
}

ssl_select_cert_result_t inspect_client_hello(const SSL_CLIENT_HELLO* hello) noexcept {
  TlsSessionImpl& session = session_of(hello->ssl);
  auto verdict = judged([&] { return session.judge_client_hello(*hello); });
  if (verdict) return ssl_select_cert_success;
  // BoringSSL would send handshake_failure for everything; the first alert is the one that counts.
  const auto alert = alert_for(verdict.error().reason()).value_or(Alert::handshake_failure);
  session.refuse(std::move(verdict).error());
  SSL_send_fatal_alert(hello->ssl, static_cast<std::uint8_t>(alert));
  return ssl_select_cert_error;
}

int select_application_protocol(SSL* /*ssl*/, const std::uint8_t** out, std::uint8_t* out_size,
                                const std::uint8_t* offered, unsigned offered_size,
                                void* /*argument*/) noexcept {
  const std::uint8_t* const end = offered + offered_size;
  for (const std::uint8_t* entry = offered; entry != end; entry += 1 + *entry) {
    if (std::equal(entry, entry + 1 + *entry, std::begin(kSipProtocol), std::end(kSipProtocol))) {
      *out = entry + 1;
      *out_size = *entry;
      return SSL_TLSEXT_ERR_OK;
    }
  }
  // RFC 7301 section 3.2: no overlap is fatal.
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

void note_alert(const SSL* ssl, int event, int value) noexcept {
  if (event != SSL_CB_READ_ALERT && event != SSL_CB_WRITE_ALERT) return;
  if (value >> 8 != SSL3_AL_FATAL) return;
  const auto alert = static_cast<std::uint8_t>(value & 0xff);
  if (event == SSL_CB_READ_ALERT) {
    session_of(ssl).note_received_alert(alert);
  } else {
    session_of(ssl).note_sent_alert(alert);
  }
}

void note_message(int is_write, int /*version*/, int content_type, const void* octets,
                  std::size_t size, SSL* ssl, void* /*argument*/) noexcept {
  const WireMessage message{is_write != 0 ? Sender::self : Sender::peer,
                            content_type,
                            {static_cast<const std::uint8_t*>(octets), size}};
  TlsSessionImpl& session = session_of(ssl);
  // A trace that finds no memory loses an entry; the handshake does not suffer.
  static_cast<void>(judged([&]() -> Result<void> {
    session.note_message(message);
    return {};
  }));
}

namespace {

ssl_private_key_result_t sign(SSL* ssl, std::uint8_t* /*out*/, std::size_t* /*out_size*/,
                              std::size_t /*max_out*/, std::uint16_t scheme, const std::uint8_t* in,
                              std::size_t in_size) noexcept {
  const auto noted = judged([&]() -> Result<void> {
    session_of(ssl).want_signature(scheme, {in, in_size});
    return {};
  });
  return noted ? ssl_private_key_retry : ssl_private_key_failure;
}

ssl_private_key_result_t complete(SSL* ssl, std::uint8_t* out, std::size_t* out_size,
                                  std::size_t max_out) noexcept {
  TlsSessionImpl& session = session_of(ssl);
  const std::vector<std::uint8_t>* const signature = session.signature();
  if (signature == nullptr) return ssl_private_key_retry;
  const auto good = judged([&]() -> Result<void> {
    if (signature->empty()) {
      return Unexpected(Errc::signature_unavailable, "the signer did not sign");
    }
    const pki::ErrorQueueScope errors;
    if (signature->size() <= max_out && session.is_wanted_signature(*signature)) return {};
    return Unexpected(
        Errc::signature_unavailable,
        "what the signer gave is not a signature of what was asked for, by the key of "
        "this side's certificate");
  });
  if (!good) {
    session.refuse(good.error());
    return ssl_private_key_failure;
  }
  std::copy(signature->begin(), signature->end(), out);
  *out_size = signature->size();
  return ssl_private_key_success;
}

// RSA key transport (RFC 10015 section 4) is not for keys that are held elsewhere.
ssl_private_key_result_t decrypt(SSL* /*ssl*/, std::uint8_t* /*out*/, std::size_t* /*out_size*/,
                                 std::size_t /*max_out*/, const std::uint8_t* /*in*/,
                                 std::size_t /*in_size*/) noexcept {
  return ssl_private_key_failure;
}

}  // namespace

const SSL_PRIVATE_KEY_METHOD* external_key_method() noexcept {
  static const SSL_PRIVATE_KEY_METHOD method{sign, decrypt, complete};
  return &method;
}

int keep_session(SSL* ssl, SSL_SESSION* session) noexcept {
  bssl::UniquePtr<SSL_SESSION> owned(session);
  static_cast<void>(judged([&]() -> Result<void> {
    session_of(ssl).keep_session(std::move(owned));
    return {};
  }));
  return 1;
}

void log_key(const SSL* ssl, const char* line) noexcept {
  const KeyLog& log = session_of(ssl).context().config().dangerous_key_log;
  static_cast<void>(judged([&]() -> Result<void> {
    log(std::string_view(line));
    return {};
  }));
}

}  // namespace siptls::tls
