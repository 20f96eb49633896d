#include "pki/chain_memory.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "pki/identity.hpp"

namespace siptls::pki {
namespace {

// Longer chains are judged each time, so that a few peers cannot make a memory of megabytes.
constexpr std::size_t kMaxRememberedOctets = 16 * 1024;
// Chains of late in which the issuers of a new one are looked for.
constexpr std::size_t kMaxNeighbours = 16;
// Proofs of one chain that differ in the name asked for; one where the leaf has very many names.
constexpr std::size_t kMaxProofs = 8;
constexpr std::size_t kManyIdentities = 32;

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) noexcept {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15U;
  return hash ^ hash >> 32;
}

// The ends of certificates are their signatures, which differ even where little else does.
std::uint64_t hash_of(const RememberedChains::Question& question) noexcept {
  std::uint64_t hash =
      mixed(static_cast<std::uint64_t>(question.role), static_cast<std::uint64_t>(question.eku));
  for (std::size_t i = 0; i < question.chain.size(); ++i) {
    const auto octets = question.chain.octets(i);
    hash = mixed(hash, octets.size());
    std::array<std::uint64_t, 2> end{};
    const std::size_t taken = std::min(octets.size(), sizeof end);
    if (taken > 0) std::memcpy(end.data(), octets.data() + (octets.size() - taken), taken);
    hash = mixed(mixed(hash, end[0]), end[1]);
  }
  return hash;
}

std::size_t octets_in(const PresentedChain& chain) noexcept {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < chain.size(); ++i) sum += chain.octets(i).size();
  return sum;
}

// The octets of a presented certificate to keep: those of the path's where they are the same.
bssl::UniquePtr<CRYPTO_BUFFER> hold(const PresentedChain& chain, std::size_t index,
                                    const JudgedPath& path) {
  CRYPTO_BUFFER* buffer = chain.buffer(index);
  const auto octets = chain.octets(index);
  if (buffer == nullptr) {
    for (const auto& certificate : path.certificates) {
      if (equal_octets(certificate.der(), octets)) buffer = certificate.buffer();
    }
  }
  if (buffer == nullptr) {
    return bssl::UniquePtr<CRYPTO_BUFFER>(CRYPTO_BUFFER_new(octets.data(), octets.size(), nullptr));
  }
  CRYPTO_BUFFER_up_ref(buffer);
  return bssl::UniquePtr<CRYPTO_BUFFER>(buffer);
}

// Is there a certificate that the path does not need? Whoever has one good chain could fill the
// memory with variations of it.
bool has_strangers(const PresentedChain& chain, const JudgedPath& path) {
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const auto octets = chain.octets(i);
    const bool needed = std::any_of(
        path.certificates.begin(), path.certificates.end(),
        [&](const Certificate& certificate) { return equal_octets(certificate.der(), octets); });
    if (!needed) return true;
  }
  return false;
}

}  // namespace

bool JudgedPath::holds_at(WallTime time) const noexcept {
  const auto now = std::chrono::floor<std::chrono::seconds>(time);
  return now >= valid_from && now <= valid_until;
}

CRYPTO_BUFFER* PresentedChain::buffer(std::size_t index) const noexcept {
  if (stack_ != nullptr) return sk_CRYPTO_BUFFER_value(stack_, index);
  return index < buffers_.size() ? buffers_[index] : nullptr;
}

std::size_t PresentedChain::size() const noexcept {
  if (stack_ != nullptr) return sk_CRYPTO_BUFFER_num(stack_);
  return std::max(buffers_.size(), der_.size());
}

std::span<const std::uint8_t> PresentedChain::octets(std::size_t index) const noexcept {
  if (const CRYPTO_BUFFER* const held = buffer(index)) {
    return {CRYPTO_BUFFER_data(held), CRYPTO_BUFFER_len(held)};
  }
  const auto der = der_[index];
  return {reinterpret_cast<const std::uint8_t*>(der.data()), der.size()};
}

std::optional<Certificate> PresentedChain::parse(std::size_t index) const {
  if (CRYPTO_BUFFER* const held = buffer(index)) return Certificate::parse(held);
  return Certificate::parse(octets(index));
}

Result<std::shared_ptr<ProvenPath>> JudgedChain::first_proof(const IdentityPolicy& policy) const {
  auto proof = std::make_shared<ProvenPath>();
  auto identities = identities_of(path_.certificates[0], policy);
  if (!identities) return Unexpected(std::move(identities).error().with_certificate(0));
  proof->identities = std::move(*identities);
  proof->certificates.reserve(path_.certificates.size());
  for (const auto& certificate : path_.certificates) {
    proof->certificates.push_back(certificate.summary());
  }
  proof->ca_depth = path_.ca_depth();
  return proof;
}

// `proof`, or one like it that is there already.
std::shared_ptr<const ProvenPath> JudgedChain::shared(
    Proofs& proofs, std::shared_ptr<const ProvenPath> proof) const {
  for (const auto& known : proofs) {
    if (known->matched == proof->matched && known->ocsp_valid_until == proof->ocsp_valid_until) {
      return known;
    }
  }
  const std::size_t room = proof->identities.size() > kManyIdentities ? 1 : kMaxProofs;
  if (proofs.size() < room) {
    proofs.push_back(proof);
  } else {
    proofs[next_victim_++ % room] = proof;
  }
  return proof;
}

