// Scenarios with questions, other threads, listeners, contexts that change, and raw peers.
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <thread>

#include "catch.hpp"
#include "transport/fault_scenarios.hpp"
#include "transport/raw_peer.hpp"

namespace siptls_test {
namespace {

using namespace siptls;
using std::chrono::seconds;

// A P-256 key's answer to ecdsa_secp256r1_sha256.
std::vector<std::byte> sign(const demo_pki::Entity& entity, const SignatureRequest& request) {
  const std::string pem = entity.private_key_pem();
  const bssl::UniquePtr<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const bssl::UniquePtr<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  bssl::ScopedEVP_MD_CTX digest;
  std::size_t size = 128;
  std::vector<std::byte> signature(size);
  const auto* in = reinterpret_cast<const std::uint8_t*>(request.input.data());
  EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, key.get());
  EVP_DigestSign(digest.get(), reinterpret_cast<std::uint8_t*>(signature.data()), &size, in,
                 request.input.size());
  signature.resize(size);
  return signature;
}

// The way back is gone, and another one leads to a listener of the client.
void respond_elsewhere(FaultStage& stage) {
  start_usual(stage);
  const TlsContext& both_ways = fault_contexts().client;
  const auto back = stage.client().listen(both_ways);
  if (!back) return;
  ConnectionId asked = ConnectionId::none;
  stage.server().on_event = [&](Party&, const Event& event) {
    if (const auto* message = std::get_if<Message>(&event)) asked = message->connection;
  };
  stage.client().send(stage.target());
  stage.until([&] { return asked != ConnectionId::none; });
  stage.client().abort(stage.client().last("Connected"));
  stage.until([&] { return stage.server().count("Closed") == 1; });
  ResponseFallback fallback;
  fallback.remotes = {stage.at, *back};  // the first one is not who is wanted
  fallback.sent_by = "beta.example";
  fallback.context = fault_contexts().server;
  stage.server().respond(asked, fallback);
  expect(stage, stage.until([&] { return stage.client().count("Message") == 1; }), "the response");
  fallback.remotes = {stage.at};
  stage.server().close(stage.server().last("Connected"));
  stage.until([&] { return stage.server().count("Closed") == 2; });
  stage.server().respond(asked, fallback);
  expect(stage, stage.until([&] { return stage.server().count("SendFailed") == 1; }),
         "a response that nobody may get");
}

void resumption(FaultStage& stage) {
  static const TlsContext server = [] {
    TlsPolicy policy = TlsPolicy::modern();
    policy.resumption = Resumption::tickets;
    TlsContextConfig config = world().config(world().alpha.leaf, policy);
    auto ring = TicketKeyRing::create();
    REQUIRE(ring);
    config.ticket_keys = *ring;
    return make_context(config);
  }();
  TlsPolicy policy = TlsPolicy::modern();
  policy.resumption = Resumption::tickets;
  stage.start(server, world().context(world().beta, policy));
  answer_each_request(stage.server());
  for (std::size_t i = 1; i <= 3; ++i) {
    stage.client().send(stage.target(), 1, kTold);
    expect(stage, stage.until([&] { return stage.client().count("Message") == i; }), "an answer");
    stage.client().close(stage.client().last("Connected"));
    stage.until([&] { return stage.client().count("Closed") >= i; });
  }
}

void contexts_change(FaultStage& stage) {
  static const TlsContext narrow = [] {
    TlsContextConfig config = world().config(world().alpha.leaf);
    config.allowed_peers = {"gamma.example"};
    return make_context(config);
  }();
  start_usual(stage);
  TlsTransport& server = stage.server().transport();
  stage.client().send(stage.target(), 1, kTold);
  stage.until([&] { return stage.client().count("Message") == 1; });
  stage.client().send(stage.target(), 20'000, kTold);
  static_cast<void>(server.update(stage.server().listener, fault_contexts().server_again));
  static_cast<void>(server.reverify(1));
  expect(stage, stage.until([&] { return stage.client().count("Message") == 2; }),
         "an answer after an update");
  stage.client().send(stage.target(), 1, kTold);
  static_cast<void>(server.update(stage.server().listener, narrow));
  static_cast<void>(server.reverify(2));
  expect(stage, stage.until([&] {
    return stage.server().count("Closed") == 1 && stage.client().count("Closed") == 1;
  }),
         "the end of a connection whose peer is not allowed any more");
  // TLS 1.3 tells a client too late: after Connected, by an alert.
  stage.client().send(stage.target(), 1, kTold);
  expect(stage, stage.until([&] {
    return stage.server().count("HandshakeFailed") == 1 && stage.client().count("Closed") == 2 &&
           stage.client().count("HandshakeFailed") == 1 && stage.client().count("SendFailed") == 1;
  }),
         "the refusal of a new one");
}

void strangers(FaultStage& stage) {
  stage.start(fault_contexts().server, fault_contexts().stranger);
  for (int i = 0; i < 4; ++i) stage.client().send(stage.target(), 3000, kTold);
  expect(stage, stage.until([&] {
    return stage.server().count("HandshakeFailed") == 1 && stage.client().count("SendFailed") == 4;
  }),
         "a refusal, and four messages that come back");
}

void authorisation(FaultStage& stage) {
  static const TlsContext asking = [] {
    TlsPolicy policy = TlsPolicy::modern();
    policy.authorise = PeerAuthorisation::host;
    return world().context(world().alpha.leaf, policy);
  }();
  stage.start(asking, fault_contexts().client);
  answer_each_request(stage.server());
  for (int i = 0; i < 3; ++i) stage.client().send(stage.target(), 1, kTold);
  expect(stage, stage.until([&] { return stage.server().count("AuthorisePeer") == 1; }),
         "a question");
  stage.settle();
  const auto verdict = [&](Verdict which) {
    static_cast<void>(
        stage.server().transport().authorise(stage.server().last("AuthorisePeer"), which));
  };
  verdict(Verdict::admit);
  expect(stage, stage.until([&] { return stage.client().count("Message") == 3; }), "3 answers");
  stage.client().close(stage.client().last("Connected"));
  stage.until([&] { return stage.client().count("Closed") == 1; });
  stage.client().send(stage.target(), 1, kTold);
  stage.until([&] { return stage.server().count("AuthorisePeer") == 2; });
  verdict(Verdict::refuse);
  expect(stage, stage.until([&] { return stage.client().count("SendFailed") == 1; }), "a refusal");
  // Nobody answers this one.
  stage.client().send(stage.target(), 1, kTold);
  expect(stage, stage.until([&] { return stage.client().count("SendFailed") == 2; }), "a deadline");
}

void signatures(FaultStage& stage) {
  static const TlsContext external = [] {
    TlsContextConfig config = world().config(world().alpha.leaf);
    auto credentials = Credentials::from_external_key("a key", world().alpha.leaf.chain_pem());
    REQUIRE(credentials);
    config.credentials = *credentials;
    return make_context(config);
  }();
  stage.start(external, fault_contexts().client);
  stage.server().on_event = [](Party& self, const Event& event) {
    if (const auto* wanted = std::get_if<SignatureWanted>(&event)) {
      static_cast<void>(self.transport().complete_signature(
          wanted->connection, sign(world().alpha.leaf, wanted->request)));
    } else if (const auto* message = std::get_if<Message>(&event)) {
      self.respond(message->connection);
    }
  };
  for (int i = 0; i < 3; ++i) stage.client().send(stage.target(), 1, kTold);
  expect(stage, stage.until([&] { return stage.client().count("Message") == 3; }), "3 answers");
}

// What another thread hands over through a Sender.
void other_thread(FaultStage& stage) {
  start_usual(stage);
  stage.client().send(stage.target());
  stage.until([&] { return stage.client().count("Message") == 1; });
  const ConnectionId connection = stage.client().last("Connected");
  struct Sent {
    std::string text;
    std::optional<SendToken> token;
    bool to_target = false;
  };
  std::vector<Sent> sent;
  for (int i = 0; i < 12; ++i) {
    sent.push_back({message_text(stage.invariants().next_number(), false, 100), {}, i % 3 == 0});
  }
  const Sender sender = stage.client().transport().sender();
  const Target target = stage.target();
  stage.invariants().targeted(2, target.remotes);
  std::thread other([&] {
    for (Sent& one : sent) {
      const auto token = one.to_target ? sender.send(target, octets(one.text), kTold)
                                       : sender.send(connection, octets(one.text), kTold);
      if (token) one.token = *token;
    }
    static_cast<void>(sender.post(7));
  });
  other.join();
  for (Sent& one : sent) {
    if (!one.token) continue;
    stage.invariants().accepted(2, *one.token, ConnectionId::none, one.text,
                                Invariants::Wants::always, 1);
  }
  expect(stage, stage.until([&] { return stage.client().count("Message") == 13; }), "13 answers");
  expect(stage, stage.until([&] { return stage.client().count("Posted") == 1; }), "Posted");
}

void connection_limit(FaultStage& stage) {
  TransportLimits limits;
  limits.max_connections = 2;
  limits.idle_timeout = seconds(20);
  start_usual(stage, {}, limits);
  // Two of the server's own kind, and one that has to wait: it comes from a raw peer.
  stage.client().send(stage.target(), 1, kTold);
  Target other = stage.target();
  other.context = fault_contexts().client12;
  stage.client().send(other, 1, kTold);
  stage.until([&] { return stage.client().count("Message") == 2; });
  stage.invariants().expect_strangers();
  std::optional<RawTlsClient> third;
  {
    const Unfaulted by_hand;
    third.emplace(stage.at, fault_contexts().client);
  }
  stage.settle();
  expect(stage, stage.server().count("ListenerPaused") >= 1, "ListenerPaused");
  stage.client().close(stage.client().last("Connected"));
  for (int i = 0; i < 6; ++i) {
    stage.settle();
    const Unfaulted by_hand;
    third->step();
  }
  expect(stage, stage.server().count("ListenerResumed") >= 1, "ListenerResumed");
  expect(stage, stage.server().count("Connected") == 3, "the third connection");
  const Unfaulted by_hand;
  third.reset();
}

void listeners_come_and_go(FaultStage& stage) {
  start_usual(stage);
  stage.client().send(stage.target(), 1, kTold);
  stage.until([&] { return stage.client().count("Message") == 1; });
  static_cast<void>(stage.server().transport().stop_listening(stage.server().listener));
  stage.client().send(stage.target(), 1, kTold);
  const auto again = stage.server().listen(fault_contexts().server_again);
  if (!again) return;
  stage.client().send(siptls_test::target(*again, fault_contexts().client), 1, kTold);
  expect(stage, stage.until([&] { return stage.client().count("Message") == 3; }), "3 answers");
}

// A peer ends its half inside a message, or behind one; another is gone by a reset.
void raw_ends(FaultStage& stage) {
  start_usual(stage);
  stage.invariants().expect_strangers();
  const std::string text = message_text(1'000'000, false, 50);
  for (int kind = 0; kind < 3; ++kind) {
    std::optional<RawTlsClient> peer;
    {
      const Unfaulted by_hand;
      peer.emplace(stage.at, fault_contexts().client);
    }
    for (int i = 0; i < 4; ++i) {
      stage.settle();
      const Unfaulted by_hand;
      peer->step();
    }
    const ConnectionId connection = stage.server().last("Connected");
    stage.server().send(connection, 500, kTold);
    {
      const Unfaulted by_hand;
      if (peer->session().state() == SessionState::established) {
        peer->send(kind == 0 ? text.substr(0, 80) : text);
      }
      kind == 2 ? peer->peer().reset() : peer->peer().end();
    }
    stage.settle();
    const Unfaulted by_hand;
    peer.reset();
  }
  expect(stage, stage.until([&] { return stage.server().count("Closed") == 3; }), "3 ends");
}

// A connection runs out, and what is for the same target goes on another.
void runs_out(FaultStage& stage) {
  start_usual(stage);
  stage.client().send(stage.target(), 1, kTold);
  stage.until([&] { return stage.client().count("Message") == 1; });
  const ConnectionId old = stage.client().last("Connected");
  const MonoTime deadline = stage.clock().now().mono + seconds(20);
  static_cast<void>(stage.client().transport().drain(old, deadline));
  stage.client().send(stage.target(), 1, kTold);
  expect(stage, stage.until([&] { return stage.client().count("Message") == 2; }), "an answer");
  expect(stage, stage.client().count("Connected") == 2, "another connection");
  expect(stage, stage.until([&] { return stage.client().count("Closed") == 1; }), "the deadline");
  stage.server().transport().drain_all(stage.clock().now().mono + seconds(5));
  expect(stage, stage.until([&] { return stage.client().count("Closed") == 2; }), "the other end");
}

// Through a load balancer: a peer that it names, its own health checks, and one that speaks
// wrongly.
void behind_balancer(FaultStage& stage) {
  start_usual(stage);
  stage.invariants().expect_strangers();
  const auto behind = stage.server().listen(fault_contexts().server, [](ListenOptions& options) {
    options.proxy = ProxyProtocol::either;
    options.proxy_sources = {*AddressRange::parse("127.0.0.0/8")};
  });
  if (!behind) return;
  const std::string local("\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00", 16);
  for (const std::string& header : {std::string(), local, std::string("no PROXY header")}) {
    std::optional<RawPeer> check;
    {
      const Unfaulted by_hand;
      check.emplace(RawPeer::connect(*behind));
      check->write(header);
    }
    stage.settle();
    {
      const Unfaulted by_hand;
      header.empty() ? check->reset() : check->end();
    }
    stage.settle();
    const Unfaulted by_hand;
    check.reset();
  }
  expect(stage, stage.server().transport().metrics().health_checks == 2, "two health checks");
  expect(stage, stage.server().count("HandshakeFailed") == 1, "a header that is none");
  std::optional<RawTlsClient> peer;
  {
    const Unfaulted by_hand;
    peer.emplace(*behind, fault_contexts().client, "alpha.example", SessionOptions{},
                 "PROXY TCP4 192.0.2.1 192.0.2.2 40000 5061\r\n");
  }
  const auto step = [&] {
    stage.settle();
    const Unfaulted by_hand;
    peer->step();
    return peer->session().state() == SessionState::established;
  };
  for (int i = 0; i < 6; ++i) {
    if (!step() || i != 3) continue;
    const Unfaulted by_hand;
    peer->send(message_text(1'000'000, false, 50));
  }
  expect(stage, stage.server().count("Message") == 1, "a request");
  expect(stage, peer->plaintext.starts_with("SIP/2.0 200 OK"), "an answer");
  {
    const Unfaulted by_hand;
    peer.reset();
  }
  expect(stage, stage.until([&] { return stage.server().count("Closed") == 1; }), "its end");
}

// A flow that pings: answered, paused, resumed, and at last not answered any more.
void flow(FaultStage& stage) {
  start_usual(stage);
  Target pinging = stage.target();
  pinging.keep_alive = KeepAliveOptions{seconds(30), seconds(10)};
  stage.client().send(pinging, 1, kTold);
  const auto pongs = [&] { return stage.client().count("KeepAlive"); };
  expect(stage, stage.until([&] { return pongs() == 1 || stage.client().count("Closed") > 0; }),
         "a pong");
  expect(stage, pongs() == 1 && stage.client().count("Message") == 1, "an answer and a pong");
  const ConnectionId connection = stage.client().last("Connected");
  TlsTransport& client = stage.client().transport();
  static_cast<void>(client.pause(connection));
  // As far as the server: nobody reads its pong.
  const std::size_t pings = stage.server().count("KeepAlive");
  expect(stage, stage.until([&] {
    return stage.server().count("KeepAlive") > pings || stage.server().count("Closed") > 0;
  }),
         "a ping of a paused flow");
  static_cast<void>(client.resume(connection));
  expect(stage, stage.until([&] { return pongs() == 2 || stage.client().count("Closed") > 0; }),
         "its pong");
  static_cast<void>(stage.server().transport().pause(stage.server().last("Connected")));
  expect(stage, stage.until([&] { return stage.client().count("Closed") == 1; }), "its end");
  expect(stage, stage.client().count("FlowFailed") == 1, "FlowFailed");
}

// The kernel has no memory for sockets, for a while.
void no_buffers(FaultStage& stage) {
  start_usual(stage);
  stage.client().send(stage.target(), 1, kTold);
  stage.until([&] { return stage.client().count("Message") == 1; });
  stage.plan().no_buffers = true;
  stage.client().send(stage.target(), 20'000, kTold);
  stage.client().send(stage.target(), 1, {stage.clock().now().mono + seconds(1), Report::always});
  const auto ticks = [&](int count) {
    for (int i = 0; i < count; ++i) {
      stage.settle();
      stage.clock().fire_earliest_timer();
    }
  };
  ticks(3);
  stage.plan().no_buffers = false;
  expect(stage, stage.until([&] { return stage.client().count("Message") == 3; }), "3 answers");
  stage.plan().no_buffers = true;
  const ConnectionId connection = stage.server().last("Connected");
  stage.server().send(connection, 20'000, kTold);
  // Its last words are lacking memory as well.
  stage.client().send_text(stage.client().last("Connected"), "no SIP\r\n");
  stage.server().close(connection);
  ticks(3);
  stage.plan().no_buffers = false;
  expect(stage, stage.until([&] {
    return stage.client().count("Closed") == 1 && stage.server().count("Closed") == 1;
  }),
         "the end on both sides");
  expect(stage, stage.client().count("Message") == 4, "what was sent before the end");
}

}  // namespace

std::vector<Scenario> more_scenarios() {
  return {{"respond elsewhere", respond_elsewhere},
          {"resumption", resumption},
          {"contexts change", contexts_change},
          {"strangers", strangers},
          {"authorisation", authorisation},
          {"signatures", signatures},
          {"another thread", other_thread},
          {"connection limit", connection_limit},
          {"listeners come and go", listeners_come_and_go},
          {"runs out", runs_out},
          {"raw ends", raw_ends},
          {"behind a balancer", behind_balancer},
          {"flow", flow},
          {"no buffers", no_buffers}};
}

}  // namespace siptls_test
