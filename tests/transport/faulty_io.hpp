// An implementation of net::receive and net::send that makes trouble: it stands in for src/net's.
#pragma once

#include <cstdint>
#include <random>

namespace siptls_test {

struct Faults {
  // Of each call: how likely it is to be cut short, and to be put off, in percent.
  unsigned short_percent = 0;
  unsigned would_block_percent = 0;
  // The call (counted from 1, receives and sends together) that fails, and with what errno; 0:
  // none.
  std::uint64_t failing_call = 0;
  int failing_error = 0;
  std::uint64_t calls = 0;
  std::mt19937 random{1};
};

// One plan for all sockets of the program.
Faults& faults();

}  // namespace siptls_test
