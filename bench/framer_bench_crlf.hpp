// The pass beside which framing is measured: it only finds CR and LF.
#pragma once

#include <cstddef>
#include <string_view>

namespace framer_bench {

// Notes the place of every CR and LF in `header`, 32 octets at a time with AVX2 where the processor
// has it; how many there are.
std::size_t find_line_breaks(std::string_view header);
// Whether it uses AVX2 here.
bool pass_uses_avx2();

}  // namespace framer_bench
