// The sips rules that concern one hop, as pure functions (RFC 3261 sections 8.1.2, 16.6 and 26.2.2,
// RFC 5630 sections 3 and 5).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "siptls/export.hpp"
#include "siptls/sip_message_view.hpp"

namespace siptls {

// Whether a SIP profile takes part in sips, as in the IMG 2020's SIP profile.
enum class SipsMode : std::uint8_t {
  disabled,  // sips is refused: 480 with Warning 380 "SIPS Not Allowed"
  enabled,   // both
  required,  // sip is refused: 480 with Warning 381 "SIPS Required"
};

// True for a URI whose scheme is sips, in any case.
SIPTLS_API bool is_sips(std::string_view uri) noexcept;

// The host of a sip: or sips: URI, without port, parameters and user part; an IPv6 address without
// its brackets. None if the text is no such URI.
SIPTLS_API std::optional<std::string_view> uri_host(std::string_view uri) noexcept;

// How to refuse a request.
struct SipsRefusal {
  std::uint16_t status = 480;
  std::string_view reason_phrase;
  // Of a Warning header without its agent: `380 "SIPS ..."`; may be empty.
  std::string_view warning;
};

// Judges a request by the mode of the profile: none if it may go on. A request whose Request-URI is
// sips but whose Contact is not is inconsistent: 400 (RFC 5630 section 5.1.2).
SIPTLS_API std::optional<SipsRefusal> judge_sips(const SipMessageView& request,
                                                 SipsMode mode) noexcept;

// Must the next hop be reached over TLS? True if the Request-URI or the topmost Route is sips
// (RFC 5630 section 5.1.1).
SIPTLS_API bool requires_tls(const SipMessageView& request) noexcept;

}  // namespace siptls
