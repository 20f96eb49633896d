#include "sip/workspace.hpp"

#include <algorithm>
#include <new>

namespace siptls {
namespace detail {

// Doubles, so that many small pieces cost little each; takes exactly what a message still needs
// once its size is known, but no more than the double before that much has really come.
bool MessageAssembly::grow(std::size_t size, std::size_t expected) noexcept {
  constexpr std::size_t kFirst = 1024;
  const std::size_t needed = held_ + size;
  std::size_t capacity = std::max({needed, 2 * capacity_, kFirst});
  if (expected >= needed) capacity = std::min(capacity, expected);
  std::unique_ptr<char[]> larger(new (std::nothrow) char[capacity]);
  if (!larger) return false;
  if (held_ > 0) std::char_traits<char>::copy(larger.get(), octets_.get(), held_);
  octets_ = std::move(larger);
  capacity_ = capacity;
  return true;
}

}  // namespace detail

void SipFramer::Workspace::make_current() noexcept {
  if (spare_) {
    current_ = std::move(spare_);
  } else {
    current_.reset(new (std::nothrow) detail::MessageAssembly);
  }
}

void SipFramer::Workspace::give_back(detail::MessageAssembly* assembly) noexcept {
  if (current_) spare_ = std::move(current_);
  current_.reset(assembly);
}

void SipFramer::WorkspaceDeleter::operator()(Workspace* workspace) const noexcept {
  delete workspace;
}

SipFramer::WorkspacePtr SipFramer::make_workspace() {
  return WorkspacePtr(new (std::nothrow) Workspace);
}

}  // namespace siptls
