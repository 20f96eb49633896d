#include "hostile/process.hpp"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace hostile {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

void stay_on(unsigned core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) fail("sched_setaffinity");
}

// Where the kernel shares a processor among sessions first (sched_autogroup), a process has to be
// a session of its own for its niceness to count against all others.
void be_as_nice_as(int nice) {
  setsid();
  setpriority(PRIO_PROCESS, 0, nice);
  std::ofstream("/proc/self/autogroup") << nice << std::flush;
}

}  // namespace

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("setrlimit");
  return limit.rlim_cur;
}

bool may_raise_priority() {
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) _exit(setpriority(PRIO_PROCESS, 0, -20) == 0 ? 0 : 1);
  int status = 1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void go_first() {
  sched_param lowest{};
  lowest.sched_priority = 1;
  static_cast<void>(sched_setscheduler(0, SCHED_FIFO, &lowest));
}

Process::Process(unsigned core, int nice, const std::function<void(int link)>& body) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) fail("socketpair");
  std::fflush(stdout);
  const pid_t parent = getpid();
  id_ = fork();
  if (id_ < 0) fail("fork");
  if (id_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    try {
      stay_on(core);
      be_as_nice_as(nice);
      raise_descriptor_limit();
      body(ends[1]);
    } catch (const std::exception& failure) {
      std::fprintf(stderr, "error: %s\n", failure.what());
      _exit(1);
    }
    _exit(0);
  }
  close(ends[1]);
  link_ = ends[0];
}

Process::~Process() {
  close(link_);
  kill(id_, SIGKILL);
  waitpid(id_, nullptr, 0);
}

Process::ProcessorTime Process::processor_time() const {
  std::ifstream file("/proc/" + std::to_string(id_) + "/schedstat");
  std::int64_t used = 0, waited = 0;
  if (!(file >> used >> waited)) throw std::runtime_error("no schedstat in /proc");
  return {std::chrono::nanoseconds(used), std::chrono::nanoseconds(waited)};
}

std::size_t Process::resident_octets() const {
  std::ifstream status("/proc/" + std::to_string(id_) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) != 0) continue;
    std::istringstream fields(line.substr(6));
    std::size_t kibibytes = 0;
    fields >> kibibytes;
    return kibibytes * 1024;
  }
  return 0;
}

void read_fully(int link, void* to, std::size_t size) {
  auto* at = static_cast<char*>(to);
  while (size > 0) {
    const ssize_t count = read(link, at, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw std::runtime_error("a process of the program has ended");
    at += count;
    size -= static_cast<std::size_t>(count);
  }
}

void write_fully(int link, const void* from, std::size_t size) {
  const auto* at = static_cast<const char*>(from);
  while (size > 0) {
    const ssize_t count = send(link, at, size, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw std::runtime_error("a process of the program has ended");
    at += count;
    size -= static_cast<std::size_t>(count);
  }
}

std::string read_text(int link) {
  std::string text(read_value<std::size_t>(link), '\0');
  read_fully(link, text.data(), text.size());
  return text;
}

void write_text(int link, const std::string& text) {
  write_value(link, text.size());
  write_fully(link, text.data(), text.size());
}

bool is_readable(int link) {
  pollfd wait{link, POLLIN, 0};
  return poll(&wait, 1, 0) > 0;
}

}  // namespace hostile
