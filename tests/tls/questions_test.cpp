// Questions that a handshake waits for: the host's word about a peer, and signatures by keys that
// are held elsewhere.
#include <openssl/digest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "catch.hpp"
#include "peers.hpp"

using namespace siptls;
using namespace siptls_test;
using demo_pki::KeyType;

namespace {

constexpr ProtocolVersion kVersions[] = {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3};

TlsContext asking(ProtocolVersion version, const Change& change = {}) {
  return context([&](TlsContextConfig& made) {
    only(version)(made);
    made.policy.authorise = PeerAuthorisation::host;
    if (change) change(made);
  });
}

TlsContext plain(ProtocolVersion version) { return context(only(version)); }

// An HSM of the test: signs what a session wants signed.
Octets signature_for(const SignatureRequest& request, const demo_pki::Entity& owner) {
  const std::string pem = owner.private_key_pem();
  bssl::UniquePtr<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  bssl::UniquePtr<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  bssl::ScopedEVP_MD_CTX digest;
  EVP_PKEY_CTX* how = nullptr;
  const EVP_MD* const hash = SSL_get_signature_algorithm_digest(request.scheme);
  REQUIRE(EVP_DigestSignInit(digest.get(), &how, hash, nullptr, key.get()) == 1);
  if (SSL_is_signature_algorithm_rsa_pss(request.scheme)) {
    REQUIRE(EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1);
    REQUIRE(EVP_PKEY_CTX_set_rsa_pss_saltlen(how, -1) == 1);
  }
  const auto* const input = reinterpret_cast<const std::uint8_t*>(request.input.data());
  std::size_t size = 0;
  REQUIRE(EVP_DigestSign(digest.get(), nullptr, &size, input, request.input.size()) == 1);
  Octets signature(size);
  REQUIRE(EVP_DigestSign(digest.get(), reinterpret_cast<std::uint8_t*>(signature.data()), &size,
                         input, request.input.size()) == 1);
  signature.resize(size);
  return signature;
}

// Octets that a peer sent with `text` behind its handshake, in one piece.
void send_early(SessionEnd& from, std::string_view text) {
  REQUIRE(from.session.send(octets_of(text), from.now));
}

}  // namespace

TEST_CASE("The host is asked about a good peer before anything of it is handed out") {
  for (const ProtocolVersion version : kVersions) {
    for (const bool server_asks : {true, false}) {
      CAPTURE(to_string(version), server_asks);
      SessionEnd a = client(server_asks ? plain(version) : asking(version));
      SessionEnd b = server(server_asks ? asking(version) : plain(version));
      SessionEnd& asker = server_asks ? b : a;
      connect(a, b);

      REQUIRE(asker.session.state() == SessionState::authorising);
      REQUIRE(asker.session.peer().authenticated());
      CHECK(asker.session.peer().path->identities.front().name == kDomain);
      CHECK_FALSE(asker.established());
      const auto sent = asker.session.send(octets_of("too early"), asker.now);
      REQUIRE_FALSE(sent);
      CHECK(sent.error().reason() == Errc::handshake_not_complete);
      // A client in TLS 1.3 is done by now and may send.
      SessionEnd& other = server_asks ? a : b;
      if (other.established()) send_early(other, "early words");
      const bool early = other.established();
      connect(a, b);
      CHECK(asker.received.empty());
      REQUIRE(asker.session.state() == SessionState::authorising);

      REQUIRE(asker.session.authorise(Verdict::admit, asker.now));
      asker.receive({});
      connect(a, b);
      REQUIRE(a.established());
      REQUIRE(b.established());
      if (!early) send_early(other, "early words");
      connect(a, b);
      CHECK(asker.received == "early words");
      CHECK_FALSE(asker.session.authorise(Verdict::admit, asker.now));
    }
  }
}

TEST_CASE("A peer that the host refuses gets access_denied") {
  for (const ProtocolVersion version : kVersions) {
    for (const bool server_asks : {true, false}) {
      CAPTURE(to_string(version), server_asks);
      SessionEnd a = client(server_asks ? plain(version) : asking(version));
      SessionEnd b = server(server_asks ? asking(version) : plain(version));
      SessionEnd& asker = server_asks ? b : a;
      SessionEnd& other = server_asks ? a : b;
      connect(a, b);
      REQUIRE(asker.session.state() == SessionState::authorising);
      // Whatever is not an admission is none.
      const auto verdict = server_asks ? Verdict::refuse : static_cast<Verdict>(7);
      const auto refused = asker.session.authorise(verdict, asker.now);
      REQUIRE_FALSE(refused);
      CHECK(refused.error().reason() == Errc::peer_not_authorised);
      CHECK(refused.error().alert() == Alert::access_denied);
      connect(a, b);
      CHECK(asker.session.state() == SessionState::failed);
      REQUIRE(other.error);
      CHECK(other.error->reason() == Errc::peer_denied_access);
    }
  }
}

TEST_CASE("The host is asked about a client without a certificate too") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    SessionEnd a = client(context([&](TlsContextConfig& made) {
      only(version)(made);
      made.credentials.reset();
    }));
    SessionEnd b = server(asking(version, [](TlsContextConfig& made) {
      made.policy.client_certificate = ClientCertificate::requested;
    }));
    connect(a, b);
    REQUIRE(b.session.state() == SessionState::authorising);
    CHECK_FALSE(b.session.peer().authenticated());
    REQUIRE(b.session.authorise(Verdict::admit, b.now));
    connect(a, b);
    CHECK(a.established());
    CHECK(b.established());
  }
}

