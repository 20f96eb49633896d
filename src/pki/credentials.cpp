#include "siptls/credentials.hpp"

#include <fmt/format.h>
#include <openssl/mem.h>

#include <utility>

#include "base/os/file.hpp"
#include "pki/credentials_impl.hpp"
#include "pki/guarded.hpp"
#include "pki/identity.hpp"
#include "pki/library_check.hpp"
#include "pki/loading.hpp"
#include "pki/ocsp_response.hpp"
#include "pki/private_key.hpp"

namespace siptls {
namespace {

using pki::Certificate;

// The text of a key file; wiped when it goes.
class SecretText {
 public:
  explicit SecretText(std::string text) : text_(std::move(text)) {}
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  ~SecretText() { OPENSSL_cleanse(text_.data(), text_.size()); }
  std::string_view view() const noexcept { return text_; }

 private:
  std::string text_;
};

Error about_certificate(std::size_t index, Errc reason, const std::string& evidence) {
  return Error(reason, evidence).with_certificate(static_cast<std::uint32_t>(index));
}

// Each certificate was issued by the one behind it: peers may rely on that order (RFC 5246 section
// 7.4.2).
Result<void> check_order(const std::vector<Certificate>& chain) {
  for (std::size_t i = 1; i < chain.size(); ++i) {
    const int verdict = X509_check_issued(chain[i].x509(), chain[i - 1].x509());
    if (verdict == X509_V_OK) continue;
    return Unexpected(about_certificate(
        i, Errc::certificate_invalid,
        fmt::format("certificate {} \"{}\" did not issue certificate {} \"{}\", whose issuer is "
                    "\"{}\" ({}); the leaf comes first, then its issuers upwards",
                    i, chain[i].subject(), i - 1, chain[i - 1].subject(), chain[i - 1].issuer(),
                    X509_verify_cert_error_string(verdict))));
  }
  return {};
}

Result<void> check_strength(const Certificate& leaf) {
  if (!leaf.key().usable || !leaf.key().weak) return {};
  return Unexpected(about_certificate(0, Errc::weak_key,
                                      fmt::format("the certificate \"{}\" has a key of {}; RSA "
                                                  "needs 2048 bits",
                                                  leaf.subject(), leaf.key().description)));
}

Result<void> check_key(const Certificate& leaf, const EVP_PKEY* key) {
  const auto public_key = pki::public_key(leaf.x509());
  if (public_key && EVP_PKEY_cmp(public_key.get(), key) == 1) return {};
  return Unexpected(
      Errc::key_mismatch,
      fmt::format("the private key ({}) is not the one of the certificate \"{}\" ({})",
                  pki::strength_of(key).description, leaf.subject(), leaf.key().description));
}

// `key` is null where it is held elsewhere.
Result<std::shared_ptr<CredentialsImpl>> assemble(bssl::UniquePtr<EVP_PKEY> key,
                                                  std::vector<Certificate> chain) {
  const pki::ErrorQueueScope errors;
  if (auto strong = check_strength(chain[0]); !strong) {
    return Unexpected(std::move(strong).error());
  }
  if (key) {
    if (auto match = check_key(chain[0], key.get()); !match) {
      return Unexpected(std::move(match).error());
    }
  } else if (!chain[0].key().usable) {
    return Unexpected(about_certificate(
        0, Errc::private_key_unsupported,
        fmt::format("the certificate \"{}\" has a key of {}; P-256, P-384, P-521, RSA and Ed25519 "
                    "are supported",
                    chain[0].subject(), chain[0].key().description)));
  }
  if (auto order = check_order(chain); !order) return Unexpected(std::move(order).error());
  auto identities = pki::identities_of(chain[0], IdentityPolicy{});
  if (!identities) return Unexpected(std::move(identities).error());
  return std::make_shared<CredentialsImpl>(std::move(key), std::move(chain),
                                           std::move(*identities));
}

Error exposed(const std::string& path, unsigned exposure) {
  return Error(Errc::key_file_exposed,
               fmt::format("{}: its permissions let others than its owner use it (bits {:03o}); "
                           "chmod 600 takes that away",
                           path, exposure));
}

template <typename F>
Result<Credentials> checked(F&& make) {
  if (auto library = pki::check_crypto_library(); !library) {
    return Unexpected(std::move(library).error());
  }
  return pki::guarded(std::forward<F>(make));
}

// What moved-from Credentials are.
const CredentialsImpl& no_credentials() {
  static const CredentialsImpl none(nullptr, {}, {});
  return none;
}

}  // namespace

CredentialsImpl::CredentialsImpl(bssl::UniquePtr<EVP_PKEY> key, std::vector<pki::Certificate> chain,
                                 std::vector<Identity> identities)
    : key_(std::move(key)), chain_(std::move(chain)), identities_(std::move(identities)) {
  for (const auto& certificate : chain_) {
    buffers_.push_back(certificate.buffer());
    summaries_.push_back(certificate.summary());
  }
}

CredentialsImpl::CredentialsImpl(const CredentialsImpl& other)
    : key_(bssl::UpRef(other.key_)),
      chain_(other.chain_),
      buffers_(other.buffers_),
      summaries_(other.summaries_),
      identities_(other.identities_),
      external_key_(other.external_key_),
      ocsp_response_(other.ocsp_response_),
      warnings_(other.warnings_) {}

std::shared_ptr<CredentialsImpl> CredentialsImpl::copy(const Credentials& credentials) {
  return std::shared_ptr<CredentialsImpl>(new CredentialsImpl(of(credentials)));
}

const CredentialsImpl& CredentialsImpl::of(const Credentials& credentials) noexcept {
  return credentials.impl_ ? *credentials.impl_ : no_credentials();
}

Credentials CredentialsImpl::wrap(std::shared_ptr<const CredentialsImpl> impl) {
  return Credentials(std::move(impl));
}

Credentials::Credentials(std::shared_ptr<const CredentialsImpl> impl) : impl_(std::move(impl)) {}

Result<Credentials> Credentials::from_pem(std::string_view key, std::string_view chain,
                                          const PassphraseSource& passphrase) {
  return checked([&]() -> Result<Credentials> {
    auto certificates = pki::read_certificates(chain);
    if (!certificates) return Unexpected(std::move(certificates).error());
    auto private_key = pki::read_private_key(key, passphrase);
    if (!private_key) return Unexpected(std::move(private_key).error());
    auto made = assemble(std::move(*private_key), std::move(*certificates));
    if (!made) return Unexpected(std::move(made).error());
    return CredentialsImpl::wrap(std::move(*made));
  });
}

Result<Credentials> Credentials::from_pem_files(const std::string& key_path,
                                                const std::string& chain_path,
                                                const PassphraseSource& passphrase,
                                                KeyFilePolicy key_file) {
  return checked([&]() -> Result<Credentials> {
    const auto chain = os::read_file(chain_path, pki::kMaxFileOctets);
    if (!chain) return Unexpected(chain.error());
    auto certificates = pki::read_certificates(*chain);
    if (!certificates) return Unexpected(pki::in_file(chain_path, certificates.error()));
    auto key_text = os::read_guarded_file(key_path, pki::kMaxFileOctets);
    if (!key_text) return Unexpected(std::move(key_text).error());
    const SecretText secret(std::move(key_text->content));
    const unsigned exposure = key_text->exposure;
    if (exposure != 0 && key_file == KeyFilePolicy::strict) {
      return Unexpected(exposed(key_path, exposure));
    }
    auto key = pki::read_private_key(secret.view(), passphrase);
    if (!key) return Unexpected(pki::in_file(key_path, key.error()));
    auto made = assemble(std::move(*key), std::move(*certificates));
    if (!made) return Unexpected(pki::in_file(chain_path, made.error()));
    if (exposure != 0) (*made)->add_warning(exposed(key_path, exposure));
    return CredentialsImpl::wrap(std::move(*made));
  });
}

Result<Credentials> Credentials::from_external_key(std::string key_id, std::string_view chain) {
  return checked([&]() -> Result<Credentials> {
    auto certificates = pki::read_certificates(chain);
    if (!certificates) return Unexpected(std::move(certificates).error());
    auto made = assemble(nullptr, std::move(*certificates));
    if (!made) return Unexpected(std::move(made).error());
    (*made)->set_external_key(std::move(key_id));
    return CredentialsImpl::wrap(std::move(*made));
  });
}

Result<Credentials> Credentials::with_ocsp_response(std::span<const std::byte> der) const {
  return checked([&]() -> Result<Credentials> {
    const auto octets = pki::as_octets(der);
    if (!octets.empty()) {
      if (auto shape = pki::check_ocsp_shape(octets); !shape) {
        return Unexpected(std::move(shape).error());
      }
    }
    auto changed = CredentialsImpl::copy(*this);
    changed->set_ocsp_response(octets);
    return CredentialsImpl::wrap(std::move(changed));
  });
}

Result<Credentials> Credentials::with_ocsp_response_file(const std::string& path) const {
  return checked([&]() -> Result<Credentials> {
    const auto content = os::read_file(path, pki::kMaxOcspOctets);
    if (!content) return Unexpected(content.error());
    if (content->empty()) {
      return Unexpected(Errc::ocsp_response_invalid, path + ": is empty");
    }
    auto made = with_ocsp_response(std::as_bytes(std::span(*content)));
    if (!made) return Unexpected(pki::in_file(path, made.error()));
    return made;
  });
}

std::span<const CertificateSummary> Credentials::certificates() const noexcept {
  return CredentialsImpl::of(*this).summaries();
}

std::span<const Identity> Credentials::identities() const noexcept {
  return CredentialsImpl::of(*this).identities();
}

std::span<const Error> Credentials::warnings() const noexcept {
  return CredentialsImpl::of(*this).warnings();
}

}  // namespace siptls
