// A host with OpenSSL of its own and siptls:
//
//   host FOLDER before|after|between|thread [plugin=FILE] [module=FILE] [global] [openssl=FILE]
//        [local]
//
// FOLDER has what siptls-pki makes for server.example and client.example. The plugin, or a module
// of the host that siptls is linked to, is loaded with RTLD_LOCAL, or with RTLD_GLOBAL; `openssl`
// is a module that OpenSSL is linked to, loaded for all when it is wanted, or for the host alone
// (`local`). The order says when
// OpenSSL is used: before siptls, after it, between two steps of it, or all the time in another
// thread. After siptls it is used once more in any case.
//
// Prints facts, and last `siptls: handshake` or `siptls: foreign_tls_library`.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "bindings.h"
#include "client_hello.h"
#include "openssl_half.h"
#include "siptls_half.h"

enum { IN_THREAD = 5 };

static const char* folder;
static const char* openssl_module;
static int openssl_scope = RTLD_GLOBAL;

static int failed(const char* whose, const char* what) {
  printf("%s: FAILED: %s\n", whose, what == NULL ? "?" : what);
  return 1;
}

static void* load(const char* file, int flags) {
  void* const module = dlopen(file, flags);
  if (module == NULL) failed("dlopen", dlerror());
  return module;
}

static const openssl_calls* openssl(void) {
  const openssl_calls* (*calls)(void) = &openssl_half_calls;
  if (openssl_module != NULL) {
    // Lazily, as a host may do it.
    void* const module = load(openssl_module, RTLD_LAZY | openssl_scope);
    if (module == NULL) return NULL;
    *(void**)(&calls) = dlsym(module, OPENSSL_HALF);
  }
  return calls == NULL ? NULL : calls();
}

static int use_openssl(void) {
  openssl_half* half;
  const openssl_calls* const calls = openssl();
  const char* wrong = calls == NULL ? "not loaded" : calls->begin(&half, folder);
  if (wrong == NULL) wrong = calls->finish(half);
  return wrong == NULL ? 0 : failed("OpenSSL", wrong);
}

static void* use_openssl_often(void* result) {
  for (int i = 0; i < IN_THREAD && *(int*)result == 0; ++i) *(int*)result = use_openssl();
  return NULL;
}

// The verdict of the build information, which must be that of the objects.
static int check_build_info(const siptls_functions* siptls, int verdict) {
  static int printed;
  siptls_build_info info = {0};
  info.size = sizeof info;
  siptls_error* const error = siptls->error_new();
  const int said = siptls->get_build_info(&info, error);
  if (!printed) {
    printf("build_info: API %u, %s, %s\n", info.boringssl_api,
           info.boringssl_linkage == SIPTLS_TLS_INSIDE ? "inside" : "shared", info.boringssl_file);
    if (said != SIPTLS_OK) printf("evidence: %s\n", siptls->error_evidence(error));
    printed = 1;
  }
  siptls->error_free(error);
  return said == verdict ? 0 : failed("build_info", siptls->reason_name(said));
}

static int check_hellos(siptls_half* half) {
  unsigned char record[4096];
  if (use_openssl()) return 1;
  const openssl_calls* const calls = openssl();
  const int size = calls == NULL ? 0 : calls->hello(record, sizeof record);
  if (size <= 0 || client_hello_offers_encrypt_then_mac(record, (size_t)size) != 1) {
    return failed("OpenSSL", "its ClientHello is not like OpenSSL's");
  }
  if (siptls_half_hello(half) != 0) {
    return failed("siptls", "its ClientHello is not like BoringSSL's");
  }
  return 0;
}

// One handshake of siptls; with `between` OpenSSL is used in the middle of it, in the middle of a
// handshake of its own.
static int use_siptls(const siptls_functions* siptls, int between, int* verdict) {
  siptls_half half;
  openssl_half* other = NULL;
  const openssl_calls* const calls = between ? openssl() : NULL;
  const char* wrong = between ? calls->begin(&other, folder) : NULL;
  if (wrong != NULL) return failed("OpenSSL", wrong);
  *verdict = siptls_half_begin(&half, siptls, folder);
  int result = 0;
  if (between) {
    result = use_openssl();
    wrong = calls->finish(other);
    if (wrong != NULL) result = failed("OpenSSL", wrong);
  }
  if (*verdict == SIPTLS_OK) *verdict = siptls_half_finish(&half);
  if (*verdict == -1) result = failed("siptls", half.what);
  if (result == 0) result = check_build_info(siptls, *verdict);
  if (result == 0 && *verdict == SIPTLS_OK) result = check_hellos(&half);
  siptls_half_free(&half);
  return result;
}

static int use_both(const siptls_functions* siptls, const char* order, int* verdict) {
  if (strcmp(order, "before") == 0) return use_siptls(siptls, 0, verdict);
  if (strcmp(order, "after") == 0) return use_siptls(siptls, 0, verdict);
  if (strcmp(order, "between") == 0) return use_siptls(siptls, 1, verdict);
  pthread_t thread;
  int there = 0, here = 0;
  if (pthread_create(&thread, NULL, &use_openssl_often, &there) != 0) return 1;
  for (int i = 0; i < IN_THREAD && here == 0; ++i) here = use_siptls(siptls, 0, verdict);
  pthread_join(thread, NULL);
  return here || there;
}

static const siptls_functions* load_module(const char* file, int flags) {
  const siptls_functions* (*functions)(void) = NULL;
  void* const module = load(file, flags);
  if (module != NULL) *(void**)(&functions) = dlsym(module, LINKED_FUNCTIONS);
  return functions == NULL ? NULL : functions();
}

static const siptls_functions* load_plugin(const char* file, int flags) {
  siptls_plugin_entry entry = NULL;
  void* const plugin = load(file, flags);
  if (plugin != NULL) *(void**)(&entry) = dlsym(plugin, SIPTLS_PLUGIN_ENTRY);
  const siptls_functions* const table = entry == NULL ? NULL : entry(SIPTLS_API_VERSION);
  if (table == NULL) failed("plugin", dlerror());
  return table;
}

int main(int argc, char** argv) {
  const char* plugin = NULL;
  const char* module = NULL;
  int flags = RTLD_LAZY | RTLD_LOCAL;
  int verdict = -1;
  if (argc < 3) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  folder = argv[1];
  for (int i = 3; i < argc; ++i) {
    if (strncmp(argv[i], "plugin=", 7) == 0) plugin = argv[i] + 7;
    if (strncmp(argv[i], "module=", 7) == 0) module = argv[i] + 7;
    if (strncmp(argv[i], "openssl=", 8) == 0) openssl_module = argv[i] + 8;
    if (strcmp(argv[i], "global") == 0) flags = RTLD_NOW | RTLD_GLOBAL;
    if (strcmp(argv[i], "local") == 0) openssl_scope = RTLD_LOCAL;
  }
  int result = strcmp(argv[2], "before") == 0 && use_openssl();
  const siptls_functions* const siptls = plugin != NULL   ? load_plugin(plugin, flags)
                                         : module != NULL ? load_module(module, flags)
                                                          : linked_functions();
  if (siptls == NULL) return 1;
  // What siptls says is told although OpenSSL is not there.
  if (use_both(siptls, argv[2], &verdict) || use_openssl()) result = 1;
  if (!print_bindings()) puts("bound: unknown");
  if (verdict != -1) {
    printf("siptls: %s\n", verdict == SIPTLS_OK ? "handshake" : siptls->reason_name(verdict));
  }
  return result;
}
