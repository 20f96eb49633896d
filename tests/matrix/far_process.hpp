// A program that stands for another TLS library, and connections to it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "matrix/far_end.hpp"

namespace matrix {

class FarProcess {
 public:
  explicit FarProcess(std::string program) : program_(std::move(program)) {}
  FarProcess(const FarProcess&) = delete;
  FarProcess& operator=(const FarProcess&) = delete;
  ~FarProcess() { stop(); }

  // Asks the program to play its part; the stream socket of this side comes back. Starts the
  // program if it does not run. Nothing if that is not possible.
  std::optional<int> begin(const Words& request);
  // What it has to say when it is done. A program that says nothing in time is ended.
  std::optional<Words> finish();

 private:
  bool start();
  void stop();

  std::string program_;
  pid_t process_ = -1;
  int control_ = -1;
};

}  // namespace matrix
