// What a host can answer to a request whose framing failed.
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "catch.hpp"
#include "siptls/sip_framer.hpp"

namespace siptls_test {
namespace {

using siptls::FramerOptions;
using siptls::SipFramer;

const std::string kStart = "OPTIONS sip:bob@biloxi.example SIP/2.0\r\n";

std::span<const std::byte> octets(std::string_view text) { return std::as_bytes(std::span(text)); }

const std::string kVias = "Via: SIP/2.0/TLS a.example;branch=z9hG4bK1\r\n";
const std::string kIdentity =
    "From: <sip:a@a.example>;tag=1\r\nTo: <sip:b@b.example>\r\nCall-ID: x@a.example\r\n"
    "CSeq: 7 OPTIONS\r\n";

// What a host can answer to a stream that fails, pushed whole or octet by octet.
std::string refusal_of(const std::string& stream, bool bytewise = false) {
  FramerOptions options;
  options.limits.max_header = 4000;
  SipFramer framer(options);
  bool failed = false;
  const std::size_t piece = bytewise ? 1 : stream.size();
  for (std::size_t at = 0; at < stream.size() && !failed; at += piece) {
    framer.push(octets(std::string_view(stream).substr(at, piece)));
    failed = std::holds_alternative<siptls::Error>(framer.next());
  }
  REQUIRE(failed);
  return std::string(framer.refusal_response());
}

TEST_CASE("a request whose framing failed has the status that RFC 3261 suggests") {
  FramerOptions options;
  options.limits.max_header = 2000;
  options.limits.max_header_rows = 10;
  const auto status = [&](const std::string& stream) {
    SipFramer framer(options);
    framer.push(octets(stream));
    REQUIRE(std::holds_alternative<siptls::Error>(framer.next()));
    return framer.suggested_status().value_or(0);
  };
  std::string rows;
  for (int i = 0; i < 11; ++i) rows += "x: y\r\n";
  CHECK(status(kStart + "To: x\r\n\r\n") == 400);
  CHECK(status(kStart + "l: x\r\n\r\n") == 400);
  CHECK(status(kStart + "To: x\n") == 400);
  CHECK(status(kStart + "l: 99999999\r\n\r\n") == 413);
  CHECK(status(kStart + "x: " + std::string(2000, 'y')) == 513);
  CHECK(status(kStart + rows) == 513);
  CHECK(status("SIP/2.0 200 OK\r\nTo: x\r\n\r\n") == 0);
  CHECK(status("GET / HTTP/1.1\r\n\r\n") == 0);
  CHECK(status("OPTIONS sip:x\n") == 0);
}

TEST_CASE("a request whose framing failed can be answered before the connection is closed") {
  const std::string missing = kStart + kVias + "v: SIP/2.0/TLS c.example\r\n" + kIdentity + "\r\n";
  const std::string expected_head = "SIP/2.0 400 Missing content length\r\n" + kVias +
                                    "Via: SIP/2.0/TLS c.example\r\n" +
                                    "From: <sip:a@a.example>;tag=1\r\nTo: <sip:b@b.example>;tag=";
  const std::string expected_tail =
      "\r\nCall-ID: x@a.example\r\nCSeq: 7 OPTIONS\r\nContent-Length: 0\r\n\r\n";
  for (const bool bytewise : {false, true}) {
    CAPTURE(bytewise);
    const std::string answer = refusal_of(missing, bytewise);
    CHECK(answer.substr(0, expected_head.size()) == expected_head);
    REQUIRE(answer.size() == expected_head.size() + 16 + expected_tail.size());
    CHECK(answer.substr(expected_head.size() + 16) == expected_tail);
    // It is a message itself.
    SipFramer framer({siptls::FramerRole::client, {}});
    framer.push(octets(answer));
    REQUIRE(std::holds_alternative<siptls::SipMessageView>(framer.next()));
    CHECK(framer.at_boundary());
  }
  CHECK(refusal_of(missing) == refusal_of(missing, true));
}

TEST_CASE("a request that comes behind others can be answered as well as a first one") {
  const std::string good = kStart + kVias + kIdentity + "l: 0\r\n\r\n";
  for (const char* mistake : {"", "l: x\r\n", "l: 0\r\nl: 0\r\n", "l: 99999999\r\n"}) {
    CAPTURE(mistake);
    const std::string bad = kStart + kVias + kIdentity + mistake + "\r\n";
    SipFramer framer;
    for (int before = 0; before < 3; ++before) {
      framer.push(octets(good));
      REQUIRE(std::holds_alternative<siptls::SipMessageView>(framer.next()));
      REQUIRE(std::holds_alternative<siptls::NeedMore>(framer.next()));
    }
    framer.push(octets(bad));
    REQUIRE(std::holds_alternative<siptls::Error>(framer.next()));
    CHECK(framer.suggested_status().value_or(0) >= 400);
    CHECK_FALSE(framer.refusal_response().empty());
    CHECK(std::string(framer.refusal_response()) == refusal_of(bad));
  }
}

TEST_CASE("a refusal has the status of its mistake, and rows from behind the mistake") {
  struct Row {
    const char* what;
    std::string stream;
    std::string begins;
  };
  const std::string good = kVias + kIdentity;
  const Row rows[] = {
      {"body too large", kStart + good + "l: 99999999\r\n\r\n",
       "SIP/2.0 413 Request Entity Too Large\r\n"},
      {"header too large", kStart + good + "x: " + std::string(5000, 'y') + "\r\n\r\n",
       "SIP/2.0 513 Message Too Large\r\n"},
      {"not a number", kStart + "l: x\r\n" + good + "\r\n",
       "SIP/2.0 400 Invalid content length\r\n"},
      {"twice", kStart + "l: 0\r\nl: 0\r\n" + good + "\r\n",
       "SIP/2.0 400 Duplicate content length\r\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const std::string answer = refusal_of(row.stream);
    CHECK(answer.substr(0, row.begins.size()) == row.begins);
    CHECK(answer.find("Call-ID: x@a.example\r\n") != std::string::npos);
  }
  const std::string tagged = refusal_of(kStart + kVias +
                                        "f: <sip:a@a.example>;tag=1\r\nt: <sip:b@b.example>;tag=2"
                                        "\r\ni: x\r\nCSeq: 7\r\n  OPTIONS\r\n\r\n");
  CHECK(tagged.find("To: <sip:b@b.example>;tag=2\r\n") != std::string::npos);
  CHECK(tagged.find("CSeq: 7 OPTIONS\r\n") != std::string::npos);
}

TEST_CASE("a To field gets a tag exactly where it has none") {
  struct Row {
    const char* to;
    bool tagged;
  };
  const Row rows[] = {
      {"<sip:b@b.example>", false},
      {"sip:b@b.example", false},
      {"sip:b@b.example;tag=1", true},
      {"<sip:b@b.example>;tag=1;x=\">\"", true},
      {"\"; tag=1 <\" <sip:b@b.example>", false},
      {"\"a \\\" ;tag=1\" <sip:b@b.example>", false},
      {"<sip:b@b.example;tag=1>", false},
      {"<sip:b@b.example>;tagged=1", false},
      {"<sip:b@b.example> ; TAG = 1", true},
      {"<sip:b@b.example>;x=y;tag=1", true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.to);
    const std::string answer =
        refusal_of(kStart + kVias + "From: <sip:a@a.example>;tag=1\r\nTo: " + row.to +
                   "\r\nCall-ID: x\r\nCSeq: 7 OPTIONS\r\n\r\n");
    const std::string to = std::string("To: ") + row.to;
    const auto at = answer.find(to);
    REQUIRE(at != std::string::npos);
    const std::string behind = answer.substr(at + to.size(), 5);
    CHECK(behind.substr(0, row.tagged ? 2 : 5) == (row.tagged ? "\r\n" : ";tag="));
  }
}

TEST_CASE("nothing is answered where it is not clear what would be answered") {
  const std::string good = kVias + kIdentity;
  const std::string streams[] = {
      kStart + kIdentity + "\r\n",                 // no Via
      kStart + kVias + "\r\n",                     // nothing else
      kStart + good + "Call-ID: another\r\n\r\n",  // two of them
      kStart + kVias +
          "From: a\x01"
          "b\r\n" +
          kIdentity + "\r\n",
      "ACK sip:b.example SIP/2.0\r\n" + good + "\r\n",
      "SIP/2.0 200 OK\r\n" + good + "\r\n",
      "OPTIONS sip:b.example\n" + good + "\r\n",
      kStart + "x: y\n" + kVias,  // the rest has not come
      kStart + kVias + kVias + "x: " + std::string(5000, 'y') + "\r\n" + good,
  };
  for (const std::string& stream : streams) {
    CAPTURE(stream);
    CHECK(refusal_of(stream).empty());
  }
}

}  // namespace
}  // namespace siptls_test
