// What two parties do with each other while faults strike. Every step allows that it cannot be
// done: what must hold then is checked by the invariants. Without a fault each one must come to its
// end (expect()).
#include "transport/fault_scenarios.hpp"

#include "catch.hpp"

namespace siptls_test {

using namespace siptls;
using std::chrono::seconds;

const FaultContexts& fault_contexts() {
  static const FaultContexts contexts = [] {
    FaultContexts made{world().context(world().alpha.leaf), world().context(world().beta),
                       world().context(world().alpha.leaf),
                       world().context(world().beta, policy_of(ProtocolVersion::tls1_2)),
                       world().context(world().stranger)};
    return made;
  }();
  return contexts;
}

void expect(FaultStage& stage, bool fulfilled, const std::string& what) {
  if (!fulfilled && stage.plan().fault == nullptr && !stage.random_faults()) {
    stage.invariants().violated("without a fault it did not come to this: " + what);
  }
}

void start_usual(FaultStage& stage, const TransportLimits& client_limits,
                 const TransportLimits& server_limits) {
  stage.start(fault_contexts().server, fault_contexts().client, client_limits, server_limits);
  answer_each_request(stage.server());
}

const SendOptions kTold{std::nullopt, Report::always};

namespace {

void exchange(FaultStage& stage) {
  start_usual(stage);
  for (int i = 0; i < 3; ++i) stage.client().send(stage.target(), 10, kTold);
  expect(stage, stage.until([&] { return stage.client().count("Message") == 3; }), "3 answers");
  const ConnectionId connection = stage.client().last("Connected");
  stage.client().close(connection);
  expect(stage, stage.until([&] {
    return stage.client().count("Closed") == 1 && stage.server().count("Closed") == 1;
  }),
         "the end on both sides");
}

void exchange_in_tls12(FaultStage& stage) {
  stage.start(fault_contexts().server, fault_contexts().client12);
  answer_each_request(stage.server());
  for (int i = 0; i < 3; ++i) stage.client().send(stage.target());
  expect(stage, stage.until([&] { return stage.client().count("Message") == 3; }), "3 answers");
}

void pipelining(FaultStage& stage) {
  start_usual(stage);
  for (std::size_t i = 0; i < 30; ++i) stage.client().send(stage.target(), i * 31, kTold);
  stage.until([&] { return stage.server().count("Connected") == 1; });
  const ConnectionId back = stage.server().last("Connected");
  for (std::size_t i = 0; i < 20; ++i) stage.server().send(back, i * 77, kTold);
  expect(stage, stage.until([&] {
    return stage.client().count("Message") == 50 && stage.server().count("Message") == 30;
  }),
         "30 requests, 30 answers and 20 messages");
}

void large_messages(FaultStage& stage) {
  start_usual(stage);
  answer_each_request(stage.server(), 150'000);
  stage.client().send(stage.target(), 200'000, kTold);
  stage.client().send(stage.target(), 1, kTold);
  expect(stage, stage.until([&] { return stage.client().count("Message") == 2; }), "2 answers");
}

void second_address(FaultStage& stage) {
  start_usual(stage);
  Target target = stage.target();
  // Nobody listens there any more.
  const ListenerId first = stage.server().listener;
  const auto other = stage.server().listen(fault_contexts().server);
  static_cast<void>(stage.server().transport().stop_listening(first));
  if (!other) return;
  target.remotes.push_back(*other);
  stage.client().send(target, 5, kTold);
  stage.client().send(target, 5, kTold);
  expect(stage, stage.until([&] { return stage.client().count("Message") == 2; }), "2 answers");
}

void no_address_works(FaultStage& stage) {
  start_usual(stage);
  Target target = stage.target();
  const auto other = stage.server().listen(fault_contexts().server);
  if (!other) return;
  target.remotes.push_back(*other);
  stage.server().transport().close_all();
  stage.client().send(target, 5, kTold);
  stage.client().connect(target);
  expect(stage, stage.until([&] { return stage.client().count("ConnectFailed") == 1; }),
         "ConnectFailed");
}

void server_closes(FaultStage& stage) {
  start_usual(stage);
  stage.client().on_event = [](Party& self, const Event& event) {
    // The last words.
    if (const auto* closing = std::get_if<PeerClosing>(&event)) {
      self.send(closing->connection, 40, kTold);
    }
  };
  stage.client().send(stage.target());
  stage.until([&] { return stage.client().count("Message") == 1; });
  const ConnectionId connection = stage.server().last("Connected");
  stage.server().send(connection, 100, kTold);
  stage.server().close(connection);
  expect(stage, stage.until([&] {
    return stage.client().count("Closed") == 1 && stage.server().count("Closed") == 1;
  }),
         "the end on both sides");
}

void both_close(FaultStage& stage) {
  start_usual(stage);
  stage.client().send(stage.target());
  stage.until([&] { return stage.client().count("Message") == 1; });
  const ConnectionId here = stage.client().last("Connected");
  const ConnectionId there = stage.server().last("Connected");
  stage.server().send(there, 3000, kTold);
  stage.client().send(here, 3000, kTold);
  stage.client().close(here);
  stage.server().close(there);
  expect(stage, stage.until([&] {
    return stage.client().count("Closed") == 1 && stage.server().count("Closed") == 1;
  }),
         "the end on both sides");
}

void aborts(FaultStage& stage) {
  start_usual(stage);
  stage.client().send(stage.target());
  stage.until([&] { return stage.client().count("Message") == 1; });
  stage.server().send(stage.server().last("Connected"), 20'000, kTold);
  for (int i = 0; i < 5; ++i) stage.client().send(stage.target(), 9000, kTold);
  stage.client().abort(stage.client().last("Connected"));
  stage.until([&] { return stage.client().count("Closed") == 1; });
  stage.client().send(stage.target());
  stage.until([&] { return stage.client().count("Connected") == 2; });
  stage.settle();
  stage.server().abort(stage.server().last("Connected"));
  stage.until([&] { return stage.client().count("Closed") == 2; });
  // Before anything was proven, too.
  if (const auto id = stage.client().connect(stage.target())) stage.client().abort(*id);
  if (const auto id = stage.client().connect(stage.target())) stage.client().close(*id);
  expect(stage, stage.until([&] { return stage.client().count("ConnectFailed") == 2; }),
         "two attempts ended by this side");
}

void pause_and_resume(FaultStage& stage) {
  start_usual(stage);
  stage.server().on_event = [](Party& self, const Event& event) {
    const auto* message = std::get_if<Message>(&event);
    if (message == nullptr) return;
    self.respond(message->connection);
    if (self.count("Message") % 5 == 0) {
      static_cast<void>(self.transport().pause(message->connection));
    }
  };
  for (int i = 0; i < 20; ++i) stage.client().send(stage.target(), 50, kTold);
  bool all = false;
  for (std::size_t rounds = 1; rounds < 10 && !all; ++rounds) {
    stage.settle();
    all = stage.client().count("Message") == 20;
    const ConnectionId connection = stage.server().last("Connected");
    static_cast<void>(stage.server().transport().resume(connection));
  }
  expect(stage, stage.until([&] { return stage.client().count("Message") == 20; }), "20 answers");
}

void full_queue(FaultStage& stage) {
  TransportLimits limits;
  limits.max_queued_messages = 8;
  limits.max_queued_bytes = 8000;
  start_usual(stage, limits);
  stage.client().send(stage.target());
  stage.until([&] { return stage.client().count("Message") == 1; });
  const ConnectionId connection = stage.client().last("Connected");
  stage.plan().send_budget = 0;
  unsigned accepted = 0;
  while (accepted < 100 && stage.client().send(connection, 700, kTold)) ++accepted;
  expect(stage, stage.client().last_reason == Errc::queue_full, "queue_full");
  stage.plan().send_budget.reset();
  expect(stage, stage.until([&] { return stage.client().count("Writable") == 1; }), "Writable");
  stage.client().send(connection, 700, kTold);
  expect(stage, stage.until([&] { return stage.client().count("Message") == 2 + accepted; }),
         "all answers");
}

void expiry(FaultStage& stage) {
  start_usual(stage);
  const MonoTime now = stage.clock().now().mono;
  stage.client().send(stage.target(), 30, {now + seconds(60), Report::always});
  stage.until([&] { return stage.client().count("Message") == 1; });
  const ConnectionId connection = stage.client().last("Connected");
  stage.plan().send_budget = 10;
  for (int i = 1; i <= 6; ++i) {
    stage.client().send(connection, 9000, {now + seconds(i), Report::always});
  }
  stage.clock().advance(seconds(3));
  // The deadlines alone: the sockets would be tried again and again.
  stage.client().take_events(Pace::drain);
  stage.plan().send_budget.reset();
  expect(stage, stage.until([&] { return stage.client().count("Message") >= 2; }), "an answer");
  expect(stage, stage.client().count("SendFailed") >= 1, "a message that has expired");
}

void idle_end(FaultStage& stage) {
  start_usual(stage);
  stage.client().send(stage.target());
  stage.until([&] { return stage.client().count("Message") == 1; });
  // Half a message, and silence behind it.
  stage.client().send_text(stage.client().last("Connected"), "OPTIONS sip:a SIP/2.0\r\nVia: ");
  expect(stage, stage.until([&] { return stage.server().count("Closed") == 1; }),
         "the end of a message that is not finished");
  stage.until([&] { return stage.client().count("Closed") == 1; });
  stage.client().send(stage.target());
  expect(stage, stage.until([&] { return stage.server().count("Closed") == 2; }),
         "the end of a connection that is not used");
}

void keep_alives(FaultStage& stage) {
  start_usual(stage);
  stage.client().send(stage.target());
  stage.until([&] { return stage.client().count("Message") == 1; });
  const ConnectionId connection = stage.client().last("Connected");
  for (std::size_t i = 1; i <= 3; ++i) {
    stage.client().send_text(connection, "\r\n\r\n");
    stage.client().send(connection);
    expect(stage, stage.until([&] {
      return stage.client().count("KeepAlive") == i && stage.client().count("Message") == i + 1;
    }),
           "a pong and an answer");
  }
}

void framing_error(FaultStage& stage) {
  start_usual(stage);
  stage.client().on_event = nullptr;
  stage.invariants().expect_strangers();  // the 400 response
  stage.client().send(stage.target(), 10, kTold);
  stage.until([&] { return stage.client().count("Message") == 1; });
  const ConnectionId connection = stage.client().last("Connected");
  std::string text = message_text(0, false, 0);
  text.replace(text.find("Content-Length: 0"), 17, "Content-Length: x");
  stage.client().send(connection, 10, kTold);
  stage.client().send_text(connection, text);
  stage.client().send(connection, 10, kTold);
  expect(stage, stage.until([&] {
    return stage.server().count("Closed") == 1 && stage.client().count("Closed") == 1;
  }),
         "the end on both sides");
}

}  // namespace

std::vector<Scenario> scenarios() {
  std::vector<Scenario> all = {{"exchange", exchange},
                               {"exchange in TLS 1.2", exchange_in_tls12},
                               {"pipelining", pipelining},
                               {"large messages", large_messages},
                               {"second address", second_address},
                               {"no address works", no_address_works},
                               {"server closes", server_closes},
                               {"both close", both_close},
                               {"aborts", aborts},
                               {"pause and resume", pause_and_resume},
                               {"full queue", full_queue},
                               {"expiry", expiry},
                               {"idle end", idle_end},
                               {"keep-alives", keep_alives},
                               {"framing error", framing_error}};
  for (const Scenario& one : more_scenarios()) all.push_back(one);
  return all;
}

}  // namespace siptls_test
