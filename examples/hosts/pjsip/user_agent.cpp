#include "user_agent.hpp"

#include <cstring>

namespace {

// PJSIP's callbacks of calls and requests have no place for it. They come from an endpoint alone,
// and that has ended before the agent.
UserAgent* the_agent = nullptr;

std::map<std::string, siptls::Endpoint, std::less<>>& addresses() {
  static std::map<std::string, siptls::Endpoint, std::less<>> known;
  return known;
}

pj_str_t view(const std::string& text) {
  return {const_cast<char*>(text.data()), static_cast<pj_ssize_t>(text.size())};
}

// PJSIP asks where a target is. Names that were not told are not found: this program has no DNS.
void resolve(pjsip_resolver_t*, pj_pool_t*, const pjsip_host_info* target, void* token,
             pjsip_resolver_callback* answer) {
  const std::string_view name(target->addr.host.ptr,
                              static_cast<std::size_t>(target->addr.host.slen));
  siptls::Endpoint found;
  if (const auto known = addresses().find(name); known != addresses().end()) {
    found = known->second;
  } else if (const auto parsed = siptls::Endpoint::parse(name)) {
    found = *parsed;
  } else {
    return answer(PJLIB_UTIL_EDNS_NXDOMAIN, token, nullptr);
  }
  if (target->addr.port > 0) found = found.with_port(static_cast<std::uint16_t>(target->addr.port));
  const bool is_ipv4 = found.family() == siptls::AddressFamily::ipv4;
  pjsip_server_addresses addresses{};
  addresses.count = 1;
  auto& entry = addresses.entry[0];
  entry.type = is_ipv4 ? PJSIP_TRANSPORT_TLS : PJSIP_TRANSPORT_TLS6;
  pj_sockaddr_init(is_ipv4 ? pj_AF_INET() : pj_AF_INET6(), &entry.addr, nullptr, found.port());
  std::memcpy(pj_sockaddr_get_addr(&entry.addr), found.address_data(), found.address_size());
  entry.addr_len = static_cast<int>(pj_sockaddr_get_len(&entry.addr));
  answer(PJ_SUCCESS, token, &addresses);
}

// What it gives lives as long as the pool; null if `text` is no URI.
pjsip_uri* parse_uri(pj_pool_t* pool, const std::string& text) {
  pj_str_t copied;  // what was parsed refers to it
  const pj_str_t given = view(text);
  pj_strdup_with_null(pool, &copied, &given);
  pjsip_uri* uri = pjsip_parse_uri(pool, copied.ptr, static_cast<pj_size_t>(copied.slen), 0);
  return uri == nullptr ? nullptr : static_cast<pjsip_uri*>(pjsip_uri_get_uri(uri));
}

}  // namespace

UserAgent::UserAgent(UserAgentEvents events) : events_(std::move(events)) { the_agent = this; }

UserAgent::~UserAgent() { the_agent = nullptr; }

void UserAgent::set_address(const std::string& name, const siptls::Endpoint& address) {
  addresses()[name] = address;
}

pj_status_t UserAgent::open(pjsip_endpoint* endpoint) {
  endpoint_ = endpoint;
  static pjsip_ext_resolver resolver{&resolve};
  module_.name = pj_str(const_cast<char*>("mod-siptls-agent"));
  module_.id = -1;
  module_.priority = PJSIP_MOD_PRIORITY_APPLICATION;
  module_.on_rx_request = &UserAgent::on_request;
  pjsip_inv_callback callbacks{};
  callbacks.on_state_changed = &UserAgent::on_call_state;
  callbacks.on_new_session = &UserAgent::on_forked;
  pj_status_t status = pjsip_endpt_set_ext_resolver(endpoint_, &resolver);
  if (status == PJ_SUCCESS) status = pjsip_tsx_layer_init_module(endpoint_);
  if (status == PJ_SUCCESS) status = pjsip_ua_init_module(endpoint_, nullptr);
  if (status == PJ_SUCCESS) status = pjsip_inv_usage_init(endpoint_, &callbacks);
  if (status == PJ_SUCCESS) status = pjsip_100rel_init_module(endpoint_);
  if (status == PJ_SUCCESS) status = pjsip_endpt_register_module(endpoint_, &module_);
  return status;
}

