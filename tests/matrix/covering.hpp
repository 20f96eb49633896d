// Covering arrays: few rows in which every pair of values that can stand together does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace matrix {

using Row = std::vector<std::uint8_t>;
using Sizes = std::vector<std::size_t>;
using Accepts = std::function<bool(const Row&)>;

// `first` and `second` are dimensions; both the same where single values are to be covered.
struct Tuple {
  std::size_t first;
  std::uint8_t first_value;
  std::size_t second;
  std::uint8_t second_value;
};
std::vector<Tuple> all_values(const Sizes& sizes);
std::vector<Tuple> all_pairs(const Sizes& sizes);
bool has(const Row& row, const Tuple& tuple);

struct Covering {
  std::vector<Row> rows;
  std::size_t covered = 0;         // tuples
  std::vector<Tuple> unreachable;  // no row was found that has them and is accepted
};

// Rows that `accepts`, chosen greedily so that each has as many tuples as possible that no earlier
// one has. The same arguments give the same rows.
Covering cover(const Sizes& sizes, const std::vector<Tuple>& tuples, const Accepts& accepts);

}  // namespace matrix
