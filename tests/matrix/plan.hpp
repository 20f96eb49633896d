// Which cells are run.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "matrix/cell.hpp"
#include "matrix/covering.hpp"
#include "matrix/oracle.hpp"

namespace matrix {

// Cells of the whole matrix: every value of each dimension with every other.
std::uint64_t all_cells();

Row to_row(const Cell& cell);
Cell to_cell(const Row& row);

// What a part of the pairwise form is about: one role, and one version where both ends agree.
struct Part {
  bool server;
  siptls::ProtocolVersion version;
};
inline constexpr std::array<Part, 4> kParts{{{true, siptls::ProtocolVersion::tls1_2},
                                             {true, siptls::ProtocolVersion::tls1_3},
                                             {false, siptls::ProtocolVersion::tls1_2},
                                             {false, siptls::ProtocolVersion::tls1_3}}};
bool belongs(const Cell& cell, const Expectation& expected, const Part& part);

// A failure hides what would have come after it. So pairs count only in cells where both ends
// agree; and each single value counts beside each obstacle, in cells where that is the only one.
// Both hold for each part.
struct PairwisePlan {
  struct Covered {
    Part part{};
    std::vector<Cell> agreeing;
    std::vector<Cell> refused;
    std::size_t pairs = 0;       // that agreeing cells have
    std::size_t clashing = 0;    // that none can have
    std::size_t refusals = 0;    // (obstacle, value) that cells with that obstacle alone have
    std::size_t impossible = 0;  // that none can have
  };
  std::vector<Covered> parts;
};
PairwisePlan plan_pairwise(FarLibrary library);

// The dimensions that the full form multiplies out; the rest turns with the count.
inline constexpr std::array<Dimension, 9> kFullDimensions{
    kRole,          kOurVersions, kSuites,    kServerKey, kFarGroups, kClientCertificate,
    kOurResumption, kOurAlpn,     kServerName};
std::uint64_t full_cells();
// Cell `number` of the full form. The other dimensions are chosen so that both ends agree if one of
// a few attempts finds that.
Cell full_cell(std::uint64_t number, FarLibrary library);

}  // namespace matrix
