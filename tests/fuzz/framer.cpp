// Frames the input whole, cut where the input says, and octet by octet, and compares all of them
// with the naive framer.
//
// The first octet of the input chooses the role (c: client) and the limits (upper case: small
// ones), the second where the stream is cut; the rest is the stream.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "sip/framer_run.hpp"
#include "siptls/sip_framer.hpp"

namespace {

using siptls_test::Framed;

siptls::FramerOptions options_for(char choice) {
  siptls::FramerOptions options;
  if (choice == 'c' || choice == 'C') options.role = siptls::FramerRole::client;
  if (choice >= 'A' && choice <= 'Z') options.limits = {40, 400, 6, 50, 0};
  return options;
}

void must_be_same(const char* how, const std::vector<Framed>& expected,
                  const std::vector<Framed>& found) {
  if (siptls_test::same(expected, found)) return;
  std::fprintf(stderr, "%s differs\nexpected:\n%sfound:\n%s", how,
               siptls_test::describe(expected).c_str(), siptls_test::describe(found).c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 2, size - 2);
  const siptls::FramerOptions options = options_for(static_cast<char>(data[0]));
  static const auto workspace = siptls::SipFramer::make_workspace();

  const std::vector<Framed> whole = siptls_test::frame(stream, {}, options, *workspace);
  must_be_same("the framer", siptls_test::NaiveFramer(stream, options).run(), whole);
  const std::size_t cut = data[1] * (stream.size() / 256 + 1) % (stream.size() + 1);
  must_be_same("cut in two", whole, siptls_test::frame(stream, {cut}, options, *workspace));
  std::vector<std::size_t> cuts;
  for (std::size_t at = data[1] % 97 + 1; at < stream.size(); at += data[1] % 97 + 1) {
    cuts.push_back(at);
  }
  must_be_same("cut in pieces", whole, siptls_test::frame(stream, cuts, options, *workspace));
  must_be_same("octet by octet", whole, siptls_test::frame_by_octets(stream, options, *workspace));
  return 0;
}
