// Full mutual handshakes in memory, server and client processor time apart: siptls beside plain
// BoringSSL over memory BIOs, and beside the ceiling, BoringSSL with a verify callback that accepts
// everything. The chain is leaf, one intermediate, and the root as anchor; the group X25519;
// nothing is resumed. "cold": each chain is judged anew; "warm": both ends know the other's chain
// already (TrustLimits::max_remembered_chains).
//
// Usage: handshake_bench [--all]. The repetitions of all rows are interleaved, and the median
// counts.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "baseline/bare_handshake.hpp"
#include "measure.hpp"
#include "pki/demo_pki.hpp"
#include "siptls/tls_context.hpp"
#include "siptls/tls_session.hpp"

namespace {

using baseline::BareConfig;
using baseline::BareTls;
using baseline::HandshakeCost;
using baseline::Verification;
using std::chrono::nanoseconds;

constexpr const char* kDomain = "server.example";

template <typename T>
T must(siptls::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return *std::move(result);
}
void must(siptls::Result<void> result) {
  if (!result) throw std::runtime_error(result.error().message());
}

siptls::Now bench_time() {
  return {siptls::MonoTime{}, must(siptls::parse_time("2026-06-01T00:00:00Z"))};
}

siptls::TlsContext make_context(const demo_pki::Hierarchy& pki, siptls::ProtocolVersion version,
                                std::size_t remembered_chains) {
  siptls::TlsContextConfig config;
  config.credentials =
      must(siptls::Credentials::from_pem(pki.leaf.private_key_pem(), pki.leaf.chain_pem()));
  siptls::TrustLimits limits;
  limits.max_remembered_chains = remembered_chains;
  config.trust = must(siptls::TrustStore::from_pem(pki.root.certificate_pem(), limits));
  config.policy.min_version = version;
  config.policy.max_version = version;
  config.policy.groups = {0x001d, 0x0017};
  return must(siptls::TlsContext::create(config));
}

HandshakeCost siptls_handshake(const siptls::TlsContext& context, const siptls::Now& now) {
  HandshakeCost cost;
  const auto timed = [](nanoseconds& sum, auto&& work) {
    const nanoseconds begin = baseline::thread_time();
    work();
    sum += baseline::thread_time() - begin;
  };
  const auto carry = [&](siptls::TlsSession& from, siptls::TlsSession& to) {
    must(to.feed(from.pending_output(), now));
    from.consume_output(from.pending_output().size());
  };
  std::unique_ptr<siptls::TlsSession> client;
  std::unique_ptr<siptls::TlsSession> server;
  timed(cost.client, [&] {
    client = std::make_unique<siptls::TlsSession>(
        must(siptls::TlsSession::client(context, kDomain, now)));
  });
  timed(cost.server, [&] {
    server = std::make_unique<siptls::TlsSession>(must(siptls::TlsSession::server(context, now)));
  });
  for (int round = 0; round < 4 && server->state() != siptls::SessionState::established; ++round) {
    timed(cost.server, [&] { carry(*client, *server); });
    timed(cost.client, [&] { carry(*server, *client); });
  }
  if (client->state() != siptls::SessionState::established ||
      server->state() != siptls::SessionState::established) {
    throw std::runtime_error("the handshake did not end");
  }
  timed(cost.client, [&] { client.reset(); });
  timed(cost.server, [&] { server.reset(); });
  return cost;
}

// One kind of handshake and its samples, in nanoseconds a handshake.
struct Row {
  std::string shape;    // "p256.tls13"
  std::string variant;  // ".cold" and ".warm" are siptls; ".plain" and ".ceiling" are not
  std::function<HandshakeCost()> handshake;
  std::vector<double> client;
  std::vector<double> server;

