#include "transport_bench_process.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace bench {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

// Children of a thread that has not left anything else running.
std::vector<pid_t> children_of(pid_t id) {
  const std::string text = std::to_string(id);
  std::ifstream file("/proc/" + text + "/task/" + text + "/children");
  std::vector<pid_t> children;
  for (pid_t child = 0; file >> child;) children.push_back(child);
  return children;
}

}  // namespace

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("setrlimit");
  return limit.rlim_cur;
}

Process::Process(const std::function<void(int link)>& body) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) fail("socketpair");
  std::fflush(stdout);
  const pid_t parent = getpid();
  id_ = fork();
  if (id_ < 0) fail("fork");
  if (id_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    try {
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
  kill(id_, SIGTERM);
  for (int i = 0; i < 200; ++i) {
    if (waitpid(id_, nullptr, WNOHANG) != 0) return;
    usleep(10'000);
  }
  for (const pid_t id : family()) kill(id, SIGKILL);
  waitpid(id_, nullptr, 0);
}

std::vector<pid_t> Process::family() const {
  std::vector<pid_t> all{id_};
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (const pid_t child : children_of(all[i])) all.push_back(child);
  }
  return all;
}

void Process::place(Place where) const {
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  if (cores < 2) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  const int begin = where == Place::client_cores ? 1 : 0;
  const int end = where == Place::server_core ? 1 : cores;
  for (int core = begin; core < end; ++core) CPU_SET(static_cast<unsigned>(core), &set);
  for (const pid_t id : family()) sched_setaffinity(id, sizeof set, &set);
}

std::chrono::nanoseconds Process::processor_time() const {
  std::chrono::nanoseconds sum{};
  for (const pid_t id : family()) {
    clockid_t clock{};
    timespec used{};
    if (clock_getcpuclockid(id, &clock) != 0 || clock_gettime(clock, &used) != 0) continue;
    sum += std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
  }
  return sum;
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
    if (count <= 0) throw std::runtime_error("a process of the benchmark has ended");
    at += count;
    size -= static_cast<std::size_t>(count);
  }
}

void write_fully(int link, const void* from, std::size_t size) {
  const auto* at = static_cast<const char*>(from);
  while (size > 0) {
    const ssize_t count = send(link, at, size, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw std::runtime_error("a process of the benchmark has ended");
    at += count;
    size -= static_cast<std::size_t>(count);
  }
}

}  // namespace bench
