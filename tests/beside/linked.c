// The functions of a linked siptls as the part of the plugin's table that siptls_half.c calls.
#include "siptls_half.h"

const siptls_functions* linked_functions(void) {
  static const siptls_functions kFunctions = {
      .size = sizeof kFunctions,
      .error_new = &siptls_error_new,
      .error_free = &siptls_error_free,
      .error_evidence = &siptls_error_evidence,
      .error_message = &siptls_error_message,
      .reason_name = &siptls_reason_name,
      .endpoint_parse = &siptls_endpoint_parse,
      .get_build_info = &siptls_get_build_info,
      .trust_store_from_pem_file = &siptls_trust_store_from_pem_file,
      .trust_store_free = &siptls_trust_store_free,
      .path_covers = &siptls_path_covers,
      .credentials_from_pem_files = &siptls_credentials_from_pem_files,
      .credentials_free = &siptls_credentials_free,
      .context_config_init = &siptls_context_config_init,
      .context_new = &siptls_context_new,
      .context_free = &siptls_context_free,
      .listen_options_init = &siptls_listen_options_init,
      .target_init = &siptls_target_init,
      .peer_path = &siptls_peer_path,
      .transport_new = &siptls_transport_new,
      .transport_free = &siptls_transport_free,
      .transport_fd = &siptls_transport_fd,
      .transport_next_event = &siptls_transport_next_event,
      .transport_listen = &siptls_transport_listen,
      .transport_local_endpoint = &siptls_transport_local_endpoint,
      .transport_connect = &siptls_transport_connect,
      .transport_send_to = &siptls_transport_send_to,
      .transport_close_all = &siptls_transport_close_all,
  };
  return &kFunctions;
}
