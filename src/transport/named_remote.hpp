// NamedRemote: an address together with a name that its peer has proven, or is about to prove: what
// connections are reused by (RFC 5923 section 8.1), never the address alone.
#pragma once

#include <cstddef>
#include <functional>
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

}  // namespace siptls
