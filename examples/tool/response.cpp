#include "tool/response.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <random>
#include <string_view>
#include <vector>

namespace tool {
namespace {

using siptls::HeaderId;

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool equal_in_any_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

// Where the first `wanted` stands outside quoted strings and angle brackets; text.size() if
// nowhere.
std::size_t find_outside_quotes(std::string_view text, char wanted) {
  bool quoted = false;
  bool bracketed = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted) {
      if (text[i] == '\\')
        ++i;
      else if (text[i] == '"')
        quoted = false;
    } else if (text[i] == wanted && !bracketed) {
      return i;
    } else if (text[i] == '"') {
      quoted = true;
    } else if (text[i] == '<' || text[i] == '>') {
      bracketed = text[i] == '<';
    }
  }
  return text.size();
}

// "sent-by;branch=x;rport" -> "sent-by", "branch=x", "rport"
std::vector<std::string_view> split_parameters(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = find_outside_quotes(text, ';');
    parts.push_back(trim(text.substr(0, end)));
    if (end == text.size()) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string_view parameter_name(std::string_view parameter) {
  return trim(parameter.substr(0, parameter.find('=')));
}

}  // namespace

std::string complete_top_via(std::string_view row, std::string_view sent_by_host,
                             const siptls::Endpoint& remote) {
  const std::size_t end = find_outside_quotes(row, ',');
  const siptls::Result<siptls::Endpoint> sent_by = siptls::Endpoint::parse(sent_by_host, 0);
  bool wants_received = !sent_by || sent_by->address_text() != remote.address_text();
  std::string via;
  for (const std::string_view part : split_parameters(row.substr(0, end))) {
    // Only this server knows where the request came from.
    if (!via.empty() && equal_in_any_case(parameter_name(part), "received")) continue;
    via.append(via.empty() ? "" : ";").append(part);
    if (equal_in_any_case(part, "rport")) {
      via += fmt::format("={}", remote.port());
      wants_received = true;
    }
  }
  // An IPv6 address has no brackets here (RFC 3261 section 25.1, via-received).
  if (wants_received) via += ";received=" + remote.address_text();
  return via.append(row.substr(end));
}

namespace {

bool has_tag(std::string_view to) {
  const std::vector<std::string_view> parts = split_parameters(to);
  return std::any_of(parts.begin() + 1, parts.end(), [](std::string_view part) {
    return equal_in_any_case(parameter_name(part), "tag");
  });
}

// RFC 3261 section 19.3: random, with at least 32 bits.
std::string make_tag() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

// `rows` are further header rows, each with its CRLF.
std::string make(const siptls::SipMessageView& request, const siptls::Endpoint& remote,
                 std::uint16_t status, std::string_view reason_phrase, std::string_view rows) {
  std::string response = fmt::format("SIP/2.0 {} {}\r\n", status, reason_phrase);
  const std::optional<siptls::ViaView> top_via = request.top_via();
  bool is_top_via = true;
  for (std::size_t i = 0; i < request.row_count(); ++i) {
    const siptls::HeaderRow row = request.row(i);
    const std::string value = siptls::unfold(row.value);
    switch (row.id) {
      case HeaderId::via:
        response += fmt::format("Via: {}\r\n", is_top_via && top_via
                                                   ? complete_top_via(value, top_via->host, remote)
                                                   : value);
        is_top_via = false;
        break;
      case HeaderId::from:
        response += fmt::format("From: {}\r\n", value);
        break;
      case HeaderId::to:
        response += has_tag(value) ? fmt::format("To: {}\r\n", value)
                                   : fmt::format("To: {};tag={}\r\n", value, make_tag());
        break;
      case HeaderId::call_id:
        response += fmt::format("Call-ID: {}\r\n", value);
        break;
      case HeaderId::cseq:
        response += fmt::format("CSeq: {}\r\n", value);
        break;
      default:
        break;
    }
  }
  return response.append(rows).append("Content-Length: 0\r\n\r\n");
}

}  // namespace

std::string make_response(const siptls::SipMessageView& request, const siptls::Endpoint& remote) {
  return make(request, remote, 200, "OK", "");
}

std::string make_refusal(const siptls::SipMessageView& request, const siptls::Endpoint& remote,
                         const siptls::SipsRefusal& refusal) {
  std::string warning;
  if (!refusal.warning.empty()) {
    // RFC 3261 section 20.43: between code and text stands who warns.
    const std::size_t code_end = refusal.warning.find(' ');
    warning = fmt::format("Warning: {} siptls-server{}\r\n", refusal.warning.substr(0, code_end),
                          refusal.warning.substr(code_end));
  }
  return make(request, remote, refusal.status, refusal.reason_phrase, warning);
}

}  // namespace tool
