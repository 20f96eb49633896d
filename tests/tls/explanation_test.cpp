// Failure that explains itself: for each of what must be common, and in each version, the server
// says what the peer offers, what this side allows, and what stood in the way.
#include "catch.hpp"
#include "peers.hpp"
#include "raw_hello.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

constexpr ProtocolVersion kVersions[] = {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3};
constexpr auto k12 = ProtocolVersion::tls1_2;
constexpr auto k13 = ProtocolVersion::tls1_3;

void check_evidence(const SessionEnd& end, Errc reason, const std::vector<std::string>& words) {
  REQUIRE(end.error.has_value());
  CAPTURE(end.error->message());
  CHECK(end.error->reason() == reason);
  CHECK(end.error->category() == Category::incompatible);
  CHECK(end.error->alert().has_value());
  for (const std::string& word : words) {
    CAPTURE(word);
    CHECK(end.error->evidence().find(word) != std::string::npos);
  }
}

// A server that meets this client; the client learns of it by an alert.
SessionEnd meet(const Change& change_client, const Change& change_server) {
  SessionEnd a = client(context(change_client));
  SessionEnd b = server(context(change_server));
  connect(a, b);
  REQUIRE(a.error.has_value());
  CHECK(a.error->category() == Category::peer_alert);
  return b;
}

}  // namespace

TEST_CASE("No version in common: those of the peer and those of this side are named") {
  check_evidence(meet(only(k12), only(k13)), Errc::protocol_version_unsupported,
                 {"the peer offers TLS 1.2;", "this side allows TLS 1.3 to TLS 1.3", "RFC 8996"});
  check_evidence(meet(only(k13), only(k12)), Errc::protocol_version_unsupported,
                 {"the peer offers TLS 1.3;", "this side allows TLS 1.2 to TLS 1.2", "RFC 8996"});
}

TEST_CASE("No suite in common: each of the peer is named with its status, in both versions") {
  const auto suites = [](std::vector<std::uint16_t> codes) -> Change {
    return [codes](TlsContextConfig& made) {
      only(k12)(made);
      made.policy.cipher_suites = codes;
    };
  };
  check_evidence(meet(suites({0xcca9, 0xc00a}), suites({0xc02b})), Errc::no_common_cipher_suite,
                 {"the peer offers TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "
                  "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA;",
                  "this side allows TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, with an ECDSA key",
                  "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 (offered): not in this policy",
                  "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA (interop): CBC without encrypt_then_mac"});

  // TLS 1.3: the two suites that the library does not have, one that nobody has, X25519 and P-256,
  // ecdsa_secp256r1_sha256, version 1.3 alone, and a share for X25519.
  SessionEnd b = server(context());
  b.receive(raw_client_hello({0x1304, 0x1305, 0x13ff},
                             "000a00060004001d0017"
                             "000d000400020403"
                             "002b0003020304"
                             "002d00020101"
                             "003300260024001d0020"
                             "0900000000000000000000000000000000000000000000000000000000000000"));
  check_evidence(b, Errc::no_common_cipher_suite,
                 {"the peer offers TLS_AES_128_CCM_SHA256, TLS_AES_128_CCM_8_SHA256, 0x13FF;",
                  "this side allows TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, "
                  "TLS_CHACHA20_POLY1305_SHA256, with",
                  "TLS_AES_128_CCM_SHA256 (refused) and 1 like it: BoringSSL does not have",
                  "0x13FF: not in the catalogue"});
}

TEST_CASE("No group in common: those of the peer and those of this side are named") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const auto groups = [version](std::vector<std::uint16_t> codes) -> Change {
      return [version, codes](TlsContextConfig& made) {
        only(version)(made);
        made.policy.groups = codes;
        // Of RSA, so that no curve of a certificate is in the way.
        made.credentials = site(demo_pki::KeyType::rsa2048).credentials;
      };
    };
    check_evidence(meet(groups({0x18, 0x19}), groups({0x1d, 0x17})), Errc::no_common_group,
                   {"the groups P-384, P-521;", "this side allows X25519, P-256"});
  }
}

TEST_CASE("A certificate on a curve that the client does not name is refused in TLS 1.2 alone") {
  const auto without_p256 = [](ProtocolVersion version) -> Change {
    return [version](TlsContextConfig& made) {
      only(version)(made);
      made.policy.groups = {0x1d, 0x18};
      made.credentials.reset();
    };
  };
  check_evidence(meet(without_p256(k12), only(k12)), Errc::no_common_group,
                 {"the peer offers the groups X25519, P-384;",
                  "this side's certificate is on P-256", "RFC 8422 section 5.1"});
  // RFC 8446 section 4.2.7: its groups are for key exchange alone.
  SessionEnd a = client(context(without_p256(k13)));
  SessionEnd b = server(context([](TlsContextConfig& made) {
    only(k13)(made);
    made.policy.client_certificate = ClientCertificate::none;
  }));
  connect(a, b);
  CHECK(a.established());
  CHECK(b.established());
}

TEST_CASE("A client that names no groups is told that they are missing") {
  // TLS 1.2: a suite that both have, ecdsa_secp256r1_sha256, extended master secret, RFC 5746.
  SessionEnd b = server(context(only(k12)));
  b.receive(raw_client_hello({0xc02b},
                             "000d000400020403"
                             "00170000"
                             "ff01000100"));
  check_evidence(b, Errc::no_common_group, {"the peer offers the groups none;"});
}

TEST_CASE("No signature scheme in common: those of the peer and those of this side are named") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const auto b = meet(
        [version](TlsContextConfig& made) {
          only(version)(made);
          made.policy.signature_schemes = {0x0804, 0x0805};
          made.credentials.reset();
        },
        [version](TlsContextConfig& made) {
          only(version)(made);
          made.policy.signature_schemes = {0x0403, 0x0503};
        });
    check_evidence(
        b, Errc::no_common_signature_algorithm,
        {"the peer accepts signatures by rsa_pss_rsae_sha256, rsa_pss_rsae_sha384;",
         "this side allows ecdsa_secp256r1_sha256, ecdsa_secp384r1_sha384", "with an ECDSA key"});
  }
}

TEST_CASE("No application protocol in common: those of the peer are named") {
  for (const ProtocolVersion version : kVersions) {
    for (const Alpn mode : {Alpn::offer, Alpn::require}) {
      CAPTURE(to_string(version), static_cast<int>(mode));
      BareEnd a(PeerRole::client, [version](SSL_CTX* bare) {
        static const std::uint8_t protocols[] = {3, 's', 'i', 'p', 2, 'h', '2'};
        use_credentials(bare, site().leaf);
        SSL_CTX_set_max_proto_version(bare, static_cast<std::uint16_t>(version));
        SSL_CTX_set_alpn_protos(bare, protocols, sizeof(protocols));
      });
      SessionEnd b = server(context([&](TlsContextConfig& made) { made.policy.alpn = mode; }));
      connect(a, b);
      check_evidence(b, Errc::no_common_application_protocol,
                     {"the peer offers sip, h2; this side speaks sip/2"});
      CHECK(b.error->alert() == Alert::no_application_protocol);
      CHECK(a.alert_received == static_cast<int>(Alert::no_application_protocol));
    }
    // Nothing at all was offered.
    const auto b = meet(only(version), [version](TlsContextConfig& made) {
      only(version)(made);
      made.policy.alpn = Alpn::require;
    });
    check_evidence(b, Errc::no_common_application_protocol,
                   {"the client offers no application protocol", "requires sip/2"});
  }
}
