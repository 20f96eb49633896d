// Idle connections by bare BoringSSL over BIO pairs: what idle_bench compares with.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace baseline {

struct IdleConfig {
  std::string key_pem;
  std::string chain_pem;
  std::string root_pem;
  std::string domain;
  std::uint16_t version = 0;  // 0x0303 or 0x0304
};

// Mutual authentication with TLS_method(), X509 objects and everything else as BoringSSL has it by
// default. A BIO pair joins the two ends of a connection, so each end has one half of it; a program
// that lets the pair end at a socket has both. Throws std::runtime_error if BoringSSL refuses
// anything.
class BareIdle {
 public:
  explicit BareIdle(const IdleConfig& config);
  ~BareIdle();

  // One more connection; a message went each way.
  void add();
  void drop_clients();
  void drop_servers();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace baseline
