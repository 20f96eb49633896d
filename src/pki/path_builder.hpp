// Orders of certificates that lead from a leaf to a trust anchor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pki/certificate.hpp"
#include "pki/trust_store_impl.hpp"
#include "siptls/result.hpp"

namespace siptls::pki {

// Leaf first, trust anchor last; one certificate where the leaf is an entry itself.
struct CandidatePath {
  std::vector<Certificate> certificates;
  // Where each of them stood in the presented chain; none for an anchor that was not presented.
  std::vector<std::optional<std::uint32_t>> positions;

  std::size_t size() const noexcept { return certificates.size(); }
  const Certificate& leaf() const noexcept { return certificates.front(); }
  const Certificate& anchor() const noexcept { return certificates.back(); }

  // certificate 1 "CN=...", or: trust anchor "CN=..."
  std::string describe(std::size_t index) const;
  // An error about one of them, which begins with its description.
  Unexpected fail(std::size_t index, Errc reason, const std::string& evidence) const;
};

using PathJudge = std::function<Result<void>(const CandidatePath&)>;

// The first path that `judge` accepts, entries before presented issuers, so the shortest ones
// first. If it accepts none: its error about the first path, or `unknown_ca` where there is no
// path. The work is bounded whatever a peer presents.
Result<CandidatePath> find_path(const TrustStoreImpl& store, std::span<const Certificate> presented,
                                const PathJudge& judge);

}  // namespace siptls::pki
