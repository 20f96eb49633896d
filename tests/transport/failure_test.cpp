// What goes wrong, seen from both ends; and that nothing else suffers from it.
#include <poll.h>

#include "catch.hpp"
#include "transport/harness.hpp"
#include "transport/raw_peer.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

using demo_pki::Entity;

TlsPolicy only(ProtocolVersion version) {
  TlsPolicy policy = TlsPolicy::modern();
  policy.min_version = policy.max_version = version;
  return policy;
}

Entity leaf(const demo_pki::CertificateSpec& spec) {
  return Entity::issued_by(world().alpha.intermediates.front(), spec);
}

Entity expired(const std::string& name) {
  demo_pki::CertificateSpec spec = demo_pki::sip_spec(name);
  spec.not_after = demo_pki::Time(std::chrono::seconds(1735689600));  // 2025-01-01
  return leaf(spec);
}

Entity not_yet_valid(const std::string& name) {
  demo_pki::CertificateSpec spec = demo_pki::sip_spec(name);
  spec.not_before = demo_pki::Time(std::chrono::seconds(4070908800));  // 2099-01-01
  return leaf(spec);
}

// A good client is served as if nothing had happened.
void check_still_serving(Host& server, const Endpoint& at, const TlsPolicy& policy) {
  answer_requests(server);
  Host client;
  REQUIRE(client.transport().send(target(at, world().context(world().beta, policy)),
                                  octets(options_request(1))));
  run_until({&server, &client}, [&] { return client.count("Message") == 1; });
  server.on_event = nullptr;
}

}  // namespace

TEST_CASE("A peer that cannot prove itself is refused, and both ends know why") {
  enum class Side { client, server };
  struct Row {
    const char* what;
    Entity server_identity;
    Entity client_identity;
    const char* domain;
    Side judge;  // who refuses
    Errc reason;
    Alert alert;  // what the other one sees
  };
  const World& w = world();
  const Row rows[] = {
      {"the server's CA is unknown", w.stranger, w.beta, "alpha.example", Side::client,
       Errc::unknown_ca, Alert::unknown_ca},
      {"the client's CA is unknown", w.alpha.leaf, w.stranger, "alpha.example", Side::server,
       Errc::unknown_ca, Alert::unknown_ca},
      {"the server's certificate has expired", expired("alpha.example"), w.beta, "alpha.example",
       Side::client, Errc::certificate_expired, Alert::certificate_expired},
      {"the client's certificate has expired", w.alpha.leaf, expired("beta.example"),
       "alpha.example", Side::server, Errc::certificate_expired, Alert::certificate_expired},
      {"the server's certificate is not yet valid", not_yet_valid("alpha.example"), w.beta,
       "alpha.example", Side::client, Errc::certificate_not_yet_valid, Alert::certificate_expired},
      {"the client's certificate is not yet valid", w.alpha.leaf, not_yet_valid("beta.example"),
       "alpha.example", Side::server, Errc::certificate_not_yet_valid, Alert::certificate_expired},
      {"the server is somebody else", w.alpha.leaf, w.beta, "gamma.example", Side::client,
       Errc::identity_mismatch, Alert::bad_certificate},
  };
  for (const ProtocolVersion version : {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3}) {
    for (const Row& row : rows) {
      CAPTURE(row.what, to_string(version));
      Host server;
      Host client;
      const TlsPolicy policy = only(version);
      const Endpoint at = server.listen(w.context(row.server_identity, policy));
      const auto token =
          client.transport().send(target(at, w.context(row.client_identity, policy), row.domain),
                                  octets(options_request(1)));
      REQUIRE(token);
      run_until({&server, &client}, [&] {
        return client.count("HandshakeFailed") == 1 && server.count("HandshakeFailed") == 1;
      });
      Host& judge = row.judge == Side::client ? client : server;
      Host& judged = row.judge == Side::client ? server : client;
      const Error ours = *judge.last("HandshakeFailed").error;
      const Error theirs = *judged.last("HandshakeFailed").error;
      CHECK(to_string(ours.reason()) == to_string(row.reason));
      CHECK(ours.category() == Category::certificate);
      CHECK_FALSE(ours.evidence().empty());
      CHECK(ours.alert() == row.alert);
      CHECK(to_string(theirs.reason()) == "peer_rejected_certificate");
      CHECK(theirs.alert() == row.alert);
      // The message was not delivered, and the host is told so.
      REQUIRE(client.count("SendFailed") == 1);
      CHECK(client.last("SendFailed").token == *token);
      const bool already_written = client.count("Connected") == 1;
      CHECK(already_written == (version == ProtocolVersion::tls1_3 && row.judge == Side::server));
      CHECK(client.last("SendFailed").delivery ==
            (already_written ? Delivery::refused : Delivery::none));
      CHECK(client.count("Closed") == client.count("Connected"));
      CHECK(server.count("Message") == 0);
      CHECK(server.count("Connected") == 0);
      if (row.judge == Side::server) check_still_serving(server, at, policy);
    }
  }
}

