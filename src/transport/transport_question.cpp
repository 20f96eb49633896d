// What the host is asked during a handshake, and its answers.
#include <utility>

#include "transport/transport_core.hpp"

namespace siptls {

// Nothing more is read until the answer has come. What was read already waits in the session.
void TransportCore::ask_host(Connection& connection) {
  connection.session->keep_input();
  if (std::exchange(connection.asked, true)) return;
  update_interest(connection);
  if (const SignatureRequest* wanted = connection.session->wanted_signature()) {
    put_event(SignatureWanted{connection.id, *wanted});
  } else {
    put_event(AuthorisePeer{connection.id, connection.role, connection.local, connection.remote,
                            connection.listener, connection.session->peer()});
  }
}

Result<void> TransportCore::authorise(ConnectionId id, Verdict verdict) {
  auto asked = find_asked(id, SessionState::authorising);
  if (!asked) return Unexpected(std::move(asked).error());
  begin_call();
  auto taken = after_answer(**asked, (*asked)->session->authorise(verdict, now_));
  end_call();
  return taken;
}

Result<void> TransportCore::complete_signature(ConnectionId id,
                                               std::span<const std::byte> signature) {
  auto asked = find_asked(id, SessionState::signing);
  if (!asked) return Unexpected(std::move(asked).error());
  begin_call();
  auto taken = after_answer(**asked, (*asked)->session->complete_signature(signature, now_));
  end_call();
  return taken;
}

Result<Connection*> TransportCore::find_asked(ConnectionId id, SessionState state) {
  auto found = find_open(id);
  if (!found) return Unexpected(std::move(found).error());
  const Connection& connection = **found;
  if (connection.asked && connection.session->state() == state) return *found;
  return Unexpected(Errc::invalid_argument,
                    "connection " + std::to_string(static_cast<std::uint64_t>(id)) +
                        (state == SessionState::signing ? " wants no signature"
                                                        : " does not wait for a verdict"));
}

// An answer that ends the handshake, such as a refusal, was taken like any other; events tell what
// came of it.
Result<void> TransportCore::after_answer(Connection& connection, Result<void> outcome) {
  const bool failed = connection.session->state() == SessionState::failed;
  if (!outcome && !failed) return outcome;
  connection.asked = false;
  read_again(connection);
  if (failed) {
    session_failed(connection, outcome ? *connection.session->error() : std::move(outcome).error());
    return {};
  }
  after_session_moved(connection);
  if (!connection.connected) return {};
  // What the peer has sent behind its handshake may be in the session already. It is not handed out
  // from here, because the host may still hold views of another connection's input.
  if (connection.paused) {
    connection.kept_input = true;
  } else {
    resumed_.push_back(connection.id);
  }
  return {};
}

}  // namespace siptls
