#include "sip/start_line.hpp"

#include <cstddef>

#include "sip/octets.hpp"

namespace siptls::sip {
namespace {

// The length of `SIP/1*DIGIT.1*DIGIT` at the beginning of `text`, in any case (RFC 3261 section
// 7.1); 0 if there is none.
std::size_t version_length(std::string_view text) noexcept {
  if (text.size() < 7 || !equal_ignoring_case(text.substr(0, 4), "SIP/")) return 0;
  std::size_t i = 4;
  while (i < text.size() && is_digit(text[i])) ++i;
  if (i == 4 || i == text.size() || text[i] != '.') return 0;
  const std::size_t minor = ++i;
  while (i < text.size() && is_digit(text[i])) ++i;
  return i == minor ? 0 : i;
}

void store_request_line(std::size_t line_size, std::size_t method_end, std::size_t uri_begin,
                        std::size_t uri_end, StartLine& out) noexcept {
  out.size = static_cast<std::uint32_t>(line_size);
  out.request = true;
  out.method_end = static_cast<std::uint32_t>(method_end);
  out.target_begin = static_cast<std::uint32_t>(uri_begin);
  out.target_end = static_cast<std::uint32_t>(uri_end);
  out.status = 0;
}

bool read_request_line(std::string_view line, std::size_t method_end, StartLine& out) noexcept {
  if (read_usual_request_line(line, method_end, out)) return true;
  std::size_t end = line.size();
  while (line[end - 1] == ' ') --end;  // ends at the method at the latest
  const std::size_t last_space = line.rfind(' ', end - 1);
  if (last_space == std::string_view::npos || last_space < method_end) return false;
  const std::size_t version = last_space + 1;
  if (version_length(line.substr(version, end - version)) != end - version) return false;
  std::size_t uri_begin = method_end + 1;
  while (uri_begin < last_space && line[uri_begin] == ' ') ++uri_begin;
  std::size_t uri_end = last_space;
  while (uri_end > uri_begin && line[uri_end - 1] == ' ') --uri_end;
  if (uri_begin >= uri_end) return false;
  store_request_line(line.size(), method_end, uri_begin, uri_end, out);
  return true;
}

bool read_status_line(std::string_view line, StartLine& out) noexcept {
  const std::size_t version = version_length(line);
  if (version == 0 || version == line.size() || line[version] != ' ') return false;
  const std::size_t code = version + 1;
  std::size_t i = code;
  while (i < line.size() && is_digit(line[i])) ++i;
  // The reason phrase may be empty; the space before it may not be left out.
  if (i == code || i == line.size() || line[i] != ' ') return false;
  out.request = false;
  out.method_end = 0;
  out.status = 0;
  if (i - code == 3) {
    out.status = static_cast<std::uint16_t>((line[code] - '0') * 100 + (line[code + 1] - '0') * 10 +
                                            (line[code + 2] - '0'));
  }
  out.target_begin = static_cast<std::uint32_t>(i + 1);
  out.target_end = static_cast<std::uint32_t>(line.size());
  return true;
}

}  // namespace

bool read_usual_request_line(std::string_view line, std::size_t method_size,
                             StartLine& out) noexcept {
  constexpr std::string_view kVersion = " SIP/2.0";
  const std::size_t uri = method_size + 1;
  if (line.size() <= uri + kVersion.size()) return false;
  const std::size_t uri_end = line.size() - kVersion.size();
  if (line.substr(uri_end) != kVersion || line[uri] == ' ' || line[uri_end - 1] == ' ') {
    return false;
  }
  store_request_line(line.size(), method_size, uri, uri_end, out);
  return true;
}

bool read_start_line(std::string_view line, StartLine& out) noexcept {
  out.size = static_cast<std::uint32_t>(line.size());
  std::size_t method_end = 0;
  while (method_end < line.size() && is_token(line[method_end])) ++method_end;
  if (method_end == line.size()) return false;
  if (method_end > 0 && line[method_end] == ' ') return read_request_line(line, method_end, out);
  return read_status_line(line, out);
}

}  // namespace siptls::sip
