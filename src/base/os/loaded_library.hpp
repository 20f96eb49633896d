// Which file a function of this process came from.
#pragma once

#include <string>

namespace siptls::os {

// The file that holds the code at `function` (an executable or a shared library); empty if that
// cannot be told.
std::string file_of(const void* function);

}  // namespace siptls::os
