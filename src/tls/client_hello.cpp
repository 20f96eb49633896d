#include "tls/client_hello.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace siptls::tls {
namespace {

using Octets = std::span<const std::uint8_t>;

constexpr std::uint16_t kServerName = 0;
constexpr std::size_t kHostName = 0;
constexpr std::uint16_t kSupportedGroups = 10;
constexpr std::uint16_t kSignatureAlgorithms = 13;
constexpr std::uint16_t kAlpn = 16;
constexpr std::uint16_t kExtendedMasterSecret = 23;
constexpr std::uint16_t kSupportedVersions = 43;
constexpr std::uint16_t kRenegotiationInfo = 0xff01;
constexpr std::uint16_t kRenegotiationSignal = 0x00ff;

// Values that exist to test that receivers ignore what they do not know (RFC 8701).
bool is_grease(std::uint16_t value) noexcept {
  return (value & 0x0f0f) == 0x0a0a && (value >> 8) == (value & 0xff);
}

// Reads from the front; once something did not fit, everything fails.
class Reader {
 public:
  explicit Reader(Octets octets) noexcept : rest_(octets) {}

  bool ok() const noexcept { return ok_; }
  bool empty() const noexcept { return rest_.empty(); }

  Octets take(std::size_t count) noexcept {
    if (!ok_ || rest_.size() < count) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const Octets taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  std::size_t number(std::size_t width) noexcept {
    std::size_t value = 0;
    for (const std::uint8_t octet : take(width)) value = value << 8 | octet;
    return value;
  }
  // A vector with a length field of `width` octets.
  Octets vector(std::size_t width) noexcept { return take(number(width)); }

 private:
  Octets rest_;
  bool ok_ = true;
};

std::vector<std::uint16_t> numbers(Octets list) {
  std::vector<std::uint16_t> values;
  Reader reader(list);
  while (reader.ok() && !reader.empty()) {
    const auto value = static_cast<std::uint16_t>(reader.number(2));
    if (reader.ok() && !is_grease(value)) values.push_back(value);
  }
  return values;
}

std::vector<std::string> names(Octets list) {
  std::vector<std::string> values;
  Reader reader(list);
  while (reader.ok() && !reader.empty()) {
    const Octets name = reader.vector(1);
    if (reader.ok()) values.emplace_back(name.begin(), name.end());
  }
  return values;
}

void read_extension(std::uint16_t type, Octets content, ClientHello& hello) {
  Reader reader(content);
  switch (type) {
    case kSupportedVersions:
      hello.versions = numbers(reader.vector(1));
      break;
    case kSupportedGroups:
      hello.groups = numbers(reader.vector(2));
      break;
    case kSignatureAlgorithms:
      hello.signature_schemes = numbers(reader.vector(2));
      break;
    case kAlpn:
      hello.protocols = names(reader.vector(2));
      break;
    case kExtendedMasterSecret:
      hello.extended_master_secret = true;
      break;
    case kRenegotiationInfo:
      hello.secure_renegotiation = true;
      break;
    default:
      break;
  }
}

}  // namespace

bool ClientHello::offers_version(std::uint16_t version) const noexcept {
  return std::find(versions.begin(), versions.end(), version) != versions.end();
}

std::optional<ClientHello> parse_client_hello(Octets body) {
  ClientHello hello;
  Reader reader(body);
  const auto legacy_version = static_cast<std::uint16_t>(reader.number(2));
  reader.take(32);   // random
  reader.vector(1);  // session id
  hello.suites = numbers(reader.vector(2));
  reader.vector(1);  // compression methods
  if (!reader.ok()) return std::nullopt;

  // A hello of the old days ends here, without extensions.
  if (!reader.empty()) {
    Reader extensions(reader.vector(2));
    while (reader.ok() && extensions.ok() && !extensions.empty()) {
      const auto type = static_cast<std::uint16_t>(extensions.number(2));
      const Octets content = extensions.vector(2);
      if (extensions.ok()) read_extension(type, content, hello);
    }
    if (!reader.ok() || !extensions.ok()) return std::nullopt;
  }
  if (hello.versions.empty()) hello.versions.push_back(legacy_version);
  hello.secure_renegotiation =
      hello.secure_renegotiation || std::find(hello.suites.begin(), hello.suites.end(),
                                              kRenegotiationSignal) != hello.suites.end();
  return hello;
}

std::optional<std::string> server_name_of(const SSL_CLIENT_HELLO& hello) {
  const std::uint8_t* content = nullptr;
  std::size_t size = 0;
  if (!SSL_early_callback_ctx_extension_get(&hello, kServerName, &content, &size)) {
    return std::nullopt;
  }
  Reader extension(Octets(content, size));
  Reader list(extension.vector(2));
  while (list.ok() && !list.empty()) {
    const std::size_t type = list.number(1);
    const Octets name = list.vector(2);
    if (list.ok() && type == kHostName) return std::string(name.begin(), name.end());
  }
  return std::nullopt;
}

std::string version_name(std::uint16_t version) {
  switch (version) {
    case 0x0002:
      return "SSL 2.0";
    case 0x0300:
      return "SSL 3.0";
    case 0x0301:
      return "TLS 1.0";
    case 0x0302:
      return "TLS 1.1";
    case 0x0303:
      return "TLS 1.2";
    case 0x0304:
      return "TLS 1.3";
    default:
      return fmt::format("0x{:04X}", version);
  }
}

}  // namespace siptls::tls
