// A small user agent on PJSIP: answers calls and OPTIONS, and makes one call or asks OPTIONS.
// It has no sound; its session descriptions offer an inactive stream.
#pragma once

#include <pjlib-util.h>
#include <pjlib.h>
#include <pjsip.h>
#include <pjsip_ua.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "siptls/endpoint.hpp"

struct UserAgentEvents {
  // A request came, and from which transport.
  std::function<void(const pjsip_rx_data& request)> request;
  // The state of a call: "CALLING", "EARLY", "CONFIRMED", "DISCONNECTED"; why it has ended.
  std::function<void(const pjsip_inv_session& call)> call_state;
  // The final response to OPTIONS; 408 or 503 of PJSIP's own if none came.
  std::function<void(int status, const std::string& text)> options_answered;
};

// PJSIP knows one endpoint, so there is one UserAgent at a time. It must outlive the endpoint that
// open() was given: its module stays in there, and pjsip_endpt_destroy() ends what is under way and
// tells the agent.
class UserAgent {
 public:
  explicit UserAgent(UserAgentEvents events);
  ~UserAgent();
  UserAgent(const UserAgent&) = delete;
  UserAgent& operator=(const UserAgent&) = delete;
  pj_status_t open(pjsip_endpoint* endpoint);

  // Whether call(), ask_options() and set_route() can take it: a `sip` or `sips` URI.
  bool is_uri(const std::string& text) const;

  // `own_uri` is what the agent calls itself, `contact` where it is reached.
  void set_names(std::string own_uri, std::string contact) {
    own_uri_ = std::move(own_uri);
    contact_ = std::move(contact);
  }
  // Every request of this side goes there first: the URI of a proxy, with `lr`. is_uri() of it.
  void set_route(std::string uri) { route_ = std::move(uri); }
  // Where the names are that PJSIP must find (instead of DNS). A port in the URI comes first.
  static void set_address(const std::string& name, const siptls::Endpoint& address);

  // INVITE. By default the call is hung up as soon as it is established.
  enum class HangUp : std::uint8_t { at_once, never };
  pj_status_t call(const std::string& uri, HangUp hang_up);
  pj_status_t ask_options(const std::string& uri);
  // Ends all calls; they are over when is_in_call() says so.
  void hang_up_all();
  bool is_in_call() const noexcept { return !calls_.empty(); }

 private:
  static pj_bool_t on_request(pjsip_rx_data* request);
  static void on_call_state(pjsip_inv_session* call, pjsip_event* event);
  static void on_forked(pjsip_inv_session*, pjsip_event*) {}
  static void on_options_answer(void* token, pjsip_event* event);
  void answer_call(pjsip_rx_data* request);
  static pjmedia_sdp_session* describe(pj_pool_t* pool);
  pjsip_route_hdr* make_route(pj_pool_t* pool) const;

  pjsip_endpoint* endpoint_ = nullptr;
  UserAgentEvents events_;
  std::string own_uri_;
  std::string contact_;
  std::string route_;
  std::map<pjsip_inv_session*, HangUp> calls_;
  pjsip_module module_{};
};
