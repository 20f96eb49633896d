#include "tls/standing.hpp"

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "tls/tls_session_impl.hpp"

namespace siptls::tls {
namespace {

auto parts_of(const TlsPolicy& policy) {
  return std::tie(policy.min_version, policy.max_version, policy.cipher_suites, policy.groups,
                  policy.signature_schemes, policy.client_certificate, policy.eku,
                  policy.names.wildcard, policy.names.common_name, policy.clock, policy.ocsp,
                  policy.authorise, policy.unknown_server_name, policy.resumption,
                  policy.extended_master_secret, policy.alpn);
}

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

bool has_standing_of(const TlsSession& session, const TlsContext& context) {
  const TlsSessionImpl& own = TlsSessionImpl::of(session);
  const TlsContextImpl& made_with = own.context();
  const TlsContextImpl& wanted = TlsContextImpl::of(context);
  if (own.shown() >= made_with.shown_count() || wanted.shown_count() == 0) return false;
  const auto leaf_of = [](const TlsContextImpl& of, std::size_t index) {
    return of.shown(index).credentials.certificates().front().sha256;
  };
  if (leaf_of(made_with, own.shown()) != leaf_of(wanted, 0)) return false;
  if (made_with.id() == wanted.id()) return true;
  const TlsContextConfig& a = made_with.config();
  const TlsContextConfig& b = wanted.config();
  return a.trust.digest() == b.trust.digest() && parts_of(a.policy) == parts_of(b.policy) &&
         sorted(a.allowed_peers) == sorted(b.allowed_peers);
}

}  // namespace siptls::tls
