#include "pki/der.hpp"

#include <charconv>
#include <cstdio>
#include <ctime>
#include <stdexcept>
#include <vector>

namespace demo_pki::der {
namespace {

char octet(std::uint64_t number) { return static_cast<char>(number & 0xff); }

std::string length(std::size_t size) {
  if (size < 0x80) return std::string(1, octet(size));
  std::string digits;
  for (std::size_t rest = size; rest != 0; rest >>= 8) digits.insert(digits.begin(), octet(rest));
  return octet(0x80 | digits.size()) + digits;
}

std::string base128(std::uint64_t number) {
  std::string out(1, octet(number & 0x7f));
  while ((number >>= 7) != 0) out.insert(out.begin(), octet(0x80 | (number & 0x7f)));
  return out;
}

std::vector<std::uint64_t> arcs(std::string_view dotted) {
  std::vector<std::uint64_t> out;
  const char* at = dotted.data();
  const char* const end = at + dotted.size();
  while (true) {
    std::uint64_t arc = 0;
    const auto [next, error] = std::from_chars(at, end, arc);
    if (error != std::errc{} || next == at) break;
    out.push_back(arc);
    if (next == end) return out;
    if (*next != '.') break;
    at = next + 1;
  }
  throw std::runtime_error("no object identifier: " + std::string(dotted));
}

}  // namespace

std::string value(std::uint8_t tag, std::string_view content) {
  return std::string(1, static_cast<char>(tag)) + length(content.size()) + std::string(content);
}

std::string sequence(std::initializer_list<std::string_view> parts) {
  std::string content;
  for (const auto part : parts) content += part;
  return value(kSequence, content);
}

std::string primitive(unsigned number, std::string_view content) {
  return value(static_cast<std::uint8_t>(0x80 | number), content);
}

std::string constructed(unsigned number, std::string_view content) {
  return value(static_cast<std::uint8_t>(0xa0 | number), content);
}

std::string boolean(bool truth) {
  return value(kBoolean, truth ? "\xff" : std::string_view("\0", 1));
}

std::string integer(std::int64_t number) {
  std::string content(1, octet(static_cast<std::uint64_t>(number)));
  std::int64_t rest = number >> 8;
  // One more octet while the sign bit of the first one does not say what the rest says.
  while (rest != ((content[0] & 0x80) != 0 ? -1 : 0)) {
    content.insert(content.begin(), octet(static_cast<std::uint64_t>(rest)));
    rest >>= 8;
  }
  return value(kInteger, content);
}

std::string unsigned_integer(std::string_view magnitude) {
  while (magnitude.size() > 1 && magnitude[0] == 0) magnitude.remove_prefix(1);
  std::string content(magnitude);
  if (content.empty() || (content[0] & 0x80) != 0) content.insert(content.begin(), '\0');
  return value(kInteger, content);
}

std::string octet_string(std::string_view octets) { return value(kOctetString, octets); }

std::string bit_string(std::string_view octets) {
  return value(kBitString, std::string(1, '\0') + std::string(octets));
}

std::string named_bits(std::uint32_t bits) {
  std::string octets;
  unsigned last = 0;
  for (unsigned bit = 0; bit < 32; ++bit) {
    if ((bits >> bit & 1U) == 0) continue;
    octets.resize(bit / 8 + 1, '\0');
    octets[bit / 8] = static_cast<char>(octets[bit / 8] | (0x80 >> (bit % 8)));
    last = bit;
  }
  const unsigned unused = octets.empty() ? 0 : 7 - last % 8;
  return value(kBitString, octet(unused) + octets);
}

std::string object(std::string_view dotted) {
  const auto numbers = arcs(dotted);
  if (numbers.size() < 2) throw std::runtime_error("no object identifier: " + std::string(dotted));
  std::string content = base128(numbers[0] * 40 + numbers[1]);
  for (std::size_t i = 2; i < numbers.size(); ++i) content += base128(numbers[i]);
  return value(kObject, content);
}

std::string null() { return value(kNull, {}); }

namespace {

std::string calendar_time(Time when, bool utc) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(when);
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) throw std::runtime_error("no calendar has this time");
  const int year = parts.tm_year + 1900;
  char text[64];
  std::snprintf(text, sizeof text, "%0*d%02d%02d%02d%02d%02dZ", utc ? 2 : 4,
                utc ? year % 100 : year, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                parts.tm_min, parts.tm_sec);
  return value(utc ? kUtcTime : kGeneralizedTime, text);
}

}  // namespace

std::string time(Time when) {
  const Time first = Time(std::chrono::sys_days(std::chrono::year(1950) / 1 / 1));
  const Time end = Time(std::chrono::sys_days(std::chrono::year(2050) / 1 / 1));
  return calendar_time(when, when >= first && when < end);
}

std::string generalized_time(Time when) { return calendar_time(when, false); }

}  // namespace demo_pki::der
