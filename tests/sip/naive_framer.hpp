// A second framer, written for clarity alone, that the real one is compared with. It sees the whole
// stream at once and applies each rule of RFC 3261 to the whole text by itself; of all faults that
// the rules find, the one that a reader from the left meets first counts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "siptls/sip_framer.hpp"

namespace siptls_test {

struct NaiveRow {
  std::string name;
  std::string value;
  bool operator==(const NaiveRow&) const = default;
};

// One thing that comes out of a stream: a message, a keep-alive or an error. Or, last, `more`: how
// the stream stands at its end.
struct Framed {
  enum class Kind { message, ping, pong, error, more } kind = Kind::more;
  std::size_t offset = 0;
  std::size_t length = 0;         // message, keep-alive: octets; more: octets still needed
  std::size_t header_length = 0;  // message
  siptls::Errc reason = siptls::Errc::internal;
  std::vector<NaiveRow> rows;
  bool operator==(const Framed&) const = default;
};

class NaiveFramer {
 public:
  NaiveFramer(std::string_view stream, const siptls::FramerOptions& options)
      : stream_(stream), options_(options) {}

  std::vector<Framed> run() {
    while (keep_alives() && message()) {
    }
    return std::move(out_);
  }

 private:
  using Errc = siptls::Errc;
  using Kind = Framed::Kind;
  static constexpr std::size_t kNone = std::string_view::npos;

  struct Fault {
    std::size_t seen_at;  // the octet that shows it
    int rank;             // which comes first if one octet shows two
    Errc reason;
    std::size_t offset;
  };

  // False: the stream ends here, or is dead.
  bool keep_alives() {
    for (;;) {
      const std::string_view rest = stream_.substr(at_);
      const bool server = options_.role == siptls::FramerRole::server;
      if (server && rest.starts_with("\r\n\r\n")) {
        add(Kind::ping, 4);
      } else if (!server && rest.starts_with("\r\n")) {
        add(Kind::pong, 2);
      } else if (rest.empty() || rest == "\r" || rest == "\r\n" || rest == "\r\n\r") {
        return more(1);
      } else if (rest.starts_with("\r\n")) {  // an empty line before a start line
        if (rest[2] == '\r') return error(Errc::bare_carriage_return, at_ + 2);
        if (options_.limits.max_empty_lines == 0) return error(Errc::too_many_empty_lines, at_);
        at_ += 2;
      } else if (rest[0] == '\r') {
        return error(Errc::bare_carriage_return, at_);
      } else if (rest[0] == '\n') {
        return error(Errc::bare_line_feed, at_);
      } else {
        return true;
      }
    }
  }

  bool message() {
    text_ = stream_.substr(at_);
    const auto& limits = options_.limits;
    const bool cut = text_.size() >= limits.max_header;
    text_ = text_.substr(0, limits.max_header);
    const std::size_t empty_line = text_.find("\r\n\r\n");
    const bool complete = empty_line != kNone;
    if (complete) text_ = text_.substr(0, empty_line + 4);
    faults_.clear();
    rows_.clear();
    check_line_breaks();
    check_start_line();
    check_lines();
    if (!complete && cut) {
      faults_.push_back({limits.max_header, 0, Errc::header_too_large, limits.max_header});
    }
    if (!faults_.empty()) {
      const Fault first = *std::min_element(faults_.begin(), faults_.end(), earlier);
      return error(first.reason, at_ + first.offset);
    }
    if (!complete) return more(1);
    return body(text_.size());
  }

  static bool earlier(const Fault& a, const Fault& b) {
    return a.seen_at != b.seen_at ? a.seen_at < b.seen_at : a.rank < b.rank;
  }

  // CR and LF only together; NUL only as quoted-pair in a quoted string.
  void check_line_breaks() {
    for (std::size_t i = 0; i < text_.size(); ++i) {
      if (text_[i] == '\n' && (i == 0 || text_[i - 1] != '\r')) {
        faults_.push_back({i, 1, Errc::bare_line_feed, i});
      }
      if (text_[i] == '\r' && i + 1 < text_.size() && text_[i + 1] != '\n') {
        faults_.push_back({i + 1, 0, Errc::bare_carriage_return, i});
      }
      if (text_[i] == '\0' && !quoted_pair_at(i)) {
        faults_.push_back({i, 1, Errc::nul_in_header, i});
      }
    }
  }

  bool quoted_pair_at(std::size_t position) const {
    // From the colon of the row that the octet is in.
    std::size_t row = position;
    while (row > 0 &&
           !(row >= 2 && text_[row - 1] == '\n' && text_[row] != ' ' && text_[row] != '\t')) {
      --row;
    }
    const std::size_t colon = text_.find(':', row);
    if (row == 0 || colon == kNone || colon > position) return false;
    bool quoted = false;
    for (std::size_t i = colon + 1; i < position; ++i) {
      if (quoted && text_[i] == '\\') {
        if (++i == position) return true;
      } else if (text_[i] == '"') {
        quoted = !quoted;
      }
    }
    return false;
  }

  void check_start_line() {
    const std::size_t end = text_.find_first_of(std::string_view("\r\n\0", 3));
    const std::size_t limit = options_.limits.max_start_line;
    if (std::min(end, text_.size()) > limit) {
      faults_.push_back({limit, 2, Errc::start_line_too_long, limit});
    }
    if (end == kNone || !text_.substr(end).starts_with("\r\n")) return;
    if (!is_start_line(text_.substr(0, end))) {
      faults_.push_back({end + 1, 0, Errc::invalid_start_line, 0});
    }
  }

