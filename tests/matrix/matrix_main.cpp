// The interop matrix against one other TLS library.
//
//   matrix_test openssl|gnutls PROGRAM            the pairwise form
//   matrix_test openssl|gnutls PROGRAM full       the full form
//   matrix_test openssl|gnutls PROGRAM 'role=...' one cell, as a failure names it
//
// Prints each cell that is not as it must be and, last, how many were run of how many there are.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "matrix/plan.hpp"
#include "matrix/run_cell.hpp"
#include "scale.hpp"

namespace matrix {

namespace {

class Run {
 public:
  Run(FarLibrary library, const std::string& program) : library_(library), far_(program) {}

  void cell(const Cell& cell, bool tell = false) {
    const CellReport report = run_cell(cell, library_, certificates_, far_);
    ++cells_;
    connections_ += report.connections;
    resumed_ += report.resumed ? 1U : 0U;
    retried_ += report.retried ? 1U : 0U;
    agreeing_ += expect(cell, library_).agrees() ? 1U : 0U;
    if (tell) std::printf("%s", report.story.c_str());
    if (report.problems.empty()) return;
    ++failed_;
    // After these nobody reads on.
    constexpr std::size_t kShown = 40;
    if (failed_ > kShown) return;
    std::printf("FAILED: %s\n", to_text(cell).c_str());
    for (const std::string& problem : report.problems) std::printf("    %s\n", problem.c_str());
    std::printf("%s\n", report.story.c_str());
    std::fflush(stdout);
    // Each of these costs its patience, and a few say it all.
    constexpr std::size_t kMaxHung = 5;
    hung_ += report.hung ? 1U : 0U;
    if (hung_ == kMaxHung) throw std::runtime_error("given up after so many cells without an end");
  }

  void progress() const {
    std::printf("%zu cells, %zu FAILED\n", cells_, failed_);
    std::fflush(stdout);
  }

  int end() const {
    const auto all = static_cast<unsigned long long>(all_cells());
    std::printf(
        "%zu connections; %zu cells agree, %zu of them resume, %zu begin again by "
        "HelloRetryRequest; %zu cells have an obstacle\n",
        connections_, agreeing_, resumed_, retried_, cells_ - agreeing_);
    std::printf("%zu cells run of %llu, %llu thinned; %zu FAILED\n", cells_, all, all - cells_,
                failed_);
    return failed_ == 0 && cells_ > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
  }

 private:
  FarLibrary library_;
  Certificates certificates_;
  FarProcess far_;
  std::size_t cells_ = 0;
  std::size_t connections_ = 0;
  std::size_t agreeing_ = 0;
  std::size_t resumed_ = 0;
  std::size_t retried_ = 0;
  std::size_t failed_ = 0;
  std::size_t hung_ = 0;
};

void run_pairwise(FarLibrary library, Run& run) {
  const PairwisePlan plan = plan_pairwise(library);
  for (const PairwisePlan::Covered& part : plan.parts) {
    std::printf(
        "pairwise, siptls as %s, %s: %zu pairs of values in %zu cells that agree (%zu pairs "
        "never do); %zu values beside a lone obstacle in %zu cells (%zu never are)\n",
        part.part.server ? "server" : "client",
        std::string(siptls::to_string(part.part.version)).c_str(), part.pairs, part.agreeing.size(),
        part.clashing, part.refusals, part.refused.size(), part.impossible);
    for (const Cell& cell : part.agreeing) run.cell(cell);
    for (const Cell& cell : part.refused) run.cell(cell);
  }
}

void run_full(FarLibrary library, Run& run) {
  std::string names;
  for (const Dimension dimension : kFullDimensions) {
    names += (names.empty() ? "" : " x ") + std::string(dimensions()[dimension].name);
  }
  const std::uint64_t all = full_cells();
  std::printf("full: %s = %llu cells; the other dimensions turn\n", names.c_str(),
              static_cast<unsigned long long>(all));
  const std::uint64_t wanted =
      std::min<std::uint64_t>(all, siptls_test::scaled("full", static_cast<std::size_t>(all)));
  // A prime step: whatever part of them is run is spread over all values.
  constexpr std::uint64_t kStep = 104729;
  for (std::uint64_t i = 0; i < wanted; ++i) {
    run.cell(full_cell(i * kStep % all, library));
    if ((i + 1) % 1000 == 0) run.progress();
  }
}

int run(int argc, char** argv) {
  const std::string name = argc > 2 ? argv[1] : "";
  if (argc > 4 || (name != "openssl" && name != "gnutls")) {
    std::fprintf(stderr, "usage: %s openssl|gnutls PROGRAM [full|'role=... ...']\n", argv[0]);
    return 2;
  }
  const FarLibrary library = name == "openssl" ? FarLibrary::openssl : FarLibrary::gnutls;
  const std::string what = argc > 3 ? argv[3] : "";
  Run matrix(library, argv[2]);
  const auto begin = std::chrono::steady_clock::now();
  if (what.empty()) {
    run_pairwise(library, matrix);
  } else if (what == "full") {
    run_full(library, matrix);
  } else {
    matrix.cell(from_text(what), true);
  }
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  std::printf("%s, %.1f s\n", name.c_str(), taken.count());
  return matrix.end();
}

}  // namespace

}  // namespace matrix

int main(int argc, char** argv) {
  try {
    return matrix::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
