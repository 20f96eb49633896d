// HeaderScan: finds the end of a message's header, checks it, and records its rows.
//
// It is resumable: it is given the message from its first octet on, as far as it is there, and goes
// on where it stopped. What it finds, and every fault with its place, depends on the octets only
// and not on how many were there at a time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "sip/octets.hpp"
#include "sip/start_line.hpp"
#include "siptls/error.hpp"
#include "siptls/sip_framer.hpp"
#include "siptls/sip_message_view.hpp"

namespace siptls::sip {

// One row of a header; places are octets from the beginning of the message.
struct RowRecord {
  std::uint32_t begin = 0;
  std::uint32_t colon = 0;
  std::uint32_t end = 0;  // where its last CRLF is
  HeaderId id = HeaderId::other;
};

class HeaderScan {
 public:
  enum class Outcome : std::uint8_t { more, complete, failed };

  // Which instructions are used, for all framers of the process: the best that the processor has
  // unless told otherwise. False: it does not have them.
  enum class BlockKind : std::uint8_t { plain, baseline, avx2 };
  static bool use(BlockKind kind) noexcept;

  // Forgets the message, keeps the memory for rows.
  void restart() noexcept;

  // Goes on over the message that begins at `message`, of which `size` octets are there: at least
  // as many as at the call before, and the same.
  Outcome scan(const char* message, std::size_t size, const FramerLimits& limits) noexcept;

  // Takes one more octet, which comes behind those that were scanned, if it is one that changes
  // nothing: of a value, a name or the start line. False: it is left to scan().
  bool take_plain(char octet, const FramerLimits& limits) noexcept {
    const bool takes = phase_ == Phase::value  ? static_cast<unsigned char>(octet) > '\r'
                       : phase_ == Phase::name ? is_token(octet)
                       : phase_ == Phase::start_line && position_ < limits.max_start_line
                           ? static_cast<unsigned char>(octet) > '\r'
                           : false;
    if (!takes || position_ + 1 >= limits.max_header) return false;
    ++position_;
    return true;
  }

  // True from the end of the header on, whether or not it is in order.
  bool is_complete() const noexcept { return complete_; }

  // After `complete`.
  std::uint64_t message_size() const noexcept { return std::uint64_t{position_} + content_length_; }
  std::uint32_t header_size() const noexcept { return position_; }
  std::uint32_t body_size() const noexcept { return content_length_; }

  // After `failed`: why, where, and what to say about it.
  Errc fault() const noexcept { return fault_; }
  std::uint32_t fault_position() const noexcept { return fault_position_; }

  bool has_start_line() const noexcept { return phase_ > Phase::start_line_cr; }
  const StartLine& start_line() const noexcept { return start_line_; }
  std::uint32_t row_count() const noexcept { return row_count_; }
  const RowRecord& row(std::size_t index) const noexcept { return rows_[index]; }
  std::size_t row_memory() const noexcept { return row_capacity_ * sizeof(RowRecord); }

 private:
  // What the next octet is. The order matters to has_start_line().
  enum class Phase : std::uint8_t {
    start_line,
    start_line_cr,  // the CR is read, its LF has to follow
    line,           // first octet of a line behind the start line
    name,
    blank_after_name,
    value,
    value_cr,
    end_cr,
  };

  static constexpr std::uint32_t kNoRow = UINT32_MAX;
  static constexpr std::uint32_t kSmallestBlockInput = 64;  // a block is looked at as a whole

  struct Input {
    const char* text;
    std::uint32_t size;  // no more than the limit of a header
    const FramerLimits& limits;
  };

  bool can_take_lines(const Input& input) const noexcept {
    return input.size >= kSmallestBlockInput &&
           (phase_ == Phase::value || phase_ == Phase::line || phase_ == Phase::start_line);
  }
  // Takes octets one by one, at least one, until whole lines can be taken.
  [[gnu::noinline]] bool scan_octets(const Input& input) noexcept;

  // Take whole lines. One of them for each kind of block; false: there is a fault.
  using ScanLines = bool(HeaderScan& scan, const Input& input) noexcept;
  static ScanLines scan_first;  // chooses one
  static ScanLines scan_plain;
  static ScanLines scan_baseline;
  static ScanLines scan_avx2;
  static std::atomic<ScanLines*> scan_lines_;
  template <typename Block>
  class BreakCursor;
  template <typename Block>
  bool scan_lines(const Input& input) noexcept;
  struct FoundName {
    std::size_t size = 0;
    HeaderId id = HeaderId::other;
  };
  template <typename Block>
  static FoundName find_name(const char* text, std::size_t left) noexcept;
  [[gnu::noinline]] static FoundName find_long_name(const char* text, std::size_t left) noexcept;
  template <typename Block>
  bool read_first_line(const char* text, std::size_t size) noexcept;

  bool end_start_line(const Input& input) noexcept;
  bool begin_row(const Input& input, std::uint32_t begin, std::uint32_t colon,
                 HeaderId id) noexcept;
  [[gnu::noinline]] void note_content_length(std::uint32_t row) noexcept;
  bool read_content_length(const Input& input, const RowRecord& row) noexcept;
  bool end_header(const Input& input) noexcept;
  bool is_quoted_nul(const char* text, std::uint32_t position) noexcept;
  bool grow_rows() noexcept;

  bool fail(Errc reason, std::uint32_t position) noexcept {
    fault_ = reason;
    fault_position_ = position;
    return false;
  }
  std::uint32_t position_ = 0;  // of the next octet to look at
  Phase phase_ = Phase::start_line;
  bool complete_ = false;
  Errc fault_ = Errc::internal;
  std::uint32_t row_begin_ = 0;
  std::uint32_t name_end_ = 0;
  std::uint32_t row_count_ = 0;
  std::uint32_t row_capacity_ = 0;
  std::uint32_t content_length_ = 0;
  std::uint32_t fault_position_ = 0;
  std::uint32_t length_row_ = kNoRow;
  std::uint32_t second_length_row_ = kNoRow;
  // How far, in which row, and in what state a row with NUL was read for quoted strings.
  std::uint32_t quote_position_ = 0;
  bool in_quotes_ = false;
  StartLine start_line_;
  std::unique_ptr<RowRecord[]> rows_;
};

}  // namespace siptls::sip
