#include "base/os/loaded_library.hpp"

#include <dlfcn.h>
#include <link.h>

#include <utility>

namespace siptls::os {
namespace {

int add_name(dl_phdr_info* object, std::size_t /*size*/, void* names) {
  if (object->dlpi_name != nullptr && object->dlpi_name[0] != '\0') {
    static_cast<std::vector<std::string>*>(names)->emplace_back(object->dlpi_name);
  }
  return 0;
}

// The file of this function in what `handle` stands for, if it has one.
void add_file_of(void* handle, const char* function, std::vector<std::string>& files) {
  const void* const address = dlsym(handle, function);
  if (address == nullptr) return;
  if (std::string file = file_of(address); !file.empty()) files.push_back(std::move(file));
}

}  // namespace

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

std::vector<std::string> files_with(const char* name) {
  // The dynamic linker's lock is held during the walk, so nothing is opened in it.
  std::vector<std::string> objects;
  dl_iterate_phdr(&add_name, &objects);
  std::vector<std::string> files;
  for (const auto& object : objects) {
    void* const handle = dlopen(object.c_str(), RTLD_LAZY | RTLD_NOLOAD);
    if (handle == nullptr) continue;
    add_file_of(handle, name, files);
    dlclose(handle);
  }
  return files;
}

}  // namespace siptls::os
