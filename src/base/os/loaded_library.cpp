#include "base/os/loaded_library.hpp"

#include <dlfcn.h>

namespace siptls::os {

std::string file_of(const void* function) {
  Dl_info info{};
  if (dladdr(function, &info) == 0 || info.dli_fname == nullptr) return {};
  return info.dli_fname;
}

}  // namespace siptls::os
