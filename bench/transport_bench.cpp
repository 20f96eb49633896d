// Round trips of OPTIONS and 200 OK through a TlsTransport, beside a bare epoll and SSL loop and
// beside Kamailio. Each server is a process of its own, driven by the same load client, which is
// one as well; while a row is measured the server is kept to the first processor and the client to
// the others. TLS 1.3, mutual, P-256, leaf + one intermediate + root, X25519; requests of 600
// octets. In every row each connection has one request under way, of 10,000 connections two hundred
// in turn; with "pipelined" a hundred connections have twenty each, of which each has a record of
// its own and all go out with one call.
//
// What is compared is the server's processor time for a message, of all its processes together,
// kernel included.
//   ratio transport.roundtrip.N.B           baseline B over siptls with N connections, all busy;
//   ratio transport.pipelined.B             bigger is better; B is bare, kamailio as it comes, and
//                                           with --all kamailio_fm, its fast memory manager
//   ratio transport.cpu_per_message.18000_over_10   siptls, 10 busy connections among 18,000 over
//   ratio transport.latency.18000_over_10           10 alone (the latter: median); 1 is best
//
// Usage: transport_bench [--all | --load | --smoke]. --load: the 18,000 connections only. --smoke:
// every kind of row, too short for its numbers to say anything. Fewer than 18,000 connections are a
// failure. The repetitions of a row are interleaved, and the median counts.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "baseline/load_client.hpp"
#include "measure.hpp"
#include "pki/demo_pki.hpp"
#include "transport_bench_servers.hpp"

namespace {

using namespace bench;

constexpr std::uint16_t kTls12 = 0x0303;
constexpr std::uint16_t kTls13 = 0x0304;
constexpr std::uint32_t kMany = 10'000;
constexpr std::uint32_t kAtOnce = 200;  // of the many, in turn: Kamailio closes some otherwise
constexpr std::uint32_t kIdle = 18'000;

struct Options {
  bool all = false;
  bool load = false;
  bool smoke = false;
};

// One server with one client.
struct Pair {
  Server server;
  std::unique_ptr<LoadClient> client;
  std::size_t resident_before = 0;
};

// How a pair is used.
struct Row {
  std::string name;
  std::uint32_t active = 1;
  std::uint32_t depth = 1;
  bool in_one_record = false;
  std::uint32_t at_once = 0;  // of the active connections, in turn; 0: all
};

struct Sample {
  double cpu = 0;  // of the server, nanoseconds a message
  double per_second = 0;
  double p50 = 0, p99 = 0, p999 = 0;  // microseconds
};

using Samples = std::vector<Sample>;

double median_of(const Samples& samples, double Sample::*what) {
  std::vector<double> values;
  for (const Sample& sample : samples) values.push_back(sample.*what);
  return median(values);
}

double median_ratio(const Samples& over, const Samples& under, double Sample::*what) {
  std::vector<double> values;
  for (std::size_t i = 0; i < over.size(); ++i) values.push_back(over[i].*what / under[i].*what);
  return median(values);
}

class Bench {
 public:
  explicit Bench(const Options& options) : options_(options) {
    const auto pki = demo_pki::make_hierarchy("server.example");
    certificates_ = {pki.leaf.private_key_pem(), pki.leaf.chain_pem(), pki.root.certificate_pem()};
  }

  void run() {
    if (!options_.load) {
      compare(kTls13, "");
      if (options_.all) compare(kTls12, "tls12.");
    }
    if (!options_.smoke) stand_idle();
    if (options_.all) {
      measure_setup();
      measure_threads();
      fill_two_servers();
    }
    for (const std::string& line : lines_) std::puts(line.c_str());
  }

 private:
  using Start = Server (*)(const ServerSetup&);

  Pair start(Start server, std::uint16_t version, unsigned threads = 1) const {
    Pair pair;
    const ServerSetup setup{certificates_, version, threads};
    pair.server = server(setup);
    pair.client = std::make_unique<LoadClient>(
        ClientConfig{certificates_, "server.example", version, pair.server.port});
    pair.resident_before = pair.server.process->resident_octets();
    return pair;
  }

  static Order open_order(std::uint32_t count, bool resumed) {
    Order order;
    order.kind = Order::Kind::open;
    order.count = count;
    order.resumed = resumed;
    return order;
  }

  // Nobody is kept to a processor meanwhile.
  static void open(Pair& pair, std::uint32_t count) {
    pair.client->start(open_order(count, true));
    require_count(finish(pair), count);
  }

  static Outcome finish(const Pair& pair) {
    try {
      return pair.client->finish();
    } catch (const std::exception& failure) {
      throw std::runtime_error(pair.server.name + ": " + failure.what());
    }
  }

  static void require_count(const Outcome& outcome, std::uint32_t count) {
    if (outcome.connections == count) return;
    throw std::runtime_error(std::to_string(outcome.connections) + " connections instead of " +
                             std::to_string(count));
  }

