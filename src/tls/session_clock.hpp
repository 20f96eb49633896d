// The time of the session call that runs on this thread.
#pragma once

#include "siptls/clock.hpp"

struct ssl_st;
struct timeval;

namespace siptls::tls {

// Brackets every call into a session: BoringSSL's time callback gets the call's own time, whichever
// context and thread it is, and the thread's error queue begins empty.
class CallScope {
 public:
  explicit CallScope(const Now& now) noexcept;
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

 private:
  const Now* outer_;
};

// The time of the innermost CallScope of this thread; the epoch outside of any.
Now call_time() noexcept;

// For SSL_CTX_set_current_time_cb. Its SSL may be null, so the time cannot come from there.
void current_time(const ssl_st* ssl, timeval* out) noexcept;

}  // namespace siptls::tls
