// The edge between code that allocates and a library that throws nothing.
#pragma once

#include <new>
#include <utility>

#include "siptls/result.hpp"

namespace siptls::pki {

// What `make` returns; `out_of_memory` where an allocation failed.
template <typename F>
auto guarded(F&& make) -> decltype(std::forward<F>(make)()) {
  try {
    return std::forward<F>(make)();
  } catch (const std::bad_alloc&) {
    return Unexpected(Errc::out_of_memory);
  }
}

}  // namespace siptls::pki
