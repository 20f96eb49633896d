// From the C interface's types to the C++ one's and back, and how each of its functions ends.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <limits>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "capi/abi.hpp"
#include "capi/handles.hpp"
#include "capi/reasons.hpp"

namespace siptls::capi {

inline int fail(siptls_error* error, Error why) noexcept {
  const int number = number_of(why.reason());
  if (error != nullptr) error->error.emplace(std::move(why));
  return number;
}

// A short text needs no memory of its own, so this cannot fail for want of it.
inline int fail(siptls_error* error, Errc reason) noexcept { return fail(error, Error(reason)); }

inline int invalid(siptls_error* error, const char* what) {
  return fail(error, Error(Errc::invalid_argument, what));
}

// Every function of the interface that can fail runs in this: the containers of the standard
// library throw when memory is out, and C must never see that.
template <typename F>
int guarded(siptls_error* error, F&& body) noexcept {
  if (error != nullptr) error->error.reset();
  try {
    return std::forward<F>(body)();
  } catch (const std::bad_alloc&) {
    return fail(error, Errc::out_of_memory);
  } catch (const std::exception&) {
    return fail(error, Errc::internal);
  }
}

// The same for what only tells something.
template <typename T, typename F>
T guarded_or(T otherwise, F&& body) noexcept {
  try {
    return std::forward<F>(body)();
  } catch (const std::exception&) {
    return otherwise;
  }
}

// Ends a function whose result goes to the host through `out`: as it is, or in a new handle.
template <typename T, typename Out, typename Make>
int finish(Result<T> result, Out** out, siptls_error* error, Make&& make) {
  if (!result) return fail(error, std::move(result).error());
  *out = make(std::move(*result));
  return SIPTLS_OK;
}

inline int finish(Result<void> result, siptls_error* error) {
  if (!result) return fail(error, std::move(result).error());
  return SIPTLS_OK;
}

inline std::string_view text_of(const char* data, std::size_t size) noexcept {
  return data == nullptr ? std::string_view() : std::string_view(data, size);
}
inline std::span<const std::byte> octets_of(const void* data, std::size_t size) noexcept {
  if (data == nullptr) return {};
  return {static_cast<const std::byte*>(data), size};
}
inline siptls_text to_c(std::string_view text) noexcept { return {text.data(), text.size()}; }
inline siptls_octets to_c(std::span<const std::byte> octets) noexcept {
  return {octets.data(), octets.size()};
}

std::optional<Endpoint> to_cpp(const siptls_endpoint& endpoint) noexcept;
siptls_endpoint to_c(const Endpoint& endpoint) noexcept;

Now to_cpp(const siptls_now& now) noexcept;
siptls_now to_c(const Now& now) noexcept;
inline MonoTime mono_time(std::int64_t nanoseconds) noexcept {
  return MonoTime(std::chrono::nanoseconds(nanoseconds));
}
inline std::int64_t seconds_of(WallTime time) noexcept {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}
// Milliseconds; more than a century stands for a century, so that the sum with a time is one.
inline std::chrono::milliseconds milliseconds_of(std::uint64_t count) noexcept {
  constexpr std::chrono::milliseconds kMost = std::chrono::hours(24 * 365 * 100);
  return count > static_cast<std::uint64_t>(kMost.count())
             ? kMost
             : std::chrono::milliseconds(static_cast<std::int64_t>(count));
}

siptls_certificate to_c(const CertificateSummary& certificate) noexcept;
siptls_identity to_c(const Identity& identity) noexcept;

FramerLimits to_cpp(const siptls_framer_limits& limits) noexcept;
siptls_framer_limits default_framer_limits() noexcept;

// 0 is the default in C, as everywhere there.
std::optional<OcspPolicy> ocsp_policy(std::uint32_t number) noexcept;
std::uint32_t ocsp_number(OcspPolicy policy) noexcept;

// Who is let in: NULL is everybody. A list that is there and empty is a mistake, such as a file
// that came out empty, and must not let everybody in. Returns why it cannot be, or null.
const char* read_allowed(const char* const* list, std::size_t count,
                         std::vector<std::string>& into);

// A list of C strings. False if one of them is NULL.
[[nodiscard]] bool to_cpp(const char* const* list, std::size_t count,
                          std::vector<std::string>& into);

}  // namespace siptls::capi
