// Events of the C++ interface, laid out for C.
#pragma once

#include "capi/handles.hpp"

namespace siptls::capi {

// Describes the transport's present event; `out` is all 0 before.
void show_event(siptls_transport& transport, siptls_event& out);

}  // namespace siptls::capi
