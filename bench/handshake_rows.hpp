// The rows of handshake_bench: each is one kind of handshake, by siptls or by bare BoringSSL.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "baseline/bare_handshake.hpp"

namespace handshake_bench {

enum class Side : std::uint8_t { siptls, plain, ceiling };
// What happens about tickets: none are given; the server gives some, and none is offered; the
// client offers one, and gets new ones.
enum class Kind : std::uint8_t { full, ticketed, resumed };
// siptls' chain memory: both ends know the other's chain, or judge it anew each time.
enum class Memory : std::uint8_t { warm, cold };

// Processor time of many handshakes in a row, in nanoseconds a handshake.
struct Sample {
  double client = 0;
  double server = 0;
  std::int64_t handshakes = 0;
};

struct Row {
  std::string shape;  // "mutual.p256.tls13"
  Side side = Side::siptls;
  Kind kind = Kind::full;
  Memory memory = Memory::warm;  // of siptls only
  std::function<baseline::HandshakeCost()> handshake;
  std::vector<Sample> samples;

  // "warm", "cold.ticketed", "resumed", "plain", "ceiling.resumed", ...
  std::string variant() const;
  // Handshakes for that long, at least one.
  void sample(std::chrono::nanoseconds span);
};

// The default matrix has what the named ratios need; `all` is every combination of key, version,
// client authentication, group and length of chain. Of these, rows whose names
// ("mutual.p256.tls13.warm") contain `filter`.
// Throws std::runtime_error if two rows of one shape and kind do not negotiate the same.
std::vector<Row> make_rows(bool all, std::string_view filter);

}  // namespace handshake_bench
