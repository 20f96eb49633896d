/* Metrics: what a transport has done and holds, as numbers. A siptls_metrics is a snapshot of one
 * transport, or the sum of several. metrics.hpp explains each number.
 */
#ifndef SIPTLS_C_METRICS_H
#define SIPTLS_C_METRICS_H

#include "siptls/c/transport.h"

typedef struct siptls_metrics siptls_metrics;

/* Empty: all numbers are 0. */
SIPTLS_C_API int siptls_metrics_new(siptls_metrics** metrics, siptls_error* error);
SIPTLS_C_API void siptls_metrics_free(siptls_metrics* metrics);
/* Adds a transport's numbers of now. On its thread. */
SIPTLS_C_API int siptls_metrics_add(siptls_metrics* metrics, const siptls_transport* transport,
                                    siptls_error* error);
/* Adds another snapshot's, such as one that another thread has made. */
SIPTLS_C_API int siptls_metrics_merge(siptls_metrics* metrics, const siptls_metrics* other,
                                      siptls_error* error);
SIPTLS_C_API void siptls_metrics_clear(siptls_metrics* metrics);

typedef struct siptls_metric_values {
  size_t size; /* set by the host */
  /* As it is now. */
  uint64_t connections;
  uint64_t handshakes;
  uint64_t aliases;
  uint64_t listeners;
  uint64_t listeners_paused;
  uint64_t queued_messages;
  uint64_t queued_bytes;
  uint64_t buffered_bytes;
  /* Since the transport was made. */
  uint64_t accepted;
  uint64_t health_checks;
  uint64_t connect_attempts;
  uint64_t handshakes_server;
  uint64_t handshakes_client;
  uint64_t handshakes_resumed;
  uint64_t handshakes_authenticated;
  uint64_t messages_received;
  uint64_t message_bytes_received;
  uint64_t messages_accepted;
  uint64_t message_bytes_accepted;
  uint64_t pings_received;
  uint64_t pongs_received;
  uint64_t pings_sent;
  uint64_t flows_failed;
  uint64_t connections_reused;
  uint64_t closed_clean;
  uint64_t context_updates;
} siptls_metric_values;

SIPTLS_C_API int siptls_metrics_values(const siptls_metrics* metrics, siptls_metric_values* values);

/* Counters that are kept for each key: a reason, or a code. */
enum siptls_metric {
  SIPTLS_METRIC_ACCEPTS_REFUSED = 0, /* by reason */
  SIPTLS_METRIC_LISTENER_PAUSES = 1,
  SIPTLS_METRIC_CONNECT_FAILURES = 2,
  SIPTLS_METRIC_HANDSHAKE_FAILURES = 3,
  SIPTLS_METRIC_SENDS_REFUSED = 4,
  SIPTLS_METRIC_SENDS_FAILED = 5,
  SIPTLS_METRIC_CLOSED = 6,
  SIPTLS_METRIC_WARNINGS = 7,
  SIPTLS_METRIC_HANDSHAKES_BY_VERSION = 8, /* siptls_protocol_version */
  SIPTLS_METRIC_HANDSHAKES_BY_SUITE = 9,   /* IANA code */
  SIPTLS_METRIC_HANDSHAKES_BY_GROUP = 10   /* IANA code; 0: none was used */
};

/* The count for one key; 0 for one that never occurred. */
SIPTLS_C_API uint64_t siptls_metrics_count(const siptls_metrics* metrics, uint32_t metric, int key);
/* The sum over all keys. */
SIPTLS_C_API uint64_t siptls_metrics_total(const siptls_metrics* metrics, uint32_t metric);

/* One JSON object; OpenMetrics text, "# EOF" included. Live until the next call with these metrics.
 * NULL: out of memory. */
SIPTLS_C_API const char* siptls_metrics_json(siptls_metrics* metrics);
SIPTLS_C_API const char* siptls_metrics_openmetrics(siptls_metrics* metrics);

#endif
