// siptls-relay: SIP over TLS for a stack that speaks TCP alone.
//
// Inside, on the loopback interface, is plain TCP; outside is siptls. The inner stack has the relay
// as its outbound proxy (--inner-listen), and gets what comes from outside at its own TCP address
// (--inner). The relay is a stateless proxy of RFC 3261: it puts in its Via, records its route on
// both sides (RFC 5658), takes its own Route entries out, and counts Max-Forwards. So the inner
// stack need not know of TLS: its Via and Contact may say TCP.
// A side without a listener is named by its connection's own address; requests of a dialog then
// come back as long as that connection lives. A REGISTER gets no Path: its registrar has to use the
// flow that it came on (RFC 5626), and the relay keeps flows apart.
// What is sips outside arrives inside by TCP: the loopback interface counts as part of this
// element. So of its two Record-Route only the outer one is sips, though RFC 3261 section 16.6 asks
// for both: a stack that insists on sips in the one that it sees cannot be served. A response
// passes only if the peer that sends it, or gets it, has proven the same as the one that the
// request went to, or came from; on which connection does not matter. No extension is known, so a
// request with Proxy-Require is answered with 420.
//
// What a peer has proven stands in one header field, e.g.
//     Siptls-Identity: a.example;source=sip_uri, b.example;source=sip_uri
// in each message that goes inside; it is not there if the peer has proven nothing. Whatever comes
// with that name, from outside or inside, is taken out. It is worth as much as the inner stack's
// own port is out of reach: whoever connects to that directly can write any header.
#include <fmt/format.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <csignal>

#include "relay.hpp"
#include "tool/command_line.hpp"
#include "tool/tls_setup.hpp"