Result<std::shared_ptr<const ProvenPath>> JudgedChain::prove(
    const IdentityPolicy& policy, const std::optional<WallTime>& ocsp_valid_until,
    const NameJudge& judge) const {
  Proofs& proofs = proofs_[policy.common_name == CommonNamePolicy::never ? 0 : 1];
  std::shared_ptr<const ProvenPath> known;
  {
    const std::lock_guard lock(mutex_);
    if (!proofs.empty()) known = proofs.front();
  }
  std::shared_ptr<ProvenPath> made;
  if (!known) {
    auto first = first_proof(policy);
    if (!first) return Unexpected(std::move(first).error());
    made = *std::move(first);
  }
  auto matched = judge(known ? known->identities : made->identities);
  if (matched && known) {
    {
      const std::lock_guard lock(mutex_);
      for (const auto& proof : proofs) {
        if (proof->matched == *matched && proof->ocsp_valid_until == ocsp_valid_until) return proof;
      }
    }
    made = std::make_shared<ProvenPath>(*known);
  }
  if (made && matched) {
    made->matched = *matched;
    made->ocsp_valid_until = ocsp_valid_until;
  }
  if (made) {
    const std::lock_guard lock(mutex_);
    known = shared(proofs, std::move(made));
  }
  if (!matched) return Unexpected(std::move(matched).error());
  return known;
}

bool RememberedChains::Entry::answers(const Question& question) const noexcept {
  if (role != question.role || eku != question.eku || presented.size() != question.chain.size()) {
    return false;
  }
  for (std::size_t i = 0; i < presented.size(); ++i) {
    const CRYPTO_BUFFER* const held = presented[i].get();
    if (!equal_octets({CRYPTO_BUFFER_data(held), CRYPTO_BUFFER_len(held)},
                      question.chain.octets(i))) {
      return false;
    }
  }
  return true;
}

void RememberedChains::forget(Entries::iterator entry) {
  const auto [begin, end] = by_hash_.equal_range(entry->hash);
  for (auto at = begin; at != end; ++at) {
    if (at->second != entry) continue;
    by_hash_.erase(at);
    break;
  }
  entries_.erase(entry);
}

// With the mutex held. What does not hold any more is forgotten.
std::shared_ptr<const JudgedChain> RememberedChains::look_up(const Question& question,
                                                             std::uint64_t hash) {
  const auto [begin, end] = by_hash_.equal_range(hash);
  for (auto at = begin; at != end; ++at) {
    const auto entry = at->second;
    if (!entry->answers(question)) continue;
    if (!entry->chain->path().holds_at(question.at)) {
      by_hash_.erase(at);
      entries_.erase(entry);
      return nullptr;
    }
    entries_.splice(entries_.begin(), entries_, entry);
    return entry->chain;
  }
  return nullptr;
}

std::shared_ptr<const JudgedChain> RememberedChains::find(const Question& question) {
  const std::uint64_t hash = capacity_ > 0 ? hash_of(question) : 0;
  const std::lock_guard lock(mutex_);
  auto known = capacity_ > 0 ? look_up(question, hash) : nullptr;
  ++(known ? answered_ : judged_);
  return known;
}

// Peers of one CA have their intermediates in common: one of each is kept.
void RememberedChains::share_issuers(JudgedPath& path) {
  const std::lock_guard lock(mutex_);
  std::size_t looked_at = 0;
  for (const Entry& entry : entries_) {
    if (++looked_at > kMaxNeighbours) return;
    const auto& known = entry.chain->path().certificates;
    for (std::size_t i = 1; i < path.certificates.size(); ++i) {
      const auto same = std::find(known.begin(), known.end(), path.certificates[i]);
      if (same != known.end()) path.certificates[i] = *same;
    }
  }
}

std::shared_ptr<const JudgedChain> RememberedChains::keep(const Question& question,
                                                          JudgedPath path) {
  if (capacity_ > 0) share_issuers(path);
  auto chain = std::make_shared<const JudgedChain>(std::move(path));
  if (capacity_ == 0 || octets_in(question.chain) > kMaxRememberedOctets ||
      has_strangers(question.chain, chain->path())) {
    return chain;
  }
  Entries made(1);
  Entry& entry = made.front();
  entry.hash = hash_of(question);
  entry.role = question.role;
  entry.eku = question.eku;
  entry.chain = chain;
  entry.presented.reserve(question.chain.size());
  for (std::size_t i = 0; i < question.chain.size(); ++i) {
    entry.presented.push_back(hold(question.chain, i, chain->path()));
    if (!entry.presented.back()) return chain;
  }
  const std::lock_guard lock(mutex_);
  if (auto known = look_up(question, entry.hash)) return known;
  by_hash_.emplace(entry.hash, made.begin());
  entries_.splice(entries_.begin(), made);
  if (entries_.size() > capacity_) forget(std::prev(entries_.end()));
  return chain;
}

ChainMemory RememberedChains::counters() const {
  const std::lock_guard lock(mutex_);
  return {entries_.size(), answered_, judged_};
}

}  // namespace siptls::pki
