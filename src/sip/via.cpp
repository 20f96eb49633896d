#include "sip/via.hpp"

#include <cstddef>
#include <cstdint>

#include "sip/octets.hpp"

namespace siptls::sip {
namespace {

// Takes a value apart from its front. LWS, folds included, may stand between any two elements.
class Reader {
 public:
  explicit Reader(std::string_view text) noexcept : text_(text) {}

  void skip_lws() noexcept {
    while (!text_.empty() && is_lws(text_.front())) text_.remove_prefix(1);
  }
  bool at_end() const noexcept { return text_.empty(); }
  char peek() const noexcept { return text_.empty() ? '\0' : text_.front(); }
  bool take(char c) noexcept {
    if (peek() != c || text_.empty()) return false;
    text_.remove_prefix(1);
    return true;
  }
  // `c` with LWS around it.
  bool take_separator(char c) noexcept {
    skip_lws();
    if (!take(c)) return false;
    skip_lws();
    return true;
  }
  std::string_view take_token() noexcept {
    return take_while([](char c) { return is_token(c); });
  }
  template <typename Predicate>
  std::string_view take_while(Predicate predicate) noexcept {
    std::size_t size = 0;
    while (size < text_.size() && predicate(text_[size])) ++size;
    const std::string_view taken = text_.substr(0, size);
    text_.remove_prefix(size);
    return taken;
  }
  // `"..."` with its quotes; empty if it does not end.
  std::string_view take_quoted() noexcept {
    for (std::size_t i = 1; i < text_.size(); ++i) {
      if (text_[i] == '\\') {
        ++i;
      } else if (text_[i] == '"') {
        const std::string_view taken = text_.substr(0, i + 1);
        text_.remove_prefix(i + 1);
        return taken;
      }
    }
    return {};
  }

 private:
  std::string_view text_;
};

bool is_address_octet(char c) noexcept {
  return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f') || c == ':' || c == '.';
}

// An IPv6 address in brackets, or a name or IPv4 address; empty if there is neither.
std::string_view read_host(Reader& reader) noexcept {
  if (reader.peek() != '[') {
    return reader.take_while([](char c) {
      return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z') || c == '-' || c == '.' ||
             c == '_';
    });
  }
  bool closed = false;
  bool good = true;
  const std::string_view host = reader.take_while([&, first = true](char c) mutable {
    if (closed) return false;
    closed = c == ']';
    good = good && (closed || first || is_address_octet(c));
    first = false;
    return good;
  });
  return closed && good && host.size() > 2 ? host : std::string_view{};
}

std::optional<std::uint16_t> read_port(std::string_view digits) noexcept {
  std::uint32_t port = 0;
  for (const char c : digits) {
    if (!is_digit(c)) return std::nullopt;
    port = port * 10 + static_cast<std::uint32_t>(c - '0');
    if (port > 65535) return std::nullopt;
  }
  if (digits.empty()) return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

// The value of a parameter behind its "=". `received` may hold an IPv6 address, with brackets or
// without (RFC 5118 section 4.5), whose colons are no token.
std::optional<std::string_view> read_parameter_value(Reader& reader) noexcept {
  if (reader.peek() == '"') {
    const std::string_view quoted = reader.take_quoted();
    if (quoted.empty()) return std::nullopt;
    return quoted;
  }
  const std::string_view value =
      reader.take_while([](char c) { return is_token(c) || c == ':' || c == '[' || c == ']'; });
  if (value.empty()) return std::nullopt;
  return value;
}

void store_parameter(ViaView& via, std::string_view name, std::string_view value) noexcept {
  if (equal_ignoring_case(name, "branch")) {
    via.branch = value;
  } else if (equal_ignoring_case(name, "received")) {
    via.received = value;
  } else if (equal_ignoring_case(name, "rport")) {
    via.rport = value;
  } else if (equal_ignoring_case(name, "keep")) {
    via.keep = value;
  } else if (equal_ignoring_case(name, "alias")) {
    via.alias = true;
  }
}

// `SIP / 2.0 / TLS`; the transport, or nothing.
std::string_view read_protocol(Reader& reader) noexcept {
  if (!equal_ignoring_case(reader.take_token(), "SIP") || !reader.take_separator('/')) return {};
  if (reader.take_token().empty() || !reader.take_separator('/')) return {};
  return reader.take_token();
}

}  // namespace

std::optional<ViaView> read_via(std::string_view value) noexcept {
  Reader reader(value);
  ViaView via;
  reader.skip_lws();
  via.transport = read_protocol(reader);
  if (via.transport.empty() || !is_lws(reader.peek())) return std::nullopt;
  reader.skip_lws();
  via.host = read_host(reader);
  if (via.host.empty()) return std::nullopt;
  if (reader.take_separator(':')) {
    via.port = read_port(reader.take_while(is_digit));
    if (!via.port) return std::nullopt;
  }
  while (reader.take_separator(';')) {
    const std::string_view name = reader.take_token();
    if (name.empty()) {
      // Nothing between two semicolons, or behind the last one: harmless.
      if (reader.at_end() || reader.peek() == ';' || reader.peek() == ',') continue;
      return std::nullopt;
    }
    std::string_view parameter_value;
    if (reader.take_separator('=')) {
      const auto read = read_parameter_value(reader);
      if (!read) return std::nullopt;
      parameter_value = *read;
    }
    store_parameter(via, name, parameter_value);
  }
  reader.skip_lws();
  if (!reader.at_end() && reader.peek() != ',') return std::nullopt;
  return via;
}

}  // namespace siptls::sip
