#include "tls/session_clock.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace siptls::tls {
namespace {

thread_local const Now* time_of_call = nullptr;

}  // namespace

CallScope::CallScope(const Now& now) noexcept : outer_(time_of_call) {
  time_of_call = &now;
  ERR_clear_error();
}

CallScope::~CallScope() { time_of_call = outer_; }

Now call_time() noexcept { return time_of_call != nullptr ? *time_of_call : Now{}; }

void current_time(const SSL* /*ssl*/, timeval* out) noexcept {
  const auto since_epoch = call_time().wall.time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_epoch);
  // A time before 1970 would wrap around in BoringSSL's unsigned arithmetic.
  out->tv_sec = seconds.count() < 0 ? 0 : seconds.count();
  out->tv_usec = 0;
}

}  // namespace siptls::tls
