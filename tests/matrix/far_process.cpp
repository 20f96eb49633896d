#include "matrix/far_process.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

namespace matrix {

bool FarProcess::start() {
  if (process_ > 0) return true;
  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) return false;
  process_ = fork();
  if (process_ == 0) {
    dup2(pair[1], STDIN_FILENO);  // without close-on-exec
    execl(program_.c_str(), program_.c_str(), nullptr);
    _exit(127);
  }
  close(pair[1]);
  control_ = pair[0];
  // The far end gives up by itself before that.
  const timeval patience{2 * kPatienceSeconds, 0};
  setsockopt(control_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return process_ > 0;
}

void FarProcess::stop() {
  if (control_ >= 0) close(control_);
  control_ = -1;
  if (process_ > 0) {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  process_ = -1;
}

std::optional<int> FarProcess::begin(const Words& request) {
  if (!start()) return std::nullopt;
  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) return std::nullopt;
  const bool sent = send_message(control_, to_line(request), pair[1]);
  close(pair[1]);
  if (sent) return pair[0];
  close(pair[0]);
  stop();
  return std::nullopt;
}

std::optional<Words> FarProcess::finish() {
  auto message = receive_message(control_);
  if (message) return from_line(message->text);
  stop();
  return std::nullopt;
}

}  // namespace matrix