  Sample measure(const Pair& pair, const Row& row, std::uint32_t count) const {
    Order order;
    order.kind = Order::Kind::exchange;
    order.active = row.active;
    order.depth = row.depth;
    order.in_one_record = row.in_one_record;
    order.at_once = row.at_once;
    order.count = count;
    const auto before = pair.server.process->processor_time();
    pair.client->start(order);
    const Outcome outcome = finish(pair);
    const auto used = pair.server.process->processor_time() - before;
    return {static_cast<double>(used.count()) / count, count / outcome.seconds, outcome.p50,
            outcome.p99, outcome.p999};
  }

  // All pairs in turn, again and again; the samples of each in the order of `pairs`.
  std::vector<Samples> measure_row(const std::vector<const Pair*>& pairs, const Row& row) const {
    const double seconds = options_.smoke ? 0.01 : options_.all ? 0.3 : 0.12;
    // Waking up costs more or less as it happens, so rows with few connections are measured longer.
    const int repetitions = options_.smoke ? 1 : row.active <= 10 ? 15 : 7;
    std::vector<std::uint32_t> counts;
    const std::uint32_t round = (row.at_once == 0 ? row.active : row.at_once) * row.depth;
    for (const Pair* pair : pairs) {
      place(*pair, true);
      // Warm, and how many messages fill the time.
      const std::uint32_t trial = std::max(row.active * row.depth, 1000U);
      const double rounds = measure(*pair, row, trial).per_second * seconds / round;
      counts.push_back(std::max<std::uint32_t>(static_cast<std::uint32_t>(rounds), 2) * round);
    }
    std::vector<Samples> samples(pairs.size());
    for (int i = 0; i < repetitions; ++i) {
      for (std::size_t k = 0; k < pairs.size(); ++k) {
        samples[k].push_back(measure(*pairs[k], row, counts[k]));
      }
    }
    for (const Pair* pair : pairs) place(*pair, false);
    return samples;
  }

  static void place(const Pair& pair, bool measured) {
    pair.server.process->place(measured ? Place::server_core : Place::anywhere);
    pair.client->process().place(measured ? Place::client_cores : Place::anywhere);
  }

  void figure(const std::string& name, double value, const char* unit) {
    std::array<char, 160> line{};
    std::snprintf(line.data(), line.size(), "figure transport.%s %.*f %s", name.c_str(),
                  value < 100 ? 2 : 0, value, unit);
    // Ratios come last.
    lines_.insert(lines_.begin() + static_cast<std::ptrdiff_t>(figures_++), line.data());
  }

  void ratio(const std::string& name, double value) {
    std::array<char, 160> line{};
    std::snprintf(line.data(), line.size(), "ratio transport.%s %.3f", name.c_str(), value);
    lines_.emplace_back(line.data());
  }

  void figures(const std::string& name, const Samples& samples) {
    figure(name + ".cpu", median_of(samples, &Sample::cpu) / 1000, "us/message");
    figure(name + ".rate", median_of(samples, &Sample::per_second), "messages/s");
    figure(name + ".p50", median_of(samples, &Sample::p50), "us");
    figure(name + ".p99", median_of(samples, &Sample::p99), "us");
    figure(name + ".p999", median_of(samples, &Sample::p999), "us");
  }

  void add_kamailio(std::vector<Pair>& pairs, std::uint16_t version) {
    try {
      pairs.push_back(start(start_kamailio, version));
      if (options_.all) pairs.push_back(start(start_kamailio_fm, version));
    } catch (const NotInstalled& failure) {
      std::fprintf(stderr, "no rows of kamailio: %s\n", failure.what());
      with_kamailio_ = false;
    }
  }

  // The servers side by side, with so many connections each.
  std::vector<Pair> start_all(std::uint16_t version, std::uint32_t connections) {
    std::vector<Pair> pairs;
    pairs.push_back(start(start_siptls, version));
    pairs.push_back(start(start_bare, version));
    // With its default memory manager a handshake of it takes milliseconds.
    const bool too_many = connections >= kMany && !options_.all;
    if (too_many) std::fprintf(stderr, "no row of kamailio with 10,000 connections: see --all\n");
    if (with_kamailio_ && !too_many) add_kamailio(pairs, version);
    for (const Pair& pair : pairs) pair.client->start(open_order(connections, true));
    std::optional<Outcome> first;
    for (const Pair& pair : pairs) {
      const Outcome outcome = finish(pair);
      require_count(outcome, connections);
      if (!first) first = outcome;
      if (outcome.version != first->version || outcome.suite != first->suite) {
        throw std::runtime_error("the servers do not agree about version and suite");
      }
    }
    return pairs;
  }

