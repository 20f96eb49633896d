#include "siptls/sip_message_view.hpp"

#include "sip/header_names.hpp"
#include "sip/message_record.hpp"
#include "sip/octets.hpp"
#include "sip/via.hpp"

namespace siptls {
namespace {

// A view of nothing behaves like a message without any part.
const detail::MessageRecord& nothing() noexcept {
  static const detail::MessageRecord record;
  return record;
}

const detail::MessageRecord& get(const detail::MessageRecord* record) noexcept {
  return record != nullptr ? *record : nothing();
}

// The value of a row: without outer blanks and folds, inner ones left in.
std::string_view value_of(const detail::MessageRecord& record, const sip::RowRecord& row) noexcept {
  return sip::trim_lws(record.part(row.colon + 1, row.end));
}

std::string_view name_of(const detail::MessageRecord& record, const sip::RowRecord& row) noexcept {
  std::string_view name = record.part(row.begin, row.colon);
  while (!name.empty() && sip::is_blank(name.back())) name.remove_suffix(1);
  return name;
}

}  // namespace

std::span<const std::byte> SipMessageView::bytes() const noexcept {
  const auto& record = get(record_);
  return std::as_bytes(std::span(record.text, static_cast<std::size_t>(record.total)));
}

std::string_view SipMessageView::header() const noexcept {
  const auto& record = get(record_);
  return record.part(0, record.scan.header_size());
}

std::span<const std::byte> SipMessageView::body() const noexcept {
  return bytes().subspan(get(record_).scan.header_size());
}

std::uint64_t SipMessageView::offset() const noexcept { return get(record_).offset; }

std::string_view SipMessageView::start_line() const noexcept {
  const auto& record = get(record_);
  return record.part(0, record.scan.start_line().size);
}

bool SipMessageView::is_request() const noexcept { return get(record_).scan.start_line().request; }

std::string_view SipMessageView::method() const noexcept {
  const auto& record = get(record_);
  return record.part(0, record.scan.start_line().method_end);
}

std::string_view SipMessageView::request_uri() const noexcept {
  const auto& record = get(record_);
  const sip::StartLine& line = record.scan.start_line();
  if (!line.request) return {};
  return record.part(line.target_begin, line.target_end);
}

std::uint16_t SipMessageView::status() const noexcept {
  return get(record_).scan.start_line().status;
}

std::string_view SipMessageView::reason_phrase() const noexcept {
  const auto& record = get(record_);
  const sip::StartLine& line = record.scan.start_line();
  if (line.request) return {};
  return record.part(line.target_begin, line.target_end);
}

std::size_t SipMessageView::row_count() const noexcept { return get(record_).scan.row_count(); }

HeaderRow SipMessageView::row(std::size_t index) const noexcept {
  const auto& record = get(record_);
  const sip::RowRecord& row = record.scan.row(index);
  return {row.id, name_of(record, row), value_of(record, row)};
}

std::optional<HeaderRow> SipMessageView::find(HeaderId id) const noexcept {
  if (id == HeaderId::other) return std::nullopt;
  const auto& scan = get(record_).scan;
  for (std::uint32_t i = 0; i < scan.row_count(); ++i) {
    if (scan.row(i).id == id) return row(i);
  }
  return std::nullopt;
}

std::optional<HeaderRow> SipMessageView::find(std::string_view name) const noexcept {
  const HeaderId id = sip::header_id(name);
  if (id != HeaderId::other) return find(id);
  const auto& record = get(record_);
  for (std::uint32_t i = 0; i < record.scan.row_count(); ++i) {
    const sip::RowRecord& row_record = record.scan.row(i);
    if (row_record.id == HeaderId::other &&
        sip::equal_ignoring_case(name_of(record, row_record), name)) {
      return row(i);
    }
  }
  return std::nullopt;
}

std::optional<ViaView> SipMessageView::top_via() const noexcept {
  const auto via = find(HeaderId::via);
  if (!via) return std::nullopt;
  return sip::read_via(via->value);
}

std::string_view SipMessageView::call_id() const noexcept {
  const auto found = find(HeaderId::call_id);
  return found ? found->value : std::string_view{};
}

// `1*DIGIT LWS Method` (RFC 3261 section 25.1); the number is below 2^31 by section 8.1.1.5, and
// what fits into 32 bits is given as it is.
std::optional<CSeqView> SipMessageView::cseq() const noexcept {
  const auto found = find(HeaderId::cseq);
  if (!found) return std::nullopt;
  const std::string_view value = found->value;
  std::uint64_t number = 0;
  std::size_t i = 0;
  for (; i < value.size() && sip::is_digit(value[i]); ++i) {
    number = number * 10 + static_cast<unsigned>(value[i] - '0');
    if (number > UINT32_MAX) return std::nullopt;
  }
  if (i == 0 || i == value.size() || !sip::is_lws(value[i])) return std::nullopt;
  const std::string_view method = sip::trim_lws(value.substr(i));
  if (!sip::is_token(method)) return std::nullopt;
  return CSeqView{static_cast<std::uint32_t>(number), method};
}

std::string_view SipMessageView::content_type() const noexcept {
  const auto found = find(HeaderId::content_type);
  return found ? found->value : std::string_view{};
}

std::string unfold(std::string_view value) {
  std::string result;
  result.reserve(value.size());
  std::size_t i = 0;
  while (i < value.size()) {
    if (value[i] != '\r' && value[i] != '\n') {
      result += value[i++];
      continue;
    }
    while (!result.empty() && sip::is_blank(result.back())) result.pop_back();
    while (i < value.size() && sip::is_lws(value[i])) ++i;
    result += ' ';
  }
  return result;
}

}  // namespace siptls
