// What a host is asked during a handshake: who may come in, and signatures by keys held elsewhere.
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <poll.h>

#include <thread>

#include "catch.hpp"
#include "transport/harness.hpp"
#include "transport/raw_peer.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

using demo_pki::Entity;

constexpr ProtocolVersion kVersions[] = {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3};

template <typename T>
std::string reason(const Result<T>& result) {
  return result ? "accepted" : std::string(to_string(result.error().reason()));
}

TlsPolicy asking(ProtocolVersion version) {
  TlsPolicy policy = policy_of(version);
  policy.authorise = PeerAuthorisation::host;
  return policy;
}

// With its key elsewhere, under the name "key of <identity>".
TlsContextConfig external(const Entity& entity, const TlsPolicy& policy) {
  TlsContextConfig config = world().config(entity, policy);
  const std::string name = config.credentials->identities().front().name;
  auto credentials = Credentials::from_external_key("key of " + name, entity.chain_pem());
  REQUIRE(credentials);
  config.credentials = *credentials;
  return config;
}

// What the holder of a P-256 key answers to ecdsa_secp256r1_sha256.
std::vector<std::byte> sign(const Entity& entity, const SignatureRequest& request) {
  const std::string pem = entity.private_key_pem();
  const bssl::UniquePtr<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const bssl::UniquePtr<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  REQUIRE(key);
  bssl::ScopedEVP_MD_CTX digest;
  std::size_t size = 128;
  std::vector<std::byte> signature(size);
  auto* out = reinterpret_cast<std::uint8_t*>(signature.data());
  const auto* in = reinterpret_cast<const std::uint8_t*>(request.input.data());
  REQUIRE(EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, key.get()) == 1);
  REQUIRE(EVP_DigestSign(digest.get(), out, &size, in, request.input.size()) == 1);
  signature.resize(size);
  return signature;
}

bool is_readable(Host& host) {
  pollfd wait{host.transport().fd(), POLLIN, 0};
  return ::poll(&wait, 1, 0) == 1;
}

// The kinds of what a host saw of a connection, in order.
std::string kinds(const Host& host) {
  std::string all;
  for (const Seen& one : host.seen) all += (all.empty() ? "" : " ") + one.kind;
  return all;
}

// Two hosts, of which one asks.
struct Stage {
  Stage(ProtocolVersion version, bool server_asks, TransportOptions options = {})
      : server(options),
        client(options),
        client_context(
            world().context(world().beta, server_asks ? policy_of(version) : asking(version))),
        at(server.listen(world().context(world().alpha.leaf,
                                         server_asks ? asking(version) : policy_of(version)))),
        asker(server_asks ? server : client),
        other(server_asks ? client : server) {}

  void until(const std::function<bool()>& done) { run_until({&server, &client}, done); }
  SendToken send(unsigned number) {
    const auto token =
        client.transport().send(target(at, client_context), octets(options_request(number)));
    REQUIRE(token);
    return *token;
  }
  ConnectionId wait_for_question() {
    until([&] { return asker.count("AuthorisePeer") == 1; });
    return asker.last("AuthorisePeer").connection;
  }

  Host server;
  Host client;
  TlsContext client_context;
  Endpoint at;
  Host& asker;
  Host& other;
};

}  // namespace

TEST_CASE("A host that is asked admits a peer at once, later, or from another thread") {
  enum class When { at_once, later, by_sender };
  for (const ProtocolVersion version : kVersions) {
    for (const bool server_asks : {true, false}) {
      for (const When when : {When::at_once, When::later, When::by_sender}) {
        CAPTURE(to_string(version), server_asks, static_cast<int>(when));
        Stage stage(version, server_asks);
        Host& asker = stage.asker;
        asker.on_event = [&](const Event&, const Seen& seen) {
          if (seen.kind != "AuthorisePeer" || when != When::at_once) return;
          REQUIRE(asker.transport().authorise(seen.connection, Verdict::admit));
        };
        stage.send(1);
        const ConnectionId id = stage.wait_for_question();
        if (when != When::at_once) {
          settle({&stage.server, &stage.client});
          CHECK(asker.count("Connected") == 0);
          CHECK(stage.server.count("Message") == 0);
          CHECK_FALSE(is_readable(asker));
        }
        if (when == When::later) REQUIRE(asker.transport().authorise(id, Verdict::admit));
        if (when == When::by_sender) {
          const Sender sender = asker.transport().sender();
          std::thread([&] { static_cast<void>(sender.authorise(id, Verdict::admit)); }).join();
        }
        stage.until([&] { return stage.server.count("Message") == 1; });
        CHECK(kinds(stage.server) ==
              (server_asks ? "AuthorisePeer Connected Message" : "Connected Message"));
        CHECK(kinds(stage.client) == (server_asks ? "Connected" : "AuthorisePeer Connected"));
        const Seen& question = asker.last("AuthorisePeer");
        REQUIRE(question.peer->authenticated());
        CHECK(covers(question.peer->path->identities,
                     server_asks ? "beta.example" : "alpha.example"));
        CHECK(question.peer->version == version);
        CHECK(question.connection == asker.last("Connected").connection);
        CHECK(question.local == asker.last("Connected").local);
        CHECK(question.remote == asker.last("Connected").remote);
        CHECK(reason(asker.transport().authorise(id, Verdict::refuse)) == "invalid_argument");
      }
    }
  }
}

