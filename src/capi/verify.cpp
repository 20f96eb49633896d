// siptls/c/trust_store.h: paths, and how they are judged.
#include <limits>
#include <memory>
#include <new>

#include "capi/convert.hpp"

namespace {

using siptls::ProvenPath;
using siptls::Result;
using siptls::capi::fail;
using siptls::capi::guarded;
using siptls::capi::invalid;
using siptls::capi::octets_of;
using siptls::capi::read_struct;
using siptls::capi::text_of;
using siptls::capi::to_c;
using siptls::capi::to_cpp;
using siptls::capi::to_enum;
using siptls::capi::write_struct;

siptls_verify_options default_options(const siptls_now* at) noexcept {
  siptls_verify_options options{};
  options.size = sizeof options;
  // Without a time nothing can be judged.
  options.at = at != nullptr ? *at : siptls_now{0, 0, SIPTLS_CLOCK_BEHIND_FLOOR, 0};
  return options;
}

// The C++ options, and the strings that they refer to.
struct Judgement {
  siptls::VerifyOptions options{siptls::Now{}};
  std::vector<std::string> allowed;
};

bool read_judgement(const siptls_verify_options& given, Judgement& into) {
  const auto clock = to_enum(given.clock_policy, siptls::ClockPolicy::require);
  const auto role = to_enum(given.role, siptls::PeerRole::client);
  const auto eku = to_enum(given.eku, siptls::EkuPolicy::ignore_client_eku);
  const auto wildcard = to_enum(given.wildcard, siptls::WildcardPolicy::dangerous_one_label);
  const auto common_name =
      to_enum(given.common_name, siptls::CommonNamePolicy::dangerous_if_no_subject_alt_name);
  const auto ocsp = siptls::capi::ocsp_policy(given.ocsp);
  if (!clock || !role || !eku || !wildcard || !common_name || !ocsp) return false;
  if (siptls::capi::read_allowed(given.allowed, given.allowed_count, into.allowed) != nullptr) {
    return false;
  }
  auto& options = into.options;
  options.at = to_cpp(given.at);
  options.clock = *clock;
  options.role = *role;
  options.eku = *eku;
  options.names = {*wildcard, *common_name};
  options.ocsp = *ocsp;
  if (given.identity != nullptr) options.identity = given.identity;
  options.allowed = into.allowed;
  options.ocsp_response = octets_of(given.ocsp_response, given.ocsp_response_size);
  return true;
}

template <typename F>
int judge(const siptls_trust_store* store, const void* chain, const siptls_verify_options* given,
          siptls_path** path, siptls_error* error, F&& verify) {
  return guarded(error, [&]() -> int {
    if (store == nullptr || chain == nullptr || given == nullptr) {
      return invalid(error, "store, chain or options is NULL");
    }
    auto options = default_options(nullptr);
    Judgement judgement;
    if (!read_struct(given, options) || !read_judgement(options, judgement)) {
      return invalid(
          error, "options: a size, a number that is no choice, or an empty list of who is allowed");
    }
    Result<ProvenPath> proven = verify(judgement.options);
    if (!proven) return fail(error, std::move(proven).error());
    if (path != nullptr) {
      *path = new siptls_path{std::make_shared<const ProvenPath>(std::move(*proven))};
    }
    return SIPTLS_OK;
  });
}

}  // namespace

void siptls_verify_options_init(siptls_verify_options* options, size_t size, const siptls_now* at) {
  siptls::capi::init_struct(options, size, default_options(at));
}

int siptls_trust_store_verify(const siptls_trust_store* store, const siptls_octets* chain,
                              size_t chain_count, const siptls_verify_options* options,
                              siptls_path** path, siptls_error* error) {
  return judge(store, chain, options, path, error, [&](const siptls::VerifyOptions& how) {
    std::vector<std::span<const std::byte>> certificates;
    certificates.reserve(chain_count);
    for (const auto& der : std::span(chain, chain_count)) {
      certificates.push_back(octets_of(der.data, der.size));
    }
    return store->store.verify(certificates, how);
  });
}

int siptls_trust_store_verify_pem(const siptls_trust_store* store, const char* pem, size_t pem_size,
                                  const siptls_verify_options* options, siptls_path** path,
                                  siptls_error* error) {
  return judge(store, pem, options, path, error, [&](const siptls::VerifyOptions& how) {
    return store->store.verify_pem(text_of(pem, pem_size), how);
  });
}

size_t siptls_path_identity_count(const siptls_path* path) {
  return path == nullptr ? 0 : path->path->identities.size();
}

int siptls_path_identity(const siptls_path* path, size_t index, siptls_identity* identity) {
  if (index >= siptls_path_identity_count(path)) return 0;
  return write_struct(identity, to_c(path->path->identities[index])) ? 1 : 0;
}

int64_t siptls_path_matched(const siptls_path* path) {
  if (path == nullptr || !path->path->matched) return -1;
  return static_cast<int64_t>(*path->path->matched);
}

int siptls_path_covers(const siptls_path* path, const char* domain) {
  if (path == nullptr || domain == nullptr) return 0;
  return siptls::covers(path->path->identities, domain) ? 1 : 0;
}

size_t siptls_path_certificate_count(const siptls_path* path) {
  return path == nullptr ? 0 : path->path->certificates.size();
}

int siptls_path_certificate(const siptls_path* path, size_t index,
                            siptls_certificate* certificate) {
  if (index >= siptls_path_certificate_count(path)) return 0;
  return write_struct(certificate, to_c(path->path->certificates[index])) ? 1 : 0;
}

size_t siptls_path_ca_depth(const siptls_path* path) {
  return path == nullptr ? 0 : path->path->ca_depth;
}

int64_t siptls_path_ocsp_valid_until(const siptls_path* path) {
  if (path == nullptr || !path->path->ocsp_valid_until) return std::numeric_limits<int64_t>::min();
  return siptls::capi::seconds_of(*path->path->ocsp_valid_until);
}

siptls_path* siptls_path_copy(const siptls_path* path) {
  return path == nullptr ? nullptr : new (std::nothrow) siptls_path{path->path};
}

void siptls_path_free(siptls_path* path) { delete path; }
