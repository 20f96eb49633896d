// What the files of scenarios share.
#pragma once

#include <string>
#include <vector>

#include "transport/fault_stage.hpp"

namespace siptls_test {

// Made once, since a scenario is run thousands of times.
struct FaultContexts {
  siptls::TlsContext server;
  siptls::TlsContext client;
  siptls::TlsContext server_again;  // another context of the same element
  siptls::TlsContext client12;      // TLS 1.2 only
  siptls::TlsContext stranger;
};
const FaultContexts& fault_contexts();

// Notes a violation if no fault can be the reason.
void expect(FaultStage& stage, bool fulfilled, const std::string& what);
// The usual contexts, and a server that answers each request.
void start_usual(FaultStage& stage, const siptls::TransportLimits& client_limits = {},
                 const siptls::TransportLimits& server_limits = {});
// Every end of it is told.
extern const siptls::SendOptions kTold;

// fault_scenarios_more.cpp
std::vector<Scenario> more_scenarios();

}  // namespace siptls_test
