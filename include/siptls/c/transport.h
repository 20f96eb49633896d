/* The transport: SIP over TLS on non-blocking sockets, driven by the host's own loop.
 *
 *     siptls_event event;
 *     event.size = sizeof event;
 *     while (wait until siptls_transport_fd(transport) is readable)
 *       while (siptls_transport_next_event(transport, &event)) handle(&event);
 *
 * There is no thread, no callback in the data path and no loop here. One thread owns a transport
 * and makes all calls; a siptls_sender is for the others. tls_transport.hpp is the reference for
 * what each call does and which errors it has; the two interfaces behave alike.
 */
#ifndef SIPTLS_C_TRANSPORT_H
#define SIPTLS_C_TRANSPORT_H

#include "siptls/c/context.h"
#include "siptls/c/event.h"
#include "siptls/c/framer.h"
#include "siptls/c/transport_options.h"

typedef struct siptls_transport siptls_transport;

/* `options` may be NULL. */
SIPTLS_C_API int siptls_transport_new(const siptls_transport_options* options,
                                      siptls_transport** transport, siptls_error* error);
/* Aborts what is still open. Nothing is reported after it. */
SIPTLS_C_API void siptls_transport_free(siptls_transport* transport);

/* The one descriptor to wait on, for reading. Owned by the transport. -1 for NULL. */
SIPTLS_C_API int siptls_transport_fd(const siptls_transport* transport);
/* 1 and the next event, or 0: then wait for the descriptor. A SIPTLS_EVENT_WARNING with
 * SIPTLS_E_OUT_OF_MEMORY means that memory ran out inside the transport: something may be lost, and
 * the host should make a new one. */
SIPTLS_C_API int siptls_transport_next_event(siptls_transport* transport, siptls_event* event);
/* The addresses that had been tried, of the present event: 1, or 0 when there is no such index. */
SIPTLS_C_API int siptls_transport_attempt(const siptls_transport* transport, size_t index,
                                          siptls_endpoint* remote, siptls_error* why);
/* Writes what was gathered. */
SIPTLS_C_API void siptls_transport_flush(siptls_transport* transport);

/* `listener` may be NULL. */
SIPTLS_C_API int siptls_transport_listen(siptls_transport* transport,
                                         const siptls_listen_options* options,
                                         siptls_listener* listener, siptls_error* error);
SIPTLS_C_API int siptls_transport_local_endpoint(const siptls_transport* transport,
                                                 siptls_listener listener, siptls_endpoint* local,
                                                 siptls_error* error);
/* Stops accepting. Its connections stay. */
SIPTLS_C_API int siptls_transport_stop_listening(siptls_transport* transport,
                                                 siptls_listener listener, siptls_error* error);

/* Exchange what new connections are made with, without losing one that is open. All or nothing.
 * `report` may be NULL. */
SIPTLS_C_API int siptls_transport_update(siptls_transport* transport, siptls_listener listener,
                                         const siptls_context* context,
                                         siptls_update_report* report, siptls_error* error);
SIPTLS_C_API int siptls_transport_update_outgoing(siptls_transport* transport,
                                                  const siptls_context* context,
                                                  siptls_update_report* report,
                                                  siptls_error* error);
/* Several listeners and, unless it is NULL, `outgoing` at once. */
SIPTLS_C_API int siptls_transport_update_all(siptls_transport* transport,
                                             const siptls_listener_update* listeners,
                                             size_t listener_count, const siptls_context* outgoing,
                                             siptls_update_report* report, siptls_error* error);
/* Judges the peers of open connections of generations before this one again. */
SIPTLS_C_API int siptls_transport_reverify(siptls_transport* transport, uint64_t generation,
                                           siptls_error* error);

/* Opens a connection, or gives the one that send_to() this target would use. `connection` may be
 * NULL. */
SIPTLS_C_API int siptls_transport_connect(siptls_transport* transport, const siptls_target* target,
                                          siptls_connection* connection, siptls_error* error);

/* Every accepted message ends in the kernel or in a SIPTLS_EVENT_SEND_FAILED with its token; after
 * an error nothing was accepted, unless that is SIPTLS_E_OUT_OF_MEMORY, when nobody can say.
 * `options` and `token` may be NULL. */
SIPTLS_C_API int siptls_transport_send(siptls_transport* transport, siptls_connection connection,
                                       const void* message, size_t size,
                                       const siptls_send_options* options, siptls_token* token,
                                       siptls_error* error);
SIPTLS_C_API int siptls_transport_send_to(siptls_transport* transport, const siptls_target* target,
                                          const void* message, size_t size,
                                          const siptls_send_options* options, siptls_token* token,
                                          siptls_error* error);
/* On the connection of the request, or, if that has ended or is known to be dead, as `fallback`
 * (may be NULL) says. An id that this transport never gave is SIPTLS_E_UNKNOWN_CONNECTION. */
SIPTLS_C_API int siptls_transport_respond(siptls_transport* transport, siptls_connection connection,
                                          const void* message, size_t size,
                                          const siptls_fallback* fallback,
                                          const siptls_send_options* options, siptls_token* token,
                                          siptls_error* error);

