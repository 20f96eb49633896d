// The first line of a message (RFC 3261 sections 7.1 and 7.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace siptls::sip {

// Where the parts of a start line are, in octets from its beginning.
struct StartLine {
  std::uint32_t size = 0;          // without its CRLF
  std::uint32_t method_end = 0;    // request: the method begins at 0
  std::uint32_t target_begin = 0;  // request: the Request-URI; response: the reason phrase
  std::uint32_t target_end = 0;
  std::uint16_t status = 0;  // response; 0 if the code has not three digits
  bool request = false;
};

// Reads a start line given without its CRLF. Strict where two readers could disagree about whether
// it is one; tolerant where RFC 4475 (sections 3.1.2.8 to 3.1.2.10, 3.1.2.16 and 3.1.2.19) has
// messages whose boundaries are clear all the same: spaces in or around the Request-URI, trailing
// spaces, another SIP version, a status code that is no three digits.
bool read_start_line(std::string_view line, StartLine& out) noexcept;

// The same for what nearly all request lines are: a method of `method_size` octets that is known to
// be a token, one space, a Request-URI, and ` SIP/2.0`. False: it is something else.
bool read_usual_request_line(std::string_view line, std::size_t method_size,
                             StartLine& out) noexcept;

}  // namespace siptls::sip
