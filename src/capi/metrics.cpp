// siptls/c/metrics.h
#include <array>
#include <numeric>

#include "capi/convert.hpp"

namespace {

using siptls::TransportMetrics;
using siptls::capi::guarded;
using siptls::capi::invalid;

struct ValueRow {
  std::uint64_t TransportMetrics::*from;
  std::uint64_t siptls_metric_values::*to;
};

#define SIPTLS_VALUE(name) \
  ValueRow { &TransportMetrics::name, &siptls_metric_values::name }
constexpr std::array kValues{
    SIPTLS_VALUE(connections),
    SIPTLS_VALUE(handshakes),
    SIPTLS_VALUE(aliases),
    SIPTLS_VALUE(listeners),
    SIPTLS_VALUE(listeners_paused),
    SIPTLS_VALUE(queued_messages),
    SIPTLS_VALUE(queued_bytes),
    SIPTLS_VALUE(buffered_bytes),
    SIPTLS_VALUE(accepted),
    SIPTLS_VALUE(health_checks),
    SIPTLS_VALUE(connect_attempts),
    SIPTLS_VALUE(handshakes_server),
    SIPTLS_VALUE(handshakes_client),
    SIPTLS_VALUE(handshakes_resumed),
    SIPTLS_VALUE(handshakes_authenticated),
    SIPTLS_VALUE(messages_received),
    SIPTLS_VALUE(message_bytes_received),
    SIPTLS_VALUE(messages_accepted),
    SIPTLS_VALUE(message_bytes_accepted),
    SIPTLS_VALUE(pings_received),
    SIPTLS_VALUE(pongs_received),
    SIPTLS_VALUE(pings_sent),
    SIPTLS_VALUE(flows_failed),
    SIPTLS_VALUE(connections_reused),
    SIPTLS_VALUE(closed_clean),
    SIPTLS_VALUE(context_updates),
};
#undef SIPTLS_VALUE
static_assert(sizeof(siptls_metric_values) ==
                  sizeof(std::size_t) + kValues.size() * sizeof(std::uint64_t),
              "a number that is not shown");

// Calls `use` with the map of a metric; false if there is no such metric.
template <typename F>
bool with_map(const TransportMetrics& values, std::uint32_t metric, F&& use) {
  switch (metric) {
    case SIPTLS_METRIC_ACCEPTS_REFUSED:
      return use(values.accepts_refused), true;
    case SIPTLS_METRIC_LISTENER_PAUSES:
      return use(values.listener_pauses), true;
    case SIPTLS_METRIC_CONNECT_FAILURES:
      return use(values.connect_failures), true;
    case SIPTLS_METRIC_HANDSHAKE_FAILURES:
      return use(values.handshake_failures), true;
    case SIPTLS_METRIC_SENDS_REFUSED:
      return use(values.sends_refused), true;
    case SIPTLS_METRIC_SENDS_FAILED:
      return use(values.sends_failed), true;
    case SIPTLS_METRIC_CLOSED:
      return use(values.closed), true;
    case SIPTLS_METRIC_WARNINGS:
      return use(values.warnings), true;
    case SIPTLS_METRIC_HANDSHAKES_BY_VERSION:
      return use(values.handshakes_by_version), true;
    case SIPTLS_METRIC_HANDSHAKES_BY_SUITE:
      return use(values.handshakes_by_suite), true;
    case SIPTLS_METRIC_HANDSHAKES_BY_GROUP:
      return use(values.handshakes_by_group), true;
    default:
      return false;
  }
}

int key_number(siptls::Errc reason) noexcept { return siptls::capi::number_of(reason); }
int key_number(siptls::ProtocolVersion version) noexcept { return static_cast<int>(version); }
int key_number(std::uint16_t code) noexcept { return code; }

// The sum of the counts whose key passes.
template <typename F>
std::uint64_t sum_of(const siptls_metrics* metrics, std::uint32_t metric, F&& passes) {
  std::uint64_t sum = 0;
  if (metrics == nullptr) return sum;
  with_map(metrics->values, metric, [&](const auto& map) {
    for (const auto& entry : map) {
      if (passes(key_number(entry.first))) sum += entry.second;
    }
  });
  return sum;
}

}  // namespace

int siptls_metrics_new(siptls_metrics** metrics, siptls_error* error) {
  return guarded(error, [&]() -> int {
    if (metrics == nullptr) return invalid(error, "metrics is NULL");
    *metrics = new siptls_metrics{};
    return SIPTLS_OK;
  });
}

void siptls_metrics_free(siptls_metrics* metrics) { delete metrics; }

int siptls_metrics_add(siptls_metrics* metrics, const siptls_transport* transport,
                       siptls_error* error) {
  return guarded(error, [&]() -> int {
    if (metrics == nullptr || transport == nullptr) return invalid(error, "an argument is NULL");
    metrics->values.merge(transport->transport.metrics());
    return SIPTLS_OK;
  });
}

int siptls_metrics_merge(siptls_metrics* metrics, const siptls_metrics* other,
                         siptls_error* error) {
  return guarded(error, [&]() -> int {
    if (metrics == nullptr || other == nullptr) return invalid(error, "an argument is NULL");
    metrics->values.merge(TransportMetrics(other->values));
    return SIPTLS_OK;
  });
}

void siptls_metrics_clear(siptls_metrics* metrics) {
  if (metrics != nullptr) metrics->values = TransportMetrics();
}

int siptls_metrics_values(const siptls_metrics* metrics, siptls_metric_values* values) {
  if (metrics == nullptr) return SIPTLS_E_INVALID_ARGUMENT;
  siptls_metric_values out{};
  for (const auto& row : kValues) out.*row.to = metrics->values.*row.from;
  return siptls::capi::write_struct(values, out) ? SIPTLS_OK : SIPTLS_E_INVALID_ARGUMENT;
}

uint64_t siptls_metrics_count(const siptls_metrics* metrics, uint32_t metric, int key) {
  return sum_of(metrics, metric, [key](int found) { return found == key; });
}

uint64_t siptls_metrics_total(const siptls_metrics* metrics, uint32_t metric) {
  return sum_of(metrics, metric, [](int) { return true; });
}

const char* siptls_metrics_json(siptls_metrics* metrics) {
  if (metrics == nullptr) return nullptr;
  return siptls::capi::guarded_or(static_cast<const char*>(nullptr), [metrics] {
    metrics->text = siptls::to_json(metrics->values);
    return metrics->text.c_str();
  });
}

const char* siptls_metrics_openmetrics(siptls_metrics* metrics) {
  if (metrics == nullptr) return nullptr;
  return siptls::capi::guarded_or(static_cast<const char*>(nullptr), [metrics] {
    metrics->text = siptls::to_openmetrics(metrics->values);
    return metrics->text.c_str();
  });
}
