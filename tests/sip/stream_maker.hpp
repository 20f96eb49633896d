// Makes streams for property tests: SIP messages in unusual dress, keep-alives between them, and
// damage that a framer must notice.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "siptls/sip_framer.hpp"

namespace siptls_test {

class StreamMaker {
 public:
  explicit StreamMaker(std::uint64_t seed) : random_(seed) {}

  std::mt19937_64& random() { return random_; }

  std::string stream() {
    std::string result;
    const std::size_t messages = below(4);
    for (std::size_t i = 0; i <= messages; ++i) {
      if (chance(3)) result += pick(kBetween);
      result += message();
    }
    if (chance(3)) result += pick(kBetween);
    if (chance(2)) damage(result);
    if (chance(4)) result.resize(below(result.size() + 1));
    return result;
  }

  siptls::FramerOptions options() {
    siptls::FramerOptions options;
    if (chance(2)) options.role = siptls::FramerRole::client;
    if (chance(4)) {
      options.limits.max_start_line = static_cast<std::uint32_t>(below(80));
      options.limits.max_header = static_cast<std::uint32_t>(below(800));
      options.limits.max_header_rows = static_cast<std::uint32_t>(below(12));
      options.limits.max_body = static_cast<std::uint32_t>(below(100));
      options.limits.max_empty_lines = static_cast<std::uint32_t>(below(2));
    }
    return options;
  }

 private:
  template <std::size_t N>
  using Words = std::array<std::string_view, N>;

  static constexpr Words<8> kBetween = {"\r\n", "\r\n\r\n", "\r\n\r\n\r\n", "\r\n\r\n\r\n\r\n",
                                        "\r",   "\n",       "\r\n\r",       "\r\r\n"};
  static constexpr Words<14> kStartLines = {"INVITE sip:bob@biloxi.example SIP/2.0",
                                            "OPTIONS sips:[2001:db8::1]:5061;transport=tcp SIP/2.0",
                                            "SIP/2.0 200 OK",
                                            "sip/2.0 404 ",
                                            "SIP/2.0 4294967301 unlikely",
                                            "MESSAGE  sip:a b  SIP/7.0  ",
                                            "!odd-%method sip:x sIp/2.0",
                                            "SIP/2.0 200",
                                            "SIP/2.0  200 OK",
                                            " INVITE sip:x SIP/2.0",
                                            "INVITE SIP/2.0",
                                            "INVITE  SIP/2.0 ",
                                            "GET / HTTP/1.1",
                                            ""};
  static constexpr Words<16> kNames = {
      "Via",
      "v",
      "From",
      "t",
      "Call-ID",
      "CSeq",
      "Subject",
      "X-Long-Name-Of-An-Extension-Header-That-Is-Longer-Than-A-Block-Of-64-Octets",
      "A",
      "L-ength",
      "Content-Lengths",
      "X~'`+!",
      "contact",
      "Bad Name",
      "",
      "B\x01"};
  static constexpr Words<12> kValues = {
      "",
      "SIP/2.0/TLS pc33.atlanta.example;branch=z9hG4bK776asdhds",
      "<sip:alice@atlanta.example>;tag=1928301774",
      "\"quoted : \\\" text\" <sip:x>",
      "a\r\n folded",
      "\r\n\t l: 5",
      "a\r\n \r\n b",
      "1 INVITE",
      "::::",
      "caf\xc3\xa9",
      "v v v v v v v v v v v v v v v v v v v v v v v v v v v v v v v v v v v v v v v v v v v v v v",
      "0"};
  static constexpr Words<8> kLengthNames = {
      "Content-Length",   "content-length", "l", "L", "Content-Length ", "l\t ",
      "CONTENT-LENGTH  ", "CoNtEnT-lEnGtH"};
  static constexpr Words<14> kBadLengths = {"",
                                            "-1",
                                            "+1",
                                            "1,1",
                                            "1 1",
                                            "0x1",
                                            "1_0",
                                            "five",
                                            "1\r\n 0",
                                            "4294967296",
                                            "4294967301",
                                            "99999999999999999999999",
                                            "18446744073709551621",
                                            "\xef\xbc\x95"};
  static constexpr Words<10> kDamage = {std::string_view("\0", 1),
                                        "\r",
                                        "\n",
                                        "\r\n",
                                        "\r\n\r\n",
                                        " ",
                                        ":",
                                        "\"",
                                        std::string_view("\\\0", 2),
                                        std::string_view("\"\\\0\"", 4)};

  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }
  bool chance(std::size_t one_in) { return below(one_in) == 0; }
  template <std::size_t N>
  std::string_view pick(const Words<N>& words) {
    return words[below(N)];
  }

  // Every random number is drawn in a statement of its own: then a seed makes the same stream with
  // every compiler.
  std::string row() {
    // Mostly names and values that are in order.
    std::string text(chance(40) ? pick(kNames) : kNames[below(13)]);
    if (chance(8)) text += " \t";
    if (!chance(60)) text += ":";
    if (chance(2)) text += " ";
    text += pick(kValues);
    if (chance(8)) text += "  ";
    return text + "\r\n";
  }

  std::string content_length(std::size_t size) {
    std::string value = chance(20) ? std::string(pick(kBadLengths)) : std::to_string(size);
    if (chance(6)) value.insert(0, below(12), '0');
    if (chance(6)) value += chance(2) ? " " : "\r\n\t";
    std::string text(pick(kLengthNames));
    text += chance(6) ? ":\r\n " : ": ";
    return text + value + "\r\n";
  }

  std::string message() {
    const std::size_t size = chance(3) ? 0 : below(200);
    std::string text(chance(8) ? pick(kStartLines) : kStartLines[below(7)]);
    text += "\r\n";
    const std::size_t rows = below(chance(10) ? 60 : 10);
    const std::size_t place = below(rows + 1);
    if (chance(80)) text += chance(2) ? " odd\r\n" : "\tTo: x\r\n";
    for (std::size_t i = 0; i <= rows; ++i) {
      if (i == place && !chance(40)) text += content_length(size);
      if (i < rows) text += row();
      if (chance(200)) text += content_length(size);
    }
    text += "\r\n";
    for (std::size_t i = 0; i < size; ++i) {
      text += chance(16) ? pick(kDamage).front() : static_cast<char>('a' + below(26));
    }
    return text;
  }

  void damage(std::string& text) {
    for (std::size_t i = below(3) + 1; i > 0 && !text.empty(); --i) {
      const std::size_t at = below(text.size());
      switch (below(3)) {
        case 0:
          text.insert(at, pick(kDamage));
          break;
        case 1:
          text.erase(at, 1 + below(3));
          break;
        default:
          text[at] = pick(kDamage).front();
      }
    }
  }

  std::mt19937_64 random_;
};

}  // namespace siptls_test
