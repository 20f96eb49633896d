#include "siptls/tls_context.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <new>
#include <vector>

#include "pki/credentials_impl.hpp"
#include "pki/identity.hpp"
#include "pki/library_check.hpp"
#include "pki/loading.hpp"
#include "siptls/cipher_suites.hpp"
#include "tls/library_features.hpp"
#include "tls/session_callbacks.hpp"
#include "tls/session_clock.hpp"
#include "tls/ssl_library.hpp"
#include "tls/ticket_keys.hpp"
#include "tls/tls_context_impl.hpp"

namespace siptls {
namespace {

// Certificates of all contexts are kept once. Never freed: sessions may outlive every static.
CRYPTO_BUFFER_POOL* buffer_pool() noexcept {
  static CRYPTO_BUFFER_POOL* const pool = CRYPTO_BUFFER_POOL_new();
  return pool;
}

std::uint64_t next_context_id() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

Unexpected unsupported(std::string evidence) {
  return Unexpected(Errc::policy_unsupported, std::move(evidence));
}

bool is_version(ProtocolVersion version) noexcept {
  return version == ProtocolVersion::tls1_2 || version == ProtocolVersion::tls1_3;
}

// Why a policy cannot have this suite; empty if it can.
std::string objection_to_suite(std::uint16_t code) {
  const CipherSuite* suite = find_cipher_suite(code);
  if (suite == nullptr) {
    return fmt::format("{} is not in the catalogue", cipher_suite_name(code));
  }
  if (suite->status == SuiteStatus::refused) {
    return fmt::format("{} is refused: {}", suite->name, suite->reason);
  }
  if (suite->key_exchange == "any") {
    return fmt::format("{} is of TLS 1.3, whose suites cannot be chosen", suite->name);
  }
  if (!tls::library_has_suite(code)) {
    return fmt::format("this BoringSSL does not have {}", suite->name);
  }
  return {};
}

void append_objection(std::string& all, const std::string& objection) {
  if (objection.empty()) return;
  if (!all.empty()) all += "; ";
  all += objection;
}

// RFC 9325 section 3.4 wants the keys of tickets changed at least once a week and advises against
// long lives of what they protect.
constexpr std::uint32_t kTicketLifetime = 24 * 60 * 60;  // seconds

TlsContextImpl::CertificateKey key_of(const CredentialsImpl& credentials) {
  using Key = TlsContextImpl::CertificateKey;
  const auto key = pki::public_key(credentials.certificates()[0].x509());
  switch (key ? EVP_PKEY_id(key.get()) : EVP_PKEY_NONE) {
    case EVP_PKEY_RSA:
      return Key::rsa;
    case EVP_PKEY_EC:
      return Key::ecdsa;
    case EVP_PKEY_ED25519:
      return Key::ed25519;
    default:
      return Key::none;
  }
}

// The group of a curve that certificates name so; every curve that a private key may have.
std::uint16_t curve_of(std::string_view kind) {
  constexpr std::array<std::uint16_t, 3> kCurves = {0x0017, 0x0018, 0x0019};
  const auto found = std::find_if(kCurves.begin(), kCurves.end(),
                                  [&](std::uint16_t code) { return group_name(code) == kind; });
  return found == kCurves.end() ? std::uint16_t{0} : *found;
}

Result<void> check_own_validity(const CertificateSummary& certificate, const Now& now) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now.wall);
  const bool early = seconds < certificate.not_before;
  if (!early && seconds <= certificate.not_after) return {};
  return Unexpected(early ? Errc::certificate_not_yet_valid : Errc::certificate_expired,
                    fmt::format("this side's certificate \"{}\" is valid from {} to {}; judged at "
                                "{} ({})",
                                certificate.subject, format_time(certificate.not_before),
                                format_time(certificate.not_after), format_time(now.wall),
                                to_string(now.standing)));
}

Result<void> memory_result(bool done) {
  if (!done) return Unexpected(Errc::out_of_memory);
  return {};
}

}  // namespace

TlsContext::TlsContext(std::shared_ptr<const TlsContextImpl> impl) : impl_(std::move(impl)) {}

Result<TlsContext> TlsContext::create(TlsContextConfig config) {
  try {
    return TlsContextImpl::create(std::move(config));
  } catch (const std::bad_alloc&) {
    return Unexpected(Errc::out_of_memory);
  }
}

