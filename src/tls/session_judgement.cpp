// Who the peer of a TlsSession is: the judgement of its chain and names, in the handshake, of a
// session that is resumed, and of one that is established; and the host's word about it.
#include <openssl/mem.h>

#include "pki/chain_verifier.hpp"
#include "pki/trust_store_impl.hpp"
#include "tls/client_hello.hpp"
#include "tls/session_clock.hpp"
#include "tls/tls_session_impl.hpp"

namespace siptls {

Result<void> TlsSessionImpl::judge_peer() {
  // A client knows by now what the server chose, and need not show its own certificate to one that
  // it will refuse anyhow.
  if (role_ == Role::client) {
    if (auto good = check_negotiated(); !good) return good;
  }
  auto path = judge_chain(context_, tls::call_time());
  if (!path) return Unexpected(std::move(path).error());
  peer_.path = *std::move(path);
  if (context().config().policy.authorise == PeerAuthorisation::host) {
    handshake_->answer = Answer::wanted;
  }
  return {};
}

Result<TlsSessionImpl::Proven> TlsSessionImpl::judge_chain(const TlsContext& by,
                                                           const STACK_OF(CRYPTO_BUFFER) * chain,
                                                           std::span<const std::uint8_t> staple,
                                                           const Now& now) const {
  const TlsContextConfig& config = TlsContextImpl::of(by).config();
  VerifyOptions options(now);
  options.clock = config.policy.clock;
  options.role = role_ == Role::client ? PeerRole::server : PeerRole::client;
  if (role_ == Role::client) options.identity = domain_;
  options.allowed = config.allowed_peers;
  options.eku = config.policy.eku;
  options.names = config.policy.names;
  // Nobody staples a client's certificate.
  options.ocsp = role_ == Role::client ? config.policy.ocsp : OcspPolicy::ignore;
  options.ocsp_response = std::as_bytes(staple);
  return pki::verify_chain(TrustStoreImpl::of(config.trust), chain, options);
}

Result<TlsSessionImpl::Proven> TlsSessionImpl::judge_chain(const TlsContext& by,
                                                           const Now& now) const {
  const std::uint8_t* staple = nullptr;
  std::size_t size = 0;
  if (role_ == Role::client) SSL_get0_ocsp_response(ssl_.get(), &staple, &size);
  return judge_chain(by, SSL_get0_peer_certificates(ssl_.get()), {staple, size}, now);
}

Result<void> TlsSessionImpl::judge_again(const TlsContext& context, const Now& now) const {
  if (state_ == SessionState::failed || handshake_) {
    return Unexpected(Errc::handshake_not_complete, "there is no proven peer to be judged again");
  }
  const tls::CallScope scope(now);
  const TlsPolicy& policy = context.policy();
  const ClientCertificate mode = TlsContextImpl::of(context).asks_of_clients();
  const bool has_chain = SSL_get0_peer_certificates(ssl_.get()) != nullptr;
  const bool needs_proof = role_ == Role::client || mode == ClientCertificate::required ||
                           (mode == ClientCertificate::requested && has_chain);
  if (!needs_proof) return {};
  // The OCSP response of the handshake was good then. Only who must always have a good one has to
  // know that it has run out.
  const bool without_staple = policy.ocsp != OcspPolicy::require;
  auto path = without_staple ? judge_chain(context, SSL_get0_peer_certificates(ssl_.get()), {}, now)
                             : judge_chain(context, now);
  if (!path) return Unexpected(std::move(path).error());
  return {};
}

TlsSessionImpl::Answer TlsSessionImpl::answer() noexcept {
  if (!handshake_ || context().config().policy.authorise != PeerAuthorisation::host) {
    return Answer::none;
  }
  return handshake_->answer;
}

Result<void> TlsSessionImpl::authorise(Verdict verdict, const Now& now) {
  if (error_) return Unexpected(*error_);
  if (state_ != SessionState::authorising) {
    return Unexpected(Errc::invalid_argument, "this session did not ask for a verdict");
  }
  const tls::CallScope scope(now);
  state_ = SessionState::handshaking;
  handshake_->answer = verdict == Verdict::admit ? Answer::admit : Answer::refuse;
  if (!handshake_->ended) return advance_handshake(now);
  if (verdict != Verdict::admit) {
    return fail(Error(Errc::peer_not_authorised, "the host refused the peer"));
  }
  return establish();
}

// A session is offered only while its peer would be judged good by it: chain, names, and the OCSP
// response that came with it.
void TlsSessionImpl::offer_session(const std::string& scope, const Now& now) {
  resumption_key_ = std::make_unique<const std::string>(tls::SessionMemory::key(scope, domain_));
  const auto session = context().session_memory().take(*resumption_key_);
  if (!session || !SSL_SESSION_is_resumable(session.get())) return;
  const std::uint8_t* staple = nullptr;
  std::size_t size = 0;
  SSL_SESSION_get0_ocsp_response(session.get(), &staple, &size);
  const auto path =
      judge_chain(context_, SSL_SESSION_get0_peer_certificates(session.get()), {staple, size}, now);
  if (path) SSL_set_session(ssl_.get(), session.get());
}

void TlsSessionImpl::keep_session(bssl::UniquePtr<SSL_SESSION> session) {
  if (!resumption_key_) return;
  // RFC 7627 section 5.3: without the extended master secret there is nothing to resume safely.
  if (!SSL_get_extms_support(ssl_.get())) return;
  context().session_memory().put(*resumption_key_, std::move(session));
}

// Tickets of another listener, policy, store or certificate are no tickets here, nor those of a
// client that asks for another name now (RFC 6066 section 3).
Result<void> TlsSessionImpl::use_scope(const SSL_CLIENT_HELLO& hello) {
  if (!context().resumes()) return {};
  std::string name = tls::server_name_of(hello).value_or(std::string());
  for (char& c : name) c = static_cast<char>(OPENSSL_tolower(static_cast<unsigned char>(c)));
  const auto digest = context().resumption_context(handshake_->scope, name, handshake_->shown);
  if (SSL_set_session_id_context(ssl_.get(), digest.data(), digest.size())) return {};
  return Unexpected(Errc::out_of_memory);
}

}  // namespace siptls
