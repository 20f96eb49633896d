// The version of the library and the date of its release.
#pragma once

#include <cstdint>
#include <string_view>

#include "siptls/export.hpp"

#define SIPTLS_VERSION_MAJOR 0
#define SIPTLS_VERSION_MINOR 1
#define SIPTLS_VERSION_PATCH 0
#define SIPTLS_VERSION_STRING "0.1.0"

// Date of this release, 2026-11-23T00:00:00Z, in seconds since 1970. No clock that is right can
// show an earlier time, so this is the floor of `Clock::system()`. A build with SOURCE_DATE_EPOCH
// in its environment uses that number instead.
#ifndef SIPTLS_RELEASE_EPOCH
#define SIPTLS_RELEASE_EPOCH 1795392000
#endif

namespace siptls {

// The version of the library that is linked, which can differ from the headers' macros.
SIPTLS_API std::string_view version() noexcept;

// The release date of the library that is linked, in seconds since 1970-01-01T00:00:00Z.
SIPTLS_API std::int64_t release_epoch() noexcept;

}  // namespace siptls
