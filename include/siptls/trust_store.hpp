// TrustStore: the certificates that are trusted, and the judgement of chains against them.
//
// An immutable value with cheap copies; all functions may be called from several threads. A store
// holds at most TrustLimits::max_entries certificates (16, as the IMG 2020): a list of the few CAs
// and self-signed peers that a SIP element really trusts, not an operating system's bundle. Each
// entry is a trust anchor, root or not (RFC 5280 section 6.1.1 (d)): its own validity, key
// strength, critical extensions and, where it issues, its basicConstraints are judged, its own
// signature is not. A self-signed peer is trusted by being an entry itself.
//
// Depth: the leaf is not counted, every CA certificate above it is, the anchor included; 4 pass and
// 5 give `chain_too_deep`.
//
// Errors while loading: file_*, pem_*, certificate_malformed, crl_malformed, trust_store_full (the
// store stays as it was), trust_store_empty, foreign_tls_library, out_of_memory.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "siptls/clock.hpp"
#include "siptls/export.hpp"
#include "siptls/peer_info.hpp"
#include "siptls/result.hpp"

namespace siptls {

struct TrustLimits {
  std::size_t max_entries = 16;
  std::size_t max_ca_depth = 4;
  // Chains whose path was judged good and which are not judged again while nothing that the verdict
  // rests on has changed; 0: each is judged anew. About 8 KiB each.
  std::size_t max_remembered_chains = 256;
};

// What extendedKeyUsage a peer's certificate needs if it has that extension at all
// (RFC 5924 section 5). A CA certificate between leaf and anchor that has it is held to `either`.
enum class EkuPolicy : std::uint8_t {
  either,             // id-kp-sipDomain, any, or the web purpose of the peer's role
  sip_strict,         // id-kp-sipDomain, or any
  ignore_client_eku,  // as `either`; a client's certificate may lack clientAuth
};

// Names beyond RFC 5922. The default is its letter: no wildcard of any kind.
enum class WildcardPolicy : std::uint8_t {
  none,
  dangerous_one_label,  // "*" as the whole leftmost label of a DNS name stands for one label
};
enum class CommonNamePolicy : std::uint8_t {
  never,                             // RFC 9525 section 2
  dangerous_if_no_subject_alt_name,  // RFC 5922 section 7.1, for certificates without any SAN
};

// Rules for turning a certificate into SIP identities and comparing them.
struct IdentityPolicy {
  WildcardPolicy wildcard = WildcardPolicy::none;
  CommonNamePolicy common_name = CommonNamePolicy::never;
};

// What is asked of the OCSP response that a server may staple to its certificate (RFC 6066 section
// 8, RFC 6960). Nothing is ever fetched.
enum class OcspPolicy : std::uint8_t {
  ignore,
  if_present,  // one that comes must be valid and say "good"
  require,     // `ocsp_response_missing` without one
};

enum class PeerRole : std::uint8_t { server, client };

// How a chain is to be judged. The time has no default: who judges says by which clock.
struct VerifyOptions {
  // `at` as taken from a Clock, or `given(time)` for a time of the caller's own.
  explicit VerifyOptions(const Now& judged_at) : at(judged_at) {}
  static VerifyOptions given(WallTime time) { return VerifyOptions(Now{MonoTime{}, time}); }

  Now at;
  ClockPolicy clock = ClockPolicy::warn;
  PeerRole role = PeerRole::server;  // what the owner of the chain is
  // The domain (or IP address) that must be among the proven identities; none: any will do.
  std::optional<std::string> identity;
  // If not empty, one proven identity must be among these (`identity_not_allowed`).
  std::span<const std::string> allowed;
  EkuPolicy eku = EkuPolicy::either;
  IdentityPolicy names;
  OcspPolicy ocsp = OcspPolicy::if_present;
  // The leaf's OCSP response as DER; empty: none came.
  std::span<const std::byte> ocsp_response;
};

// One certificate of the store.
struct TrustEntry {
  CertificateSummary certificate;
  bool self_signed = false;
  bool is_ca = false;
};

// How often a store's memory of good chains spared the judgement.
struct ChainMemory {
  std::size_t chains = 0;      // remembered now
  std::uint64_t answered = 0;  // paths that were taken from memory
  std::uint64_t judged = 0;    // paths that were judged
};

class TrustStoreImpl;

class SIPTLS_API TrustStore {
 public:
  // An empty store: trusts nobody. Verification against it fails with `trust_store_empty`.
  explicit TrustStore(TrustLimits limits = {});

  // All CERTIFICATE blocks of a PEM text such as CAList.pem; text between blocks is ignored, blocks
  // of another type are `pem_wrong_type`.
  static Result<TrustStore> from_pem(std::string_view pem, TrustLimits limits = {});
  static Result<TrustStore> from_pem_file(const std::string& path, TrustLimits limits = {});
  // Every regular file of the folder whose name ends in .pem, .crt or .cer, in the order of names.
  static Result<TrustStore> from_folder(const std::string& path, TrustLimits limits = {});
  static Result<TrustStore> from_der(std::span<const std::byte> certificate,
                                     TrustLimits limits = {});

  // A store with more entries; this one does not change. A certificate that is there already takes
  // no second entry.
  Result<TrustStore> with_pem(std::string_view pem) const;
  Result<TrustStore> with_der(std::span<const std::byte> certificate) const;
  // A store that also checks revocation, of every certificate below the anchor, by these complete
  // and direct CRLs (PEM blocks as in RFC 7468 section 6). Without any, revocation is not checked.
  Result<TrustStore> with_crls(std::string_view pem) const;

  std::span<const TrustEntry> entries() const noexcept;
  // The entries that are not valid any more at `now + within`.
  std::vector<TrustEntry> expiring(WallTime now, std::chrono::seconds within) const;
  const TrustLimits& limits() const noexcept;
  // Copies of a store share one memory; a store made of another one begins with an empty one.
  ChainMemory chain_memory() const noexcept;
  // A digest of the entries, CRLs and limits: equal for stores that judge alike.
  const std::array<std::uint8_t, 32>& digest() const noexcept;

  // Judges a chain, leaf first, as DER, in the order in which a TLS peer sends it (RFC 5280
  // section 6, RFC 5922 section 7). Path first, then names. Errors: category certificate, clock,
  // `trust_store_empty`, `invalid_domain`.
  Result<ProvenPath> verify(std::span<const std::span<const std::byte>> chain,
                            const VerifyOptions& options) const;
  // The same for the CERTIFICATE blocks of a PEM text; also pem_*.
  Result<ProvenPath> verify_pem(std::string_view chain, const VerifyOptions& options) const;

 private:
  friend class TrustStoreImpl;
  explicit TrustStore(std::shared_ptr<const TrustStoreImpl> impl);
  std::shared_ptr<const TrustStoreImpl> impl_;
};

}  // namespace siptls
