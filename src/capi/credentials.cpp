// siptls/c/credentials.h
#include <array>

#include "capi/convert.hpp"

namespace {

using siptls::Credentials;
using siptls::capi::finish;
using siptls::capi::guarded;
using siptls::capi::invalid;
using siptls::capi::octets_of;
using siptls::capi::text_of;
using siptls::capi::to_c;
using siptls::capi::write_struct;

constexpr std::size_t kMaxPassphrase = 1024;

siptls_credentials* new_credentials(Credentials credentials) {
  return new siptls_credentials{std::move(credentials)};
}

// Octets that the compiler must not leave behind.
void wipe(std::array<char, kMaxPassphrase>& secret) noexcept {
  volatile char* octet = secret.data();
  for (std::size_t i = 0; i < secret.size(); ++i) *octet++ = 0;
}

siptls::PassphraseSource source_of(siptls_passphrase_source ask, void* context) {
  if (ask == nullptr) return {};
  return [ask, context]() -> std::optional<std::string> {
    std::array<char, kMaxPassphrase> buffer{};
    const int length = ask(context, buffer.data(), buffer.size());
    std::optional<std::string> passphrase;
    if (length >= 0 && static_cast<std::size_t>(length) <= buffer.size()) {
      passphrase.emplace(buffer.data(), static_cast<std::size_t>(length));
    }
    wipe(buffer);
    return passphrase;
  };
}

}  // namespace

int siptls_credentials_from_pem(const char* key, size_t key_size, const char* chain,
                                size_t chain_size, siptls_passphrase_source passphrase,
                                void* passphrase_context, siptls_credentials** credentials,
                                siptls_error* error) {
  return guarded(error, [&] {
    if (key == nullptr || chain == nullptr || credentials == nullptr) {
      return invalid(error, "key, chain or credentials is NULL");
    }
    return finish(Credentials::from_pem(text_of(key, key_size), text_of(chain, chain_size),
                                        source_of(passphrase, passphrase_context)),
                  credentials, error, new_credentials);
  });
}

int siptls_credentials_from_pem_files(const char* key_path, const char* chain_path,
                                      siptls_passphrase_source passphrase, void* passphrase_context,
                                      uint32_t key_file_policy, siptls_credentials** credentials,
                                      siptls_error* error) {
  return guarded(error, [&] {
    const auto policy = siptls::capi::to_enum(key_file_policy, siptls::KeyFilePolicy::strict);
    if (key_path == nullptr || chain_path == nullptr || credentials == nullptr || !policy) {
      return invalid(error, "a path or credentials is NULL, or there is no such policy");
    }
    return finish(Credentials::from_pem_files(key_path, chain_path,
                                              source_of(passphrase, passphrase_context), *policy),
                  credentials, error, new_credentials);
  });
}

int siptls_credentials_from_external_key(const char* key_id, const char* chain, size_t chain_size,
                                         siptls_credentials** credentials, siptls_error* error) {
  return guarded(error, [&] {
    if (key_id == nullptr || chain == nullptr || credentials == nullptr) {
      return invalid(error, "key_id, chain or credentials is NULL");
    }
    return finish(Credentials::from_external_key(key_id, text_of(chain, chain_size)), credentials,
                  error, new_credentials);
  });
}

int siptls_credentials_with_ocsp_response(const siptls_credentials* credentials, const void* der,
                                          size_t der_size, siptls_credentials** stapling,
                                          siptls_error* error) {
  return guarded(error, [&] {
    if (credentials == nullptr || stapling == nullptr || (der == nullptr && der_size != 0)) {
      return invalid(error, "credentials, der or stapling is NULL");
    }
    return finish(credentials->credentials.with_ocsp_response(octets_of(der, der_size)), stapling,
                  error, new_credentials);
  });
}

void siptls_credentials_free(siptls_credentials* credentials) { delete credentials; }

size_t siptls_credentials_certificate_count(const siptls_credentials* credentials) {
  return credentials == nullptr ? 0 : credentials->credentials.certificates().size();
}

int siptls_credentials_certificate(const siptls_credentials* credentials, size_t index,
                                   siptls_certificate* certificate) {
  if (index >= siptls_credentials_certificate_count(credentials)) return 0;
  return write_struct(certificate, to_c(credentials->credentials.certificates()[index])) ? 1 : 0;
}

size_t siptls_credentials_identity_count(const siptls_credentials* credentials) {
  return credentials == nullptr ? 0 : credentials->credentials.identities().size();
}

int siptls_credentials_identity(const siptls_credentials* credentials, size_t index,
                                siptls_identity* identity) {
  if (index >= siptls_credentials_identity_count(credentials)) return 0;
  return write_struct(identity, to_c(credentials->credentials.identities()[index])) ? 1 : 0;
}

int siptls_credentials_warning(const siptls_credentials* credentials, size_t index,
                               siptls_error* warning) {
  if (warning != nullptr) warning->error.reset();
  if (credentials == nullptr || index >= credentials->credentials.warnings().size()) return 0;
  guarded(warning, [&] {
    return siptls::capi::fail(warning, siptls::Error(credentials->credentials.warnings()[index]));
  });
  return 1;
}
