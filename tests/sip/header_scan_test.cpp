// Every kind of instructions finds the same.
#include "sip/header_scan.hpp"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"
#include "framer_run.hpp"
#include "scale.hpp"
#include "sip/octet_block.hpp"
#include "stream_maker.hpp"

namespace siptls_test {
namespace {

using siptls::sip::HeaderScan;
using Kind = HeaderScan::BlockKind;

template <typename Block>
std::size_t wrong_looks() {
  std::mt19937 random(64);
  std::size_t wrong = 0;
  for (int round = 0; round < 20000; ++round) {
    char text[64];
    std::uint64_t breaks = 0;
    for (unsigned i = 0; i < 64; ++i) {
      static constexpr char kOctets[] = {'\r',   '\n',   '\0',   ':',   'a',
                                         '\x0b', '\x8d', '\x8a', '\x80'};
      text[i] = round % 2 == 0 ? kOctets[random() % sizeof kOctets] : static_cast<char>(random());
      if (text[i] == '\r' || text[i] == '\n' || text[i] == '\0') breaks |= std::uint64_t{1} << i;
    }
    if (Block::look(text) != breaks) ++wrong;
    if (Block::lowest(breaks) != siptls::sip::PlainBlock::lowest(breaks)) ++wrong;
    const typename Block::Name name(text);
    for (const char c : {':', ' '}) {
      const std::size_t found = std::string_view(text, 16).find(c);
      if (name.find(c) != (found == std::string_view::npos ? 16 : found)) ++wrong;
    }
    for (std::size_t size = 1; size <= 16; ++size) {
      if (name.is_plain_token(size) && !siptls::sip::is_token(std::string_view(text, size)))
        ++wrong;
    }
  }
  return wrong;
}

template <typename Block>
std::size_t wrong_names() {
  std::size_t wrong = 0;
  for (const auto& known : siptls::sip::detail::kKnownNames) {
    const std::size_t size = std::string_view(known.name, 16).find(':') + 1;  // none: 0
    for (std::size_t place = 0; place < 16; ++place) {
      for (int octet = 0; octet < 256; ++octet) {
        char text[16];
        for (std::size_t i = 0; i < 16; ++i) text[i] = i < size ? known.name[i] : 'x';
        text[place] = static_cast<char>(octet);
        bool same = size > 0;
        for (std::size_t i = 0; i < size; ++i) {
          same = same && siptls::sip::to_lower(text[i]) == known.name[i];
        }
        if (size == 0 && octet == 0) continue;  // no name begins with NUL
        if (typename Block::Name(text).is(known) != same) ++wrong;
      }
    }
  }
  return wrong;
}

TEST_CASE("a block finds line breaks, colons and names as octet by octet") {
  CHECK(wrong_looks<siptls::sip::PlainBlock>() == 0);
  CHECK(wrong_names<siptls::sip::PlainBlock>() == 0);
#if defined(__x86_64__)
  CHECK(wrong_looks<siptls::sip::Sse2Block>() == 0);
  CHECK(wrong_names<siptls::sip::Sse2Block>() == 0);
  if (siptls::sip::Avx2Block::is_available()) CHECK(wrong_looks<siptls::sip::Avx2Block>() == 0);
#endif
}

TEST_CASE("the framer comes to the same with every kind of instructions") {
  const auto workspace = siptls::SipFramer::make_workspace();
  const std::size_t count = scaled("streams for each kind of instructions", 20000);
  for (const Kind kind : {Kind::plain, Kind::baseline, Kind::avx2}) {
    if (!HeaderScan::use(kind)) {
      WARN("this processor has no AVX2");
      continue;
    }
    std::size_t different = 0;
    for (std::uint64_t seed = 1; seed <= count; ++seed) {
      StreamMaker maker(seed << 20);
      const siptls::FramerOptions options = maker.options();
      const std::string stream = maker.stream();
      const auto whole = frame(stream, {}, options, *workspace);
      if (!same(NaiveFramer(stream, options).run(), whole)) ++different;
      const auto cuts = random_cuts(stream.size(), maker.random());
      if (frame(stream, cuts, options, *workspace) != whole) ++different;
    }
    CHECK(different == 0);
  }
  if (!HeaderScan::use(Kind::avx2)) HeaderScan::use(Kind::baseline);
}

}  // namespace
}  // namespace siptls_test
