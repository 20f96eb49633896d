// Which file a function of this process came from.
#pragma once

#include <string>
#include <vector>

namespace siptls::os {

// The file that holds the code at `function` (an executable or a shared library); empty if that
// cannot be told.
std::string file_of(const void* function);

// The file that has the function of this name for the program and for all that it loads; empty if
// there is none.
std::string file_answering_to(const char* name);

// Every file of this process that has a function of this name for others, whoever may see it: also
// what was loaded for one user alone (RTLD_LOCAL). A file may be named twice.
std::vector<std::string> files_with(const char* name);

}  // namespace siptls::os
