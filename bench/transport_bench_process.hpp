// Processes that transport_bench starts: forked, ended with it, kept to one processor while they
// are measured, and asked for what they have used.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench {

// Raises the soft limit of descriptors to the hard one; how many that is.
std::size_t raise_descriptor_limit();

// What the measured processes may run on: the server has the first, the load client the others.
enum class Place { anywhere, server_core, client_cores };

class Process {
 public:
  // Forks; the child runs `body` with one end of a socket pair and exits. It dies with its parent.
  explicit Process(const std::function<void(int link)>& body);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();  // SIGTERM, and SIGKILL if that does not help

  int link() const noexcept { return link_; }
  // With the processes that it has started itself.
  void place(Place where) const;
  std::chrono::nanoseconds processor_time() const;
  std::size_t resident_octets() const;  // VmRSS of the process alone

 private:
  std::vector<pid_t> family() const;

  pid_t id_ = -1;
  int link_ = -1;
};

// All of `size` octets, or an exception.
void read_fully(int link, void* to, std::size_t size);
void write_fully(int link, const void* from, std::size_t size);

}  // namespace bench
