// What the snippets of the documents take for granted: objects that a host has by then, and
// functions of the host's own. snippets.py puts it in front of them.
#pragma once

#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "siptls/siptls.hpp"

using namespace siptls;

// The host's.
void handle(const Event& event);
void answer(ConnectionId connection, const SipMessageView& request);
void log_peer(const Endpoint& remote, const PeerInfo& peer);
void transaction_failed(SendToken token, const Error& error);
void forget(ConnectionId connection);
void refuse(ConnectionId connection, std::uint16_t status, std::string_view reason_phrase,
            std::string_view warning);
std::vector<std::byte> sign(const std::string& key_id, std::uint16_t scheme,
                            const std::vector<std::byte>& input);
void wake_operator(const Error& error);
void blame_peer(const Error& error);
std::vector<TransportMetrics> metrics_of_all_threads();

// What a snippet of statements is given: it is the body of a function with these parameters. It may
// return early, as in `return Unexpected(error)`.
#define GIVEN                                                                               \
  TlsTransport &transport, const TlsContext &context, const SipMessageView &request,        \
      const Now &now, const Endpoint &remote, ListenerId listener, ConnectionId connection, \
      std::span<const std::byte> message, const std::string &response, unsigned failures
