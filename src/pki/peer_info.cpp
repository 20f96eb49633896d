#include "siptls/peer_info.hpp"

#include "pki/identity.hpp"

namespace siptls {

std::string_view to_string(ProtocolVersion version) noexcept {
  switch (version) {
    case ProtocolVersion::tls1_2:
      return "TLS 1.2";
    case ProtocolVersion::tls1_3:
      return "TLS 1.3";
  }
  return "unknown";
}

std::string_view to_string(Identity::Source source) noexcept {
  switch (source) {
    case Identity::Source::sip_uri:
      return "sip_uri";
    case Identity::Source::dns_name:
      return "dns_name";
    case Identity::Source::ip_address:
      return "ip_address";
    case Identity::Source::common_name:
      return "common_name";
  }
  return "unknown";
}

bool covers(const std::vector<Identity>& identities, std::string_view domain) noexcept {
  try {
    const auto reference = pki::Reference::parse(domain);
    if (!reference) return false;
    for (const auto& identity : identities) {
      if (reference->matches(identity, WildcardPolicy::none)) return true;
    }
    return false;
  } catch (const std::bad_alloc&) {
    return false;  // not proven
  }
}

}  // namespace siptls
