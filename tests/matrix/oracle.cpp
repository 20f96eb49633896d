#include "matrix/oracle.hpp"

#include <algorithm>
#include <optional>

namespace matrix {

using siptls::Errc;
using siptls::ProtocolVersion;

namespace {

using Codes = std::vector<std::uint16_t>;

constexpr std::uint16_t kHybrid = 0x11ec;  // X25519MLKEM768

bool contains(const Codes& codes, std::uint16_t code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

bool is_tls13(std::uint16_t suite) { return suite >> 8 == 0x13; }
bool is_static_rsa(std::uint16_t suite) { return suite >> 8 == 0; }

// RFC 8422 section 2.2: EdDSA certificates go with the ECDSA suites.
bool fits(std::uint16_t suite, Key key) {
  const bool rsa = key == kRsa2048 || key == kRsa3072;
  switch (suite) {
    case 0xc02b:
    case 0xc02c:
    case 0xcca9:
    case 0xc023:
    case 0xc009:
    case 0xc00a:
      return !rsa;
    default:
      return rsa;
  }
}

std::optional<ProtocolVersion> common_version(const Cell& cell) {
  const auto ours = cell[kOurVersions];
  const auto theirs = cell[kFarVersions];
  if (ours != kOnly12 && theirs != kOnly12) return ProtocolVersion::tls1_3;
  if (ours != kOnly13 && theirs != kOnly13) return ProtocolVersion::tls1_2;
  return std::nullopt;
}

// Both roles: our order. As server siptls insists on its own, and the far servers follow their
// client's.
Codes common(const Codes& ours, const Codes& theirs) {
  Codes both;
  std::copy_if(ours.begin(), ours.end(), std::back_inserter(both),
               [&](std::uint16_t code) { return contains(theirs, code); });
  return both;
}

// RFC 8446 section 4.2.8: the shares that the client's first hello brings.
Codes first_shares(const Cell& cell, const Codes& ours, FarLibrary library) {
  if (we_serve(cell)) return {far_groups(cell, library).front()};
  // A hybrid comes with the first classic group beside it.
  Codes shares{ours.front()};
  if (ours.front() == kHybrid && ours.size() > 1) shares.push_back(ours[1]);
  return shares;
}

// The group of a TLS 1.3 handshake, from those that both have.
std::uint16_t choose_group(const Cell& cell, const Codes& both, const Codes& shares,
                           FarLibrary library) {
  if (we_serve(cell)) return both.front();
  for (const std::uint16_t share : shares) {
    if (contains(both, share)) return share;
  }
  // OpenSSL asks for the first of its own groups, GnuTLS for the client's.
  if (library == FarLibrary::gnutls) return both.front();
  for (const std::uint16_t group : far_groups(cell, library)) {
    if (contains(both, group)) return group;
  }
  return 0;
}

void agree_on_tls13(const Cell& cell, const siptls::TlsPolicy& policy, FarLibrary library,
                    Expectation& result) {
  // TlsPolicy cannot choose among these three (BoringSSL has no more of them).
  result.suites = common({0x1301, 0x1302, 0x1303}, far_suites(cell, library));
  if (result.suites.empty()) result.obstacles.insert(Obstacle::suite);
  const Codes both = common(policy.groups, far_groups(cell, library));
  if (both.empty()) {
    result.obstacles.insert(Obstacle::group);
    return;
  }
  const Codes shares = first_shares(cell, policy.groups, library);
  result.group = choose_group(cell, both, shares, library);
  result.retried = !contains(shares, result.group);
}

void agree_on_tls12(const Cell& cell, const siptls::TlsPolicy& policy, FarLibrary library,
                    Expectation& result) {
  const auto server_key = static_cast<Key>(cell[kServerKey]);
  const Codes far = far_groups(cell, library);
  Codes ours = policy.groups;
  ours.erase(std::remove(ours.begin(), ours.end(), kHybrid), ours.end());
  const Codes groups = common(ours, far);
  Codes suites = common(policy.cipher_suites, far_suites(cell, library));
  suites.erase(std::remove_if(suites.begin(), suites.end(),
                              [&](std::uint16_t suite) {
                                return is_tls13(suite) || !fits(suite, server_key);
                              }),
               suites.end());
  const auto usable = std::find_if(suites.begin(), suites.end(), [&](std::uint16_t suite) {
    return is_static_rsa(suite) || !groups.empty();
  });
  if (suites.empty()) result.obstacles.insert(Obstacle::suite);
  if (usable == suites.end() && groups.empty()) result.obstacles.insert(Obstacle::group);
  if (usable != suites.end()) {
    result.suites = {*usable};
    result.group = is_static_rsa(*usable) ? std::uint16_t{0} : groups.front();
  }
  // RFC 8422 section 5.1: in TLS 1.2 the client's groups limit the curve of the server's
  // certificate as well. OpenSSL's server holds its client's certificate to its own groups, too.
  const bool openssl = library == FarLibrary::openssl;
  const std::uint16_t server_curve = curve_of(server_key);
  const std::uint16_t client_curve = curve_of(static_cast<Key>(cell[kClientKey]));
  const bool server_is_known =
      server_curve == 0 || contains(we_serve(cell) ? far : ours, server_curve);
  const bool client_is_known = !openssl || we_serve(cell) || !certificate_given(cell) ||
                               client_curve == 0 || contains(far, client_curve);
  if (!server_is_known || !client_is_known) result.obstacles.insert(Obstacle::curve);
}

void agree_on_protocol(const Cell& cell, Expectation& result) {
  const bool far_has_sip = cell[kFarAlpn] == kSip || cell[kFarAlpn] == kOtherThenSip;
  const bool far_has_any = cell[kFarAlpn] != kNoAlpn;
  const auto ours = static_cast<siptls::Alpn>(cell[kOurAlpn]);
  if (ours != siptls::Alpn::off && far_has_sip) result.protocol = "sip/2";
  // RFC 7301 section 3.2: no overlap between two that have lists is fatal. An end without list
  // leaves the extension out or ignores it.
  const bool clash = ours != siptls::Alpn::off && far_has_any && !far_has_sip;
  const bool missing = ours == siptls::Alpn::require && !far_has_any;
  if (clash || missing) result.obstacles.insert(Obstacle::application_protocol);
}

// What our end says where it is the one that finds out, and where it is told by an alert.
std::set<Errc> reasons_for(Obstacle obstacle, bool server, ProtocolVersion version,
                           FarLibrary library) {
  switch (obstacle) {
    case Obstacle::version:
      if (server) return {Errc::protocol_version_unsupported};
      // GnuTLS looks for a suite first, and each suite belongs to one version.
      if (library == FarLibrary::gnutls) {
        return {Errc::peer_rejected_version, Errc::protocol_version_unsupported,
                Errc::peer_found_nothing_in_common};
      }
      return {Errc::peer_rejected_version};
    case Obstacle::suite:
      if (server) return {Errc::no_common_cipher_suite};
      return {Errc::peer_found_nothing_in_common};
    case Obstacle::group:
      if (server) return {Errc::no_common_group};
      return {Errc::peer_found_nothing_in_common};
    case Obstacle::curve:
      // OpenSSL says illegal_parameter about a certificate of another curve, and handshake_failure
      // if its own would be one.
      if (server) return {Errc::no_common_group};
      if (library == FarLibrary::openssl) {
        return {Errc::peer_alert, Errc::peer_found_nothing_in_common};
      }
      return {Errc::no_common_group};
    case Obstacle::client_certificate:
      if (server) return {Errc::certificate_missing};
      // TLS 1.2 has no alert of its own for it (RFC 5246 section 7.4.6): OpenSSL sends
      // handshake_failure, GnuTLS decode_error.
      if (version == ProtocolVersion::tls1_2) {
        return {library == FarLibrary::openssl ? Errc::peer_found_nothing_in_common
                                               : Errc::peer_alert};
      }
      return {Errc::peer_rejected_certificate};
    case Obstacle::application_protocol:
      if (server) return {Errc::no_common_application_protocol};
      return {Errc::no_common_application_protocol, Errc::peer_found_nothing_in_common};
  }
  return {};
}

}  // namespace

const char* to_string(Obstacle obstacle) {
  switch (obstacle) {
    case Obstacle::version:
      return "version";
    case Obstacle::suite:
      return "suite";
    case Obstacle::group:
      return "group";
    case Obstacle::curve:
      return "curve";
    case Obstacle::client_certificate:
      return "client certificate";
    case Obstacle::application_protocol:
      return "application protocol";
  }
  return "?";
}

Expectation expect(const Cell& cell, FarLibrary library) {
  Expectation result;
  const siptls::TlsPolicy policy = policy_of(cell);
  const auto version = common_version(cell);
  if (!version) {
    result.obstacles.insert(Obstacle::version);
  } else if (*version == ProtocolVersion::tls1_3) {
    agree_on_tls13(cell, policy, library, result);
  } else {
    agree_on_tls12(cell, policy, library, result);
  }
  result.version = version.value_or(ProtocolVersion::tls1_3);
  agree_on_protocol(cell, result);
  if (cell[kClientCertificate] == kRequiredAbsent) {
    result.obstacles.insert(Obstacle::client_certificate);
  }
  result.client_proven = certificate_given(cell);
  result.resumable = resumption_of_both(cell);
  if (cell[kServerName] != kAbsent) {
    result.server_name =
        we_serve(cell) && cell[kServerName] == kUnusual ? "other.example" : "server.example";
  }
  for (const Obstacle obstacle : result.obstacles) {
    const auto more = reasons_for(obstacle, we_serve(cell), result.version, library);
    result.reasons.insert(more.begin(), more.end());
  }
  return result;
}

}  // namespace matrix
