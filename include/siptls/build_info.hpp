// BuildInfo: which siptls this is, and which BoringSSL it runs on.
//
// OpenSSL has functions of BoringSSL's names. In a process that has both, a shared BoringSSL can
// lose them to OpenSSL. So the first object that is made checks once where they are;
// check_tls_library() tells the same verdict without making anything.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "siptls/export.hpp"
#include "siptls/result.hpp"

namespace siptls {

enum class TlsLinkage : std::uint8_t {
  inside,  // BoringSSL is part of siptls' own file, and nobody else sees it
  shared,  // a library of its own, such as Debian's
};

struct BuildInfo {
  std::string_view version;    // of siptls
  unsigned boringssl_api = 0;  // BORINGSSL_API_VERSION that it was built for
  std::string boringssl_file;  // that BoringSSL's functions are in, in this process
  TlsLinkage boringssl_linkage = TlsLinkage::shared;
  std::int64_t release_epoch = 0;  // the clock's floor, in seconds since 1970
};

SIPTLS_API BuildInfo build_info();

// Fails with `foreign_tls_library`, naming both files, if another TLS library of this process
// answers to BoringSSL's names, or BoringSSL to those of the process's OpenSSL. Everything that
// needs BoringSSL fails alike then.
SIPTLS_API Result<void> check_tls_library();

}  // namespace siptls
