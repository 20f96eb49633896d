// BoringSSL's questions and reports during a session call. Each finds its session through the BIO.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>

namespace siptls::tls {

// Judges the peer's chain and names, and waits for the host where it is to be asked; the reason of
// a refusal stays with the session.
ssl_verify_result_t verify_peer(SSL* ssl, std::uint8_t* out_alert) noexcept;
// A server's first look at a ClientHello, before anything was negotiated.
ssl_select_cert_result_t inspect_client_hello(const SSL_CLIENT_HELLO* hello) noexcept;
int select_application_protocol(SSL* ssl, const std::uint8_t** out, std::uint8_t* out_size,
                                const std::uint8_t* offered, unsigned offered_size,
                                void* argument) noexcept;
void note_alert(const SSL* ssl, int event, int value) noexcept;
void note_message(int is_write, int version, int content_type, const void* octets, std::size_t size,
                  SSL* ssl, void* argument) noexcept;
// For credentials whose key is held elsewhere: the session asks for signatures.
const SSL_PRIVATE_KEY_METHOD* external_key_method() noexcept;
// A client's session that can be resumed; takes it by returning 1.
int keep_session(SSL* ssl, SSL_SESSION* session) noexcept;
void log_key(const SSL* ssl, const char* line) noexcept;

}  // namespace siptls::tls
