// Which library wrote a ClientHello, told from the octets on the wire.
#ifndef SIPTLS_TESTS_BESIDE_CLIENT_HELLO_H
#define SIPTLS_TESTS_BESIDE_CLIENT_HELLO_H

#include <stddef.h>

// Of the whole record, told from its first five octets.
size_t client_hello_size(const unsigned char* record);

// OpenSSL always offers encrypt_then_mac (RFC 7366), and BoringSSL does not have it. -1: this is
// no ClientHello.
int client_hello_offers_encrypt_then_mac(const unsigned char* record, size_t size);

#endif
