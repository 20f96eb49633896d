// Private keys from PEM texts.
#pragma once

#include <openssl/evp.h>

#include <string_view>

#include "pki/boringssl_compat.hpp"
#include "siptls/credentials.hpp"
#include "siptls/result.hpp"

namespace siptls::pki {

// The one private key of a PEM text: PKCS#8, PKCS#1 or SEC 1, plain or encrypted (PBES2, or the old
// form with a Proc-Type row). Errors: pem_*, private_key_malformed, private_key_unsupported,
// key_encryption_unsupported, passphrase_required, wrong_passphrase, weak_key.
Result<bssl::UniquePtr<EVP_PKEY>> read_private_key(std::string_view pem,
                                                   const PassphraseSource& passphrase);

}  // namespace siptls::pki
