// The servers that transport_bench measures, each in a process of its own. All answer OPTIONS with
// 200 OK: Via, From, To, Call-ID and CSeq copied, no body.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "baseline/load_client.hpp"
#include "transport_bench_process.hpp"

namespace bench {

struct ServerSetup {
  Certificates certificates;
  std::uint16_t version = 0;  // 0x0303 or 0x0304
  unsigned threads = 1;       // siptls: one transport for each, on one port, around one TlsContext
};

struct Server {
  std::string name;
  std::shared_ptr<void> folder;  // what it reads; removed behind the process
  std::unique_ptr<Process> process;
  std::uint16_t port = 0;
};

// A TlsTransport, and a host that waits with poll() and drains.
Server start_siptls(const ServerSetup& setup);
// baseline::serve_bare.
Server start_bare(const ServerSetup& setup);
// Kamailio with one child for TCP, client certificates verified, a stateless reply. Throws
// NotInstalled if it is not there.
Server start_kamailio(const ServerSetup& setup);
// The same with its fast memory manager instead of its default, which looks for mistakes.
Server start_kamailio_fm(const ServerSetup& setup);

struct NotInstalled : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace bench
