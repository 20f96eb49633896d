// How many rounds a property test makes: SIPTLS_TEST_SCALE times the count of a normal run.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <string>

namespace siptls_test {

inline std::size_t scaled(const std::string& what, std::size_t rounds) {
  const char* text = std::getenv("SIPTLS_TEST_SCALE");
  const double scale = text != nullptr ? std::strtod(text, nullptr) : 1.0;
  const auto count = static_cast<std::size_t>(static_cast<double>(rounds) * scale);
  const std::size_t chosen = std::max<std::size_t>(count, 1);
  std::cout << what << ": " << chosen << " rounds (SIPTLS_TEST_SCALE " << scale << ")\n";
  return chosen;
}

}  // namespace siptls_test