pjmedia_sdp_session* UserAgent::describe(pj_pool_t* pool) {
  const std::string text =
      "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=siptls\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
      "m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=inactive\r\n";
  pj_str_t copied;
  const pj_str_t given = view(text);
  pj_strdup_with_null(pool, &copied, &given);  // what was parsed refers to it
  pjmedia_sdp_session* description = nullptr;
  pjmedia_sdp_parse(pool, copied.ptr, static_cast<pj_size_t>(copied.slen), &description);
  return description;
}

bool UserAgent::is_uri(const std::string& text) const {
  if (text.find_first_of("\r\n") != text.npos) return false;  // PJSIP reads up to there
  pj_pool_t* pool = pjsip_endpt_create_pool(endpoint_, "uri", 512, 512);
  if (pool == nullptr) return false;
  const pjsip_uri* uri = parse_uri(pool, text);
  const bool is_sip =
      uri != nullptr && (PJSIP_URI_SCHEME_IS_SIP(uri) || PJSIP_URI_SCHEME_IS_SIPS(uri));
  pjsip_endpt_release_pool(endpoint_, pool);
  return is_sip;
}

pjsip_route_hdr* UserAgent::make_route(pj_pool_t* pool) const {
  pjsip_route_hdr* route = pjsip_route_hdr_create(pool);
  route->name_addr.uri = parse_uri(pool, route_);
  return route;
}

// --- Being asked ---------------------------------------------------------------------------------

pj_bool_t UserAgent::on_request(pjsip_rx_data* request) {
  UserAgent& agent = *the_agent;
  agent.events_.request(*request);
  const pjsip_method& method = request->msg_info.msg->line.req.method;
  if (method.id == PJSIP_ACK_METHOD) return PJ_TRUE;
  if (method.id == PJSIP_INVITE_METHOD) {
    agent.answer_call(request);
  } else {
    const bool is_options = method.id == PJSIP_OPTIONS_METHOD;
    pjsip_endpt_respond_stateless(agent.endpoint_, request,
                                  is_options ? PJSIP_SC_OK : PJSIP_SC_METHOD_NOT_ALLOWED, nullptr,
                                  nullptr, nullptr);
  }
  return PJ_TRUE;
}

void UserAgent::answer_call(pjsip_rx_data* request) {
  const pj_str_t contact = view(contact_);
  pjsip_dialog* dialog = nullptr;
  unsigned options = 0;
  if (pjsip_inv_verify_request(request, &options, nullptr, nullptr, endpoint_, nullptr) !=
          PJ_SUCCESS ||
      pjsip_dlg_create_uas_and_inc_lock(pjsip_ua_instance(), request, &contact, &dialog) !=
          PJ_SUCCESS) {
    pjsip_endpt_respond_stateless(endpoint_, request, PJSIP_SC_NOT_ACCEPTABLE_HERE, nullptr,
                                  nullptr, nullptr);
    return;
  }
  pjsip_inv_session* call = nullptr;
  pjsip_tx_data* answer = nullptr;
  const pj_status_t made = pjsip_inv_create_uas(dialog, request, describe(dialog->pool), 0, &call);
  pjsip_dlg_dec_lock(dialog);
  if (made != PJ_SUCCESS) return;
  calls_[call] = HangUp::never;
  if (pjsip_inv_initial_answer(call, request, PJSIP_SC_RINGING, nullptr, nullptr, &answer) ==
          PJ_SUCCESS &&
      pjsip_inv_send_msg(call, answer) == PJ_SUCCESS &&
      pjsip_inv_answer(call, PJSIP_SC_OK, nullptr, nullptr, &answer) == PJ_SUCCESS) {
    pjsip_inv_send_msg(call, answer);
  }
}

