// Hostile clients, all kinds at once, against a TlsTransport, while a good client keeps exchanging
// OPTIONS and others come anew. Twice: with the limits that a transport has by default, and with
// them lifted.
//
// The server has the first processor for itself; attackers and good clients share the second,
// where the good ones come first, so that what they measure is the server. The attack goes on at a
// fixed rate, from eight addresses, whatever the server does; it is one that takes all of the
// server's processor when the limits are lifted.
//
// With the limits: 99 % of the good client's round trips must take less than 20 ms, none may be
// lost, newcomers must get in, and the server's memory must have an end. What is missed
// while other programs kept the processors is measured again, twice at most.
//
// Usage: hostile_clients [--seconds N] [--rate FACTOR] [--only KIND] [--mode limits|lifted]
//                        [--key p256|rsa2048] [--accept-rate N]
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "hostile/attackers.hpp"
#include "hostile/good_client.hpp"
#include "hostile/process.hpp"

namespace {

using namespace hostile;

constexpr double kGoalMilliseconds = 20;
// Of a processor that the server had, or would have had.
constexpr double kSaturated = 0.9;
// A measurement that others have disturbed by more than this is made again.
constexpr double kDisturbedMilliseconds = 5;
constexpr double kDisturbedShare = 0.1;
constexpr int kAttempts = 3;
// The second half of the time may not take so much more than the first.
constexpr std::size_t kGrowth = 32U << 20;
constexpr int kSkipped = 77;

struct Options {
  double seconds = 6;
  double rate = 1;
  std::optional<Kind> only;
  std::optional<bool> lifted;  // none: both
  ServerKey key = ServerKey::p256;
  std::uint32_t accept_rate = 0;  // the default
};

struct Outcome {
  ExchangeResult exchange;
  NewcomersResult newcomers;
  AttackResult attack;
  double seconds = 0;
  double server_share = 0;   // of its processor
  double server_wanted = 0;  // the same, with what other programs took from it
  double attacker_share = 0;
  double attacker_wanted = 0;
  std::vector<std::size_t> resident;  // octets of the server, over the time
  std::string metrics;
};

std::string load_average() {
  std::ifstream file("/proc/loadavg");
  std::string first, second;
  file >> first >> second;
  return first + " " + second;
}

// The first two processors that this process may use.
std::vector<unsigned> find_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<unsigned> cores;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cores;
  for (unsigned i = 0; i < CPU_SETSIZE && cores.size() < 2; ++i) {
    if (CPU_ISSET(i, &set)) cores.push_back(i);
  }
  return cores;
}

class Stage {
 public:
  Stage(const Options& options, const std::vector<unsigned>& cores)
      : options_(options), cores_(cores), certificates_(make_certificates(options.key)) {
    // What else the machine does is kept out as far as that is allowed.
    if (may_raise_priority()) nice_ = -20;
    std::printf(
        "server on processor %u, nice %d; good clients on %u, nice %d; attackers on %u, "
        "nice %d\n",
        cores_[0], nice_, cores_[1], nice_, cores_[1], attacker_nice());
  }

