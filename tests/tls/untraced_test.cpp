// What a session without a trace pays for it: nothing. BoringSSL reports messages only to sessions
// that have asked for it; the program is linked so that the asking passes through here.
#include <openssl/ssl.h>

#include <atomic>
#include <map>
#include <mutex>

#include "catch.hpp"
#include "peers.hpp"

namespace {

using Callback = void (*)(int, int, int, const void*, std::size_t, SSL*, void*);
// Other tests of this program have threads.
std::mutex listeners_mutex;
std::map<const SSL*, Callback>& listeners() {
  static std::map<const SSL*, Callback> known;
  return known;
}
std::atomic<std::size_t> requests{0};

}  // namespace

extern "C" {
void __real_SSL_set_msg_callback(SSL* ssl, Callback callback);
void __wrap_SSL_set_msg_callback(SSL* ssl, Callback callback);
void __wrap_SSL_set_msg_callback(SSL* ssl, Callback callback) {
  {
    const std::lock_guard lock(listeners_mutex);
    listeners()[ssl] = callback;
  }
  requests += callback != nullptr ? 1U : 0U;
  __real_SSL_set_msg_callback(ssl, callback);
}
}

using namespace siptls;
using namespace siptls_test;

namespace {

std::size_t listening() {
  const std::lock_guard lock(listeners_mutex);
  std::size_t count = 0;
  for (const auto& [ssl, callback] : listeners()) count += callback != nullptr ? 1U : 0U;
  return count;
}

}  // namespace

TEST_CASE("A session without a trace listens to no message once its peer is known") {
  for (const ProtocolVersion version : {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3}) {
    CAPTURE(to_string(version));
    listeners().clear();
    requests = 0;
    const TlsContext both = context(only(version));
    SessionEnd b = server(both);
    // A server at no time.
    CHECK(requests == 0);
    SessionEnd a = client(both);
    // A client in its handshake, to tell whether it was accepted.
    CHECK(listening() == 1);
    connect(a, b);
    REQUIRE(b.established());
    REQUIRE(b.session.send(octets_of("x"), b.now));
    connect(a, b);
    CHECK(a.received == "x");
    CHECK(requests == 1);
    CHECK(listening() == 0);
  }
}

TEST_CASE("A session with a trace listens to its end, in both roles") {
  for (const ProtocolVersion version : {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3}) {
    CAPTURE(to_string(version));
    listeners().clear();
    SessionOptions traced;
    traced.trace = std::make_shared<HandshakeTrace>();
    const TlsContext both = context(only(version));
    SessionEnd a = client(both, kDomain, traced);
    SessionEnd b = server(both, traced);
    CHECK(listening() == 2);
    connect(a, b);
    REQUIRE(b.session.send(octets_of("x"), b.now));
    connect(a, b);
    CHECK(a.received == "x");
    CHECK(listening() == 2);
  }
}