TEST_CASE("A client refused after it has sent gets its messages back, in order") {
  Host server;
  Host client;
  const Endpoint at = server.listen(world().context(world().alpha.leaf));
  const TlsContext context = world().context(world().stranger);
  std::vector<SendToken> tokens;
  client.on_event = [&](const Event&, const Seen& seen) {
    if (seen.kind != "Connected") return;
    for (unsigned i = 1; i <= 5; ++i) {
      const auto token = client.transport().send(seen.connection, octets(options_request(i)));
      REQUIRE(token);
      tokens.push_back(*token);
    }
  };
  REQUIRE(client.transport().connect(target(at, context)));
  run_until({&server, &client}, [&] { return client.count("Closed") == 1; });
  std::string order;
  for (const Seen& one : client.seen) order += one.kind + " ";
  CHECK(order ==
        "Connected SendFailed SendFailed SendFailed SendFailed SendFailed HandshakeFailed Closed ");
  const auto failed = client.all("SendFailed");
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    CHECK(failed[i].token == tokens[i]);
    CHECK(failed[i].delivery == Delivery::refused);
    CHECK(failed[i].bytes_written == options_request(static_cast<unsigned>(i + 1)).size());
  }
  CHECK(server.count("Message") == 0);
}

TEST_CASE("A client without a certificate is refused where one is required") {
  for (const ProtocolVersion version : {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3}) {
    CAPTURE(to_string(version));
    const TlsPolicy policy = only(version);
    Host server;
    Host client;
    const Endpoint at = server.listen(world().context(world().alpha.leaf, policy));
    TlsContextConfig config;
    config.trust = world().trust();
    config.policy = policy;
    const auto context = TlsContext::create(config);
    REQUIRE(context);
    REQUIRE(client.transport().connect(target(at, *context)));
    run_until({&server, &client}, [&] {
      return client.count("HandshakeFailed") == 1 && server.count("HandshakeFailed") == 1;
    });
    CHECK(server.last("HandshakeFailed").failed_with(Errc::certificate_missing));
    const Error seen = *client.last("HandshakeFailed").error;
    CHECK(seen.category() == Category::peer_alert);
    CHECK(seen.alert() == server.last("HandshakeFailed").error->alert());
    check_still_serving(server, at, policy);
  }
}

TEST_CASE("A server that only asks for a certificate serves a client without one, unproven") {
  TlsPolicy policy = TlsPolicy::modern();
  policy.client_certificate = ClientCertificate::requested;
  Host server;
  Host client;
  const Endpoint at = server.listen(world().context(world().alpha.leaf, policy));
  answer_requests(server);
  TlsContextConfig config;
  config.trust = world().trust();
  const auto context = TlsContext::create(config);
  REQUIRE(context);
  REQUIRE(client.transport().send(target(at, *context), octets(options_request(1))));
  run_until({&server, &client}, [&] { return client.count("Message") == 1; });
  CHECK_FALSE(server.last("Connected").peer->authenticated());
  CHECK(client.last("Connected").peer->authenticated());

  // One that comes with a certificate must prove it all the same.
  REQUIRE(client.transport().connect(target(at, world().context(world().stranger))));
  run_until({&server, &client}, [&] { return server.count("HandshakeFailed") == 1; });
  CHECK(server.last("HandshakeFailed").failed_with(Errc::unknown_ca));
}

