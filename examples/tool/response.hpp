// How siptls-server makes its responses (RFC 3261 section 8.2.6).
#pragma once

#include <string>
#include <string_view>

#include "siptls/endpoint.hpp"
#include "siptls/sip_message_view.hpp"
#include "siptls/sips.hpp"

namespace tool {

// The row that holds the topmost Via, completed: `received` if the sent-by is not the address that
// the request came from (RFC 3261 section 18.2.1), and both `received` and the value of `rport` if
// the client asked with an empty one (RFC 3581 section 4).
std::string complete_top_via(std::string_view row, std::string_view sent_by_host,
                             const siptls::Endpoint& remote);

// 200 OK: every Via in its order, From, To with a tag, Call-ID and CSeq as in the request, and no
// body. `remote` is where the request came from; the topmost Via tells it to the client.
std::string make_response(const siptls::SipMessageView& request, const siptls::Endpoint& remote);

// The refusal that judge_sips() asked for.
std::string make_refusal(const siptls::SipMessageView& request, const siptls::Endpoint& remote,
                         const siptls::SipsRefusal& refusal);

}  // namespace tool
