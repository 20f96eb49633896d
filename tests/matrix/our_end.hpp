// One connection of a cell: a TlsSession of ours over a socket, from hello to close_notify.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "siptls/handshake_trace.hpp"
#include "siptls/tls_session.hpp"

namespace matrix {

struct OurView {
  bool complete = false;  // established, one message each way, closed by both
  std::optional<siptls::Error> error;
  std::string trouble;  // anything else that went wrong
  bool hung = false;    // nothing came any more
  siptls::PeerInfo peer;
  bool retried = false;  // two ClientHellos
  std::string ladder;
};

// Plays our part over `descriptor`, which stays open.
OurView play(siptls::TlsSession session, bool server, int descriptor, const siptls::Now& now,
             const std::shared_ptr<siptls::HandshakeTrace>& trace);

}  // namespace matrix
