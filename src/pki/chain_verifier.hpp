// The judgement of a chain: path first (RFC 5280 section 6), names second (RFC 5922 section 7).
//
// Both steps may run inside BoringSSL's handshake: they leave its error queue as they found it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "pki/boringssl_compat.hpp"
#include "pki/certificate.hpp"
#include "pki/trust_store_impl.hpp"
#include "siptls/result.hpp"
#include "siptls/trust_store.hpp"

namespace siptls::pki {

// A path that was judged good, whoever its leaf is.
struct JudgedPath {
  std::vector<Certificate> certificates;  // leaf first, trust anchor last
  // The verdict holds while all certificates and CRLs that it rests on are valid.
  WallTime valid_from;
  WallTime valid_until;

  std::size_t ca_depth() const noexcept { return certificates.size() - 1; }
};

// Judges everything but names: clock, path, limits, key and signature strength, key usage,
// revocation. Uses of `options`: at, clock, role, eku. `chain` is leaf first, as presented.
Result<JudgedPath> judge_path(const TrustStoreImpl& store, std::span<CRYPTO_BUFFER* const> chain,
                              const VerifyOptions& options);

// Judges the names of a judged path. Uses of `options`: identity, allowed, names.
Result<ProvenPath> judge_names(const JudgedPath& path, const VerifyOptions& options);

// Both. `chain` as SSL_get0_peer_certificates gives it; null counts as empty
// (`certificate_missing`).
Result<std::shared_ptr<const ProvenPath>> verify_chain(const TrustStoreImpl& store,
                                                       const STACK_OF(CRYPTO_BUFFER) * chain,
                                                       const VerifyOptions& options);
Result<std::shared_ptr<const ProvenPath>> verify_chain(const TrustStoreImpl& store,
                                                       std::span<CRYPTO_BUFFER* const> chain,
                                                       const VerifyOptions& options);

}  // namespace siptls::pki