/* RFC 5923: takes the connection that `request` came on for requests in the other direction too.
 * `request` is the present event's message, so this is called while that is held. */
SIPTLS_C_API int siptls_transport_accept_alias(siptls_transport* transport,
                                               siptls_connection connection,
                                               const siptls_message* request, siptls_error* error);
/* Sends pings on a connection that this side opened (RFC 5626 section 4.4.1). 0 for a time stands
 * for its default: 120 s, and 10 s for the pong. */
SIPTLS_C_API int siptls_transport_keep_alive(siptls_transport* transport,
                                             siptls_connection connection, uint64_t interval_ms,
                                             uint64_t pong_timeout_ms, siptls_error* error);
/* How long to wait before a flow that has failed is opened again (RFC 5626 section 4.5), in
 * milliseconds: `failures` in a row, 1 for the first; `random` any number. */
SIPTLS_C_API uint64_t siptls_flow_retry_delay(unsigned failures, int other_flows_alive,
                                              uint64_t random);

enum siptls_verdict { SIPTLS_ADMIT = 0, SIPTLS_REFUSE = 1 };

/* The answers to the questions. */
SIPTLS_C_API int siptls_transport_authorise(siptls_transport* transport,
                                            siptls_connection connection, uint32_t verdict,
                                            siptls_error* error);
SIPTLS_C_API int siptls_transport_complete_signature(siptls_transport* transport,
                                                     siptls_connection connection,
                                                     const void* signature, size_t size,
                                                     siptls_error* error);

/* Ends a connection in order: what is queued is written first. CLOSED follows. */
SIPTLS_C_API int siptls_transport_close(siptls_transport* transport, siptls_connection connection,
                                        siptls_error* error);
/* Ends it at once, with a TCP reset. CLOSED follows. */
SIPTLS_C_API int siptls_transport_abort(siptls_transport* transport, siptls_connection connection,
                                        siptls_error* error);
/* Stops listening and closes every connection. */
SIPTLS_C_API void siptls_transport_close_all(siptls_transport* transport);
/* Lets connections run out until `deadline`, a time of siptls_now's `mono`. */
SIPTLS_C_API int siptls_transport_drain(siptls_transport* transport, siptls_connection connection,
                                        int64_t deadline, siptls_error* error);
SIPTLS_C_API void siptls_transport_drain_all(siptls_transport* transport, int64_t deadline);

/* Stops and goes on with reading from a connection. */
SIPTLS_C_API int siptls_transport_pause(siptls_transport* transport, siptls_connection connection,
                                        siptls_error* error);
SIPTLS_C_API int siptls_transport_resume(siptls_transport* transport, siptls_connection connection,
                                         siptls_error* error);
/* What was proven about the peer of a connection that gave CONNECTED and has not ended; NULL for
 * others. Lives until the next call of this function or of next_event(). */
SIPTLS_C_API const siptls_peer* siptls_transport_peer(siptls_transport* transport,
                                                      siptls_connection connection);
SIPTLS_C_API size_t siptls_transport_connection_count(const siptls_transport* transport);

/* A handle for other threads: thread-safe, and may outlive the transport, after whose end every
 * call answers SIPTLS_E_TRANSPORT_CLOSED; in a forked child SIPTLS_E_WRONG_PROCESS. What it accepts
 * wakes the descriptor. While 4,096 calls or 8 MiB of messages wait for the transport's thread, a
 * call answers SIPTLS_E_QUEUE_FULL; no WRITABLE follows that, so try again a little later. */
typedef struct siptls_sender siptls_sender;

SIPTLS_C_API int siptls_sender_new(const siptls_transport* transport, siptls_sender** sender,
                                   siptls_error* error);
SIPTLS_C_API void siptls_sender_free(siptls_sender* sender);
SIPTLS_C_API int siptls_sender_send(const siptls_sender* sender, siptls_connection connection,
                                    const void* message, size_t size,
                                    const siptls_send_options* options, siptls_token* token,
                                    siptls_error* error);
SIPTLS_C_API int siptls_sender_send_to(const siptls_sender* sender, const siptls_target* target,
                                       const void* message, size_t size,
                                       const siptls_send_options* options, siptls_token* token,
                                       siptls_error* error);
SIPTLS_C_API int siptls_sender_respond(const siptls_sender* sender, siptls_connection connection,
                                       const void* message, size_t size,
                                       const siptls_fallback* fallback,
                                       const siptls_send_options* options, siptls_token* token,
                                       siptls_error* error);
SIPTLS_C_API int siptls_sender_authorise(const siptls_sender* sender, siptls_connection connection,
                                         uint32_t verdict, siptls_error* error);
SIPTLS_C_API int siptls_sender_complete_signature(const siptls_sender* sender,
                                                  siptls_connection connection,
                                                  const void* signature, size_t size,
                                                  siptls_error* error);
/* Gives the transport's thread a SIPTLS_EVENT_POSTED. */
SIPTLS_C_API int siptls_sender_post(const siptls_sender* sender, uint64_t value,
                                    siptls_error* error);

#endif
