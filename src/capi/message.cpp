// siptls/c/message.h
#include "capi/convert.hpp"

namespace {

using siptls::HeaderId;
using siptls::HeaderRow;
using siptls::capi::text_of;
using siptls::capi::to_c;
using siptls::capi::write_struct;

constexpr siptls_text kNoText{nullptr, 0};

int show(const std::optional<HeaderRow>& row, siptls_header* out) noexcept {
  if (!row) return 0;
  siptls_header shown{};
  shown.name = to_c(row->name);
  shown.value = to_c(row->value);
  shown.id = static_cast<std::uint32_t>(row->id);
  return write_struct(out, shown) ? 1 : 0;
}

// A parameter that is there without a value is empty and not NULL.
siptls_text parameter(const std::optional<std::string_view>& value) noexcept {
  if (!value) return kNoText;
  return value->data() == nullptr ? siptls_text{"", 0} : to_c(*value);
}

}  // namespace

siptls_octets siptls_message_bytes(const siptls_message* message) {
  return message == nullptr ? siptls_octets{nullptr, 0} : to_c(message->view.bytes());
}

siptls_text siptls_message_header(const siptls_message* message) {
  return message == nullptr ? kNoText : to_c(message->view.header());
}

siptls_octets siptls_message_body(const siptls_message* message) {
  return message == nullptr ? siptls_octets{nullptr, 0} : to_c(message->view.body());
}

uint64_t siptls_message_offset(const siptls_message* message) {
  return message == nullptr ? 0 : message->view.offset();
}

siptls_text siptls_message_start_line(const siptls_message* message) {
  return message == nullptr ? kNoText : to_c(message->view.start_line());
}

int siptls_message_is_request(const siptls_message* message) {
  return message != nullptr && message->view.is_request() ? 1 : 0;
}

siptls_text siptls_message_method(const siptls_message* message) {
  return message == nullptr ? kNoText : to_c(message->view.method());
}

siptls_text siptls_message_request_uri(const siptls_message* message) {
  return message == nullptr ? kNoText : to_c(message->view.request_uri());
}

unsigned siptls_message_status(const siptls_message* message) {
  return message == nullptr ? 0 : message->view.status();
}

siptls_text siptls_message_reason_phrase(const siptls_message* message) {
  return message == nullptr ? kNoText : to_c(message->view.reason_phrase());
}

size_t siptls_message_row_count(const siptls_message* message) {
  return message == nullptr ? 0 : message->view.row_count();
}

int siptls_message_row(const siptls_message* message, size_t index, siptls_header* row) {
  if (index >= siptls_message_row_count(message)) return 0;
  return show(message->view.row(index), row);
}

int siptls_message_find(const siptls_message* message, uint32_t header_id, siptls_header* row) {
  const auto id = siptls::capi::to_enum(header_id, HeaderId::content_encoding);
  if (message == nullptr || !id) return 0;
  return show(message->view.find(*id), row);
}

int siptls_message_find_name(const siptls_message* message, const char* name, siptls_header* row) {
  if (message == nullptr || name == nullptr) return 0;
  return show(message->view.find(std::string_view(name)), row);
}

int siptls_message_top_via(const siptls_message* message, siptls_via* via) {
  if (message == nullptr) return 0;
  const auto found = message->view.top_via();
  if (!found) return 0;
  siptls_via shown{};
  shown.transport = to_c(found->transport);
  shown.host = to_c(found->host);
  shown.received = parameter(found->received);
  shown.branch = parameter(found->branch);
  shown.rport = parameter(found->rport);
  shown.keep = parameter(found->keep);
  shown.port = found->port.value_or(0);
  shown.alias = found->alias ? 1 : 0;
  return write_struct(via, shown) ? 1 : 0;
}

int siptls_message_cseq(const siptls_message* message, uint32_t* number, siptls_text* method) {
  if (message == nullptr) return 0;
  const auto found = message->view.cseq();
  if (!found) return 0;
  if (number != nullptr) *number = found->number;
  if (method != nullptr) *method = to_c(found->method);
  return 1;
}

siptls_text siptls_message_call_id(const siptls_message* message) {
  return message == nullptr ? kNoText : to_c(message->view.call_id());
}

siptls_text siptls_message_content_type(const siptls_message* message) {
  return message == nullptr ? kNoText : to_c(message->view.content_type());
}

unsigned siptls_judge_sips(const siptls_message* request, uint32_t sips_mode,
                           siptls_text* reason_phrase, siptls_text* warning) {
  if (reason_phrase != nullptr) *reason_phrase = kNoText;
  if (warning != nullptr) *warning = kNoText;
  const auto mode = siptls::capi::to_enum(sips_mode, siptls::SipsMode::required);
  if (request == nullptr || !mode) {
    // A mistake of the host's must not let a request pass.
    if (reason_phrase != nullptr) *reason_phrase = to_c("Server Internal Error");
    return 500;
  }
  const auto refusal = siptls::judge_sips(request->view, *mode);
  if (!refusal) return 0;
  if (reason_phrase != nullptr) *reason_phrase = to_c(refusal->reason_phrase);
  if (warning != nullptr) *warning = to_c(refusal->warning);
  return refusal->status;
}

int siptls_requires_tls(const siptls_message* request) {
  return request == nullptr || siptls::requires_tls(request->view) ? 1 : 0;
}

int siptls_is_sips(const char* uri, size_t size) {
  return siptls::is_sips(text_of(uri, size)) ? 1 : 0;
}

siptls_text siptls_uri_host(const char* uri, size_t size) {
  const auto host = siptls::uri_host(text_of(uri, size));
  return host ? to_c(*host) : kNoText;
}
