// What server, attackers and good clients share: certificates, addresses, messages.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "siptls/siptls.hpp"

namespace hostile {

template <typename T>
T must(siptls::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return *std::move(result);
}
inline void must(siptls::Result<void> result) {
  if (!result) throw std::runtime_error(result.error().message());
}

inline constexpr std::string_view kDomain = "server.example";

struct Certificate {
  std::string key;
  std::string chain;
};

// All PEM.
struct Certificates {
  std::string root;
  Certificate server;
  Certificate client;  // the good clients' and, since hostile peers can be members, theirs
  Certificate huge;    // leaf and intermediates, 16 KiB of DER, of nobody who is trusted
};
// RSA makes a handshake several times as dear for the server as P-256.
enum class ServerKey : std::uint8_t { p256, rsa2048 };
Certificates make_certificates(ServerKey key);

siptls::TlsContext make_context(const Certificate& own, const std::string& trusted);

std::string options_request(std::uint64_t number);
// The number in an answer to that.
std::uint64_t number_of(const siptls::SipMessageView& message);

struct ServerOrder {
  const Certificates& certificates;
  bool lifted;                // without limits
  std::uint32_t accept_rate;  // instead of the default; 0: the default
};
// Tells its port, serves until something is to be read from `link`, and answers with its metrics.
void run_server(int link, const ServerOrder& order);

}  // namespace hostile
