#include "runner/shim_flags.hpp"

#include <cstdlib>
#include <functional>
#include <map>
#include <string_view>
#include <tuple>

#include "siptls/cipher_suites.hpp"

namespace siptls_runner {
namespace {

using Value = const std::string&;

// The runner's spelling of versions that siptls has; the floor of what it may ask for is lowered to
// TLS 1.0 by default, so an older `-min-version` changes nothing.
bool set_max(Flags& flags, std::uint64_t version) {
  if (version < 0x0303) return false;
  flags.max_version = static_cast<std::uint16_t>(version);
  return version <= 0x0304;
}

bool set_min(Flags& flags, std::uint64_t version) {
  if (version >= 0x0303) flags.min_version = static_cast<std::uint16_t>(version);
  return version <= 0x0304;
}

// A list of names is all that a TlsPolicy knows: no classes, no operators.
bool set_suites(Flags& flags, std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find(':');
    const siptls::CipherSuite* suite = siptls::find_cipher_suite(text.substr(0, end));
    if (suite == nullptr) return false;
    flags.suites.push_back(suite->code);
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
  }
  return !flags.suites.empty();
}

// One list serves for signing and for what is accepted.
bool add_scheme(Flags& flags, std::uint64_t scheme) {
  for (const std::uint16_t known : flags.signature_schemes) {
    if (known == scheme) return true;
  }
  flags.signature_schemes.push_back(static_cast<std::uint16_t>(scheme));
  return true;
}

std::uint64_t number(Value text) { return std::strtoull(text.c_str(), nullptr, 0); }
std::uint16_t short_number(Value text) { return static_cast<std::uint16_t>(number(text)); }

// False from one of these: asks for what siptls does not do.
using Switch = std::function<bool(Flags&)>;
using Setting = std::function<bool(Flags&, Value)>;

const std::map<std::string_view, Switch>& switches() {
  static const std::map<std::string_view, Switch> all = {
      {"-server", [](Flags& f) { return f.is_server = true; }},
      {"-ipv6", [](Flags&) { return true; }},
      {"-verify-peer", [](Flags& f) { return f.requests_certificate = true; }},
      {"-require-any-client-certificate", [](Flags& f) { return f.requires_certificate = true; }},
      {"-no-ticket", [](Flags& f) { return f.no_ticket = true; }},
      {"-no-tls13", [](Flags& f) { return set_max(f, 0x0303); }},
      {"-no-tls12", [](Flags& f) { return set_min(f, 0x0304); }},
      {"-shim-writes-first", [](Flags& f) { return f.shim_writes_first = true; }},
      {"-shim-shuts-down", [](Flags& f) { return f.shim_shuts_down = true; }},
      {"-check-close-notify", [](Flags& f) { return f.check_close_notify = true; }},
      {"-expect-session-miss", [](Flags& f) { return f.expects_session_miss = true; }},
      // How siptls always is.
      {"-async", [](Flags&) { return true; }},
      {"-no-tls1", [](Flags&) { return true; }},
      {"-no-tls11", [](Flags&) { return true; }},
      {"-use-custom-verify-callback", [](Flags&) { return true; }},
      {"-reverify-on-resume", [](Flags&) { return true; }},
      {"-implicit-handshake", [](Flags&) { return true; }},
      {"-renegotiate-explicit", [](Flags&) { return false; }},
      {"-expect-secure-renegotiation", [](Flags&) { return true; }},
      {"-enforce-rsa-key-usage", [](Flags&) { return true; }},
  };
  return all;
}

const std::map<std::string_view, Setting>& settings() {
  static const std::map<std::string_view, Setting> all = {
      {"-port", [](Flags& f, Value v) { return (f.port = short_number(v)) != 0; }},
      {"-shim-id", [](Flags& f, Value v) { return (f.shim_id = number(v)).has_value(); }},
      {"-key-file", [](Flags& f, Value v) { return !(f.key_file = v).empty(); }},
      {"-cert-file", [](Flags& f, Value v) { return !(f.cert_file = v).empty(); }},
      {"-host-name", [](Flags& f, Value v) { return !(f.host_name = v).empty(); }},
      {"-max-version", [](Flags& f, Value v) { return set_max(f, number(v)); }},
      {"-min-version", [](Flags& f, Value v) { return set_min(f, number(v)); }},
      {"-cipher", [](Flags& f, Value v) { return set_suites(f, v); }},
      {"-curves", [](Flags& f, Value v) { return f.groups.push_back(short_number(v)), true; }},
      {"-signing-prefs", [](Flags& f, Value v) { return add_scheme(f, number(v)); }},
      {"-verify-prefs", [](Flags& f, Value v) { return add_scheme(f, number(v)); }},
      {"-read-size", [](Flags& f, Value v) { return (f.read_size = number(v)) != 0; }},
      {"-resume-count", [](Flags& f, Value v) { return f.resume_count = short_number(v), true; }},
      {"-expect-version",
       [](Flags& f, Value v) { return (f.expected_version = short_number(v)).has_value(); }},
      {"-expect-curve-id",
       [](Flags& f, Value v) { return (f.expected_group = short_number(v)).has_value(); }},
      {"-expect-cipher",
       [](Flags& f, Value v) { return (f.expected_cipher = short_number(v)).has_value(); }},
  };
  return all;
}

}  // namespace

bool same_policy(const Flags& a, const Flags& b) {
  const auto facts = [](const Flags& f) {
    return std::tie(f.min_version, f.max_version, f.suites, f.groups, f.signature_schemes,
                    f.requests_certificate, f.requires_certificate, f.no_ticket);
  };
  return facts(a) == facts(b);
}

std::optional<Parsed> parse_flags(int count, char** words, std::string& why) {
  Parsed parsed;
  for (int i = 0; i < count; ++i) {
    std::string name = words[i];
    why = name;
    bool initial = true;
    bool resumed = true;
    if (name.rfind("-on-initial-", 0) == 0) {
      name.erase(1, 11);
      resumed = false;
    } else if (name.rfind("-on-resume-", 0) == 0) {
      name.erase(1, 10);
      initial = false;
    } else if (name.rfind("-on-shim-", 0) == 0) {
      name.erase(1, 8);
    }
    const auto apply = [&](const auto& change) {
      return (!initial || change(parsed.initial)) && (!resumed || change(parsed.resumed));
    };
    if (const auto found = switches().find(name); found != switches().end()) {
      if (!apply(found->second)) return std::nullopt;
    } else if (const auto setting = settings().find(name); setting != settings().end()) {
      if (++i == count) return std::nullopt;
      const std::string value = words[i];
      if (!apply([&](Flags& flags) { return setting->second(flags, value); })) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  return parsed;
}

}  // namespace siptls_runner
