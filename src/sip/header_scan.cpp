#include "sip/header_scan.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "sip/header_names.hpp"
#include "sip/octet_block.hpp"
#include "sip/octets.hpp"

// The functions that are compiled once for each kind of block, into one caller each.
#define SIPTLS_INLINE [[gnu::always_inline]] inline

namespace siptls::sip {
namespace {

// With fewer octets than this a block does not pay.
constexpr std::uint32_t kWorthABlock = 16;
constexpr std::uint32_t kFirstRows = 32;

}  // namespace

void HeaderScan::restart() noexcept {
  position_ = 0;
  phase_ = Phase::start_line;
  complete_ = false;
  length_row_ = kNoRow;
  second_length_row_ = kNoRow;
  row_count_ = 0;
  content_length_ = 0;
  quote_position_ = 0;
}

HeaderScan::Outcome HeaderScan::scan(const char* message, std::size_t size,
                                     const FramerLimits& limits) noexcept {
  const auto within_limit =
      static_cast<std::uint32_t>(std::min<std::size_t>(size, limits.max_header));
  const Input input{message, within_limit, limits};
  while (position_ < input.size) {
    const bool good = input.size - position_ >= kWorthABlock && can_take_lines(input)
                          ? scan_lines_.load(std::memory_order_relaxed)(*this, input)
                          : scan_octets(input);
    if (!good) return Outcome::failed;
    if (complete_) return Outcome::complete;
  }
  if (position_ < limits.max_header) return Outcome::more;
  fail(Errc::header_too_large, limits.max_header);
  return Outcome::failed;
}

// Finds the line breaks of a message, a block at a time.
template <typename Block>
class HeaderScan::BreakCursor {
 public:
  // Preconditions: position < size and size >= kBlock, so that nothing outside of the message is
  // read.
  SIPTLS_INLINE BreakCursor(const char* text, std::size_t size, std::size_t position) noexcept
      : text_(text), size_(size) {
    look_at(position);
  }

  // Goes to the next CR, LF or NUL; `size` if there is none.
  SIPTLS_INLINE std::size_t find() noexcept {
    while (breaks_ == 0) {
      if (end_ >= size_) return size_;
      look_at(end_);
    }
    return here_ + Block::lowest(breaks_);
  }

  // Goes to `position`, further on but before the end of the input.
  SIPTLS_INLINE void go_to(std::size_t position) noexcept {
    if (position >= end_) return look_at(position);
    breaks_ >>= position - here_;
    here_ = position;
  }

 private:
  // Looks at the octets from `position` on, 64 or as many as there are.
  SIPTLS_INLINE void look_at(std::size_t position) noexcept {
    const std::size_t left = size_ - position;
    breaks_ = left >= kBlock ? Block::look(text_ + position)
                             : Block::look(text_ + size_ - kBlock) >> (kBlock - left);
    here_ = position;
    end_ = position + kBlock;
  }

