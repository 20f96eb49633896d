#include "siptls/version.hpp"

namespace siptls {

std::string_view version() noexcept { return SIPTLS_VERSION_STRING; }

std::int64_t release_epoch() noexcept { return SIPTLS_RELEASE_EPOCH; }

}  // namespace siptls
