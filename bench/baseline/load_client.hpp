// The load client of transport_bench: a process of its own, by bare BoringSSL, one and the same for
// all servers. It is told what to do through its socket pair.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "transport_bench_process.hpp"

namespace bench {

// What client and servers show and trust.
struct Certificates {
  std::string key;
  std::string chain;
  std::string root;
};

struct Order {
  enum class Kind : std::uint32_t {
    open,       // `count` more connections; one counts when its first request was answered
    exchange,   // `count` requests, over the first `active` connections in turn
    close_all,  // with close_notify
  };
  Kind kind = Kind::open;
  std::uint32_t count = 0;
  bool resumed =
      false;  // with the ticket of the first connection, which is always a full handshake
  std::uint32_t active = 0;
  std::uint32_t at_once = 0;   // of the active connections; 0: all of them
  std::uint32_t depth = 1;     // requests that go out together; the next ones when all are answered
  bool in_one_record = false;  // of these; otherwise each has a record of its own
};

struct Outcome {
  bool good = false;
  char why[120] = {};
  std::uint32_t connections = 0;  // open now
  std::uint32_t resumed = 0;      // of those opened by this order
  std::uint16_t version = 0;      // of the connections, by IANA's code
  std::uint16_t suite = 0;
  double seconds = 0;
  double p50 = 0, p99 = 0, p999 = 0;  // of a round trip, in microseconds
};

struct ClientConfig {
  Certificates certificates;
  std::string domain;
  std::uint16_t version = 0;  // 0x0303 or 0x0304
  std::uint16_t port = 0;     // of 127.0.0.1
};

class LoadClient {
 public:
  explicit LoadClient(const ClientConfig& config);

  void start(const Order& order) const { write_fully(process_.link(), &order, sizeof order); }
  // Of the order that was started last. Throws if it could not be done.
  Outcome finish() const;
  const Process& process() const noexcept { return process_; }

 private:
  Process process_;
};

// An OPTIONS request of 600 octets.
std::string options_request();

}  // namespace bench