TEST_CASE("A proven peer that is not on the allow-list is refused") {
  TlsContextConfig config;
  config.credentials = world().credentials(world().alpha.leaf);
  config.trust = world().trust();
  config.allowed_peers = {"gamma.example"};
  const auto context = TlsContext::create(config);
  REQUIRE(context);
  Host server;
  Host client;
  const Endpoint at = server.listen(*context);
  REQUIRE(client.transport().connect(target(at, world().context(world().beta))));
  run_until({&server, &client}, [&] {
    return server.count("HandshakeFailed") == 1 && client.count("HandshakeFailed") == 1;
  });
  CHECK(server.last("HandshakeFailed").failed_with(Errc::identity_not_allowed));
  CHECK(client.last("HandshakeFailed").failed_with(Errc::peer_denied_access));
  CHECK(client.last("HandshakeFailed").error->alert() == Alert::access_denied);
}

TEST_CASE("Peers without a common version or suite are told apart") {
  Host server;
  const Endpoint at = server.listen(world().context(world().alpha.leaf));

  // A ClientHello of TLS 1.1 with one suite and no extensions.
  std::string hello("\x03\x02", 2);
  hello += std::string(32, 'r') + std::string("\0", 1) + std::string("\0\x02\xc0\x13", 4) +
           std::string("\x01\0", 2);
  std::string handshake("\x01\0\0", 3);
  handshake += static_cast<char>(hello.size());
  handshake += hello;
  std::string record("\x16\x03\x01\0", 4);
  record += static_cast<char>(handshake.size());
  record += handshake;
  RawPeer old = RawPeer::connect(at);
  old.write(record);
  run_until({&server}, [&] { return old.poll(), old.ended; });
  const Error& version = *server.last("HandshakeFailed").error;
  CHECK(to_string(version.reason()) == "protocol_version_unsupported");
  CHECK(version.evidence().find("1.1") != std::string::npos);
  CHECK(version.alert() == Alert::protocol_version);
  CHECK(old.plain_alert() == Alert::protocol_version);

  TlsPolicy one = only(ProtocolVersion::tls1_2);
  one.cipher_suites = {0xc02b};  // ECDHE-ECDSA-AES128-GCM
  TlsPolicy other = only(ProtocolVersion::tls1_2);
  other.cipher_suites = {0xc02c};  // ECDHE-ECDSA-AES256-GCM
  Host strict;
  Host client;
  const Endpoint strict_at = strict.listen(world().context(world().alpha.leaf, one));
  REQUIRE(client.transport().connect(target(strict_at, world().context(world().beta, other))));
  run_until({&strict, &client}, [&] {
    return strict.count("HandshakeFailed") == 1 && client.count("HandshakeFailed") == 1;
  });
  const Error& suite = *strict.last("HandshakeFailed").error;
  CHECK(to_string(suite.reason()) == "no_common_cipher_suite");
  CHECK(suite.evidence().find("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384") != std::string::npos);
  CHECK(client.last("HandshakeFailed").failed_with(Errc::peer_found_nothing_in_common));
  CHECK(client.last("HandshakeFailed").error->alert() == Alert::handshake_failure);
  check_still_serving(server, at, TlsPolicy::modern());
}

TEST_CASE("What is not TLS is recognised, by servers and by clients") {
  for (const char* garbage :
       {"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2p1\r\n", "\r\n\r\n\r\n\r\n"}) {
    CAPTURE(garbage);
    Host server;
    const Endpoint at = server.listen(world().context(world().alpha.leaf));
    RawPeer peer = RawPeer::connect(at);
    peer.write(garbage);
    run_until({&server}, [&] { return peer.poll(), peer.ended; });
    CHECK_FALSE(peer.was_reset);
    CHECK(to_string(server.last("HandshakeFailed").error->reason()) == "not_tls");
    check_still_serving(server, at, TlsPolicy::modern());

    RawServer plain;
    Host client;
    REQUIRE(client.transport().connect(target(plain.endpoint(), world().context(world().beta))));
    std::optional<RawPeer> accepted;
    run_until({&client}, [&] {
      if (!accepted) {
        accepted = plain.accept();
        if (accepted) accepted->write(garbage);
      }
      return client.count("HandshakeFailed") == 1;
    });
    CHECK(to_string(client.last("HandshakeFailed").error->reason()) == "not_tls");
  }
}

