// A file that lines are appended to, for the eyes of its owner alone.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "siptls/result.hpp"

namespace siptls::os {

// Thread-safe; several of them, of several processes, may share a file.
class LineLog {
 public:
  // Makes the file with mode 0600 if it is not there. Errors: file_not_found (of its folder),
  // file_permission_denied, file_not_regular, key_file_exposed for one that others than its owner
  // can read or change, io_failed; all name the path.
  static Result<std::shared_ptr<LineLog>> open(const std::string& path);
  explicit LineLog(int fd) noexcept : fd_(fd) {}
  LineLog(const LineLog&) = delete;
  LineLog& operator=(const LineLog&) = delete;
  ~LineLog();

  // The line and its end in one call of the system, which O_APPEND keeps in one piece. False if it
  // was not written whole (a full disk): the next line begins on a line of its own even so.
  bool append(std::string_view line) noexcept;

 private:
  const int fd_;
  std::atomic<bool> torn_ = false;
};

}  // namespace siptls::os
