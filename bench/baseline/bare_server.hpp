// A SIP server by bare BoringSSL, epoll and blocking nowhere: what transport_bench compares with.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace baseline {

struct ServerConfig {
  std::string key_pem;
  std::string chain_pem;
  std::string root_pem;
  std::uint16_t version = 0;  // 0x0303 or 0x0304
};

// Serves for ever on a port of 127.0.0.1 that it tells first. Mutual authentication by X509 chains,
// and tickets. For each readiness one SSL_read, for each message one SSL_write, over a socket BIO.
// Framing and response are the least that can be done: a search for the empty line and for
// Content-Length, and a copy of the rows that begin as Via, From, To, Call-ID and CSeq do; no
// limits, no deadlines, no queues. Throws std::runtime_error if it cannot begin.
void serve_bare(const ServerConfig& config, const std::function<void(std::uint16_t port)>& ready);

}  // namespace baseline