TEST_CASE("A peer that connects and says nothing is ended by the handshake deadline") {
  const auto clock = std::make_shared<ManualClock>(Clock::system()->now());
  TransportOptions options;
  options.clock = clock;
  Host server(options);
  const Endpoint at = server.listen(world().context(world().alpha.leaf));
  RawPeer silent = RawPeer::connect(at);
  run_until({&server}, [&] { return server.transport().connection_count() == 1; });
  clock->advance(std::chrono::milliseconds(9'900));
  server.take_events();
  CHECK(server.seen.empty());
  clock->advance(std::chrono::milliseconds(200));
  server.take_events();
  CHECK(server.last("HandshakeFailed").failed_with(Errc::handshake_timeout));
  run_until({&server}, [&] { return silent.poll(), silent.ended; });
  check_still_serving(server, at, TlsPolicy::modern());

  RawServer mute;
  Host client(options);
  REQUIRE(client.transport().send(target(mute.endpoint(), world().context(world().beta)),
                                  octets(options_request(1))));
  std::optional<RawPeer> accepted;
  run_until({&client}, [&] {
    if (!accepted) accepted = mute.accept();
    if (accepted) accepted->poll();
    return accepted && !accepted->received.empty();
  });
  clock->advance(std::chrono::seconds(11));
  client.take_events();
  CHECK(client.last("HandshakeFailed").failed_with(Errc::handshake_timeout));
  CHECK(client.last("SendFailed").failed_with(Errc::handshake_timeout));
}

TEST_CASE("An idle connection and an unfinished message have deadlines of their own") {
  const auto clock = std::make_shared<ManualClock>(Clock::system()->now());
  TransportOptions options;
  options.clock = clock;
  Host server(options);
  const Endpoint at = server.listen(world().context(world().alpha.leaf));
  const TlsContext context = world().context(world().beta);
  Host client(options);
  const auto idle = client.transport().connect(target(at, context));
  REQUIRE(idle);
  REQUIRE(client.transport().send(*idle, octets(options_request(1))));
  run_until({&server, &client}, [&] { return server.count("Message") == 1; });
  clock->advance(std::chrono::seconds(599));
  server.take_events();
  CHECK(server.count("Closed") == 0);
  clock->advance(std::chrono::seconds(2));
  server.take_events();
  CHECK(server.last("Closed").failed_with(Errc::idle_timeout));

  RawTlsClient slow(at, context);
  run_until({&server}, [&] { return slow.step(), server.count("Connected") == 2; });
  slow.send(options_request(1).substr(0, 40));
  settle({&server});
  clock->advance(std::chrono::seconds(19));
  slow.send(options_request(1).substr(40, 10));
  settle({&server});
  CHECK(server.count("Closed") == 1);
  clock->advance(std::chrono::seconds(2));
  server.take_events();
  REQUIRE(server.count("Closed") == 2);
  CHECK(server.last("Closed").failed_with(Errc::message_timeout));
  CHECK(server.last("Closed").truncated);
}

TEST_CASE("A peer that resets in any phase leaves the transport serving others") {
  for (const ProtocolVersion version : {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3}) {
    const TlsPolicy policy = only(version);
    Host server;
    const Endpoint at = server.listen(world().context(world().alpha.leaf, policy));
    const TlsContext context = world().context(world().beta, policy);

    {
      INFO("before the first octet");
      RawPeer peer = RawPeer::connect(at);
      run_until({&server}, [&] { return server.transport().connection_count() == 1; });
      peer.reset();
      run_until({&server}, [&] { return server.transport().connection_count() == 0; });
      CHECK(server.last("HandshakeFailed").failed_with(Errc::connection_reset));
    }
    {
      INFO("after the ClientHello");
      RawTlsClient peer(at, context);
      run_until({&server}, [&] { return peer.peer().poll(), !peer.peer().received.empty(); });
      peer.peer().reset();
      run_until({&server}, [&] { return server.count("HandshakeFailed") == 2; });
      CHECK(server.last("HandshakeFailed").failed_with(Errc::connection_reset));
    }
    {
      INFO("after the handshake");
      RawTlsClient peer(at, context);
      run_until({&server}, [&] { return peer.step(), server.count("Connected") == 1; });
      peer.peer().reset();
      run_until({&server}, [&] { return server.count("Closed") == 1; });
      CHECK(server.last("Closed").failed_with(Errc::connection_reset));
      CHECK(server.last("Closed").truncated);
    }
    {
      INFO("inside a message");
      RawTlsClient peer(at, context);
      run_until({&server}, [&] { return peer.step(), server.count("Connected") == 2; });
      peer.send(options_request(1) + "OPTIONS sip:alph");
      run_until({&server}, [&] { return server.count("Message") == 1; });
      peer.peer().reset();
      run_until({&server}, [&] { return server.count("Closed") == 2; });
      CHECK(server.last("Closed").failed_with(Errc::connection_reset));
    }
    check_still_serving(server, at, policy);
  }
}

TEST_CASE("A stream that is cut is not taken for one that ended") {
  Host server;
  const Endpoint at = server.listen(world().context(world().alpha.leaf));
  const TlsContext context = world().context(world().beta);
  const Now now = Clock::system()->now();
  {
    INFO("end of TCP without close_notify, between messages");
    RawTlsClient peer(at, context);
    run_until({&server}, [&] { return peer.step(), server.count("Connected") == 1; });
    peer.peer().end();
    run_until({&server}, [&] { return server.count("Closed") == 1; });
    CHECK(server.last("Closed").failed_with(Errc::truncated));
    CHECK(server.last("Closed").truncated);
    CHECK(server.count("PeerClosing") == 0);
  }
  {
    INFO("close_notify inside a message");
    RawTlsClient peer(at, context);
    run_until({&server}, [&] { return peer.step(), server.count("Connected") == 2; });
    peer.send(options_request(1).substr(0, 50));
    REQUIRE(peer.session().close(now));
    peer.step();
    run_until({&server}, [&] { return server.count("Closed") == 2; });
    CHECK(server.last("Closed").failed_with(Errc::truncated));
    CHECK(server.last("Closed").truncated);
    CHECK(server.count("PeerClosing") == 0);
  }
  {
    INFO("a message that no framer can end");
    RawTlsClient peer(at, context);
    run_until({&server}, [&] { return peer.step(), server.count("Connected") == 3; });
    peer.send(options_request(1) + "OPTIONS sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n" +
              options_request(2));
    run_until({&server}, [&] { return server.count("Closed") == 3; });
    CHECK(server.last("Closed").failed_with(Errc::invalid_content_length));
    CHECK(server.count("Message") == 1);
    run_until({&server}, [&] { return peer.step(), peer.peer().ended; });
    CHECK(peer.session().state() == SessionState::peer_closed);
  }
  check_still_serving(server, at, TlsPolicy::modern());
}

TEST_CASE("Messages on their way when a connection dies are each accounted for") {
  Host server;
  const Endpoint at = server.listen(world().context(world().alpha.leaf));
  Host client;
  const auto id = client.transport().connect(target(at, world().context(world().beta)));
  REQUIRE(id);
  run_until({&server, &client}, [&] { return server.count("Connected") == 1; });
  const ConnectionId at_server = server.last("Connected").connection;
  // An answer first, so that the client knows that it was accepted.
  REQUIRE(server.transport().send(at_server, octets(options_request(1))));
  run_until({&server, &client}, [&] { return client.count("Message") == 1; });
  REQUIRE(server.transport().pause(at_server));
  std::vector<SendToken> tokens;
  const std::string request = options_request(1, std::string(50'000, 'x'));
  for (;;) {
    const auto token = client.transport().send(*id, octets(request));
    if (!token) break;
    tokens.push_back(*token);
  }
  settle({&server, &client});
  REQUIRE(server.transport().abort(at_server));
  run_until({&server, &client}, [&] { return client.count("Closed") == 1; });
  const auto failed = client.all("SendFailed");
  REQUIRE_FALSE(failed.empty());
  REQUIRE(failed.size() <= tokens.size());
  // Those that are not reported had been acknowledged; the others come in the order of sending,
  // first what the kernel had, then what it had a part of, then what waited.
  int stage = 0;
  for (std::size_t i = 0; i < failed.size(); ++i) {
    CHECK(failed[i].token == tokens[tokens.size() - failed.size() + i]);
    const int now = failed[i].delivery == Delivery::unknown   ? 0
                    : failed[i].delivery == Delivery::partial ? 1
                                                              : 2;
    CHECK(now >= stage);
    stage = now;
    CHECK(failed[i].bytes_written <= request.size());
    CHECK((failed[i].delivery == Delivery::none) == (failed[i].bytes_written == 0 && now == 2));
  }
  CHECK(stage == 2);
  CHECK(client.seen.back().kind == "Closed");
}
