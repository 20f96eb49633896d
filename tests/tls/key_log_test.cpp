// The key log by file: format, permissions, and lines that stay whole.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "catch.hpp"
#include "peers.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

constexpr ProtocolVersion kVersions[] = {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3};

// A folder that goes away again.
class Scratch {
 public:
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "siptls-test-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  std::string operator/(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

unsigned mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777U;
}

std::string hex(std::span<const std::byte> octets) {
  std::string text;
  for (const std::byte octet : octets) {
    text += "0123456789abcdef"[std::to_integer<unsigned>(octet) >> 4];
    text += "0123456789abcdef"[std::to_integer<unsigned>(octet) & 0xf];
  }
  return text;
}

bool is_hex(const std::string& text) {
  return text.size() % 2 == 0 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// The labels of a log whose lines are as packet analysers want them: a label, the client's random,
// a secret.
std::multiset<std::string> labels_of(const std::string& path, const std::string& random) {
  std::multiset<std::string> labels;
  for (const std::string& line : lines_of(path)) {
    CAPTURE(line);
    const std::size_t first = line.find(' ');
    const std::size_t second = line.find(' ', first + 1);
    REQUIRE(second != std::string::npos);
    CHECK(line.substr(first + 1, second - first - 1) == random);
    const std::string secret = line.substr(second + 1);
    CHECK(is_hex(secret));
    // A master secret, or one as long as a digest.
    CHECK((secret.size() == 96 || secret.size() == 64));
    labels.insert(line.substr(0, first));
  }
  return labels;
}

Errc refusal(const std::string& path) {
  const auto log = dangerous_key_log_to_file(path);
  REQUIRE_FALSE(log);
  CHECK(log.error().evidence().find(path) != std::string::npos);
  return log.error().reason();
}

}  // namespace

TEST_CASE("A key log by file has the secrets of both versions, for its owner alone") {
  const mode_t before = umask(0);
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const Scratch scratch;
    const std::string path = scratch / "keys.log";
    {
      const TlsContext logging = context([&](TlsContextConfig& made) {
        only(version)(made);
        made.dangerous_key_log = dangerous_key_log_to_file(path).value();
      });
      CHECK(mode_of(path) == 0600);
      SessionEnd a = client(logging);
      SessionEnd b = server(context());
      const Octets hello = a.take_output();
      b.receive(hello);
      connect(a, b);
      REQUIRE(a.established());
      const std::string random = hex(std::span(hello).subspan(5 + 4 + 2, 32));
      const auto labels = labels_of(path, random);
      if (version == ProtocolVersion::tls1_2) {
        CHECK(labels == std::multiset<std::string>{"CLIENT_RANDOM"});
      } else {
        for (const char* label :
             {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET",
              "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0", "EXPORTER_SECRET"}) {
          CAPTURE(label);
          CHECK(labels.count(label) == 1);
        }
      }
    }
    // Another one goes on where the first ended.
    const std::size_t written = lines_of(path).size();
    dangerous_key_log_to_file(path).value()("one more");
    CHECK(lines_of(path).size() == written + 1);
    CHECK(lines_of(path).back() == "one more");
  }
  umask(before);
}

TEST_CASE("Nothing is logged by a context that was given no log") {
  const Scratch scratch;
  SessionEnd a = client(context());
  SessionEnd b = server(context());
  connect(a, b);
  REQUIRE(a.established());
  CHECK_FALSE(std::filesystem::exists(scratch / "keys.log"));
}

TEST_CASE("A key log goes to no file that others can use, and to nothing that is no file") {
  const Scratch scratch;
  for (const mode_t mode : {0640U, 0604U, 0620U, 0602U, 0644U}) {
    CAPTURE(mode);
    const std::string path = scratch / "open.log";
    std::ofstream(path).put('x');
    REQUIRE(chmod(path.c_str(), mode) == 0);
    CHECK(refusal(path) == Errc::key_file_exposed);
    CHECK(std::filesystem::file_size(path) == 1);
  }
  const std::string fifo = scratch / "fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(refusal(fifo) == Errc::file_not_regular);
  CHECK(refusal(scratch / ".") == Errc::file_not_regular);
  CHECK(refusal("/dev/null") == Errc::file_not_regular);
  CHECK(refusal(scratch / "no/such/folder") == Errc::file_not_found);
  // The superuser may write everywhere.
  if (geteuid() != 0) {
    const std::string locked = scratch / "locked";
    std::ofstream(locked).put('x');
    REQUIRE(chmod(locked.c_str(), 0400) == 0);
    CHECK(refusal(locked) == Errc::file_permission_denied);
  }
}

TEST_CASE("Lines of several threads and logs stay whole") {
  const Scratch scratch;
  const std::string path = scratch / "keys.log";
  constexpr int kThreads = 4;
  constexpr int kLines = 200;
  const KeyLog shared = dangerous_key_log_to_file(path).value();
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    const KeyLog own = dangerous_key_log_to_file(path).value();
    threads.emplace_back([i, &shared, own] {
      const std::string line(static_cast<std::size_t>(100 + i), static_cast<char>('a' + i));
      for (int j = 0; j < kLines; ++j) (j % 2 == 0 ? shared : own)(line);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto lines = lines_of(path);
  CHECK(lines.size() == std::size_t{kThreads} * kLines);
  for (const std::string& line : lines) {
    REQUIRE_FALSE(line.empty());
    const auto index = static_cast<std::size_t>(line[0] - 'a');
    REQUIRE(line == std::string(100 + index, line[0]));
  }
}

TEST_CASE("A line that did not fit spoils no other") {
  const Scratch scratch;
  const std::string path = scratch / "keys.log";
  const KeyLog log = dangerous_key_log_to_file(path).value();
  log("first");
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0);
  rlimit narrow = limit;
  narrow.rlim_cur = 6 + 4;  // the first line, and a piece of the next
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &narrow) == 0);
  log("second");
  log("third");
  REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  std::signal(SIGXFSZ, handler);
  log("fourth");
  log("fifth");
  CHECK(lines_of(path) == std::vector<std::string>{"first", "seco", "fourth", "fifth"});
}