  void sample(nanoseconds span) {
    HandshakeCost sum;
    double count = 0;
    while (sum.client + sum.server < span) {
      const HandshakeCost one = handshake();
      sum.client += one.client;
      sum.server += one.server;
      ++count;
    }
    client.push_back(static_cast<double>(sum.client.count()) / count);
    server.push_back(static_cast<double>(sum.server.count()) / count);
  }
};

using bench::median;

// Median of the ratios of neighbouring samples: what the machine does meanwhile meets both.
double ratio(const std::vector<double>& of, const std::vector<double>& to) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < of.size(); ++i) ratios.push_back(to[i] / of[i]);
  return median(std::move(ratios));
}

void add_rows(std::vector<Row>& rows, const char* key_name, demo_pki::KeyType key) {
  const auto pki = demo_pki::make_hierarchy(kDomain, 1, key);
  for (const auto version : {siptls::ProtocolVersion::tls1_3, siptls::ProtocolVersion::tls1_2}) {
    const bool newer = version == siptls::ProtocolVersion::tls1_3;
    const std::string shape = std::string(key_name) + (newer ? ".tls13" : ".tls12");
    const siptls::Now now = bench_time();
    const std::pair<const char*, std::size_t> memories[] = {{".cold", 0}, {".warm", 16}};
    for (const auto& [name, chains] : memories) {
      const auto context = std::make_shared<siptls::TlsContext>(make_context(pki, version, chains));
      rows.push_back(
          {shape, name, [context, now] { return siptls_handshake(*context, now); }, {}, {}});
    }
    const std::pair<const char*, Verification> variants[] = {
        {".plain", Verification::full}, {".ceiling", Verification::accept_all}};
    for (const auto& [variant, verification] : variants) {
      BareConfig config{pki.leaf.private_key_pem(),          pki.leaf.chain_pem(),
                        pki.root.certificate_pem(),          kDomain,
                        static_cast<std::uint16_t>(version), verification};
      const auto bare = std::make_shared<BareTls>(config);
      rows.push_back({shape, variant, [bare] { return bare->handshake(); }, {}, {}});
    }
  }
}

void print_figures(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    for (const auto& [role, samples] :
         {std::pair("server", &row.server), std::pair("client", &row.client)}) {
      std::printf("figure handshake.%s.mutual.%s%s %.0f handshakes/s\n", role, row.shape.c_str(),
                  row.variant.c_str(), 1e9 / median(*samples));
    }
  }
}

void print_ratios(const std::vector<Row>& rows) {
  const auto is_ours = [](const Row& row) {
    return row.variant == ".cold" || row.variant == ".warm";
  };
  for (const Row& own : rows) {
    if (!is_ours(own)) continue;
    for (const Row& other : rows) {
      if (is_ours(other) || other.shape != own.shape) continue;
      const std::string name = own.shape + own.variant + other.variant;
      std::printf("ratio handshake.server.mutual.%s %.3f\n", name.c_str(),
                  ratio(own.server, other.server));
      std::printf("ratio handshake.client.mutual.%s %.3f\n", name.c_str(),
                  ratio(own.client, other.client));
    }
  }
}

void run(bool all) {
  std::vector<Row> rows;
  add_rows(rows, "p256", demo_pki::KeyType::p256);
  if (all) {
    add_rows(rows, "rsa2048", demo_pki::KeyType::rsa2048);
    add_rows(rows, "ed25519", demo_pki::KeyType::ed25519);
  }
  constexpr int kRepetitions = 41;
  constexpr int kEnough = 9;
  constexpr nanoseconds kSpan = std::chrono::milliseconds(40);
  // On a busy machine the processor time comes slowly; then fewer repetitions must do.
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(all ? 300 : 35);
  for (Row& row : rows) row.handshake();
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    if (repetition >= kEnough && std::chrono::steady_clock::now() > give_up) break;
    for (Row& row : rows) row.sample(kSpan);
  }
  print_figures(rows);
  print_ratios(rows);
}

}  // namespace

int main(int argc, char** argv) { return bench::run_main(argc, argv, "handshake_bench", run); }
