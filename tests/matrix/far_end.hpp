// What the programs of this folder that stand for another TLS library share, and the driver with
// them. No header of any TLS library: each of these programs sees one library alone.
//
// The driver starts such a program with one end of a SOCK_SEQPACKET pair as standard input. Each
// message is `key=value` words and carries a descriptor, one end of a stream socket pair, over
// which the program then plays its side of one connection; it answers with one message of the same
// form.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace matrix {

using Words = std::map<std::string, std::string>;

std::string to_line(const Words& words);
Words from_line(std::string_view line);
// The value of a word, or nothing.
std::string value(const Words& words, const std::string& key);
bool is_set(const Words& words, const std::string& key);
std::string hex(unsigned code);
// Calls `take` with each part of "a,b,c".
void for_each_part(std::string_view list, const std::function<void(std::string_view)>& take);

// The messages that cross each connection.
inline constexpr std::string_view kRequest =
    "OPTIONS sip:server.example SIP/2.0\r\n"
    "Via: SIP/2.0/TLS client.example;branch=z9hG4bKmatrix\r\n"
    "From: <sip:client.example>;tag=m\r\n"
    "To: <sip:server.example>\r\n"
    "Call-ID: matrix@client.example\r\n"
    "CSeq: 1 OPTIONS\r\n"
    "Content-Length: 0\r\n\r\n";
inline constexpr std::string_view kResponse =
    "SIP/2.0 200 OK\r\n"
    "Via: SIP/2.0/TLS client.example;branch=z9hG4bKmatrix\r\n"
    "From: <sip:client.example>;tag=m\r\n"
    "To: <sip:server.example>;tag=n\r\n"
    "Call-ID: matrix@client.example\r\n"
    "CSeq: 1 OPTIONS\r\n"
    "Content-Length: 0\r\n\r\n";

// How long either end waits for the other before it gives a cell up.
inline constexpr int kPatienceSeconds = 10;

// One message with at most one descriptor. Nothing comes when the other end is gone; a descriptor
// that comes belongs to the caller, -1 if there was none.
struct Message {
  std::string text;
  int descriptor = -1;
};
std::optional<Message> receive_message(int control);
bool send_message(int control, const std::string& text, int descriptor = -1);

// Answers each request until the driver is gone. `play` gets the request and the descriptor, which
// is closed afterwards.
int serve(const std::function<Words(const Words& request, int descriptor)>& play);

}  // namespace matrix
