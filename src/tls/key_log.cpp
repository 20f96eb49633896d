// The secrets of connections in a file, in the format that packet analysers read.
#include <new>

#include "base/os/line_log.hpp"
#include "siptls/tls_context.hpp"

namespace siptls {

Result<KeyLog> dangerous_key_log_to_file(const std::string& path) {
  try {
    auto log = os::LineLog::open(path);
    if (!log) return Unexpected(std::move(log).error());
    // A line that is lost costs an analyst the connection, and nobody else anything.
    return KeyLog(
        [file = *std::move(log)](std::string_view line) { static_cast<void>(file->append(line)); });
  } catch (const std::bad_alloc&) {
    return Unexpected(Errc::out_of_memory);
  }
}

}  // namespace siptls
