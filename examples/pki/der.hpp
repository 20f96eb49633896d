// DER by concatenation: each function returns one encoded value (X.690). Enough for certificates
// and CRLs, and free to encode nonsense where a test wants it.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace demo_pki::der {

using Time = std::chrono::system_clock::time_point;

inline constexpr std::uint8_t kBoolean = 0x01, kInteger = 0x02, kBitString = 0x03,
                              kOctetString = 0x04, kNull = 0x05, kObject = 0x06, kEnumerated = 0x0a,
                              kUtf8String = 0x0c, kUtcTime = 0x17, kGeneralizedTime = 0x18,
                              kSequence = 0x30, kSet = 0x31;

std::string value(std::uint8_t tag, std::string_view content);
std::string sequence(std::initializer_list<std::string_view> parts);
// Context-specific tags: [n] around primitive content, and [n] around encoded values.
std::string primitive(unsigned number, std::string_view content);
std::string constructed(unsigned number, std::string_view content);

std::string boolean(bool truth);
std::string integer(std::int64_t number);
// The magnitude of a positive number, most significant octet first.
std::string unsigned_integer(std::string_view magnitude);
std::string octet_string(std::string_view octets);
std::string bit_string(std::string_view octets);  // a multiple of eight bits
std::string named_bits(std::uint32_t bits);       // bit 0 is the first one
std::string object(std::string_view dotted);      // throws std::runtime_error for nonsense
std::string null();
// UTCTime up to 2049, GeneralizedTime after it (RFC 5280 section 4.1.2.5).
std::string time(Time when);
std::string generalized_time(Time when);

}  // namespace demo_pki::der