  Outcome play(bool lifted) const {
    Process server(cores_[0], nice_, [&](int link) {
      run_server(link, {certificates_, lifted, options_.accept_rate});
    });
    const auto port = read_value<std::uint16_t>(server.link());
    const ClientOrder client{certificates_, port};
    Process exchange(cores_[1], nice_, [&](int link) {
      go_first();
      run_exchange(link, client);
    });
    Process newcomers(cores_[1], nice_, [&](int link) { run_newcomers(link, client); });
    const AttackOrder order{certificates_, port, options_.rate, options_.only};
    Process attackers(cores_[1], attacker_nice(), [&](int link) { run_attackers(link, order); });
    const std::vector<const Process*> clients{&exchange, &newcomers, &attackers};
    for (const Process* process : clients) static_cast<void>(read_value<char>(process->link()));
    for (const Process* process : clients) write_value(process->link(), '.');

    Outcome outcome;
    const auto begin = std::chrono::steady_clock::now();
    const auto server_before = server.processor_time();
    const auto attackers_before = attackers.processor_time();
    constexpr int kSamples = 20;
    for (int i = 1; i <= kSamples; ++i) {
      std::this_thread::sleep_until(
          begin + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                      std::chrono::duration<double>(options_.seconds * i / kSamples)));
      outcome.resident.push_back(server.resident_octets());
    }
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
    const auto server_after = server.processor_time();
    const std::chrono::duration<double> used = server_after.used - server_before.used;
    const std::chrono::duration<double> waited = server_after.waited - server_before.waited;
    const auto attackers_after = attackers.processor_time();
    const std::chrono::duration<double> attackers_used =
        attackers_after.used - attackers_before.used;
    const std::chrono::duration<double> attackers_waited =
        attackers_after.waited - attackers_before.waited;
    outcome.seconds = passed.count();
    outcome.server_share = used / passed;
    outcome.server_wanted = (used + waited) / passed;
    outcome.attacker_share = attackers_used / passed;
    outcome.attacker_wanted = (attackers_used + attackers_waited) / passed;
    for (const Process* process : clients) write_value(process->link(), '.');
    outcome.attack = read_value<AttackResult>(attackers.link());
    outcome.exchange = read_value<ExchangeResult>(exchange.link());
    outcome.newcomers = read_value<NewcomersResult>(newcomers.link());
    write_value(server.link(), '.');
    outcome.metrics = read_text(server.link());
    return outcome;
  }

 private:
  int attacker_nice() const { return nice_ + 10; }

  const Options& options_;
  std::vector<unsigned> cores_;
  Certificates certificates_;
  int nice_ = 0;
};

double mebibytes(std::size_t octets) { return static_cast<double>(octets) / (1024 * 1024); }

void print(const Outcome& outcome, const char* mode) {
  std::printf("\n== limits %s, %.1f s, load average %s\n", mode, outcome.seconds,
              load_average().c_str());
  std::uint64_t opened = 0;
  for (std::size_t i = 0; i < kKinds; ++i) {
    const KindCount& count = outcome.attack.kinds[i];
    opened += count.opened;
    if (count.opened == 0) continue;
    std::printf("%-18s %7.0f opened/s, %7.2f MiB/s sent, %llu ended by the server\n",
                std::string(plans()[i].name).c_str(),
                static_cast<double>(count.opened) / outcome.seconds,
                mebibytes(count.octets) / outcome.seconds,
                static_cast<unsigned long long>(count.ended_by_server));
  }
  std::printf("all together       %7.0f opened/s\n", static_cast<double>(opened) / outcome.seconds);
  const ExchangeResult& good = outcome.exchange;
  std::printf("good client: %llu sent, %llu answered%s; its own processor late by %.2f ms (p99)\n",
              static_cast<unsigned long long>(good.sent),
              static_cast<unsigned long long>(good.answered), good.closed ? ", CLOSED" : "",
              good.late_p99);
  const NewcomersResult& fresh = outcome.newcomers;
  std::printf("newcomers: %llu opened, %llu answered, %llu failed\n",
              static_cast<unsigned long long>(fresh.opened),
              static_cast<unsigned long long>(fresh.answered),
              static_cast<unsigned long long>(fresh.failed));
  std::printf("server's metrics: %s\n", outcome.metrics.c_str());
  std::printf("server's memory, MiB:");
  for (const std::size_t octets : outcome.resident) std::printf(" %.0f", mebibytes(octets));
  std::printf("\n");
  const auto figure = [mode](const char* name, double value, const char* unit) {
    std::printf("figure hostile.%s.%s %.2f %s\n", name, mode, value, unit);
  };
  figure("p50", good.p50, "ms");
  figure("p99", good.p99, "ms");
  figure("max", good.max, "ms");
  figure("newcomers.p50", fresh.p50, "ms");
  figure("newcomers.max", fresh.max, "ms");
  figure("server_processor", outcome.server_share * 100, "%");
  figure("server_wanted", outcome.server_wanted * 100, "%");
  figure("attackers_processor", outcome.attacker_share * 100, "%");
  figure("attackers_wanted", outcome.attacker_wanted * 100, "%");
  std::fflush(stdout);
}

bool check(bool good, const char* what) {
  if (!good) std::printf("FAILED: %s\n", what);
  return good;
}

