#include "forwarding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "siptls/sips.hpp"
#include "tool/response.hpp"

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

// The URI of a Route element, without its angle brackets.
std::string_view uri_of(std::string_view route) {
  std::size_t begin = 0;
  if (!route.empty() && route.front() == '"') {  // a display name may hold anything
    for (begin = 1; begin < route.size() && route[begin] != '"'; ++begin) {
      if (route[begin] == '\\') ++begin;
    }
  }
  const std::size_t open = route.find('<', begin);
  const std::string_view uri = open == route.npos ? route : route.substr(open + 1);
  return trim(uri.substr(0, uri.find('>')));
}

// host:port of a URI, the transport's own port if it names none.
std::string host_port_of(std::string_view uri, std::string_view default_port) {
  uri = uri.substr(uri.find(':') + 1);  // npos + 1 is 0
  uri = uri.substr(0, uri.find_first_of(";?"));
  uri = trim(uri.substr(uri.find('@') + 1));
  const std::size_t colon = uri.rfind(':');
  const bool has_port = colon != uri.npos && uri.find(']', colon) == uri.npos;
  return has_port ? std::string(uri) : fmt::format("{}:{}", uri, default_port);
}

bool is_own_route(std::string_view route, const Hop& hop) {
  const auto names = [uri = uri_of(route)](const Side& side) {
    return equal_in_any_case(host_port_of(uri, side.transport == "TLS" ? "5061" : "5060"),
                             side.sent_by);
  };
  return names(hop.from) || names(hop.to);
}

// What is left of the topmost Route when that which the relay had recorded has done its work (RFC
// 3261 section 16.4). The rows above `row` are used up.
struct TopRoute {
  std::size_t row = 0;
  std::string value;
};

TopRoute top_route(const SipMessageView& request, const Hop& hop) {
  for (std::size_t i = 0; i < request.row_count(); ++i) {
    if (request.row(i).id != HeaderId::route) continue;
    const std::string routes = siptls::unfold(request.row(i).value);
    std::string_view left = trim(routes);
    while (!left.empty() && is_own_route(left.substr(0, first_element_size(left)), hop)) {
      left = rest_of(left);
    }
    if (!left.empty()) return {i, std::string(left)};
  }
  return {request.row_count(), ""};
}

// The octets of a row, its CRLF included.
std::string_view row_octets(const SipMessageView& message, std::size_t index) {
  const char* begin = message.row(index).name.data();
  const std::string_view header = message.header();
  const char* end = index + 1 < message.row_count() ? message.row(index + 1).name.data()
                                                    : header.data() + header.size() - 2;
  return {begin, static_cast<std::size_t>(end - begin)};
}

// RFC 3261 section 16.6, item 4. The inner side is the exception: a sips URI would promise TLS
// where the inner stack has none, and send it to a port that does not speak it. There the loopback
// interface stands for TLS.
std::string record_route(const Side& side, bool is_sips) {
  if (side.transport != "TLS") {
    return fmt::format("Record-Route: <sip:{};transport=tcp;lr>\r\n", side.sent_by);
  }
  // In sips TLS is understood; the parameter is deprecated there (section 26.2.2).
  return is_sips ? fmt::format("Record-Route: <sips:{};lr>\r\n", side.sent_by)
                 : fmt::format("Record-Route: <sip:{};transport=tls;lr>\r\n", side.sent_by);
}

// RFC 3261 section 16.3, item 3, and 16.6, item 3: what a request has left, or none if that cannot
// be read. Without Max-Forwards it leaves with 70.
std::optional<unsigned> hops_left(const SipMessageView& request) {
  const std::optional<HeaderRow> row = request.find(HeaderId::max_forwards);
  if (!row) return 71;
  const std::string_view text = row->value;
  unsigned hops = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), hops);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return hops;
}

// Every option tag that the request requires of proxies, from all rows.
std::string required_of_proxies(const SipMessageView& request) {
  std::string tags;
  for (std::size_t i = 0; i < request.row_count(); ++i) {
    const HeaderRow row = request.row(i);
    if (!equal_in_any_case(row.name, "Proxy-Require")) continue;
    const std::string value = siptls::unfold(row.value);
    for (std::string_view left = trim(value); !left.empty(); left = rest_of(left)) {
      const std::string_view tag = trim(left.substr(0, first_element_size(left)));
      if (!tag.empty()) tags.append(tags.empty() ? "" : ", ").append(tag);
    }
  }
  return tags;
}

// RFC 3261 section 16.3.
std::optional<Refused> refusal_of(const SipMessageView& request) {
  const std::optional<siptls::ViaView> via = request.top_via();
  // A branch of RFC 2543 does not tell transactions apart, so none can be made of it here.
  if (!via || !via->branch || via->branch->substr(0, kCookie.size()) != kCookie) {
    return Refused{400, "Via Without a Branch of RFC 3261", ""};
  }
  const std::optional<unsigned> hops = hops_left(request);
  if (!hops) return Refused{400, "Bad Max-Forwards", ""};
  if (*hops == 0) return Refused{483, "Too Many Hops", ""};
  // The relay knows no extension. These two have to go where their INVITE went.
  if (request.method() == "ACK" || request.method() == "CANCEL") return {};
  std::string required = required_of_proxies(request);
  if (!required.empty()) return Refused{420, "Bad Extension", std::move(required)};
  return {};
}

// Letters, digits, "-", "." and "_" as they are, all else by its number: a part of a branch that
// "~" can follow.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool is_plain = (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') ||
                          std::string_view("-._").find(c) != std::string_view::npos;
    out += is_plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