TEST_CASE("A peer that the host refuses gets access_denied, and nothing of it is handed out") {
  for (const ProtocolVersion version : kVersions) {
    for (const bool server_asks : {true, false}) {
      CAPTURE(to_string(version), server_asks);
      Stage stage(version, server_asks);
      const SendToken token = stage.send(1);
      const ConnectionId id = stage.wait_for_question();
      settle({&stage.server, &stage.client});
      REQUIRE(stage.asker.transport().authorise(id, Verdict::refuse));
      stage.until([&] {
        return stage.asker.count("HandshakeFailed") == 1 &&
               stage.other.count("HandshakeFailed") == 1;
      });
      CHECK(stage.asker.last("HandshakeFailed").failed_with(Errc::peer_not_authorised));
      CHECK(stage.asker.last("HandshakeFailed").error->alert() == Alert::access_denied);
      CHECK(stage.other.last("HandshakeFailed").error->category() == Category::peer_alert);
      CHECK(stage.other.last("HandshakeFailed").error->alert() == Alert::access_denied);
      CHECK(stage.asker.count("Connected") == 0);
      CHECK(stage.server.count("Message") == 0);
      CHECK(stage.client.last("SendFailed").token == token);
      CHECK(reason(stage.asker.transport().authorise(id, Verdict::admit)) == "unknown_connection");
    }
  }
}

TEST_CASE("A client that is asked for no certificate is still for the host to admit") {
  for (const ProtocolVersion version : kVersions) {
    for (const Verdict verdict : {Verdict::admit, Verdict::refuse}) {
      CAPTURE(to_string(version), static_cast<int>(verdict));
      Host server;
      Host client;
      TlsPolicy policy = asking(version);
      policy.client_certificate = ClientCertificate::none;
      const Endpoint at = server.listen(world().context(world().alpha.leaf, policy));
      const TlsContext context = world().context(world().beta, policy_of(version));
      REQUIRE(client.transport().send(target(at, context), octets(options_request(1))));
      run_until({&server, &client}, [&] { return server.count("AuthorisePeer") == 1; });
      settle({&server, &client});
      const Seen& question = server.last("AuthorisePeer");
      CHECK_FALSE(question.peer->authenticated());
      CHECK(server.count("Message") == 0);
      REQUIRE(server.transport().authorise(question.connection, verdict));
      // Written already, and not lost without a word.
      run_until({&server, &client},
                [&] { return server.count("Message") + client.count("SendFailed") == 1; });
      CHECK(server.count("Message") == (verdict == Verdict::admit ? 1U : 0U));
    }
  }
}

TEST_CASE("A client whose host does not admit the first address asks again about the second") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    Stage stage(version, false);
    Target two = target(stage.at, stage.client_context);
    two.remotes.push_back(stage.server.listen(world().context(world().alpha.leaf)));
    stage.client.on_event = [&](const Event&, const Seen& seen) {
      if (seen.kind != "AuthorisePeer") return;
      const Verdict verdict = seen.remote == stage.at ? Verdict::refuse : Verdict::admit;
      REQUIRE(stage.client.transport().authorise(seen.connection, verdict));
    };
    REQUIRE(stage.client.transport().send(two, octets(options_request(1))));
    stage.until([&] { return stage.server.count("Message") == 1; });
    CHECK(kinds(stage.client) == "AuthorisePeer AuthorisePeer Connected");
    CHECK(stage.client.last("Connected").remote == two.remotes.back());
    answer_requests(stage.server);
    REQUIRE(stage.client.transport().send(two, octets(options_request(2))));
    stage.until([&] { return stage.client.count("Message") == 1; });
  }
}

