// The handshake of a TlsSession: its steps, what is checked when, and how failures are explained.
#include <fmt/format.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "siptls/cipher_suites.hpp"
#include "tls/client_hello.hpp"
#include "tls/incompatibility.hpp"
#include "tls/session_callbacks.hpp"
#include "tls/session_clock.hpp"
#include "tls/tls_session_impl.hpp"

namespace siptls {
namespace {

constexpr std::uint8_t kServerHello = 2;
constexpr std::uint8_t kNewSessionTicket = 4;
constexpr std::uint8_t kCertificateRequest = 13;
// BoringSSL lets a message have 100 KiB (a chain of certificates), and does not count the records
// that it comes in, nor the messages.
constexpr std::size_t kMaxHandshakeOctets = 128 * 1024;
constexpr std::uint16_t kExtendedMasterSecret = 23;
constexpr std::uint16_t kAlpn = 16;
constexpr std::uint16_t kRenegotiationInfo = 0xff01;

// Could these octets begin a TLS stream: a record header, or a ClientHello in the format of
// SSL 2.0, which offers newer versions as well (RFC 5246 appendix E.2)?
bool may_be_tls(std::span<const std::uint8_t> first) noexcept {
  if (first.empty()) return true;
  const bool record = first[0] >= SSL3_RT_CHANGE_CIPHER_SPEC && first[0] <= 23;
  if (record) return first.size() < 2 || first[1] == SSL3_VERSION_MAJOR;
  return (first[0] & 0x80) != 0 && (first.size() < 3 || first[2] == SSL3_MT_CLIENT_HELLO);
}

std::string quote(std::span<const std::uint8_t> octets) {
  const bool text = std::all_of(octets.begin(), octets.end(), [](std::uint8_t octet) {
    return (octet >= ' ' && octet <= '~') || octet == '\r' || octet == '\n';
  });
  std::string result;
  for (const std::uint8_t octet : octets) {
    if (!text) {
      result += fmt::format("{}{:02x}", result.empty() ? "" : " ", octet);
    } else if (octet >= ' ') {
      result += static_cast<char>(octet);
    } else {
      result += octet == '\r' ? "\\r" : "\\n";
    }
  }
  return text ? '"' + result + "\", which is text" : result;
}

bool has_extension(const SSL_CLIENT_HELLO& hello, std::uint16_t type) noexcept {
  const std::uint8_t* content = nullptr;
  std::size_t size = 0;
  return SSL_early_callback_ctx_extension_get(&hello, type, &content, &size) == 1;
}

Error insecure_renegotiation(std::string_view peer) {
  return Error(Errc::insecure_renegotiation,
               fmt::format("the {} does not support secure renegotiation, which TLS 1.2 needs even "
                           "where nobody renegotiates (RFC 5746, RFC 9325 section 3.5)",
                           peer));
}

Error extended_master_secret_missing(std::string_view peer) {
  return Error(Errc::extended_master_secret_missing,
               fmt::format("the {} does not support the extended master secret, without which a "
                           "TLS 1.2 session can be taken over (RFC 7627 section 5.2)",
                           peer));
}

}  // namespace

Result<void> TlsSessionImpl::look_at_octets(std::span<const std::byte> received) {
  if (received.empty()) return {};
  auto& first = handshake_->first_octets;
  if (handshake_->received < first.size()) {
    const std::size_t count = std::min(received.size(), first.size() - handshake_->received);
    std::memcpy(first.data() + handshake_->received, received.data(), count);
    const std::span<const std::uint8_t> known(first.data(), handshake_->received + count);
    if (!may_be_tls(known)) {
      return fail(Error(Errc::not_tls, "the stream begins with " + quote(known)));
    }
  }
  handshake_->received += received.size();
  auto& last = handshake_->last_octets;
  const auto news = received.last(std::min(received.size(), last.size()));
  std::copy(last.begin() + static_cast<std::ptrdiff_t>(news.size()), last.end(), last.begin());
  std::memcpy(last.data() + last.size() - news.size(), news.data(), news.size());
  return {};
}

// OpenSSL's client refuses the certificate of a TLS 1.3 server before it encrypts what it sends:
// its alert comes as a record in the clear, which BoringSSL takes for a broken one.
bool TlsSessionImpl::ends_with_plain_alert() const noexcept {
  constexpr std::array<std::uint8_t, 6> kFatalAlert{SSL3_RT_ALERT, 3, 3, 0, 2, SSL3_AL_FATAL};
  return handshake_ &&
         std::equal(kFatalAlert.begin(), kFatalAlert.end(), handshake_->last_octets.begin());
}

bool TlsSessionImpl::count_handshake_octets(std::size_t count) noexcept {
  if (!handshake_) return true;
  handshake_->taken += count;
  return handshake_->taken <= kMaxHandshakeOctets;
}

Result<void> TlsSessionImpl::advance_handshake(const Now& now) {
  if (now.mono >= handshake_->deadline) return on_deadline(now);
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return finish_handshake();
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return {};
    case SSL_ERROR_WANT_CERTIFICATE_VERIFY:
      fill_peer_info();
      state_ = SessionState::authorising;
      break;
    case SSL_ERROR_WANT_PRIVATE_KEY_OPERATION:
      state_ = SessionState::signing;
      break;
    default:
      return fail_by_library(result);
  }
  wire_.input.keep();  // until the host has answered
  return {};
}

