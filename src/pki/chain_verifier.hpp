// The judgement of a chain: path first (RFC 5280 section 6), names second (RFC 5922 section 7).
//
// Both steps may run inside BoringSSL's handshake: they leave its error queue as they found it.
#pragma once

#include <memory>

#include "pki/boringssl_compat.hpp"
#include "pki/chain_memory.hpp"
#include "pki/trust_store_impl.hpp"
#include "siptls/result.hpp"
#include "siptls/trust_store.hpp"

namespace siptls::pki {

// Judges a chain, leaf first, as SSL_get0_peer_certificates gives it; null counts as empty
// (`certificate_missing`). A path that the store remembers is not judged again; clock, names and
// OCSP response always are. What is proven alike about one remembered chain is one object.
Result<std::shared_ptr<const ProvenPath>> verify_chain(const TrustStoreImpl& store,
                                                       const STACK_OF(CRYPTO_BUFFER) * chain,
                                                       const VerifyOptions& options);
Result<std::shared_ptr<const ProvenPath>> verify_chain(const TrustStoreImpl& store,
                                                       const PresentedChain& chain,
                                                       const VerifyOptions& options);

}  // namespace siptls::pki