TEST_CASE("An answer that comes too late is not taken for one about another address") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    const auto clock = std::make_shared<ManualClock>(Clock::system()->now());
    TransportOptions options;
    options.clock = clock;
    Stage stage(version, false, options);
    Target two = target(stage.at, stage.client_context);
    two.remotes.push_back(stage.server.listen(world().context(world().alpha.leaf)));
    REQUIRE(stage.client.transport().send(two, octets(options_request(1))));
    const ConnectionId id = stage.wait_for_question();
    const Sender worker = stage.client.transport().sender();
    clock->advance(options.limits.handshake_timeout);
    stage.client.take_events();
    REQUIRE(worker.authorise(id, Verdict::admit));
    settle({&stage.server, &stage.client});
    CHECK(kinds(stage.client) == "AuthorisePeer SendFailed HandshakeFailed");
    CHECK(stage.client.last("HandshakeFailed").failed_with(Errc::handshake_timeout));
    CHECK(stage.client.last("HandshakeFailed").remote == stage.at);
    CHECK(stage.server.count("Connected") == 0);
  }
}

TEST_CASE("What a peer sends while its verdict is awaited is kept, and handed out after it") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    Stage stage(version, true);
    for (unsigned i = 1; i <= 30; ++i) stage.send(i);
    const ConnectionId id = stage.wait_for_question();
    // Another connection is not held up by it.
    stage.server.on_event = [&](const Event&, const Seen& seen) {
      if (seen.kind == "AuthorisePeer") {
        REQUIRE(stage.server.transport().authorise(seen.connection, Verdict::admit));
      }
    };
    const TlsContext own = world().context(world().beta, policy_of(version));
    REQUIRE(stage.client.transport().send(target(stage.at, own), octets(options_request(99))));
    stage.until([&] { return stage.server.count("Message") == 1; });
    settle({&stage.server, &stage.client});
    CHECK(stage.server.last("Message").connection != id);

    // The verdict comes while an event of the other connection is held.
    stage.server.on_event = [&](const Event& event, const Seen& seen) {
      if (seen.kind != "Message" || seen.connection == id) return;
      REQUIRE(stage.server.transport().authorise(id, Verdict::admit));
      CHECK(std::get<Message>(event).message.call_id() == "100@beta.example");
      CHECK(reason(stage.server.transport().authorise(id, Verdict::admit)) == "invalid_argument");
      stage.server.on_event = nullptr;
    };
    REQUIRE(stage.client.transport().send(target(stage.at, own),
                                          octets(options_request(100) + options_request(101))));
    stage.until([&] { return stage.server.count("Message") == 33; });
    unsigned next = 1;
    for (const Seen& message : stage.server.all("Message")) {
      if (message.connection != id) continue;
      CHECK(message.text.find("\r\nCSeq: " + std::to_string(next++) + " ") != std::string::npos);
    }
    CHECK(next == 31);
  }
}

TEST_CASE("A question does not outlive the handshake's deadline") {
  for (const ProtocolVersion version : kVersions) {
    for (const bool server_asks : {true, false}) {
      CAPTURE(to_string(version), server_asks);
      const Now now = Clock::system()->now();
      const auto clock =
          std::make_shared<ManualClock>(Now{now.mono, now.wall, ClockStanding::given});
      TransportOptions options;
      options.clock = clock;
      Stage stage(version, server_asks, options);
      const SendToken token = stage.send(1);
      const ConnectionId id = stage.wait_for_question();
      settle({&stage.server, &stage.client});
      clock->advance(options.limits.handshake_timeout - std::chrono::milliseconds(1));
      stage.asker.take_events();
      CHECK(stage.asker.count("HandshakeFailed") == 0);
      clock->advance(std::chrono::milliseconds(1));
      stage.asker.take_events();
      REQUIRE(stage.asker.count("HandshakeFailed") == 1);
      CHECK(stage.asker.last("HandshakeFailed").failed_with(Errc::handshake_timeout));
      CHECK(reason(stage.asker.transport().authorise(id, Verdict::admit)) == "unknown_connection");
      settle({&stage.server, &stage.client});
      CHECK(stage.client.last("SendFailed").token == token);
      CHECK(stage.server.count("Message") == 0);
    }
  }
}

