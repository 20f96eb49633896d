// Tells a process from its forked children, without a system call for each question.
#pragma once

#include <cstdint>

namespace siptls::os {

// A number that changes in the child of a fork().
std::uint64_t process_generation() noexcept;

}  // namespace siptls::os
