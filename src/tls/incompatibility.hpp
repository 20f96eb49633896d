// Evidence for "nothing in common": what the peer offers, what this side allows, and what stood in
// the way.
#pragma once

#include <string>

#include "siptls/error.hpp"
#include "siptls/tls_policy.hpp"
#include "tls/client_hello.hpp"

namespace siptls::tls {

// What the server's certificate limits.
enum class CertificateKey : std::uint8_t { none, rsa, ecdsa, ed25519 };

// The text that goes with `reason`, one of the category `incompatible`.
std::string describe_incompatibility(Errc reason, const ClientHello& offered,
                                     const TlsPolicy& policy, CertificateKey key);

// BoringSSL says "no shared cipher" also where it is the groups or the signature schemes that are
// not shared. This finds the reason that helps.
Errc refine_no_shared_suite(const ClientHello& offered, const TlsPolicy& policy, CertificateKey key,
                            ProtocolVersion version);

// The schemes of `schemes` that a key of this kind can sign with.
bool can_sign(CertificateKey key, std::uint16_t scheme) noexcept;

std::string describe_groups(const std::vector<std::uint16_t>& codes);
std::string describe_suites(const std::vector<std::uint16_t>& codes);

}  // namespace siptls::tls
