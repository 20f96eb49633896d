// Chain verification by bare BoringSSL: what verify_bench compares with.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace baseline {

// A store of anchors, made once, that verifies chains of DER certificates: d2i_X509 of every
// certificate and X509_verify_cert. No names, no revocation.
class BareVerifier {
 public:
  // `anchors` as DER. Throws std::runtime_error if BoringSSL refuses one.
  explicit BareVerifier(const std::vector<std::string>& anchors);
  ~BareVerifier();

  // `chain` is leaf first, as DER. Throws std::runtime_error if the chain is not good.
  void verify(const std::vector<std::string>& chain, std::chrono::system_clock::time_point at);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// Processor time of this thread.
std::chrono::nanoseconds verifier_thread_time();

}  // namespace baseline
