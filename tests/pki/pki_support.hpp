// What the tests of certificates share.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pki/demo_pki.hpp"
#include "siptls/credentials.hpp"
#include "siptls/trust_store.hpp"

namespace pki_test {

using demo_pki::CertificateSpec;
using demo_pki::Entity;
using siptls::Errc;
using siptls::TrustStore;
using siptls::VerifyOptions;
using siptls::WallTime;

inline WallTime at(long seconds) { return WallTime(std::chrono::seconds(seconds)); }

inline constexpr long kDay = 86400;
inline constexpr long kNow = 1767225600;  // 2026-01-01T00:00:00Z

inline VerifyOptions options(long when = kNow) { return VerifyOptions::given(at(when)); }

inline VerifyOptions expecting(const std::string& identity, long when = kNow) {
  VerifyOptions out = options(when);
  out.identity = identity;
  return out;
}

inline std::span<const std::byte> bytes(const std::string& octets) {
  return std::as_bytes(std::span(octets.data(), octets.size()));
}

// A store of these certificates.
inline TrustStore store_of(const std::vector<Entity>& entries, siptls::TrustLimits limits = {}) {
  TrustStore store(limits);
  for (const auto& entry : entries) store = store.with_der(bytes(entry.certificate_der())).value();
  return store;
}

inline siptls::Result<siptls::ProvenPath> verify(const TrustStore& store,
                                                 const std::vector<std::string>& chain,
                                                 const VerifyOptions& how) {
  std::vector<std::span<const std::byte>> der;
  for (const auto& certificate : chain) der.push_back(bytes(certificate));
  return store.verify(der, how);
}

inline siptls::Result<siptls::ProvenPath> verify(const TrustStore& store, const Entity& leaf,
                                                 const VerifyOptions& how) {
  return verify(store, leaf.chain_der(), how);
}

// The reason's name, or "ok": what tables compare.
template <typename T>
std::string outcome(const siptls::Result<T>& result) {
  return result ? std::string("ok") : std::string(siptls::to_string(result.error().reason()));
}

inline bool mentions(const siptls::Error& error, const std::string& text) {
  return error.evidence().find(text) != std::string::npos;
}

using Change = std::function<void(CertificateSpec&)>;

inline CertificateSpec changed(CertificateSpec spec, const Change& change) {
  if (change) change(spec);
  return spec;
}

// Root, one intermediate, a leaf, each changed as a test wants it.
struct Three {
  Three(const Change& root_change, const Change& middle_change, const Change& leaf_change,
        demo_pki::KeyType leaf_key = demo_pki::KeyType::p256,
        demo_pki::KeyType ca_key = demo_pki::KeyType::p256)
      : root(Entity::self_signed(changed(demo_pki::ca_spec("root"), root_change), ca_key)),
        middle(
            Entity::issued_by(root, changed(demo_pki::ca_spec("middle"), middle_change), ca_key)),
        leaf(Entity::issued_by(middle, changed(demo_pki::sip_spec("demo.example"), leaf_change),
                               leaf_key)) {}
  Entity root, middle, leaf;

  siptls::Result<siptls::ProvenPath> judge(const VerifyOptions& how = expecting("demo.example"),
                                           siptls::TrustLimits limits = {}) const {
    return verify(store_of({root}, limits), leaf, how);
  }
};

}  // namespace pki_test
