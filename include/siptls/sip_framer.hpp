// SipFramer: splits a byte stream into SIP messages (RFC 3261 sections 7, 7.5, 18.3, 20.14).
//
// Framing is a security boundary: two elements that disagree about where a message ends can be made
// to smuggle one. So the framer is strict. CRLF ends a row and nothing else does; Content-Length is
// there exactly once and is digits; whatever is ambiguous is an Error that names the rule, and the
// stream is dead after it, because a byte stream cannot be re-synchronised.
//
// Use: `push()` lends bytes, then `next()` is called until it gives NeedMore. The bytes must stay
// valid and unchanged until that NeedMore; what is unfinished has been copied by then. A message
// that lies whole in the pushed bytes is a view into them.
// Threads: none of its own; one thread at a time.
// Time: none. A message that never ends is the business of a deadline of the caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "siptls/error.hpp"
#include "siptls/export.hpp"
#include "siptls/sip_message_view.hpp"

namespace siptls {

// Which end of the connection the reader of this stream is; it decides what a bare CRLF means
// (RFC 5626 section 4.4.1: the side that opened the connection pings, the other answers).
enum class FramerRole : std::uint8_t {
  server,  // CRLFCRLF is a ping; a single CRLF before a message is ignored (RFC 3261 section 7.5)
  client,  // CRLF is a pong
};

struct FramerLimits {
  // A start line: a Request-URI with long parameters stays well under 8 KiB.
  std::uint32_t max_start_line = 8 * 1024;
  // Start line and all rows. 64 KiB holds the longest header of RFC 4475 (longreq) many times.
  std::uint32_t max_header = 64 * 1024;
  // Rows; long Via and Record-Route lists stay under 100.
  std::uint32_t max_header_rows = 512;
  // 1 MiB: SDP, PIDF and ISUP bodies are some KiB; MESSAGE bodies can carry files.
  std::uint32_t max_body = 1024 * 1024;
  // Empty lines before a start line that are no keep-alive of this role. Two of them are a ping for
  // a server and each one is a pong for a client, so there can be one at most: 0 refuses it.
  std::uint32_t max_empty_lines = 64;
};

struct FramerOptions {
  FramerRole role = FramerRole::server;
  FramerLimits limits;
};

// The stream so far ends inside a message, or between two. `at_least` more octets are needed before
// anything can come out: exact once the header is complete, a true lower bound before (1 or more).
struct NeedMore {
  std::size_t at_least = 1;
};

// An RFC 5626 keep-alive between messages. `ping` is CRLFCRLF, `pong` is CRLF.
struct KeepAlive {
  enum class Kind : std::uint8_t { ping, pong };
  Kind kind = Kind::ping;
  std::uint64_t offset = 0;  // in octets from the beginning of the stream
  std::uint32_t length = 0;  // 4 or 2
};

namespace detail {
class MessageAssembly;
struct KeptInput;
}  // namespace detail

using FramerOutput = std::variant<NeedMore, SipMessageView, KeepAlive, Error>;

class SIPTLS_API SipFramer {
 public:
  // Memory for the rows of a message, which several framers of one thread can share, so that an
  // idle framer keeps none. A view lives until the next push() or next() of any framer on the same
  // workspace, or the end of the workspace; the end of its framer does not hurt it.
  class Workspace;
  struct WorkspaceDeleter {
    SIPTLS_API void operator()(Workspace* workspace) const noexcept;
  };
  using WorkspacePtr = std::unique_ptr<Workspace, WorkspaceDeleter>;
  static WorkspacePtr make_workspace();

  // A framer with a workspace of its own, made when it is first needed.
  explicit SipFramer(const FramerOptions& options = {});
  // A framer on a workspace that is shared and outlives it.
  SipFramer(const FramerOptions& options, Workspace& shared);
  SipFramer(SipFramer&&) noexcept;
  SipFramer& operator=(SipFramer&&) noexcept;
  ~SipFramer();

  // Lends bytes. The precondition is that next() has given NeedMore (or nothing was pushed yet);
  // otherwise the new bytes are appended behind those that are still unread, by copying.
  void push(std::span<const std::byte> bytes);

  // What comes next in the stream. Errors: every reason of Category::framing, `message_too_large`
  // never (the limits have reasons of their own), `framer_failed` after an Error, `out_of_memory`.
  [[nodiscard]] FramerOutput next();

  // Stops: what is pushed and unread is copied, so that the lent bytes may go away before next()
  // has given NeedMore. A view that is held stays valid as long as its bytes do.
  void keep_input();

  // Octets taken in that do not belong to a message or keep-alive already given out. 0 means that
  // the stream may end here: it is on a message boundary. A server's half ping (one whole CRLF) is
  // one too, since RFC 3261 section 7.5 ignores it. Never 0 after an Error.
  std::size_t unfinished() const noexcept;
  bool at_boundary() const noexcept { return unfinished() == 0; }
  // Octets given out or skipped so far.
  std::uint64_t position() const noexcept;
  bool failed() const noexcept;

  // The status that RFC 3261 suggests for the request whose framing failed: 400, 413 (body) or 513
  // (header); none if the error came before a request's start line was complete, or in a response.
  std::optional<std::uint16_t> suggested_status() const noexcept;
  // A response with that status, ready to be sent before the connection is closed: it repeats Via,
  // From, To (with a tag), Call-ID and CSeq (RFC 3261 section 8.2.6.2) and names the problem. Empty
  // if there is no such status, for an ACK, and where one of these rows had not come by then or
  // cannot be repeated without doubt.
  std::string_view refusal_response() const noexcept;

 private:
  FramerOutput begin_message();
  FramerOutput go_on();
  std::size_t take_one() noexcept;
  FramerOutput between_messages();
  FramerOutput whole_message(detail::MessageAssembly& found, std::size_t size);
  FramerOutput need_more(std::size_t at_least) noexcept;
  void drop_kept() noexcept;
  FramerOutput fail(Error error);
  FramerOutput fail(const detail::MessageAssembly& found, const char* message);
  void prepare_refusal(const detail::MessageAssembly& found, const char* message);
  bool keep(const std::byte* more, std::size_t size) noexcept;
  std::size_t unread() const noexcept { return static_cast<std::size_t>(input_end_ - input_); }
  void release() noexcept;

  Workspace* workspace_ = nullptr;
  detail::MessageAssembly* assembly_ = nullptr;  // owned; an unfinished message
  detail::KeptInput* kept_ = nullptr;            // owned; input that had to be copied
  std::string* refusal_ = nullptr;               // owned; of a stream that has failed
  const char* input_ = nullptr;                  // unread
  const char* input_end_ = nullptr;
  std::uint64_t position_ = 0;
  FramerLimits limits_;
  FramerRole role_ = FramerRole::server;
  bool owns_workspace_ = true;
  bool failed_ = false;
  bool out_of_memory_ = false;
  std::uint8_t break_octets_ = 0;  // of CRLFCRLF that were taken in and mean nothing yet
  std::uint16_t suggested_status_ = 0;
};

}  // namespace siptls
