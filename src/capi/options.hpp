// The structs that a transport is told things with, as the C++ interface's.
#pragma once

#include <optional>

#include "siptls/siptls.h"
#include "siptls/tls_transport.hpp"

namespace siptls::capi {

// Each returns why it cannot be, or null. `given` may be null where a default exists.
const char* read_options(const siptls_transport_options* given, TransportOptions& into);
const char* read_listen(const siptls_listen_options* given, std::optional<ListenOptions>& into);
// These write over what `into` held, and keep its memory.
const char* read_target(const siptls_target* given, Target& into);
const char* read_fallback(const siptls_fallback* given, ResponseFallback& into);
const char* read_send(const siptls_send_options* given, SendOptions& into);

}  // namespace siptls::capi
