// Bounded reading of files and folders. Never blocks on a FIFO or device.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "siptls/result.hpp"

namespace siptls::os {

// The octets of a regular file. Errors: file_not_found, file_permission_denied, file_not_regular,
// file_too_large, file_unreadable; all name the path.
Result<std::string> read_file(const std::string& path, std::size_t max_octets);

struct GuardedFile {
  std::string content;
  // Permission bits with which others than the owner can read or change it; 0 is as it should be.
  unsigned exposure = 0;
};
// The same for a file that nobody but its owner should be able to read.
Result<GuardedFile> read_guarded_file(const std::string& path, std::size_t max_octets);

// Paths of the regular files of a folder, sorted. Errors: as above, and file_too_large for more
// than `max_entries`.
Result<std::vector<std::string>> list_folder(const std::string& path, std::size_t max_entries);

}  // namespace siptls::os
