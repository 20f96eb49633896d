// Generated streams: the framer and the naive one agree, however the stream is cut.
#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"
#include "framer_run.hpp"
#include "scale.hpp"
#include "stream_maker.hpp"

namespace siptls_test {
namespace {

// One stream, whole, in two pieces, at random, and octet by octet.
bool agree(std::uint64_t seed, siptls::SipFramer::Workspace& workspace, std::string& difference) {
  StreamMaker maker(seed);
  const siptls::FramerOptions options = maker.options();
  const std::string stream = maker.stream();
  const std::vector<Framed> reference = NaiveFramer(stream, options).run();
  const auto compare = [&](const char* how, const std::vector<Framed>& found) {
    if (same(reference, found)) return true;
    difference = "seed " + std::to_string(seed) + ", " + how + "\n" + stream + "\nreference:\n" +
                 describe(reference) + "framer:\n" + describe(found);
    return false;
  };
  const std::vector<Framed> whole = frame(stream, {}, options, workspace);
  if (!compare("whole", whole)) return false;
  const auto cuts = random_cuts(stream.size(), maker.random());
  const std::size_t cut = maker.random()() % (stream.size() + 1);
  // From here on every offset has to be the same as well.
  if (frame(stream, {cut}, options, workspace) != whole) {
    return compare(("cut at " + std::to_string(cut)).c_str(), {});
  }
  if (frame(stream, cuts, options, workspace) != whole) return compare("in random pieces", {});
  if (frame_by_octets(stream, options, workspace) != whole) return compare("by octets", {});
  return true;
}

void compare_streams(std::uint64_t first_seed, std::size_t count) {
  const auto workspace = siptls::SipFramer::make_workspace();
  for (std::size_t i = 0; i < count; ++i) {
    std::string difference;
    const bool equal = agree(first_seed + i, *workspace, difference);
    if (!equal) FAIL(difference);
  }
  SUCCEED();
}

TEST_CASE("generated streams come out as the naive framer has them, however they are cut") {
  compare_streams(1, scaled("framer against naive framer", 200000));
}

TEST_CASE("ten million generated streams come out as the naive framer has them", "[long]") {
  compare_streams(std::uint64_t{1} << 40, scaled("framer against naive framer", 10000000));
}

TEST_CASE("the generated streams reach every framing error and every output") {
  std::vector<std::size_t> reasons(siptls::kErrcCount);
  std::vector<std::size_t> kinds(5);
  for (std::uint64_t seed = 1; seed <= 20000; ++seed) {
    StreamMaker maker(seed);
    const siptls::FramerOptions options = maker.options();
    for (const Framed& framed : NaiveFramer(maker.stream(), options).run()) {
      ++kinds[static_cast<std::size_t>(framed.kind)];
      if (framed.kind == Framed::Kind::error) ++reasons[static_cast<std::size_t>(framed.reason)];
    }
  }
  for (const std::size_t count : kinds) CHECK(count > 100);
  for (auto reason = siptls::Errc::missing_content_length; reason < siptls::Errc::framer_failed;
       reason = static_cast<siptls::Errc>(static_cast<int>(reason) + 1)) {
    INFO(siptls::to_string(reason));
    CHECK(reasons[static_cast<std::size_t>(reason)] > 10);
  }
}

}  // namespace
}  // namespace siptls_test
