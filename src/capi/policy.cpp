// siptls/c/policy.h
#include "capi/policy.hpp"

#include "capi/convert.hpp"
#include "siptls/cipher_suites.hpp"

namespace siptls::capi {
namespace {

// A list of codes: the host's, or the preset's if it has none. One that is not there and yet has a
// length is no list.
bool take(const std::uint16_t* codes, std::size_t count, std::vector<std::uint16_t>& into) {
  if (codes == nullptr) return count == 0;
  into.assign(codes, codes + count);
  return true;
}

template <typename E>
bool take(std::uint32_t number, E last, E& into) noexcept {
  const auto found = to_enum(number, last);
  if (found) into = *found;
  return found.has_value();
}

bool take(std::uint32_t number, ProtocolVersion& into) noexcept {
  into = static_cast<ProtocolVersion>(number);
  return into == ProtocolVersion::tls1_2 || into == ProtocolVersion::tls1_3;
}

bool take(std::uint32_t number, OcspPolicy& into) noexcept {
  const auto found = ocsp_policy(number);
  if (found) into = *found;
  return found.has_value();
}

siptls_policy show_policy(const TlsPolicy& policy, std::uint32_t preset) noexcept {
  siptls_policy out{};
  out.size = sizeof out;
  out.preset = preset;
  out.min_version = static_cast<std::uint32_t>(policy.min_version);
  out.max_version = static_cast<std::uint32_t>(policy.max_version);
  out.client_certificate = static_cast<std::uint32_t>(policy.client_certificate);
  out.eku = static_cast<std::uint32_t>(policy.eku);
  out.wildcard = static_cast<std::uint32_t>(policy.names.wildcard);
  out.common_name = static_cast<std::uint32_t>(policy.names.common_name);
  out.clock_policy = static_cast<std::uint32_t>(policy.clock);
  out.ocsp = ocsp_number(policy.ocsp);
  out.authorise = static_cast<std::uint32_t>(policy.authorise);
  out.unknown_server_name = static_cast<std::uint32_t>(policy.unknown_server_name);
  out.resumption = static_cast<std::uint32_t>(policy.resumption);
  out.extended_master_secret = static_cast<std::uint32_t>(policy.extended_master_secret);
  out.alpn = static_cast<std::uint32_t>(policy.alpn);
  return out;
}

int show(const CipherSuite* suite, siptls_cipher_suite* out) noexcept {
  if (suite == nullptr) return 0;
  siptls_cipher_suite shown{};
  // The catalogue is static, and its texts are literals.
  shown.name = suite->name.data();
  shown.openssl_name = suite->openssl_name.empty() ? "" : suite->openssl_name.data();
  shown.key_exchange = suite->key_exchange.empty() ? "" : suite->key_exchange.data();
  shown.authentication = suite->authentication.empty() ? "" : suite->authentication.data();
  shown.cipher = suite->cipher.empty() ? "" : suite->cipher.data();
  shown.reason = suite->reason.empty() ? "" : suite->reason.data();
  shown.code = suite->code;
  shown.status = static_cast<std::uint32_t>(suite->status);
  shown.strength_bits = suite->strength_bits;
  shown.in_img2020_list = suite->in_img2020_list ? 1 : 0;
  return write_struct(out, shown) ? 1 : 0;
}

}  // namespace

std::optional<TlsPolicy> preset_policy(std::uint32_t preset) {
  switch (preset) {
    case SIPTLS_PRESET_MODERN:
      return TlsPolicy::modern();
    case SIPTLS_PRESET_INTEROP:
      return TlsPolicy::interop();
    case SIPTLS_PRESET_IMG2020:
      return TlsPolicy::img2020();
    case SIPTLS_PRESET_IMG2020_128:
      return TlsPolicy::img2020(SuiteStrength::only_128);
    case SIPTLS_PRESET_IMG2020_AT_LEAST_128:
      return TlsPolicy::img2020(SuiteStrength::at_least_128);
    default:
      return std::nullopt;
  }
}

std::optional<TlsPolicy> to_cpp(const siptls_policy& policy) {
  auto out = preset_policy(policy.preset);
  if (!out) return std::nullopt;
  const bool known =
      take(policy.min_version, out->min_version) && take(policy.max_version, out->max_version) &&
      take(policy.client_certificate, ClientCertificate::none, out->client_certificate) &&
      take(policy.eku, EkuPolicy::ignore_client_eku, out->eku) &&
      take(policy.wildcard, WildcardPolicy::dangerous_one_label, out->names.wildcard) &&
      take(policy.common_name, CommonNamePolicy::dangerous_if_no_subject_alt_name,
           out->names.common_name) &&
      take(policy.clock_policy, ClockPolicy::require, out->clock) && take(policy.ocsp, out->ocsp) &&
      take(policy.authorise, PeerAuthorisation::host, out->authorise) &&
      take(policy.unknown_server_name, UnknownServerName::use_first, out->unknown_server_name) &&
      take(policy.resumption, Resumption::tickets, out->resumption) &&
      take(policy.extended_master_secret, ExtendedMasterSecret::dangerous_optional,
           out->extended_master_secret) &&
      take(policy.alpn, Alpn::require, out->alpn);
  if (!known || !take(policy.cipher_suites, policy.cipher_suite_count, out->cipher_suites) ||
      !take(policy.groups, policy.group_count, out->groups) ||
      !take(policy.signature_schemes, policy.signature_scheme_count, out->signature_schemes)) {
    return std::nullopt;
  }
  return out;
}

std::optional<TlsPolicy> read_policy(const siptls_policy* given) {
  // The preset decides what stands in for fields that the host's struct does not have.
  siptls_policy policy{};
  if (!read_struct(given, policy)) return std::nullopt;
  const auto preset = preset_policy(policy.preset);
  if (!preset) return std::nullopt;
  policy = show_policy(*preset, policy.preset);
  if (!read_struct(given, policy)) return std::nullopt;
  return to_cpp(policy);
}

}  // namespace siptls::capi

