#include "matrix/plan.hpp"

#include <algorithm>
#include <random>

namespace matrix {

std::uint64_t all_cells() {
  std::uint64_t count = 1;
  for (const std::size_t size : dimension_sizes()) count *= size;
  return count;
}

Row to_row(const Cell& cell) { return Row(cell.begin(), cell.end()); }

Cell to_cell(const Row& row) {
  Cell cell{};
  std::copy(row.begin(), row.end(), cell.begin());
  return cell;
}

bool belongs(const Cell& cell, const Expectation& expected, const Part& part) {
  const bool no_version = expected.obstacles.count(Obstacle::version) != 0;
  return we_serve(cell) == part.server && (no_version || expected.version == part.version);
}

PairwisePlan plan_pairwise(FarLibrary library) {
  PairwisePlan plan;
  const Sizes sizes = dimension_sizes();
  for (const Part& part : kParts) {
    PairwisePlan::Covered covered;
    covered.part = part;
    const auto search = [&](const std::vector<Tuple>& tuples, const std::set<Obstacle>& obstacles,
                            std::vector<Cell>& cells) {
      Covering found = cover(sizes, tuples, [&](const Row& row) {
        const Cell cell = to_cell(row);
        if (we_serve(cell) != part.server) return false;
        const Expectation expected = expect(cell, library);
        return expected.obstacles == obstacles && belongs(cell, expected, part);
      });
      for (const Row& row : found.rows) cells.push_back(to_cell(row));
      return found;
    };
    const Covering together = search(all_pairs(sizes), {}, covered.agreeing);
    covered.pairs = together.covered;
    covered.clashing = together.unreachable.size();
    for (std::size_t i = 0; i < kObstacles; ++i) {
      const auto obstacle = static_cast<Obstacle>(i);
      // Without a common version there is nothing to tell the two parts of a role apart.
      if (obstacle == Obstacle::version && part.version == kParts[0].version) continue;
      const Covering apart = search(all_values(sizes), {obstacle}, covered.refused);
      covered.refusals += apart.covered;
      covered.impossible += apart.unreachable.size();
    }
    plan.parts.push_back(std::move(covered));
  }
  return plan;
}

std::uint64_t full_cells() {
  std::uint64_t count = 1;
  for (const Dimension dimension : kFullDimensions) count *= dimensions()[dimension].values.size();
  return count;
}

Cell full_cell(std::uint64_t number, FarLibrary library) {
  Cell fixed{};
  std::array<bool, kDimensions> given{};
  std::uint64_t rest = number;
  for (const Dimension dimension : kFullDimensions) {
    const std::size_t size = dimensions()[dimension].values.size();
    fixed[dimension] = static_cast<std::uint8_t>(rest % size);
    given[dimension] = true;
    rest /= size;
  }
  constexpr int kAttempts = 12;
  std::mt19937_64 random(number);
  Cell cell{};
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    cell = fixed;
    for (std::size_t i = 0; i < kDimensions; ++i) {
      if (!given[i]) {
        cell[i] = static_cast<std::uint8_t>(random() % dimensions()[i].values.size());
      }
    }
    if (expect(cell, library).agrees()) break;
  }
  return cell;
}

}  // namespace matrix
