// How siptls-server makes its responses (RFC 3261 section 8.2.6).
#pragma once

#include <string>

#include "siptls/endpoint.hpp"
#include "siptls/sip_message_view.hpp"
#include "siptls/sips.hpp"

namespace tool {

// 200 OK: every Via in its order, From, To with a tag, Call-ID and CSeq as in the request, and no
// body. `remote` is where the request came from; the topmost Via tells it to the client.
std::string make_response(const siptls::SipMessageView& request, const siptls::Endpoint& remote);

// The refusal that judge_sips() asked for.
std::string make_refusal(const siptls::SipMessageView& request, const siptls::Endpoint& remote,
                         const siptls::SipsRefusal& refusal);

}  // namespace tool
