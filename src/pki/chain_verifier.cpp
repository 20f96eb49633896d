#include "pki/chain_verifier.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pki/guarded.hpp"
#include "pki/identity.hpp"
#include "pki/path_builder.hpp"
#include "pki/path_checks.hpp"
#include "pki/revocation.hpp"
#include "pki/verify_result.hpp"

namespace siptls::pki {
namespace {

// What a peer may present at most, beside the certificates that max_ca_depth allows.
constexpr std::size_t kSpareCertificates = 5;
constexpr std::size_t kMaxChainOctets = 64 * 1024;

Result<void> check_size(const TrustStoreImpl& store, std::span<CRYPTO_BUFFER* const> chain) {
  if (chain.empty()) {
    return Unexpected(Errc::certificate_missing, "no certificate was presented");
  }
  const std::size_t limit = 1 + store.limits().max_ca_depth + kSpareCertificates;
  if (chain.size() > limit) {
    return Unexpected(Errc::chain_too_deep,
                      fmt::format("{} certificates were presented; with max_ca_depth {} no more "
                                  "than {} are looked at",
                                  chain.size(), store.limits().max_ca_depth, limit));
  }
  std::size_t octets = 0;
  for (const CRYPTO_BUFFER* const buffer : chain) octets += CRYPTO_BUFFER_len(buffer);
  if (octets > kMaxChainOctets) {
    return Unexpected(Errc::certificate_invalid,
                      fmt::format("the presented chain has {} octets; at most {} are looked at",
                                  octets, kMaxChainOctets));
  }
  return {};
}

Result<std::vector<Certificate>> parse_all(std::span<CRYPTO_BUFFER* const> chain) {
  std::vector<Certificate> out;
  for (CRYPTO_BUFFER* const buffer : chain) {
    auto certificate = Certificate::parse(buffer);
    if (!certificate) {
      const auto index = static_cast<std::uint32_t>(out.size());
      return Unexpected(Error(Errc::certificate_unreadable,
                              fmt::format("certificate {} ({} octets) is no DER certificate", index,
                                          CRYPTO_BUFFER_len(buffer)))
                            .with_certificate(index));
    }
    out.push_back(std::move(*certificate));
  }
  return out;
}

bool push(STACK_OF(X509) * stack, const Certificate& certificate) {
  if (!sk_X509_push(stack, certificate.x509())) return false;
  X509_up_ref(certificate.x509());
  return true;
}

// The time to tell BoringSSL, which takes a certificate for expired in the last second of its
// validity. Validity has been judged already.
std::time_t time_for_boringssl(const CandidatePath& path, const Now& at) {
  auto now = std::chrono::floor<std::chrono::seconds>(at.wall);
  for (const auto& certificate : path.certificates) {
    if (now == certificate.not_after()) {
      now -= std::chrono::seconds(1);
      break;
    }
  }
  return std::chrono::system_clock::to_time_t(now);
}

// Signatures, names and everything else of RFC 5280 section 6, on exactly this path.
Result<void> verify_with_boringssl(const CandidatePath& path, const Now& at) {
  const bssl::UniquePtr<X509_STORE> no_store(X509_STORE_new());
  const bssl::UniquePtr<STACK_OF(X509)> anchors(sk_X509_new_null());
  const bssl::UniquePtr<STACK_OF(X509)> between(sk_X509_new_null());
  const bssl::UniquePtr<X509_STORE_CTX> context(X509_STORE_CTX_new());
  bool ready = no_store && anchors && between && context && push(anchors.get(), path.anchor());
  for (std::size_t i = 1; ready && i + 1 < path.size(); ++i) {
    ready = push(between.get(), path.certificates[i]);
  }
  if (!ready ||
      !X509_STORE_CTX_init(context.get(), no_store.get(), path.leaf().x509(), between.get())) {
    return Unexpected(Errc::out_of_memory);
  }
  set_trusted_stack(context.get(), anchors.get());
  X509_VERIFY_PARAM* const parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_flags(parameters, kVerifyFlags);
  X509_VERIFY_PARAM_set_depth(parameters, static_cast<int>(path.size()) + 1);
  X509_VERIFY_PARAM_set_time(parameters, time_for_boringssl(path, at));
  if (X509_verify_cert(context.get()) == 1) return {};
  return verify_failure(path, X509_STORE_CTX_get_error(context.get()),
                        X509_STORE_CTX_get_error_depth(context.get()));
}

Result<WallTime> judge_candidate(const TrustStoreImpl& store, const CandidatePath& path,
                                 const VerifyOptions& options) {
  auto verdict = check_depth(path, store.limits());
  if (verdict) verdict = check_certificates(path, options.at);
  if (verdict) verdict = check_usage(path, options.role, options.eku);
  // A leaf that is an entry itself has no path to be validated (RFC 5280 section 6.1).
  if (verdict && path.size() > 1) verdict = verify_with_boringssl(path, options.at);
  if (verdict) verdict = check_sip_names(path);
  if (!verdict) return Unexpected(std::move(verdict).error());
  if (!store.checks_revocation()) return WallTime::max();
  return check_revocation(path, store.revocation_lists(), options.at);
}

Result<std::optional<Reference>> reference_of(const VerifyOptions& options) {
  if (!options.identity) return std::optional<Reference>();
  auto reference = Reference::parse(*options.identity);
  if (!reference) return Unexpected(std::move(reference).error());
  return std::optional(std::move(*reference));
}

Result<JudgedPath> judge(const TrustStoreImpl& store, std::span<CRYPTO_BUFFER* const> chain,
                         const VerifyOptions& options) {
  if (store.anchors().empty()) {
    return Unexpected(Errc::trust_store_empty, "the trust store has no entry, so it trusts nobody");
  }
  if (auto clock = check_clock(options.at, options.clock); !clock) {
    return Unexpected(std::move(clock).error());
  }
  if (auto size = check_size(store, chain); !size) return Unexpected(std::move(size).error());
  auto presented = parse_all(chain);
  if (!presented) return Unexpected(std::move(presented).error());

  JudgedPath out;
  out.valid_until = WallTime::max();
  auto path = find_path(store, *presented, [&](const CandidatePath& candidate) -> Result<void> {
    auto until = judge_candidate(store, candidate, options);
    if (!until) return Unexpected(std::move(until).error());
    out.valid_until = *until;
    return {};
  });
  if (!path) return Unexpected(std::move(path).error());
  out.certificates = std::move(path->certificates);
  out.valid_from = out.certificates[0].not_before();
  for (const auto& certificate : out.certificates) {
    out.valid_from = std::max(out.valid_from, certificate.not_before());
    out.valid_until = std::min(out.valid_until, certificate.not_after());
  }
  return out;
}

std::string refused_text(const std::vector<std::string>& refused) {
  std::string out;
  for (const auto& name : refused) out += (out.empty() ? "; refused: " : ", ") + name;
  return out;
}

// Index of the identity that the reference equals.
std::optional<std::size_t> match(std::span<const Identity> identities, const Reference& reference,
                                 WildcardPolicy wildcard) {
  for (std::size_t i = 0; i < identities.size(); ++i) {
    if (reference.matches(identities[i], wildcard)) return i;
  }
  return std::nullopt;
}

Result<void> check_allowed(std::span<const Identity> identities, const VerifyOptions& options) {
  if (options.allowed.empty()) return {};
  for (const auto& name : options.allowed) {
    const auto allowed = Reference::parse(name);
    if (allowed && match(identities, *allowed, options.names.wildcard)) return {};
  }
  return Unexpected(Error(Errc::identity_not_allowed,
                          fmt::format("proven: {}; none of these is among the {} allowed names",
                                      list_identities(identities), options.allowed.size()))
                        .with_certificate(0));
}

Result<ProvenPath> judge_identities(const JudgedPath& path, const VerifyOptions& options) {
  auto reference = reference_of(options);
  if (!reference) return Unexpected(std::move(reference).error());
  std::vector<std::string> refused;
  auto identities = identities_of(path.certificates[0], options.names, &refused);
  if (!identities) return Unexpected(std::move(identities).error().with_certificate(0));
  if (identities->empty()) {
    return Unexpected(Error(Errc::no_sip_identity,
                            fmt::format("certificate 0 \"{}\" names no domain that RFC 5922 "
                                        "section 7.1 accepts{}",
                                        path.certificates[0].subject(), refused_text(refused)))
                          .with_certificate(0));
  }
  ProvenPath out;
  if (*reference) {
    out.matched = match(*identities, **reference, options.names.wildcard);
    if (!out.matched) {
      return Unexpected(Error(Errc::identity_mismatch,
                              fmt::format("expected {}; presented {}{}", (*reference)->name(),
                                          list_identities(*identities), refused_text(refused)))
                            .with_certificate(0));
    }
  }
  if (auto allowed = check_allowed(*identities, options); !allowed) {
    return Unexpected(std::move(allowed).error());
  }
  out.identities = std::move(*identities);
  for (const auto& certificate : path.certificates) {
    out.certificates.push_back(certificate.summary());
  }
  out.ca_depth = path.ca_depth();
  return out;
}

}  // namespace

Result<JudgedPath> judge_path(const TrustStoreImpl& store, std::span<CRYPTO_BUFFER* const> chain,
                              const VerifyOptions& options) {
  const ErrorQueueScope errors;
  return guarded([&] { return judge(store, chain, options); });
}

Result<ProvenPath> judge_names(const JudgedPath& path, const VerifyOptions& options) {
  const ErrorQueueScope errors;
  return guarded([&] { return judge_identities(path, options); });
}

Result<std::shared_ptr<const ProvenPath>> verify_chain(const TrustStoreImpl& store,
                                                       std::span<CRYPTO_BUFFER* const> chain,
                                                       const VerifyOptions& options) {
  using Proven = std::shared_ptr<const ProvenPath>;
  return guarded([&]() -> Result<Proven> {
    // A reference that is no name is the caller's mistake, whatever the peer presented.
    if (auto reference = reference_of(options); !reference) {
      return Unexpected(std::move(reference).error());
    }
    auto path = judge_path(store, chain, options);
    if (!path) return Unexpected(std::move(path).error());
    auto proven = judge_names(*path, options);
    if (!proven) return Unexpected(std::move(proven).error());
    return Proven(std::make_shared<ProvenPath>(std::move(*proven)));
  });
}

Result<std::shared_ptr<const ProvenPath>> verify_chain(const TrustStoreImpl& store,
                                                       const STACK_OF(CRYPTO_BUFFER) * chain,
                                                       const VerifyOptions& options) {
  using Proven = std::shared_ptr<const ProvenPath>;
  return guarded([&]() -> Result<Proven> {
    std::vector<CRYPTO_BUFFER*> buffers;
    const std::size_t count = chain != nullptr ? sk_CRYPTO_BUFFER_num(chain) : 0;
    for (std::size_t i = 0; i < count; ++i) buffers.push_back(sk_CRYPTO_BUFFER_value(chain, i));
    return verify_chain(store, buffers, options);
  });
}

}  // namespace siptls::pki
