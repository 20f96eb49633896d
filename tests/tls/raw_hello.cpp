#include "raw_hello.hpp"

namespace siptls_test {
namespace {

void append_number(Octets& to, std::size_t value, std::size_t width) {
  while (width-- > 0) to.push_back(static_cast<std::byte>(value >> (8 * width) & 0xff));
}
void append_vector(Octets& to, const Octets& content, std::size_t width) {
  append_number(to, content.size(), width);
  to.insert(to.end(), content.begin(), content.end());
}

}  // namespace

Octets raw_client_hello(const std::vector<std::uint16_t>& suites, std::string_view extensions) {
  Octets body = from_hex("0303");
  body.insert(body.end(), 32, std::byte{0x42});
  append_number(body, 0, 1);  // session id
  append_number(body, 2 * suites.size(), 2);
  for (const std::uint16_t code : suites) append_number(body, code, 2);
  append_vector(body, from_hex("00"), 1);
  append_vector(body, from_hex(extensions), 2);
  Octets message = from_hex("01");
  append_vector(message, body, 3);
  Octets record = from_hex("160301");
  append_vector(record, message, 2);
  return record;
}

std::optional<std::size_t> extension_size(const Octets& hello, std::uint16_t type) {
  const auto octet = [&](std::size_t i) { return std::to_integer<std::size_t>(hello.at(i)); };
  const auto number = [&](std::size_t i) { return octet(i) << 8 | octet(i + 1); };
  std::size_t place = 5 + 4 + 2 + 32;  // headers, version, random
  place += 1 + octet(place);           // session id
  place += 2 + number(place);          // suites
  place += 1 + octet(place);           // compression methods
  const std::size_t end = place + 2 + number(place);
  for (place += 2; place < end; place += 4 + number(place + 2)) {
    if (number(place) == type) return number(place + 2);
  }
  return std::nullopt;
}

}  // namespace siptls_test
