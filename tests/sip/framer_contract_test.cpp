// What SipFramer promises, case by case.
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "framer_run.hpp"
#include "siptls/keep_alive.hpp"

namespace siptls_test {
namespace {

using siptls::Errc;
using siptls::FramerOptions;
using siptls::FramerRole;
using siptls::SipFramer;
using Kind = Framed::Kind;

const std::string kStart = "OPTIONS sip:bob@biloxi.example SIP/2.0\r\n";

std::span<const std::byte> octets(std::string_view text) { return std::as_bytes(std::span(text)); }

// What comes out of a stream, the same in every cutting into two and octet by octet.
std::vector<Framed> frame_all_ways(const std::string& stream, const FramerOptions& options = {}) {
  const auto workspace = SipFramer::make_workspace();
  const std::vector<Framed> whole = frame(stream, {}, options, *workspace);
  INFO(stream << "\n" << describe(whole));
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    if (frame(stream, {cut}, options, *workspace) != whole) FAIL("cut at " << cut);
  }
  CHECK(frame_by_octets(stream, options, *workspace) == whole);
  CHECK(same(NaiveFramer(stream, options).run(), whole));
  return whole;
}

struct ErrorCase {
  const char* what;
  std::string stream;
  Errc reason;
  std::size_t offset;
};

TEST_CASE("each breach of the syntax has a reason of its own, and the octet where it is") {
  const std::string nul(1, '\0');
  const ErrorCase cases[] = {
      {"no Content-Length", kStart + "To: x\r\n\r\n", Errc::missing_content_length, 47},
      {"no header at all", kStart + "\r\n", Errc::missing_content_length, 40},
      {"two equal lengths", kStart + "l: 0\r\nContent-Length: 0\r\n\r\n",
       Errc::duplicate_content_length, 46},
      {"two different lengths", kStart + "l: 0\r\nl: 5\r\n\r\nhello",
       Errc::duplicate_content_length, 46},
      {"a sign", kStart + "l: +5\r\n\r\n", Errc::invalid_content_length, 43},
      {"a negative length", kStart + "l: -5\r\n\r\n", Errc::invalid_content_length, 43},
      {"a comma", kStart + "l: 5,5\r\n\r\n", Errc::invalid_content_length, 44},
      {"an inner blank", kStart + "l: 5 5\r\n\r\n", Errc::invalid_content_length, 44},
      {"an inner fold", kStart + "l: 5\r\n 5\r\n\r\n", Errc::invalid_content_length, 44},
      {"hexadecimal", kStart + "l: 0x5\r\n\r\n", Errc::invalid_content_length, 44},
      {"an underscore", kStart + "l: 1_0\r\n\r\n", Errc::invalid_content_length, 44},
      {"full-width digits", kStart + "l: \xef\xbc\x95\r\n\r\n", Errc::invalid_content_length, 43},
      {"an empty length", kStart + "l:\r\n\r\n", Errc::invalid_content_length, 42},
      {"an empty folded length", kStart + "l: \r\n \r\n\r\n", Errc::invalid_content_length, 46},
      {"2^32 + 5", kStart + "l: 4294967301\r\n\r\n", Errc::content_length_too_large, 43},
      {"2^64 + 5", kStart + "l: 18446744073709551621\r\n\r\n", Errc::content_length_too_large, 43},
      {"one more than the limit", kStart + "l: 1048577\r\n\r\n", Errc::content_length_too_large,
       43},
      {"LF alone", kStart + "To: x\nl: 0\r\n\r\n", Errc::bare_line_feed, 45},
      {"LF alone behind the start line", "OPTIONS sip:x SIP/2.0\nl: 0\r\n\r\n",
       Errc::bare_line_feed, 21},
      {"CR alone", kStart + "To: x\ry\r\nl: 0\r\n\r\n", Errc::bare_carriage_return, 45},
      {"CR CR LF", kStart + "To: x\r\r\nl: 0\r\n\r\n", Errc::bare_carriage_return, 45},
      {"CR CR LF as empty line", kStart + "l: 0\r\n\r\r\n", Errc::bare_carriage_return, 46},
      {"NUL in a value", kStart + "To: x" + nul + "\r\nl: 0\r\n\r\n", Errc::nul_in_header, 45},
      {"NUL in a name", kStart + "T" + nul + ": x\r\nl: 0\r\n\r\n", Errc::nul_in_header, 41},
      {"NUL in the start line", "OPTIONS" + nul, Errc::nul_in_header, 7},
      {"NUL in a quoted string, bare", kStart + "To: \"" + nul + "\"", Errc::nul_in_header, 45},
      {"NUL behind a backslash outside of quotes", kStart + "To: \\" + nul, Errc::nul_in_header,
       45},
      {"NUL behind an escaped backslash", kStart + "To: \"\\\\" + nul, Errc::nul_in_header, 47},
      {"a blank before the first header", kStart + " To: x\r\nl: 0\r\n\r\n", Errc::unexpected_fold,
       40},
      {"a tab before the first header", kStart + "\tTo: x\r\n", Errc::unexpected_fold, 40},
      {"no colon", kStart + "To\r\nl: 0\r\n\r\n", Errc::invalid_header, 42},
      {"a line break before the colon", kStart + "To\r\n : x\r\n", Errc::invalid_header, 42},
      {"an empty name", kStart + ": x\r\n", Errc::invalid_header, 40},
      {"a name with a blank in it", kStart + "To you: x\r\n", Errc::invalid_header, 43},
      {"a name with an octet that is no token", kStart + "T(o: x\r\n", Errc::invalid_header, 41},
      {"a name that is not ASCII", kStart + "T\xc3\xb6: x\r\n", Errc::invalid_header, 41},
      {"HTTP", "GET / HTTP/1.1\r\n", Errc::invalid_start_line, 0},
      {"a blank first", " OPTIONS sip:x SIP/2.0\r\n", Errc::invalid_start_line, 0},
      {"no Request-URI", "OPTIONS SIP/2.0\r\n", Errc::invalid_start_line, 0},
      {"no method", "sip:x SIP/2.0\r\n", Errc::invalid_start_line, 0},
      {"tabs between", "OPTIONS\tsip:x\tSIP/2.0\r\n", Errc::invalid_start_line, 0},
      {"a version without digits", "OPTIONS sip:x SIP/2.\r\n", Errc::invalid_start_line, 0},
      {"something behind the version", "OPTIONS sip:x SIP/2.0x\r\n", Errc::invalid_start_line, 0},
      {"a status line without its second space", "SIP/2.0 200\r\n", Errc::invalid_start_line, 0},
      {"a status code of letters", "SIP/2.0 OK 200\r\n", Errc::invalid_start_line, 0},
      {"a header without a start line", "To: x\r\nl: 0\r\n\r\n", Errc::invalid_start_line, 0},
      {"LF between messages", "\n", Errc::bare_line_feed, 0},
      {"CR between messages", "\rO", Errc::bare_carriage_return, 0},
      {"half a ping, then CR", "\r\n\rO", Errc::bare_carriage_return, 2},
      {"half a ping, then LF", "\r\n\n", Errc::bare_line_feed, 2},
  };
  for (const ErrorCase& test : cases) {
    INFO(test.what);
    const std::vector<Framed> framed = frame_all_ways(test.stream);
    REQUIRE(framed.size() == 1);
    CHECK(siptls::to_string(framed[0].reason) == siptls::to_string(test.reason));
    CHECK(framed[0].offset == test.offset);
    // The same in the second message of a stream, further on by the first.
    const std::string first = kStart + "l: 2\r\n\r\nhi";
    const std::vector<Framed> second = frame_all_ways(first + test.stream);
    REQUIRE(second.size() == 2);
    CHECK(second[1].reason == test.reason);
    CHECK(second[1].offset == first.size() + test.offset);
  }
}

TEST_CASE("whatever RFC 3261 allows in a header leaves the message whole") {
  const std::string nul(1, '\0');
  const struct {
    const char* what;
    std::string header;
    std::size_t body;
  } cases[] = {
      {"compact", "l: 5\r\n", 5},
      {"compact in upper case", "L:5\r\n", 5},
      {"any case", "cONTENT-lENGTH: 5\r\n", 5},
      {"blanks before the colon", "Content-Length \t : 5\r\n", 5},
      {"blanks around the value", "l:\t 5 \t\r\n", 5},
      {"a folded value", "l:\r\n\t 5\r\n", 5},
      {"a fold behind the value", "l: 5\r\n \r\n", 5},
      {"leading zeros", "l: 00000000000000000000005\r\n", 5},
      {"zero", "l: 0\r\n", 0},
      {"a folded line that looks like a length", "Subject: x\r\n l: 1\r\nl: 5\r\n", 5},
      {"names that look like a length",
       "X-Content-Length: 1\r\nContent-Lengths: 2\r\nll: 3\r\nl: 5\r\n", 5},
      {"a length in a quoted string", "Subject: \"l: 1\"\r\nl: 5\r\n", 5},
      {"NUL as quoted-pair", "To: \"\\" + nul + "\" <sip:x>\r\nl: 5\r\n", 5},
      {"NUL as quoted-pair behind a fold", "To: \"a\r\n b\\" + nul + "\"\r\nl: 5\r\n", 5},
      {"chunked coding is ignored", "Transfer-Encoding: chunked\r\nl: 5\r\n", 5},
      {"UTF-8", "Subject: caf\xc3\xa9\r\nl: 5\r\n", 5},
      {"a name of every octet of a token", "azAZ09-.!%*_+`'~: x\r\nl: 5\r\n", 5},
      {"a name longer than a block", std::string(100, 'n') + ": x\r\nl: 5\r\n", 5},
      {"a value longer than a block", "x: " + std::string(1000, ':') + "\r\nl: 5\r\n", 5},
      {"empty values", "Subject:\r\nx:\r\nl: 5\r\n", 5},
  };
  const std::string start_lines[] = {kStart,
                                     "SIP/2.0 200 OK\r\n",
                                     "SIP/2.0 180 \r\n",
                                     "sip/2.0 200 OK\r\n",
                                     "OPTIONS sip:x sIp/2.0\r\n",
                                     "OPTIONS sip:x SIP/7.0\r\n",
                                     "OPTIONS  sip:x  SIP/2.0\r\n",
                                     "OPTIONS sip:x SIP/2.0  \r\n",
                                     "OPTIONS sip:x; lr SIP/2.0\r\n",
                                     "SIP/2.0 4294967301 big\r\n",
                                     "!-.%*_+`'~1 x SIP/2.0\r\n"};
  for (const std::string& start_line : start_lines) {
    for (const auto& test : cases) {
      INFO(start_line << test.what);
      const std::string message =
          start_line + test.header + "\r\n" + std::string("\0\r\n\r\n", 5).substr(0, test.body);
      const std::vector<Framed> framed = frame_all_ways(message + message);
      REQUIRE(framed.size() == 3);
      CHECK(framed[0].length == message.size());
      CHECK(framed[1].offset == message.size());
      CHECK(framed[2].offset == 2 * message.size());
      CHECK(framed[0].length - framed[0].header_length == test.body);
    }
  }
}

TEST_CASE("limits are exact, and beyond them is an error with the reason of that limit") {
  const std::string length = "l: 0\r\n\r\n";
  FramerOptions options;
  const auto last = [&](const std::string& stream) {
    return frame_all_ways(stream, options).back();
  };
  SECTION("start line") {
    options.limits.max_start_line = 38;
    CHECK(last(kStart + length).offset == kStart.size() + length.size());
    options.limits.max_start_line = 37;
    CHECK(last(kStart + length).reason == Errc::start_line_too_long);
    CHECK(last(kStart.substr(0, 38)).reason == Errc::start_line_too_long);
    CHECK(last(kStart.substr(0, 37)).kind == Kind::more);
  }
  SECTION("header") {
    options.limits.max_header = 48;
    CHECK(last(kStart + length).offset == 48);
    options.limits.max_header = 47;
    CHECK(last(kStart + length).reason == Errc::header_too_large);
    CHECK(last(kStart + length).offset == 47);
    CHECK(last((kStart + length).substr(0, 46)).kind == Kind::more);
  }
  SECTION("rows") {
    options.limits.max_header_rows = 2;
    CHECK(last(kStart + "To: x\r\n y\r\n" + length).kind == Kind::more);
    CHECK(last(kStart + "To: x\r\nFrom: x\r\n" + length).reason == Errc::too_many_headers);
    CHECK(last(kStart + "To: x\r\nFrom: x\r\n" + length).offset == 56);
  }
  SECTION("body") {
    options.limits.max_body = 5;
    CHECK(last(kStart + "l: 5\r\n\r\nhello").kind == Kind::more);
    // Refused with the last octet of the header, before anything of the body is there.
    CHECK(last(kStart + "l: 6\r\n\r\n").reason == Errc::content_length_too_large);
    CHECK(last(kStart + "l: 6\r\n\r").kind == Kind::more);
  }
  SECTION("empty lines") {
    CHECK(last("\r\n" + kStart + length).kind == Kind::more);
    options.limits.max_empty_lines = 0;
    CHECK(last("\r\n" + kStart + length).reason == Errc::too_many_empty_lines);
    CHECK(last("\r\n\r\n" + kStart + length).kind == Kind::more);
  }
  SECTION("all of them zero") {
    options.limits = {0, 0, 0, 0, 0};
    CHECK(last(kStart + length).reason == Errc::header_too_large);
  }
}

TEST_CASE("keep-alives are told by role, split anywhere, between messages only") {
  const std::string message = kStart + "l: 8\r\n\r\n\r\n\r\n\r\n\r\n";
  FramerOptions client;
  client.role = FramerRole::client;
  const auto kinds = [](const std::vector<Framed>& framed) {
    std::string text;
    for (const Framed& one : framed) text += "MioE."[static_cast<int>(one.kind)];
    return text;
  };
  const struct {
    std::string stream;
    const char* server;
    const char* client;
  } cases[] = {
      {"", ".", "."},
      {"\r\n", ".", "o."},
      {"\r\n\r\n", "i.", "oo."},
      {"\r\n\r\n\r\n", "i.", "ooo."},
      {"\r\n\r\n\r\n\r\n", "ii.", "oooo."},
      {"\r\n" + message, "M.", "oM."},
      {"\r\n\r\n" + message, "iM.", "ooM."},
      {"\r\n\r\n\r\n" + message, "iM.", "oooM."},
      {message + "\r\n\r\n" + message + "\r\n", "MiM.", "MooMo."},
      {message + "\r\n" + message, "MM.", "MoM."},
  };
  for (const auto& test : cases) {
    INFO(test.stream);
    CHECK(kinds(frame_all_ways(test.stream)) == test.server);
    CHECK(kinds(frame_all_ways(test.stream, client)) == test.client);
  }
  const std::vector<Framed> pings = frame_all_ways(message + "\r\n\r\n\r\n\r\n");
  CHECK(pings[1].offset == message.size());
  CHECK(pings[1].length == 4);
  CHECK(pings[2].offset == message.size() + 4);
  CHECK(siptls::kPing.size() == 4);
  CHECK(siptls::kPong.size() == 2);
}

TEST_CASE("unfinished() says what would be lost if the stream ended here") {
  SipFramer framer;
  const auto take = [&](std::string_view text) {
    framer.push(octets(text));
    while (!std::holds_alternative<siptls::NeedMore>(framer.next())) {
    }
    return framer.unfinished();
  };
  CHECK(framer.at_boundary());
  CHECK(take("\r") == 1);
  CHECK(take("\n") == 0);  // an empty line that means nothing yet
  CHECK(framer.at_boundary());
  CHECK(take("\r") == 3);
  CHECK(take("\n") == 0);  // a ping
  CHECK(take("OPTIONS ") == 8);
  CHECK_FALSE(framer.at_boundary());
  CHECK(take("sip:x SIP/2.0\r\nl: 2\r\n\r\nh") == 32);
  CHECK(framer.position() == 4);
  CHECK(take("i") == 0);
  CHECK(framer.position() == 37);
}

TEST_CASE("a message that lies whole in the pushed octets is a view into them") {
  const std::string first = kStart + "l: 9\r\n\r\nhi there!";
  const std::string stream = "\r\n\r\n" + first + first + first.substr(0, 50);
  SipFramer framer;
  framer.push(octets(stream));
  REQUIRE(std::holds_alternative<siptls::KeepAlive>(framer.next()));
  for (std::size_t at : {std::size_t{4}, 4 + first.size()}) {
    const auto output = framer.next();
    const auto& message = std::get<siptls::SipMessageView>(output);
    CHECK(as_text(message.bytes()).data() == stream.data() + at);
    CHECK(message.header().data() == stream.data() + at);
    CHECK(message.row(0).value.data() == stream.data() + at + 43);
  }
  REQUIRE(std::get<siptls::NeedMore>(framer.next()).at_least == 7);
  const std::string rest = first.substr(50);
  framer.push(octets(rest));
  const auto output = framer.next();
  CHECK(as_text(std::get<siptls::SipMessageView>(output).bytes()) == first);
}

TEST_CASE("framers on one workspace do not disturb each other's unfinished messages") {
  const auto workspace = SipFramer::make_workspace();
  const std::size_t count = 20;
  std::vector<SipFramer> framers;
  std::vector<std::string> streams;
  std::vector<std::unique_ptr<FramerRun>> runs;
  framers.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    framers.emplace_back(FramerOptions{}, *workspace);
    std::string message = kStart;
    for (std::size_t row = 0; row <= 3 * i; ++row) {
      message += "X-" + std::to_string(i) + ": " + std::to_string(row) + "\r\n";
    }
    message += "l: " + std::to_string(i) + "\r\n\r\n" + std::string(i, 'b');
    streams.push_back(message + message);
  }
  for (std::size_t i = 0; i < count; ++i) {
    runs.push_back(std::make_unique<FramerRun>(framers[i], streams[i]));
  }
  std::vector<std::size_t> fed(count);
  for (bool more = true; more;) {  // round robin, in unequal pieces
    more = false;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t piece = std::min(streams[i].size() - fed[i], 7 + i);
      if (piece == 0) continue;
      runs[i]->take(piece);
      fed[i] += piece;
      more = true;
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    CHECK(same(NaiveFramer(streams[i], {}).run(), runs[i]->finish()));
  }
}