TEST_CASE("A connection that waits for its host can be closed, aborted and paused") {
  for (const ProtocolVersion version : kVersions) {
    for (const bool abort : {true, false}) {
      CAPTURE(to_string(version), abort);
      Stage stage(version, true);
      stage.send(1);
      const ConnectionId id = stage.wait_for_question();
      REQUIRE((abort ? stage.server.transport().abort(id) : stage.server.transport().close(id)));
      stage.until([&] {
        return stage.server.count("HandshakeFailed") == 1 && stage.client.count("SendFailed") == 1;
      });
      CHECK(stage.server.last("HandshakeFailed")
                .failed_with(abort ? Errc::connection_aborted : Errc::connection_closed));
      CHECK(stage.server.count("Message") == 0);
    }
    Stage stage(version, true);
    stage.send(1);
    const ConnectionId id = stage.wait_for_question();
    REQUIRE(stage.server.transport().pause(id));
    REQUIRE(stage.server.transport().authorise(id, Verdict::admit));
    settle({&stage.server, &stage.client});
    CHECK(stage.server.count("Connected") == 1);
    CHECK(stage.server.count("Message") == 0);
    REQUIRE(stage.server.transport().resume(id));
    stage.until([&] { return stage.server.count("Message") == 1; });
    stage.send(2);
    stage.until([&] { return stage.server.count("Message") == 2; });
  }
}

TEST_CASE("A peer that goes away while its verdict is awaited makes nobody spin") {
  for (const Verdict verdict : {Verdict::admit, Verdict::refuse}) {
    for (const bool reset : {true, false}) {
      CAPTURE(static_cast<int>(verdict), reset);
      Host server;
      const Endpoint at =
          server.listen(world().context(world().alpha.leaf, asking(ProtocolVersion::tls1_3)));
      RawTlsClient client(at, world().context(world().beta));
      run_until({&server}, [&] {
        client.step();
        return server.count("AuthorisePeer") == 1;
      });
      if (reset) {
        client.peer().reset();
      } else {
        client.peer().end();
      }
      settle({&server});
      CHECK_FALSE(is_readable(server));
      const ConnectionId id = server.last("AuthorisePeer").connection;
      REQUIRE(server.transport().authorise(id, verdict));
      run_until({&server}, [&] { return server.transport().connection_count() == 0; });
      settle({&server});
      const std::string end = server.seen.back().kind;
      CHECK(end == (verdict == Verdict::admit ? "Closed" : "HandshakeFailed"));
    }
  }
}

TEST_CASE("Answers that nobody asked for are refused") {
  Stage stage(ProtocolVersion::tls1_3, true);
  stage.send(1);
  const ConnectionId id = stage.wait_for_question();
  TlsTransport& transport = stage.server.transport();
  CHECK(reason(transport.complete_signature(id, octets("x"))) == "invalid_argument");
  CHECK(reason(transport.authorise(ConnectionId{7}, Verdict::admit)) == "unknown_connection");
  CHECK(reason(transport.complete_signature(ConnectionId{7}, octets("x"))) == "unknown_connection");
  const ConnectionId at_client =
      stage.client.transport().connect(target(stage.at, stage.client_context)).value();
  CHECK(reason(stage.client.transport().authorise(at_client, Verdict::refuse)) ==
        "invalid_argument");
  // From another thread it is dropped.
  const Sender sender = transport.sender();
  REQUIRE(sender.authorise(ConnectionId{7}, Verdict::refuse));
  REQUIRE(sender.complete_signature(id, octets("x")));
  settle({&stage.server, &stage.client});
  CHECK(stage.server.count("HandshakeFailed") == 0);
  REQUIRE(transport.authorise(id, Verdict::admit));
  stage.until([&] { return stage.server.count("Message") == 1; });
}

