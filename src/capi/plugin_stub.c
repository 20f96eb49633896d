/* The plugin beside a shared BoringSSL: loads the real one, siptls-plugin-module.so in the same
 * folder, in a way that does not depend on how the host has loaded this.
 *
 * RTLD_LOCAL: the host and its other libraries do not see BoringSSL's names. RTLD_DEEPBIND: the
 * module and what it brings along see their own before the host's, which may be OpenSSL's. Neither
 * can be said in the module itself.
 *
 * With RTLD_DEEPBIND the module would use the C library's malloc() as well where the host has put
 * another in its place, and what is allocated by one and freed by the other ends the process. So a
 * host with a malloc() of its own, such as jemalloc or a sanitizer's, gets the module without
 * RTLD_DEEPBIND. If it has no OpenSSL, nothing is missing; otherwise the module says
 * SIPTLS_E_FOREIGN_TLS_LIBRARY.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr, RTLD_DEEPBIND */
#endif

#include <dlfcn.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "siptls/siptls_plugin.h"

SIPTLS_C_API const siptls_functions* siptls_plugin(unsigned version);

/* In this file's folder; 0 if its path is too long. */
static int module_path(char* path, size_t size) {
  static const char kModule[] = "siptls-plugin-module.so";
  static const char here = 0;
  Dl_info info;
  const char* slash;
  size_t folder;
  if (dladdr(&here, &info) == 0 || info.dli_fname == NULL) return 0;
  slash = strrchr(info.dli_fname, '/');
  folder = slash == NULL ? 0 : (size_t)(slash - info.dli_fname) + 1;
  if (folder + sizeof kModule > size) return 0;
  memcpy(path, info.dli_fname, folder);
  memcpy(path + folder, kModule, sizeof kModule);
  return 1;
}

static int in_one_file(const char* name, const char* other) {
  void* const function = dlsym(RTLD_DEFAULT, name);
  void* const other_function = dlsym(RTLD_DEFAULT, other);
  Dl_info info;
  Dl_info other_info;
  return function != NULL && other_function != NULL && dladdr(function, &info) != 0 &&
         dladdr(other_function, &other_info) != 0 && info.dli_fbase == other_info.dli_fbase;
}

static int flags(void) {
#ifdef RTLD_DEEPBIND
  /* A function of the C library that nobody takes the place of. */
  if (in_one_file("malloc", "gnu_get_libc_version")) {
    return RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
  }
#endif
  return RTLD_NOW | RTLD_LOCAL;
}

/* dlopen() and dlsym() lock for themselves and give the same module each time, so there is nothing
 * to remember here. dlerror() tells the host why there is none. */
const siptls_functions* siptls_plugin(unsigned version) {
  char path[PATH_MAX];
  void* module;
  siptls_plugin_entry entry;
  if (!module_path(path, sizeof path)) return NULL;
  module = dlopen(path, flags());
  if (module == NULL) return NULL;
  /* As POSIX wants a function taken from dlsym(). */
  *(void**)(&entry) = dlsym(module, SIPTLS_PLUGIN_ENTRY);
  return entry == NULL ? NULL : entry(version);
}