Result<void> TlsSessionImpl::finish_handshake() {
  handshake_->ended = true;
  if (auto good = check_negotiated(); !good) return fail(std::move(good).error());
  const ClientCertificate mode = context().asks_of_clients();
  const bool has_chain = SSL_get0_peer_certificates(ssl_.get()) != nullptr;
  // BoringSSL asks nobody about the peer of a resumed session (RFC 8446 section 4.2.11 leaves what
  // it proves to the original handshake): everything may have changed since.
  if (SSL_session_reused(ssl_.get()) &&
      (role_ == Role::client || mode == ClientCertificate::required ||
       (mode == ClientCertificate::requested && has_chain))) {
    auto path = judge_chain(context_, tls::call_time());
    if (!path) return fail(std::move(path).error());
    peer_.path = *std::move(path);
  }
  const bool needs_proof = role_ == Role::client || mode == ClientCertificate::required;
  if (needs_proof && !peer_.path) {
    return fail(Error(Errc::internal, "the handshake ended without a judgement of the peer"));
  }
  const bool host_decides = context().config().policy.authorise == PeerAuthorisation::host;
  if (host_decides && handshake_->answer == Answer::none) {
    handshake_->answer = Answer::wanted;
    fill_peer_info();
    state_ = SessionState::authorising;
    wire_.input.keep();
    return {};
  }
  return establish();
}

Result<void> TlsSessionImpl::establish() {
  fill_peer_info();
  state_ = SessionState::established;
  // A server that asked for a certificate has judged it before it ends a TLS 1.2 handshake. In
  // every other case a client is done before its server has judged anything.
  const bool knows = role_ == Role::server || (peer_.version == ProtocolVersion::tls1_2 &&
                                               !peer_.resumed && certificate_requested_);
  if (knows) peer_answered();
  shown_ = static_cast<std::uint32_t>(handshake_->shown);
  handshake_.reset();
  return {};
}

bool TlsSessionImpl::needs_extended_master_secret() const noexcept {
  return context().config().policy.extended_master_secret == ExtendedMasterSecret::required;
}

// What BoringSSL lets pass and siptls does not.
Result<void> TlsSessionImpl::check_negotiated() const {
  const std::string_view peer = role_ == Role::client ? "server" : "client";
  if (SSL_version(ssl_.get()) == TLS1_2_VERSION) {
    if (!SSL_get_secure_renegotiation_support(ssl_.get())) {
      return Unexpected(insecure_renegotiation(peer));
    }
    if (needs_extended_master_secret() && !SSL_get_extms_support(ssl_.get())) {
      return Unexpected(extended_master_secret_missing(peer));
    }
  }
  if (context().config().policy.alpn == Alpn::require) {
    const std::uint8_t* chosen = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &chosen, &size);
    if (size == 0) {
      return Unexpected(Errc::no_common_application_protocol,
                        fmt::format("the {} did not agree to sip/2, which the policy requires "
                                    "(RFC 7301)",
                                    peer));
    }
  }
  return {};
}

