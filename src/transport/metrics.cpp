#include "siptls/metrics.hpp"

#include "transport/metrics_table.hpp"

namespace siptls {

void TransportMetrics::merge(const TransportMetrics& other) {
  const auto add = [](auto& into, const auto& from) {
    for (const auto& [key, count] : from) into[key] += count;
  };
  for (const metrics::Number& row : metrics::kNumbers) this->*row.value += other.*row.value;
  for (const metrics::Reasons& row : metrics::kReasons) add(this->*row.values, other.*row.values);
  for (const metrics::Codes& row : metrics::kCodes) add(this->*row.values, other.*row.values);
  add(handshakes_by_version, other.handshakes_by_version);
}

}  // namespace siptls
