#include "matrix/covering.hpp"

#include <algorithm>
#include <optional>
#include <random>

namespace matrix {

std::vector<Tuple> all_values(const Sizes& sizes) {
  std::vector<Tuple> all;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    for (std::size_t v = 0; v < sizes[i]; ++v) {
      const auto one = static_cast<std::uint8_t>(v);
      all.push_back({i, one, i, one});
    }
  }
  return all;
}

std::vector<Tuple> all_pairs(const Sizes& sizes) {
  std::vector<Tuple> all;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    for (std::size_t j = i + 1; j < sizes.size(); ++j) {
      for (std::size_t v = 0; v < sizes[i]; ++v) {
        for (std::size_t w = 0; w < sizes[j]; ++w) {
          all.push_back({i, static_cast<std::uint8_t>(v), j, static_cast<std::uint8_t>(w)});
        }
      }
    }
  }
  return all;
}

bool has(const Row& row, const Tuple& tuple) {
  return row[tuple.first] == tuple.first_value && row[tuple.second] == tuple.second_value;
}

namespace {

class Search {
 public:
  Search(const Sizes& sizes, const std::vector<Tuple>& tuples, const Accepts& accepts)
      : sizes_(sizes), accepts_(accepts), open_(tuples) {}

  Covering run() {
    Covering result;
    const std::size_t all = open_.size();
    while (!open_.empty()) {
      const Tuple wanted = open_.front();
      auto row = best_with(wanted);
      if (!row) {
        result.unreachable.push_back(wanted);
        open_.erase(open_.begin());
        continue;
      }
      improve(*row, wanted);
      open_.erase(std::remove_if(open_.begin(), open_.end(),
                                 [&](const Tuple& tuple) { return has(*row, tuple); }),
                  open_.end());
      rows_.push_back(*row);
    }
    result.covered = all - result.unreachable.size();
    result.rows = std::move(rows_);
    return result;
  }

 private:
  static constexpr int kAttempts = 3000;
  static constexpr int kAccepted = 12;

  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(random_() % limit); }
  std::uint8_t any_value(std::size_t dimension) {
    return static_cast<std::uint8_t>(below(sizes_[dimension]));
  }
  static void impose(Row& row, const Tuple& tuple) {
    row[tuple.first] = tuple.first_value;
    row[tuple.second] = tuple.second_value;
  }

  std::size_t gain(const Row& row) const {
    return static_cast<std::size_t>(std::count_if(
        open_.begin(), open_.end(), [&](const Tuple& tuple) { return has(row, tuple); }));
  }

  // A row from nothing, or one that was accepted before with a few values changed.
  Row candidate(int attempt) {
    Row row(sizes_.size());
    if (attempt % 2 == 0 || rows_.empty()) {
      for (std::size_t i = 0; i < row.size(); ++i) row[i] = any_value(i);
      return row;
    }
    row = rows_[below(rows_.size())];
    for (std::size_t changed = below(5); changed > 0; --changed) {
      const std::size_t dimension = below(row.size());
      row[dimension] = any_value(dimension);
    }
    return row;
  }

  std::optional<Row> best_with(const Tuple& wanted) {
    std::optional<Row> best;
    std::size_t best_gain = 0;
    int accepted = 0;
    for (int attempt = 0; attempt < kAttempts && accepted < kAccepted; ++attempt) {
      Row row = candidate(attempt);
      impose(row, wanted);
      if (!accepts_(row)) continue;
      ++accepted;
      const std::size_t found = gain(row);
      if (best && found <= best_gain) continue;
      best_gain = found;
      best = std::move(row);
    }
    return best;
  }

  // Takes every change of one value that covers more.
  void improve(Row& row, const Tuple& wanted) {
    std::size_t best = gain(row);
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i == wanted.first || i == wanted.second) continue;
      for (std::size_t v = 0; v < sizes_[i]; ++v) {
        Row other = row;
        other[i] = static_cast<std::uint8_t>(v);
        const std::size_t found = gain(other);
        if (found <= best || !accepts_(other)) continue;
        best = found;
        row = std::move(other);
      }
    }
  }

  const Sizes& sizes_;
  const Accepts& accepts_;
  std::vector<Tuple> open_;
  std::vector<Row> rows_;
  std::mt19937_64 random_{1};  // the same rows each time; its output is fixed by the standard
};

}  // namespace

Covering cover(const Sizes& sizes, const std::vector<Tuple>& tuples, const Accepts& accepts) {
  return Search(sizes, tuples, accepts).run();
}

}  // namespace matrix
