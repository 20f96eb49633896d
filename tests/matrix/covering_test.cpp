// That the matrix leaves out what it says and nothing else, and that its plan is what it claims.
#include "matrix/covering.hpp"

#include <algorithm>
#include <random>
#include <set>

#include "catch.hpp"
#include "matrix/plan.hpp"

using namespace matrix;

namespace {

bool any_has(const std::vector<Row>& rows, const Tuple& tuple) {
  return std::any_of(rows.begin(), rows.end(), [&](const Row& row) { return has(row, tuple); });
}

void each_row(const Sizes& sizes, const std::function<void(const Row&)>& take) {
  Row row(sizes.size());
  for (;;) {
    take(row);
    std::size_t i = 0;
    while (i < row.size() && ++row[i] == sizes[i]) row[i++] = 0;
    if (i == row.size()) return;
  }
}

using Met = std::set<std::pair<Obstacle, bool>>;

void note_refused(const PairwisePlan& plan, FarLibrary library, Met& met) {
  for (const auto& part : plan.parts) {
    for (const Cell& cell : part.refused) {
      const Expectation expected = expect(cell, library);
      REQUIRE(expected.obstacles.size() == 1);
      CHECK_FALSE(expected.reasons.empty());
      met.emplace(*expected.obstacles.begin(), we_serve(cell));
    }
  }
}

}  // namespace

TEST_CASE("Every pair of values that some accepted row has is in a row of the covering") {
  const Sizes sizes{2, 3, 4, 3, 2};
  const auto accepts = [](const Row& row) {
    return (row[0] + row[1] + row[2]) % 3 != 0 && !(row[3] == 2 && row[4] == 1);
  };
  const Covering covering = cover(sizes, all_pairs(sizes), accepts);
  std::size_t reachable = 0;
  for (const Tuple& tuple : all_pairs(sizes)) {
    bool possible = false;
    each_row(sizes,
             [&](const Row& row) { possible = possible || (accepts(row) && has(row, tuple)); });
    CAPTURE(tuple.first, tuple.first_value, tuple.second, tuple.second_value);
    CHECK(any_has(covering.rows, tuple) == possible);
    reachable += possible ? 1U : 0U;
  }
  CHECK(covering.covered == reachable);
  CHECK(reachable + covering.unreachable.size() == all_pairs(sizes).size());
  CHECK(reachable < all_pairs(sizes).size());
  for (const Row& row : covering.rows) CHECK(accepts(row));
  // 4 x 3 is the least that two dimensions need.
  CHECK(covering.rows.size() >= 12);
  CHECK(covering.rows.size() <= 20);
}

TEST_CASE(
    "The pairwise form has every pair of values that cells have where both ends agree, and each "
    "obstacle alone") {
  Met met;
  for (const FarLibrary library : {FarLibrary::openssl, FarLibrary::gnutls}) {
    const PairwisePlan plan = plan_pairwise(library);
    note_refused(plan, library, met);
    std::vector<std::set<std::array<std::size_t, 4>>> covered(plan.parts.size());
    const auto each_pair = [](const Cell& cell, auto&& take) {
      for (std::size_t i = 0; i < kDimensions; ++i) {
        for (std::size_t j = i + 1; j < kDimensions; ++j) {
          take(std::array<std::size_t, 4>{i, cell[i], j, cell[j]});
        }
      }
    };
    for (std::size_t part = 0; part < plan.parts.size(); ++part) {
      const auto& of_part = plan.parts[part];
      for (const Cell& cell : of_part.agreeing) {
        const Expectation expected = expect(cell, library);
        CHECK((expected.agrees() && belongs(cell, expected, of_part.part)));
        each_pair(cell, [&](const auto& pair) { covered[part].insert(pair); });
      }
      CHECK(covered[part].size() == of_part.pairs);
      CHECK(of_part.pairs + of_part.clashing == all_pairs(dimension_sizes()).size());
    }
    std::mt19937_64 random(7);
    std::size_t agreeing = 0;
    std::size_t missing = 0;
    for (int round = 0; round < 30000; ++round) {
      Cell cell{};
      for (std::size_t i = 0; i < kDimensions; ++i) {
        cell[i] = static_cast<std::uint8_t>(random() % dimensions()[i].values.size());
      }
      const Expectation expected = expect(cell, library);
      if (!expected.agrees()) continue;
      ++agreeing;
      std::size_t part = 0;
      while (!belongs(cell, expected, plan.parts[part].part)) ++part;
      each_pair(cell, [&](const auto& pair) { missing += 1 - covered[part].count(pair); });
    }
    CHECK(agreeing > 1000);
    CHECK(missing == 0);
  }
  CHECK(met.size() == 2 * kObstacles);
}

TEST_CASE("The full form has each cell of its dimensions once") {
  std::set<std::array<std::uint8_t, kFullDimensions.size()>> seen;
  // Its numbers are mixed radix; a stretch and the end of them are enough to see that.
  constexpr std::uint64_t kStretch = 3000;
  const std::uint64_t all = full_cells();
  for (std::uint64_t i = 0; i < 2 * kStretch; ++i) {
    const std::uint64_t number = i < kStretch ? i : all - 1 - (i - kStretch);
    const Cell cell = full_cell(number, FarLibrary::openssl);
    std::array<std::uint8_t, kFullDimensions.size()> values{};
    for (std::size_t j = 0; j < values.size(); ++j) values[j] = cell[kFullDimensions[j]];
    seen.insert(values);
  }
  CHECK(seen.size() == 2 * kStretch);
}

TEST_CASE("A cell is read from the text that a failure prints") {
  for (std::uint64_t number = 0; number < full_cells(); number += 997) {
    const Cell cell = full_cell(number, FarLibrary::gnutls);
    CHECK(from_text(to_text(cell)) == cell);
  }
  CHECK_THROWS(from_text("role=nobody"));
}
