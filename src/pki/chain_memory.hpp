// Chains whose path was judged good: a peer that comes again costs no signature check.
//
// A chain is found by everything that the verdict on its path rests on: the octets of every
// presented certificate, in their order, the peer's role and the EKU policy. The store's entries,
// CRLs and limits need no place in the key, because they never change and each store has a memory
// of its own. The octets themselves are compared, behind a hash that is only quick: that is exact
// and costs a fraction of a cryptographic digest of the chain.
//
// Positive verdicts on paths only. Clock, names, allow-list and OCSP response are judged each time;
// outside the time in which all certificates and CRLs keep their standing nothing is answered.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "pki/boringssl_compat.hpp"
#include "pki/certificate.hpp"
#include "siptls/result.hpp"
#include "siptls/trust_store.hpp"

namespace siptls::pki {

// A path that was judged good, whoever its leaf is.
struct JudgedPath {
  std::vector<Certificate> certificates;  // leaf first, trust anchor last
  // The verdict holds while all certificates and CRLs that it rests on keep their standing. Both
  // ends are included; whole seconds.
  WallTime valid_from;
  WallTime valid_until;

  std::size_t ca_depth() const noexcept { return certificates.size() - 1; }
  bool holds_at(WallTime time) const noexcept;
};

// A chain as it was presented, leaf first. A view: what it is made of must outlive it.
class PresentedChain {
 public:
  explicit PresentedChain(std::span<CRYPTO_BUFFER* const> buffers) noexcept : buffers_(buffers) {}
  explicit PresentedChain(std::span<const std::span<const std::byte>> der) noexcept : der_(der) {}
  explicit PresentedChain(const STACK_OF(CRYPTO_BUFFER) * stack) noexcept : stack_(stack) {}

  std::size_t size() const noexcept;
  std::span<const std::uint8_t> octets(std::size_t index) const noexcept;
  // Null where the chain was given as octets.
  CRYPTO_BUFFER* buffer(std::size_t index) const noexcept;
  // None if it is no certificate.
  std::optional<Certificate> parse(std::size_t index) const;

 private:
  std::span<CRYPTO_BUFFER* const> buffers_;
  std::span<const std::span<const std::byte>> der_;
  const STACK_OF(CRYPTO_BUFFER) * stack_ = nullptr;
};

// A judged path and what was proven with it so far. May be used by several threads.
class JudgedChain {
 public:
  explicit JudgedChain(JudgedPath path) noexcept : path_(std::move(path)) {}

  const JudgedPath& path() const noexcept { return path_; }

  // The index of the identity that equals the one asked for, if one was asked for.
  using NameJudge = std::function<Result<std::optional<std::size_t>>(std::span<const Identity>)>;

  // The proof for the names that `judge` accepts.
  Result<std::shared_ptr<const ProvenPath>> prove(const IdentityPolicy& policy,
                                                  const std::optional<WallTime>& ocsp_valid_until,
                                                  const NameJudge& judge) const;

 private:
  using Proofs = std::vector<std::shared_ptr<const ProvenPath>>;

  Result<std::shared_ptr<ProvenPath>> first_proof(const IdentityPolicy& policy) const;
  std::shared_ptr<const ProvenPath> shared(Proofs& proofs,
                                           std::shared_ptr<const ProvenPath> proof) const;

  const JudgedPath path_;
  mutable std::mutex mutex_;
  // By CommonNamePolicy; they differ in `matched` and `ocsp_valid_until`.
  mutable std::array<Proofs, 2> proofs_;
  mutable std::size_t next_victim_ = 0;
};

// The memory of one store. May be used by several threads.
class RememberedChains {
 public:
  explicit RememberedChains(std::size_t capacity) noexcept : capacity_(capacity) {}

  // What the verdict on a path rests on beside the store.
  struct Question {
    const PresentedChain& chain;
    PeerRole role;
    EkuPolicy eku;
    WallTime at;
  };

  // Null if the path must be judged.
  std::shared_ptr<const JudgedChain> find(const Question& question);
  // Remembers the answer if there is room for any. Gives what is remembered, which may be another
  // thread's answer.
  std::shared_ptr<const JudgedChain> keep(const Question& question, JudgedPath path);

  ChainMemory counters() const;

 private:
  struct Entry {
    std::uint64_t hash;
    PeerRole role;
    EkuPolicy eku;
    std::vector<bssl::UniquePtr<CRYPTO_BUFFER>> presented;
    std::shared_ptr<const JudgedChain> chain;

    bool answers(const Question& question) const noexcept;
  };
  using Entries = std::list<Entry>;  // most recently used first

  std::shared_ptr<const JudgedChain> look_up(const Question& question, std::uint64_t hash);
  void forget(Entries::iterator entry);
  void share_issuers(JudgedPath& path);

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  Entries entries_;
  std::unordered_multimap<std::uint64_t, Entries::iterator> by_hash_;
  std::uint64_t answered_ = 0;
  std::uint64_t judged_ = 0;
};

}  // namespace siptls::pki
