// Sending: messages that are taken, and where a response goes.
#include <algorithm>
#include <utility>

#include "transport/transport_core.hpp"

namespace siptls {

Result<SendToken> TransportCore::enqueue(Connection& connection, std::span<const std::byte> message,
                                         const SendOptions& options, SendToken token) {
  if (message.empty()) return Unexpected(Errc::invalid_argument, "the message is empty");
  const std::size_t most = std::min(limits_.max_queued_bytes, limits_.max_buffered_bytes);
  if (message.size() > most) {
    return Unexpected(Errc::message_too_large, std::to_string(message.size()) +
                                                   " octets, and the write queue holds " +
                                                   std::to_string(most));
  }
  if (connection.finishing) {
    return Unexpected(Errc::connection_closed, describe(connection.id) + " is being closed");
  }
  const std::size_t queued = connection.queue.waiting_octets();
  if (queued + message.size() > limits_.max_queued_bytes ||
      connection.queue.waiting_messages() >= limits_.max_queued_messages) {
    connection.refused_send = true;
    return Unexpected(Errc::queue_full, describe(connection.id) + " has " +
                                            std::to_string(connection.queue.waiting_messages()) +
                                            " messages waiting, " + std::to_string(queued) +
                                            " octets");
  }
  if (message.size() > room()) {
    // A connection that is only about to be opened is given up: it has no id that could be told.
    if (connection.socket) want_room(connection, message.size());
    return Unexpected(Errc::buffers_full, "all connections together hold " +
                                              std::to_string(buffered_) + " octets, of at most " +
                                              std::to_string(limits_.max_buffered_bytes));
  }
  if (token == SendToken::none) token = senders_->next_token();
  // Before the message is taken: without memory for these it was not. Of the deadlines, one is the
  // connection's when it has to wait, one when a write has failed, and one is kStarvedKey's.
  deadlines_.make_room(3);
  if (dirty_.size() == dirty_.capacity()) dirty_.reserve(2 * dirty_.size() + 16);
  connection.queue.push(token, message, options.expires_at.value_or(MonoTime::max()),
                        options.report == Report::always);
  count_queued(connection);
  connection.last_activity = now_.mono;
  if (connection.connected) {
    if (!draining_ || left_ == connection.id || connection.queue.waiting_octets() >= kRecord) {
      if (current_ != nullptr) now_ = clock_->now();  // see begin_send()
      flush(connection);
    } else {
      mark_dirty(connection);
    }
  }
  // flush() can have ended the connection; then the token's SendFailed is among the events.
  if (Connection* still_there = find(connection.id)) arm(*still_there);
  return token;
}

Result<SendToken> TransportCore::send(ConnectionId id, std::span<const std::byte> message,
                                      const SendOptions& options, SendToken token) {
  auto connection = find_open(id);
  if (!connection) return Unexpected(std::move(connection).error());
  begin_send();
  auto sent = enqueue(**connection, message, options, token);
  end_call();
  return sent;
}

Result<SendToken> TransportCore::send(const Target& target, std::span<const std::byte> message,
                                      const SendOptions& options, SendToken token) {
  if (in_wrong_process()) {
    return Unexpected(Errc::wrong_process, "this transport was made in another process");
  }
  const auto choice = choose_context(target);
  if (!choice) return Unexpected(choice.error());
  return send_to(target, *choice, message, options, token);
}

Result<SendToken> TransportCore::send_to(const Target& target, const ContextChoice& choice,
                                         std::span<const std::byte> message,
                                         const SendOptions& options, SendToken token) {
  // Checked before a connection is opened for it.
  if (message.empty()) return Unexpected(Errc::invalid_argument, "the message is empty");
  begin_call();
  auto opened = open(target, choice);
  if (!opened) return Unexpected(std::move(opened).error());
  Connection& connection = **opened;
  const bool fresh = !connection.socket;
  auto sent = enqueue(connection, message, options, token);
  if (!fresh && sent) account_.note_reuse();
  if (fresh && sent) {
    // Only now, so that a message whose connection fails at once is reported.
    try_next_remote(connection);
  } else if (fresh) {
    unindex_remote(connection);
    connections_.erase(static_cast<std::uint64_t>(connection.id));
  }
  end_call();
  return sent;
}

Result<SendToken> TransportCore::respond(ConnectionId id, std::span<const std::byte> message,
                                         const ResponseFallback& fallback,
                                         const SendOptions& options, SendToken token) {
  const Connection* connection = find(id);
  if (connection != nullptr && !connection->finishing && !is_lost(*connection)) {
    return send(id, message, options, token);
  }
  if (in_wrong_process()) {
    return Unexpected(Errc::wrong_process, "this transport was made in another process");
  }
  if (!was_given(id)) {
    return Unexpected(Errc::unknown_connection,
                      describe(id) + " was never a connection of this transport");
  }
  if (const auto other = fallback_target(id, fallback)) {
    const ContextChoice choice{&*other->target.context, other->source};
    return send_to(other->target, choice, message, options, token);
  }
  return Unexpected(Errc::connection_closed,
                    describe(id) + " has ended, and the response has no other way to go");
}

// Whether this transport has ever had it. Of another one, or of a process before this, it is not
// known what its peer had proven.
bool TransportCore::was_given(ConnectionId id) const noexcept {
  const auto key = static_cast<std::uint64_t>(id);
  const std::uint64_t serial = key % kConnectionKeys;
  return key / kConnectionKeys == number_ && serial > 0 && serial <= last_serial_;
}

// The new peer must prove what the lost one had proven, or else the sent-by host; by what has taken
// the place of the lost one's context since. None if that is not remembered any more: the sent-by
// alone proves nothing.
std::optional<TransportCore::FallbackTarget> TransportCore::fallback_target(
    ConnectionId id, const ResponseFallback& fallback) {
  if (fallback.remotes.empty()) return std::nullopt;
  ContextChoice choice;
  std::shared_ptr<const ProvenPath> path;
  if (const Connection* closing = find(id)) {
    choice = {&closing->context, closing->context_source};
    if (closing->connected) path = closing->session->peer().path;
  }
  for (const Lost& lost : lost_) {
    if (lost.id != id) continue;
    choice = {&lost.context, lost.context_source};
    path = lost.path;
  }
  if (choice.context == nullptr) return std::nullopt;
  if (fallback.context) {
    choice = {&*fallback.context, {}};
  } else {
    choice.context = &present_context(*choice.context, choice.source);
  }
  std::string domain = fallback.sent_by;
  if (domain.size() > 2 && domain.front() == '[' && domain.back() == ']') {
    domain = domain.substr(1, domain.size() - 2);  // as Via writes an IPv6 address
  }
  if (path && !path->identities.empty() && !covers(path->identities, domain)) {
    domain = path->identities.front().name;
  }
  return FallbackTarget{
      {fallback.remotes, std::move(domain), *choice.context, std::nullopt, nullptr}, choice.source};
}

}  // namespace siptls
