// Is the BoringSSL that this code calls really BoringSSL?
//
// OpenSSL has functions of the same names. In a process whose host linked OpenSSL first, a shared
// BoringSSL's functions may be resolved to OpenSSL's: the handshake then runs on another library
// than the one whose structures this code was compiled for. So before the first TrustStore,
// Credentials or TlsContext is made, functions that both libraries have must lie in the file of a
// function that only BoringSSL has.
#pragma once

#include <initializer_list>

#include "siptls/result.hpp"

namespace siptls::pki {

struct LibraryFunction {
  const char* name;
  const void* address;
};

// The address of a function as data; `reinterpret_cast` is the conditionally-supported conversion
// that POSIX requires for dlsym.
template <typename F>
LibraryFunction library_function(const char* name, F* function) {
  return {name, reinterpret_cast<const void*>(function)};
}

// Fails with `foreign_tls_library`, naming both files, if one of `shared_names` does not lie in the
// file of `boringssl_only`.
Result<void> check_functions(const LibraryFunction& boringssl_only,
                             std::initializer_list<LibraryFunction> shared_names);

// The same for libcrypto, and the other way round: BoringSSL must not take the calls that are meant
// for the process's OpenSSL. Done once per process; later calls return the first verdict.
Result<void> check_crypto_library();

}  // namespace siptls::pki
