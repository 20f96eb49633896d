#include "capi/convert.hpp"

namespace siptls::capi {

std::optional<Endpoint> to_cpp(const siptls_endpoint& endpoint) noexcept {
  if (endpoint.reserved != 0) return std::nullopt;
  if (endpoint.family == 4) {
    std::array<std::uint8_t, 4> address{};
    std::copy_n(endpoint.address, address.size(), address.begin());
    return Endpoint::ipv4(address, endpoint.port);
  }
  if (endpoint.family == 6) {
    std::array<std::uint8_t, 16> address{};
    std::copy_n(endpoint.address, address.size(), address.begin());
    return Endpoint::ipv6(address, endpoint.port, endpoint.scope);
  }
  return std::nullopt;
}

siptls_endpoint to_c(const Endpoint& endpoint) noexcept {
  siptls_endpoint out{};
  std::copy_n(endpoint.address_data(), endpoint.address_size(), out.address);
  out.scope = endpoint.scope();
  out.port = endpoint.port();
  out.family = static_cast<std::uint8_t>(endpoint.family());
  return out;
}

Now to_cpp(const siptls_now& now) noexcept {
  // A standing that nobody knows is no reason to trust a clock.
  const auto standing = now.reserved == 0 ? to_enum(now.standing, ClockStanding::behind_floor)
                                          : std::optional<ClockStanding>();
  return {
      mono_time(now.mono),
      WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(now.wall))),
      standing.value_or(ClockStanding::behind_floor)};
}

siptls_now to_c(const Now& now) noexcept {
  using std::chrono::duration_cast;
  using std::chrono::nanoseconds;
  return {duration_cast<nanoseconds>(now.mono.time_since_epoch()).count(),
          duration_cast<nanoseconds>(now.wall.time_since_epoch()).count(),
          static_cast<std::uint32_t>(now.standing), 0};
}

siptls_certificate to_c(const CertificateSummary& certificate) noexcept {
  siptls_certificate out{};
  out.subject = certificate.subject.c_str();
  out.issuer = certificate.issuer.c_str();
  out.serial = certificate.serial.c_str();
  out.key = certificate.key.c_str();
  out.sha256 = certificate.sha256.data();
  out.not_before = seconds_of(certificate.not_before);
  out.not_after = seconds_of(certificate.not_after);
  return out;
}

siptls_identity to_c(const Identity& identity) noexcept {
  siptls_identity out{};
  out.name = identity.name.c_str();
  out.source = static_cast<std::uint32_t>(identity.source);
  return out;
}

FramerLimits to_cpp(const siptls_framer_limits& limits) noexcept {
  FramerLimits out;
  out.max_start_line = limits.max_start_line;
  out.max_header = limits.max_header;
  out.max_header_rows = limits.max_header_rows;
  out.max_body = limits.max_body;
  out.max_empty_lines = limits.max_empty_lines;
  return out;
}

siptls_framer_limits default_framer_limits() noexcept {
  const FramerLimits limits;
  return {sizeof(siptls_framer_limits),
          limits.max_start_line,
          limits.max_header,
          limits.max_header_rows,
          limits.max_body,
          limits.max_empty_lines,
          0};
}

std::optional<OcspPolicy> ocsp_policy(std::uint32_t number) noexcept {
  switch (number) {
    case SIPTLS_OCSP_IF_PRESENT:
      return OcspPolicy::if_present;
    case SIPTLS_OCSP_REQUIRE:
      return OcspPolicy::require;
    case SIPTLS_OCSP_IGNORE:
      return OcspPolicy::ignore;
    default:
      return std::nullopt;
  }
}

std::uint32_t ocsp_number(OcspPolicy policy) noexcept {
  if (policy == OcspPolicy::if_present) return SIPTLS_OCSP_IF_PRESENT;
  return policy == OcspPolicy::require ? SIPTLS_OCSP_REQUIRE : SIPTLS_OCSP_IGNORE;
}

const char* read_allowed(const char* const* list, std::size_t count,
                         std::vector<std::string>& into) {
  if (list != nullptr && count == 0) return "a list of who is allowed that is empty; NULL is all";
  return to_cpp(list, count, into) ? nullptr : "one of those allowed is NULL";
}

bool to_cpp(const char* const* list, std::size_t count, std::vector<std::string>& into) {
  if (list == nullptr) return count == 0;
  into.reserve(count);
  for (const char* text : std::span(list, count)) {
    if (text == nullptr) return false;
    into.emplace_back(text);
  }
  return true;
}

}  // namespace siptls::capi
