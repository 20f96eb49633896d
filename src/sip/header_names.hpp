// The header fields that siptls knows by name (RFC 3261 sections 7.3.3 and 20).
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "sip/octets.hpp"
#include "siptls/sip_message_view.hpp"

namespace siptls::sip {

// A name in the table fits with its colon into so many octets, which are looked at together. One
// does not, and has no compact form that is not there: Content-Encoding.
inline constexpr std::size_t kKnownNameBlock = 16;
inline constexpr std::string_view kLongestName = "Content-Encoding";

namespace detail {

// A name and its colon, so that a longer or shorter name differs. `mask` says which bits of it
// count: not bit 5 of a letter, which is the case, and none behind the colon.
struct alignas(64) KnownName {
  char name[kKnownNameBlock];  // lower case
  unsigned char mask[kKnownNameBlock];
  HeaderId id;
};

// Where a name is in the table. `second` is ':' behind a name of one letter. Free of collisions for
// the names below, whatever their case; make_known_names() would not compile otherwise.
constexpr std::size_t name_slot(std::size_t size, char first, char second) noexcept {
  const unsigned start = static_cast<unsigned char>(first) |
                         static_cast<unsigned>(static_cast<unsigned char>(second)) << 8;
  return ((((start | 0x2020u) * 55) >> 5) + size) & 63;
}

// Not defined: a call while the table is made is a compile error.
void two_known_names_share_a_slot();

constexpr std::array<KnownName, 64> make_known_names() {
  struct Entry {
    std::string_view name;
    HeaderId id;
  };
  constexpr Entry entries[] = {
      {"via", HeaderId::via},
      {"v", HeaderId::via},
      {"from", HeaderId::from},
      {"f", HeaderId::from},
      {"to", HeaderId::to},
      {"t", HeaderId::to},
      {"call-id", HeaderId::call_id},
      {"i", HeaderId::call_id},
      {"cseq", HeaderId::cseq},
      {"contact", HeaderId::contact},
      {"m", HeaderId::contact},
      {"content-type", HeaderId::content_type},
      {"c", HeaderId::content_type},
      {"content-length", HeaderId::content_length},
      {"l", HeaderId::content_length},
      {"max-forwards", HeaderId::max_forwards},
      {"route", HeaderId::route},
      {"record-route", HeaderId::record_route},
      {"supported", HeaderId::supported},
      {"k", HeaderId::supported},
      {"subject", HeaderId::subject},
      {"s", HeaderId::subject},
      {"e", HeaderId::content_encoding},
  };
  std::array<KnownName, 64> table{};
  for (const Entry& entry : entries) {
    const char second = entry.name.size() > 1 ? entry.name[1] : ':';
    KnownName& slot = table[name_slot(entry.name.size(), entry.name[0], second)];
    if (slot.id != HeaderId::other) two_known_names_share_a_slot();
    for (std::size_t i = 0; i < entry.name.size(); ++i) {
      slot.name[i] = entry.name[i];
      slot.mask[i] = entry.name[i] == '-' ? 0xff : 0xdf;
    }
    slot.name[entry.name.size()] = ':';
    slot.mask[entry.name.size()] = 0xff;
    slot.id = entry.id;
  }
  // What is in no slot differs from every name.
  for (KnownName& slot : table) {
    if (slot.id == HeaderId::other) slot.mask[0] = 0xff;
  }
  return table;
}
inline constexpr std::array<KnownName, 64> kKnownNames = make_known_names();

}  // namespace detail

// The one known name that can be here: `text` begins with a name of `size` octets and a colon.
inline const detail::KnownName& known_name(const char* text, std::size_t size) noexcept {
  return detail::kKnownNames[detail::name_slot(size, text[0], text[1])];
}

// The id of a header name in any case, long or compact; other if it is none of the table.
inline HeaderId header_id(std::string_view name) noexcept {
  if (equal_ignoring_case(name, kLongestName)) return HeaderId::content_encoding;
  if (name.empty() || name.size() >= kKnownNameBlock) return HeaderId::other;
  const detail::KnownName& known =
      detail::kKnownNames[detail::name_slot(name.size(), name[0], name.size() > 1 ? name[1] : ':')];
  if (known.name[name.size()] != ':') return HeaderId::other;
  return equal_ignoring_case(name, {known.name, name.size()}) ? known.id : HeaderId::other;
}

}  // namespace siptls::sip