TEST_CASE("input that is kept outlives the lent octets") {
  const std::string message = kStart + "l: 2\r\n\r\nhi";
  const auto workspace = SipFramer::make_workspace();
  SipFramer framer({}, *workspace);
  {
    const auto lent = std::make_unique<std::string>(message + message + message.substr(0, 9));
    framer.push(octets(*lent));
    REQUIRE(std::holds_alternative<siptls::SipMessageView>(framer.next()));
    framer.keep_input();
    framer.keep_input();
  }
  CHECK(framer.unfinished() == message.size() + 9);
  // A push before NeedMore is appended.
  const std::string rest = message.substr(9);
  for (const char& c : rest) framer.push(octets({&c, 1}));
  for (int i = 0; i < 2; ++i) {
    const auto output = framer.next();
    CHECK(as_text(std::get<siptls::SipMessageView>(output).bytes()) == message);
  }
  CHECK(std::holds_alternative<siptls::NeedMore>(framer.next()));
  CHECK(framer.at_boundary());
}

TEST_CASE("a view outlives its framer on a shared workspace, and framers can be moved") {
  const std::string message = kStart + "l: 2\r\n\r\nhi";
  const auto workspace = SipFramer::make_workspace();
  auto framer = std::make_unique<SipFramer>(FramerOptions{}, *workspace);
  framer->push(octets(std::string_view(message).substr(0, 30)));
  CHECK(std::holds_alternative<siptls::NeedMore>(framer->next()));
  SipFramer moved = std::move(*framer);
  moved.push(octets(std::string_view(message).substr(30)));
  *framer = std::move(moved);
  const auto output = framer->next();
  framer.reset();
  const auto& view = std::get<siptls::SipMessageView>(output);
  CHECK(as_text(view.bytes()) == message);
  CHECK(view.row(0).value == "2");
}

TEST_CASE("evidence is ASCII and names what was expected and found") {
  const auto evidence = [](const std::string& stream) {
    SipFramer framer;
    framer.push(octets(stream));
    return std::get<siptls::Error>(framer.next()).evidence();
  };
  CHECK(evidence(kStart + "l: five\r\n\r\n").find("\"five\"") != std::string::npos);
  CHECK(evidence(kStart + "l: 5\r\nl: 7\r\n\r\n").find("\"5\" and \"7\"") != std::string::npos);
  CHECK(evidence(kStart + "l: 9999999\r\n\r\n").find("1048576") != std::string::npos);
  CHECK(evidence(kStart + "T\xc3\xb6: x\r\n").find("\\xc3") != std::string::npos);
  CHECK(evidence("GET / HTTP/1.1\r\n").find("\"GET / HTTP/1.1\"") != std::string::npos);
}

}  // namespace
}  // namespace siptls_test
