#include "siptls/sender.hpp"

#include <utility>

#include "transport/sender_queue.hpp"

namespace siptls {
namespace {

// For what has no token.
Result<void> push_untold(SenderQueue& queue, SenderQueue::Command command) {
  if (auto pushed = queue.push(std::move(command)); !pushed) {
    return Unexpected(std::move(pushed).error());
  }
  return {};
}

}  // namespace

Result<SendToken> SenderQueue::push(Command command) {
  // Before the lock, which another thread may have held when this process was made.
  if (in_wrong_process()) {
    return Unexpected(Errc::wrong_process, "the transport was made in another process");
  }
  const std::lock_guard lock(mutex_);
  if (closed_) return Unexpected(Errc::transport_closed, "the transport of this Sender has ended");
  if (commands_.size() >= kMaxCommands || octets_ + command.message.size() > kMaxOctets) {
    return Unexpected(Errc::queue_full, "the transport's thread has " +
                                            std::to_string(commands_.size()) +
                                            " calls of other threads waiting");
  }
  command.token = command.is_send() ? next_token() : SendToken::none;
  octets_ += command.message.size();
  const SendToken token = command.token;
  commands_.push_back(std::move(command));
  // Before the signal, so that whoever sees that sees this.
  waiting_.store(true, std::memory_order_release);
  if (commands_.size() == 1) waker_.signal();
  return token;
}

std::vector<SenderQueue::Command> SenderQueue::take() {
  if (!waiting_.load(std::memory_order_acquire)) return {};
  const std::lock_guard lock(mutex_);
  waiting_.store(false, std::memory_order_relaxed);
  octets_ = 0;
  return std::exchange(commands_, {});
}

bool SenderQueue::in_wrong_process() const noexcept {
  return os::process_generation() != generation_;
}

void SenderQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  commands_.clear();
}

SendToken SenderQueue::next_token() noexcept {
  return SendToken{last_token_.fetch_add(1, std::memory_order_relaxed) + 1};
}

Sender::Sender(std::shared_ptr<SenderQueue> queue) noexcept : queue_(std::move(queue)) {}

Result<SendToken> Sender::send(ConnectionId connection, std::span<const std::byte> message) const {
  return send(connection, message, SendOptions{});
}

Result<SendToken> Sender::send(ConnectionId connection, std::span<const std::byte> message,
                               const SendOptions& options) const {
  SenderQueue::Command command;
  command.kind = SenderQueue::Kind::send;
  command.connection = connection;
  command.message.assign(message.begin(), message.end());
  command.options = options;
  return queue_->push(std::move(command));
}

Result<SendToken> Sender::send(const Target& target, std::span<const std::byte> message,
                               const SendOptions& options) const {
  SenderQueue::Command command;
  command.kind = SenderQueue::Kind::send_to_target;
  command.target = target;
  command.message.assign(message.begin(), message.end());
  command.options = options;
  return queue_->push(std::move(command));
}

Result<SendToken> Sender::respond(ConnectionId connection, std::span<const std::byte> message,
                                  const ResponseFallback& fallback,
                                  const SendOptions& options) const {
  SenderQueue::Command command;
  command.kind = SenderQueue::Kind::respond;
  command.connection = connection;
  command.message.assign(message.begin(), message.end());
  command.options = options;
  command.fallback = fallback;
  return queue_->push(std::move(command));
}

Result<void> Sender::authorise(ConnectionId connection, Verdict verdict) const {
  SenderQueue::Command command;
  command.kind = SenderQueue::Kind::authorise;
  command.connection = connection;
  command.verdict = verdict;
  return push_untold(*queue_, std::move(command));
}

Result<void> Sender::complete_signature(ConnectionId connection,
                                        std::span<const std::byte> signature) const {
  SenderQueue::Command command;
  command.kind = SenderQueue::Kind::complete_signature;
  command.connection = connection;
  command.message.assign(signature.begin(), signature.end());
  return push_untold(*queue_, std::move(command));
}

Result<void> Sender::post(std::uint64_t value) const {
  SenderQueue::Command command;
  command.kind = SenderQueue::Kind::post;
  command.value = value;
  return push_untold(*queue_, std::move(command));
}

}  // namespace siptls