  const char* const text_;
  const std::size_t size_;
  std::size_t here_ = 0;  // the octet that the lowest bit of breaks_ stands for
  std::size_t end_ = 0;   // how far breaks_ goes, if the input does
  std::uint64_t breaks_ = 0;
};

// The name at the beginning of `text`, of which `left` octets are there, kNameBlock or more. Size
// 0: no name in order with a colon directly behind it.
template <typename Block>
SIPTLS_INLINE HeaderScan::FoundName HeaderScan::find_name(const char* text,
                                                          std::size_t left) noexcept {
  const typename Block::Name name(text);
  const std::size_t size = name.find(':');
  if (size - 1 >= kNameBlock - 1) [[unlikely]]
    return find_long_name(text, left);
  const detail::KnownName& known = known_name(text, size);
  if (name.is(known)) return {size, known.id};
  if (name.is_plain_token(size)) return {size, HeaderId::other};
  return find_long_name(text, left);
}

HeaderScan::FoundName HeaderScan::find_long_name(const char* text, std::size_t left) noexcept {
  std::size_t size = 0;
  while (size < left && is_token(text[size])) ++size;
  if (size == left || text[size] != ':') return {};
  return {size, header_id({text, size})};
}

// The start line of `size` octets, in a message of kNameBlock octets or more.
template <typename Block>
SIPTLS_INLINE bool HeaderScan::read_first_line(const char* text, std::size_t size) noexcept {
  const typename Block::Name name(text);
  const std::size_t method = name.find(' ');
  if (method - 1 < kNameBlock - 1 && name.is_plain_token(method) &&
      read_usual_request_line({text, size}, method, start_line_)) {
    return true;
  }
  return read_start_line({text, size}, start_line_);
}

// Takes whole lines that are in order. At anything else, and near to the end of the input, it stops
// and leaves that to scan_octets(), so that every fault is found and named in one place.
template <typename Block>
SIPTLS_INLINE bool HeaderScan::scan_lines(const Input& input) noexcept {
  const char* const text = input.text;
  const std::size_t size = input.size;
  RowRecord* const rows = rows_.get();
  RowRecord* row = rows + row_count_;  // the next one; the last is before it
  const RowRecord* const row_limit = rows + std::min(row_capacity_, input.limits.max_header_rows);
  std::size_t here = position_;
  BreakCursor<Block> cursor(text, size, here);
  const auto leave = [&](std::size_t position, Phase phase) {
    row_count_ = static_cast<std::uint32_t>(row - rows);
    position_ = static_cast<std::uint32_t>(position);
    phase_ = phase;
    return position == size || scan_octets(input);
  };
  // A CRLF with something behind it.
  const auto is_line_end = [text, size](std::size_t position) {
    return position + 2 < size && std::memcmp(text + position, "\r\n", 2) == 0;
  };

  if (phase_ == Phase::start_line) {
    here = cursor.find();
    if (here > input.limits.max_start_line) {
      return fail(Errc::start_line_too_long, input.limits.max_start_line);
    }
    if (!is_line_end(here)) return leave(here, Phase::start_line);
    if (!read_first_line<Block>(text, here)) return fail(Errc::invalid_start_line, 0);
    here += 2;
    cursor.go_to(here);
  } else if (phase_ == Phase::line && row != rows) {
    row[-1].end = static_cast<std::uint32_t>(here) - 2;
  }
  bool in_value = phase_ == Phase::value;
  for (;;) {
    if (in_value) {
      here = cursor.find();
      if (!is_line_end(here)) [[unlikely]]
        return leave(here, Phase::value);
      row[-1].end = static_cast<std::uint32_t>(here);
      here += 2;
      cursor.go_to(here);
    }
    // The first octet of a line.
    if (static_cast<unsigned char>(text[here]) <= ' ') [[unlikely]] {
      if (is_blank(text[here]) && row != rows) {
        in_value = true;
        continue;
      }
      if (size - here < 2 || std::memcmp(text + here, "\r\n", 2) != 0) {
        return leave(here, Phase::line);
      }
      row_count_ = static_cast<std::uint32_t>(row - rows);
      position_ = static_cast<std::uint32_t>(here) + 2;
      phase_ = Phase::end_cr;  // behind the start line, if the header turns out to be at fault
      return end_header(input);
    }
    if (row >= row_limit || size - here < kNameBlock) [[unlikely]]
      return leave(here, Phase::line);
    const FoundName name = find_name<Block>(text + here, size - here);
    if (name.size == 0) [[unlikely]]
      return leave(here, Phase::line);
    if (name.id == HeaderId::content_length) [[unlikely]] {
      note_content_length(static_cast<std::uint32_t>(row - rows));
    }
    row->begin = static_cast<std::uint32_t>(here);
    row->colon = static_cast<std::uint32_t>(here + name.size);
    row->id = name.id;
    ++row;
    in_value = true;
  }
}

bool HeaderScan::scan_plain(HeaderScan& scan, const Input& input) noexcept {
  return scan.scan_lines<PlainBlock>(input);
}

bool HeaderScan::scan_baseline(HeaderScan& scan, const Input& input) noexcept {
  return scan.scan_lines<BaselineBlock>(input);
}

#if defined(__x86_64__)
[[gnu::target("avx2,bmi,bmi2"), gnu::flatten]] bool HeaderScan::scan_avx2(
    HeaderScan& scan, const Input& input) noexcept {
  return scan.scan_lines<Avx2Block>(input);
}
#endif

constinit std::atomic<HeaderScan::ScanLines*> HeaderScan::scan_lines_{&HeaderScan::scan_first};

bool HeaderScan::scan_first(HeaderScan& scan, const Input& input) noexcept {
  if (!use(BlockKind::avx2)) use(BlockKind::baseline);
  return scan_lines_.load(std::memory_order_relaxed)(scan, input);
}

bool HeaderScan::use(BlockKind kind) noexcept {
  ScanLines* chosen = kind == BlockKind::plain ? &scan_plain : &scan_baseline;
  if (kind == BlockKind::avx2) {
#if defined(__x86_64__)
    if (!Avx2Block::is_available()) return false;
    chosen = &scan_avx2;
#else
    return false;
#endif
  }
  scan_lines_.store(chosen, std::memory_order_relaxed);
  return true;
}

bool HeaderScan::scan_octets(const Input& input) noexcept {
  const auto fail_at = [this](char c, Errc otherwise) {
    return fail(c == '\n'   ? Errc::bare_line_feed
                : c == '\0' ? Errc::nul_in_header
                            : otherwise,
                position_);
  };
  do {
    const char c = input.text[position_];
    switch (phase_) {
      case Phase::start_line:
        if (c == '\r') {
          phase_ = Phase::start_line_cr;
        } else if (c == '\n' || c == '\0' || position_ >= input.limits.max_start_line) {
          return fail_at(c, Errc::start_line_too_long);
        }
        break;
      case Phase::start_line_cr:
        if (c != '\n') return fail(Errc::bare_carriage_return, position_ - 1);
        --position_;
        if (!end_start_line(input)) return false;
        ++position_;
        phase_ = Phase::line;
        break;
      case Phase::line:
        if (is_blank(c)) {
          if (row_count_ == 0) return fail(Errc::unexpected_fold, position_);
          phase_ = Phase::value;
          break;
        }
        if (row_count_ > 0) rows_[row_count_ - 1].end = position_ - 2;
        if (c == '\r') {
          phase_ = Phase::end_cr;
          break;
        }
        if (row_count_ == input.limits.max_header_rows) {
          return fail(Errc::too_many_headers, position_);
        }
        row_begin_ = position_;
        phase_ = Phase::name;
        [[fallthrough]];
      case Phase::name:
        if (is_token(c)) break;
        if (position_ == row_begin_ || (c != ':' && !is_blank(c))) {
          return fail_at(c, Errc::invalid_header);
        }
        name_end_ = position_;
        phase_ = Phase::blank_after_name;
        [[fallthrough]];
      case Phase::blank_after_name:
        if (is_blank(c)) break;
        if (c != ':') return fail_at(c, Errc::invalid_header);
        if (!begin_row(input, row_begin_, position_,
                       header_id({input.text + row_begin_, name_end_ - row_begin_}))) {
          return false;
        }
        phase_ = Phase::value;
        break;
      case Phase::value:
        if (c == '\r') {
          phase_ = Phase::value_cr;
        } else if (c == '\n' || (c == '\0' && !is_quoted_nul(input.text, position_))) {
          return fail_at(c, Errc::internal);
        }
        break;
      case Phase::value_cr:
        if (c != '\n') return fail(Errc::bare_carriage_return, position_ - 1);
        phase_ = Phase::line;
        break;
      case Phase::end_cr:
        if (c != '\n') return fail(Errc::bare_carriage_return, position_ - 1);
        ++position_;
        return end_header(input);
    }
    ++position_;
  } while (
      position_ < input.size &&
      !(phase_ == Phase::value && input.size - position_ >= kWorthABlock && can_take_lines(input)));
  return true;
}

// position_ is at the CR.
bool HeaderScan::end_start_line(const Input& input) noexcept {
  if (!read_start_line({input.text, position_}, start_line_)) {
    return fail(Errc::invalid_start_line, 0);
  }
  phase_ = Phase::line;
  return true;
}

bool HeaderScan::begin_row(const Input& input, std::uint32_t begin, std::uint32_t colon,
                           HeaderId id) noexcept {
  if (row_count_ == row_capacity_ || row_count_ >= input.limits.max_header_rows) {
    if (row_count_ >= input.limits.max_header_rows) return fail(Errc::too_many_headers, begin);
    if (!grow_rows()) return fail(Errc::out_of_memory, begin);
  }
  if (id == HeaderId::content_length) note_content_length(row_count_);
  RowRecord& row = rows_[row_count_++];
  row.begin = begin;
  row.colon = colon;
  row.id = id;
  return true;
}

// Row `row` is a Content-Length. It is judged when the header is complete: then everything is there
// that an answer needs.
void HeaderScan::note_content_length(std::uint32_t row) noexcept {
  if (length_row_ == kNoRow) {
    length_row_ = row;
  } else if (second_length_row_ == kNoRow) {
    second_length_row_ = row;
  }
}

// position_ is behind the empty line.
bool HeaderScan::end_header(const Input& input) noexcept {
  complete_ = true;
  if (length_row_ == kNoRow) return fail(Errc::missing_content_length, position_ - 2);
  if (second_length_row_ != kNoRow) {
    return fail(Errc::duplicate_content_length, rows_[second_length_row_].begin);
  }
  return read_content_length(input, rows_[length_row_]);
}

bool HeaderScan::read_content_length(const Input& input, const RowRecord& row) noexcept {
  const char* const text = input.text;
  std::size_t begin = row.colon + 1;
  std::size_t end = row.end;
  while (begin < end && is_lws(text[begin])) ++begin;
  while (end > begin && is_lws(text[end - 1])) --end;
  if (begin == end) return fail(Errc::invalid_content_length, static_cast<std::uint32_t>(begin));
  std::uint64_t value = 0;
  for (std::size_t i = begin; i < end; ++i) {
    const unsigned digit = static_cast<unsigned char>(text[i]) - unsigned{'0'};
    if (digit > 9) return fail(Errc::invalid_content_length, static_cast<std::uint32_t>(i));
    // Beyond 32 bits it only matters that it is beyond them.
    value = value <= UINT32_MAX ? value * 10 + digit : value;
  }
  if (value > input.limits.max_body) {
    return fail(Errc::content_length_too_large, static_cast<std::uint32_t>(begin));
  }
  content_length_ = static_cast<std::uint32_t>(value);
  return true;
}

// A NUL may stand in a header as the second octet of a quoted-pair in a quoted string (RFC 3261
// section 25.1) and nowhere else. Rows with NUL are so rare that only they are read for quotes.
bool HeaderScan::is_quoted_nul(const char* text, std::uint32_t position) noexcept {
  const RowRecord& row = rows_[row_count_ - 1];
  if (quote_position_ <= row.colon) {
    quote_position_ = row.colon + 1;
    in_quotes_ = false;
  }
  bool escaped = false;
  while (quote_position_ < position) {
    const char c = text[quote_position_++];
    if (c == '"') {
      in_quotes_ = !in_quotes_;
    } else if (c == '\\' && in_quotes_) {
      escaped = quote_position_++ == position;
    }
  }
  return escaped;
}

bool HeaderScan::grow_rows() noexcept {
  const std::uint32_t capacity = row_capacity_ == 0 ? kFirstRows : row_capacity_ * 2;
  std::unique_ptr<RowRecord[]> larger(new (std::nothrow) RowRecord[capacity]);
  if (!larger) return false;
  std::copy_n(rows_.get(), row_count_, larger.get());
  rows_ = std::move(larger);
  row_capacity_ = capacity;
  return true;
}

}  // namespace siptls::sip
