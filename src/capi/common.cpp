// siptls/c/common.h
#include <algorithm>

#include "capi/convert.hpp"
#include "siptls/siptls_plugin.h"

using siptls::capi::finish;
using siptls::capi::guarded;
using siptls::capi::invalid;
using siptls::capi::to_c;
using siptls::capi::to_cpp;

int siptls_endpoint_parse(const char* text, uint16_t default_port, siptls_endpoint* endpoint,
                          siptls_error* error) {
  return guarded(error, [&] {
    if (text == nullptr || endpoint == nullptr) return invalid(error, "text or endpoint is NULL");
    auto parsed = siptls::Endpoint::parse(text, default_port);
    if (!parsed) return siptls::capi::fail(error, std::move(parsed).error());
    *endpoint = to_c(*parsed);
    return static_cast<int>(SIPTLS_OK);
  });
}

namespace {

int format_endpoint(const siptls_endpoint* endpoint, char* text, size_t size,
                    std::string (siptls::Endpoint::*write)() const) {
  return guarded(nullptr, [&]() -> int {
    if (endpoint == nullptr || text == nullptr) return SIPTLS_E_INVALID_ARGUMENT;
    const auto known = to_cpp(*endpoint);
    if (!known) return SIPTLS_E_INVALID_ARGUMENT;
    const std::string written = ((*known).*write)();
    if (written.size() >= size) return SIPTLS_E_INVALID_ARGUMENT;
    std::copy_n(written.c_str(), written.size() + 1, text);
    return SIPTLS_OK;
  });
}

}  // namespace

int siptls_endpoint_format(const siptls_endpoint* endpoint, char* text, size_t size) {
  return format_endpoint(endpoint, text, size, &siptls::Endpoint::to_string);
}

int siptls_endpoint_format_address(const siptls_endpoint* endpoint, char* text, size_t size) {
  return format_endpoint(endpoint, text, size, &siptls::Endpoint::address_text);
}

void siptls_system_now(siptls_now* now) {
  if (now == nullptr) return;
  *now = siptls::capi::guarded_or(siptls_now{0, 0, SIPTLS_CLOCK_BEHIND_FLOOR, 0},
                                  [] { return to_c(siptls::Clock::system()->now()); });
}

int siptls_check_clock(const siptls_now* now, uint32_t clock_policy, siptls_error* error) {
  return guarded(error, [&] {
    const auto policy = siptls::capi::to_enum(clock_policy, siptls::ClockPolicy::require);
    if (now == nullptr || !policy) return invalid(error, "now is NULL, or there is no such policy");
    return finish(siptls::check_clock(to_cpp(*now), *policy), error);
  });
}

const char* siptls_version(void) { return siptls::version().data(); }

unsigned siptls_api_version(void) { return SIPTLS_API_VERSION; }

int siptls_get_build_info(siptls_build_info* info, siptls_error* error) {
  return guarded(error, [&] {
    static const siptls::BuildInfo build = siptls::build_info();
    siptls_build_info out{};
    out.version = build.version.data();
    out.boringssl_file = build.boringssl_file.c_str();
    out.boringssl_api = build.boringssl_api;
    out.boringssl_linkage = static_cast<std::uint32_t>(build.boringssl_linkage);
    out.release_epoch = build.release_epoch;
    if (!siptls::capi::write_struct(info, out)) return invalid(error, "info has no size");
    return finish(siptls::check_tls_library(), error);
  });
}