const TlsPolicy& TlsContext::policy() const noexcept { return impl_->config().policy; }
const TrustStore& TlsContext::trust() const noexcept { return impl_->config().trust; }
const std::optional<Credentials>& TlsContext::credentials() const noexcept {
  return impl_->config().credentials;
}
Result<void> TlsContext::valid_at(const Now& now) const { return impl_->valid_at(now); }
std::vector<Error> TlsContext::warnings(const Now& now) const { return impl_->warnings(now); }
std::uint64_t TlsContext::id() const noexcept { return impl_->id(); }

Result<TlsContext> TlsContextImpl::create(TlsContextConfig config) {
  if (auto library = tls::check_ssl_library(); !library) return Unexpected(library.error());
  std::shared_ptr<TlsContextImpl> impl(new TlsContextImpl(std::move(config), next_context_id()));
  if (auto built = impl->build(); !built) return Unexpected(std::move(built).error());
  return TlsContext(std::move(impl));
}

Result<void> TlsContextImpl::build() {
  const bool server_without_trust =
      config_.credentials && config_.policy.client_certificate == ClientCertificate::none;
  if (config_.trust.entries().empty() && !server_without_trust) {
    return Unexpected(Errc::trust_store_empty,
                      "only a server whose policy asks for no client certificate can do without "
                      "a trust store");
  }
  if (auto names = check_allowed_peers(); !names) return names;
  ssl_context_.reset(SSL_CTX_new(TLS_with_buffers_method()));
  if (!ssl_context_ || buffer_pool() == nullptr) return Unexpected(Errc::out_of_memory);
  SSL_CTX_set0_buffer_pool(ssl_context_.get(), buffer_pool());

  if (auto set = set_versions(); !set) return set;
  if (auto set = set_suites(); !set) return set;
  if (auto set = set_groups(); !set) return set;
  if (auto set = set_credentials(); !set) return set;
  if (auto set = set_signature_schemes(); !set) return set;
  if (auto set = set_application_protocol(); !set) return set;
  if (auto set = set_resumption(); !set) return set;
  set_callbacks();
  return {};
}

Result<void> TlsContextImpl::check_allowed_peers() const {
  for (const std::string& name : config_.allowed_peers) {
    if (const auto reference = pki::Reference::parse(name); !reference) {
      return Unexpected(Errc::invalid_domain, "allowed peers: " + reference.error().evidence());
    }
  }
  return {};
}

Result<void> TlsContextImpl::set_versions() {
  const TlsPolicy& policy = config_.policy;
  if (!is_version(policy.min_version) || !is_version(policy.max_version) ||
      policy.min_version > policy.max_version) {
    return unsupported(fmt::format(
        "versions 0x{:04X} to 0x{:04X}: only TLS 1.2 and TLS 1.3 can be allowed (RFC 8996)",
        static_cast<unsigned>(policy.min_version), static_cast<unsigned>(policy.max_version)));
  }
  const bool done = SSL_CTX_set_min_proto_version(ssl_context_.get(),
                                                  static_cast<std::uint16_t>(policy.min_version)) &&
                    SSL_CTX_set_max_proto_version(ssl_context_.get(),
                                                  static_cast<std::uint16_t>(policy.max_version));
  return memory_result(done);
}

Result<void> TlsContextImpl::set_suites() {
  const TlsPolicy& policy = config_.policy;
  std::string objections;
  std::string list;
  for (const std::uint16_t code : policy.cipher_suites) {
    const std::string objection = objection_to_suite(code);
    append_objection(objections, objection);
    if (!objection.empty()) continue;
    if (!list.empty()) list += ':';
    list += SSL_CIPHER_get_name(SSL_get_cipher_by_value(code));
  }
  if (!objections.empty()) return unsupported("cipher suites: " + objections);
  if (list.empty()) {
    if (policy.min_version == ProtocolVersion::tls1_3) return {};
    return unsupported("cipher suites: TLS 1.2 is allowed without any");
  }
  if (!SSL_CTX_set_strict_cipher_list(ssl_context_.get(), list.c_str())) {
    return unsupported("cipher suites: BoringSSL refuses the list " + list);
  }
  return {};
}

Result<void> TlsContextImpl::set_groups() {
  std::string objections;
  std::string list;
  for (const std::uint16_t code : config_.policy.groups) {
    const char* name = tls::library_group_name(code);
    if (name == nullptr) {
      append_objection(objections,
                       fmt::format("this BoringSSL does not offer {}", group_name(code)));
      continue;
    }
    if (!list.empty()) list += ':';
    list += name;
  }
  if (!objections.empty()) return unsupported("groups: " + objections);
  if (list.empty()) return unsupported("groups: none is allowed");
  if (!SSL_CTX_set1_curves_list(ssl_context_.get(), list.c_str())) {
    return unsupported("groups: BoringSSL refuses the list " + list);
  }
  return {};
}

