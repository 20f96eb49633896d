#include "forwarding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace relay {

using siptls::HeaderId;
using siptls::HeaderRow;
using siptls::SipMessageView;

namespace {

constexpr std::string_view kCookie = "z9hG4bK";  // RFC 3261 section 8.1.1.7
// Behind the cookie in every branch of the relay.
constexpr std::string_view kMark = "siptls-relay-";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool equal_in_any_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// The length of the first element of a list: up to a comma that stands neither in a quoted string
// nor in an address's angle brackets.
std::size_t first_element_size(std::string_view list) {
  bool is_quoted = false;
  bool is_in_brackets = false;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const char c = list[i];
    if (is_quoted) {
      if (c == '\\') ++i;
      is_quoted = c != '"';
    } else if (c == '"') {
      is_quoted = true;
    } else if (c == '<' || c == '>') {
      is_in_brackets = c == '<';
    } else if (c == ',' && !is_in_brackets) {
      return i;
    }
  }
  return list.size();
}

// `list` without its first element.
std::string_view rest_of(std::string_view list) {
  const std::size_t size = first_element_size(list);
  return size == list.size() ? std::string_view() : trim(list.substr(size + 1));
}

// host:port of the URI of a Route element, the transport's own port if it names none.
std::string host_port_of(std::string_view route, std::string_view default_port) {
  const std::size_t open = route.find('<');
  std::string_view uri = open == route.npos ? route : route.substr(open + 1);
  uri = uri.substr(0, uri.find('>'));
  uri = uri.substr(uri.find(':') + 1);  // npos + 1 is 0
  uri = uri.substr(0, uri.find_first_of(";?"));
  uri = trim(uri.substr(uri.find('@') + 1));
  const std::size_t colon = uri.rfind(':');
  const bool has_port = colon != uri.npos && uri.find(']', colon) == uri.npos;
  return has_port ? std::string(uri) : fmt::format("{}:{}", uri, default_port);
}

bool is_own_route(std::string_view route, const Side& a, const Side& b) {
  const auto names = [route](const Side& side) {
    return equal_in_any_case(host_port_of(route, side.transport == "TLS" ? "5061" : "5060"),
                             side.sent_by);
  };
  return names(a) || names(b);
}

// The octets of a row, its CRLF included.
std::string_view row_octets(const SipMessageView& message, std::size_t index) {
  const char* begin = message.row(index).name.data();
  const std::string_view header = message.header();
  const char* end = index + 1 < message.row_count() ? message.row(index + 1).name.data()
                                                    : header.data() + header.size() - 2;
  return {begin, static_cast<std::size_t>(end - begin)};
}

std::string record_route(const Side& side) {
  return fmt::format("Record-Route: <sip:{};transport={};lr>\r\n", side.sent_by,
                     side.transport == "TLS" ? "tls" : "tcp");
}

// RFC 3261 section 16.3, item 3, and 16.6, item 3: the value to go on with.
std::optional<unsigned> hops_left(std::string_view max_forwards) {
  unsigned hops = 0;
  const auto [end, error] =
      std::from_chars(max_forwards.data(), max_forwards.data() + max_forwards.size(), hops);
  if (error != std::errc() || end != max_forwards.data() + max_forwards.size()) return {};
  return hops;
}

// Start line and body as they are; `more` above the rows that `keep` leaves (it appends them).
template <typename Keep>
Forwarded rebuild(const SipMessageView& message, std::string_view more, const Keep& keep) {
  std::string out;
  out.reserve(message.bytes().size() + more.size() + 16);
  out.append(message.start_line()).append("\r\n").append(more);
  for (std::size_t i = 0; i < message.row_count(); ++i) keep(out, i, message.row(i));
  out.append("\r\n");
  out.append(reinterpret_cast<const char*>(message.body().data()), message.body().size());
  return {std::move(out)};
}

std::string identity_row(const IdentityHeader& identity) {
  return identity.value.empty() ? "" : fmt::format("{}: {}\r\n", identity.name, identity.value);
}