  static bool token(std::string_view text) {
    return !text.empty() && text.find_first_not_of(
                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789-.!%*_+`'~") == kNone;
  }
  static bool digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == kNone;
  }
  static std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
  }
  static bool version(std::string_view text) {
    const std::size_t dot = text.find('.');
    return lower(text.substr(0, 4)) == "sip/" && dot != kNone && dot > 4 &&
           digits(text.substr(4, dot - 4)) && digits(text.substr(dot + 1));
  }
  static std::string_view trim(std::string_view text, std::string_view blanks) {
    const std::size_t begin = text.find_first_not_of(blanks);
    if (begin == kNone) return {};
    return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
  }

  static bool is_start_line(std::string_view line) {
    const std::size_t space = line.find(' ');
    if (space == kNone) return false;
    const std::string_view first = line.substr(0, space);
    const std::string_view rest = line.substr(space + 1);
    if (version(first)) {  // code and reason phrase
      const std::size_t second = rest.find(' ');
      return second != kNone && digits(rest.substr(0, second));
    }
    const std::string_view uri_and_version = trim(rest, " ");
    const std::size_t last = uri_and_version.rfind(' ');
    return token(first) && last != kNone && !trim(uri_and_version.substr(0, last), " ").empty() &&
           version(uri_and_version.substr(last + 1));
  }

  // Everything behind the start line.
  void check_lines() {
    std::size_t begin = text_.find("\r\n");
    while (begin != kNone && begin + 2 < text_.size()) {
      begin += 2;
      std::size_t end = text_.find("\r\n", begin);
      if (text_[begin] == '\r') return;
      const std::string_view line = text_.substr(begin, end == kNone ? kNone : end - begin);
      if (line[0] == ' ' || line[0] == '\t') {
        if (rows_.empty()) {
          faults_.push_back({begin, 0, Errc::unexpected_fold, begin});
        } else {
          rows_.back().value += "\r\n" + std::string(line);
        }
      } else {
        check_row(line, begin);
      }
      begin = end;
    }
  }

  void check_row(std::string_view line, std::size_t begin) {
    if (rows_.size() == options_.limits.max_header_rows) {
      faults_.push_back({begin, 0, Errc::too_many_headers, begin});
    }
    std::size_t i = 0;
    while (i < line.size() && token(line.substr(i, 1))) ++i;
    const std::size_t name_end = i;
    while (i > 0 && i < line.size() && (line[i] == ' ' || line[i] == '\t')) ++i;
    if (i == line.size()) {
      // The CR of the line's end stands where a colon should; or the text ends here.
      if (begin + i < text_.size()) {
        faults_.push_back({begin + i, 2, Errc::invalid_header, begin + i});
      }
    } else if (line[i] != ':' || i == 0) {
      faults_.push_back({begin + i, 2, Errc::invalid_header, begin + i});
    }
    rows_.push_back({std::string(line.substr(0, name_end)),
                     std::string(line.substr(std::min(i + 1, line.size())))});
  }

  bool body(std::size_t header) {
    const auto is_length = [](const NaiveRow& row) {
      return lower(row.name) == "content-length" || lower(row.name) == "l";
    };
    std::vector<NaiveRow> rows = rows_;
    for (NaiveRow& row : rows) row.value = trim(row.value, " \t\r\n");
    const auto count = std::count_if(rows.begin(), rows.end(), is_length);
    if (count == 0) return error(Errc::missing_content_length, kNone);
    if (count > 1) return error(Errc::duplicate_content_length, kNone);
    const std::string value = std::find_if(rows.begin(), rows.end(), is_length)->value;
    if (!digits(value)) return error(Errc::invalid_content_length, kNone);
    // No number of more than 10 digits, leading zeros aside, fits into 32 bits.
    const std::string significant =
        value.substr(std::min(value.find_first_not_of('0'), value.size()));
    if (significant.size() > 10 || std::stoull("0" + significant) > options_.limits.max_body) {
      return error(Errc::content_length_too_large, kNone);
    }
    const std::size_t length = std::stoull("0" + significant);
    const std::size_t total = header + length;
    if (stream_.size() - at_ < total) return more(total - (stream_.size() - at_));
    Framed found;
    found.kind = Kind::message;
    found.offset = at_;
    found.length = total;
    found.header_length = header;
    found.rows = rows;
    out_.push_back(found);
    at_ += total;
    return true;
  }

  void add(Kind kind, std::size_t length) {
    Framed found;
    found.kind = kind;
    found.offset = at_;
    found.length = length;
    out_.push_back(found);
    at_ += length;
  }
  // `offset` is left out (kNone) where it is a matter of taste.
  bool error(Errc reason, std::size_t offset) {
    Framed found;
    found.kind = Kind::error;
    found.offset = offset;
    found.reason = reason;
    out_.push_back(found);
    return false;
  }
  bool more(std::size_t length) {
    Framed found;
    found.offset = at_;
    found.length = length;
    out_.push_back(found);
    return false;
  }

  std::string_view stream_;
  const siptls::FramerOptions& options_;
  std::size_t at_ = 0;
  std::string_view text_;  // of the message: its header, or what there is of it
  std::vector<Fault> faults_;
  std::vector<NaiveRow> rows_;
  std::vector<Framed> out_;
};

}  // namespace siptls_test
