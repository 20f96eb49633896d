// SipMessageView and the sips rules, on messages that a framer found.
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "catch.hpp"
#include "siptls/sip_framer.hpp"
#include "siptls/sip_message_view.hpp"
#include "siptls/sips.hpp"

namespace siptls_test {
namespace {

using siptls::HeaderId;
using siptls::SipFramer;
using siptls::SipMessageView;
using siptls::SipsMode;

// Keeps a message, its framer and the view of it together.
class Parsed {
 public:
  explicit Parsed(std::string text) : text_(std::move(text)) {
    framer_.push(std::as_bytes(std::span(text_)));
    auto output = framer_.next();
    if (auto* error = std::get_if<siptls::Error>(&output)) FAIL(error->message());
    view_ = std::get<SipMessageView>(output);
  }
  Parsed(const Parsed&) = delete;
  Parsed& operator=(const Parsed&) = delete;

  const SipMessageView* operator->() const { return &view_; }
  const SipMessageView& operator*() const { return view_; }

 private:
  std::string text_;
  SipFramer framer_;
  SipMessageView view_;
};

Parsed request(const std::string& rows, const std::string& uri = "sip:bob@biloxi.example") {
  return Parsed("INVITE " + uri + " SIP/2.0\r\n" + rows + "Content-Length: 0\r\n\r\n");
}

TEST_CASE("a view gives the parts of a request") {
  const Parsed message(
      "INVITE sip:bob@biloxi.example SIP/2.0\r\n"
      "v: SIP/2.0/TLS pc33.atlanta.example;branch=z9hG4bK776\r\n"
      "Max-Forwards : 70\r\n"
      "X-Odd  \t:  some\r\n\t folded \r\n value  \r\n"
      "i: a84b4c76e66710\r\n"
      "CSEQ: 314159 INVITE\r\n"
      "c: application/sdp\r\n"
      "Subject:\r\n"
      "l: 4\r\n\r\nv=0\n");
  CHECK(message->is_request());
  CHECK(message->start_line() == "INVITE sip:bob@biloxi.example SIP/2.0");
  CHECK(message->method() == "INVITE");
  CHECK(message->request_uri() == "sip:bob@biloxi.example");
  CHECK(message->status() == 0);
  CHECK(message->reason_phrase().empty());
  CHECK(message->body().size() == 4);
  CHECK(message->bytes().size() == message->header().size() + 4);
  CHECK(message->header().substr(message->header().size() - 4) == "\r\n\r\n");
  CHECK(message->offset() == 0);
  REQUIRE(message->row_count() == 8);
  CHECK(message->row(0).id == HeaderId::via);
  CHECK(message->row(0).name == "v");
  CHECK(message->row(1).id == HeaderId::max_forwards);
  CHECK(message->row(1).name == "Max-Forwards");
  CHECK(message->row(1).value == "70");
  CHECK(message->row(2).id == HeaderId::other);
  CHECK(message->row(2).name == "X-Odd");
  CHECK(message->row(2).value == "some\r\n\t folded \r\n value");
  CHECK(siptls::unfold(message->row(2).value) == "some folded value");
  CHECK(message->row(6).value.empty());
  CHECK(message->find("x-odd")->name == "X-Odd");
  CHECK(message->find("Via")->name == "v");
  CHECK(message->find("V")->name == "v");
  CHECK(message->find("call-id")->value == "a84b4c76e66710");
  CHECK(message->find(HeaderId::content_length)->value == "4");
  CHECK_FALSE(message->find("Route"));
  CHECK_FALSE(message->find("X"));
  CHECK_FALSE(message->find(HeaderId::other));
  CHECK(message->call_id() == "a84b4c76e66710");
  CHECK(message->content_type() == "application/sdp");
  CHECK(message->cseq()->number == 314159);
  CHECK(message->cseq()->method == "INVITE");
}

TEST_CASE("a view gives the parts of a response") {
  const Parsed message("SIP/2.0 404 Not  Found\r\nl:0\r\n\r\n");
  CHECK_FALSE(message->is_request());
  CHECK(message->status() == 404);
  CHECK(message->reason_phrase() == "Not  Found");
  CHECK(message->method().empty());
  CHECK(message->request_uri().empty());
  CHECK_FALSE(message->top_via());
  CHECK_FALSE(message->cseq());
  CHECK(message->call_id().empty());
  CHECK(message->content_type().empty());
  CHECK(Parsed("SIP/2.0 100 \r\nl:0\r\n\r\n")->reason_phrase().empty());
  CHECK(Parsed("SIP/2.0 4294967301 big\r\nl:0\r\n\r\n")->status() == 0);
  CHECK(Parsed("OPTIONS  sip:a b  SIP/2.0 \r\nl:0\r\n\r\n")->request_uri() == "sip:a b");
}

TEST_CASE("a view of nothing is empty") {
  const SipMessageView nothing;
  CHECK(nothing.bytes().empty());
  CHECK(nothing.header().empty());
  CHECK(nothing.body().empty());
  CHECK(nothing.start_line().empty());
  CHECK(nothing.row_count() == 0);
  CHECK_FALSE(nothing.find("Via"));
  CHECK_FALSE(nothing.is_request());
}

TEST_CASE("every name that has a compact form is found by both") {
  const struct {
    HeaderId id;
    const char* name;
    const char* compact;
  } cases[] = {
      {HeaderId::via, "Via", "v"},
      {HeaderId::from, "From", "f"},
      {HeaderId::to, "To", "t"},
      {HeaderId::call_id, "Call-ID", "i"},
      {HeaderId::cseq, "CSeq", "CSEQ"},
      {HeaderId::contact, "Contact", "m"},
      {HeaderId::content_type, "Content-Type", "c"},
      {HeaderId::max_forwards, "Max-Forwards", "MAX-FORWARDS"},
      {HeaderId::route, "Route", "ROUTE"},
      {HeaderId::record_route, "Record-Route", "RECORD-ROUTE"},
      {HeaderId::supported, "Supported", "k"},
      {HeaderId::subject, "Subject", "s"},
      {HeaderId::content_encoding, "Content-Encoding", "e"},
  };
  for (const auto& test : cases) {
    for (const std::string written : {test.name, test.compact}) {
      for (const char* blanks : {"", " \t"}) {
        INFO(written);
        const Parsed message = request(written + blanks + ": x\r\n");
        CHECK(message->row(0).id == test.id);
        CHECK(message->find(test.id)->name == written);
        CHECK(message->find(test.name)->name == written);
        CHECK(message->find(test.compact)->name == written);
      }
      const Parsed longer = request(written + "x: y\r\n");
      CHECK(longer->row(0).id == HeaderId::other);
    }
  }
}

TEST_CASE("CSeq is a number of 32 bits and a method") {
  std::unique_ptr<Parsed> message;
  const auto cseq = [&message](const std::string& value) {
    message = std::make_unique<Parsed>("ACK sip:x SIP/2.0\r\nCSeq: " + value + "\r\nl:0\r\n\r\n");
    return (*message)->cseq();
  };
  CHECK(cseq("0009\r\n  INVITE")->number == 9);
  CHECK(cseq("4294967295 ACK")->number == 4294967295u);
  CHECK(cseq("1\t!odd")->method == "!odd");
  for (const char* bad : {"4294967296 ACK", "36893488147419103232 REGISTER", "", "1", "ACK",
                          "-1 ACK", "1ACK", "1 AC K", "1 A,CK"}) {
    INFO(bad);
    CHECK_FALSE(cseq(bad));
  }
}

TEST_CASE("the top Via is read with blanks, folds, addresses and parameters") {
  std::unique_ptr<Parsed> message;
  const auto via = [&message](const std::string& value) {
    message = std::make_unique<Parsed>("ACK sip:x SIP/2.0\r\nVia: " + value + "\r\nl:0\r\n\r\n");
    return (*message)->top_via();
  };
  SECTION("the parts") {
    const auto found =
        via("SIP  / 2.0\r\n / TLS   host.example\r\n : 5061 ;  branch = z9hG4bK1 ;rport;Alias; "
            "keep = 30;"
            "received=[2001:db8::9]; other=\"a,\\\"b\", SIP/2.0/TCP second.example");
    REQUIRE(found);
    CHECK(found->transport == "TLS");
    CHECK(found->host == "host.example");
    CHECK(found->port == 5061);
    CHECK(found->branch == "z9hG4bK1");
    CHECK(found->rport == "");
    CHECK(found->alias);
    CHECK(found->keep == "30");
    CHECK(found->received == "[2001:db8::9]");
  }
  SECTION("addresses") {
    CHECK(via("SIP/2.0/TLS [2001:db8::1]")->host == "[2001:db8::1]");
    CHECK(via("SIP/2.0/TLS [2001:db8::1]:5061;keep")->port == 5061);
    CHECK(via("SIP/2.0/TLS [2001:db8::1]:5061;keep")->keep == "");
    CHECK(via("SIP/2.0/UNKNOWN 192.0.2.1;received=2001:db8::9;rport=7")->received == "2001:db8::9");
    CHECK(via("SIP/2.0/TLS 192.0.2.1;rport=7")->rport == "7");
    CHECK_FALSE(via("SIP/2.0/TLS 192.0.2.1")->port);
    CHECK_FALSE(via("SIP/2.0/TLS 192.0.2.1")->rport);
    CHECK_FALSE(via("SIP/2.0/TLS 192.0.2.1")->received);
    CHECK_FALSE(via("SIP/2.0/TLS 192.0.2.1")->alias);
  }
  SECTION("what cannot be read") {
    for (const char* bad :
         {"", "SIP/2.0", "SIP/2.0/TLS", "SIP/2.0/TLS ", "HTTP/1.1/TLS x",
          "SIP/2.0/TLS x:", "SIP/2.0/TLS x:65536", "SIP/2.0/TLS x:50y", "SIP/2.0/TLS [2001:db8::1",
          "SIP/2.0/TLS []", "SIP/2.0/TLS [x]", "SIP/2.0/TLS x;branch=", "SIP/2.0/TLS x;b=\"y",
          "SIP/2.0/TLS x y", "SIP/2.0/TLSx", "SIP//TLS x", "SIP/2.0/TLS x;=y"}) {
      INFO(bad);
      CHECK_FALSE(via(bad));
    }
  }
}

TEST_CASE("the host of a sip or sips URI is found") {
  const struct {
    const char* uri;
    const char* host;  // null: none
  } cases[] = {
      {"sip:biloxi.example", "biloxi.example"},
      {"SIPS:bob@biloxi.example:5061", "biloxi.example"},
      {"sip:bob;p=1@biloxi.example;lr", "biloxi.example"},
      {"sip:b%40b:pw@biloxi.example?x=y", "biloxi.example"},
      {"sip:bob@[2001:db8::1]:5061", "2001:db8::1"},
      {"sips:[2001:db8::1];transport=tcp", "2001:db8::1"},
      {"sip:+1-212-555@192.0.2.1", "192.0.2.1"},
      {"sip:", nullptr},
      {"sip:bob@", nullptr},
      {"sip:bob@:5060", nullptr},
      {"sip:[2001:db8::1", nullptr},
      {"sip:[]", nullptr},
      {"sip:[::1]x", nullptr},
      {"sip:a b", nullptr},
      {"sip:a@b@c", nullptr},
      {"tel:+1", nullptr},
      {"sipx:a", nullptr},
      {"biloxi.example", nullptr},
      {"", nullptr},
  };
  for (const auto& test : cases) {
    INFO(test.uri);
    const auto host = siptls::uri_host(test.uri);
    CHECK(host.has_value() == (test.host != nullptr));
    if (host && test.host != nullptr) CHECK(*host == test.host);
  }
  CHECK(siptls::is_sips("sips:a"));
  CHECK(siptls::is_sips("SiPs:a"));
  CHECK_FALSE(siptls::is_sips("sip:a"));
  CHECK_FALSE(siptls::is_sips("sips"));
  CHECK_FALSE(siptls::is_sips("xsips:a"));
}

TEST_CASE("sips is refused, required or allowed by mode") {
  const auto judge = [](const std::string& uri, const std::string& rows, SipsMode mode) {
    return siptls::judge_sips(*request(rows, uri), mode);
  };
  const std::string sip_contact = "Contact: \"a <sips:x>\" <sip:a@b>;x\r\n";
  const std::string sips_contact = "m: <sips:a@b>\r\n";
  CHECK_FALSE(judge("sip:b", sip_contact, SipsMode::disabled));
  CHECK_FALSE(judge("sip:b", sips_contact, SipsMode::enabled));
  CHECK_FALSE(judge("sips:b", sips_contact, SipsMode::enabled));
  CHECK_FALSE(judge("sips:b", "", SipsMode::required));
  CHECK_FALSE(judge("sips:b", "Contact: sips:a@b;expires=1\r\n", SipsMode::required));
  const auto disabled = judge("sips:b", sips_contact, SipsMode::disabled);
  REQUIRE(disabled);
  CHECK(disabled->status == 480);
  CHECK(disabled->warning == "380 \"SIPS Not Allowed\"");
  const auto required = judge("sip:b", sip_contact, SipsMode::required);
  REQUIRE(required);
  CHECK(required->status == 480);
  CHECK(required->warning == "381 \"SIPS Required\"");
  const auto mixed = judge("sips:b", sip_contact, SipsMode::enabled);
  REQUIRE(mixed);
  CHECK(mixed->status == 400);
  CHECK(judge("sips:b", "Contact: <sips:a>, <sip:b>\r\n", SipsMode::enabled));
  CHECK(judge("sips:b", sips_contact + sip_contact, SipsMode::enabled));
  CHECK_FALSE(judge("sips:b", "m: \"x, <sip:y>\" <sips:a;x=1,2>;e=\",\", sips:b\r\n" + sips_contact,
                    SipsMode::enabled));
  CHECK(mixed->warning.empty());
  // Every binding is to be removed (RFC 3261 section 10.2.2).
  const auto judge_register = [](const std::string& rows, SipsMode mode) {
    return siptls::judge_sips(
        *Parsed("REGISTER sips:b SIP/2.0\r\n" + rows + "Content-Length: 0\r\n\r\n"), mode);
  };
  CHECK_FALSE(judge_register("Contact: *\r\nExpires: 0\r\n", SipsMode::enabled));
  CHECK_FALSE(judge_register("m:\t* \r\n", SipsMode::required));
  CHECK(judge_register("Contact: *, <sips:a>\r\n", SipsMode::enabled));
  CHECK(judge_register("Contact: **\r\n", SipsMode::enabled));
  // Of other methods it is no Contact (section 20.10).
  CHECK(judge("sips:b", "Contact: *\r\nExpires: 0\r\n", SipsMode::enabled));
  CHECK_FALSE(siptls::judge_sips(*Parsed("SIP/2.0 200 OK\r\nl:0\r\n\r\n"), SipsMode::required));
}

TEST_CASE("the next hop needs TLS if the Request-URI or the top Route is sips") {
  const auto needs = [](const std::string& uri, const std::string& rows) {
    return siptls::requires_tls(*request(rows, uri));
  };
  CHECK(needs("sips:b", ""));
  CHECK(needs("sips:b", "Route: <sip:p;lr>\r\n"));
  CHECK(needs("sip:b", "Route: <sips:p;lr>, <sip:q;lr>\r\n"));
  CHECK(needs("sip:b", "Route:\r\n \"x, y\" <sips:p;lr>\r\nRoute: <sip:q;lr>\r\n"));
  CHECK_FALSE(needs("sip:b", ""));
  CHECK_FALSE(needs("sip:b", "Route: <sip:p;lr>, <sips:q;lr>\r\n"));
  CHECK_FALSE(needs("sip:b", "Route: <sip:p;lr>\r\nRoute: <sips:q;lr>\r\n"));
  CHECK_FALSE(needs("sip:b", "Contact: <sips:a>\r\n"));
}

TEST_CASE("unfolding replaces each fold by one space and nothing else") {
  CHECK(siptls::unfold("") == "");
  CHECK(siptls::unfold("a  b") == "a  b");
  CHECK(siptls::unfold("a\r\n b") == "a b");
  CHECK(siptls::unfold("a \t\r\n\t  b\r\n c") == "a b c");
  CHECK(siptls::unfold("a\r\n \r\n b") == "a b");
}

}  // namespace
}  // namespace siptls_test
