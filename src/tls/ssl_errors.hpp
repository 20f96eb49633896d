// BoringSSL's error queue and alerts in the words of siptls.
#pragma once

#include <cstdint>
#include <string>

#include "siptls/error.hpp"

namespace siptls::tls {

// What made a call fail: the first error of libssl in the queue, and the whole queue as text.
struct LibraryFailure {
  int ssl_reason = 0;  // SSL_R_*; 0 if libssl put none
  bool out_of_memory = false;
  std::string text;
};

// Empties the queue of this thread.
LibraryFailure take_library_failure();

// The reason that goes with a failure on this side; peers' alerts are no part of it.
Errc reason_for(const LibraryFailure& failure) noexcept;
// The reason that goes with a fatal alert from the peer.
Errc reason_for_alert(std::uint8_t alert) noexcept;
// "handshake_failure (40)"
std::string alert_text(std::uint8_t alert);

}  // namespace siptls::tls
