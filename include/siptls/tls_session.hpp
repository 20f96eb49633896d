// TlsSession: one TLS connection without I/O. Octets in, octets out, time as an argument; no file
// descriptor, no clock, no thread.
//
// Driving it:
//     session.feed(received, now);
//     while (auto plaintext = session.next_plaintext(buffer, now); ...) use(*plaintext);
//     write(session.pending_output()); session.consume_output(written);
// and again whenever something was received, sent, or `next_deadline()` has come (call
// `on_deadline(now)`).
//
// A host that is asked (policy `authorise = host`, or a key that is held elsewhere) finds the
// session in state `authorising` or `signing` after a feed() and answers when it can.
//
// Identity: a client session always has a reference, the domain of the URI that the host resolved
// (RFC 5922 section 7.3), never an SRV target. No plaintext comes out and none goes in before the
// peer was judged: path, then names, then the allow-list.
//
// Ownership: move-only; one thread at a time. Holds its TlsContext.
// Errors: when a call returns an error that ends the connection, the alert that goes to the peer is
// already in pending_output(); every later call returns the same error. Reasons: categories
// certificate, clock, peer_protocol, peer_alert, incompatible; `handshake_timeout`,
// `handshake_too_large`, `truncated`, `connection_closed`, `handshake_not_complete`,
// `out_of_memory`.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "siptls/clock.hpp"
#include "siptls/export.hpp"
#include "siptls/handshake_trace.hpp"
#include "siptls/peer_info.hpp"
#include "siptls/result.hpp"
#include "siptls/tls_context.hpp"

namespace siptls {

struct SessionOptions {
  // The whole handshake must be done within this time.
  std::chrono::milliseconds handshake_timeout = std::chrono::seconds(10);
  // Filled if not null.
  std::shared_ptr<HandshakeTrace> trace;
  // Where policies allow resumption: a server's tickets of one scope are not accepted in another,
  // and a client resumes only what it remembers of the same scope and domain. TlsTransport names
  // the listener's address, and the remote one.
  std::string resumption_scope;
};

// What a private key that is held elsewhere is to sign.
struct SignatureRequest {
  std::string key_id;            // as given to Credentials::from_external_key
  std::uint16_t scheme = 0;      // IANA code of the signature scheme (RFC 8446 section 4.2.3)
  std::vector<std::byte> input;  // the octets to be signed, not yet digested
};

enum class Verdict : std::uint8_t { admit, refuse };

enum class SessionState : std::uint8_t {
  handshaking,
  authorising,  // the peer was judged good, and authorise() is waited for
  signing,      // complete_signature() is waited for
  established,  // the peer was judged; data may flow both ways
  peer_closed,  // the peer's close_notify came; nothing more will come out
  closed,       // both close_notify are there, or the stream ended after this side's
  failed,
};

class TlsSessionImpl;

class SIPTLS_API TlsSession {
 public:
  // `domain` is a DNS name or an IP address; SNI is sent for a name (RFC 6066 section 3). A client
  // fails with `invalid_domain` or `trust_store_empty`, a server with `credentials_missing`.
  static Result<TlsSession> client(const TlsContext& context, const std::string& domain,
                                   const Now& now, const SessionOptions& options = {});
  static Result<TlsSession> server(const TlsContext& context, const Now& now,
                                   const SessionOptions& options = {});
  TlsSession(TlsSession&&) noexcept;
  TlsSession& operator=(TlsSession&&) noexcept;
  ~TlsSession();

  // Lends received octets and moves the handshake on. They must stay valid until next_plaintext()
  // has returned an empty span or keep_input() was called.
  Result<void> feed(std::span<const std::byte> ciphertext, const Now& now);
  // Copies what is lent and unread, so that the lent octets may go away.
  void keep_input();
  // Is there input that next_plaintext() has not looked at, or the beginning of a record?
  bool has_unread_input() const noexcept;
  // Memory that input takes up here: what keep_input() has copied and is unread, and a record whose
  // rest has not come, for which room is made as soon as its length is known.
  std::size_t held_input() const noexcept;
  // Tells that the peer's TCP has ended. Fails with `truncated` unless the peer's close_notify came
  // before (RFC 8446 section 6.1) or close() was called; during the handshake always. While lent
  // octets are unread the verdict waits for next_plaintext().
  Result<void> feed_end(const Now& now);

  // Decrypts into `buffer` (16 KiB holds any record) and returns the part that was filled; empty if
  // more input is needed or the peer has closed.
  Result<std::span<const std::byte>> next_plaintext(std::span<std::byte> buffer, const Now& now);

  // Encrypts all of `plaintext` into pending_output(), in records of up to 16 KiB. The output is
  // not bounded here: a caller that cannot write stops sending.
  Result<void> send(std::span<const std::byte> plaintext, const Now& now);

  // Octets for the peer; valid until the next non-const call.
  std::span<const std::byte> pending_output() const noexcept;
  void consume_output(std::size_t octets) noexcept;
  // All octets that were ever put into pending_output().
  std::uint64_t output_total() const noexcept;

  // Puts close_notify into pending_output(), once; in the handshake the alert user_canceled, and
  // the session is closed. What the peer still sends is dropped: go on calling feed() and
  // next_plaintext() until state() is `closed`, or do not wait. send() fails from now on
  // (`connection_closed`); after the peer's close_notify alone it still works, since that ends one
  // direction only (RFC 8446 section 6.1).
  Result<void> close(const Now& now);

  SessionState state() const noexcept;
  // True once a record that proves that the peer has accepted the handshake was read: in TLS 1.3 a
  // client knows of its refusal only afterwards (RFC 8446 section 4.4.2.4).
  bool peer_has_answered() const noexcept;
  // Valid once established; while authorising, without what is not negotiated yet.
  const PeerInfo& peer() const noexcept;

  // The host's verdict, in state `authorising` (`invalid_argument` in others). A refusal sends
  // access_denied and ends the session with `peer_not_authorised`. Input may be fed meanwhile, and
  // waits; the handshake's deadline goes on.
  Result<void> authorise(Verdict verdict, const Now& now);
  // What is to be signed, in state `signing`; null in others.
  const SignatureRequest* wanted_signature() const noexcept;
  // The signature as TLS carries it: ECDSA as DER, RSA-PSS with a salt as long as the digest. An
  // empty one says that there is none, and one that does not fit the certificate is the signer's
  // mistake: `signature_unavailable`.
  Result<void> complete_signature(std::span<const std::byte> signature, const Now& now);

  // Judges the peer of an established session again: its chain, names and the list of allowed
  // peers, by `context` and at `now`. Errors as in a handshake; the session goes on either way.
  Result<void> judge_again(const TlsContext& context, const Now& now) const;
  // The error of a failed session.
  const std::optional<Error>& error() const noexcept;

  // When to call on_deadline(); none once the handshake is done.
  std::optional<MonoTime> next_deadline() const noexcept;
  Result<void> on_deadline(const Now& now);

 private:
  explicit TlsSession(std::unique_ptr<TlsSessionImpl> impl) noexcept;
  friend class TlsSessionImpl;
  std::unique_ptr<TlsSessionImpl> impl_;
};

}  // namespace siptls
