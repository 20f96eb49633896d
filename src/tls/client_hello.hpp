// What a ClientHello offers, for errors that explain why nothing was common.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace siptls::tls {

struct ClientHello {
  std::vector<std::uint16_t> versions;  // from supported_versions, else the legacy version alone
  std::vector<std::uint16_t> suites;
  std::vector<std::uint16_t> groups;
  std::vector<std::uint16_t> signature_schemes;
  std::vector<std::string> protocols;  // ALPN
  bool extended_master_secret = false;
  bool secure_renegotiation = false;  // the extension or the signalling suite (RFC 5746)

  bool offers_version(std::uint16_t version) const noexcept;
};

// Parses the body of a ClientHello message (RFC 9846 section 4.2.2); none if it is malformed.
std::optional<ClientHello> parse_client_hello(std::span<const std::uint8_t> body);

// The host name of the server_name extension (RFC 6066 section 3); none if there is none or it is
// malformed.
std::optional<std::string> server_name_of(const SSL_CLIENT_HELLO& hello);

// "TLS 1.1", "SSL 3.0" or "0xABCD".
std::string version_name(std::uint16_t version);

}  // namespace siptls::tls
