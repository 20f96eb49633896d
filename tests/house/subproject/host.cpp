#include <cstdio>

#include "siptls/siptls.hpp"

int main() {
  const siptls::TrustStore trust;
  const auto refused = siptls::TrustStore::from_pem("");
  std::printf("siptls %.*s, %zu entries, %s\n", static_cast<int>(siptls::version().size()),
              siptls::version().data(), trust.entries().size(),
              refused ? "made" : siptls::to_string(refused.error().reason()).data());
  return trust.entries().empty() && !refused &&
                 refused.error().reason() == siptls::Errc::pem_empty &&
                 siptls::version() == SIPTLS_VERSION_STRING
             ? 0
             : 1;
}
