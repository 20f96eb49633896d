// Which file a function of this process came from.
#pragma once

#include <string>

namespace siptls::os {

// The file that holds the code at `function` (an executable or a shared library); empty if that
// cannot be told.
std::string file_of(const void* function);

// The file that has the function of this name for the program and for all that it loads; empty if
// there is none.
std::string file_answering_to(const char* name);

}  // namespace siptls::os
