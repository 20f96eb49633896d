#include "framer_bench_crlf.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <bit>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace framer_bench {
namespace {

std::array<std::uint32_t, 65536> places;

std::size_t find_plain(const char* text, std::size_t begin, std::size_t size, std::size_t found) {
  for (std::size_t i = begin; i < size; ++i) {
    if (text[i] == '\r' || text[i] == '\n') places[found++] = static_cast<std::uint32_t>(i);
  }
  return found;
}

#if defined(__x86_64__)
[[gnu::target("avx2,bmi")]] std::size_t find_avx2(const char* text, std::size_t size) {
  const __m256i cr = _mm256_set1_epi8('\r');
  const __m256i lf = _mm256_set1_epi8('\n');
  std::size_t found = 0;
  std::size_t i = 0;
  for (; i + 32 <= size; i += 32) {
    const __m256i octets = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + i));
    auto mask = static_cast<std::uint32_t>(_mm256_movemask_epi8(
        _mm256_or_si256(_mm256_cmpeq_epi8(octets, cr), _mm256_cmpeq_epi8(octets, lf))));
    for (; mask != 0; mask &= mask - 1) {
      places[found++] =
          static_cast<std::uint32_t>(i) + static_cast<std::uint32_t>(std::countr_zero(mask));
    }
  }
  return find_plain(text, i, size, found);
}
#endif

}  // namespace

bool pass_uses_avx2() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") != 0;
#else
  return false;
#endif
}

std::size_t find_line_breaks(std::string_view header) {
  std::size_t found = 0;
#if defined(__x86_64__)
  static const bool avx2 = pass_uses_avx2();
  if (avx2) {
    found = find_avx2(header.data(), header.size());
    benchmark::DoNotOptimize(places.data());
    benchmark::ClobberMemory();
    return found;
  }
#endif
  found = find_plain(header.data(), 0, header.size(), 0);
  benchmark::DoNotOptimize(places.data());
  benchmark::ClobberMemory();
  return found;
}

}  // namespace framer_bench