void TlsSessionImpl::fill_peer_info() {
  const SSL* ssl = ssl_.get();
  peer_.version = static_cast<ProtocolVersion>(SSL_version(ssl));
  if (const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl)) {
    peer_.cipher_suite = SSL_CIPHER_get_protocol_id(cipher);
  }
  peer_.group = SSL_get_curve_id(ssl);
  peer_.resumed = SSL_session_reused(ssl) != 0;
  const std::uint8_t* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &size);
  peer_.application_protocol.assign(reinterpret_cast<const char*>(protocol), size);
}

Result<void> TlsSessionImpl::judge_client_hello(const SSL_CLIENT_HELLO& hello) {
  // Kept for evidence, until the handshake is done.
  handshake_->client_hello.assign(hello.client_hello, hello.client_hello + hello.client_hello_len);
  const TlsPolicy& policy = context().config().policy;
  if (policy.alpn == Alpn::require && !has_extension(hello, kAlpn)) {
    return Unexpected(Errc::no_common_application_protocol,
                      "the client offers no application protocol, and the policy requires sip/2 "
                      "(RFC 7301)");
  }
  if (auto chosen = choose_credentials(hello); !chosen) return chosen;
  if (auto known = judge_shown_curve(hello); !known) return known;
  if (auto used = use_scope(hello); !used) return used;
  const bool complete =
      has_extension(hello, kExtendedMasterSecret) && has_extension(hello, kRenegotiationInfo);
  if (complete) return {};
  const auto offered = tls::parse_client_hello(handshake_->client_hello);
  // What cannot be read, or offers no TLS 1.2 at all, gets BoringSSL's own answer.
  if (!offered || !offered->offers_version(TLS1_2_VERSION)) return {};
  const bool newer =
      policy.max_version == ProtocolVersion::tls1_3 && offered->offers_version(TLS1_3_VERSION);
  if (newer || policy.min_version != ProtocolVersion::tls1_2) return {};
  if (!offered->secure_renegotiation) return Unexpected(insecure_renegotiation("client"));
  if (offered->extended_master_secret) return {};
  if (needs_extended_master_secret()) return Unexpected(extended_master_secret_missing("client"));
  // No ticket is taken and none is given: BoringSSL would resume a session without it, which a
  // server should not (RFC 7627 section 5.3).
  SSL_set_options(hello.ssl, SSL_OP_NO_TICKET);
  return {};
}

void TlsSessionImpl::note_message(const tls::WireMessage& message) {
  if (recorder_) recorder_->record(ssl_.get(), message);
  if (message.content_type != SSL3_RT_HANDSHAKE || message.sender != tls::Sender::peer) return;
  if (message.octets.empty()) return;
  const std::uint8_t type = message.octets[0];
  if (type == kCertificateRequest) certificate_requested_ = true;
  if (state_ == SessionState::established) {
    // A server that asked for a certificate makes a ticket after it has seen it (RFC 9846 section
    // 4.7.1). Others may send theirs before they have judged anything.
    peer_has_answered_ = peer_has_answered_ || type != kNewSessionTicket || certificate_requested_;
  } else if (handshake_ && message.octets.size() >= 6 && message.octets[0] == kServerHello) {
    handshake_->server_version =
        static_cast<std::uint16_t>(message.octets[4] << 8 | message.octets[5]);
  }
}

Unexpected TlsSessionImpl::fail_by_library(int result) {
  const int ssl_error = SSL_get_error(ssl_.get(), result);
  return fail(explain_failure(tls::take_library_failure(), ssl_error));
}

