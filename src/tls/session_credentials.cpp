// What a TlsSession shows of itself: which certificate, and signatures by keys that are held
// elsewhere.
#include <fmt/format.h>
#include <openssl/digest.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "pki/credentials_impl.hpp"
#include "siptls/cipher_suites.hpp"
#include "tls/client_hello.hpp"
#include "tls/incompatibility.hpp"
#include "tls/session_callbacks.hpp"
#include "tls/session_clock.hpp"
#include "tls/tls_session_impl.hpp"

namespace siptls {
namespace {

constexpr std::uint16_t kSupportedGroups = 10;  // RFC 8422 section 5.1.1

}  // namespace

// RFC 9325 section 3.7: the certificate that the client asks for, or none.
Result<void> TlsSessionImpl::choose_credentials(const SSL_CLIENT_HELLO& hello) {
  const TlsContextImpl& context = this->context();
  std::size_t& chosen = handshake_->shown;
  const auto policy = context.config().policy.unknown_server_name;
  const bool several = context.shown_count() > 1;
  const bool refuse = policy == UnknownServerName::refuse ||
                      (policy == UnknownServerName::refuse_if_several && several);
  // With one certificate that is shown to all there is nothing to look for.
  const auto name = several || refuse ? tls::server_name_of(hello) : std::nullopt;
  if (name) {
    const auto found = context.find_by_name(*name);
    if (!found && refuse) {
      return Unexpected(
          Errc::unknown_server_name,
          fmt::format("the client asks for \"{}\"; the {} certificates here have: {}",
                      pki::printable(*name), context.shown_count(), context.all_names()));
    }
    chosen = found.value_or(0);
  }
  const TlsContextImpl::Shown& shown = context.shown(chosen);
  if (chosen != 0) {
    const CredentialsImpl& credentials = CredentialsImpl::of(shown.credentials);
    const auto chain = credentials.chain();
    if (!SSL_set_chain_and_key(
            hello.ssl, chain.data(), chain.size(), credentials.key(),
            credentials.key() != nullptr ? nullptr : tls::external_key_method())) {
      return Unexpected(Errc::out_of_memory);
    }
  }
  if (CRYPTO_BUFFER* const staple = shown.staple->to_serve(tls::call_time())) {
    SSL_set_ocsp_response(hello.ssl, CRYPTO_BUFFER_data(staple), CRYPTO_BUFFER_len(staple));
  }
  return {};
}

// RFC 8422 section 5.1: in TLS 1.2 the client's groups limit the curve of the certificate as well.
// Some versions of BoringSSL show the certificate all the same, and some clients take it.
Result<void> TlsSessionImpl::judge_shown_curve(const SSL_CLIENT_HELLO& hello) const {
  const std::uint16_t curve = context().shown(handshake_->shown).curve;
  const std::uint8_t* content = nullptr;
  std::size_t size = 0;
  if (curve == 0 ||
      SSL_early_callback_ctx_extension_get(&hello, kSupportedGroups, &content, &size) != 1) {
    return {};
  }
  for (std::size_t i = 2; i + 1 < size; i += 2) {
    if ((content[i] << 8 | content[i + 1]) == curve) return {};
  }
  const TlsPolicy& policy = context().config().policy;
  const auto offered = tls::parse_client_hello(handshake_->client_hello);
  if (!offered || !offered->offers_version(TLS1_2_VERSION)) return {};
  const bool newer =
      policy.max_version == ProtocolVersion::tls1_3 && offered->offers_version(TLS1_3_VERSION);
  if (newer || policy.min_version != ProtocolVersion::tls1_2) return {};
  return Unexpected(Errc::no_common_group,
                    fmt::format("the peer offers the groups {}; the key of this side's "
                                "certificate is on {}, and in TLS 1.2 a certificate must keep to "
                                "the peer's groups as well (RFC 8422 section 5.1)",
                                tls::describe_groups(offered->groups), group_name(curve)));
}

void TlsSessionImpl::want_signature(std::uint16_t scheme, std::span<const std::uint8_t> input) {
  const auto& credentials = context().shown(handshake_->shown).credentials;
  SignatureRequest request;
  request.key_id = CredentialsImpl::of(credentials).external_key().value_or("");
  request.scheme = scheme;
  const auto octets = std::as_bytes(input);
  request.input.assign(octets.begin(), octets.end());
  handshake_->signature.reset();
  handshake_->wanted_signature = std::move(request);
}

bool TlsSessionImpl::is_wanted_signature(std::span<const std::uint8_t> signature) const {
  const SignatureRequest& request = *handshake_->wanted_signature;
  const auto& credentials = CredentialsImpl::of(context().shown(handshake_->shown).credentials);
  const auto key = pki::public_key(credentials.certificates()[0].x509());
  const EVP_MD* const digest = SSL_get_signature_algorithm_digest(request.scheme);
  bssl::ScopedEVP_MD_CTX context;
  EVP_PKEY_CTX* parameters = nullptr;  // owned by the context
  if (!key || !EVP_DigestVerifyInit(context.get(), &parameters, digest, nullptr, key.get())) {
    return false;
  }
  if (SSL_is_signature_algorithm_rsa_pss(request.scheme) &&
      (!EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) ||
       !EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, -1))) {
    return false;
  }
  const auto* const input = reinterpret_cast<const std::uint8_t*>(request.input.data());
  return EVP_DigestVerify(context.get(), signature.data(), signature.size(), input,
                          request.input.size()) == 1;
}

const std::vector<std::uint8_t>* TlsSessionImpl::signature() const noexcept {
  return handshake_ && handshake_->signature ? &*handshake_->signature : nullptr;
}

const SignatureRequest* TlsSessionImpl::wanted_signature() const noexcept {
  if (state_ != SessionState::signing || !handshake_->wanted_signature) return nullptr;
  return &*handshake_->wanted_signature;
}

Result<void> TlsSessionImpl::complete_signature(std::span<const std::byte> signature,
                                                const Now& now) {
  if (error_) return Unexpected(*error_);
  if (state_ != SessionState::signing) {
    return Unexpected(Errc::invalid_argument, "this session did not ask for a signature");
  }
  const tls::CallScope scope(now);
  state_ = SessionState::handshaking;
  const auto* const first = reinterpret_cast<const std::uint8_t*>(signature.data());
  handshake_->signature.emplace(first, first + signature.size());
  return advance_handshake(now);
}

}  // namespace siptls
