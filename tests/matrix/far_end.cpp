#include "matrix/far_end.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace matrix {

std::string to_line(const Words& words) {
  std::string line;
  for (const auto& [key, text] : words) {
    if (!line.empty()) line += '\x1f';
    line += key + '=' + text;
  }
  return line;
}

Words from_line(std::string_view line) {
  Words words;
  while (!line.empty()) {
    const std::string_view word = line.substr(0, line.find('\x1f'));
    line.remove_prefix(word.size() < line.size() ? word.size() + 1 : word.size());
    const auto equals = word.find('=');
    if (equals == std::string_view::npos) continue;
    words[std::string(word.substr(0, equals))] = word.substr(equals + 1);
  }
  return words;
}

std::string value(const Words& words, const std::string& key) {
  const auto found = words.find(key);
  return found == words.end() ? std::string() : found->second;
}

bool is_set(const Words& words, const std::string& key) { return value(words, key) == "1"; }

std::string hex(unsigned code) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%04x", code);
  return text.data();
}

void for_each_part(std::string_view list, const std::function<void(std::string_view)>& take) {
  while (!list.empty()) {
    const std::string_view part = list.substr(0, list.find(','));
    list.remove_prefix(part.size() < list.size() ? part.size() + 1 : part.size());
    take(part);
  }
}

std::optional<Message> receive_message(int control) {
  std::array<char, 4096> buffer{};
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> extra{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = extra.data();
  header.msg_controllen = extra.size();
  ssize_t count = 0;
  do {
    count = recvmsg(control, &header, MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return std::nullopt;
  Message message;
  message.text.assign(buffer.data(), static_cast<std::size_t>(count));
  const cmsghdr* const first = CMSG_FIRSTHDR(&header);
  if (first != nullptr && first->cmsg_type == SCM_RIGHTS) {
    std::memcpy(&message.descriptor, CMSG_DATA(first), sizeof(int));
  }
  return message;
}

bool send_message(int control, const std::string& text, int descriptor) {
  std::string copy = text;
  iovec part{copy.data(), copy.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> extra{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (descriptor >= 0) {
    header.msg_control = extra.data();
    header.msg_controllen = extra.size();
    cmsghdr* const first = CMSG_FIRSTHDR(&header);
    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(first), &descriptor, sizeof(int));
  }
  return sendmsg(control, &header, MSG_NOSIGNAL) == static_cast<ssize_t>(copy.size());
}

int serve(const std::function<Words(const Words& request, int descriptor)>& play) {
  // A driver that gives a cell up closes its end, and that must not end this program.
  std::signal(SIGPIPE, SIG_IGN);
  while (const auto message = receive_message(STDIN_FILENO)) {
    if (message->descriptor >= 0) {
      const timeval patience{kPatienceSeconds, 0};
      setsockopt(message->descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      setsockopt(message->descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    }
    const Words answer = play(from_line(message->text), message->descriptor);
    if (message->descriptor >= 0) close(message->descriptor);
    if (!send_message(STDIN_FILENO, to_line(answer))) return 1;
  }
  return 0;
}

}  // namespace matrix
