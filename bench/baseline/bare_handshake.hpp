// Handshakes by bare BoringSSL over memory BIOs: what handshake_bench compares with.
//
// With tickets the server seals them with the keys that BoringSSL makes by itself, and the client
// keeps the newest session in a pointer. A resumed peer is not verified a second time: BoringSSL
// does not do it by itself, and what a full handshake proved is in the session. That is less work
// than siptls does.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace baseline {

// What the whole handshake cost each side in processor time, making and freeing the connection
// included.
struct HandshakeCost {
  std::chrono::nanoseconds client{};
  std::chrono::nanoseconds server{};
};

// What a handshake came to, so that equal work can be compared.
struct Negotiated {
  std::uint16_t version = 0;
  std::uint16_t cipher_suite = 0;
  std::uint16_t group = 0;
  bool resumed = false;

  bool operator==(const Negotiated&) const = default;
};

// Processor time of this thread, charged to whoever has worked: one system call for each charge.
class Meter {
 public:
  Meter();
  // What has gone by since it was made or charged last.
  void charge(std::chrono::nanoseconds& to);

 private:
  std::chrono::nanoseconds last_;
};

// The BoringSSL that is linked: its API version, and what it says of itself.
std::string boringssl_version();

enum class Verification {
  full,        // X509 chains against the root, and the server's name, as a careful program does it
  accept_all,  // a verify callback that returns ok: the ceiling for every verifying program
};

enum class Tickets {
  off,
  issued,   // the server gives tickets and the client keeps them, but offers none
  resumed,  // and offers the newest one: every handshake but the first is resumed
};

struct BareConfig {
  std::string key_pem;
  std::string chain_pem;
  std::string root_pem;
  std::string domain;
  std::uint16_t version = 0;          // 0x0303 or 0x0304
  std::vector<std::uint16_t> groups;  // IANA codes, best first
  bool client_proves_itself = true;   // mutual authentication
  Verification verification = Verification::full;
  Tickets tickets = Tickets::off;
};

// Both ends. Throws std::runtime_error if BoringSSL refuses anything.
class BareTls {
 public:
  explicit BareTls(const BareConfig& config);
  ~BareTls();
  HandshakeCost handshake();
  // Of the newest handshake, as the client sees it.
  const Negotiated& negotiated() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace baseline
