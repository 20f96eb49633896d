#include "tool/tls_setup.hpp"

#include <fmt/format.h>

namespace tool {

using siptls::Result;
using siptls::Unexpected;

std::vector<Option> with_tls_options(std::vector<Option> own) {
  std::vector<Option> all = {
      {"--credentials", "DIR", "folder with privateKey.pem, publickey.pem and CAList.pem"},
      {"--key", "FILE", "private key (with --cert and --ca, instead of --credentials)"},
      {"--cert", "FILE", "certificate chain, leaf first"},
      {"--ca", "FILE", "trusted CA certificates, at most 16"},
      {"--policy", "modern|interop|img2020", "what may be negotiated (modern)"},
  };
  all.insert(all.end(), own.begin(), own.end());
  return all;
}

siptls::TlsPolicy read_policy(const CommandLine& arguments) {
  using Preset = siptls::TlsPolicy (*)();
  return arguments.choice<Preset>("--policy", &siptls::TlsPolicy::modern,
                                  {{"modern", &siptls::TlsPolicy::modern},
                                   {"interop", &siptls::TlsPolicy::interop},
                                   {"img2020", &siptls::TlsPolicy::img2020}})();
}

Result<siptls::TlsContextConfig> load_tls(const CommandLine& arguments, siptls::TlsPolicy policy,
                                          siptls::ConnectionRole role) {
  std::optional<std::string> key = arguments.value("--key");
  std::optional<std::string> cert = arguments.value("--cert");
  std::optional<std::string> ca = arguments.value("--ca");
  if (const std::optional<std::string> folder = arguments.value("--credentials")) {
    if (key || cert || ca) {
      throw UsageError("--credentials stands instead of --key, --cert and --ca, not beside them");
    }
    key = *folder + "/privateKey.pem";
    cert = *folder + "/publickey.pem";
    ca = *folder + "/CAList.pem";
  }
  const bool is_client = role == siptls::ConnectionRole::client;
  const bool judges_peers =
      is_client || policy.client_certificate != siptls::ClientCertificate::none;
  if (key.has_value() != cert.has_value()) throw UsageError("--key and --cert go together");
  if (!key && !is_client) throw UsageError("--credentials is missing");
  if (!ca && judges_peers) throw UsageError("--credentials (or --ca) is missing");

  siptls::TlsContextConfig config;
  config.policy = std::move(policy);
  if (key) {
    Result<siptls::Credentials> credentials = siptls::Credentials::from_pem_files(*key, *cert);
    if (!credentials) return Unexpected(credentials.error());
    config.credentials = *std::move(credentials);
  }
  if (judges_peers) {
    Result<siptls::TrustStore> trust = siptls::TrustStore::from_pem_file(*ca);
    if (!trust) return Unexpected(trust.error());
    config.trust = *std::move(trust);
  }
  return config;
}

std::uint64_t number_of(siptls::ConnectionId connection) {
  return static_cast<std::uint64_t>(connection);
}

void print_connected(const Output& output, const siptls::Connected& connected) {
  const siptls::PeerInfo& peer = connected.peer;
  const std::string suite = siptls::cipher_suite_name(peer.cipher_suite);
  Json fields{{"event", "connected"},
              {"connection", number_of(connected.connection)},
              {"local", connected.local.to_string()},
              {"remote", connected.remote.to_string()},
              {"authenticated", peer.authenticated()},
              {"identities", Json::array()},
              {"version", to_string(peer.version)},
              {"suite", suite},
              {"resumed", peer.resumed}};
  std::string text =
      fmt::format("connection {}: {} {}, {}, {}{}\n", number_of(connected.connection),
                  connected.role == siptls::ConnectionRole::client ? "to" : "from",
                  connected.remote.to_string(), to_string(peer.version), suite,
                  peer.resumed ? ", resumed" : "");
  if (peer.authenticated()) {
    for (const siptls::Identity& identity : peer.path->identities) {
      fields["identities"].push_back(identity.name);
      text += fmt::format("connection {}: peer proved {} {}\n", number_of(connected.connection),
                          to_string(identity.source), identity.name);
    }
    if (peer.path->matched) {
      fields["matched"] = peer.path->identities[*peer.path->matched].name;
    }
  } else {
    text += fmt::format("connection {}: peer proved nothing\n", number_of(connected.connection));
  }
  output.event(fields, text);
}

void print_closed(const Output& output, const siptls::Closed& closed) {
  Json fields{{"event", "closed"},
              {"connection", number_of(closed.connection)},
              {"clean", !closed.error.has_value()},
              {"truncated", closed.truncated}};
  if (closed.error) add_error(fields, *closed.error);
  output.event(fields, fmt::format("connection {}: closed{}{}", number_of(closed.connection),
                                   closed.error ? ", " : " cleanly",
                                   closed.error ? closed.error->message() : ""));
}

}  // namespace tool
