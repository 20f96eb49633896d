// What a TlsSession holds; for src/tls and, where said so, src/transport.
#pragma once

#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pki/boringssl_compat.hpp"
#include "siptls/tls_session.hpp"
#include "tls/ssl_errors.hpp"
#include "tls/tls_context_impl.hpp"
#include "tls/trace_recorder.hpp"
#include "tls/wire_buffers.hpp"

namespace siptls {

class TlsSessionImpl {
 public:
  enum class Role : std::uint8_t { client, server };

  static Result<TlsSession> client(const TlsContext& context, const std::string& domain,
                                   const Now& now, const SessionOptions& options);
  static Result<TlsSession> server(const TlsContext& context, const Now& now,
                                   const SessionOptions& options);
  static TlsSessionImpl& of(TlsSession& session) noexcept { return *session.impl_; }
  static const TlsSessionImpl& of(const TlsSession& session) noexcept { return *session.impl_; }

  // The functions of TlsSession.
  Result<void> feed(std::span<const std::byte> ciphertext, const Now& now);
  void keep_input() noexcept;
  bool has_unread_input() const noexcept;
  std::size_t held_input() const noexcept;
  Result<void> feed_end(const Now& now);
  Result<std::span<const std::byte>> next_plaintext(std::span<std::byte> buffer, const Now& now);
  Result<void> send(std::span<const std::byte> plaintext, const Now& now);
  Result<void> close(const Now& now);
  Result<void> on_deadline(const Now& now);
  std::optional<MonoTime> next_deadline() const noexcept;
  SessionState state() const noexcept { return state_; }
  bool peer_has_answered() const noexcept { return peer_has_answered_; }
  const PeerInfo& peer() const noexcept { return peer_; }
  Result<void> authorise(Verdict verdict, const Now& now);
  const SignatureRequest* wanted_signature() const noexcept;
  Result<void> complete_signature(std::span<const std::byte> signature, const Now& now);
  Result<void> judge_again(const TlsContext& context, const Now& now) const;
  const std::optional<Error>& error() const noexcept { return error_; }
  // Which of the context's credentials an established session has shown, if it has any.
  std::size_t shown() const noexcept { return shown_; }

  tls::WireBuffers& wire() noexcept { return wire_; }
  const tls::WireBuffers& wire() const noexcept { return wire_; }

  // What BoringSSL asks and reports (session_callbacks.cpp). A callback that refuses leaves its
  // reason with refuse().
  const TlsContextImpl& context() const noexcept { return TlsContextImpl::of(context_); }
  Result<void> judge_peer();
  // After judge_peer(): must the host be asked before the handshake goes on?
  enum class Answer : std::uint8_t { none, wanted, admit, refuse };
  Answer answer() noexcept;
  Result<void> judge_client_hello(const SSL_CLIENT_HELLO& hello);
  Result<void> judge_shown_curve(const SSL_CLIENT_HELLO& hello) const;
  void refuse(Error error) { handshake_->refusal = std::move(error); }
  void note_sent_alert(std::uint8_t alert) noexcept { sent_alert_ = alert; }
  void note_received_alert(std::uint8_t alert) noexcept { received_alert_ = alert; }
  void note_message(const tls::WireMessage& message);
  // Of the peer, as BoringSSL takes them; false when that is more than a handshake may have.
  bool count_handshake_octets(std::size_t count) noexcept;
  // BoringSSL asked for so many octets, and got so many. It asks for the header of a record and
  // then for its body, and makes room for the whole of what it asks for first.
  void note_taken(std::size_t asked, std::size_t got) noexcept {
    record_room_ =
        got == asked ? std::uint16_t{0} : std::max(record_room_, static_cast<std::uint16_t>(asked));
  }
  void want_signature(std::uint16_t scheme, std::span<const std::uint8_t> input);
  // Is `signature` what was asked for? A signer's mistake shall not look like the peer's.
  bool is_wanted_signature(std::span<const std::uint8_t> signature) const;
  // What complete_signature() brought; null while it is waited for.
  const std::vector<std::uint8_t>* signature() const noexcept;
  void keep_session(bssl::UniquePtr<SSL_SESSION> session);

