// Processes of the program: forked, kept to one processor each, and asked for what they use.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

namespace hostile {

// Raises the soft limit of descriptors to the hard one; how many that is.
std::size_t raise_descriptor_limit();
// May this process make others more urgent than they are by default?
bool may_raise_priority();
// Puts this process before all that are scheduled by priority, if that is allowed.
void go_first();

class Process {
 public:
  // Forks; the child stays on `core`, is as nice as `nice` says, runs `body` with one end of a
  // socket pair and exits. It dies with its parent.
  Process(unsigned core, int nice, const std::function<void(int link)>& body);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  int link() const noexcept { return link_; }
  struct ProcessorTime {
    std::chrono::nanoseconds used{};
    std::chrono::nanoseconds waited{};  // for the processor, while others had it
  };
  ProcessorTime processor_time() const;
  std::size_t resident_octets() const;

 private:
  pid_t id_ = -1;
  int link_ = -1;
};

// All of `size` octets, or an exception.
void read_fully(int link, void* to, std::size_t size);
void write_fully(int link, const void* from, std::size_t size);
// A text with its length before it.
std::string read_text(int link);
void write_text(int link, const std::string& text);
// Is there something to read, or an end?
bool is_readable(int link);

template <typename T>
T read_value(int link) {
  T value{};
  read_fully(link, &value, sizeof value);
  return value;
}
template <typename T>
void write_value(int link, const T& value) {
  write_fully(link, &value, sizeof value);
}

}  // namespace hostile
