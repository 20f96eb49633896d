#include "siptls/sips.hpp"

#include <cstddef>

#include "sip/octets.hpp"

namespace siptls {
namespace {

using sip::equal_ignoring_case;

// What is behind `scheme:`; none if the URI has another scheme.
std::optional<std::string_view> after_scheme(std::string_view uri,
                                             std::string_view scheme) noexcept {
  if (uri.size() <= scheme.size() || uri[scheme.size()] != ':' ||
      !equal_ignoring_case(uri.substr(0, scheme.size()), scheme)) {
    return std::nullopt;
  }
  return uri.substr(scheme.size() + 1);
}

// Takes the first of the comma-separated addresses of a Contact or Route value away from its front.
std::string_view take_address(std::string_view& value) noexcept {
  bool quoted = false;
  bool bracketed = false;
  std::size_t end = 0;
  for (; end < value.size(); ++end) {
    const char c = value[end];
    if (quoted && c == '\\') {
      ++end;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '<' || c == '>')) {
      bracketed = c == '<';
    } else if (!quoted && !bracketed && c == ',') {
      break;
    }
  }
  const std::string_view address = value.substr(0, end);
  value.remove_prefix(end < value.size() ? end + 1 : value.size());
  return address;
}

// The URI of one address: what is between "<" and ">", or else what comes before the parameters
// (RFC 3261 section 20).
std::string_view uri_of(std::string_view address) noexcept {
  bool quoted = false;
  for (std::size_t i = 0; i < address.size(); ++i) {
    const char c = address[i];
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && c == '<') {
      const std::size_t close = address.find('>', i);
      if (close == std::string_view::npos) return {};
      return sip::trim_lws(address.substr(i + 1, close - i - 1));
    }
  }
  return sip::trim_lws(address.substr(0, address.find(';')));
}

std::string_view first_uri(std::string_view value) noexcept { return uri_of(take_address(value)); }

bool all_sips(std::string_view value) noexcept {
  while (!value.empty()) {
    if (!is_sips(uri_of(take_address(value)))) return false;
  }
  return true;
}

}  // namespace

bool is_sips(std::string_view uri) noexcept { return after_scheme(uri, "sips").has_value(); }

std::optional<std::string_view> uri_host(std::string_view uri) noexcept {
  auto rest = after_scheme(uri, "sip");
  if (!rest) rest = after_scheme(uri, "sips");
  if (!rest) return std::nullopt;
  // The user part may hold ";", "?" and "/" but no "@"; behind it no "@" is possible before the
  // headers (RFC 3261 section 25.1).
  const std::size_t at = rest->find('@');
  std::string_view host = at == std::string_view::npos ? *rest : rest->substr(at + 1);
  if (!host.empty() && host.front() == '[') {
    const std::size_t close = host.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    const std::string_view behind = host.substr(close + 1);
    if (!behind.empty() && behind.find_first_of(":;?") != 0) return std::nullopt;
    host = host.substr(1, close - 1);
  } else {
    host = host.substr(0, host.find_first_of(":;?"));
  }
  if (host.empty() || host.find_first_of(" \t\r\n<>\"@,") != std::string_view::npos) {
    return std::nullopt;
  }
  return host;
}

std::optional<SipsRefusal> judge_sips(const SipMessageView& request, SipsMode mode) noexcept {
  if (!request.is_request()) return std::nullopt;
  const bool sips = is_sips(request.request_uri());
  if (mode == SipsMode::disabled && sips) {
    return SipsRefusal{480, "Temporarily Unavailable", "380 \"SIPS Not Allowed\""};
  }
  if (mode == SipsMode::required && !sips) {
    return SipsRefusal{480, "Temporarily Unavailable", "381 \"SIPS Required\""};
  }
  if (!sips) return std::nullopt;
  // There "*" stands for every binding, and is no URI (RFC 3261 section 10.2.2).
  const bool registers = request.method() == "REGISTER";
  for (std::size_t i = 0; i < request.row_count(); ++i) {
    const HeaderRow row = request.row(i);
    if (row.id != HeaderId::contact || (registers && sip::trim_lws(row.value) == "*")) continue;
    if (!all_sips(row.value)) {
      return SipsRefusal{400, "SIPS Request-URI with a Contact that is not SIPS", {}};
    }
  }
  return std::nullopt;
}

bool requires_tls(const SipMessageView& request) noexcept {
  if (is_sips(request.request_uri())) return true;
  const auto route = request.find(HeaderId::route);
  return route && is_sips(first_uri(route->value));
}

}  // namespace siptls
