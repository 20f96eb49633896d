// The stage for scenarios with faults: two parties with a TlsTransport each, a clock that only
// moves when nothing else does, and the invariants that are checked all the time.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "transport/faulty_calls.hpp"
#include "transport/harness.hpp"
#include "transport/invariants.hpp"

namespace siptls_test {

// One transport and what it was told. Everything may fail, since faults strike anywhere.
class Party {
 public:
  Party(Invariants& invariants, Invariants::Party number);

  // Tries until faults let it.
  void start(siptls::TransportOptions options);
  std::optional<siptls::Endpoint> listen(
      const siptls::TlsContext& context,
      const std::function<void(siptls::ListenOptions&)>& change = {});
  siptls::TlsTransport& transport() { return *transport_; }

  std::optional<siptls::ConnectionId> connect(const siptls::Target& target);
  std::optional<siptls::SendToken> send(siptls::ConnectionId connection, std::size_t body = 0,
                                        const siptls::SendOptions& options = {});
  std::optional<siptls::SendToken> send(const siptls::Target& target, std::size_t body = 0,
                                        const siptls::SendOptions& options = {});
  std::optional<siptls::SendToken> respond(siptls::ConnectionId connection,
                                           const siptls::ResponseFallback& fallback = {},
                                           std::size_t body = 0);
  // What is no SIP message, or not one of these: nothing is expected of it but an answer for its
  // token.
  void send_text(siptls::ConnectionId connection, const std::string& text);
  void close(siptls::ConnectionId connection);
  void abort(siptls::ConnectionId connection);
  void close_all();

  // Takes events as the pace says. True if there were any.
  bool take_events(Pace pace);
  // Called with each event while it is held.
  std::function<void(Party&, const siptls::Event&)> on_event;

  std::size_t count(std::string_view kind) const;
  void forget_events() { noted_ = {}; }
  // The connection of the last event of that kind.
  siptls::ConnectionId last(std::string_view kind) const;
  std::optional<siptls::Errc> last_reason;  // of the last refused call
  siptls::ListenerId listener = siptls::ListenerId::none;
  Invariants& invariants() { return invariants_; }
  Invariants::Party number() const { return number_; }

 private:
  template <typename Outcome>
  std::optional<siptls::SendToken> account(const Outcome& outcome, siptls::ConnectionId connection,
                                           std::string text, const siptls::SendOptions& options);

  Invariants& invariants_;
  const Invariants::Party number_;
  std::optional<siptls::TlsTransport> transport_;
  struct Noted {
    std::string kind;
    siptls::ConnectionId connection = siptls::ConnectionId::none;
  };
  std::vector<Noted> noted_;
};

// Answers every request on its connection.
void answer_each_request(Party& party, std::size_t body = 0);

class FaultStage {
 public:
  FaultStage(const FaultPlan& plan, Pace pace, bool patient);
  FaultStage(const FaultStage&) = delete;
  FaultStage& operator=(const FaultStage&) = delete;
  ~FaultStage();

  // Both parties, and the server's listener. False if faults prevented it for good.
  void start(const siptls::TlsContext& server_context, const siptls::TlsContext& client_context,
             const siptls::TransportLimits& client_limits = {},
             const siptls::TransportLimits& server_limits = {});
  // Lets them run until `done`; false if nothing can happen any more before it.
  bool until(const std::function<bool()>& done);
  // Until nothing can happen any more; time passes as far as it must.
  void run_out();
  // Lets what is under way happen, without time passing.
  void settle();
  // A target of the server with the client's context.
  siptls::Target target() const;
  // Ends what is still open, and checks that nothing is left over.
  void finish();

  Party& server() { return *server_; }
  Party& client() { return *client_; }
  FaultyClock& clock() { return *clock_; }
  FaultPlan& plan() { return scope_.plan(); }
  const CallLog& log() const { return scope_.log(); }
  Invariants& invariants() { return invariants_; }
  // Faults come at random, so that none may be named.
  bool random_faults() const;
  siptls::Endpoint at;
  std::optional<siptls::TlsContext> client_context;

 private:
  bool step(bool time_passes);
  bool take_ready(int patience);
  void probe();
  std::uint64_t progress() const;

  Invariants invariants_;
  FaultyScope scope_;
  std::size_t descriptors_before_;
  std::shared_ptr<FaultyClock> clock_;
  std::optional<Party> server_;
  std::optional<Party> client_;
  const Pace pace_;
  const bool patient_;
  const bool plan_can_fail_;
  std::array<bool, 2> excused_{};
  std::uint64_t events_ = 0;
  std::uint64_t last_progress_ = 0;
  unsigned idle_wakes_ = 0;
  unsigned time_steps_ = 0;
};

struct Scenario {
  const char* name;
  void (*run)(FaultStage& stage);
};
// Every scenario that is repeated with faults.
std::vector<Scenario> scenarios();

}  // namespace siptls_test
