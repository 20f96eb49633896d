/* The plugin: siptls for programs that load it with dlopen() and link nothing.
 *
 *     void *plugin = dlopen("/usr/lib/siptls/siptls-plugin.so", RTLD_NOW);
 *     siptls_plugin_entry entry = (siptls_plugin_entry)dlsym(plugin, SIPTLS_PLUGIN_ENTRY);
 *     const siptls_functions *siptls = entry(SIPTLS_API_VERSION);
 *     if (siptls != NULL) puts(siptls->version());
 *
 * `pkg-config --variable=plugindir siptls` tells the folder that it was installed to.
 *
 * The table has every function of siptls.h under its name without the prefix. It is static, and the
 * plugin is never unloaded (it is linked with -z nodelete), so the table lives as long as the
 * process, dlclose() or not. A table of a version never changes but by growing at its end: `size`
 * tells how far it goes.
 */
#ifndef SIPTLS_PLUGIN_H
#define SIPTLS_PLUGIN_H

#include "siptls/siptls.h"

#define SIPTLS_API_VERSION 1
#define SIPTLS_PLUGIN_ENTRY "siptls_plugin"

typedef struct siptls_functions {
  size_t size;

  /* siptls/c/error.h */
  siptls_error* (*error_new)(void);
  siptls_error* (*error_copy)(const siptls_error* error);
  void (*error_free)(siptls_error* error);
  int (*error_reason)(const siptls_error* error);
  int (*error_alert)(const siptls_error* error);
  int64_t (*error_certificate)(const siptls_error* error);
  int64_t (*error_offset)(const siptls_error* error);
  const char* (*error_evidence)(const siptls_error* error);
  const char* (*error_message)(const siptls_error* error);
  const char* (*reason_name)(int reason);
  int (*category_of)(int reason);
  const char* (*category_name)(int category);
  const char* (*alert_name)(int alert);

  /* siptls/c/common.h */
  int (*endpoint_parse)(const char* text, uint16_t default_port, siptls_endpoint* endpoint,
                        siptls_error* error);
  int (*endpoint_format)(const siptls_endpoint* endpoint, char* text, size_t size);
  int (*endpoint_format_address)(const siptls_endpoint* endpoint, char* text, size_t size);
  void (*system_now)(siptls_now* now);
  int (*check_clock)(const siptls_now* now, uint32_t clock_policy, siptls_error* error);
  const char* (*version)(void);
  unsigned (*api_version)(void);
  int (*get_build_info)(siptls_build_info* info, siptls_error* error);

  /* siptls/c/trust_store.h */
  void (*trust_limits_init)(siptls_trust_limits* limits, size_t size);
  int (*trust_store_from_pem)(const char* pem, size_t pem_size, const siptls_trust_limits* limits,
                              siptls_trust_store** store, siptls_error* error);
  int (*trust_store_from_pem_file)(const char* path, const siptls_trust_limits* limits,
                                   siptls_trust_store** store, siptls_error* error);
  int (*trust_store_from_folder)(const char* path, const siptls_trust_limits* limits,
                                 siptls_trust_store** store, siptls_error* error);
  int (*trust_store_from_der)(const void* der, size_t der_size, const siptls_trust_limits* limits,
                              siptls_trust_store** store, siptls_error* error);
  int (*trust_store_with_pem)(const siptls_trust_store* store, const char* pem, size_t pem_size,
                              siptls_trust_store** bigger, siptls_error* error);
  int (*trust_store_with_der)(const siptls_trust_store* store, const void* der, size_t der_size,
                              siptls_trust_store** bigger, siptls_error* error);
  int (*trust_store_with_crls)(const siptls_trust_store* store, const char* pem, size_t pem_size,
                               siptls_trust_store** checking, siptls_error* error);
  void (*trust_store_free)(siptls_trust_store* store);
  size_t (*trust_store_count)(const siptls_trust_store* store);
  int (*trust_store_entry)(const siptls_trust_store* store, size_t index,
                           siptls_certificate* entry);
  const uint8_t* (*trust_store_digest)(const siptls_trust_store* store);
  void (*trust_store_chain_memory)(const siptls_trust_store* store, siptls_chain_memory* memory);
  size_t (*path_identity_count)(const siptls_path* path);
  int (*path_identity)(const siptls_path* path, size_t index, siptls_identity* identity);
  int64_t (*path_matched)(const siptls_path* path);
  int (*path_covers)(const siptls_path* path, const char* domain);
  size_t (*path_certificate_count)(const siptls_path* path);
  int (*path_certificate)(const siptls_path* path, size_t index, siptls_certificate* certificate);
  size_t (*path_ca_depth)(const siptls_path* path);
  int64_t (*path_ocsp_valid_until)(const siptls_path* path);
  siptls_path* (*path_copy)(const siptls_path* path);
  void (*path_free)(siptls_path* path);
  void (*verify_options_init)(siptls_verify_options* options, size_t size, const siptls_now* at);
  int (*trust_store_verify)(const siptls_trust_store* store, const siptls_octets* chain,
                            size_t chain_count, const siptls_verify_options* options,
                            siptls_path** path, siptls_error* error);
  int (*trust_store_verify_pem)(const siptls_trust_store* store, const char* pem, size_t pem_size,
                                const siptls_verify_options* options, siptls_path** path,
                                siptls_error* error);

  /* siptls/c/credentials.h */
  int (*credentials_from_pem)(const char* key, size_t key_size, const char* chain,
                              size_t chain_size, siptls_passphrase_source passphrase,
                              void* passphrase_context, siptls_credentials** credentials,
                              siptls_error* error);
  int (*credentials_from_pem_files)(const char* key_path, const char* chain_path,
                                    siptls_passphrase_source passphrase, void* passphrase_context,
                                    uint32_t key_file_policy, siptls_credentials** credentials,
                                    siptls_error* error);
  int (*credentials_from_external_key)(const char* key_id, const char* chain, size_t chain_size,
                                       siptls_credentials** credentials, siptls_error* error);
  int (*credentials_with_ocsp_response)(const siptls_credentials* credentials, const void* der,
                                        size_t der_size, siptls_credentials** stapling,
                                        siptls_error* error);
  void (*credentials_free)(siptls_credentials* credentials);
  size_t (*credentials_certificate_count)(const siptls_credentials* credentials);
  int (*credentials_certificate)(const siptls_credentials* credentials, size_t index,
                                 siptls_certificate* certificate);
  size_t (*credentials_identity_count)(const siptls_credentials* credentials);
  int (*credentials_identity)(const siptls_credentials* credentials, size_t index,
                              siptls_identity* identity);
  int (*credentials_warning)(const siptls_credentials* credentials, size_t index,
                             siptls_error* warning);

  /* siptls/c/policy.h */
  int (*policy_init)(siptls_policy* policy, size_t size, uint32_t preset);
  size_t (*cipher_suite_count)(void);
  int (*cipher_suite_at)(size_t index, siptls_cipher_suite* suite);
  int (*cipher_suite_by_code)(uint16_t code, siptls_cipher_suite* suite);
  int (*cipher_suite_by_name)(const char* name, siptls_cipher_suite* suite);
  int (*group_name)(uint16_t code, char* name, size_t size);
  const char* (*protocol_version_name)(uint32_t version);

  /* siptls/c/context.h */
  int (*ticket_keys_new)(uint64_t rotate_after_seconds, size_t keys, siptls_ticket_keys** ring,
                         siptls_error* error);
  int (*ticket_keys_rotate)(siptls_ticket_keys* ring, siptls_error* error);
  int (*ticket_keys_export)(siptls_ticket_keys* ring, void* buffer, size_t size, size_t* written,
                            siptls_error* error);
  int (*ticket_keys_import)(siptls_ticket_keys* ring, const void* exported, size_t exported_size,
                            siptls_error* error);
  void (*ticket_keys_free)(siptls_ticket_keys* ring);
  void (*context_config_init)(siptls_context_config* config, size_t size);
  int (*context_new)(const siptls_context_config* config, siptls_context** context,
                     siptls_error* error);
  void (*context_free)(siptls_context* context);
  int (*context_valid_at)(const siptls_context* context, const siptls_now* now,
                          siptls_error* error);
  int (*context_warning)(const siptls_context* context, const siptls_now* now, size_t index,
                         siptls_error* warning);
  uint64_t (*context_id)(const siptls_context* context);

  /* siptls/c/message.h */
  siptls_octets (*message_bytes)(const siptls_message* message);
  siptls_text (*message_header)(const siptls_message* message);
  siptls_octets (*message_body)(const siptls_message* message);
  uint64_t (*message_offset)(const siptls_message* message);
  siptls_text (*message_start_line)(const siptls_message* message);
  int (*message_is_request)(const siptls_message* message);
  siptls_text (*message_method)(const siptls_message* message);
  siptls_text (*message_request_uri)(const siptls_message* message);
  unsigned (*message_status)(const siptls_message* message);
  siptls_text (*message_reason_phrase)(const siptls_message* message);
  size_t (*message_row_count)(const siptls_message* message);
  int (*message_row)(const siptls_message* message, size_t index, siptls_header* row);
  int (*message_find)(const siptls_message* message, uint32_t header_id, siptls_header* row);
  int (*message_find_name)(const siptls_message* message, const char* name, siptls_header* row);
  int (*message_top_via)(const siptls_message* message, siptls_via* via);
  int (*message_cseq)(const siptls_message* message, uint32_t* number, siptls_text* method);
  siptls_text (*message_call_id)(const siptls_message* message);
  siptls_text (*message_content_type)(const siptls_message* message);
  unsigned (*judge_sips)(const siptls_message* request, uint32_t sips_mode,
                         siptls_text* reason_phrase, siptls_text* warning);
  int (*requires_tls)(const siptls_message* request);
  int (*is_sips)(const char* uri, size_t size);
  siptls_text (*uri_host)(const char* uri, size_t size);

  /* siptls/c/framer.h */
  void (*framer_limits_init)(siptls_framer_limits* limits, size_t size);
  int (*framer_new)(uint32_t role, const siptls_framer_limits* limits, siptls_framer** framer,
                    siptls_error* error);
  void (*framer_free)(siptls_framer* framer);
  int (*framer_push)(siptls_framer* framer, const void* data, size_t size, siptls_error* error);
  int (*framer_keep_input)(siptls_framer* framer, siptls_error* error);
  int (*framer_next)(siptls_framer* framer, siptls_frame* frame, siptls_error* error);
  size_t (*framer_unfinished)(const siptls_framer* framer);
  uint64_t (*framer_position)(const siptls_framer* framer);
  int (*framer_failed)(const siptls_framer* framer);
  unsigned (*framer_suggested_status)(const siptls_framer* framer);
  siptls_text (*framer_refusal_response)(const siptls_framer* framer);

  /* siptls/c/transport_options.h */
  void (*transport_limits_init)(siptls_transport_limits* limits, size_t size);
  void (*transport_options_init)(siptls_transport_options* options, size_t size);
  void (*listen_options_init)(siptls_listen_options* options, size_t size);
  int (*trace_new)(siptls_trace** trace, siptls_error* error);
  void (*trace_free)(siptls_trace* trace);
  const char* (*trace_ladder)(siptls_trace* trace);
  const char* (*trace_ladder_svg)(siptls_trace* trace);
  void (*target_init)(siptls_target* target, size_t size);
  void (*fallback_init)(siptls_fallback* fallback, size_t size);
  void (*send_options_init)(siptls_send_options* options, size_t size);

  /* siptls/c/event.h */
  const siptls_path* (*peer_path)(const siptls_peer* peer);
  uint32_t (*peer_version)(const siptls_peer* peer);
  uint32_t (*peer_cipher_suite)(const siptls_peer* peer);
  uint32_t (*peer_group)(const siptls_peer* peer);
  int (*peer_resumed)(const siptls_peer* peer);
  const char* (*peer_application_protocol)(const siptls_peer* peer);

  /* siptls/c/transport.h */
  int (*transport_new)(const siptls_transport_options* options, siptls_transport** transport,
                       siptls_error* error);
  void (*transport_free)(siptls_transport* transport);
  int (*transport_fd)(const siptls_transport* transport);
  int (*transport_next_event)(siptls_transport* transport, siptls_event* event);
  int (*transport_attempt)(const siptls_transport* transport, size_t index, siptls_endpoint* remote,
                           siptls_error* why);
  void (*transport_flush)(siptls_transport* transport);
  int (*transport_listen)(siptls_transport* transport, const siptls_listen_options* options,
                          siptls_listener* listener, siptls_error* error);
  int (*transport_local_endpoint)(const siptls_transport* transport, siptls_listener listener,
                                  siptls_endpoint* local, siptls_error* error);
  int (*transport_stop_listening)(siptls_transport* transport, siptls_listener listener,
                                  siptls_error* error);
  int (*transport_update)(siptls_transport* transport, siptls_listener listener,
                          const siptls_context* context, siptls_update_report* report,
                          siptls_error* error);
  int (*transport_update_outgoing)(siptls_transport* transport, const siptls_context* context,
                                   siptls_update_report* report, siptls_error* error);
  int (*transport_update_all)(siptls_transport* transport, const siptls_listener_update* listeners,
                              size_t listener_count, const siptls_context* outgoing,
                              siptls_update_report* report, siptls_error* error);
  int (*transport_reverify)(siptls_transport* transport, uint64_t generation, siptls_error* error);
  int (*transport_connect)(siptls_transport* transport, const siptls_target* target,
                           siptls_connection* connection, siptls_error* error);
  int (*transport_send)(siptls_transport* transport, siptls_connection connection,
                        const void* message, size_t size, const siptls_send_options* options,
                        siptls_token* token, siptls_error* error);
  int (*transport_send_to)(siptls_transport* transport, const siptls_target* target,
                           const void* message, size_t size, const siptls_send_options* options,
                           siptls_token* token, siptls_error* error);
  int (*transport_respond)(siptls_transport* transport, siptls_connection connection,
                           const void* message, size_t size, const siptls_fallback* fallback,
                           const siptls_send_options* options, siptls_token* token,
                           siptls_error* error);
  int (*transport_accept_alias)(siptls_transport* transport, siptls_connection connection,
                                const siptls_message* request, siptls_error* error);
  int (*transport_keep_alive)(siptls_transport* transport, siptls_connection connection,
                              uint64_t interval_ms, uint64_t pong_timeout_ms, siptls_error* error);
  uint64_t (*flow_retry_delay)(unsigned failures, int other_flows_alive, uint64_t random);
  int (*transport_authorise)(siptls_transport* transport, siptls_connection connection,
                             uint32_t verdict, siptls_error* error);
  int (*transport_complete_signature)(siptls_transport* transport, siptls_connection connection,
                                      const void* signature, size_t size, siptls_error* error);
  int (*transport_close)(siptls_transport* transport, siptls_connection connection,
                         siptls_error* error);
  int (*transport_abort)(siptls_transport* transport, siptls_connection connection,
                         siptls_error* error);
  void (*transport_close_all)(siptls_transport* transport);
  int (*transport_drain)(siptls_transport* transport, siptls_connection connection,
                         int64_t deadline, siptls_error* error);
  void (*transport_drain_all)(siptls_transport* transport, int64_t deadline);
  int (*transport_pause)(siptls_transport* transport, siptls_connection connection,
                         siptls_error* error);
  int (*transport_resume)(siptls_transport* transport, siptls_connection connection,
                          siptls_error* error);
  const siptls_peer* (*transport_peer)(siptls_transport* transport, siptls_connection connection);
  size_t (*transport_connection_count)(const siptls_transport* transport);
  int (*sender_new)(const siptls_transport* transport, siptls_sender** sender, siptls_error* error);
  void (*sender_free)(siptls_sender* sender);
  int (*sender_send)(const siptls_sender* sender, siptls_connection connection, const void* message,
                     size_t size, const siptls_send_options* options, siptls_token* token,
                     siptls_error* error);
  int (*sender_send_to)(const siptls_sender* sender, const siptls_target* target,
                        const void* message, size_t size, const siptls_send_options* options,
                        siptls_token* token, siptls_error* error);
  int (*sender_respond)(const siptls_sender* sender, siptls_connection connection,
                        const void* message, size_t size, const siptls_fallback* fallback,
                        const siptls_send_options* options, siptls_token* token,
                        siptls_error* error);
  int (*sender_authorise)(const siptls_sender* sender, siptls_connection connection,
                          uint32_t verdict, siptls_error* error);
  int (*sender_complete_signature)(const siptls_sender* sender, siptls_connection connection,
                                   const void* signature, size_t size, siptls_error* error);
  int (*sender_post)(const siptls_sender* sender, uint64_t value, siptls_error* error);

  /* siptls/c/metrics.h */
  int (*metrics_new)(siptls_metrics** metrics, siptls_error* error);
  void (*metrics_free)(siptls_metrics* metrics);
  int (*metrics_add)(siptls_metrics* metrics, const siptls_transport* transport,
                     siptls_error* error);
  int (*metrics_merge)(siptls_metrics* metrics, const siptls_metrics* other, siptls_error* error);
  void (*metrics_clear)(siptls_metrics* metrics);
  int (*metrics_values)(const siptls_metrics* metrics, siptls_metric_values* values);
  uint64_t (*metrics_count)(const siptls_metrics* metrics, uint32_t metric, int key);
  uint64_t (*metrics_total)(const siptls_metrics* metrics, uint32_t metric);
  const char* (*metrics_json)(siptls_metrics* metrics);
  const char* (*metrics_openmetrics)(siptls_metrics* metrics);
} siptls_functions;

/* NULL for a version that this plugin does not have. */
typedef const siptls_functions* (*siptls_plugin_entry)(unsigned version);

#endif
