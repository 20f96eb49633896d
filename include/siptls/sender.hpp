// Sender: the handle through which other threads reach a TlsTransport.
//
// Copyable and thread-safe; may outlive the transport, after whose end every call answers
// `transport_closed`; in a forked child every call answers `wrong_process`. What it accepts is
// handed to the transport's thread and wakes `fd()`.
// Bounded: while 4,096 calls or 8 MiB of messages wait for the transport's thread, a call is
// refused with `queue_full`. No Writable follows that: the thread takes all that waits at its next
// `next_event()`, so try again a little later, or give up what has become old.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "siptls/event.hpp"
#include "siptls/export.hpp"
#include "siptls/result.hpp"

namespace siptls {

struct Target;
struct ResponseFallback;
struct SendOptions;
class SenderQueue;

class SIPTLS_API Sender {
 public:
  // As the functions of TlsTransport; a refusal that only the transport's thread can see comes as
  // SendFailed with the token.
  Result<SendToken> send(ConnectionId connection, std::span<const std::byte> message) const;
  Result<SendToken> send(ConnectionId connection, std::span<const std::byte> message,
                         const SendOptions& options) const;
  Result<SendToken> send(const Target& target, std::span<const std::byte> message,
                         const SendOptions& options) const;
  Result<SendToken> respond(ConnectionId connection, std::span<const std::byte> message,
                            const ResponseFallback& fallback, const SendOptions& options) const;
  // Answers to AuthorisePeer and SignatureWanted; one that comes too late is dropped.
  Result<void> authorise(ConnectionId connection, Verdict verdict) const;
  Result<void> complete_signature(ConnectionId connection,
                                  std::span<const std::byte> signature) const;
  // Gives the transport's thread a Posted event.
  Result<void> post(std::uint64_t value) const;

 private:
  friend class TransportCore;
  explicit Sender(std::shared_ptr<SenderQueue> queue) noexcept;
  std::shared_ptr<SenderQueue> queue_;
};

}  // namespace siptls