// Have other programs kept one of these waiting?
bool was_disturbed(const Outcome& outcome) {
  return outcome.exchange.late_p99 > kDisturbedMilliseconds ||
         outcome.server_wanted - outcome.server_share > kDisturbedShare ||
         outcome.attacker_wanted - outcome.attacker_share > kDisturbedShare;
}

Outcome play_undisturbed(const Stage& stage, bool lifted,
                         const std::function<bool(const Outcome&)>& is_good) {
  Outcome outcome = stage.play(lifted);
  for (int attempt = 1; attempt < kAttempts; ++attempt) {
    if (is_good(outcome) || !was_disturbed(outcome)) break;
    std::printf("p99 %.2f ms, server %.0f %%, but other programs kept the processors: once more\n",
                outcome.exchange.p99, outcome.server_wanted * 100);
    outcome = stage.play(lifted);
  }
  return outcome;
}

bool judge_limited(const Outcome& outcome) {
  const std::vector<std::size_t>& resident = outcome.resident;
  const std::size_t half = resident[resident.size() / 2];
  const ExchangeResult& exchange = outcome.exchange;
  const NewcomersResult& newcomers = outcome.newcomers;
  bool good = check(exchange.p99 < kGoalMilliseconds, "p99 is not under 20 ms");
  good &= check(exchange.answered == exchange.sent && !exchange.closed, "messages were lost");
  good &= check(newcomers.answered * 2 > newcomers.opened, "newcomers do not get in");
  good &= check(resident.back() < half + kGrowth, "the server's memory goes on growing");
  return good;
}

std::optional<Options> read_options(int count, char** words) {
  Options options;
  for (int i = 1; i < count; i += 2) {
    const std::string_view name = words[i];
    if (i + 1 == count) return std::nullopt;
    const std::string_view value = words[i + 1];
    if (name == "--seconds" || name == "--rate") {
      const double number = std::atof(words[i + 1]);
      if (number <= 0) return std::nullopt;
      (name == "--rate" ? options.rate : options.seconds) = number;
    } else if (name == "--accept-rate") {
      options.accept_rate = static_cast<std::uint32_t>(std::atoi(words[i + 1]));
    } else if (name == "--mode" && (value == "limits" || value == "lifted")) {
      options.lifted = value == "lifted";
    } else if (name == "--key" && (value == "p256" || value == "rsa2048")) {
      options.key = value == "p256" ? ServerKey::p256 : ServerKey::rsa2048;
    } else if (name == "--only") {
      const auto& all = plans();
      const auto found = std::find_if(all.begin(), all.end(),
                                      [&](const Plan& plan) { return plan.name == value; });
      if (found == all.end()) return std::nullopt;
      options.only = static_cast<Kind>(found - all.begin());
    } else {
      return std::nullopt;
    }
  }
  return options;
}

int run(const Options& options) {
  const std::vector<unsigned> cores = find_cores();
  if (cores.size() < 2) {
    std::puts("skipped: the server and its attackers need a processor each, and there is one");
    return kSkipped;
  }
  const Stage stage(options, cores);
  bool good = true;
  if (!options.lifted.value_or(false)) {
    const auto outcome = play_undisturbed(stage, false, [](const Outcome& played) {
      return played.exchange.p99 < kGoalMilliseconds;
    });
    print(outcome, "limits");
    good &= judge_limited(outcome);
  }
  if (options.lifted.value_or(true)) {
    // Otherwise the rate proves nothing.
    const bool whole = !options.only && options.rate >= 1;
    const auto saturated = [&](const Outcome& played) {
      return !whole || played.server_wanted > kSaturated;
    };
    const auto outcome = play_undisturbed(stage, true, saturated);
    print(outcome, "lifted");
    good &= check(saturated(outcome), "the server was not saturated");
  }
  return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::optional<Options> options = read_options(argc, argv);
  if (!options) {
    std::fprintf(stderr,
                 "usage: %s [--seconds N] [--rate FACTOR] [--only KIND] [--mode limits|lifted]"
                 " [--key p256|rsa2048] [--accept-rate N]\n",
                 argv[0]);
    return 2;
  }
  try {
    return run(*options);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "error: %s\n", failure.what());
    return 1;
  }
}