Unexpected TlsSessionImpl::fail(Error error) {
  const auto wanted = alert_for(error.reason());
  // BoringSSL sends no second alert.
  if (!received_alert_ && !sent_alert_ && wanted) {
    SSL_send_fatal_alert(ssl_.get(), static_cast<std::uint8_t>(*wanted));
  }
  if (received_alert_) {
    error.with_alert(static_cast<Alert>(*received_alert_));
  } else if (sent_alert_) {
    error.with_alert(static_cast<Alert>(*sent_alert_));
  }
  ERR_clear_error();
  wire_.input.drop();
  handshake_.reset();
  state_ = SessionState::failed;
  error_ = std::move(error);
  return Unexpected(*error_);
}

std::string TlsSessionImpl::phase() const {
  if (handshake_ && handshake_->received == 0) return "and the peer had sent nothing";
  return fmt::format("in state {}", SSL_state_string_long(ssl_.get()));
}

Error TlsSessionImpl::explain_alert(std::uint8_t alert) const {
  const std::string_view peer = role_ == Role::client ? "server" : "client";
  std::string text = fmt::format("the {} sent the fatal alert {}", peer, tls::alert_text(alert));
  if (state_ == SessionState::handshaking) {
    text += fmt::format(" in state {}", SSL_state_string_long(ssl_.get()));
  } else if (!peer_has_answered_) {
    text += " before anything else: it refused what this side had presented";
  }
  return Error(tls::reason_for_alert(alert), std::move(text));
}

Error TlsSessionImpl::explain_failure(const tls::LibraryFailure& failure, int ssl_error) {
  if (handshake_ && handshake_->refusal) return *std::move(handshake_->refusal);
  if (handshake_ && handshake_->taken > kMaxHandshakeOctets) {
    return Error(Errc::handshake_too_large,
                 fmt::format("the peer sent more than {} octets and the handshake is not done, {}",
                             kMaxHandshakeOctets, phase()));
  }
  if (!received_alert_ && ends_with_plain_alert()) {
    received_alert_ = handshake_->last_octets.back();
  }
  if (received_alert_) return explain_alert(*received_alert_);
  if (ssl_error == SSL_ERROR_ZERO_RETURN) {
    return Error(Errc::connection_closed,
                 "the peer sent close_notify during the handshake, " + phase());
  }
  const TlsPolicy& policy = context().config().policy;
  const auto key = context().certificate_key(handshake_ ? handshake_->shown : 0);
  Errc reason = tls::reason_for(failure);
  const auto offered = handshake_ ? tls::parse_client_hello(handshake_->client_hello)
                                  : std::optional<tls::ClientHello>();
  if (role_ == Role::server && offered && category_of(reason) == Category::incompatible) {
    if (reason == Errc::no_common_cipher_suite) {
      const auto version = SSL_version(ssl_.get()) == TLS1_3_VERSION ? ProtocolVersion::tls1_3
                                                                     : ProtocolVersion::tls1_2;
      reason = tls::refine_no_shared_suite(*offered, policy, key, version);
    }
    return Error(reason, tls::describe_incompatibility(reason, *offered, policy, key));
  }
  if (reason == Errc::protocol_version_unsupported && handshake_ && handshake_->server_version) {
    return Error(reason, fmt::format("the server chose {}; this side allows {} to {} (TLS 1.1 and "
                                     "older must not be used, RFC 8996)",
                                     tls::version_name(*handshake_->server_version),
                                     to_string(policy.min_version), to_string(policy.max_version)));
  }
  if (reason == Errc::no_common_group) {
    return Error(reason, fmt::format("the server uses a group or a certificate of a curve that was "
                                     "not offered ({}); offered were {}",
                                     failure.text, tls::describe_groups(policy.groups)));
  }
  if (reason == Errc::certificate_missing) {
    return Error(reason, "the peer was asked for a certificate and sent none");
  }
  std::string text = failure.text.empty() ? "BoringSSL gave no reason" : failure.text;
  if (handshake_) text += fmt::format(", in state {}", SSL_state_string_long(ssl_.get()));
  return Error(reason, std::move(text));
}

}  // namespace siptls
