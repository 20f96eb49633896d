// What handshake_bench says of its rows: lines, and JSON in the format of Google Benchmark.
#pragma once

#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

#include "handshake_rows.hpp"

namespace handshake_bench {

using Context = std::vector<std::pair<std::string, std::string>>;

// `figure` lines of all rows, then `ratio` lines, those with a goal last.
void print_lines(const std::vector<Row>& rows);

// Google Benchmark's JSON, for its tools: each row once for each role, with every sample
// ("iteration") and the median ("aggregate"), whose counters are the ratios. The context tells the
// processor, the BoringSSL, and what else is in `context`.
void write_json(const std::vector<Row>& rows, const Context& context, std::ostream& out);

}  // namespace handshake_bench
