// Judges the chains of NIST PKITS and C2SP/x509-limbo, which lie in the folder that
// SIPTLS_CORPORA names. A verdict that differs from the corpus's expectation must stand in
// corpora_deviations.hpp, with the reason; and what stands there must still differ.
//
// Exit status: 0 all as expected, 1 not, 77 (skipped) without the corpora.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pki/corpora_deviations.hpp"
#include "siptls/trust_store.hpp"

namespace {

using siptls::TrustStore;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == separator) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

// "name=value" lines.
std::map<std::string, std::string> properties(const std::string& text) {
  std::map<std::string, std::string> out;
  for (const auto& line : split(text, '\n')) {
    const auto equals = line.find('=');
    if (equals != std::string::npos) out[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return out;
}

// Rows of a table with a header, as maps.
std::vector<std::map<std::string, std::string>> table(const std::filesystem::path& path) {
  const auto lines = split(read(path), '\n');
  const auto names = split(lines[0], '\t');
  std::vector<std::map<std::string, std::string>> out;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const auto fields = split(lines[i], '\t');
    auto& row = out.emplace_back();
    for (std::size_t k = 0; k < fields.size() && k < names.size(); ++k) row[names[k]] = fields[k];
  }
  return out;
}

struct Tally {
  int judged = 0;
  int left_out = 0;
  int deviations = 0;
  int wrong = 0;
};

// Compares one verdict with its expectation and the table of deviations.
void compare(Tally& tally, const std::string& id, bool expected_good, const std::string& verdict,
             const std::string& evidence) {
  ++tally.judged;
  const bool good = verdict == "ok";
  const auto* const deviation = corpora::deviation_for(id);
  if (deviation != nullptr) ++tally.deviations;
  if ((good == expected_good) == (deviation == nullptr)) return;
  ++tally.wrong;
  std::printf("%s: expected %s, got %s%s (%s)\n", id.c_str(), expected_good ? "ok" : "a refusal",
              verdict.c_str(), deviation != nullptr ? ", but a deviation is on record" : "",
              evidence.c_str());
}

siptls::VerifyOptions options_at(const std::string& time) {
  const auto parsed = siptls::parse_time(time.empty() ? "2026-01-01T00:00:00Z" : time);
  return siptls::VerifyOptions::given(parsed ? *parsed : siptls::WallTime());
}

siptls::Result<TrustStore> load(const std::filesystem::path& folder, bool with_crls,
                                std::size_t depth) {
  siptls::TrustLimits limits;
  limits.max_entries = 1000;
  limits.max_ca_depth = depth;
  auto store = TrustStore::from_pem(read(folder / "trusted.pem"), limits);
  if (store && with_crls) return store->with_crls(read(folder / "crls.pem"));
  return store;
}

// These certificates are no SIP certificates: a path that was judged good ends in a name error.
bool is_about_names(siptls::Errc reason) {
  return reason == siptls::Errc::no_sip_identity || reason == siptls::Errc::identity_mismatch;
}

// One case, with its CRLs or as if there were none.
void run_pkits_case(const std::filesystem::path& folder, const std::string& id, bool with_crls,
                    bool expected_good, Tally& tally) {
  auto facts = properties(read(folder / "case.txt"));
  const auto store = load(folder, with_crls, 5);
  if (!store) {
    compare(tally, id, expected_good, std::string(to_string(store.error().reason())),
            store.error().evidence());
    return;
  }
  const auto result =
      store->verify_pem(read(folder / "chain.pem"), options_at(facts["validation_time"]));
  const bool good = result || is_about_names(result.error().reason());
  compare(tally, id, expected_good, good ? "ok" : std::string(to_string(result.error().reason())),
          result ? "" : result.error().evidence());
}

// Rows of which revocation is the point are judged with CRLs only; all others with and without.
void run_pkits(const std::filesystem::path& root, Tally& tally) {
  for (auto& row : table(root / "index.tsv")) {
    if (row["needs"] == "policy") {
      ++tally.left_out;  // user-chosen policy sets; SIP has none
      continue;
    }
    const std::string id = "pkits " + row["num"];
    const bool good = row["expected"] == "SUCCESS";
    if (row["needs"] != "crl") run_pkits_case(root / row["dir"], id, false, good, tally);
    run_pkits_case(root / row["dir"], id + " with CRLs", true, good, tally);
  }
}

void run_limbo(const std::filesystem::path& root, Tally& tally) {
  for (auto& row : table(root / "index.tsv")) {
    const auto folder = root / row["dir"];
    auto facts = properties(read(folder / "case.txt"));
    const auto& depth = facts["max_chain_depth"];  // without leaf and anchor
    const bool has_crls = std::filesystem::exists(folder / "crls.pem");
    const auto store = load(folder, has_crls, depth.empty() ? 32 : std::stoul(depth) + 1);
    if (!store) {
      compare(tally, row["id"], row["expected"] == "SUCCESS",
              std::string(to_string(store.error().reason())), store.error().evidence());
      continue;
    }
    auto how = options_at(facts["validation_time"]);
    const bool client = facts["validation_kind"] == "CLIENT";
    how.role = client ? siptls::PeerRole::client : siptls::PeerRole::server;
    const std::string kind = facts["peer_name_kind"];
    if (kind == "DNS" || kind == "IP") how.identity = facts["peer_name"];
    const auto result = store->verify_pem(read(folder / "chain.pem"), how);
    if (corpora::accepted_with_wildcard(row["id"])) {
      auto wider = how;
      wider.names.wildcard = siptls::WildcardPolicy::dangerous_one_label;
      const auto again = store->verify_pem(read(folder / "chain.pem"), wider);
      compare(tally, row["id"] + " with a wildcard", row["expected"] == "SUCCESS",
              again ? "ok" : std::string(to_string(again.error().reason())),
              again ? "" : again.error().evidence());
    }
    // Where the corpus expects an e-mail address, only the path can be judged.
    const bool good = result || (!how.identity && is_about_names(result.error().reason()));
    compare(tally, row["id"], row["expected"] == "SUCCESS",
            good ? "ok" : std::string(to_string(result.error().reason())),
            result ? "" : result.error().evidence());
  }
}

void report(const char* name, const Tally& tally) {
  std::printf("%s: %d judged, %d left out, %d deviations on record, %d wrong\n", name, tally.judged,
              tally.left_out, tally.deviations, tally.wrong);
}

}  // namespace

int main() {
  const char* const root = std::getenv("SIPTLS_CORPORA");
  if (root == nullptr || !std::filesystem::exists(std::filesystem::path(root) / "nist-pkits")) {
    std::printf("skipped: SIPTLS_CORPORA does not name a folder with nist-pkits and x509-limbo\n");
    return 77;
  }
  Tally pkits, limbo;
  run_pkits(std::filesystem::path(root) / "nist-pkits", pkits);
  run_limbo(std::filesystem::path(root) / "x509-limbo", limbo);
  report("NIST PKITS", pkits);
  report("x509-limbo", limbo);
  const bool complete = pkits.judged > 0 && limbo.judged > 0;
  return complete && pkits.wrong + limbo.wrong == 0 ? 0 : 1;
}
