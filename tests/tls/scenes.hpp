// Whole connections in memory, for tests that interfere with them: a handshake, a message each way,
// and the end, with every flight passing through the hands of the test.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "peers.hpp"

namespace siptls_test {

// A kind of connection: its version, and whether its handshake is full or resumed.
class Scene {
 public:
  Scene(siptls::ProtocolVersion version, bool resumed);

  std::string name() const;
  siptls::ProtocolVersion version() const { return version_; }
  bool resumed() const { return resumed_; }
  const siptls::TlsContext& client_context() const { return client_context_; }
  const siptls::TlsContext& server_context() const { return server_context_; }
  // The ends of a new connection. The ticket of a resumed one is the same each time.
  SessionEnd make_client() const;
  SessionEnd make_server() const;

 private:
  siptls::ProtocolVersion version_;
  bool resumed_;
  siptls::TlsContext client_context_;
  siptls::TlsContext server_context_;
  std::shared_ptr<SSL_SESSION> ticket_;
};
const std::vector<Scene>& all_scenes();

inline constexpr const char* kQuestion = "OPTIONS sip:server.example SIP/2.0";
inline constexpr const char* kAnswer = "SIP/2.0 200 OK";

struct Flight {
  siptls::PeerRole to;
  std::size_t offset;  // octets that went to that end before
  Octets octets;
};
// Brings a flight to its end, or something else.
using Delivery = std::function<void(const Flight&, SessionEnd&)>;
void deliver(const Flight& flight, SessionEnd& end);

struct Connection {
  // Runs as far as it goes. What still waits then is told that time has run out, or that the stream
  // has ended.
  explicit Connection(const Scene& scene, const Delivery& delivery = deliver);

  // Both ends got all content and were closed in order.
  bool whole() const;
  // Nothing but what was sent was received, and no end is left waiting.
  bool content_is_genuine() const;
  bool any_error() const { return a.error.has_value() || b.error.has_value(); }
  std::string outcome() const;

  SessionEnd a;  // client
  SessionEnd b;
  std::vector<Flight> flights;  // as they were sent

 private:
  void pump(const Delivery& delivery);
  void finish(SessionEnd& end);
};

// Cuts a flight into its records.
std::vector<Octets> records_of(const Octets& flight);

}  // namespace siptls_test
