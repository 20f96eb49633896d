// Reads one Via value (RFC 3261 sections 20.42 and 25.1).
#pragma once

#include <optional>
#include <string_view>

#include "siptls/sip_message_view.hpp"

namespace siptls::sip {

// The first of the comma-separated Via values in `value`; none if it cannot be read.
std::optional<ViaView> read_via(std::string_view value) noexcept;

}  // namespace siptls::sip
