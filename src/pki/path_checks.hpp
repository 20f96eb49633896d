// What is asked of a path beside what BoringSSL's X509_verify_cert asks, or with better evidence.
#pragma once

#include <cstddef>

#include "pki/path_builder.hpp"
#include "siptls/result.hpp"
#include "siptls/trust_store.hpp"

namespace siptls::pki {

// Depth: every certificate above the leaf counts, the anchor included.
Result<void> check_depth(const CandidatePath& path, const TrustLimits& limits);

// Validity, critical extensions, key strength, signature strength (below the anchor), and for
// issuers, the anchor included: cA, keyCertSign and pathLenConstraint (RFC 5280 section 6.1.4 (k)
// to (n)).
Result<void> check_certificates(const CandidatePath& path, const Now& at);

// keyUsage and extendedKeyUsage (RFC 5280 sections 4.2.1.3 and 4.2.1.12, RFC 5924 section 5).
Result<void> check_usage(const CandidatePath& path, PeerRole role, EkuPolicy policy);

// What the comparison of names with name constraints may cost, over all paths that one chain gives:
// every name of a certificate is compared with every constraint of every CA above it, so a chain of
// few octets could ask for millions of comparisons, before any of its signatures is checked.
class NameBudget {
 public:
  static constexpr std::size_t kComparisons = std::size_t{1} << 16;

  // Pays for one path. Error: certificate_invalid if what is left does not suffice.
  Result<void> spend(const CandidatePath& path);
  std::size_t spent() const noexcept { return spent_; }

 private:
  std::size_t spent_ = 0;
};

// RFC 5280 code does not apply dNSName constraints to the host of a sip URI, so a CA that is
// limited to one domain could name any other in a URI.
Result<void> check_sip_names(const CandidatePath& path);

}  // namespace siptls::pki
