// What a SipMessageView refers to.
#pragma once

#include <cstdint>
#include <string_view>

#include "sip/header_scan.hpp"

namespace siptls::detail {

struct MessageRecord {
  const char* text = nullptr;  // the message's first octet
  std::uint64_t total = 0;     // octets, header and body
  std::uint64_t offset = 0;    // in the stream
  sip::HeaderScan scan;

  std::string_view part(std::uint32_t begin, std::uint32_t end) const noexcept {
    return {text + begin, end - begin};
  }
};

}  // namespace siptls::detail
