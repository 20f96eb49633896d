// TicketKeyRing: the keys that protect a server's session tickets (RFC 5077 section 4).
//
// Shared by contexts, listeners and threads; all functions are thread-safe. The newest key makes
// tickets; older ones still open theirs for a while. A key that leaks opens the traffic of every
// session that was resumed with it in TLS 1.2, so keys are short-lived, never written anywhere by
// the library, and wiped (RFC 9325 section 3.4).
//
// Processes and machines behind one address share keys by export_keys() and import_keys(): one of
// them makes the keys, and hands them to the others from time to time. How they travel, and whether
// they are ever in a file, is the host's affair. A key that is missing somewhere costs a full
// handshake and nothing else. A ticket is accepted where settings, trust store, certificate and
// SessionOptions::resumption_scope (with TlsTransport the listener's address) are the same as well.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

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

  // All keys, newest first, in a format with a version and a checksum; a ring that has none yet
  // makes one. Dangerous: the octets are the keys, as good as the private key for every session
  // that their tickets resume. Whoever has asked for them keeps them from others (a file: mode
  // 0600) and wipes them after use. Errors: out_of_memory.
  Result<std::vector<std::byte>> export_keys();
  // Replaces all keys by what another ring's export_keys() gave; of more than
  // TicketKeyOptions::keys the newest count. Ages do not travel: the clocks that they were measured
  // with are another process's, so the newest key begins its time here at its first use. A ring
  // rotates by itself, to keys that nobody else has: one that is fed by another's exports should
  // have a `rotate_after` longer than the time between two of them. Errors: `invalid_argument` for
  // what is no export, is cut short or altered; out_of_memory. The ring is then as before.
  Result<void> import_keys(std::span<const std::byte> exported);

 private:
  friend class TicketKeys;
  explicit TicketKeyRing(std::unique_ptr<TicketKeys> keys) noexcept;
  std::unique_ptr<TicketKeys> keys_;
};

}  // namespace siptls
