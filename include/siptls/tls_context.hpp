// TlsContext: Credentials, TrustStore and TlsPolicy, put together and checked once.
//
// Immutable once made; a value with cheap copies that all sessions and threads share. To change
// certificates, make a new one.
//
// Errors of create(): policy_unsupported; invalid_domain for an allowed peer that is no name;
// trust_store_empty, except for a server whose policy asks for no client certificate;
// credentials_missing for Credentials that were moved away; foreign_tls_library, out_of_memory.
// Whether a role has what it needs is asked when a session is made.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "siptls/credentials.hpp"
#include "siptls/export.hpp"
#include "siptls/result.hpp"
#include "siptls/ticket_key_ring.hpp"
#include "siptls/tls_policy.hpp"
#include "siptls/trust_store.hpp"

namespace siptls {

// Receives one line in NSS key log format for each secret. With it the traffic can be decrypted.
// Called synchronously from within session calls, on their thread; must not call the library.
using KeyLog = std::function<void(std::string_view line)>;
// A KeyLog that appends to a file, which is made with mode 0600 if it is not there. Each line is
// one write, so that contexts, threads and processes may share the file; a line that cannot be
// written (a full disk) is lost. DANGEROUS: whoever reads the file can decrypt the traffic.
// Errors: file_not_found, file_permission_denied, file_not_regular, `key_file_exposed` for a file
// that others than its owner can use, io_failed, out_of_memory.
SIPTLS_API Result<KeyLog> dangerous_key_log_to_file(const std::string& path);

struct TlsContextConfig {
  // Needed by every server, and by a client that is to prove itself.
  std::optional<Credentials> credentials;
  // More of them for a server with several names: the one of which an identity equals the name that
  // the client asks for (RFC 6066 section 3) is shown, in this order, `credentials` first.
  std::vector<Credentials> more_credentials;
  // Needed by every client, and by a server unless its policy asks for no client certificate.
  TrustStore trust;
  TlsPolicy policy = TlsPolicy::modern();
  // Identities of peers that are let in, for both roles: domains or IP addresses. EMPTY MEANS ALL
  // that the trust store proves: a list that lost its last name lets everybody in. With a list a
  // server requires a certificate of its clients where the policy only requests one
  // (`certificate_missing`), and cannot be made where it asks for none (`policy_unsupported`).
  std::vector<std::string> allowed_peers;
  // The keys of a server's tickets, where several contexts or transports shall accept each other's.
  // Null: keys of this context's own.
  std::shared_ptr<TicketKeyRing> ticket_keys;
  KeyLog dangerous_key_log;
};

class TlsContextImpl;

class SIPTLS_API TlsContext {
 public:
  static Result<TlsContext> create(TlsContextConfig config);

  const TlsPolicy& policy() const noexcept;
  const TrustStore& trust() const noexcept;
  const std::optional<Credentials>& credentials() const noexcept;
  // Are the certificates that this side shows, the leaf of each of its credentials, valid then?
  // Errors: `certificate_expired`, `certificate_not_yet_valid`.
  Result<void> valid_at(const Now& now) const;
  // What an operator should know at that time: an OCSP response that is not stapled because it is
  // out of date or not for its certificate (`ocsp_response_invalid`), certificates of this side
  // that are not valid, key files that others can read. TlsTransport gives each as a Warning.
  std::vector<Error> warnings(const Now& now) const;
  // Different for each context of the process; copies share it.
  std::uint64_t id() const noexcept;

 private:
  friend class TlsContextImpl;
  explicit TlsContext(std::shared_ptr<const TlsContextImpl> impl);
  std::shared_ptr<const TlsContextImpl> impl_;
};

}  // namespace siptls
