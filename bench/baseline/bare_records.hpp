// Records by bare BoringSSL over memory BIOs: what record_bench compares with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace baseline {

struct RecordsConfig {
  std::string key_pem;
  std::string certificate_pem;
  std::uint16_t version = 0;  // 0x0303 or 0x0304
};

// A client and a server whose handshake is done; nobody is verified, since only records count here.
// Throws std::runtime_error if BoringSSL refuses anything.
class BareRecords {
 public:
  explicit BareRecords(const RecordsConfig& config);
  ~BareRecords();

  std::uint16_t cipher_suite() const;  // IANA code
  // One SSL_write by the client, then SSL_read by the server until it has all of it, and not once
  // more: a server that reads several messages in a row asks in vain only behind the last.
  void carry(std::span<const std::byte> octets);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace baseline
