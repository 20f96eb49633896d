#include "base/os/loaded_library.hpp"

#include <dlfcn.h>

namespace siptls::os {

std::string file_of(const void* function) {
  Dl_info info{};
  if (dladdr(function, &info) == 0 || info.dli_fname == nullptr) return {};
  return info.dli_fname;
}

std::string file_answering_to(const char* name) {
  void* const program = dlopen(nullptr, RTLD_LAZY);
  if (program == nullptr) return {};
  const void* const function = dlsym(program, name);
  std::string file = function != nullptr ? file_of(function) : std::string();
  dlclose(program);
  return file;
}

}  // namespace siptls::os
