// What the tests of identities share: leaves with given names, and who trusts them.
#pragma once

#include <string>
#include <vector>

#include "pki/pki_support.hpp"

namespace pki_test {

inline const Entity& test_root() {
  static const Entity root = Entity::self_signed(demo_pki::ca_spec("identity root"));
  return root;
}

inline const TrustStore& store() {
  static const TrustStore made = store_of({test_root()});
  return made;
}

inline Entity leaf_with(const std::vector<std::string>& uris, const std::vector<std::string>& dns,
                        const std::vector<std::string>& addresses = {},
                        const std::string& cn = "leaf") {
  CertificateSpec spec;
  spec.common_name = cn;
  spec.uris = uris;
  spec.dns_names = dns;
  spec.ip_addresses = addresses;
  return Entity::issued_by(test_root(), spec);
}

}  // namespace pki_test
