#include "base/os/line_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <new>
#include <system_error>

namespace siptls::os {
namespace {

Unexpected failure(const std::string& path, int error) {
  Errc reason = Errc::io_failed;
  if (error == ENOENT || error == ENOTDIR) reason = Errc::file_not_found;
  if (error == EACCES || error == EPERM || error == EROFS) reason = Errc::file_permission_denied;
  // ENXIO: a FIFO that nobody reads, or a device without driver.
  if (error == EISDIR || error == ENXIO) reason = Errc::file_not_regular;
  return Unexpected(reason, path + ": " + std::generic_category().message(error));
}

}  // namespace

Result<std::shared_ptr<LineLog>> LineLog::open(const std::string& path) {
  // O_NONBLOCK: to open a FIFO must not wait for a reader.
  const int fd =
      ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
  if (fd < 0) return failure(path, errno);
  std::shared_ptr<LineLog> log;
  try {
    log = std::make_shared<LineLog>(fd);
  } catch (const std::bad_alloc&) {
    ::close(fd);
    return Unexpected(Errc::out_of_memory);
  }
  struct stat status {};
  if (::fstat(fd, &status) != 0) return failure(path, errno);
  if (!S_ISREG(status.st_mode)) {
    return Unexpected(Errc::file_not_regular, path + ": is no regular file");
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Unexpected(Errc::key_file_exposed,
                      path +
                          ": its permissions let others than its owner use it, and what is "
                          "written to it is secret (0600 is as it should be)");
  }
  return log;
}

LineLog::~LineLog() { ::close(fd_); }

bool LineLog::append(std::string_view line) noexcept {
  char end = '\n';
  // What is written is not copied: it is secret, and a copy would have to be wiped.
  const bool after_torn = torn_.exchange(false);
  const std::array<iovec, 3> parts = {{{&end, after_torn ? std::size_t{1} : std::size_t{0}},
                                       {const_cast<char*>(line.data()), line.size()},
                                       {&end, 1}}};
  const std::size_t size = parts[0].iov_len + line.size() + 1;
  ssize_t written = 0;
  do {
    written = ::writev(fd_, parts.data(), static_cast<int>(parts.size()));
  } while (written < 0 && errno == EINTR);
  if (written >= 0 && static_cast<std::size_t>(written) == size) return true;
  torn_ = after_torn || written > 0;
  return false;
}

}  // namespace siptls::os