  void compare(std::uint16_t version, const std::string& prefix) {
    const auto compare_row = [&](const std::vector<Pair>& pairs, const Row& row) {
      std::vector<const Pair*> all;
      for (const Pair& pair : pairs) all.push_back(&pair);
      const std::vector<Samples> samples = measure_row(all, row);
      const std::string name = prefix + row.name;
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        figures(name + "." + pairs[i].server.name, samples[i]);
        if (i > 0) {
          ratio(name + "." + pairs[i].server.name,
                median_ratio(samples[i], samples[0], &Sample::cpu));
        }
      }
    };
    {
      const std::vector<Pair> pairs = start_all(version, 1);
      compare_row(pairs, {"roundtrip.1"});
    }
    {
      const std::vector<Pair> pairs = start_all(version, 100);
      compare_row(pairs, {"roundtrip.100", 100});
      compare_row(pairs, {"pipelined", 100, 20});
      if (options_.all) compare_row(pairs, {"pipelined.one_record", 100, 20, true});
    }
    const std::uint32_t many = options_.smoke ? 400 : kMany;
    const std::vector<Pair> pairs = start_all(version, many);
    compare_row(pairs, {"roundtrip." + std::to_string(kMany), many, 1, false, kAtOnce});
  }

  // 18,000 connections, of which ten are busy, beside ten.
  void stand_idle() {
    Pair few = start(start_siptls, kTls13);
    open(few, 10);
    Pair many = start(start_siptls, kTls13);
    open(many, kIdle);
    figure("connections", kIdle, "connections");
    const auto grown = many.server.process->resident_octets() - many.resident_before;
    figure("memory_per_connection", static_cast<double>(grown) / kIdle, "bytes");
    const auto samples = measure_row({&few, &many}, {"", 10});
    figures("active_10_of_10", samples[0]);
    figures("active_10_of_18000", samples[1]);
    ratio("cpu_per_message.18000_over_10", median_ratio(samples[1], samples[0], &Sample::cpu));
    ratio("latency.18000_over_10", median_ratio(samples[1], samples[0], &Sample::p50));
  }

  // Connections a second, each with its first round trip.
  void measure_setup() {
    struct Kind {
      const char* name;
      bool resumed;
      std::uint32_t count;
    };
    for (const Kind& kind : {Kind{"full", false, 500}, Kind{"resumed", true, 2000}}) {
      std::vector<Pair> pairs = start_all(kTls13, 1);  // whose ticket serves the others
      for (const Pair& pair : pairs) {
        place(pair, true);
        const auto before = pair.server.process->processor_time();
        pair.client->start(open_order(kind.count, kind.resumed));
        const Outcome outcome = finish(pair);
        const auto used = pair.server.process->processor_time() - before;
        const std::string name = std::string("setup.") + kind.name + "." + pair.server.name;
        figure(name + ".rate", kind.count / outcome.seconds, "connections/s");
        figure(name + ".cpu", static_cast<double>(used.count()) / 1000 / kind.count,
               "us/connection");
        figure(name + ".resumed", outcome.resumed, "connections");
      }
    }
  }

  // One transport for each thread; on two processors the client shares them with the server.
  void measure_threads() {
    for (const unsigned threads : {1U, 2U}) {
      Pair pair = start(start_siptls, kTls13, threads);
      open(pair, 100);
      const Row row{"", 100, 20};
      measure(pair, row, 20'000);
      Samples samples;
      for (int i = 0; i < 5; ++i) samples.push_back(measure(pair, row, 200'000));
      const std::string name = "threads." + std::to_string(threads);
      figure(name + ".rate", median_of(samples, &Sample::per_second), "messages/s");
      figure(name + ".cpu", median_of(samples, &Sample::cpu) / 1000, "us/message");
    }
  }

  void fill_two_servers() {
    std::vector<Pair> pairs;
    for (int i = 0; i < 2; ++i) pairs.push_back(start(start_siptls, kTls13));
    for (const Pair& pair : pairs) pair.client->start(open_order(kIdle, true));
    for (const Pair& pair : pairs) require_count(finish(pair), kIdle);
    figure("connections.two_servers", 2 * kIdle, "connections");
    for (const Pair& pair : pairs) measure(pair, {"", kIdle}, kIdle);
  }

  const Options options_;
  Certificates certificates_;
  bool with_kamailio_ = true;
  std::vector<std::string> lines_;
  std::size_t figures_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  const std::string argument = argc > 1 ? argv[1] : "";
  options.all = argument == "--all";
  options.load = argument == "--load";
  options.smoke = argument == "--smoke";
  if (argc > 2 || (argc == 2 && !options.all && !options.load && !options.smoke)) {
    std::fprintf(stderr, "usage: transport_bench [--all | --load | --smoke]\n");
    return 2;
  }
  try {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    Bench(options).run();
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "error: %s\n", failure.what());
    return 1;
  }
  return 0;
}