Result<void> TlsContextImpl::add_credentials(const Credentials& credentials) {
  const CredentialsImpl& parts = CredentialsImpl::of(credentials);
  if (parts.chain().empty()) {
    return Unexpected(Errc::credentials_missing, "the credentials were moved away");
  }
  const CertificateKey key = key_of(parts);
  if (key == CertificateKey::none) {
    return unsupported("the private key is of a kind that TLS cannot use");
  }
  const TlsPolicy& policy = config_.policy;
  const std::string& kind = credentials.certificates().front().key;
  // In TLS 1.2 the curve of the certificate must be among the groups (RFC 8422 section 5.1.1).
  const std::uint16_t curve = key == CertificateKey::ecdsa ? curve_of(kind) : std::uint16_t{0};
  if (curve != 0 && policy.min_version == ProtocolVersion::tls1_2) {
    if (std::find(policy.groups.begin(), policy.groups.end(), curve) == policy.groups.end()) {
      return unsupported(fmt::format(
          "groups: {} is missing, the curve of the certificate, and TLS 1.2 needs it there", kind));
    }
  }
  const auto& schemes = policy.signature_schemes;
  const bool usable = std::any_of(schemes.begin(), schemes.end(),
                                  [&](std::uint16_t scheme) { return tls::can_sign(key, scheme); });
  if (!usable) {
    return unsupported(fmt::format("signature schemes: none is for the private key, {}", kind));
  }
  shown_.push_back(
      {credentials, key, curve, std::make_unique<tls::Staple>(credentials, config_.trust)});
  return {};
}

// Can these be chosen by a name that no earlier ones have?
Result<void> TlsContextImpl::check_choice(const Credentials& credentials) const {
  const auto identities = credentials.identities();
  for (const Identity& identity : identities) {
    if (!find_by_name(identity.name)) return {};
  }
  return unsupported(
      fmt::format("more_credentials: those of \"{}\" would never be shown, since "
                  "earlier ones have each of their names ({})",
                  credentials.certificates().empty() ? std::string("nobody")
                                                     : credentials.certificates().front().subject,
                  pki::list_identities(identities)));
}

Result<void> TlsContextImpl::set_credentials() {
  if (!config_.credentials) {
    if (config_.more_credentials.empty()) return {};
    return Unexpected(Errc::credentials_missing,
                      "more_credentials were given without the first ones");
  }
  if (auto added = add_credentials(*config_.credentials); !added) return added;
  for (const Credentials& more : config_.more_credentials) {
    if (auto choice = check_choice(more); !choice) return choice;
    if (auto added = add_credentials(more); !added) return added;
  }
  const CredentialsImpl& first = CredentialsImpl::of(*config_.credentials);
  const auto chain = first.chain();
  return memory_result(SSL_CTX_set_chain_and_key(
                           ssl_context_.get(), chain.data(), chain.size(), first.key(),
                           first.key() != nullptr ? nullptr : tls::external_key_method()) == 1);
}

Result<void> TlsContextImpl::set_signature_schemes() {
  const auto& schemes = config_.policy.signature_schemes;
  std::string objections;
  for (const std::uint16_t scheme : schemes) {
    if (tls::library_has_signature_scheme(scheme)) continue;
    append_objection(objections,
                     fmt::format("{} cannot be used", tls::signature_scheme_name(scheme)));
  }
  if (!objections.empty()) return unsupported("signature schemes: " + objections);
  if (schemes.empty()) return unsupported("signature schemes: none is allowed");
  if (!SSL_CTX_set_verify_algorithm_prefs(ssl_context_.get(), schemes.data(), schemes.size())) {
    return unsupported("signature schemes: BoringSSL refuses the list");
  }
  if (!config_.credentials) return {};
  if (!SSL_CTX_set_signing_algorithm_prefs(ssl_context_.get(), schemes.data(), schemes.size())) {
    return unsupported("signature schemes: BoringSSL refuses the list");
  }
  return {};
}