 private:
  // Needed until the handshake is done.
  struct Handshake {
    MonoTime deadline;
    std::string scope;                            // SessionOptions::resumption_scope
    std::size_t shown = 0;                        // which of the context's credentials
    std::vector<std::uint8_t> client_hello;       // as a server received it
    std::optional<std::uint16_t> server_version;  // the legacy version of a ServerHello
    std::optional<Error> refusal;
    std::array<std::uint8_t, 16> first_octets{};
    std::array<std::uint8_t, 7> last_octets{};
    std::size_t received = 0;
    std::size_t taken = 0;         // by BoringSSL
    Answer answer = Answer::none;  // of the host, about the peer
    bool ended = false;            // BoringSSL has done its part
    std::optional<SignatureRequest> wanted_signature;
    std::optional<std::vector<std::uint8_t>> signature;
  };
  // What a client of a context that resumes keeps for the tickets that come later.
  using ResumptionKey = std::unique_ptr<const std::string>;

  TlsSessionImpl(const TlsContext& context, Role role) : context_(context), role_(role) {}
  static Result<TlsSession> start(std::unique_ptr<TlsSessionImpl> impl, const Now& now);
  Result<void> make_ssl(const Now& now, const SessionOptions& options);
  Result<void> set_server_name(const std::string& domain);

  // session_handshake.cpp
  Result<void> look_at_octets(std::span<const std::byte> received);
  bool ends_with_plain_alert() const noexcept;
  Result<void> advance_handshake(const Now& now);
  Result<void> finish_handshake();
  Result<void> establish();
  bool needs_extended_master_secret() const noexcept;
  Result<void> check_negotiated() const;
  Result<void> choose_credentials(const SSL_CLIENT_HELLO& hello);
  Result<void> use_scope(const SSL_CLIENT_HELLO& hello);
  using Proven = std::shared_ptr<const ProvenPath>;
  Result<Proven> judge_chain(const TlsContext& by, const STACK_OF(CRYPTO_BUFFER) * chain,
                             std::span<const std::uint8_t> staple, const Now& now) const;
  Result<Proven> judge_chain(const TlsContext& by, const Now& now) const;
  void offer_session(const std::string& scope, const Now& now);
  void fill_peer_info();

  // Each ends the session: `error` gets the alert that was sent, or one is sent now.
  Unexpected fail(Error error);
  Unexpected fail_by_library(int result);
  Error explain_failure(const tls::LibraryFailure& failure, int ssl_error);
  Error explain_alert(std::uint8_t alert) const;
  std::string phase() const;

  Result<void> renew_key_if_due();
  void peer_answered() noexcept;
  Result<std::span<const std::byte>> end_of_input();

  TlsContext context_;
  tls::WireBuffers wire_;
  bssl::UniquePtr<SSL> ssl_;
  std::string domain_;  // a client's reference identity
  ResumptionKey resumption_key_;
  std::unique_ptr<Handshake> handshake_;
  std::unique_ptr<tls::TraceRecorder> recorder_;
  PeerInfo peer_;
  std::optional<Error> error_;
  std::optional<std::uint8_t> sent_alert_;
  std::optional<std::uint8_t> received_alert_;
  std::uint32_t shown_ = 0;        // see shown()
  std::uint16_t record_room_ = 0;  // see note_taken()
  const Role role_;
  SessionState state_ = SessionState::handshaking;
  bool peer_has_answered_ = false;
  bool certificate_requested_ = false;  // by the server of this client
  bool closing_ = false;                // our close_notify was sent
  bool input_ended_ = false;            // the peer's TCP has ended
};

}  // namespace siptls
