// Handshakes by bare BoringSSL over memory BIOs: what handshake_bench compares with.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace baseline {

// What the whole handshake cost each side in processor time, making and freeing the connection
// included.
struct HandshakeCost {
  std::chrono::nanoseconds client{};
  std::chrono::nanoseconds server{};
};

// Processor time of this thread.
std::chrono::nanoseconds thread_time();

enum class Verification {
  full,        // X509 chains against the root, and the server's name, as a careful program does it
  accept_all,  // a verify callback that returns ok: the ceiling for every verifying program
};

struct BareConfig {
  std::string key_pem;
  std::string chain_pem;
  std::string root_pem;
  std::string domain;
  std::uint16_t version = 0;  // 0x0303 or 0x0304
  Verification verification = Verification::full;
};

// Both ends, mutual authentication, X25519, no resumption. Throws std::runtime_error if BoringSSL
// refuses anything.
class BareTls {
 public:
  explicit BareTls(const BareConfig& config);
  ~BareTls();
  HandshakeCost handshake();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace baseline
