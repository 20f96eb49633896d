// Good clients: one with an established connection, and one that comes anew again and again.
#pragma once

#include <cstdint>
#include <vector>

#include "hostile/stage.hpp"

namespace hostile {

struct ClientOrder {
  const Certificates& certificates;
  std::uint16_t port;
};

// Sends a request every 5 ms, whether the earlier ones are answered or not.
struct ExchangeResult {
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;
  bool closed = false;               // the connection
  double p50 = 0, p99 = 0, max = 0;  // milliseconds; what is unanswered counts till the end
  double late_p99 = 0;               // how late it was itself: of its own processor
};
// Tells that it is connected, begins when something is to be read from `link`, ends when more is.
void run_exchange(int link, const ClientOrder& order);

// Opens a connection every 100 ms, each from an address of its own, for one request.
struct NewcomersResult {
  std::uint64_t opened = 0;
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;          // the others are pending at the end
  double p50 = 0, p99 = 0, max = 0;  // milliseconds until the answer
};
void run_newcomers(int link, const ClientOrder& order);

// The value below which so much of them is; 0 of none. Sorts.
double percentile(std::vector<double>& values, double share);

}  // namespace hostile
