// TicketKeyRing: the keys that protect a server's session tickets (RFC 5077 section 4).
//
// Shared by contexts, listeners and threads; all functions are thread-safe. The newest key makes
// tickets; older ones still open theirs for a while. A key that leaks opens the traffic of every
// session that was resumed with it in TLS 1.2, so keys are short-lived, never written anywhere, and
// wiped (RFC 9325 section 3.4).
#pragma once

#include <chrono>
#include <memory>

#include "siptls/export.hpp"
#include "siptls/result.hpp"

namespace siptls {

struct TicketKeyOptions {
  // A new key after this time.
  std::chrono::seconds rotate_after = std::chrono::hours(12);
  // Keys that are kept to open tickets, the newest included. With two a ticket lives between one
  // and two rotations.
  std::size_t keys = 2;
};

class TicketKeys;

class SIPTLS_API TicketKeyRing {
 public:
  // Errors: `invalid_argument` for a ring without keys or time, out_of_memory.
  static Result<std::shared_ptr<TicketKeyRing>> create(const TicketKeyOptions& options = {});
  TicketKeyRing(const TicketKeyRing&) = delete;
  TicketKeyRing& operator=(const TicketKeyRing&) = delete;
  ~TicketKeyRing();

  // A new key now; the oldest one goes.
  void rotate();

 private:
  friend class TicketKeys;
  explicit TicketKeyRing(std::unique_ptr<TicketKeys> keys) noexcept;
  std::unique_ptr<TicketKeys> keys_;
};

}  // namespace siptls
