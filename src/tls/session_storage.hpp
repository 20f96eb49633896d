// For src/transport: the storage of a session's pending output can be lent from one session to the
// next, so that thousands of idle sessions share one buffer.
#pragma once

#include <cstddef>
#include <vector>

#include "siptls/tls_session.hpp"

namespace siptls::tls {

// Takes the storage away; an empty vector without capacity while there is pending output. The
// session gets storage of its own again when it needs some.
std::vector<std::byte> release_storage(TlsSession& session) noexcept;
// Gives storage to a session that has none; otherwise `storage` is left as it is.
void adopt_storage(TlsSession& session, std::vector<std::byte>&& storage) noexcept;

}  // namespace siptls::tls
