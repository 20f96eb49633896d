// Hostile clients of several kinds, all in one process.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "hostile/stage.hpp"

namespace hostile {

enum class Kind : std::uint8_t {
  slow_handshake,     // a ClientHello, one octet at a time
  slow_message,       // a request, one octet at a time, by a proven peer
  connect_flood,      // TCP and nothing behind it, kept
  garbage_flood,      // half of them noise, half a good ClientHello and then noise
  certificate_flood,  // whole handshakes with a chain of 16 KiB that nobody trusts
  ping_flood,         // proven; 4096 pings in a record
  huge_body,          // proven; a declared body of 2 GB, or of nearly 1 MiB that is sent slowly
  never_read,         // proven; requests, and no look at the answers
  half_close,         // FIN behind the ClientHello, or behind the request of a proven peer
  reset_storm,        // RST after connect, after ClientHello, after the request of a proven peer
};
inline constexpr std::size_t kKinds = 10;

struct Plan {
  std::string_view name;
  double opened_per_second;
  std::size_t held;  // at most; a flood ends its oldest for a new one, others wait
  bool replaces;
};
// What each kind does at rate 1.
const std::array<Plan, kKinds>& plans();

struct AttackOrder {
  const Certificates& certificates;
  std::uint16_t port;
  double rate;               // factor on what is opened in a second
  std::optional<Kind> only;  // one kind alone
};

struct KindCount {
  std::uint64_t opened = 0;
  std::uint64_t ended_by_server = 0;
  std::uint64_t octets = 0;  // of attack: what was given to TCP
};
struct AttackResult {
  std::array<KindCount, kKinds> kinds{};
};
// Begins when something is to be read from `link`, ends when more is.
void run_attackers(int link, const AttackOrder& order);

}  // namespace hostile
