// What an idle mutual-TLS session keeps, in octets of heap by the allocator's own count, its
// administration and rounding included: siptls beside bare BoringSSL. The chain is leaf, one
// intermediate, and the root as anchor; the group X25519; nothing is resumed. A message of 600
// octets went each way before a session is called idle.
//
// "session": server ends of which all peers show the same leaf; "client_session": the other ends;
// "distinct": server ends of which each peer has a leaf of its own of about 800 octets, and no
// chain is remembered, so that what the store's memory holds (TrustLimits::max_remembered_chains,
// no more for 10,000 sessions than for 256) does not count; "plain": TLS_method() with BIO pairs;
// "burst": server ends that have sent and received 16 KiB at once.
//
// Usage: idle_bench [--all]. On a slow machine there are fewer sessions than 10,000.
#include <malloc.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "baseline/bare_idle.hpp"
#include "measure.hpp"
#include "pki/demo_pki.hpp"
#include "siptls/tls_context.hpp"
#include "siptls/tls_session.hpp"

namespace {

constexpr const char* kDomain = "server.example";
constexpr std::size_t kSessions = 10000;
constexpr std::size_t kPlainSessions = 1000;  // all are alike, and each is large
constexpr std::size_t kLeafSize = 800;
constexpr std::size_t kMessageSize = 600;
constexpr std::size_t kBurstSize = 16384;

template <typename T>
T must(siptls::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return *std::move(result);
}
void must(siptls::Result<void> result) {
  if (!result) throw std::runtime_error(result.error().message());
}

// Octets of the heap that are in use.
std::size_t heap_in_use() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

double octets_each(std::size_t before, std::size_t after, std::size_t count) {
  return (static_cast<double>(after) - static_cast<double>(before)) / static_cast<double>(count);
}

// Calls `add` until there are `most`, or until the time is over; how often that was.
std::size_t repeat(std::size_t most, std::chrono::seconds time, const std::function<void()>& add) {
  constexpr std::size_t kEnough = 200;
  const auto give_up = std::chrono::steady_clock::now() + time;
  std::size_t count = 0;
  while (count < most && (count < kEnough || std::chrono::steady_clock::now() < give_up)) {
    add();
    ++count;
  }
  return count;
}

siptls::Now bench_time() {
  return {siptls::MonoTime{}, must(siptls::parse_time("2026-06-01T00:00:00Z"))};
}

siptls::TlsContext make_context(const demo_pki::Entity& leaf, const siptls::TrustStore& trust,
                                siptls::ProtocolVersion version) {
  siptls::TlsContextConfig config;
  config.credentials = must(siptls::Credentials::from_pem(leaf.private_key_pem(),  //
                                                          leaf.chain_pem()));
  config.trust = trust;
  config.policy.min_version = version;
  config.policy.max_version = version;
  config.policy.groups = {0x001d, 0x0017};
  return must(siptls::TlsContext::create(config));
}

using SessionPair = std::pair<siptls::TlsSession, siptls::TlsSession>;

// Hands over what is pending; how many octets of plaintext came out.
std::size_t pass(siptls::TlsSession& from, siptls::TlsSession& to, const siptls::Now& now) {
  static std::array<std::byte, kBurstSize> buffer;
  must(to.feed(from.pending_output(), now));
  std::size_t octets = 0;
  for (;;) {
    const auto plaintext = must(to.next_plaintext(buffer, now));
    if (plaintext.empty()) break;
    octets += plaintext.size();
  }
  from.consume_output(from.pending_output().size());
  return octets;
}

// Client and server, established; a message went each way.
SessionPair make_pair(const siptls::TlsContext& client_context,
                      const siptls::TlsContext& server_context, const siptls::Now& now,
                      std::size_t message_size = kMessageSize) {
  auto client = must(siptls::TlsSession::client(client_context, kDomain, now));
  auto server = must(siptls::TlsSession::server(server_context, now));
  const auto established = [&] {
    return client.state() == siptls::SessionState::established &&
           server.state() == siptls::SessionState::established;
  };
  for (int round = 0; round < 4 && !established(); ++round) {
    pass(client, server, now);
    pass(server, client, now);
  }
  if (!established()) throw std::runtime_error("the handshake did not end");
  static const std::array<std::byte, kBurstSize> octets{};
  const auto message = std::span(octets).first(message_size);
  must(client.send(message, now));
  const bool there = pass(client, server, now) == message_size;
  must(server.send(message, now));
  const bool back = pass(server, client, now) == message_size;
  if (!there || !back) throw std::runtime_error("a message did not arrive");
  return {std::move(client), std::move(server)};
}

void print_figure(const std::string& name, double octets, std::size_t count) {
  std::printf("figure %s %.0f bytes\n", name.c_str(), octets);
  std::printf("figure %s.count %zu sessions\n", name.c_str(), count);
}

// Of one version: "" or "tls12." is in the names.
class Bench {
 public:
  Bench(siptls::ProtocolVersion version, std::string prefix)
      : version_(version), prefix_(std::move(prefix)) {}

