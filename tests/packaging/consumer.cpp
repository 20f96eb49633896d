// A program of somebody else. Succeeds if the library answers and is the one of its headers.
#include <cstdio>

#include "siptls/trust_store.hpp"
#include "siptls/version.hpp"

int main() {
  const auto refused = siptls::TrustStore::from_pem("");
  if (refused) return 1;
  std::printf("siptls %.*s: %s: %s\n", static_cast<int>(siptls::version().size()),
              siptls::version().data(), siptls::to_string(refused.error().reason()).data(),
              refused.error().evidence().c_str());
  return refused.error().reason() == siptls::Errc::pem_empty &&
                 siptls::version() == SIPTLS_VERSION_STRING
             ? 0
             : 1;
}