Result<void> TlsContextImpl::set_application_protocol() {
  if (config_.policy.alpn == Alpn::off) return {};
  SSL_CTX_set_alpn_select_cb(ssl_context_.get(), tls::select_application_protocol, nullptr);
  // Unlike the other functions this one returns zero on success.
  return memory_result(SSL_CTX_set_alpn_protos(ssl_context_.get(), tls::kSipProtocol,
                                               sizeof(tls::kSipProtocol)) == 0);
}

Result<void> TlsContextImpl::set_resumption() {
  SSL_CTX* context = ssl_context_.get();
  if (!resumes()) {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return {};
  }
  if (!config_.ticket_keys) {
    auto keys = TicketKeyRing::create();
    if (!keys) return Unexpected(std::move(keys).error());
    config_.ticket_keys = std::move(*keys);
  }
  session_memory_ = std::make_unique<tls::SessionMemory>();
  SSL_CTX_set_ticket_aead_method(context, tls::ticket_method());
  // Clients remember; servers know what their tickets tell them and nothing else.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, tls::keep_session);
  SSL_CTX_set_timeout(context, kTicketLifetime);
  SSL_CTX_set_session_psk_dhe_timeout(context, kTicketLifetime);
  return {};
}

std::optional<std::size_t> TlsContextImpl::find_by_name(std::string_view server_name) const {
  const auto reference = pki::Reference::parse(server_name);
  if (!reference) return std::nullopt;
  for (std::size_t i = 0; i < shown_.size(); ++i) {
    for (const Identity& identity : shown_[i].credentials.identities()) {
      // Which certificate to show is no decision of trust, so a wildcard counts.
      if (reference->matches(identity, WildcardPolicy::dangerous_one_label)) return i;
    }
  }
  return std::nullopt;
}

std::string TlsContextImpl::all_names() const {
  std::string all;
  for (const Shown& shown : shown_) {
    if (!all.empty()) all += "; ";
    all += pki::list_identities(shown.credentials.identities());
  }
  return all;
}

// A ticket of another context is no ticket: what it was given for is not what would be judged now.
std::array<std::uint8_t, 32> TlsContextImpl::resumption_context(std::string_view scope,
                                                                std::string_view server_name,
                                                                std::size_t shown) const {
  const TlsPolicy& policy = config_.policy;
  std::string text =
      fmt::format("{}\n{}\n{} {} {} {} {} {} {}\n", scope, server_name,
                  static_cast<int>(policy.client_certificate), static_cast<int>(policy.eku),
                  static_cast<int>(policy.names.wildcard),
                  static_cast<int>(policy.names.common_name), static_cast<int>(policy.clock),
                  static_cast<int>(policy.alpn), static_cast<int>(policy.authorise));
  for (const std::string& name : config_.allowed_peers) text += name + '\n';
  const auto& trust = config_.trust.digest();
  text.append(trust.begin(), trust.end());
  if (shown < shown_.size()) {
    const auto& leaf = shown_[shown].credentials.certificates().front().sha256;
    text.append(leaf.begin(), leaf.end());
  }
  return pki::fingerprint_of(pki::as_octets(text));
}

Result<void> TlsContextImpl::valid_at(const Now& now) const {
  for (const Shown& shown : shown_) {
    auto valid = check_own_validity(shown.credentials.certificates().front(), now);
    if (!valid) return valid;
  }
  return {};
}

std::vector<Error> TlsContextImpl::warnings(const Now& now) const {
  std::vector<Error> all;
  for (const Shown& shown : shown_) {
    for (const Error& warning : shown.credentials.warnings()) all.push_back(warning);
    for (const CertificateSummary& certificate : shown.credentials.certificates()) {
      if (auto valid = check_own_validity(certificate, now); !valid) {
        all.push_back(std::move(valid).error());
      }
    }
    if (auto staple = shown.staple->judge(now); !staple) all.push_back(std::move(staple).error());
  }
  return all;
}

void TlsContextImpl::set_callbacks() {
  SSL_CTX* context = ssl_context_.get();
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  // No 0-RTT data: there is no profile for SIP (RFC 9325 section 3.10).
  SSL_CTX_set_early_data_enabled(context, 0);
  SSL_CTX_set_custom_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                            tls::verify_peer);
  SSL_CTX_set_select_certificate_cb(context, tls::inspect_client_hello);
  SSL_CTX_set_info_callback(context, tls::note_alert);
  SSL_CTX_set_current_time_cb(context, tls::current_time);
  if (config_.dangerous_key_log) SSL_CTX_set_keylog_callback(context, tls::log_key);
}

}  // namespace siptls
