// Records of TLS 1.3 that no library makes: empty ones, KeyUpdate without end, content of any type.
#pragma once

#include <openssl/aead.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "peers.hpp"

namespace siptls_test {

// A record in the clear.
Octets plain_record(std::uint8_t type, std::span<const std::byte> content);

// The sending side of a TLS 1.3 connection from its secret.
class RecordMaker {
 public:
  // `line` is of the key log, for the suite with AES-128-GCM and SHA-256.
  explicit RecordMaker(const std::string& line);

  // KeyUpdate, and the keys that follow it (RFC 9846 section 7.2).
  Octets make_key_update(bool answer_wanted);
  // RFC 9846 section 5.2: content, then its type.
  Octets make(std::uint8_t type, std::string_view content);

 private:
  using Key = std::vector<std::uint8_t>;

  void use_secret();
  // HKDF-Expand-Label with an empty context (RFC 9846 section 7.1).
  Key expand(const std::string& label, std::size_t size) const;

  Key secret_;
  Key iv_;
  bssl::UniquePtr<EVP_AEAD_CTX> aead_;
  std::uint64_t number_ = 0;
};

// An established session of TLS 1.3 in this role, and what makes its peer's records.
struct Forged {
  SessionEnd end;
  RecordMaker maker;
};
Forged established_as(siptls::PeerRole role);

}  // namespace siptls_test
