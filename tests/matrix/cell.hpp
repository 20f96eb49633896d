// A cell of the matrix: one value of each dimension, for one other library.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "siptls/tls_policy.hpp"

namespace matrix {

// What siptls is ("our" end) and what the other library is (the "far" end).
enum Dimension : std::size_t {
  kRole,
  kOurVersions,
  kFarVersions,
  kSuites,  // of the far end
  kPolicy,  // our preset
  kServerKey,
  kClientKey,
  kOurGroups,
  kFarGroups,
  kClientCertificate,
  kOurResumption,
  kFarTickets,
  kOurAlpn,
  kFarAlpn,
  kServerName,
  kDimensions
};

struct DimensionInfo {
  const char* name;
  std::vector<const char*> values;
};
const std::array<DimensionInfo, kDimensions>& dimensions();

using Cell = std::array<std::uint8_t, kDimensions>;
std::vector<std::size_t> dimension_sizes();
// "role=server our_versions=1.2 ...", from which a failed cell can be run again alone.
std::string to_text(const Cell& cell);
Cell from_text(const std::string& text);

enum class FarLibrary : std::uint8_t { openssl, gnutls };

// --- What the values mean ---

enum Versions : std::uint8_t { kOnly12, kOnly13, kBoth };
enum Suites : std::uint8_t {
  kDefaultSuites,
  kAes128Gcm,
  kAes256Gcm,
  kChaCha20,
  kCbc128,
  kCbc256,
  kCbc128Sha256,
  kStaticRsa,
  kCcm,
};
enum Key : std::uint8_t { kP256, kP384, kP521, kRsa2048, kRsa3072, kEd25519, kKeys };
enum ClientMode : std::uint8_t {
  kRequiredGiven,
  kRequestedGiven,
  kRequestedAbsent,
  kNotAsked,
  kRequiredAbsent,
};
enum FarAlpn : std::uint8_t { kNoAlpn, kSip, kOther, kOtherThenSip };
enum ServerName : std::uint8_t { kNamed, kAbsent, kUnusual };

inline bool we_serve(const Cell& cell) { return cell[kRole] == 0; }
inline Key our_key(const Cell& cell) {
  return static_cast<Key>(cell[we_serve(cell) ? kServerKey : kClientKey]);
}
inline Key far_key(const Cell& cell) {
  return static_cast<Key>(cell[we_serve(cell) ? kClientKey : kServerKey]);
}
inline bool certificate_given(const Cell& cell) {
  return cell[kClientCertificate] == kRequiredGiven || cell[kClientCertificate] == kRequestedGiven;
}
inline bool resumption_of_both(const Cell& cell) {
  return cell[kOurResumption] == 1 && cell[kFarTickets] == 1;
}

// Our policy in this cell.
siptls::TlsPolicy policy_of(const Cell& cell);
// The codes that the far end offers or accepts; its own order plays no part.
std::vector<std::uint16_t> far_suites(const Cell& cell, FarLibrary library);
// In its order.
std::vector<std::uint16_t> far_groups(const Cell& cell, FarLibrary library);
// The same as a list of names for the far end; empty for its own.
std::string far_group_names(const Cell& cell);
// The code of the curve of such a key; 0 for others.
std::uint16_t curve_of(Key key);

}  // namespace matrix