TEST_CASE("A key that is held elsewhere signs when its holder gets to it") {
  enum class When { at_once, later, by_sender };
  for (const ProtocolVersion version : kVersions) {
    for (const bool server_signs : {true, false}) {
      for (const When when : {When::at_once, When::later, When::by_sender}) {
        CAPTURE(to_string(version), server_signs, static_cast<int>(when));
        const Entity& entity = server_signs ? world().alpha.leaf : world().beta;
        const TlsContext with_key = make_context(external(entity, policy_of(version)));
        Host server;
        Host client;
        Host& signer = server_signs ? server : client;
        const Endpoint at = server.listen(
            server_signs ? with_key : world().context(world().alpha.leaf, policy_of(version)));
        const TlsContext client_context =
            server_signs ? world().context(world().beta, policy_of(version)) : with_key;
        signer.on_event = [&](const Event&, const Seen& seen) {
          if (seen.kind != "SignatureWanted" || when != When::at_once) return;
          REQUIRE(
              signer.transport().complete_signature(seen.connection, sign(entity, *seen.request)));
        };
        REQUIRE(client.transport().send(target(at, client_context), octets(options_request(1))));
        run_until({&server, &client}, [&] { return signer.count("SignatureWanted") == 1; });
        const Seen wanted = signer.last("SignatureWanted");
        CHECK(wanted.request->key_id ==
              (server_signs ? "key of alpha.example" : "key of beta.example"));
        CHECK(wanted.request->scheme == 0x0403);
        if (when != When::at_once) {
          settle({&server, &client});
          CHECK(signer.count("Connected") == 0);
          CHECK(reason(signer.transport().authorise(wanted.connection, Verdict::admit)) ==
                "invalid_argument");
        }
        if (when == When::later) {
          REQUIRE(signer.transport().complete_signature(wanted.connection,
                                                        sign(entity, *wanted.request)));
        }
        if (when == When::by_sender) {
          const Sender sender = signer.transport().sender();
          std::thread([&] {
            const auto signature = sign(entity, *wanted.request);
            static_cast<void>(sender.complete_signature(wanted.connection, signature));
          }).join();
        }
        run_until({&server, &client}, [&] { return server.count("Message") == 1; });
        CHECK(signer.count("SignatureWanted") == 1);
        CHECK(kinds(signer).starts_with("SignatureWanted Connected"));
      }
    }
  }
}

TEST_CASE("Without a signature, or with a wrong one, there is no connection") {
  for (const ProtocolVersion version : kVersions) {
    for (const bool empty : {true, false}) {
      CAPTURE(to_string(version), empty);
      Host server;
      Host client;
      const TlsContext context = make_context(external(world().alpha.leaf, policy_of(version)));
      const Endpoint at = server.listen(context);
      server.on_event = [&](const Event&, const Seen& seen) {
        if (seen.kind != "SignatureWanted") return;
        const auto signature = empty ? std::vector<std::byte>() : sign(world().beta, *seen.request);
        REQUIRE(server.transport().complete_signature(seen.connection, signature));
      };
      REQUIRE(client.transport().send(target(at, world().context(world().beta)),
                                      octets(options_request(1))));
      run_until({&server, &client}, [&] {
        return server.count("HandshakeFailed") == 1 && client.count("HandshakeFailed") == 1;
      });
      if (empty) {
        CHECK(server.last("HandshakeFailed").failed_with(Errc::signature_unavailable));
      }
      CHECK(client.last("SendFailed").delivery == Delivery::none);
      CHECK(client.count("Connected") + server.count("Connected") == 0);
    }
  }
}

TEST_CASE("A host can be asked for a verdict and for a signature in one handshake") {
  for (const ProtocolVersion version : kVersions) {
    CAPTURE(to_string(version));
    Host server;
    Host client;
    const Endpoint at = server.listen(make_context(external(world().alpha.leaf, asking(version))));
    const auto answer = [](Host& host, const Entity& entity) {
      host.on_event = [&host, entity](const Event&, const Seen& seen) {
        if (seen.kind == "AuthorisePeer") {
          REQUIRE(host.transport().authorise(seen.connection, Verdict::admit));
        } else if (seen.kind == "SignatureWanted") {
          REQUIRE(
              host.transport().complete_signature(seen.connection, sign(entity, *seen.request)));
        }
      };
    };
    answer(server, world().alpha.leaf);
    answer(client, world().beta);
    const TlsContext context = make_context(external(world().beta, asking(version)));
    REQUIRE(client.transport().send(target(at, context), octets(options_request(1))));
    run_until({&server, &client}, [&] { return server.count("Message") == 1; });
    CHECK(kinds(server) == "SignatureWanted AuthorisePeer Connected Message");
    CHECK(kinds(client) == "AuthorisePeer SignatureWanted Connected");
  }
}
