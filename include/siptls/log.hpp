// Log: what a TlsTransport has to tell to people, by a callback of the host. Silent by default.
//
// What a host acts on is an Event or an Error; the log is for those who read along. Its text is
// not stable. It never holds message octets, keys or passphrases.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "siptls/clock.hpp"
#include "siptls/event.hpp"
#include "siptls/export.hpp"

namespace siptls {

enum class LogLevel : std::uint8_t {
  off,
  error,    // something that this side should have been able to do failed
  warning,  // an operator should look: a limit was reached, a certificate runs out
  info,     // connections and listeners that come and go
  debug,    // everything else but the messages themselves
};
// "error", "warning", ...
SIPTLS_API std::string_view to_string(LogLevel level) noexcept;

struct LogLine {
  LogLevel level = LogLevel::info;
  Now time;
  ConnectionId connection = ConnectionId::none;  // none: about the transport
  std::string_view text;                         // one line, without its end; valid for the call
};

// `write` is called synchronously, on the transport's thread, for lines of `level` and graver
// ones. It must not call the transport, and must not throw.
struct LogOptions {
  LogLevel level = LogLevel::off;
  std::function<void(const LogLine&)> write;
};

}  // namespace siptls
