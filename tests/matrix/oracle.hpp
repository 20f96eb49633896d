// What must come of a cell, from both configurations and the standards; nothing here asks a TLS
// library.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "matrix/cell.hpp"
#include "siptls/error.hpp"

namespace matrix {

// Why two ends cannot come together.
enum class Obstacle : std::uint8_t {
  version,
  suite,
  group,
  curve,               // of an ECDSA certificate, in TLS 1.2
  client_certificate,  // none where one is required
  application_protocol,
};
inline constexpr std::size_t kObstacles = 6;
const char* to_string(Obstacle obstacle);

struct Expectation {
  // Empty: both ends come together. Otherwise one of these ends it, whichever is met first.
  std::set<Obstacle> obstacles;
  std::set<siptls::Errc> reasons;  // that our end may give for it

  // If they come together:
  siptls::ProtocolVersion version = siptls::ProtocolVersion::tls1_3;
  std::vector<std::uint16_t> suites;  // one of them
  std::uint16_t group = 0;            // 0: none is used
  bool retried = false;               // HelloRetryRequest
  std::string protocol;
  bool client_proven = false;
  bool resumable = false;
  std::string server_name;  // as the server sees it

  bool agrees() const { return obstacles.empty(); }
};

Expectation expect(const Cell& cell, FarLibrary library);

}  // namespace matrix
