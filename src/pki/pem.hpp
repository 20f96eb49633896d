// PEM texts (RFC 7468), also with the header rows of RFC 1421 that encrypted keys of old have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "siptls/result.hpp"

namespace siptls::pki {

// One block. Wipes its octets when it goes: it may be a private key.
struct PemBlock {
  PemBlock() = default;
  PemBlock(PemBlock&& other) noexcept = default;
  PemBlock& operator=(PemBlock&& other) noexcept = default;
  PemBlock(const PemBlock&) = delete;
  PemBlock& operator=(const PemBlock&) = delete;
  ~PemBlock();

  std::string label;  // "CERTIFICATE"
  std::vector<std::uint8_t> der;
  std::string_view text;   // the block within the text that was read
  std::size_t line = 0;    // where it begins, counted from 1
  bool encrypted = false;  // has the row "Proc-Type: 4,ENCRYPTED"
};

// All blocks in their order; text between them is ignored, lines may end in CRLF or LF. Errors:
// pem_empty, pem_malformed. The blocks refer to `text`.
Result<std::vector<PemBlock>> read_pem(std::string_view text);

// The same for a text that may only hold blocks with this label: pem_wrong_type, naming the one
// that was found and `advice`.
Result<std::vector<PemBlock>> read_pem_of_type(std::string_view text, std::string_view label,
                                               std::string_view advice);

}  // namespace siptls::pki
