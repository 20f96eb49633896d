// Looks at many octets at once: for the CR, LF and NUL of a header, and at the names of its rows.
//
// There are three kinds, which find the same: one without wide instructions, one with those of
// every x86-64, one with AVX2 for processors that have it. A kind has
//   look(text)      the line breaks and NULs among 64 octets, one bit an octet, the first lowest;
//   Name            the first 16 octets of a line: where a name ends, and whether it is known.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "sip/header_names.hpp"
#include "sip/octets.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace siptls::sip {

inline constexpr std::uint32_t kBlock = 64;
inline constexpr std::uint32_t kNameBlock = kKnownNameBlock;

struct PlainBlock {
  static std::uint64_t look(const char* text) noexcept {
    std::uint64_t breaks = 0;
    for (unsigned i = 0; i < kBlock / 8; ++i) {
      const std::uint64_t word = load(text + std::size_t{8} * i);
      breaks |= gather(zeros(word ^ (kEach * '\r')) | zeros(word ^ (kEach * '\n')) | zeros(word))
                << (8 * i);
    }
    return breaks;
  }
  static std::uint32_t lowest(std::uint64_t bits) noexcept {
    return static_cast<std::uint32_t>(std::countr_zero(bits));
  }

  class Name {
   public:
    explicit Name(const char* text) noexcept : text_(text) {}
    // Where the first `c` is; 16: not among these octets.
    std::uint32_t find(char c) const noexcept {
      std::uint32_t i = 0;
      while (i < kNameBlock && text_[i] != c) ++i;
      return i;
    }
    bool is(const detail::KnownName& known) const noexcept {
      for (std::uint32_t i = 0; i < kNameBlock; ++i) {
        if (((text_[i] ^ known.name[i]) & known.mask[i]) != 0) return false;
      }
      return true;
    }
    // Surely a token; false means nothing.
    bool is_plain_token(std::size_t) const noexcept { return false; }

   private:
    const char* text_;
  };

 private:
  static constexpr std::uint64_t kEach = 0x0101010101010101u;
  // Bit 7 of every octet of `word` that is zero.
  static constexpr std::uint64_t zeros(std::uint64_t word) noexcept {
    constexpr std::uint64_t kLow = 0x7f7f7f7f7f7f7f7fu;
    return ~(((word & kLow) + kLow) | word | kLow);
  }
  // Gathers the bits 7 of the eight octets, the first octet's lowest.
  static constexpr std::uint64_t gather(std::uint64_t bits) noexcept {
    return ((bits >> 7) * 0x0102040810204080u) >> 56;
  }
  static std::uint64_t load(const char* text) noexcept {
    std::uint64_t word = 0;
    for (unsigned i = 0; i < 8; ++i) {  // the first octet lowest on every machine
      word |= std::uint64_t{static_cast<unsigned char>(text[i])} << (8 * i);
    }
    return word;
  }
};

#if defined(__x86_64__)
// SSE2, which is in every x86-64.
struct Sse2Block {
  static std::uint64_t look(const char* text) noexcept {
    return breaks(text) | breaks(text + 16) << 16 | breaks(text + 32) << 32 |
           breaks(text + 48) << 48;
  }
  static std::uint32_t lowest(std::uint64_t bits) noexcept {
    return static_cast<std::uint32_t>(std::countr_zero(bits));
  }

  class Name {
   public:
    explicit Name(const char* text) noexcept
        : octets_(_mm_loadu_si128(reinterpret_cast<const __m128i*>(text))) {}
    std::uint32_t find(char c) const noexcept {
      return static_cast<std::uint32_t>(
          std::countr_zero(bits(_mm_cmpeq_epi8(octets_, _mm_set1_epi8(c))) | 0x10000u));
    }
    bool is(const detail::KnownName& known) const noexcept {
      const __m128i name = _mm_load_si128(reinterpret_cast<const __m128i*>(known.name));
      const __m128i mask = _mm_load_si128(reinterpret_cast<const __m128i*>(known.mask));
      const __m128i difference = _mm_and_si128(_mm_xor_si128(octets_, name), mask);
      return bits(_mm_cmpeq_epi8(difference, _mm_setzero_si128())) == 0xffffu;
    }
    bool is_plain_token(std::size_t size) const noexcept {
      // Bit 5 set wherever bit 6 is: upper case becomes lower case, and nothing else a letter.
      const __m128i lower =
          _mm_or_si128(octets_, _mm_and_si128(_mm_srli_epi16(octets_, 1), _mm_set1_epi8(0x20)));
      const __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(lower, _mm_set1_epi8('a' - 1)),
                                           _mm_cmplt_epi8(lower, _mm_set1_epi8('z' + 1)));
      const __m128i dash = _mm_cmpeq_epi8(octets_, _mm_set1_epi8('-'));
      const std::uint32_t good = bits(_mm_or_si128(letter, dash));
      return ((good + 1) & ((1u << size) - 1)) == 0;  // ones from the lowest bit on
    }

   private:
    __m128i octets_;
  };

 private:
  static std::uint32_t bits(__m128i equal) noexcept {
    return static_cast<std::uint32_t>(_mm_movemask_epi8(equal));
  }
  static std::uint64_t breaks(const char* text) noexcept {
    const __m128i octets = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text));
    const __m128i line_breaks = _mm_or_si128(_mm_cmpeq_epi8(octets, _mm_set1_epi8('\r')),
                                             _mm_cmpeq_epi8(octets, _mm_set1_epi8('\n')));
    const __m128i nul = _mm_cmpeq_epi8(octets, _mm_setzero_si128());
    return bits(_mm_or_si128(line_breaks, nul));
  }
};

struct Avx2Block {
  static bool is_available() noexcept {
    return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi") != 0 &&
           __builtin_cpu_supports("bmi2") != 0;
  }

  [[gnu::target("avx2,bmi,bmi2")]] static std::uint64_t look(const char* text) noexcept {
    // Looked up by their low four bits, CR, LF and NUL give themselves, and nothing else does.
    const __m256i table = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -1, -1, -1, -1, -1, -1, -1, -1, -1, '\n', -1, -1, '\r', -1, -1));
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + 32));
    const auto low_bits = static_cast<std::uint32_t>(
        _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(table, low), low)));
    const auto high_bits = static_cast<std::uint32_t>(
        _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(table, high), high)));
    return low_bits | std::uint64_t{high_bits} << 32;
  }
  [[gnu::target("avx2,bmi,bmi2")]] static std::uint32_t lowest(std::uint64_t bits) noexcept {
    return static_cast<std::uint32_t>(_tzcnt_u64(bits));
  }

  using Name = Sse2Block::Name;
};
using BaselineBlock = Sse2Block;
#else
using BaselineBlock = PlainBlock;
#endif

}  // namespace siptls::sip
