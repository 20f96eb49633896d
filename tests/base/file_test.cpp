#include "base/os/file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "catch.hpp"

using namespace siptls;

namespace {

// A folder that goes away again.
class Scratch {
 public:
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "siptls-test-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name, const std::string& content) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << content;
    return path_ + "/" + name;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE("A file is read whole, up to the limit") {
  const Scratch scratch;
  const std::string content = std::string(100'000, 'x') + std::string("\0y", 2);
  const std::string path = scratch.file("a", content);
  const auto read = os::read_file(path, content.size());
  REQUIRE(read);
  CHECK(*read == content);
  const auto too_large = os::read_file(path, content.size() - 1);
  REQUIRE_FALSE(too_large);
  CHECK(too_large.error().reason() == Errc::file_too_large);
}

TEST_CASE("Each thing that is no readable file has its own reason, and none of them hangs") {
  const Scratch scratch;
  const std::string fifo = scratch.path() + "/fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  struct Row {
    std::string path;
    Errc reason;
  };
  const Row rows[] = {{scratch.path() + "/none", Errc::file_not_found},
                      {scratch.path(), Errc::file_not_regular},
                      {fifo, Errc::file_not_regular},
                      {"/dev/zero", Errc::file_not_regular}};
  for (const Row& row : rows) {
    INFO(row.path);
    const auto read = os::read_file(row.path, 1000);
    REQUIRE_FALSE(read);
    CHECK(read.error().reason() == row.reason);
    CHECK(read.error().evidence().find(row.path) != std::string::npos);
  }
  // The superuser may read everything.
  if (geteuid() != 0) {
    const std::string secret = scratch.file("secret", "x");
    REQUIRE(chmod(secret.c_str(), 0) == 0);
    CHECK(os::read_file(secret, 10).error().reason() == Errc::file_permission_denied);
  }
}

TEST_CASE("A sparse file of a gigabyte is refused without being read") {
  const Scratch scratch;
  const std::string path = scratch.file("large", "");
  REQUIRE(truncate(path.c_str(), 1'000'000'000) == 0);
  CHECK(os::read_file(path, 1 << 20).error().reason() == Errc::file_too_large);
}

TEST_CASE("A folder gives its regular files in the order of their names") {
  const Scratch scratch;
  scratch.file("b.pem", "");
  scratch.file("a.pem", "");
  REQUIRE(mkdir((scratch.path() + "/c").c_str(), 0700) == 0);
  const auto files = os::list_folder(scratch.path(), 100);
  REQUIRE(files);
  REQUIRE(files->size() == 2);
  CHECK((*files)[0] == scratch.path() + "/a.pem");
  CHECK((*files)[1] == scratch.path() + "/b.pem");
  CHECK(os::list_folder(scratch.path(), 2).error().reason() == Errc::file_too_large);
  CHECK(os::list_folder(scratch.path() + "/a.pem", 9).error().reason() == Errc::file_not_regular);
  CHECK(os::list_folder(scratch.path() + "/none", 9).error().reason() == Errc::file_not_found);
}