  void run(bool all) {
    measure_plain();
    if (all) measure_burst();
    measure_distinct();
    measure_pooled();
  }

 private:
  void measure_pooled() {
    const auto trust = must(siptls::TrustStore::from_pem(pki_.root.certificate_pem()));
    const siptls::TlsContext context = make_context(pki_.leaf, trust, version_);
    // What is made once for all sessions, the chain's place in the store's memory for one, is there
    // before the count begins.
    make_pair(context, context, now_);
    std::vector<siptls::TlsSession> clients;
    std::vector<siptls::TlsSession> servers;
    clients.reserve(kSessions);
    servers.reserve(kSessions);
    const std::size_t before = heap_in_use();
    const std::size_t count = repeat(kSessions, std::chrono::seconds(12), [&] {
      SessionPair pair = make_pair(context, context, now_);
      clients.push_back(std::move(pair.first));
      servers.push_back(std::move(pair.second));
    });
    const std::size_t both = heap_in_use();
    clients.clear();
    const std::size_t server_ends = heap_in_use();
    const double pointer = sizeof(siptls::TlsSession);  // in the vectors
    print_figure("idle." + prefix_ + "client_session",
                 pointer + octets_each(server_ends, both, count), count);
    print_figure("idle." + prefix_ + "session", pointer + octets_each(before, server_ends, count),
                 count);
  }

  void measure_burst() {
    const auto trust = must(siptls::TrustStore::from_pem(pki_.root.certificate_pem()));
    const siptls::TlsContext context = make_context(pki_.leaf, trust, version_);
    make_pair(context, context, now_, kBurstSize);
    std::vector<siptls::TlsSession> servers;
    servers.reserve(kPlainSessions);
    const std::size_t before = heap_in_use();
    const std::size_t count = repeat(kPlainSessions, std::chrono::seconds(5), [&] {
      servers.push_back(make_pair(context, context, now_, kBurstSize).second);
    });
    print_figure("idle." + prefix_ + "session.burst",
                 sizeof(siptls::TlsSession) + octets_each(before, heap_in_use(), count), count);
  }

  void measure_distinct() {
    siptls::TrustLimits limits;
    limits.max_remembered_chains = 0;
    const auto trust = must(siptls::TrustStore::from_pem(pki_.root.certificate_pem(), limits));
    const siptls::TlsContext context = make_context(pki_.leaf, trust, version_);
    std::size_t number = 0;
    std::size_t leaf_octets = 0;
    const auto make_server = [&] {
      const auto leaf = make_leaf(number++);
      leaf_octets += leaf.certificate_der().size();
      return make_pair(make_context(leaf, trust, version_), context, now_).second;
    };
    make_server();
    leaf_octets = 0;
    std::vector<siptls::TlsSession> servers;
    servers.reserve(kSessions);
    const std::size_t before = heap_in_use();
    const std::size_t count =
        repeat(kSessions, std::chrono::seconds(20), [&] { servers.push_back(make_server()); });
    print_figure("idle." + prefix_ + "session.distinct",
                 sizeof(siptls::TlsSession) + octets_each(before, heap_in_use(), count), count);
    std::printf("figure idle.%ssession.distinct.leaf %.0f bytes\n", prefix_.c_str(),
                static_cast<double>(leaf_octets) / static_cast<double>(count));
  }

  void measure_plain() {
    baseline::BareIdle bare({pki_.leaf.private_key_pem(), pki_.leaf.chain_pem(),
                             pki_.root.certificate_pem(), kDomain,
                             static_cast<std::uint16_t>(version_)});
    bare.add();
    bare.drop_clients();
    bare.drop_servers();
    const std::size_t before = heap_in_use();
    const std::size_t count =
        repeat(kPlainSessions, std::chrono::seconds(5), [&bare] { bare.add(); });
    bare.drop_clients();
    print_figure("idle." + prefix_ + "plain", octets_each(before, heap_in_use(), count), count);
  }

  // With a second name that fills it up.
  demo_pki::Entity make_leaf(std::size_t number) {
    const std::string identity = "peer-" + std::to_string(number) + ".example";
    auto spec = demo_pki::sip_spec(identity);
    if (filling_ == 0) {
      const auto bare = demo_pki::Entity::issued_by(pki_.intermediates.back(), spec);
      filling_ = kLeafSize - bare.certificate_der().size();
    }
    std::string name;
    while (name.size() + 64 < filling_) name += std::string(49, 'x') + '.';
    spec.dns_names.push_back(name + identity);
    return demo_pki::Entity::issued_by(pki_.intermediates.back(), spec);
  }

  const siptls::ProtocolVersion version_;
  const std::string prefix_;
  const siptls::Now now_ = bench_time();
  const demo_pki::Hierarchy pki_ = demo_pki::make_hierarchy(kDomain);
  std::size_t filling_ = 0;
};

void run(bool all) {
  if (all) Bench(siptls::ProtocolVersion::tls1_2, "tls12.").run(all);
  Bench(siptls::ProtocolVersion::tls1_3, "").run(all);
}

}  // namespace

int main(int argc, char** argv) { return bench::run_main(argc, argv, "idle_bench", run); }
