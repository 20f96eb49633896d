// What a message costs once everything is warm: no memory from the heap, and few calls of the
// kernel. This program has operator new of its own, and the linker leads the rooms' system calls
// through counters (see CMakeLists.txt). Memory that the TLS library takes by malloc for a record,
// and gives back, is not counted.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/types.h>

#include <cstdlib>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "transport/harness.hpp"

namespace {

bool counting = false;
std::size_t allocations = 0;
std::size_t system_calls = 0;

void* allocate(std::size_t size) {
  if (counting) ++allocations;
  void* const memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void note_call() {
  if (counting) ++system_calls;
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the linker's names
extern "C" {
int __real_epoll_wait(int, epoll_event*, int, int);
int __real_epoll_ctl(int, int, int, epoll_event*);
ssize_t __real_recv(int, void*, size_t, int);
ssize_t __real_send(int, const void*, size_t, int);
ssize_t __real_read(int, void*, size_t);
ssize_t __real_write(int, const void*, size_t);
int __real_timerfd_settime(int, int, const itimerspec*, itimerspec*);

int __wrap_epoll_wait(int fd, epoll_event* events, int most, int wait) {
  note_call();
  return __real_epoll_wait(fd, events, most, wait);
}
int __wrap_epoll_ctl(int fd, int operation, int member, epoll_event* event) {
  note_call();
  return __real_epoll_ctl(fd, operation, member, event);
}
ssize_t __wrap_recv(int fd, void* to, size_t size, int flags) {
  note_call();
  return __real_recv(fd, to, size, flags);
}
ssize_t __wrap_send(int fd, const void* from, size_t size, int flags) {
  note_call();
  return __real_send(fd, from, size, flags);
}
ssize_t __wrap_read(int fd, void* to, size_t size) {
  note_call();
  return __real_read(fd, to, size);
}
ssize_t __wrap_write(int fd, const void* from, size_t size) {
  note_call();
  return __real_write(fd, from, size);
}
int __wrap_timerfd_settime(int fd, int flags, const itimerspec* value, itimerspec* old) {
  note_call();
  return __real_timerfd_settime(fd, flags, value, old);
}
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

using namespace siptls;
using namespace siptls_test;

namespace {

// A transport whose host keeps nothing but a count and the connections that came about.
class QuietHost {
 public:
  QuietHost() : transport_(make()) {}

  TlsTransport& transport() { return transport_; }
  const std::vector<ConnectionId>& connections() const { return connections_; }
  std::size_t messages() const { return messages_; }
  void answer_with(std::string_view response) { response_ = response; }

  void take_events() {
    pollfd wait{transport_.fd(), POLLIN, 0};
    if (::poll(&wait, 1, 0) != 1) return;
    while (const auto event = transport_.next_event()) {
      if (const auto* connected = std::get_if<Connected>(&*event)) {
        connections_.push_back(connected->connection);
      } else if (const auto* received = std::get_if<Message>(&*event)) {
        ++messages_;
        if (response_.empty()) continue;
        if (!transport_.send(received->connection, octets(response_))) ++refused_;
      }
    }
  }

  std::size_t refused() const { return refused_; }

 private:
  static TlsTransport make() {
    auto transport = TlsTransport::create();
    REQUIRE(transport);
    return std::move(*transport);
  }

  TlsTransport transport_;
  std::vector<ConnectionId> connections_;
  std::size_t messages_ = 0;
  std::size_t refused_ = 0;
  std::string response_;
};

// A server, and a client with some connections to it.
class Exchange {
 public:
  explicit Exchange(std::size_t connections) {
    server_.answer_with(
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS beta.example;branch=z9hG4bK1\r\n"
        "Call-ID: 1@beta.example\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n");
    const auto any = Endpoint::parse("127.0.0.1", 0);
    REQUIRE(any);
    const auto listener =
        server_.transport().listen(ListenOptions{*any, world().context(world().alpha.leaf)});
    REQUIRE(listener);
    const auto remote = server_.transport().local_endpoint(*listener);
    REQUIRE(remote);
    for (std::size_t i = 0; i < connections; ++i) {
      // A context for each, so that none serves the next target as well.
      const TlsContext context = world().context(world().beta);
      REQUIRE(client_.transport().connect(target(*remote, context)));
    }
    run([&] {
      return client_.connections().size() == connections &&
             server_.connections().size() == connections;
    });
  }

  // On each connection so many requests together, and their responses.
  void round(std::size_t depth) {
    const std::size_t answered = client_.messages() + depth * client_.connections().size();
    for (const ConnectionId connection : client_.connections()) {
      for (std::size_t i = 0; i < depth; ++i) {
        if (!client_.transport().send(connection, octets(request_))) ++refused_;
      }
    }
    run([&] { return client_.messages() == answered; });
  }

  void measure(std::size_t rounds, std::size_t depth) {
    for (int i = 0; i < 300; ++i) round(depth);  // warm
    allocations = system_calls = 0;
    counting = true;
    for (std::size_t i = 0; i < rounds; ++i) round(depth);
    counting = false;
    CHECK(refused_ == 0);
    CHECK(server_.refused() == 0);
  }

 private:
  template <typename Done>
  void run(Done done) {
    for (long spins = 0; !done(); ++spins) {
      if (spins > 10'000'000) FAIL("nothing more happens");
      server_.take_events();
      client_.take_events();
    }
  }

  QuietHost server_;
  QuietHost client_;
  std::string request_ = options_request(1);
  std::size_t refused_ = 0;
};

struct Shape {
  std::size_t connections;
  std::size_t rounds;
  std::size_t depth;
  double calls;  // of the kernel, at most, for a request and its response at both ends
};

}  // namespace

TEST_CASE("messages take no memory from the heap once everything is warm") {
  for (const Shape& shape :
       {Shape{1, 2000, 1, 0}, Shape{1, 200, 20, 0}, Shape{20, 200, 1, 0}, Shape{20, 50, 20, 0}}) {
    CAPTURE(shape.connections, shape.depth);
    Exchange exchange(shape.connections);
    exchange.measure(shape.rounds, shape.depth);
    CHECK(allocations == 0);
  }
}

TEST_CASE("messages need few calls of the kernel") {
  for (const Shape& shape : {Shape{1, 2000, 1, 6.5}, Shape{20, 200, 1, 4.5}}) {
    CAPTURE(shape.connections, shape.depth);
    Exchange exchange(shape.connections);
    exchange.measure(shape.rounds, shape.depth);
    const auto round_trips = static_cast<double>(shape.rounds * shape.connections * shape.depth);
    const double calls = static_cast<double>(system_calls) / round_trips;
    CAPTURE(calls);
    CHECK(calls <= shape.calls);
  }
}

// A drain that has events serves deadlines behind them, so one can be due for a long time.
TEST_CASE("a deadline that is due costs no call of the kernel with each event") {
  const auto clock = std::make_shared<ManualClock>(Clock::system()->now());
  TransportOptions options;
  options.clock = clock;
  Host server(options);
  Host client;
  const TlsContext context = world().context(world().beta);
  const auto connection = client.transport().connect(
      target(server.listen(world().context(world().alpha.leaf)), context));
  REQUIRE(connection);
  constexpr std::size_t kMessages = 40;  // in one record
  server.on_event = [&](const Event&, const Seen& seen) {
    if (seen.kind != "Message") return;
    if (server.count("Message") == 1) {
      clock->advance(options.limits.first_message_timeout);
      system_calls = 0;
      counting = true;
    } else if (server.count("Message") == kMessages) {
      counting = false;
    }
  };
  std::string burst;
  for (unsigned i = 0; i < kMessages; ++i) burst += options_request(i);
  run_until({&server, &client}, [&] { return client.count("Connected") == 1; });
  REQUIRE(client.transport().send(*connection, octets(burst)));
  run_until({&server, &client}, [&] { return server.count("Message") == kMessages; });
  CHECK_FALSE(counting);
  CHECK(system_calls <= 2);
  CHECK(server.count("Closed") == 0);
}
