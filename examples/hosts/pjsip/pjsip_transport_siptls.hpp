// siptls as PJSIP's transport for TLS, by the public API of PJSIP alone.
//
// It takes the place of PJSIP's own TLS transport: its factory is one for PJSIP_TRANSPORT_TLS (or
// TLS6), so that `sips:` and `;transport=tls` lead to it and Via says TLS. A type of its own by
// pjsip_transport_register_type() would need a name of its own, and that name goes into Via.
//
// PJSIP's ioqueue takes sockets only, and fd() is none. So the program waits for fd() itself and
// calls handle_events(), in the thread that calls pjsip_endpt_handle_events(); PJSIP then sends in
// that thread too, which a TlsTransport wants.
#pragma once

#include <pjlib-util.h>
#include <pjlib.h>
#include <pjsip.h>

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "siptls/siptls.hpp"

struct SiptlsOptions {
  siptls::TlsContext client;                 // proves this side to servers, and judges them
  std::optional<siptls::TlsContext> server;  // none: no listener
  siptls::Endpoint listen;                   // the family decides about TLS or TLS6
  std::string published_host;                // in Via and Contact; empty: the address
  siptls::TransportLimits limits;
};

// The factory. PJSIP owns it from create() on and ends it with the endpoint.
class SiptlsFactory : public pjsip_tpfactory {
 public:
  static siptls::Result<SiptlsFactory*> create(pjsip_endpoint* endpoint,
                                               const SiptlsOptions& options);

  // To be waited for, for reading; handle_events() then.
  int fd() const noexcept { return transport_.fd(); }
  void handle_events();

  siptls::Endpoint local() const { return local_; }
  // Stops listening and closes each connection; is_closed() when handle_events() has seen all end.
  void close_all();
  bool is_closed() const noexcept { return transport_.connection_count() == 0; }
  // Who the peer of a transport of this factory is; null before its handshake is done.
  static const siptls::PeerInfo* peer_of(const pjsip_transport* transport) noexcept;

 private:
  struct Connection;

  SiptlsFactory(pjsip_endpoint* endpoint, pj_pool_t* memory, const SiptlsOptions& options,
                siptls::TlsTransport transport);
  siptls::Result<void> open(const SiptlsOptions& options);

  // What PJSIP calls.
  static pj_status_t create_connection(pjsip_tpfactory* factory, pjsip_tpmgr* manager,
                                       pjsip_endpoint* endpoint, const pj_sockaddr* remote,
                                       int size, pjsip_tx_data* message, pjsip_transport** made);
  static pj_status_t destroy_factory(pjsip_tpfactory* factory);
  static pj_status_t send_message(pjsip_transport* transport, pjsip_tx_data* message,
                                  const pj_sockaddr_t* remote, int size, void* token,
                                  pjsip_transport_callback callback);
  static pj_status_t shut_down(pjsip_transport* transport);
  static pj_status_t destroy_connection(pjsip_transport* transport);

  Connection* add(siptls::ConnectionId id, pjsip_transport_dir direction, const pj_sockaddr& remote,
                  const std::string& remote_name);
  Connection* find(siptls::ConnectionId id) const;
  static void report_state(Connection& connection, pjsip_transport_state state, pj_status_t status);
  void end(siptls::ConnectionId id, pj_status_t status);

  void handle(const siptls::Connected& connected);
  void handle(const siptls::Message& received);
  void handle(const siptls::Sent& sent);
  void handle(const siptls::SendFailed& failed);
  void handle(const siptls::ConnectFailed& failed);
  void handle(const siptls::HandshakeFailed& failed);
  void handle(const siptls::Closed& closed);
  void handle(const siptls::Warning& warning);
  template <typename Other>
  void handle(const Other&) {}  // nothing is to be done, or it was not asked for

  siptls::TlsTransport transport_;
  pjsip_endpoint* endpoint_;
  siptls::Endpoint local_;
  std::unordered_map<siptls::ConnectionId, Connection*> connections_;
};
