#include "framer_bench_traffic.hpp"

#include <random>
#include <utility>

namespace framer_bench {
namespace {

constexpr std::size_t kMessages = 64;

class Maker {
 public:
  explicit Maker(std::string name) { traffic_.name = std::move(name); }

  // Letters and digits, between `least` and `most` of them.
  std::string word(std::size_t least, std::size_t most) {
    static constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789";
    std::string result(least + random_() % (most - least + 1), ' ');
    for (char& c : result) c = kLetters[random_() % kLetters.size()];
    return result;
  }
  std::string number(std::size_t most) { return std::to_string(random_() % most); }

  void add(const std::string& header, const std::string& body) {
    traffic_.headers.push_back(header.size());
    traffic_.stream += header + body;
    traffic_.ends.push_back(traffic_.stream.size());
  }
  void add_keep_alive(const std::string& octets) {
    traffic_.headers.push_back(0);
    traffic_.stream += octets;
    traffic_.ends.push_back(traffic_.stream.size());
  }
  Traffic done() { return std::move(traffic_); }

  std::string sdp() {
    const std::string address = "192.0.2." + number(250);
    return "v=0\r\no=- " + number(1000000) + " 1 IN IP4 " + address + "\r\ns=-\r\nc=IN IP4 " +
           address + "\r\nt=0 0\r\nm=audio " + number(60000) +
           " RTP/AVP 8 0\r\na=rtpmap:8 PCMA/8000\r\n";
  }

  // The rows that every message has, in one of a few usual orders.
  std::string rows(const std::string& method) {
    const std::string via = "Via: SIP/2.0/TLS " + word(3, 9) +
                            ".atlanta.example:5061;branch=z9hG4bK" + word(8, 16) + ";rport\r\n";
    const std::string from =
        "From: <sip:" + word(4, 9) + "@atlanta.example>;tag=" + word(6, 10) + "\r\n";
    const std::string to = "To: <sip:" + word(4, 9) + "@biloxi.example>\r\n";
    const std::string call_id = "Call-ID: " + word(12, 20) + "\r\n";
    const std::string cseq = "CSeq: " + number(100000) + " " + method + "\r\n";
    if (random_() % 2 == 0) return via + "Max-Forwards: 70\r\n" + from + to + call_id + cseq;
    return via + from + to + call_id + cseq + "Max-Forwards: 69\r\n";
  }

  // `start_line` and `rows`, filled up to a message of `size` octets with a User-Agent.
  void add_of_size(std::size_t size, const std::string& start_line, const std::string& rows,
                   const std::string& body) {
    const std::string tail = "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    const std::string agent = "User-Agent: ";
    std::string header = start_line + rows;
    const std::size_t now = header.size() + agent.size() + 2 + tail.size() + body.size();
    if (now < size) header += agent + std::string(size - now, 'x') + "\r\n";
    add(header + tail, body);
  }

 private:
  std::mt19937 random_{20261};
  Traffic traffic_;
};

}  // namespace

Traffic invites() {
  Maker make("invite");
  for (std::size_t i = 0; i < kMessages; ++i) {
    const std::string contact =
        "Contact: <sip:" + make.word(4, 8) + "@192.0.2.7:5061;transport=tcp>\r\n";
    make.add_of_size(600, "INVITE sip:" + make.word(4, 9) + "@biloxi.example SIP/2.0\r\n",
                     make.rows("INVITE") + contact + "Content-Type: application/sdp\r\n",
                     make.sdp());
  }
  return make.done();
}

Traffic options() {
  Maker make("options");
  for (std::size_t i = 0; i < kMessages; ++i) {
    make.add_of_size(600, "OPTIONS sip:" + make.word(4, 9) + "@biloxi.example SIP/2.0\r\n",
                     make.rows("OPTIONS") +
                         "Accept: application/sdp\r\nSupported: replaces, timer, outbound\r\n"
                         "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK\r\n",
                     "");
  }
  return make.done();
}

Traffic responses() {
  Maker make("response");
  for (std::size_t i = 0; i < kMessages; ++i) {
    make.add_of_size(600, "SIP/2.0 200 OK\r\n",
                     make.rows("INVITE") + "Contact: <sip:" + make.word(4, 8) +
                         "@192.0.2.9:5061;transport=tcp>\r\nContent-Type: application/sdp\r\n",
                     make.sdp());
  }
  return make.done();
}

Traffic keep_alives() {
  Maker make("keep_alive");
  for (std::size_t i = 0; i < kMessages; ++i) {
    make.add_keep_alive("\r\n\r\n");
    const std::string request = "OPTIONS sip:" + make.word(4, 4) + " SIP/2.0\r\ni: ";
    const std::string tail = "\r\nl: 0\r\n\r\n";
    make.add(request +
                 make.word(60 - request.size() - tail.size(), 60 - request.size() - tail.size()) +
                 tail,
             "");
  }
  return make.done();
}

Traffic header_of(std::size_t octets) {
  Maker make("header_" + std::to_string(octets));
  for (std::size_t i = 0; i < 4; ++i) {
    std::string rows = make.rows("INVITE");
    while (rows.size() + 300 < octets) {
      rows +=
          "Record-Route: <sip:" + make.word(5, 20) + ".example;lr;id=" + make.word(8, 60) + ">\r\n";
    }
    make.add_of_size(octets, "INVITE sip:bob@biloxi.example SIP/2.0\r\n", rows, "");
  }
  return make.done();
}

Traffic large_body() {
  Maker make("body_1m");
  make.add_of_size(0, "MESSAGE sip:bob@biloxi.example SIP/2.0\r\n", make.rows("MESSAGE"),
                   std::string(std::size_t{1024} * 1024, 'b'));
  return make.done();
}

}  // namespace framer_bench
