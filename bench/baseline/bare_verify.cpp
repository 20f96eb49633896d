#include "baseline/bare_verify.hpp"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <time.h>

#include <stdexcept>

namespace baseline {
namespace {

bssl::UniquePtr<X509> certificate(const std::string& der) {
  const auto* at = reinterpret_cast<const std::uint8_t*>(der.data());
  bssl::UniquePtr<X509> made(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!made) throw std::runtime_error("a certificate could not be read");
  return made;
}

}  // namespace

struct BareVerifier::Parts {
  bssl::UniquePtr<X509_STORE> store{X509_STORE_new()};
};

BareVerifier::BareVerifier(const std::vector<std::string>& anchors) : parts_(new Parts) {
  for (const auto& anchor : anchors) {
    if (X509_STORE_add_cert(parts_->store.get(), certificate(anchor).get()) != 1) {
      throw std::runtime_error("an anchor was not taken");
    }
  }
}
BareVerifier::~BareVerifier() = default;

void BareVerifier::verify(const std::vector<std::string>& chain,
                          std::chrono::system_clock::time_point at) {
  const bssl::UniquePtr<X509> leaf = certificate(chain.front());
  const bssl::UniquePtr<STACK_OF(X509)> between(sk_X509_new_null());
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (!bssl::PushToStack(between.get(), certificate(chain[i]))) {
      throw std::runtime_error("out of memory");
    }
  }
  const bssl::UniquePtr<X509_STORE_CTX> context(X509_STORE_CTX_new());
  if (!context ||
      !X509_STORE_CTX_init(context.get(), parts_->store.get(), leaf.get(), between.get())) {
    throw std::runtime_error("out of memory");
  }
  X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context.get()),
                             std::chrono::system_clock::to_time_t(at));
  if (X509_verify_cert(context.get()) != 1) {
    throw std::runtime_error(
        X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
  }
}

std::chrono::nanoseconds verifier_thread_time() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace baseline
