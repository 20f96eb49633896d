#include "client_hello.h"

enum { HANDSHAKE = 22, CLIENT_HELLO = 1, ENCRYPT_THEN_MAC = 22 };

static unsigned two(const unsigned char* octets) { return octets[0] * 256u + octets[1]; }

size_t client_hello_size(const unsigned char* record) { return 5 + two(record + 3); }

int client_hello_offers_encrypt_then_mac(const unsigned char* record, size_t size) {
  size_t at = 5 + 4 + 2 + 32;  // the record's header, the message's, version, random
  if (size < at + 1 || record[0] != HANDSHAKE || record[5] != CLIENT_HELLO) return -1;
  at += 1u + record[at];                           // session id
  if (at + 2 <= size) at += 2 + two(record + at);  // cipher suites
  if (at + 1 <= size) at += 1u + record[at];       // compression methods
  for (at += 2; at + 4 <= size; at += 4 + two(record + at + 2)) {
    if (two(record + at) == ENCRYPT_THEN_MAC) return 1;
  }
  return at == size ? 0 : -1;
}
