// Credentials: a private key and the certificate chain that goes with it (privateKey.pem and
// publickey.pem of the IMG 2020), checked to belong together.
//
// An immutable value with cheap copies; may be shared by contexts and threads. Key octets are wiped
// when the last copy goes.
//
// Errors while loading: file_*, pem_*, certificate_malformed, certificate_invalid (the chain is out
// of order, or the leaf's names cannot be read), private_key_*, key_*, weak_key,
// passphrase_required, wrong_passphrase, ocsp_response_invalid, foreign_tls_library, out_of_memory.
#pragma once

#include <cstddef>
#include <cstdint>
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

// What is done about a key file that others than its owner can read.
enum class KeyFilePolicy : std::uint8_t {
  warn,    // it is among warnings()
  strict,  // `key_file_exposed`
};

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
                                            const PassphraseSource& passphrase = {},
                                            KeyFilePolicy key_file = KeyFilePolicy::warn);
  // The private key is held elsewhere (an HSM, another thread): a session that needs a signature
  // asks for it (TlsSession::wanted_signature, SignatureWanted) and names the key by `key_id`.
  static Result<Credentials> from_external_key(std::string key_id, std::string_view chain);

  // The same with an OCSP response for the leaf, as DER or as file of DER, which servers staple
  // while it is valid. One that is no OCSP response at all is `ocsp_response_invalid`; whether it
  // is for this leaf and still valid is told by TlsContext::warnings(). An empty one takes the old
  // one away.
  Result<Credentials> with_ocsp_response(std::span<const std::byte> der) const;
  Result<Credentials> with_ocsp_response_file(const std::string& path) const;

  // Leaf first.
  std::span<const CertificateSummary> certificates() const noexcept;
  // What the leaf proves (RFC 5922 section 7.1).
  std::span<const Identity> identities() const noexcept;
  // What an operator should know: `key_file_exposed`.
  std::span<const Error> warnings() const noexcept;

 private:
  friend class CredentialsImpl;
  explicit Credentials(std::shared_ptr<const CredentialsImpl> impl);
  std::shared_ptr<const CredentialsImpl> impl_;
};

}  // namespace siptls
