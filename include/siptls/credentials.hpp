// Credentials: a private key and the certificate chain that goes with it (privateKey.pem and
// publickey.pem of the IMG 2020), checked to belong together.
//
// An immutable value with cheap copies; may be shared by contexts and threads. Key octets are wiped
// when the last copy goes.
//
// Errors while loading: file_*, pem_*, certificate_malformed, certificate_invalid (the chain is out
// of order, or the leaf's names cannot be read), private_key_*, key_*, weak_key,
// passphrase_required, wrong_passphrase, foreign_tls_library, out_of_memory.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "siptls/export.hpp"
#include "siptls/peer_info.hpp"
#include "siptls/result.hpp"

namespace siptls {

// Asked for the passphrase of an encrypted key while it is loaded; none means that there is none.
// Called synchronously; must not call the library.
using PassphraseSource = std::function<std::optional<std::string>()>;

class CredentialsImpl;

class SIPTLS_API Credentials {
 public:
  // `key` holds one private key block (PKCS#8, PKCS#1 or SEC 1; an EC PARAMETERS block may precede
  // it; PKCS#8 may be encrypted with PBES2). `chain` holds the leaf's CERTIFICATE block, then its
  // intermediates upwards.
  static Result<Credentials> from_pem(std::string_view key, std::string_view chain,
                                      const PassphraseSource& passphrase = {});
  static Result<Credentials> from_pem_files(const std::string& key_path,
                                            const std::string& chain_path,
                                            const PassphraseSource& passphrase = {});

  // Leaf first.
  std::span<const CertificateSummary> certificates() const noexcept;
  // What the leaf proves (RFC 5922 section 7.1).
  std::span<const Identity> identities() const noexcept;

 private:
  friend class CredentialsImpl;
  explicit Credentials(std::shared_ptr<const CredentialsImpl> impl);
  std::shared_ptr<const CredentialsImpl> impl_;
};

}  // namespace siptls
