// The judgement of chains: siptls, cold and from memory, beside plain BoringSSL in the same run:
// d2i_X509 of every certificate and X509_verify_cert with a store made beforehand. siptls judges
// names, strengths and usages as well, and gives the proven path back.
//
// Shapes: key type, entries in the store (the root and others that have nothing to do with the
// chain), depth (CA certificates above the leaf, the root included). The named lines are those of 1
// entry and depth 2: leaf, one intermediate, and the root as anchor.
//
// Usage: verify_bench [--all]. Processor time; the repetitions of all rows are interleaved, and the
// median counts.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "baseline/bare_verify.hpp"
#include "measure.hpp"
#include "pki/demo_pki.hpp"
#include "siptls/trust_store.hpp"

namespace {

using std::chrono::nanoseconds;

constexpr const char* kDomain = "server.example";

template <typename T>
T must(siptls::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return *std::move(result);
}

struct Shape {
  demo_pki::KeyType key;
  int entries;
  int depth;

  std::string name() const {
    const std::string key_name = key == demo_pki::KeyType::p256 ? "p256" : "rsa2048";
    if (is_named()) return key_name;
    return key_name + ".entries" + std::to_string(entries) + ".depth" + std::to_string(depth);
  }
  bool is_named() const { return entries == 1 && depth == 2; }
};

// A chain, and who may judge it.
class Subject {
 public:
  explicit Subject(const Shape& shape)
      : pki_(demo_pki::make_hierarchy(kDomain, shape.depth - 1, shape.key)),
        chain_(pki_.leaf.chain_der()),
        cold_(siptls::TrustLimits{16, 4, 0}),
        options_(siptls::VerifyOptions::given(must(siptls::parse_time("2026-06-01T00:00:00Z")))) {
    std::vector<std::string> anchors{pki_.root.certificate_der()};
    for (int i = 1; i < shape.entries; ++i) {
      const auto spec = demo_pki::ca_spec("another root " + std::to_string(i));
      anchors.push_back(demo_pki::Entity::self_signed(spec, shape.key).certificate_der());
    }
    for (const auto& anchor : anchors) {
      const auto der = std::as_bytes(std::span(anchor.data(), anchor.size()));
      cold_ = must(cold_.with_der(der));
      warm_ = must(warm_.with_der(der));
    }
    plain_ = std::make_unique<baseline::BareVerifier>(anchors);
    for (const auto& certificate : chain_) {
      views_.push_back(std::as_bytes(std::span(certificate.data(), certificate.size())));
    }
    options_.identity = kDomain;
  }

  void plain() { plain_->verify(chain_, options_.at.wall); }
  void cold() { must(cold_.verify(views_, options_)); }
  void warm() { must(warm_.verify(views_, options_)); }

 private:
  demo_pki::Hierarchy pki_;
  std::vector<std::string> chain_;
  std::vector<std::span<const std::byte>> views_;
  siptls::TrustStore cold_;
  siptls::TrustStore warm_;
  std::unique_ptr<baseline::BareVerifier> plain_;
  siptls::VerifyOptions options_;
};

// One way to judge, and its samples in nanoseconds a judgement.
struct Way {
  const char* name;
  std::function<void()> judge;
  std::vector<double> samples;

  void sample(nanoseconds span) {
    constexpr int kBatch = 8;  // the clock costs more than a judgement from memory
    const nanoseconds begin = baseline::verifier_thread_time();
    nanoseconds spent{};
    double count = 0;
    while (spent < span) {
      for (int i = 0; i < kBatch; ++i) judge();
      count += kBatch;
      spent = baseline::verifier_thread_time() - begin;
    }
    samples.push_back(static_cast<double>(spent.count()) / count);
  }
};

struct Row {
  Shape shape;
  std::vector<Way> ways;  // plain, cold, warm
};

using bench::median;

// Median of the ratios of neighbouring samples: what the machine does meanwhile meets both.
double ratio(const std::vector<double>& plain, const std::vector<double>& of) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < of.size(); ++i) ratios.push_back(plain[i] / of[i]);
  return median(std::move(ratios));
}

Row make_row(const Shape& shape) {
  const auto subject = std::make_shared<Subject>(shape);
  return {shape,
          {{"plain", [subject] { subject->plain(); }, {}},
           {"cold", [subject] { subject->cold(); }, {}},
           {"warm", [subject] { subject->warm(); }, {}}}};
}

std::vector<Row> make_rows(bool all) {
  std::vector<Row> rows;
  for (const auto key : {demo_pki::KeyType::p256, demo_pki::KeyType::rsa2048}) {
    for (const int entries : {1, 16}) {
      for (const int depth : {1, 2, 3, 4}) {
        const Shape shape{key, entries, depth};
        if (all || shape.is_named()) rows.push_back(make_row(shape));
      }
    }
  }
  return rows;
}

void print(const std::vector<Row>& rows) {
  std::printf("shape of p256 and rsa2048: 1 entry, depth 2 (leaf, intermediate, root as anchor)\n");
  for (const Row& row : rows) {
    for (const Way& way : row.ways) {
      std::printf("figure verify.%s.%s %.2f us\n", row.shape.name().c_str(), way.name,
                  median(way.samples) / 1000);
    }
  }
  for (const Row& row : rows) {
    for (std::size_t i = 1; i < row.ways.size(); ++i) {
      std::printf("ratio verify.%s.%s %.3f\n", row.shape.name().c_str(), row.ways[i].name,
                  ratio(row.ways[0].samples, row.ways[i].samples));
    }
  }
}

void run(bool all) {
  std::vector<Row> rows = make_rows(all);
  constexpr int kRepetitions = 101;
  constexpr int kEnough = 15;
  constexpr nanoseconds kSpan = std::chrono::milliseconds(20);
  // On a busy machine the processor time comes slowly; then fewer repetitions must do.
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(all ? 240 : 30);
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    if (repetition >= kEnough && std::chrono::steady_clock::now() > give_up) break;
    for (Row& row : rows) {
      for (Way& way : row.ways) way.sample(kSpan);
    }
  }
  print(rows);
}

}  // namespace

int main(int argc, char** argv) { return bench::run_main(argc, argv, "verify_bench", run); }
