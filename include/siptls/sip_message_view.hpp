// SipMessageView: one whole SIP message as the framer found it.
//
// A view: it owns nothing, copies cheaply, and refers to the bytes of the message and to the rows
// that the framer recorded while it looked for the end of the header, so that nothing is scanned
// twice. It is valid until the next call of the framer that produced it (in a TlsTransport: until
// the next next_event()).
//
// It is no SIP parser: it splits the header into rows and gives the few single values that a
// transport needs. What it returns refers to the message's own bytes; nothing is unfolded unless
// asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "siptls/export.hpp"

namespace siptls {

// Header fields that siptls knows by name, in long or compact form (RFC 3261 section 7.3.3).
enum class HeaderId : std::uint8_t {
  other,
  via,
  from,
  to,
  call_id,
  cseq,
  contact,
  content_type,
  content_length,
  max_forwards,
  route,
  record_route,
  supported,
  subject,
  content_encoding,
};

// One header row. `name` is as written, without blanks before the colon; `value` is as written
// between the colon and the row's last CRLF, without outer blanks; folds are still in it.
struct HeaderRow {
  HeaderId id = HeaderId::other;
  std::string_view name;
  std::string_view value;
};

// The top Via as a transport needs it (RFC 3261 section 20.42, RFC 3581, 5923, 6223).
struct ViaView {
  std::string_view transport;  // "TLS"
  std::string_view host;       // sent-by host as written; an IPv6 address keeps its brackets
  std::optional<std::uint16_t> port;
  std::optional<std::string_view> received;
  std::optional<std::string_view> branch;
  std::optional<std::string_view> rport;  // present without value: an empty view
  std::optional<std::string_view> keep;   // likewise
  bool alias = false;
};

struct CSeqView {
  std::uint32_t number = 0;
  std::string_view method;
};

namespace detail {
struct MessageRecord;  // what the framer recorded; src/sip
}

class SIPTLS_API SipMessageView {
 public:
  SipMessageView() noexcept = default;
  explicit SipMessageView(const detail::MessageRecord* record) noexcept : record_(record) {}

  // The whole message, its header (start line to empty line, included) and its body.
  std::span<const std::byte> bytes() const noexcept;
  std::string_view header() const noexcept;
  std::span<const std::byte> body() const noexcept;
  // Where the message begins, in octets from the beginning of the stream.
  std::uint64_t offset() const noexcept;

  std::string_view start_line() const noexcept;  // without its CRLF
  bool is_request() const noexcept;
  std::string_view method() const noexcept;       // empty in a response
  std::string_view request_uri() const noexcept;  // empty in a response
  std::uint16_t status() const noexcept;          // 0 in a request
  std::string_view reason_phrase() const noexcept;

  std::size_t row_count() const noexcept;
  HeaderRow row(std::size_t index) const noexcept;  // index < row_count()
  // The first row with that id, or with that name in any case (long form for names with a
  // compact one).
  std::optional<HeaderRow> find(HeaderId id) const noexcept;
  std::optional<HeaderRow> find(std::string_view name) const noexcept;

  // The topmost Via, if there is one that can be read.
  std::optional<ViaView> top_via() const noexcept;
  std::string_view call_id() const noexcept;  // empty if there is none
  std::optional<CSeqView> cseq() const noexcept;
  std::string_view content_type() const noexcept;

 private:
  const detail::MessageRecord* record_ = nullptr;
};

// `value` with each fold (CRLF and the blanks around it) as one space (RFC 3261 section 7.3.1).
SIPTLS_API std::string unfold(std::string_view value);

}  // namespace siptls
