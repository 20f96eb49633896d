// How an encrypted private key is encrypted, in words: for errors about keys that cannot be opened.
#pragma once

#include <string>

#include "pki/pem.hpp"

namespace siptls::pki {

// "PBES2 with scrypt and aes-256-cbc"; "an unknown algorithm" for what cannot be read.
std::string describe_key_encryption(const PemBlock& block);

}  // namespace siptls::pki
