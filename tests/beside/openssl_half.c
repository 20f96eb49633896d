#include "openssl_half.h"

#include <dlfcn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef OPENSSL_IS_BORINGSSL
#error "this file is to see OpenSSL's headers"
#endif

enum { CLIENT, SERVER, ENDS };

struct openssl_half {
  SSL_CTX* context[ENDS];
  SSL* end[ENDS];
};

// The library says that it is OpenSSL 3, and the functions that this file calls are in it.
static const char* check_library(void) {
  static const char kIs[] = "OpenSSL 3.";
  Dl_info ssl, crypto;
  if (strncmp(OpenSSL_version(OPENSSL_VERSION), kIs, sizeof kIs - 1) != 0) {
    return "OpenSSL_version() is not OpenSSL 3's";
  }
  // As POSIX wants functions turned into addresses.
  union {
    SSL* (*function)(SSL_CTX*);
    void* address;
  } new_ssl = {&SSL_new};
  union {
    void (*function)(EVP_PKEY*);
    void* address;
  } free_key = {&EVP_PKEY_free};
  if (!dladdr(new_ssl.address, &ssl) || !strstr(ssl.dli_fname, "libssl.so.3")) {
    return "the host's SSL_new is not in libssl.so.3";
  }
  if (!dladdr(free_key.address, &crypto) || !strstr(crypto.dli_fname, "libcrypto.so.3")) {
    return "the host's EVP_PKEY_free is not in libcrypto.so.3";
  }
  return NULL;
}

static SSL_CTX* make_context(const char* folder, const char* owner) {
  char key[1024], chain[1024], trust[1024];
  snprintf(key, sizeof key, "%s/%s/privateKey.pem", folder, owner);
  snprintf(chain, sizeof chain, "%s/%s/publickey.pem", folder, owner);
  snprintf(trust, sizeof trust, "%s/%s/CAList.pem", folder, owner);
  SSL_CTX* const context = SSL_CTX_new(TLS_method());
  if (context == NULL) return NULL;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  if (SSL_CTX_use_certificate_chain_file(context, chain) == 1 &&
      SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1 &&
      SSL_CTX_load_verify_locations(context, trust, NULL) == 1) {
    return context;
  }
  SSL_CTX_free(context);
  return NULL;
}

static void free_half(openssl_half* half) {
  for (int i = 0; i < ENDS; ++i) {
    SSL_free(half->end[i]);
    SSL_CTX_free(half->context[i]);
  }
  free(half);
}

static const char* make_ends(openssl_half* half, const char* folder) {
  half->context[CLIENT] = make_context(folder, "client.example");
  half->context[SERVER] = make_context(folder, "server.example");
  for (int i = 0; i < ENDS; ++i) {
    if (half->context[i] == NULL) return "OpenSSL does not take the certificates";
    half->end[i] = SSL_new(half->context[i]);
    if (half->end[i] == NULL) return "SSL_new failed";
  }
  BIO* ours = NULL;
  BIO* theirs = NULL;
  if (BIO_new_bio_pair(&ours, 0, &theirs, 0) != 1) return "BIO_new_bio_pair failed";
  SSL_set_bio(half->end[CLIENT], ours, ours);
  SSL_set_bio(half->end[SERVER], theirs, theirs);
  SSL_set_connect_state(half->end[CLIENT]);
  SSL_set_accept_state(half->end[SERVER]);
  return NULL;
}

static const char* begin(openssl_half** made, const char* folder) {
  const char* wrong = check_library();
  if (wrong != NULL) return wrong;
  openssl_half* const half = calloc(1, sizeof *half);
  wrong = make_ends(half, folder);
  // The first flight of each.
  for (int i = 0; wrong == NULL && i < ENDS; ++i) {
    if (SSL_do_handshake(half->end[i]) == 1) wrong = "OpenSSL's handshake took no time at all";
  }
  if (wrong != NULL) {
    free_half(half);
    return wrong;
  }
  *made = half;
  return NULL;
}

static const char* exchange(openssl_half* half) {
  char got[8] = "";
  int done = 0;
  for (int round = 0; round < 10 && done < ENDS; ++round) {
    done = 0;
    for (int i = 0; i < ENDS; ++i) done += SSL_do_handshake(half->end[i]) == 1;
  }
  if (done < ENDS) return "OpenSSL's handshake did not end";
  for (int i = 0; i < ENDS; ++i) {
    X509* const peer = SSL_get1_peer_certificate(half->end[i]);
    const int proven = peer != NULL && SSL_get_verify_result(half->end[i]) == X509_V_OK;
    X509_free(peer);
    if (!proven) return "OpenSSL's handshake was not mutual";
  }
  if (SSL_write(half->end[CLIENT], "octets", 6) != 6 ||
      SSL_read(half->end[SERVER], got, sizeof got) != 6 || memcmp(got, "octets", 6) != 0) {
    return "OpenSSL does not carry data";
  }
  SSL_shutdown(half->end[CLIENT]);
  SSL_shutdown(half->end[SERVER]);
  return NULL;
}

static const char* finish(openssl_half* half) {
  const char* wrong = exchange(half);
  if (wrong == NULL) wrong = check_library();
  free_half(half);
  return wrong;
}

static int hello(unsigned char* record, int room) {
  if (check_library() != NULL) return 0;
  SSL_CTX* const context = SSL_CTX_new(TLS_method());
  SSL* const end = SSL_new(context);
  BIO* const output = BIO_new(BIO_s_mem());
  SSL_set_bio(end, BIO_new(BIO_s_mem()), output);
  SSL_connect(end);
  const int size = BIO_read(output, record, room);
  SSL_free(end);
  SSL_CTX_free(context);
  return size;
}

const openssl_calls* openssl_half_calls(void) {
  static const openssl_calls kCalls = {&begin, &finish, &hello};
  return &kCalls;
}
