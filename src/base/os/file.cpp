#include "base/os/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

namespace siptls::os {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

struct CloseFolder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};

Unexpected failure(const std::string& path, int error) {
  Errc reason = Errc::file_unreadable;
  if (error == ENOENT || error == ENOTDIR) reason = Errc::file_not_found;
  if (error == EACCES || error == EPERM) reason = Errc::file_permission_denied;
  return Unexpected(reason, path + ": " + std::generic_category().message(error));
}

Unexpected not_regular(const std::string& path, mode_t mode) {
  const char* kind = S_ISDIR(mode)    ? "a folder"
                     : S_ISFIFO(mode) ? "a FIFO"
                     : S_ISREG(mode)  ? "a regular file"
                     : S_ISSOCK(mode) ? "a socket"
                                      : "a device";
  return Unexpected(Errc::file_not_regular, path + ": is " + kind);
}

Unexpected too_large(const std::string& path, std::size_t limit) {
  return Unexpected(Errc::file_too_large,
                    path + ": more than " + std::to_string(limit) + " octets");
}

}  // namespace

Result<GuardedFile> read_guarded_file(const std::string& path, std::size_t max_octets) {
  // O_NONBLOCK: to open a FIFO must not wait for a writer.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) return failure(path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return failure(path, errno);
  if (!S_ISREG(status.st_mode)) return not_regular(path, status.st_mode);
  if (static_cast<std::uint64_t>(status.st_size) > max_octets) return too_large(path, max_octets);

  GuardedFile file_read;
  file_read.exposure = static_cast<unsigned>(status.st_mode & (S_IRWXG | S_IRWXO));
  // Read in place: a key must not leave copies of itself in memory that nobody wipes. One octet
  // more than the file has shows whether it has grown meanwhile.
  std::string& content = file_read.content;
  content.resize(static_cast<std::size_t>(status.st_size) + 1);
  std::size_t filled = 0;
  for (;;) {
    const ssize_t count = ::read(file.get(), content.data() + filled, content.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure(path, errno);
    filled += static_cast<std::size_t>(count);
    if (count == 0) break;
    if (filled > max_octets) return too_large(path, max_octets);
    if (filled == content.size()) content.resize(2 * content.size());
  }
  content.resize(filled);
  return file_read;
}

Result<std::string> read_file(const std::string& path, std::size_t max_octets) {
  auto file = read_guarded_file(path, max_octets);
  if (!file) return Unexpected(std::move(file).error());
  return std::move(file->content);
}

Result<std::vector<std::string>> list_folder(const std::string& path, std::size_t max_entries) {
  const std::unique_ptr<DIR, CloseFolder> folder(::opendir(path.c_str()));
  if (folder == nullptr) {
    struct stat status {};
    if (errno == ENOTDIR && ::stat(path.c_str(), &status) == 0) {
      return not_regular(path, status.st_mode);
    }
    return failure(path, errno);
  }
  std::vector<std::string> files;
  std::size_t seen = 0;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(folder.get());
    if (entry == nullptr && errno != 0) return failure(path, errno);
    if (entry == nullptr) break;
    if (++seen > max_entries) {
      return Unexpected(Errc::file_too_large,
                        path + ": more than " + std::to_string(max_entries) + " entries");
    }
    const std::string file = path + "/" + entry->d_name;
    struct stat status {};
    if (::stat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode)) files.push_back(file);
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace siptls::os
