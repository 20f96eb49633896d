#include "handshake_report.hpp"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <ostream>

#include "measure.hpp"

namespace handshake_bench {
namespace {

struct Role {
  const char* name;
  double Sample::*cost;
};
constexpr Role kRoles[] = {{"server", &Sample::server}, {"client", &Sample::client}};

double median_cost(const Row& row, const Role& role) {
  std::vector<double> costs;
  for (const Sample& sample : row.samples) costs.push_back(sample.*role.cost);
  return bench::median(std::move(costs));
}

// How many times as fast; the median over neighbouring samples, since what the machine does
// meanwhile meets both.
double ratio(const Row& of, const Row& to, const Role& role) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < of.samples.size(); ++i) {
    ratios.push_back(to.samples[i].*role.cost / of.samples[i].*role.cost);
  }
  return bench::median(std::move(ratios));
}

std::string row_name(const Row& row, const Role& role) {
  return std::string("handshake.") + role.name + '.' + row.shape + '.' + row.variant();
}

struct Comparison {
  const Row* other;
  std::string name;
  bool has_goal;
};

// With what a row is compared: plain BoringSSL and the ceiling where they do the same, and what
// siptls itself does without tickets.
std::vector<Comparison> comparisons(const std::vector<Row>& rows, const Row& own) {
  std::vector<Comparison> all;
  if (own.side != Side::siptls) return all;
  for (const Row& other : rows) {
    if (other.shape != own.shape) continue;
    const bool resumed_cold = own.kind == Kind::resumed && own.memory == Memory::cold;
    if (other.side == Side::plain && other.kind == own.kind) {
      all.push_back({&other, "plain", own.kind != Kind::ticketed && !resumed_cold});
    } else if (other.side == Side::ceiling && other.kind == own.kind) {
      all.push_back({&other, "ceiling", own.kind == Kind::full && own.memory == Memory::warm});
    } else if (other.side == Side::siptls && own.kind == Kind::ticketed &&
               other.kind == Kind::full && other.memory == own.memory) {
      all.push_back({&other, "unticketed", false});
    }
  }
  return all;
}

void print_ratios(const std::vector<Row>& rows, bool with_goal) {
  for (const Row& own : rows) {
    for (const Comparison& comparison : comparisons(rows, own)) {
      if (comparison.has_goal != with_goal) continue;
      for (const Role& role : kRoles) {
        std::printf("ratio %s.%s %.3f\n", row_name(own, role).c_str(), comparison.name.c_str(),
                    ratio(own, *comparison.other, role));
      }
    }
  }
}

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown";
}

using Run = benchmark::BenchmarkReporter::Run;
using Statistics = std::vector<benchmark::internal::Statistics>;

Run make_run(const Row& row, const Role& role) {
  static const Statistics kNone;
  Run run;
  run.run_name.function_name = row_name(row, role);
  run.family_index = 0;
  run.per_family_instance_index = 0;
  run.statistics = &kNone;
  run.threads = 1;
  run.repetitions = static_cast<std::int64_t>(row.samples.size());
  run.time_unit = benchmark::kNanosecond;
  return run;
}

// Google Benchmark divides what it is given here by the iterations, and counts in seconds.
void set_cost(Run& run, double nanoseconds, std::int64_t iterations) {
  run.iterations = iterations;
  run.real_accumulated_time = nanoseconds * static_cast<double>(iterations) / 1e9;
  run.cpu_accumulated_time = run.real_accumulated_time;
}

std::vector<Run> make_runs(const std::vector<Row>& rows, const Row& row, const Role& role) {
  std::vector<Run> runs;
  for (const Sample& sample : row.samples) {
    Run& run = runs.emplace_back(make_run(row, role));
    run.repetition_index = static_cast<std::int64_t>(runs.size()) - 1;
    set_cost(run, sample.*role.cost, sample.handshakes);
  }
  Run& median = runs.emplace_back(make_run(row, role));
  median.run_type = Run::RT_Aggregate;
  median.aggregate_name = "median";
  median.repetition_index = Run::no_repetition_index;
  set_cost(median, median_cost(row, role), 1);
  for (const Comparison& comparison : comparisons(rows, row)) {
    median.counters["ratio." + comparison.name] = ratio(row, *comparison.other, role);
  }
  return runs;
}

}  // namespace

void print_lines(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    for (const Role& role : kRoles) {
      std::printf("figure %s %.0f handshakes/s\n", row_name(row, role).c_str(),
                  1e9 / median_cost(row, role));
    }
  }
  print_ratios(rows, false);
  print_ratios(rows, true);
}

void write_json(const std::vector<Row>& rows, const Context& context, std::ostream& out) {
  benchmark::AddCustomContext("cpu", processor());
  benchmark::AddCustomContext("boringssl", baseline::boringssl_version());
  for (const auto& [key, value] : context) benchmark::AddCustomContext(key, value);
  benchmark::JSONReporter reporter;
  reporter.SetOutputStream(&out);
  reporter.SetErrorStream(&out);
  reporter.ReportContext(benchmark::BenchmarkReporter::Context());
  for (const Row& row : rows) {
    for (const Role& role : kRoles) reporter.ReportRuns(make_runs(rows, row, role));
  }
  reporter.Finalize();
  out << '\n';
}

}  // namespace handshake_bench
