// NamedRemote: an address together with a name that its peer has proven, or is about to prove: what
// connections are reused by (RFC 5923 section 8.1), never the address alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "siptls/endpoint.hpp"

namespace siptls {

struct NamedRemote {
  Endpoint remote;
  std::string name;  // as pki::Reference spells it

  friend bool operator==(const NamedRemote&, const NamedRemote&) = default;
};

struct NamedRemoteHash {
  std::size_t operator()(const NamedRemote& key) const noexcept {
    return std::hash<std::string>{}(key.name) ^ std::hash<Endpoint>{}(key.remote) * 31;
  }
};

// What an outgoing connection is found by: whom it reaches, and as whom this side opened it. All of
// it is in the key, since the tenants of one host can be thousands, each with a context of its own,
// and all of them talk to the one address and name of their provider.
struct ReuseKey {
  NamedRemote to;
  std::uint64_t context = 0;      // TlsContext::id()
  std::optional<Endpoint> local;  // Target::local

  friend bool operator==(const ReuseKey&, const ReuseKey&) = default;
};

struct ReuseKeyHash {
  std::size_t operator()(const ReuseKey& key) const noexcept {
    const std::size_t local = key.local ? std::hash<Endpoint>{}(*key.local) : 0;
    // Contexts are numbered, and bits that differ little must not meet those of an address.
    const std::uint64_t from = (key.context * 31 + local) * 0x9e3779b97f4a7c15u;
    return NamedRemoteHash{}(key.to) ^ static_cast<std::size_t>(from ^ from >> 32);
  }
};

}  // namespace siptls
