// A response to a request that could not be framed, made of what had come of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "siptls/error.hpp"

namespace siptls::sip {

// `request` begins with its start line; its end may be missing. The response has the request's Via
// rows, From, To, Call-ID and CSeq (RFC 3261 section 8.2.6.2) and no body. Empty where one of them
// has not come or cannot be repeated safely, and for an ACK, which nobody answers.
std::string refusal_response(std::string_view request, std::uint16_t status, Errc reason);

}  // namespace siptls::sip
