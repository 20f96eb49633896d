// siptls/c/error.h
#include <array>
#include <new>

#include "capi/convert.hpp"

namespace {

using siptls::Alert;
using siptls::Category;
using siptls::capi::guarded_or;
using siptls::capi::kReasons;
using siptls::capi::number_of;

// The names come from the C++ interface, whose texts are literals with a NUL at their end.
const char* literal(std::string_view text) noexcept { return text.data(); }

}  // namespace

siptls_error* siptls_error_new(void) { return new (std::nothrow) siptls_error; }

siptls_error* siptls_error_copy(const siptls_error* error) {
  if (error == nullptr) return nullptr;
  return guarded_or(static_cast<siptls_error*>(nullptr), [error] {
    return new siptls_error{error->error, {}};
  });
}

void siptls_error_free(siptls_error* error) { delete error; }

int siptls_error_reason(const siptls_error* error) {
  return error != nullptr && error->error ? number_of(error->error->reason()) : SIPTLS_OK;
}

int siptls_error_alert(const siptls_error* error) {
  if (error == nullptr || !error->error || !error->error->alert()) return -1;
  return static_cast<int>(*error->error->alert());
}

int64_t siptls_error_certificate(const siptls_error* error) {
  if (error == nullptr || !error->error || !error->error->certificate()) return -1;
  return *error->error->certificate();
}

int64_t siptls_error_offset(const siptls_error* error) {
  if (error == nullptr || !error->error || !error->error->offset()) return -1;
  return static_cast<int64_t>(*error->error->offset());
}

const char* siptls_error_evidence(const siptls_error* error) {
  return error != nullptr && error->error ? error->error->evidence().c_str() : "";
}

const char* siptls_error_message(const siptls_error* error) {
  if (error == nullptr || !error->error) return "ok";
  // Making the text changes nothing that a caller can see.
  auto* const own = const_cast<siptls_error*>(error);
  return guarded_or(literal(to_string(error->error->reason())), [own] {
    own->message = own->error->message();
    return own->message.c_str();
  });
}

const char* siptls_reason_name(int reason) {
  if (reason == SIPTLS_OK) return "ok";
  for (const auto& row : kReasons) {
    if (row.number == reason) return literal(to_string(row.reason));
  }
  return "unknown";
}

int siptls_category_of(int reason) {
  const int category = reason / 100;
  if (reason < 0 || category > SIPTLS_CATEGORY_INTERNAL) return SIPTLS_CATEGORY_NONE;
  return category;
}

const char* siptls_category_name(int category) {
  if (category == SIPTLS_CATEGORY_NONE) return "none";
  if (category < 0 || category > SIPTLS_CATEGORY_INTERNAL) return "unknown";
  return literal(to_string(static_cast<Category>(category - 1)));
}

const char* siptls_alert_name(int alert) {
  if (alert < 0 || alert > 255) return "alert";
  return literal(to_string(static_cast<Alert>(alert)));
}
