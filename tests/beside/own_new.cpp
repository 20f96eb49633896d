// A host's `operator new` and `operator delete` in place of the C++ library's, over the C library's
// malloc(). They end the process when they are given back what they have not given.
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

constexpr std::size_t kHeader = 16;
constexpr char kMark[kHeader] = "own operator ne";

}  // namespace

void* operator new(std::size_t size) {
  auto* const place = static_cast<char*>(std::malloc(size + kHeader));
  if (place == nullptr) throw std::bad_alloc();
  std::memcpy(place, kMark, kHeader);
  return place + kHeader;
}

void operator delete(void* memory) noexcept {
  if (memory == nullptr) return;
  char* const place = static_cast<char*>(memory) - kHeader;
  if (std::memcmp(place, kMark, kHeader) != 0) std::abort();
  std::free(place);
}

void operator delete(void* memory, std::size_t /*size*/) noexcept { operator delete(memory); }
