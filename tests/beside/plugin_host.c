// A host that loads the plugin again and again: plugin_host PLUGIN versions|cycles|thread|missing
// [FILE], where FILE holds a certificate as PEM; or plugin_host PLUGIN moved FOLDER.
#include <dlfcn.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "siptls/siptls_plugin.h"

enum { WARM_UP = 200, CYCLES = 2000 };

static char certificate[65536];

#define REQUIRE(condition)                                   \
  do {                                                       \
    if (!(condition)) {                                      \
      printf("FAILED, line %d: %s\n", __LINE__, #condition); \
      exit(1);                                               \
    }                                                        \
  } while (0)

static siptls_plugin_entry entry_of(void* plugin) {
  siptls_plugin_entry entry = NULL;
  *(void**)(&entry) = dlsym(plugin, SIPTLS_PLUGIN_ENTRY);
  REQUIRE(entry != NULL);
  return entry;
}

static const siptls_functions* table_of(void* plugin) {
  const siptls_functions* const table = entry_of(plugin)(SIPTLS_API_VERSION);
  if (table == NULL) printf("dlerror: %s\n", dlerror());
  REQUIRE(table != NULL);
  return table;
}

// Has BoringSSL at work, and has it keep something for this thread: the errors of what fails.
static void use(const siptls_functions* siptls) {
  siptls_trust_store* store = NULL;
  siptls_credentials* credentials = NULL;
  siptls_context* context = NULL;
  siptls_context_config config;
  const size_t size = strlen(certificate);
  REQUIRE(siptls->trust_store_from_pem(certificate, size, NULL, &store, NULL) == SIPTLS_OK);
  REQUIRE(siptls->trust_store_count(store) == 1);
  REQUIRE(siptls->credentials_from_pem(certificate, size, certificate, size, NULL, NULL,
                                       &credentials, NULL) != SIPTLS_OK);
  siptls->context_config_init(&config, sizeof config);
  config.trust = store;
  REQUIRE(siptls->context_new(&config, &context, NULL) == SIPTLS_OK);
  siptls->context_free(context);
  siptls->trust_store_free(store);
}

static int versions(void* plugin) {
  const siptls_plugin_entry entry = entry_of(plugin);
  REQUIRE(entry(0) == NULL);
  REQUIRE(entry(SIPTLS_API_VERSION + 1) == NULL);
  REQUIRE(entry(UINT_MAX) == NULL);
  const siptls_functions* const table = table_of(plugin);
  REQUIRE(table == entry(SIPTLS_API_VERSION));
  REQUIRE(table->size == sizeof *table);
  // All that follows the size are functions.
  const char* const end = (const char*)table + sizeof *table;
  int functions = 0;
  for (const char* at = (const char*)&table->error_new; at < end; at += sizeof(void*)) {
    void* function;
    memcpy(&function, at, sizeof function);
    REQUIRE(function != NULL);
    ++functions;
  }
  REQUIRE(table->api_version() == SIPTLS_API_VERSION);
  printf("%d functions, siptls %s\n", functions, table->version());
  return 0;
}

// Thread keys that are still to be had.
static int free_keys(void) {
  static pthread_key_t keys[PTHREAD_KEYS_MAX];
  int count = 0;
  while (count < PTHREAD_KEYS_MAX && pthread_key_create(&keys[count], NULL) == 0) ++count;
  for (int i = 0; i < count; ++i) pthread_key_delete(keys[i]);
  return count;
}

static long lines_of(const char* path) {
  FILE* const file = fopen(path, "r");
  long lines = 0;
  REQUIRE(file != NULL);
  for (int octet; (octet = fgetc(file)) != EOF;) lines += octet == '\n';
  fclose(file);
  return lines;
}

struct cost {
  size_t heap;
  long mappings;
  int keys;
};

static struct cost cost_now(void) {
  return (struct cost){mallinfo2().uordblks, lines_of("/proc/self/maps"), free_keys()};
}

static int cycles(const char* file) {
  struct cost warm = {0, 0, 0};
  for (int i = 0; i < WARM_UP + CYCLES; ++i) {
    // The first look leaves chunks in malloc()'s caches, which it counts as used.
    if (i == WARM_UP / 2 || i == WARM_UP) warm = cost_now();
    // As different hosts do it.
    void* const plugin = dlopen(file, i % 2 ? RTLD_LAZY | RTLD_LOCAL : RTLD_NOW | RTLD_GLOBAL);
    REQUIRE(plugin != NULL);
    use(table_of(plugin));
    REQUIRE(dlclose(plugin) == 0);
  }
  const struct cost end = cost_now();
  printf("%d cycles: heap %zu -> %zu, mappings %ld -> %ld, free thread keys %d -> %d\n", CYCLES,
         warm.heap, end.heap, warm.mappings, end.mappings, warm.keys, end.keys);
  // An octet for each cycle would be seen.
  REQUIRE(end.heap <= warm.heap + CYCLES / 2);
  REQUIRE(end.mappings <= warm.mappings + 2);
  REQUIRE(end.keys == warm.keys);
  return 0;
}

struct meeting {
  const siptls_functions* siptls;
  pthread_barrier_t used, closed;
};

static void* outlive(void* argument) {
  struct meeting* const meeting = argument;
  use(meeting->siptls);
  pthread_barrier_wait(&meeting->used);
  pthread_barrier_wait(&meeting->closed);
  // The table goes on to be there. At the end of the thread what BoringSSL keeps for it is freed.
  use(meeting->siptls);
  return NULL;
}

static int thread(const char* file) {
  struct meeting meeting;
  pthread_t other;
  void* const plugin = dlopen(file, RTLD_NOW);
  REQUIRE(plugin != NULL);
  meeting.siptls = table_of(plugin);
  pthread_barrier_init(&meeting.used, NULL, 2);
  pthread_barrier_init(&meeting.closed, NULL, 2);
  REQUIRE(pthread_create(&other, NULL, &outlive, &meeting) == 0);
  pthread_barrier_wait(&meeting.used);
  REQUIRE(dlclose(plugin) == 0);
  pthread_barrier_wait(&meeting.closed);
  REQUIRE(pthread_join(other, NULL) == 0);
  puts("the thread has ended");
  return 0;
}

// The plugin without its module beside it.
static int missing(void* plugin) {
  REQUIRE(entry_of(plugin)(SIPTLS_API_VERSION) == NULL);
  const char* const why = dlerror();
  printf("dlerror: %s\n", why == NULL ? "nothing" : why);
  REQUIRE(why != NULL && strstr(why, "siptls-plugin-module.so") != NULL);
  return 0;
}

// A daemon that has loaded it by a relative path and then works in another folder.
static int moved(const char* file, const char* folder) {
  void* const plugin = dlopen(file, RTLD_NOW);
  REQUIRE(plugin != NULL);
  REQUIRE(chdir(folder) == 0);
  printf("siptls %s\n", table_of(plugin)->version());
  return 0;
}

static int load(const char* file, int (*run)(void*)) {
  void* const plugin = dlopen(file, RTLD_LAZY | RTLD_LOCAL);
  if (plugin == NULL) printf("dlerror: %s\n", dlerror());
  REQUIRE(plugin != NULL);
  return run(plugin);
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const char* const what = argv[2];
  if (strcmp(what, "moved") == 0) return argc > 3 ? moved(argv[1], argv[3]) : 2;
  if (argc > 3) {
    FILE* const file = fopen(argv[3], "r");
    REQUIRE(file != NULL);
    certificate[fread(certificate, 1, sizeof certificate - 1, file)] = '\0';
    fclose(file);
  }
  if (strcmp(what, "versions") == 0) return load(argv[1], &versions);
  if (strcmp(what, "missing") == 0) return load(argv[1], &missing);
  if (strcmp(what, "cycles") == 0) return cycles(argv[1]);
  if (strcmp(what, "thread") == 0) return thread(argv[1]);
  return 2;
}
