// Ticket keys that go from one process to another by a file.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "catch.hpp"
#include "peers.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

constexpr ProtocolVersion kVersions[] = {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3};
using Ring = std::shared_ptr<TicketKeyRing>;

Change resuming(ProtocolVersion version, const Ring& ring = nullptr) {
  return [version, ring](TlsContextConfig& made) {
    only(version)(made);
    made.policy.resumption = Resumption::tickets;
    made.ticket_keys = ring;
  };
}

// One end of a stream between two processes. Nothing waits for ever.
class Stream {
 public:
  explicit Stream(int fd) : fd_(fd) {
    const timeval patience{30, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { ::close(fd_); }
  bool write_out(SessionEnd& end) const {
    const Octets octets = end.take_output();
    return octets.empty() || ::write(fd_, octets.data(), octets.size()) > 0;
  }
  bool read_in(SessionEnd& end) const {
    std::array<std::byte, 16384> buffer;
    const ssize_t count = ::read(fd_, buffer.data(), buffer.size());
    if (count <= 0) return false;
    end.receive(std::span(buffer).first(static_cast<std::size_t>(count)));
    return true;
  }
  bool say(char octet) const { return ::write(fd_, &octet, 1) == 1; }
  bool hear(char octet) const {
    char heard = 0;
    return ::read(fd_, &heard, 1) == 1 && heard == octet;
  }

 private:
  int fd_;
};

// The other process: a server with the keys of the file, for one connection. It tells its client
// whether that was resumed. The exit status says how far it came.
int serve_once(const Stream& stream, ProtocolVersion version, const std::string& path) {
  if (!stream.hear('g')) return 2;
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const Ring ring = TicketKeyRing::create().value();
  if (!ring->import_keys(octets_of(text))) return 3;
  SessionEnd end = server(context(resuming(version, ring)));
  while (!end.established()) {
    if (!stream.read_in(end) || end.error) return 4;
    if (!stream.write_out(end)) return 5;
  }
  const bool resumed = end.session.peer().resumed && end.session.peer().authenticated();
  if (!end.session.send(octets_of(resumed ? "resumed" : "full"), end.now)) return 6;
  return stream.write_out(end) ? 0 : 7;
}

}  // namespace

TEST_CASE("A server process opens the tickets of another one, whose keys came by a file") {
  site();  // both processes have the same credentials
  for (const ProtocolVersion version : kVersions) {
    for (const bool same_keys : {true, false}) {
      CAPTURE(to_string(version), same_keys);
      std::string pattern =
          (std::filesystem::temp_directory_path() / "siptls-keys-XXXXXX").string();
      std::array<int, 2> ends{};
      REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
      const int file = mkstemp(pattern.data());
      REQUIRE(file >= 0);
      // No keys exist yet: what the child gets it gets by the file.
      const pid_t child = fork();
      REQUIRE(child >= 0);
      if (child == 0) {
        ::close(ends[0]);
        _exit(serve_once(Stream(ends[1]), version, pattern));
      }
      ::close(ends[1]);
      const Stream stream(ends[0]);

      const Ring maker = TicketKeyRing::create().value();
      const TlsContext mine = context(resuming(version));
      SessionEnd a = client(mine);
      SessionEnd b = server(context(resuming(version, maker)));
      connect(a, b);
      REQUIRE(b.session.send(octets_of("."), b.now));
      connect(a, b);
      const Ring other = TicketKeyRing::create().value();
      const auto keys = (same_keys ? maker : other)->export_keys().value();
      CHECK(::write(file, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
      struct stat status {};
      CHECK(fstat(file, &status) == 0);
      CHECK((status.st_mode & 0777) == 0600);
      ::close(file);

      CHECK(stream.say('g'));
      SessionEnd again = client(mine);
      while (stream.write_out(again) && again.received.empty() && !again.error) {
        if (!stream.read_in(again)) break;
      }
      int ended = 0;
      CHECK(waitpid(child, &ended, 0) == child);
      CHECK(WIFEXITED(ended));
      CHECK(WEXITSTATUS(ended) == 0);
      std::remove(pattern.c_str());
      CHECK(again.received == (same_keys ? "resumed" : "full"));
      CHECK(again.session.peer().resumed == same_keys);
      CHECK(again.session.peer().authenticated());
    }
  }
}
