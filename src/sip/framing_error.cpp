#include "sip/framing_error.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "sip/octets.hpp"

namespace siptls::sip {
namespace {

// Text of the stream as evidence: short, and ASCII whatever the stream holds.
std::string quoted(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string result = "\"";
  for (const char c : text.substr(0, kLongest)) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet >= 0x20 && octet < 0x7f && c != '"' && c != '\\') {
      result += c;
    } else {
      result += "\\x";
      result += kHex[octet >> 4];
      result += kHex[octet & 15];
    }
  }
  result += '"';
  if (text.size() > kLongest) result += "...";
  return result;
}

// The line of the message around `position`, as far as it goes before it.
std::string line_before(const char* message, std::uint32_t position) {
  std::uint32_t begin = position;
  while (begin > 0 && message[begin - 1] != '\n') --begin;
  return quoted({message + begin, position - begin});
}

std::string content_length_value(const HeaderScan& scan, const char* message) {
  std::string values;
  for (std::uint32_t i = 0; i < scan.row_count(); ++i) {
    const RowRecord& row = scan.row(i);
    if (row.id != HeaderId::content_length) continue;
    if (!values.empty()) values += " and ";
    values += quoted(trim_lws({message + row.colon + 1, row.end - row.colon - 1}));
  }
  return values;
}

std::string evidence(const HeaderScan& scan, const char* message, const FramerLimits& limits) {
  const std::uint32_t at = scan.fault_position();
  switch (scan.fault()) {
    case Errc::missing_content_length:
      return "the header has no Content-Length, without which a message on a stream has no end "
             "(RFC 3261 section 18.3)";
    case Errc::duplicate_content_length:
      return "more than one Content-Length: " + content_length_value(scan, message);
    case Errc::invalid_content_length:
      return "expected digits only (RFC 3261 section 20.14), found Content-Length " +
             content_length_value(scan, message);
    case Errc::content_length_too_large:
      return "Content-Length " + content_length_value(scan, message) +
             " is more than the limit of " + std::to_string(limits.max_body) + " octets";
    case Errc::header_too_large:
      return "the header is not complete after " + std::to_string(limits.max_header) +
             " octets, the limit";
    case Errc::start_line_too_long:
      return "the start line is longer than the limit of " + std::to_string(limits.max_start_line) +
             " octets: " + quoted({message, at});
    case Errc::too_many_headers:
      return "more header rows than the limit of " + std::to_string(limits.max_header_rows);
    case Errc::invalid_start_line:
      return "neither a request line nor a status line (RFC 3261 section 7): " +
             quoted({message, scan.start_line().size});
    case Errc::invalid_header:
      return "expected a header name and a colon (RFC 3261 section 7.3.1), found octet " +
             quoted({message + at, 1}) + " after " + line_before(message, at);
    case Errc::bare_line_feed:
      return "LF without CR after " + line_before(message, at);
    case Errc::bare_carriage_return:
      return "CR without LF after " + line_before(message, at);
    case Errc::nul_in_header:
      return "NUL outside of a quoted-pair after " + line_before(message, at);
    case Errc::unexpected_fold:
      return "the line after the start line begins with a blank, and there is no header that it "
             "could continue";
    default:
      return "no memory for " + std::to_string(scan.row_count()) + " header rows and more";
  }
}

}  // namespace

Error framing_error(const HeaderScan& scan, const char* message, std::uint64_t offset,
                    const FramerLimits& limits) {
  return Error(scan.fault(), "in the message at octet " + std::to_string(offset) + ": " +
                                 evidence(scan, message, limits))
      .with_offset(offset + scan.fault_position());
}

Error stray_break_error(Errc reason, std::uint64_t offset) {
  return Error(reason, reason == Errc::bare_line_feed ? "LF without CR between messages"
                                                      : "CR without LF between messages")
      .with_offset(offset);
}

Error empty_lines_error(std::uint64_t offset, const FramerLimits& limits) {
  return Error(Errc::too_many_empty_lines,
               "more empty lines before a start line than the limit of " +
                   std::to_string(limits.max_empty_lines))
      .with_offset(offset);
}

std::optional<std::uint16_t> suggested_status(const HeaderScan& scan) noexcept {
  if (!scan.has_start_line() || !scan.start_line().request) return std::nullopt;
  switch (scan.fault()) {
    case Errc::content_length_too_large:
      return 413;
    case Errc::header_too_large:
    case Errc::too_many_headers:
      return 513;
    case Errc::out_of_memory:
      return 500;
    default:
      return 400;
  }
}

}  // namespace siptls::sip
