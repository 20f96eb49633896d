// A transport in a process that was forked from its own: it is not the child's.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <memory>

#include "catch.hpp"
#include "transport/harness.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

// In a forked child, of which `check` gives the exit status.
int in_a_child(const std::function<int()>& check) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) _exit(check());
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

template <typename T>
bool is_elsewhere(const Result<T>& result) {
  return !result && result.error().reason() == Errc::wrong_process;
}

// A server that answers, and a client that is connected to it.
struct Pair {
  Host server;
  std::unique_ptr<Host> client = std::make_unique<Host>();
  ConnectionId id;

  Pair() {
    answer_requests(server);
    const Endpoint at = server.listen(world().context(world().alpha.leaf));
    id = client->transport().connect(target(at, world().context(world().beta))).value();
    run_until({&server, client.get()}, [&] { return client->count("Connected") == 1; });
    settle({&server, client.get()});
  }
  // By a Sender.
  void exchange() {
    const Sender sender = client->transport().sender();
    REQUIRE(sender.send(id, octets(options_request(1))));
    run_until({&server, client.get()}, [&] { return client->count("Message") == 1; });
  }
};

}  // namespace

TEST_CASE("In a forked child a transport and its Senders refuse, and the parent's goes on") {
  Pair pair;
  TlsTransport& transport = pair.client->transport();
  const Sender sender = transport.sender();
  const int wrong = in_a_child([&] {
    const bool right[] = {is_elsewhere(transport.send(pair.id, octets(options_request(1)))),
                          is_elsewhere(sender.send(pair.id, octets(options_request(1)))),
                          is_elsewhere(sender.authorise(pair.id, Verdict::refuse)),
                          is_elsewhere(sender.post(7)), !transport.next_event()};
    int number = 0;
    for (const bool good : right) {
      ++number;
      if (!good) return number;
    }
    return 0;
  });
  CHECK(wrong == 0);
  // Nothing of the child's woke the parent.
  pollfd wait{transport.fd(), POLLIN, 0};
  CHECK(::poll(&wait, 1, 0) == 0);
  pair.exchange();
  CHECK(pair.client->count("Posted") == 0);
}

TEST_CASE("A transport that ends in a forked child takes nothing from the parent's") {
  Pair pair;
  CHECK(in_a_child([&] {
          pair.client.reset();
          return 0;
        }) == 0);
  settle({&pair.server, pair.client.get()});
  CHECK(pair.server.count("Closed") == 0);
  pair.exchange();
}
