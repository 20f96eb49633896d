/* The plugin beside a shared BoringSSL: loads the real one, siptls-plugin-module.so in the same
 * folder, in a way that does not depend on how the host has loaded this.
 *
 * RTLD_LOCAL: the host and its other libraries do not see BoringSSL's names. RTLD_DEEPBIND: the
 * module and what it brings along see their own before the host's, which may be OpenSSL's. Neither
 * can be said in the module itself.
 *
 * With RTLD_DEEPBIND the module would use the C library's malloc() as well where the host has put
 * another in its place, and the C++ library's `operator delete` for what that library has allocated
 * by the host's `operator new`. What is allocated by one and freed by the other ends the process.
 * So a host with a malloc() of its own, such as jemalloc or a sanitizer's, or with an `operator
 * new` or `delete` of its own, gets the module without RTLD_DEEPBIND. If it has no OpenSSL, nothing
 * is missing; otherwise the module says SIPTLS_E_FOREIGN_TLS_LIBRARY.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr, RTLD_DEEPBIND, realpath */
#endif

#include <dlfcn.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "siptls/siptls_plugin.h"

SIPTLS_C_API const siptls_functions* siptls_plugin(unsigned version);

/* The module's; empty if this file's folder cannot be told or the path is too long. */
static char module_path[PATH_MAX];

/* Done while this is loaded: the host may have loaded it by a relative path, and a daemon changes
 * its working directory, perhaps to one that others can write to. */
__attribute__((constructor)) static void find_module(void) {
  static const char kModule[] = "siptls-plugin-module.so";
  static const char here = 0;
  Dl_info info;
  char* slash;
  if (dladdr(&here, &info) == 0 || info.dli_fname == NULL) return;
  if (realpath(info.dli_fname, module_path) == NULL) {
    module_path[0] = '\0';
    return;
  }
  slash = strrchr(module_path, '/');
  if ((size_t)(slash + 1 - module_path) + sizeof kModule > sizeof module_path) {
    module_path[0] = '\0';
    return;
  }
  memcpy(slash + 1, kModule, sizeof kModule);
}

#ifdef RTLD_DEEPBIND
static int in_one_file(const void* function, const char* other) {
  void* const other_function = dlsym(RTLD_DEFAULT, other);
  Dl_info info;
  Dl_info other_info;
  return function != NULL && other_function != NULL && dladdr(function, &info) != 0 &&
         dladdr(other_function, &other_info) != 0 && info.dli_fbase == other_info.dli_fbase;
}

/* Each form of `operator new` and `operator delete` that a program may replace is in the C++
 * library, if the host has any: in the file of the one function, or with LLVM's, which is two
 * files, of the other. */
static int operators_are_the_librarys(void) {
#define SIZED(start, rest) start "m" rest, start "j" rest /* 64 bits, 32 bits */
  static const char* const kOperators[] = {SIZED("_Znw", ""),
                                           SIZED("_Zna", ""),
                                           SIZED("_Znw", "RKSt9nothrow_t"),
                                           SIZED("_Zna", "RKSt9nothrow_t"),
                                           SIZED("_Znw", "St11align_val_t"),
                                           SIZED("_Zna", "St11align_val_t"),
                                           SIZED("_Znw", "St11align_val_tRKSt9nothrow_t"),
                                           SIZED("_Zna", "St11align_val_tRKSt9nothrow_t"),
                                           "_ZdlPv",
                                           "_ZdaPv",
                                           SIZED("_ZdlPv", ""),
                                           SIZED("_ZdaPv", ""),
                                           "_ZdlPvRKSt9nothrow_t",
                                           "_ZdaPvRKSt9nothrow_t",
                                           "_ZdlPvSt11align_val_t",
                                           "_ZdaPvSt11align_val_t",
                                           SIZED("_ZdlPv", "St11align_val_t"),
                                           SIZED("_ZdaPv", "St11align_val_t"),
                                           "_ZdlPvSt11align_val_tRKSt9nothrow_t",
                                           "_ZdaPvSt11align_val_tRKSt9nothrow_t"};
#undef SIZED
  for (size_t i = 0; i < sizeof kOperators / sizeof kOperators[0]; ++i) {
    const void* const function = dlsym(RTLD_DEFAULT, kOperators[i]);
    if (function != NULL && !in_one_file(function, "__cxa_begin_catch") &&
        !in_one_file(function, "_ZNSt3__16localeC1Ev")) {
      return 0;
    }
  }
  return 1;
}
#endif

static int flags(void) {
#ifdef RTLD_DEEPBIND
  /* A function of the C library that nobody takes the place of. */
  if (in_one_file(dlsym(RTLD_DEFAULT, "malloc"), "gnu_get_libc_version") &&
      operators_are_the_librarys()) {
    return RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
  }
#endif
  return RTLD_NOW | RTLD_LOCAL;
}

/* dlopen() and dlsym() lock for themselves and give the same module each time, so there is nothing
 * to remember here. dlerror() tells the host why there is none. */
const siptls_functions* siptls_plugin(unsigned version) {
  void* module;
  siptls_plugin_entry entry;
  if (module_path[0] == '\0') return NULL;
  module = dlopen(module_path, flags());
  if (module == NULL) return NULL;
  /* As POSIX wants a function taken from dlsym(). */
  *(void**)(&entry) = dlsym(module, SIPTLS_PLUGIN_ENTRY);
  return entry == NULL ? NULL : entry(version);
}
