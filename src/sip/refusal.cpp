#include "sip/refusal.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "sip/header_names.hpp"
#include "sip/octets.hpp"

namespace siptls::sip {
namespace {

// Nobody needs to hear more than this about a message that was refused.
constexpr std::size_t kMaxResponse = 16 * 1024;

// The next row of `rest`, folds included, without its CRLF; none if it has not come whole, or at
// the empty line.
std::optional<std::string_view> next_row(std::string_view& rest) {
  std::size_t end = 0;
  for (;;) {
    end = rest.find("\r\n", end);
    // Whether a row ends here is known only with the octet behind it.
    if (end == std::string_view::npos || end == 0 || end + 2 >= rest.size()) return std::nullopt;
    if (!is_blank(rest[end + 2])) break;
    end += 2;
  }
  const std::string_view row = rest.substr(0, end);
  rest.remove_prefix(end + 2);
  return row;
}

// A value that means the same to everybody, on one line; none otherwise.
std::optional<std::string> plain(std::string_view value) {
  std::string out;
  value = trim_lws(value);
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value.compare(i, 2, "\r\n") == 0) {
      while (i + 1 < value.size() && is_lws(value[i + 1])) ++i;
      out += ' ';
      continue;
    }
    const auto octet = static_cast<unsigned char>(value[i]);
    if ((octet < ' ' && octet != '\t') || octet == 0x7f) return std::nullopt;
    out += value[i];
  }
  if (out.empty()) return std::nullopt;
  return out;
}

// What a response repeats of its request.
struct Repeated {
  std::string vias;
  std::string from, to, call_id, cseq;
  bool safe = true;

  void take(std::string_view row) {
    const auto colon = row.find(':');
    if (colon == std::string_view::npos) return;
    const HeaderId id = header_id(trim_lws(row.substr(0, colon)));
    std::string* const single = place_of(id);
    if (single == nullptr && id != HeaderId::via) return;
    const auto value = plain(row.substr(colon + 1));
    // Two of them, or one that cannot be repeated: which request would be answered is unknown.
    if (!value || (single != nullptr && !single->empty())) {
      safe = false;
    } else if (single != nullptr) {
      *single = *value;
    } else {
      vias += "Via: " + *value + "\r\n";
    }
  }
  bool complete() const {
    return safe && !vias.empty() && !from.empty() && !to.empty() && !call_id.empty() &&
           !cseq.empty();
  }

 private:
  std::string* place_of(HeaderId id) {
    switch (id) {
      case HeaderId::from:
        return &from;
      case HeaderId::to:
        return &to;
      case HeaderId::call_id:
        return &call_id;
      case HeaderId::cseq:
        return &cseq;
      default:
        return nullptr;
    }
  }
};

// RFC 3261 section 21.4.1: the reason phrase should name the problem.
std::string reason_phrase(std::uint16_t status, Errc reason) {
  if (status == 413) return "Request Entity Too Large";
  if (status == 513) return "Message Too Large";
  std::string phrase(to_string(reason));
  std::replace(phrase.begin(), phrase.end(), '_', ' ');
  phrase.front() = static_cast<char>(phrase.front() - 'a' + 'A');
  return phrase;
}

// Where the parameter that begins at `at`, or the address before the parameters, ends: at a
// semicolon that stands in no quoted string and in no angle brackets.
std::size_t end_of_part(std::string_view field, std::size_t at) {
  bool quoted = false;
  bool bracketed = false;
  for (; at < field.size(); ++at) {
    const char c = field[at];
    if (quoted && c == '\\') {
      ++at;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '<' || c == '>')) {
      bracketed = c == '<';
    } else if (!quoted && !bracketed && c == ';') {
      return at;
    }
  }
  return field.size();
}

bool has_tag(std::string_view to) {
  for (std::size_t at = end_of_part(to, 0); at < to.size();) {
    const std::size_t end = end_of_part(to, at + 1);
    const std::string_view parameter = to.substr(at + 1, end - at - 1);
    if (equal_ignoring_case(trim_lws(parameter.substr(0, parameter.find('='))), "tag")) return true;
    at = end;
  }
  return false;
}

// The same for the same request, as a stateless server has it (RFC 3261 section 8.2.7).
std::string tag_for(const Repeated& request) {
  std::uint64_t hash = 14695981039346656037u;
  for (const std::string* part : {&request.vias, &request.from, &request.call_id, &request.cseq}) {
    for (const char c : *part) {
      hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    }
  }
  std::string tag;
  for (int shift = 60; shift >= 0; shift -= 4) tag += "0123456789abcdef"[hash >> shift & 15];
  return tag;
}

}  // namespace

std::string refusal_response(std::string_view request, std::uint16_t status, Errc reason) {
  const auto start_line_end = request.find("\r\n");
  if (start_line_end == std::string_view::npos || request.starts_with("ACK ")) return {};
  request.remove_prefix(start_line_end + 2);
  Repeated repeated;
  while (const auto row = next_row(request)) repeated.take(*row);
  if (!repeated.complete()) return {};

  std::string response =
      "SIP/2.0 " + std::to_string(status) + ' ' + reason_phrase(status, reason) + "\r\n";
  response += repeated.vias;
  response += "From: " + repeated.from + "\r\n";
  response += "To: " + repeated.to;
  if (!has_tag(repeated.to)) response += ";tag=" + tag_for(repeated);
  response += "\r\nCall-ID: " + repeated.call_id + "\r\nCSeq: " + repeated.cseq +
              "\r\nContent-Length: 0\r\n\r\n";
  if (response.size() > kMaxResponse) return {};
  return response;
}

}  // namespace siptls::sip