TEST_CASE("A bad peer is refused without asking the host") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const auto stranger = demo_pki::make_hierarchy(kDomain);
    SessionEnd a = client(context([&](TlsContextConfig& made) {
      only(version)(made);
      made.credentials = credentials_of(stranger.leaf);
    }));
    SessionEnd b = server(asking(version));
    connect(a, b);
    REQUIRE(b.error);
    CHECK(b.error->reason() == Errc::unknown_ca);
    CHECK_FALSE(b.session.authorise(Verdict::admit, b.now));
    CHECK(b.session.state() == SessionState::failed);
  }
}

TEST_CASE("The handshake's deadline goes on while an answer is waited for") {
  SessionEnd a = client(plain(ProtocolVersion::tls1_3));
  SessionEnd b = server(asking(ProtocolVersion::tls1_3));
  connect(a, b);
  REQUIRE(b.session.state() == SessionState::authorising);
  const auto deadline = b.session.next_deadline();
  REQUIRE(deadline);
  Now late = b.now;
  late.mono = *deadline;
  const auto outcome = b.session.on_deadline(late);
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().reason() == Errc::handshake_timeout);
  CHECK(b.session.state() == SessionState::failed);
}

TEST_CASE("A session that waits for an answer can be closed, and its peer can go away") {
  SessionEnd a = client(plain(ProtocolVersion::tls1_2));
  SessionEnd b = server(asking(ProtocolVersion::tls1_2));
  connect(a, b);
  REQUIRE(b.session.state() == SessionState::authorising);
  SECTION("closed") {
    REQUIRE(b.session.close(b.now));
    CHECK(b.session.state() == SessionState::closed);
  }
  SECTION("the peer is gone") {
    b.end_of_stream();
    REQUIRE(b.error);
    CHECK(b.error->reason() == Errc::truncated);
  }
  CHECK_FALSE(b.session.authorise(Verdict::admit, b.now));
}

TEST_CASE("A key that is held elsewhere signs, for servers and clients, with each kind of key") {
  const KeyType kinds[] = {KeyType::p256, KeyType::rsa2048, KeyType::ed25519};
  for (const ProtocolVersion version : kVersions) {
    for (const KeyType kind : kinds) {
      for (const bool for_server : {true, false}) {
        CAPTURE(to_string(version), static_cast<int>(kind), for_server);
        const Site& home = site(kind);
        const auto both = [&](const Change& change) {
          return context([&](TlsContextConfig& made) {
            only(version)(made);
            made.credentials = home.credentials;
            made.trust = home.trust;
            if (change) change(made);
          });
        };
        const TlsContext external = both([&](TlsContextConfig& made) {
          made.credentials =
              Credentials::from_external_key("slot 7", home.leaf.chain_pem()).value();
        });
        SessionEnd a = client(for_server ? both({}) : external);
        SessionEnd b = server(for_server ? external : both({}));
        SessionEnd& signer = for_server ? b : a;
        connect(a, b);
        REQUIRE(signer.session.state() == SessionState::signing);
        const SignatureRequest* const wanted = signer.session.wanted_signature();
        REQUIRE(wanted != nullptr);
        CHECK(wanted->key_id == "slot 7");
        const Octets signature = signature_for(*wanted, home.leaf);
        REQUIRE(signer.session.complete_signature(signature, signer.now));
        CHECK(signer.session.wanted_signature() == nullptr);
        connect(a, b);
        CHECK(a.established());
        CHECK(b.established());
        CHECK_FALSE(signer.session.complete_signature(signature, signer.now));
      }
    }
  }
}

TEST_CASE("A signer that does not sign, or signs nonsense, ends the handshake with its reason") {
  const TlsContext external = context([&](TlsContextConfig& made) {
    made.credentials = Credentials::from_external_key("slot 7", site().leaf.chain_pem()).value();
  });
  SessionEnd a = client(plain(ProtocolVersion::tls1_3));
  SessionEnd b = server(external);
  connect(a, b);
  REQUIRE(b.session.state() == SessionState::signing);
  SECTION("no signature") {
    const auto outcome = b.session.complete_signature({}, b.now);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().reason() == Errc::signature_unavailable);
    CHECK(outcome.error().alert() == Alert::internal_error);
  }
  SECTION("a signature that is too long") {
    const auto outcome = b.session.complete_signature(Octets(5000), b.now);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().reason() == Errc::signature_unavailable);
  }
  SECTION("not its signature") {
    const auto outcome = b.session.complete_signature(octets_of("nonsense"), b.now);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().reason() == Errc::signature_unavailable);
    connect(a, b);
    REQUIRE(a.error);
    CHECK(a.error->alert() == Alert::internal_error);
  }
}

TEST_CASE("Both questions can be asked in one handshake") {
  const TlsContext external = asking(ProtocolVersion::tls1_3, [](TlsContextConfig& made) {
    made.credentials = Credentials::from_external_key("k", site().leaf.chain_pem()).value();
  });
  SessionEnd a = client(external);
  SessionEnd b = server(external);
  int answers = 0;
  for (int round = 0; round < 20; ++round) {
    connect(a, b);
    for (SessionEnd* end : {&a, &b}) {
      if (end->session.state() == SessionState::authorising) {
        REQUIRE(end->session.authorise(Verdict::admit, end->now));
        ++answers;
      } else if (const auto* wanted = end->session.wanted_signature()) {
        REQUIRE(end->session.complete_signature(signature_for(*wanted, site().leaf), end->now));
        ++answers;
      }
      end->receive({});
    }
  }
  CHECK(answers == 4);
  CHECK(a.established());
  CHECK(b.established());
}
