// What framing costs, beside a pass that only finds CR and LF in the same header octets.
//
// Usage: framer_bench [--all]. The repetitions of all rows are interleaved, and the median counts.
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "framer_bench_crlf.hpp"
#include "framer_bench_traffic.hpp"
#include "siptls/sip_framer.hpp"

namespace framer_bench {
namespace {

// Processor time of this thread, so that other work on the machine does not count.
std::chrono::nanoseconds thread_time() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// Frames the whole traffic once, `piece` octets a push; 0: a message a push. Gives the messages.
std::size_t frame(const Traffic& traffic, std::size_t piece, siptls::SipFramer& framer) {
  const auto octets = std::as_bytes(std::span(traffic.stream));
  std::size_t found = 0;
  std::size_t rows = 0;
  const auto push = [&](std::size_t begin, std::size_t end) {
    framer.push(octets.subspan(begin, end - begin));
    for (;;) {
      const siptls::FramerOutput output = framer.next();
      if (std::holds_alternative<siptls::NeedMore>(output)) return;
      if (const auto* message = std::get_if<siptls::SipMessageView>(&output)) {
        rows += message->row_count();
      } else if (std::holds_alternative<siptls::Error>(output)) {
        std::fprintf(stderr, "error: %s\n", std::get<siptls::Error>(output).message().c_str());
        std::exit(1);
      }
      ++found;
    }
  };
  if (piece == 0) {
    for (std::size_t i = 0; i < traffic.count(); ++i) push(traffic.begin(i), traffic.ends[i]);
  } else {
    for (std::size_t begin = 0; begin < octets.size(); begin += piece) {
      push(begin, std::min(begin + piece, octets.size()));
    }
  }
  benchmark::DoNotOptimize(rows);
  return found;
}

// One row of the matrix: a piece of work and what its time is divided by.
struct Row {
  std::string name;
  std::string unit;
  double divisor;  // messages or octets a round
  std::function<void()> round;
  std::vector<double> samples;

  double median() {
    std::sort(samples.begin(), samples.end());
    return samples[samples.size() / 2];
  }
};

// Runs rounds for about `span`; nanoseconds a round.
double measure(const std::function<void()>& round, std::chrono::nanoseconds span) {
  std::size_t rounds = 0;
  const auto begin = thread_time();
  auto now = begin;
  do {
    for (int i = 0; i < 4; ++i, ++rounds) round();
    now = thread_time();
  } while (now - begin < span);
  return static_cast<double>((now - begin).count()) / static_cast<double>(rounds);
}

class Bench {
 public:
  explicit Bench(bool all) {
    add(invites(), {0, 1460, 1}, all);
    if (all) {
      add(options(), {0, 1460, 1}, all);
      add(responses(), {0, 1460, 1}, all);
      add(keep_alives(), {0, 1460, 1}, all);
      add(header_of(8 * 1024), {0, 1460, 1}, all);
      add(large_body(), {0, 1460, 1}, all);
    }
    add(header_of(1024), {0}, all);
    add(header_of(64 * 1024), {0}, all);
  }

  void run() {
    constexpr int kRepetitions = 25;
    const std::chrono::nanoseconds span = std::chrono::milliseconds(20);
    for (int i = 0; i < kRepetitions; ++i) {
      for (Row& row : rows_) row.samples.push_back(measure(row.round, span) / row.divisor);
    }
  }

  void print() {
    std::map<std::string, double> median;
    for (Row& row : rows_) median[row.name] = row.median();
    for (const Row& row : rows_) {
      std::printf("figure framer.%s %.*f %s\n", row.name.c_str(), row.unit == "ns/byte" ? 2 : 1,
                  median[row.name], row.unit.c_str());
    }
    for (const auto& [name, value] : median) {
      const std::size_t dot = name.rfind(".crlf_pass");
      if (dot == std::string::npos) continue;
      const std::string whole = name.substr(0, dot) + ".whole";
      std::printf("ratio framer.%s.crlf_pass %.2f\n", whole.c_str(), median[whole] / value);
    }
    std::printf("ratio framer.header_64k.per_byte %.2f\n",
                median["header_65536.whole.per_byte"] / median["header_1024.whole.per_byte"]);
  }

 private:
  void add(Traffic traffic, std::vector<std::size_t> pieces, bool all) {
    if (all && pieces.size() > 1) pieces.insert(pieces.begin() + 2, 64);
    traffic_.push_back(std::make_unique<Traffic>(std::move(traffic)));
    const Traffic& kept = *traffic_.back();
    for (const std::size_t piece : pieces) add_framing(kept, piece);
    add_pass(kept);
  }

  void add_framing(const Traffic& traffic, std::size_t piece) {
    siptls::FramerOptions options;
    options.limits.max_header_rows = 4096;  // 64 KiB of rows of the usual size are more than 512
    framers_.push_back(std::make_unique<siptls::SipFramer>(options, *workspace_));
    siptls::SipFramer& framer = *framers_.back();
    if (frame(traffic, piece, framer) != traffic.count()) {
      std::fprintf(stderr, "error: %s is not framed as it should\n", traffic.name.c_str());
      std::exit(1);
    }
    const auto octets = static_cast<double>(traffic.stream.size());
    const auto messages = static_cast<double>(traffic.count());
    const std::function<void()> round = [&traffic, piece, &framer] {
      benchmark::DoNotOptimize(frame(traffic, piece, framer));
    };
    if (piece == 1) {
      rows_.push_back({traffic.name + ".bytewise", "ns/byte", octets, round, {}});
    } else if (traffic.name.starts_with("header_") && piece == 0) {
      rows_.push_back({traffic.name + ".whole", "ns/message", messages, round, {}});
      rows_.push_back({traffic.name + ".whole.per_byte", "ns/byte", octets, round, {}});
    } else {
      const std::string name = piece == 0 ? ".whole" : piece == 1460 ? ".mss" : ".by64";
      rows_.push_back({traffic.name + name, "ns/message", messages, round, {}});
    }
  }

  void add_pass(const Traffic& traffic) {
    rows_.push_back({traffic.name + ".crlf_pass",
                     "ns/message",
                     static_cast<double>(traffic.count()),
                     [&traffic] {
                       std::size_t breaks = 0;
                       for (std::size_t i = 0; i < traffic.count(); ++i) {
                         breaks += find_line_breaks(traffic.header(i));
                       }
                       benchmark::DoNotOptimize(breaks);
                     },
                     {}});
  }

  siptls::SipFramer::WorkspacePtr workspace_ = siptls::SipFramer::make_workspace();
  std::vector<std::unique_ptr<Traffic>> traffic_;
  std::vector<std::unique_ptr<siptls::SipFramer>> framers_;
  std::vector<Row> rows_;
};

}  // namespace
}  // namespace framer_bench

int main(int argc, char** argv) {
  const bool all = argc == 2 && std::strcmp(argv[1], "--all") == 0;
  if (argc > 1 && !all) {
    std::fprintf(stderr, "usage: framer_bench [--all]\n");
    return 2;
  }
  framer_bench::Bench bench(all);
  bench.run();
  bench.print();
  return 0;
}