namespace {

using namespace siptls;

constexpr std::size_t kMebibyte = std::size_t{1024} * 1024;

const tool::Usage kUsage{
    "siptls-relay", "Carries the SIP of a stack that speaks TCP over TLS, until SIGINT or SIGTERM.",
    tool::with_tls_options({
        {"--listen", "IP[:PORT]", "where TLS peers connect; needs --inner"},
        {"--inner", "IP:PORT", "the inner stack, which gets their requests (loopback)"},
        {"--inner-listen", "IP:PORT", "where the inner stack connects (loopback)"},
        {"--next-hop", "IP[:PORT]", "where its requests go; needs --inner-listen"},
        {"--domain", "NAME", "what the next hop must prove"},
        {"--advertise", "HOST[:PORT]", "own name outside, for Via and Record-Route"},
        {"--identity-header", "NAME", "tells the inner stack who the peer is (Siptls-Identity)"},
        {"--client-cert", "required|requested|none", "what clients must prove (required)"},
        {"--allow", "IDENTITY", "let in these identities only", tool::Option::Repeat::yes},
        {"--keep-alive", "DURATION", "ping the next hop at that interval"},
        {"--max-connections", "N", "at one time (20000)"},
        {"--max-buffered", "MIB", "held of all TLS connections together (256)"},
        {"--drain", "DURATION", "at the end, for open transactions (5s)"},
    }),
    ""};

// The header of identities is believed inside, and nothing is encrypted there.
Endpoint loopback(const char* name, const std::string& text) {
  const Endpoint at = tool::CommandLine::endpoint(name, text, 5060);
  const std::string address = at.address_text();
  if (address != "::1" && address.substr(0, 4) != "127.") {
    throw tool::UsageError(fmt::format("{}: {} is no loopback address", name, address));
  }
  return at;
}

// host:port as Via and Record-Route have it: nothing else could be found, or told apart again.
std::string advertised(const std::string& text) {
  const bool has_port =
      text.rfind(':') != text.npos && text.find(']', text.rfind(':')) == text.npos;
  std::string whole = has_port ? text : fmt::format("{}:{}", text, kDefaultPort);
  const std::string host = whole.substr(0, whole.rfind(':'));
  const std::string port = whole.substr(whole.rfind(':') + 1);
  const bool is_name = !host.empty() && host.front() != '.' && host.find("..") == host.npos &&
                       std::all_of(host.begin(), host.end(), [](unsigned char c) {
                         return (std::isalnum(c) != 0) || c == '-' || c == '.' || c == '_';
                       });
  const bool is_address = !host.empty() && host.front() == '[' && Endpoint::parse(host, 1);
  unsigned number = 0;
  const char* const end = port.data() + port.size();
  const auto [stop, error] = std::from_chars(port.data(), end, number);
  if (!(is_name || is_address) || error != std::errc() || stop != end || number == 0 ||
      number > 65535) {
    throw tool::UsageError(fmt::format("--advertise: \"{}\" is no host[:port]", text));
  }
  return whole;
}

// What would be ignored in silence, `option`, is a mistake without `other`.
void check_needed(const tool::CommandLine& arguments, const char* option, const char* other) {
  if (arguments.has(option) && !arguments.has(other)) {
    throw tool::UsageError(fmt::format("{} needs {}", option, other));
  }
}

relay::Settings read_settings(const tool::CommandLine& arguments) {
  relay::Settings settings;
  const auto together = [&](const char* a, const char* b) {
    if (arguments.has(a) != arguments.has(b)) {
      throw tool::UsageError(fmt::format("{} and {} go together", a, b));
    }
    return arguments.has(a);
  };
  if (together("--listen", "--inner")) {
    settings.listen = tool::CommandLine::endpoint("--listen", arguments.required("--listen"));
    settings.inner = loopback("--inner", arguments.required("--inner"));
    const std::string address = settings.listen->address_text();
    if ((address == "0.0.0.0" || address == "::") && !arguments.has("--advertise")) {
      throw tool::UsageError("--advertise is missing: nobody can send to " + address);
    }
  }
  if (together("--inner-listen", "--next-hop")) {
    settings.inner_listen = loopback("--inner-listen", arguments.required("--inner-listen"));
    Target next_hop;
    next_hop.remotes = {
        tool::CommandLine::endpoint("--next-hop", arguments.required("--next-hop"))};
    next_hop.domain = arguments.required("--domain");
    if (arguments.has("--keep-alive")) {
      next_hop.keep_alive.emplace();
      next_hop.keep_alive->interval =
          arguments.duration("--keep-alive", next_hop.keep_alive->interval);
    }
    settings.next_hop = std::move(next_hop);
  }
  for (const char* option : {"--domain", "--keep-alive"}) {
    check_needed(arguments, option, "--next-hop");
  }
  for (const char* option : {"--client-cert", "--allow"}) {
    check_needed(arguments, option, "--listen");
  }
  if (arguments.has("--allow") && arguments.value("--client-cert") == "none") {
    throw tool::UsageError("--allow: nobody proves an identity with --client-cert none");
  }
  if (!settings.listen && !settings.inner_listen) {
    throw tool::UsageError("--listen with --inner, or --inner-listen with --next-hop, is missing");
  }
  if (arguments.has("--advertise")) {
    settings.advertise = advertised(arguments.required("--advertise"));
  }
  settings.identity_header = arguments.value("--identity-header").value_or("Siptls-Identity");
  if (!relay::is_good_header_name(settings.identity_header)) {
    throw tool::UsageError(fmt::format("--identity-header: \"{}\" cannot be the relay's own header",
                                       settings.identity_header));
  }
  settings.drain = arguments.duration("--drain", settings.drain);
  return settings;
}

Result<TlsContext> make_context(const tool::CommandLine& arguments, ConnectionRole role) {
  TlsPolicy policy = tool::read_policy(arguments);
  policy.client_certificate = arguments.choice("--client-cert", ClientCertificate::required,
                                               {{"required", ClientCertificate::required},
                                                {"requested", ClientCertificate::requested},
                                                {"none", ClientCertificate::none}});
  Result<TlsContextConfig> config = tool::load_tls(arguments, std::move(policy), role);
  if (!config) return Unexpected(config.error());
  if (role == ConnectionRole::server) config->allowed_peers = arguments.values("--allow");
  return TlsContext::create(*std::move(config));
}

// SIGINT and SIGTERM as something to wait for.
relay::Descriptor open_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return relay::Descriptor(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

int serve(const tool::CommandLine& arguments, const tool::Output& output) {
  const relay::Descriptor signals = open_signals();
  relay::Settings settings = read_settings(arguments);
  std::optional<TlsContext> server;
  if (settings.listen) {
    Result<TlsContext> context = make_context(arguments, ConnectionRole::server);
    if (!context) return output.fail(context.error());
    server = *std::move(context);
  }
  if (settings.next_hop) {
    Result<TlsContext> context = make_context(arguments, ConnectionRole::client);
    if (!context) return output.fail(context.error());
    // With a domain that nobody can prove each connection would fail.
    const std::string& domain = settings.next_hop->domain;
    const auto session = TlsSession::client(*context, domain, Clock::system()->now());
    if (!session) return output.fail(session.error());
    settings.next_hop->context = *std::move(context);
  }
  TransportOptions options;
  options.limits.max_connections =
      arguments.number("--max-connections", options.limits.max_connections, 1, 1'000'000);
  options.limits.max_buffered_bytes =
      kMebibyte * arguments.number("--max-buffered", 256, 2, 1'000'000);
  // The longest message that the framer takes must fit.
  options.limits.max_queued_bytes = 2 * kMebibyte;
  Result<TlsTransport> transport = TlsTransport::create(options);
  if (!transport) return output.fail(transport.error());
  relay::Relay relay(*transport, std::move(settings), output);
  if (const Result<void> opened = relay.open(server); !opened) return output.fail(opened.error());
  return relay.run(signals.get());
}

}  // namespace

int main(int argc, char** argv) { return tool::run(kUsage, argc, argv, serve); }
