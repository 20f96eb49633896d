#include "matrix/cell.hpp"

#include <algorithm>
#include <cstring>
#include <sstream>
#include <stdexcept>

namespace matrix {

using siptls::ProtocolVersion;
using siptls::TlsPolicy;

const std::array<DimensionInfo, kDimensions>& dimensions() {
  static const std::array<DimensionInfo, kDimensions> all{{
      {"role", {"server", "client"}},
      {"our_versions", {"1.2", "1.3", "both"}},
      {"far_versions", {"1.2", "1.3", "both"}},
      {"suites",
       {"default", "aes128gcm", "aes256gcm", "chacha20", "cbc128", "cbc256", "cbc128sha256",
        "static_rsa", "ccm"}},
      {"policy", {"modern", "interop", "static_rsa_named"}},
      {"server_key", {"p256", "p384", "p521", "rsa2048", "rsa3072", "ed25519"}},
      {"client_key", {"p256", "p384", "p521", "rsa2048", "rsa3072", "ed25519"}},
      {"our_groups", {"default", "x25519", "p256", "p384"}},
      {"far_groups", {"default", "x25519", "p256", "p384", "p384_x25519"}},
      {"client_certificate",
       {"required_given", "requested_given", "requested_absent", "none", "required_absent"}},
      {"our_resumption", {"off", "tickets"}},
      {"far_tickets", {"off", "on"}},
      {"our_alpn", {"off", "offer", "require"}},
      {"far_alpn", {"none", "sip/2", "other", "other_and_sip/2"}},
      // The last one is a name in another spelling where we are the client, and a name that no
      // certificate has where we serve.
      {"server_name", {"sent", "absent", "unusual"}},
  }};
  return all;
}

std::vector<std::size_t> dimension_sizes() {
  std::vector<std::size_t> sizes;
  for (const DimensionInfo& dimension : dimensions()) sizes.push_back(dimension.values.size());
  return sizes;
}

std::string to_text(const Cell& cell) {
  std::string text;
  for (std::size_t i = 0; i < kDimensions; ++i) {
    const DimensionInfo& dimension = dimensions()[i];
    if (i > 0) text += ' ';
    text += std::string(dimension.name) + '=' + dimension.values[cell[i]];
  }
  return text;
}

Cell from_text(const std::string& text) {
  Cell cell{};
  std::istringstream words(text);
  std::string word;
  while (words >> word) {
    const auto equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const std::string wanted = equals == std::string::npos ? "" : word.substr(equals + 1);
    bool known = false;
    for (std::size_t i = 0; i < kDimensions; ++i) {
      const DimensionInfo& dimension = dimensions()[i];
      if (name != dimension.name) continue;
      const auto found = std::find_if(dimension.values.begin(), dimension.values.end(),
                                      [&](const char* one) { return wanted == one; });
      if (found == dimension.values.end()) break;
      cell[i] = static_cast<std::uint8_t>(found - dimension.values.begin());
      known = true;
    }
    if (!known) throw std::invalid_argument("no such value: " + word);
  }
  return cell;
}

std::uint16_t curve_of(Key key) {
  switch (key) {
    case kP256:
      return 0x17;
    case kP384:
      return 0x18;
    case kP521:
      return 0x19;
    default:
      return 0;
  }
}

namespace {

void set_versions(TlsPolicy& policy, std::uint8_t versions) {
  policy.min_version = versions == kOnly13 ? ProtocolVersion::tls1_3 : ProtocolVersion::tls1_2;
  policy.max_version = versions == kOnly12 ? ProtocolVersion::tls1_2 : ProtocolVersion::tls1_3;
}

void set_groups(TlsPolicy& policy, const Cell& cell) {
  if (cell[kOurGroups] != 0) {
    constexpr std::array<std::uint16_t, 3> kGroups{0x1d, 0x17, 0x18};
    policy.groups = {kGroups[cell[kOurGroups] - 1U]};
  }
  // TlsContext::create wants the curve of its own certificate there where TLS 1.2 is allowed.
  const std::uint16_t curve = curve_of(our_key(cell));
  const bool shows_one = we_serve(cell) || certificate_given(cell);
  if (shows_one && curve != 0 && policy.min_version == ProtocolVersion::tls1_2 &&
      std::find(policy.groups.begin(), policy.groups.end(), curve) == policy.groups.end()) {
    policy.groups.push_back(curve);
  }
}

siptls::ClientCertificate mode_of(std::uint8_t mode) {
  switch (mode) {
    case kRequestedGiven:
    case kRequestedAbsent:
      return siptls::ClientCertificate::requested;
    case kNotAsked:
      return siptls::ClientCertificate::none;
    default:
      return siptls::ClientCertificate::required;
  }
}

}  // namespace

TlsPolicy policy_of(const Cell& cell) {
  TlsPolicy policy = cell[kPolicy] == 0 ? TlsPolicy::modern() : TlsPolicy::interop();
  if (cell[kPolicy] == 2) {
    constexpr std::array<std::uint16_t, 4> kNamed{0x009c, 0x009d, 0x002f, 0x0035};
    policy.cipher_suites.insert(policy.cipher_suites.end(), kNamed.begin(), kNamed.end());
  }
  set_versions(policy, cell[kOurVersions]);
  set_groups(policy, cell);
  policy.client_certificate = mode_of(cell[kClientCertificate]);
  policy.resumption =
      cell[kOurResumption] == 0 ? siptls::Resumption::off : siptls::Resumption::tickets;
  policy.alpn = static_cast<siptls::Alpn>(cell[kOurAlpn]);
  return policy;
}

std::vector<std::uint16_t> far_suites(const Cell& cell, FarLibrary library) {
  // Each family with its suites of TLS 1.3, if it has any.
  static const std::array<std::vector<std::uint16_t>, 9> families{{
      {0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc023, 0xc027, 0xc009, 0xc013, 0xc00a,
       0xc014, 0x009c, 0x009d, 0x002f, 0x0035, 0x1301, 0x1302, 0x1303},
      {0xc02b, 0xc02f, 0x1301},
      {0xc02c, 0xc030, 0x1302},
      {0xcca9, 0xcca8, 0x1303},
      {0xc009, 0xc013},
      {0xc00a, 0xc014},
      {0xc023, 0xc027},
      {0x009c, 0x009d, 0x002f, 0x0035},
      {0xc0ac, 0x1304},
  }};
  std::vector<std::uint16_t> codes = families[cell[kSuites]];
  const bool gnutls = library == FarLibrary::gnutls;
  if (cell[kSuites] == kDefaultSuites && gnutls) {
    // Without SHA-256 as MAC.
    codes.erase(std::remove_if(codes.begin(), codes.end(),
                               [](std::uint16_t code) { return code == 0xc023 || code == 0xc027; }),
                codes.end());
  }
  const bool legacy = cell[kSuites] >= kCbc128 && cell[kSuites] <= kStaticRsa;
  if (legacy && gnutls && cell[kFarVersions] != kOnly12) {
    // GnuTLS has one list of ciphers for both versions; see gnutls_end.cpp.
    codes.push_back(0x1302);
    if (cell[kSuites] == kStaticRsa) {
      codes.push_back(0x1301);
    } else {
      codes.insert(codes.end(), {0xc02c, 0xc030});
    }
  } else if (legacy) {
    codes.insert(codes.end(), {0x1301, 0x1302, 0x1303});
  }
  return codes;
}

std::vector<std::uint16_t> far_groups(const Cell& cell, FarLibrary library) {
  switch (cell[kFarGroups]) {
    case 0:
      break;
    case 1:
      return {0x1d};
    case 2:
      return {0x17};
    case 3:
      return {0x18};
    default:
      return {0x18, 0x1d};
  }
  if (library == FarLibrary::gnutls) return {0x17, 0x18, 0x19, 0x1d, 0x1e};
  return {0x1d, 0x17, 0x1e, 0x19, 0x18};
}

std::string far_group_names(const Cell& cell) {
  constexpr std::array<const char*, 5> kNames{"", "X25519", "P-256", "P-384", "P-384,X25519"};
  return kNames[cell[kFarGroups]];
}

}  // namespace matrix
