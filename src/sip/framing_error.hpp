// The Error for a fault that was found in a stream, with its evidence.
#pragma once

#include <cstdint>
#include <optional>

#include "sip/header_scan.hpp"
#include "siptls/error.hpp"
#include "siptls/sip_framer.hpp"

namespace siptls::sip {

// For a fault in the message that begins at `message`, at `offset` in the stream.
Error framing_error(const HeaderScan& scan, const char* message, std::uint64_t offset,
                    const FramerLimits& limits);

// For a CR or LF between messages that belongs to no CRLF, at `offset` in the stream.
Error stray_break_error(Errc reason, std::uint64_t offset);

// For an empty line before a start line where none may be.
Error empty_lines_error(std::uint64_t offset, const FramerLimits& limits);

// The status that RFC 3261 suggests for the request in which the fault was found.
std::optional<std::uint16_t> suggested_status(const HeaderScan& scan) noexcept;

}  // namespace siptls::sip
