// SenderQueue: what the threads with a Sender hand to the transport's thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "base/os/process.hpp"
#include "net/net.hpp"
#include "siptls/event.hpp"
#include "siptls/result.hpp"
#include "siptls/tls_transport.hpp"

namespace siptls {

class SenderQueue {
 public:
  enum class Kind : std::uint8_t {
    send,
    send_to_target,
    respond,
    authorise,
    complete_signature,
    post
  };

  struct Command {
    Kind kind = Kind::post;
    SendToken token = SendToken::none;
    ConnectionId connection = ConnectionId::none;
    std::vector<std::byte> message;  // or the signature
    SendOptions options;
    std::optional<Target> target;
    ResponseFallback fallback;
    Verdict verdict = Verdict::refuse;
    std::uint64_t value = 0;

    bool is_send() const noexcept {
      return kind == Kind::send || kind == Kind::send_to_target || kind == Kind::respond;
    }
  };

  explicit SenderQueue(net::Waker waker) noexcept
      : waker_(std::move(waker)), generation_(os::process_generation()) {}

  // From any thread. Errors: transport_closed, wrong_process, queue_full.
  Result<SendToken> push(Command command);

  // From the transport's thread.
  std::vector<Command> take();
  void close();
  // Tokens are given out here, so that they are unique among threads.
  SendToken next_token() noexcept;
  const net::Waker& waker() const noexcept { return waker_; }

 private:
  static constexpr std::size_t kMaxCommands = 4096;
  static constexpr std::size_t kMaxOctets = 8 * 1024 * 1024;

  bool in_wrong_process() const noexcept;

  net::Waker waker_;
  const std::uint64_t generation_;  // of the process that the transport was made in
  std::atomic<std::uint64_t> last_token_{0};
  std::mutex mutex_;
  std::vector<Command> commands_;
  // Nothing is locked where nobody sends.
  std::atomic<bool> waiting_{false};
  std::size_t octets_ = 0;
  bool closed_ = false;
};

}  // namespace siptls
