// A host for tests: drives one or several TlsTransports on loopback with poll(), the way a program
// would, and writes down what they say.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pki/demo_pki.hpp"
#include "siptls/siptls.hpp"

namespace siptls_test {

// How many events a host takes for each time that fd() was readable.
enum class Pace { drain, one_event };

// One event, with copies of what its views pointed to.
struct Seen {
  std::string kind;  // "Connected", "Message", ...
  siptls::ConnectionId connection = siptls::ConnectionId::none;
  siptls::SendToken token = siptls::SendToken::none;
  std::string text;  // of a message
  std::optional<siptls::Error> error;
  std::optional<siptls::PeerInfo> peer;
  siptls::Delivery delivery = siptls::Delivery::none;
  std::size_t bytes_written = 0;
  bool truncated = false;
  std::vector<siptls::ConnectAttempt> attempts;
  siptls::Endpoint local;
  siptls::Endpoint remote;
  siptls::Endpoint wire_remote;
  std::uint64_t value = 0;
  std::optional<siptls::SignatureRequest> request;

  bool failed_with(siptls::Errc reason) const { return error && error->reason() == reason; }
};

class Host {
 public:
  explicit Host(siptls::TransportOptions options = {}, Pace pace = Pace::drain);

  siptls::TlsTransport& transport() { return transport_; }
  // Called with each event while it is held, after it was written down.
  std::function<void(const siptls::Event&, const Seen&)> on_event;

  std::vector<Seen> seen;
  // Apart, since the clock of the machine that runs the tests may give some as well.
  std::vector<siptls::Error> warnings;
  std::size_t count_warnings(siptls::Errc reason) const;
  // The events of that kind, in order.
  std::vector<Seen> all(std::string_view kind) const;
  std::size_t count(std::string_view kind) const;
  // The last event of that kind; fails the test if there is none.
  const Seen& last(std::string_view kind) const;

  // Takes events as the pace says. True if there were any.
  bool take_events();

  siptls::Endpoint listen(const siptls::TlsContext& context,
                          std::string_view address = "127.0.0.1");
  // The one of the last listen().
  siptls::ListenerId listener = siptls::ListenerId::none;

 private:
  siptls::TlsTransport transport_;
  Pace pace_;
};

// Lets the hosts run until `done`, or fails the test after ten seconds.
void run_until(std::initializer_list<Host*> hosts, const std::function<bool()>& done);
// Lets them run until nothing happens any more on loopback.
void settle(std::initializer_list<Host*> hosts);

// A small world: a CA, an SIP element for each of two domains, and strangers.
struct World {
  demo_pki::Hierarchy alpha;  // alpha.example; root of the world
  demo_pki::Entity beta;      // beta.example, by the same intermediate
  demo_pki::Entity stranger_root;
  demo_pki::Entity stranger;  // alpha.example, by another root

  World();
  siptls::Credentials credentials(const demo_pki::Entity& entity) const;
  siptls::TrustStore trust() const;
  siptls::TlsContextConfig config(
      const demo_pki::Entity& entity,
      const siptls::TlsPolicy& policy = siptls::TlsPolicy::modern()) const;
  siptls::TlsContext context(const demo_pki::Entity& entity,
                             const siptls::TlsPolicy& policy = siptls::TlsPolicy::modern()) const;
};
const World& world();
siptls::TlsContext make_context(siptls::TlsContextConfig config);
siptls::TlsPolicy policy_of(siptls::ProtocolVersion version);

siptls::Target target(const siptls::Endpoint& remote, const siptls::TlsContext& context,
                      const std::string& domain = "alpha.example");

// SIP messages.
std::string options_request(unsigned number, const std::string& body = {});
std::string ok_response(const siptls::SipMessageView& request);
std::span<const std::byte> octets(std::string_view text);

// Makes a host answer every request with 200 OK.
void answer_requests(Host& host);

}  // namespace siptls_test
