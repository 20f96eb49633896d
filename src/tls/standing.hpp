// Who this side is on a connection, and how it judges: what decides whether a connection that was
// accepted may carry what another context would open one for.
#pragma once

#include "siptls/tls_context.hpp"
#include "siptls/tls_session.hpp"

namespace siptls::tls {

// Did an established session show the certificate that `context` shows first, and was its peer
// judged by the same trust, policy and list of allowed peers?
bool has_standing_of(const TlsSession& session, const TlsContext& context);

}  // namespace siptls::tls