Outcome forward_request(const SipMessageView& request, const Side& from, const Side& to,
                        const IdentityHeader& identity) {
  const std::optional<siptls::ViaView> via = request.top_via();
  // A branch of RFC 2543 does not tell transactions apart, so none can be made of it here.
  if (!via || !via->branch || via->branch->substr(0, kCookie.size()) != kCookie) {
    return Refused{400, "Via Without a Branch of RFC 3261"};
  }
  const std::optional<HeaderRow> max_forwards = request.find("Max-Forwards");
  const std::optional<unsigned> hops =
      max_forwards ? hops_left(max_forwards->value) : std::optional(71U);
  if (!hops) return Refused{400, "Bad Max-Forwards"};
  if (*hops == 0) return Refused{483, "Too Many Hops"};

  // The same for a request, its CANCEL and its ACK, as section 16.11 wants of a stateless proxy.
  std::string more = fmt::format("Via: SIP/2.0/{} {};branch={}{}{}\r\n", to.transport, to.sent_by,
                                 kCookie, kMark, via->branch->substr(kCookie.size()));
  // Two, since the transport changes here (RFC 5658). A registration has no dialog.
  if (request.method() != "REGISTER") more += record_route(to) + record_route(from);
  if (!max_forwards) more += "Max-Forwards: 70\r\n";
  more += identity_row(identity);

  bool is_top_route = true;
  return rebuild(request, more, [&](std::string& out, std::size_t index, const HeaderRow& row) {
    if (equal_in_any_case(row.name, identity.name)) return;
    if (row.id == HeaderId::max_forwards) {
      out.append(fmt::format("Max-Forwards: {}\r\n", *hops - 1));
    } else if (row.id == HeaderId::route && is_top_route) {
      // Section 16.4: what the relay had recorded has done its work.
      const std::string routes = siptls::unfold(row.value);
      std::string_view left = trim(routes);
      while (!left.empty() && is_own_route(left.substr(0, first_element_size(left)), from, to)) {
        left = rest_of(left);
      }
      is_top_route = left.empty();
      if (!left.empty()) out.append(fmt::format("Route: {}\r\n", left));
    } else {
      out.append(row_octets(request, index));
    }
  });
}

Outcome forward_response(const SipMessageView& response, const Side& from,
                         const IdentityHeader& identity) {
  const std::optional<siptls::ViaView> via = response.top_via();
  const std::string mark = std::string(kCookie).append(kMark);
  // Section 16.7, item 3 and section 18.1.2: a response to a request that the relay never sent.
  if (!via || !via->branch || via->branch->substr(0, mark.size()) != mark ||
      !equal_in_any_case(host_port_of(fmt::format("sip:{}{}", via->host,
                                                  via->port ? fmt::format(":{}", *via->port) : ""),
                                      ""),
                         from.sent_by)) {
    return Dropped{"its top Via is not the relay's"};
  }
  bool is_top_via = true;
  return rebuild(response, identity_row(identity),
                 [&](std::string& out, std::size_t index, const HeaderRow& row) {
                   if (equal_in_any_case(row.name, identity.name)) return;
                   if (row.id != HeaderId::via || !is_top_via) {
                     out.append(row_octets(response, index));
                     return;
                   }
                   is_top_via = false;
                   const std::string vias = siptls::unfold(row.value);
                   const std::string_view left = rest_of(trim(vias));
                   if (!left.empty()) out.append(fmt::format("Via: {}\r\n", left));
                 });
}

}  // namespace

Outcome forward(const SipMessageView& message, const Side& from, const Side& to,
                const IdentityHeader& identity) {
  if (message.is_request()) return forward_request(message, from, to, identity);
  return forward_response(message, from, identity);
}

std::string identity_value(const siptls::PeerInfo& peer) {
  std::string value;
  if (!peer.authenticated()) return value;
  for (const siptls::Identity& identity : peer.path->identities) {
    // Names have been parsed as names; this one must not be able to end the row all the same.
    const bool is_plain =
        std::all_of(identity.name.begin(), identity.name.end(), [](unsigned char c) {
          return std::string_view("-.:_*[]").find(static_cast<char>(c)) != std::string_view::npos ||
                 (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
        });
    if (!is_plain || identity.name.empty()) continue;
    value += fmt::format("{}{};source={}", value.empty() ? "" : ", ", identity.name,
                         to_string(identity.source));
  }
  return value;
}

bool is_good_header_name(std::string_view name) {
  constexpr std::array<std::string_view, 13> kTaken = {
      "via", "route",   "record-route", "max-forwards", "content-length", "content-type", "from",
      "to",  "call-id", "cseq",         "contact",      "proxy-require",  "require"};
  const bool is_token = std::all_of(name.begin(), name.end(), [](char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("-.!%*_+`'~").find(c) != std::string_view::npos;
  });
  // One letter is the compact form of some field.
  return name.size() > 1 && is_token &&
         std::none_of(kTaken.begin(), kTaken.end(),
                      [name](std::string_view taken) { return equal_in_any_case(name, taken); });
}

}  // namespace relay