// --- Asking --------------------------------------------------------------------------------------

pj_status_t UserAgent::call(const std::string& uri, HangUp hang_up) {
  const pj_str_t from = view(own_uri_);
  const pj_str_t contact = view(contact_);
  const pj_str_t to = view(uri);
  pjsip_dialog* dialog = nullptr;
  pj_status_t status =
      pjsip_dlg_create_uac(pjsip_ua_instance(), &from, &contact, &to, &to, &dialog);
  if (status != PJ_SUCCESS) return status;
  pjsip_inv_session* call = nullptr;
  pjsip_tx_data* invite = nullptr;
  status = pjsip_inv_create_uac(dialog, describe(dialog->pool), 0, &call);
  if (status != PJ_SUCCESS) {
    pjsip_dlg_terminate(dialog);
    return status;
  }
  calls_[call] = hang_up;
  // With a call in it; a dialog without one ends when it is let go.
  if (!route_.empty()) {
    pjsip_route_hdr routes;
    pj_list_init(&routes);
    pj_list_push_back(&routes, make_route(dialog->pool));
    pjsip_dlg_set_route_set(dialog, &routes);
  }
  status = pjsip_inv_invite(call, &invite);
  if (status == PJ_SUCCESS) status = pjsip_inv_send_msg(call, invite);
  return status;
}

pj_status_t UserAgent::ask_options(const std::string& uri) {
  const pj_str_t from = view(own_uri_);
  const pj_str_t contact = view(contact_);
  const pj_str_t to = view(uri);
  pjsip_tx_data* options = nullptr;
  const pj_status_t status =
      pjsip_endpt_create_request(endpoint_, pjsip_get_options_method(), &to, &from, &to, &contact,
                                 nullptr, -1, nullptr, &options);
  if (status != PJ_SUCCESS) return status;
  if (!route_.empty()) {
    void* route = make_route(options->pool);
    pjsip_msg_add_hdr(options->msg, static_cast<pjsip_hdr*>(route));
  }
  return pjsip_endpt_send_request(endpoint_, options, -1, this, &UserAgent::on_options_answer);
}

void UserAgent::on_options_answer(void* token, pjsip_event* event) {
  const pjsip_transaction* transaction = event->body.tsx_state.tsx;
  const pj_str_t& text = transaction->status_text;
  static_cast<UserAgent*>(token)->events_.options_answered(
      transaction->status_code, std::string(text.ptr, static_cast<std::size_t>(text.slen)));
}

void UserAgent::on_call_state(pjsip_inv_session* call, pjsip_event*) {
  UserAgent& agent = *the_agent;
  const auto found = agent.calls_.find(call);
  agent.events_.call_state(*call);
  if (found == agent.calls_.end()) return;
  if (call->state == PJSIP_INV_STATE_DISCONNECTED) {
    agent.calls_.erase(found);
  } else if (call->state == PJSIP_INV_STATE_CONFIRMED && found->second == HangUp::at_once) {
    pjsip_tx_data* bye = nullptr;
    if (pjsip_inv_end_session(call, PJSIP_SC_OK, nullptr, &bye) == PJ_SUCCESS && bye != nullptr) {
      pjsip_inv_send_msg(call, bye);
    }
  }
}

void UserAgent::hang_up_all() {
  const std::map<pjsip_inv_session*, HangUp> calls = calls_;  // they end under way
  for (const auto& [call, hang_up] : calls) {
    pjsip_tx_data* last = nullptr;
    if (pjsip_inv_end_session(call, PJSIP_SC_GONE, nullptr, &last) == PJ_SUCCESS &&
        last != nullptr) {
      pjsip_inv_send_msg(call, last);
    }
  }
}
