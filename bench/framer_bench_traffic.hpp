// The traffic that framer_bench frames.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace framer_bench {

// A stream of several messages, no two alike, so that a branch predictor cannot learn one by heart.
struct Traffic {
  std::string name;
  std::string stream;
  std::vector<std::size_t> ends;     // of each message or keep-alive in the stream
  std::vector<std::size_t> headers;  // the size of the header of each; 0 for a keep-alive

  std::size_t count() const { return ends.size(); }
  std::size_t begin(std::size_t index) const { return index == 0 ? 0 : ends[index - 1]; }
  std::string_view header(std::size_t index) const {
    return std::string_view(stream).substr(begin(index), headers[index]);
  }
};

Traffic invites();                      // 600 octets each, with SDP
Traffic options();                      // 600 octets each, without a body
Traffic responses();                    // 200 OK to the INVITE, 600 octets each, with SDP
Traffic keep_alives();                  // requests of 60 octets and pings
Traffic header_of(std::size_t octets);  // requests with a header of so many octets
Traffic large_body();                   // one request with a body of 1 MiB

}  // namespace framer_bench