using siptls::capi::guarded;

int siptls_policy_init(siptls_policy* policy, size_t size, uint32_t preset) {
  return guarded(nullptr, [&]() -> int {
    const auto found = siptls::capi::preset_policy(preset);
    if (!found ||
        !siptls::capi::init_struct(policy, size, siptls::capi::show_policy(*found, preset))) {
      return SIPTLS_E_INVALID_ARGUMENT;
    }
    return SIPTLS_OK;
  });
}

const char* siptls_protocol_version_name(uint32_t version) {
  if (version != SIPTLS_TLS1_2 && version != SIPTLS_TLS1_3) return "";
  return siptls::to_string(static_cast<siptls::ProtocolVersion>(version)).data();
}

size_t siptls_cipher_suite_count(void) { return siptls::cipher_suites().size(); }

int siptls_cipher_suite_at(size_t index, siptls_cipher_suite* suite) {
  const auto all = siptls::cipher_suites();
  return siptls::capi::show(index < all.size() ? &all[index] : nullptr, suite);
}

int siptls_cipher_suite_by_code(uint16_t code, siptls_cipher_suite* suite) {
  return siptls::capi::show(siptls::find_cipher_suite(code), suite);
}

int siptls_cipher_suite_by_name(const char* name, siptls_cipher_suite* suite) {
  if (name == nullptr) return 0;
  return siptls::capi::show(siptls::find_cipher_suite(std::string_view(name)), suite);
}

int siptls_group_name(uint16_t code, char* name, size_t size) {
  return guarded(nullptr, [&]() -> int {
    const std::string text = siptls::group_name(code);
    if (name == nullptr || text.size() >= size) return SIPTLS_E_INVALID_ARGUMENT;
    std::copy_n(text.c_str(), text.size() + 1, name);
    return SIPTLS_OK;
  });
}