// How every branch begins that stands for a request to or from that peer.
std::string branch_begin(std::string_view peer) {
  return fmt::format("{}{}{}~", kCookie, kMark, escaped(peer));
}

std::string sent_by(const siptls::ViaView& via) {
  return via.port ? fmt::format("{}:{}", via.host, *via.port) : std::string(via.host);
}

// The same for a request, its CANCEL and its ACK, as RFC 3261 section 16.11 wants of a stateless
// proxy; and another for another peer, or another client of that peer, whose branch is the same.
// The connection is not in it: a response may come on a new one.
std::string branch_of(const siptls::ViaView& via, std::string_view peer) {
  return fmt::format("{}{}~{}", branch_begin(peer), escaped(sent_by(via)),
                     via.branch->substr(kCookie.size()));
}

// Empty if the message does not tell what it belongs to: nobody waits for it then.
std::string transaction_of(const SipMessageView& message, std::string_view branch) {
  const std::optional<siptls::CSeqView> cseq = message.cseq();
  return cseq ? fmt::format("{} {}", branch, cseq->method) : "";
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
  return {std::move(out), ""};
}

std::string identity_row(const IdentityHeader& identity) {
  return identity.value.empty() ? "" : fmt::format("{}: {}\r\n", identity.name, identity.value);
}

Outcome forward_request(const SipMessageView& request, const Hop& hop,
                        const IdentityHeader& identity) {
  if (std::optional<Refused> refused = refusal_of(request)) return *std::move(refused);
  const siptls::ViaView top_via = *request.top_via();
  const std::string branch = branch_of(top_via, hop.peer);
  const TopRoute route = top_route(request, hop);
  std::string more =
      fmt::format("Via: SIP/2.0/{} {};branch={}\r\n", hop.to.transport, hop.to.sent_by, branch);
  // Two, since the transport changes here (RFC 5658). A registration has no dialog.
  if (request.method() != "REGISTER") {
    const bool is_sips =
        siptls::is_sips(request.request_uri()) ||
        siptls::is_sips(uri_of(route.value.substr(0, first_element_size(route.value))));
    more += record_route(hop.to, is_sips) + record_route(hop.from, is_sips);
  }
  if (!request.find(HeaderId::max_forwards)) more += "Max-Forwards: 70\r\n";
  more += identity_row(identity);

  bool is_top_via = true;
  const auto keep = [&](std::string& out, std::size_t index, const HeaderRow& row) {
    if (equal_in_any_case(row.name, identity.name)) return;
    if (row.id == HeaderId::max_forwards) {
      out.append(fmt::format("Max-Forwards: {}\r\n", *hops_left(request) - 1));
    } else if (row.id == HeaderId::route && index <= route.row) {
      if (index == route.row) out.append(fmt::format("Route: {}\r\n", route.value));
    } else if (row.id == HeaderId::via && std::exchange(is_top_via, false)) {
      // As a response to the request repeats it (RFC 3261 section 18.2.1).
      const std::string received = siptls::unfold(row.value);
      const std::string via = tool::complete_top_via(received, top_via.host, hop.sender);
      out.append(via == received ? std::string(row_octets(request, index))
                                 : fmt::format("Via: {}\r\n", via));
    } else {
      out.append(row_octets(request, index));
    }
  };
  Forwarded forwarded = rebuild(request, more, keep);
  forwarded.transaction = transaction_of(request, branch);
  return forwarded;
}

// RFC 3261 section 16.7, item 3.
Outcome forward_response(const SipMessageView& response, const Hop& hop,
                         const IdentityHeader& identity) {
  const std::optional<siptls::ViaView> via = response.top_via();
  const std::string begin = branch_begin(hop.peer);
  // A response to a request that the relay never sent (section 18.1.2), or had sent to or from
  // somebody else.
  if (!via || !via->branch || via->branch->substr(0, begin.size()) != begin ||
      !equal_in_any_case(sent_by(*via), hop.from.sent_by)) {
    return Dropped{"its top Via is not one that the relay has written for this peer"};
  }
  bool is_top_via = true;
  bool has_via = false;
  Forwarded forwarded =
      rebuild(response, identity_row(identity),
              [&](std::string& out, std::size_t index, const HeaderRow& row) {
                if (equal_in_any_case(row.name, identity.name)) return;
                if (row.id != HeaderId::via || !std::exchange(is_top_via, false)) {
                  has_via = has_via || row.id == HeaderId::via;
                  out.append(row_octets(response, index));
                  return;
                }
                const std::string vias = siptls::unfold(row.value);
                const std::string_view left = rest_of(trim(vias));
                has_via = !left.empty();
                if (has_via) out.append(fmt::format("Via: {}\r\n", left));
              });
  if (!has_via) return Dropped{"it has no Via but the relay's"};
  forwarded.transaction = transaction_of(response, *via->branch);
  return forwarded;
}

}  // namespace

Outcome forward(const SipMessageView& message, const Hop& hop, const IdentityHeader& identity) {
  return message.is_request() ? forward_request(message, hop, identity)
                              : forward_response(message, hop, identity);
}

std::string make_response(const SipMessageView& request, const siptls::Endpoint& sender,
                          const Refused& refused) {
  std::string response =
      tool::make_refusal(request, sender, {refused.status, refused.reason_phrase, ""});
  if (!refused.unsupported.empty()) {
    response.insert(response.find("\r\n") + 2,
                    fmt::format("Unsupported: {}\r\n", refused.unsupported));
  }
  return response;
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
