// Policies of the C interface as those of the C++ one.
#pragma once

#include <optional>

#include "siptls/siptls.h"
#include "siptls/tls_policy.hpp"

namespace siptls::capi {

std::optional<TlsPolicy> preset_policy(std::uint32_t preset);
// None for a number that is no choice, or a list that is NULL and not empty.
std::optional<TlsPolicy> to_cpp(const siptls_policy& policy);
// What a host gives, of whatever size it is; none for what it cannot mean.
std::optional<TlsPolicy> read_policy(const siptls_policy* given);

}  // namespace siptls::capi
