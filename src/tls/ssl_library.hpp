// Is the libssl that this code calls really BoringSSL's?
#pragma once

#include "siptls/result.hpp"

namespace siptls::tls {

// Fails with `foreign_tls_library`; libcrypto is looked at first. Done once per process; later
// calls return the first verdict.
Result<void> check_ssl_library();

}  // namespace siptls::tls
