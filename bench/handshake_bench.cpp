// Handshakes in memory, server and client processor time apart: siptls beside plain BoringSSL over
// memory BIOs, and beside the ceiling, BoringSSL with a verify callback that accepts everything.
//
// A shape is a key type, a version, mutual authentication or the server's alone, a group (X25519,
// or what TlsPolicy::modern prefers: "default_group"), and the number of intermediates between leaf
// and root (1 if not named; the root is the anchor and is not sent). Its rows:
//   cold, warm       full handshakes without tickets: each chain is judged anew, or both ends know
//                    the other's (TrustLimits::max_remembered_chains); plain, ceiling: the same by
//                    BoringSSL
//   *.ticketed       full handshakes whose server gives tickets, which the client takes and keeps
//                    (one in TLS 1.2, two in TLS 1.3)
//   *resumed         the client offers the newest ticket. TLS 1.3: PSK with (EC)DHE, and the server
//                    gives two new tickets; TLS 1.2: no key exchange, and none is renewed. siptls
//                    judges the peer again, at both ends and when the client offers the session;
//                    BoringSSL believes what was proven before.
// In the ticket rows the server writes two octets after the handshake, which the client reads:
// BoringSSL sends the tickets of TLS 1.3 with what is written first. There siptls' server has a
// TicketKeyRing, and its client the memory of sessions that each context has; bare BoringSSL has
// its built-in keys and one pointer. Rows of a shape must negotiate the same, or the program fails.
// The repetitions of all rows are interleaved, and the median counts.
//
// Usage: handshake_bench [--all] [--json FILE] [OPTION]...; options as Google Benchmark has them:
//   --all                         the whole matrix, in some minutes
//   --json FILE, --benchmark_out=FILE
//                                 samples, medians and ratios in Google Benchmark's format
//   --benchmark_format=json       the same on stdout, instead of the lines
//   --benchmark_filter=TEXT       only rows whose name ("mutual.p256.tls13.warm") contains TEXT
//   --benchmark_repetitions=N     so many samples of each row, however long it takes
//   --benchmark_min_time=SECONDS  of processor time for a sample; 0: one handshake
//   --benchmark_context=KEY=VALUE to stand in the JSON, such as a date
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "handshake_report.hpp"
#include "handshake_rows.hpp"

namespace {

using handshake_bench::Row;
using std::chrono::nanoseconds;

struct Options {
  bool all = false;
  bool json_on_stdout = false;
  std::string json_file;
  std::string filter;
  int repetitions = 0;  // 0: as many as there is time for
  nanoseconds span = std::chrono::milliseconds(20);
  handshake_bench::Context context;
};

double number(const std::string& text, double most) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value >= 0 && value <= most)) {
    throw std::invalid_argument("no number between 0 and " + std::to_string(most) + ": " + text);
  }
  return value;
}

void set_option(Options& options, const std::string& name, const std::string& value) {
  if (name == "json" || name == "benchmark_out") {
    options.json_file = value;
  } else if (name == "benchmark_format" || name == "benchmark_out_format") {
    const bool json = value == "json";
    if (!json && (value != "console" || name == "benchmark_out_format")) {
      throw std::invalid_argument("--" + name + ": no such format: " + value);
    }
    if (name == "benchmark_format") options.json_on_stdout = json;
  } else if (name == "benchmark_filter") {
    options.filter = value;
  } else if (name == "benchmark_repetitions") {
    options.repetitions = static_cast<int>(number(value, 10000));
  } else if (name == "benchmark_min_time") {
    options.span = nanoseconds(static_cast<nanoseconds::rep>(number(value, 60) * 1e9));
  } else if (const auto equals = value.find('=');
             name == "benchmark_context" && equals != std::string::npos) {
    options.context.emplace_back(value.substr(0, equals), value.substr(equals + 1));
  } else {
    throw std::invalid_argument("unknown: --" + name);
  }
}

Options parse(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const auto equals = argument.find('=');
    if (argument == "--all") {
      options.all = true;
    } else if (argument == "--json" && i + 1 < arguments.size()) {
      set_option(options, "json", arguments[++i]);
    } else if (argument.rfind("--", 0) == 0 && equals != std::string::npos) {
      set_option(options, argument.substr(2, equals - 2), argument.substr(equals + 1));
    } else {
      throw std::invalid_argument("unknown: " + argument);
    }
  }
  return options;
}

void measure(std::vector<Row>& rows, const Options& options) {
  constexpr int kRepetitions = 41;
  constexpr int kEnough = 5;
  // On a busy machine the processor time comes slowly; then fewer repetitions must do.
  const auto give_up =
      std::chrono::steady_clock::now() + std::chrono::seconds(options.all ? 300 : 33);
  const int wanted = options.repetitions != 0 ? options.repetitions : kRepetitions;
  for (int repetition = 0; repetition < wanted; ++repetition) {
    const bool late = std::chrono::steady_clock::now() > give_up;
    if (options.repetitions == 0 && repetition >= kEnough && late) break;
    // To and fro, so that nobody always comes behind the same neighbour.
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows[repetition % 2 == 0 ? i : rows.size() - 1 - i].sample(options.span);
    }
  }
}

void run(const Options& options) {
  std::vector<Row> rows = handshake_bench::make_rows(options.all, options.filter);
  if (rows.empty()) throw std::runtime_error("no row has that name: " + options.filter);
  measure(rows, options);
  if (!options.json_file.empty()) {
    std::ofstream file(options.json_file);
    handshake_bench::write_json(rows, options.context, file);
    if (!file.flush()) throw std::runtime_error("cannot write " + options.json_file);
  }
  if (options.json_on_stdout) {
    handshake_bench::write_json(rows, options.context, std::cout);
  } else {
    handshake_bench::print_lines(rows);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(parse(std::vector<std::string>(argv + 1, argv + argc)));
  } catch (const std::invalid_argument& failure) {
    std::fprintf(stderr,
                 "error: %s\nusage: handshake_bench [--all] [--json FILE] "
                 "[--benchmark_{format,out,filter,repetitions,min_time,context}=VALUE]...\n",
                 failure.what());
    return 2;
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "error: %s\n", failure.what());
    return 1;
  }
  return 0;
}
