// What stands behind the opaque types of the C interface: values of the C++ one.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "siptls/siptls.h"
#include "siptls/siptls.hpp"

struct siptls_error {
  std::optional<siptls::Error> error;  // none: SIPTLS_OK
  std::string message;                 // made when it is asked for
};

struct siptls_trust_store {
  siptls::TrustStore store;
};

struct siptls_path {
  std::shared_ptr<const siptls::ProvenPath> path;
};

struct siptls_credentials {
  siptls::Credentials credentials;
};

struct siptls_ticket_keys {
  std::shared_ptr<siptls::TicketKeyRing> ring;
};

struct siptls_context {
  siptls::TlsContext context;
};

struct siptls_message {
  siptls::SipMessageView view;
};

struct siptls_framer {
  siptls::SipFramer framer;
  siptls_message message;
};

struct siptls_trace {
  std::shared_ptr<siptls::HandshakeTrace> trace;
  std::string text;
};

struct siptls_peer {
  siptls::PeerInfo info;
  siptls_path path;
};

struct siptls_sender {
  siptls::Sender sender;
};

struct siptls_metrics {
  siptls::TransportMetrics values;
  std::string text;
};

struct siptls_transport {
  siptls::TlsTransport transport;
  // The present event, and what its pointers show.
  std::optional<siptls::Event> event;
  siptls_error error;
  siptls_message message;
  siptls_peer peer;
  siptls_peer asked_for;       // of siptls_transport_peer()
  bool out_of_memory = false;  // in a call that could not say so
  // Kept, so that a message that is sent allocates nothing for them.
  siptls::Target target;
  siptls::ResponseFallback fallback;
};
