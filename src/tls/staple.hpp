// The OCSP response that a server staples to its certificate (RFC 6066 section 8).
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <mutex>

#include "pki/boringssl_compat.hpp"
#include "siptls/clock.hpp"
#include "siptls/credentials.hpp"
#include "siptls/result.hpp"
#include "siptls/trust_store.hpp"

namespace siptls::tls {

// Thread-safe. A response is judged when it is needed, and the verdict kept as long as it holds.
class Staple {
 public:
  Staple(Credentials credentials, TrustStore trust);

  // The response to be stapled now; null if there is none, or none that a client would accept.
  CRYPTO_BUFFER* to_serve(const Now& now);
  // What an operator should know: why the response is not served, or that it says "revoked".
  Result<void> judge(const Now& now) const;

 private:
  Result<WallTime> judge_response(const Now& now) const;
  // Is this verdict what a client is to hear? A response that says "revoked" is served: this server
  // is not the one to hide it.
  bool is_served(const Result<WallTime>& verdict) const;

  const Credentials credentials_;
  const TrustStore trust_;
  bssl::UniquePtr<CRYPTO_BUFFER> response_;
  std::mutex mutex_;
  // The last verdict, and the time in which it holds.
  bool good_ = false;
  WallTime from_ = WallTime::max();
  WallTime until_ = WallTime::min();
};

}  // namespace siptls::tls
