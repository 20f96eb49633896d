// Reads a PROXY header whole and cut short everywhere, and checks that the verdict does not depend
// on how much came behind it.
//
// The first octet of the input chooses the versions that are allowed; the rest is the stream.
#include "transport/proxy_header.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

namespace {

using siptls::ProxyProtocol;

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ProxyProtocol allowed = data[0] == '1'   ? ProxyProtocol::version1
                                : data[0] == '2' ? ProxyProtocol::version2
                                                 : ProxyProtocol::either;
  const auto stream = std::as_bytes(std::span(data + 1, size - 1));
  const auto whole = siptls::parse_proxy_header(stream, allowed);
  if (!whole) {
    require(whole.error().reason() == siptls::Errc::proxy_header_invalid);
    return 0;
  }
  const std::size_t length = *whole ? (*whole)->length : stream.size() + 1;
  require(!*whole || length <= stream.size());
  // The first octets one by one, then those around the end of the header.
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    if (cut > 300 && (cut + 20 < length || cut > length + 20)) continue;
    const auto part = siptls::parse_proxy_header(stream.first(cut), allowed);
    require(static_cast<bool>(part));
    require(part->has_value() == (cut >= length));
    if (!*part) continue;
    require((*part)->length == length);
    require((*part)->relayed.has_value() == (*whole)->relayed.has_value());
    if (!(*part)->relayed) continue;
    require((*part)->relayed->source == (*whole)->relayed->source);
    require((*part)->relayed->destination == (*whole)->relayed->destination);
  }
  return 0;
}
