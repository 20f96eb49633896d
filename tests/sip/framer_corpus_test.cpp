// The streams of RFC 4475, RFC 5118 and of Content-Length variants, read from the folder that the
// environment names in SIPTLS_CORPORA; each in many cuttings.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "framer_run.hpp"
#include "siptls/sip_framer.hpp"

namespace siptls_test {
namespace {

namespace fs = std::filesystem;
using Kind = Framed::Kind;
using siptls::Errc;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  return {std::istreambuf_iterator<char>(file), {}};
}

// The rows of a table whose first row names its columns.
std::vector<std::vector<std::string>> read_table(const fs::path& path) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream text(read(path));
  std::string line;
  std::getline(text, line);
  while (std::getline(text, line)) {
    std::vector<std::string> row;
    std::istringstream cells(line);
    std::string cell;
    while (std::getline(cells, cell, '\t')) row.push_back(cell);
    rows.push_back(row);
  }
  return rows;
}

const char* corpora() {
  const char* folder = std::getenv("SIPTLS_CORPORA");
  if (folder == nullptr) WARN("skipped: SIPTLS_CORPORA names no folder with test data");
  return folder;
}

// What comes out of the stream, the same in every cutting and as the reference says.
std::vector<Framed> frame_every_way(const std::string& stream) {
  const auto workspace = siptls::SipFramer::make_workspace();
  const siptls::FramerOptions options;
  const std::vector<Framed> whole = frame(stream, {}, options, *workspace);
  const std::vector<Framed> reference = NaiveFramer(stream, options).run();
  INFO("reference:\n" << describe(reference) << "framer:\n" << describe(whole));
  CHECK(same(reference, whole));
  std::size_t different = 0;
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    if (frame(stream, {cut}, options, *workspace) != whole) ++different;
  }
  if (frame_by_octets(stream, options, *workspace) != whole) ++different;
  std::mt19937 random(4475);
  for (int i = 0; i < 100; ++i) {
    if (frame(stream, random_cuts(stream.size(), random), options, *workspace) != whole) {
      ++different;
    }
  }
  CHECK(different == 0);
  return whole;
}

TEST_CASE("the torture messages of RFC 4475 and RFC 5118 are framed as their index says") {
  const char* folder = corpora();
  if (folder == nullptr) return;
  const fs::path base = fs::path(folder) / "sip-torture";
  std::size_t exact_in_4475 = 0;
  std::size_t cases = 0;
  for (const auto& row : read_table(base / "index.tsv")) {
    const std::string& file = row.at(0);
    const std::string& verdict = row.at(5);
    const std::string stream = read(base / file);
    INFO(file << ": " << row.at(6));
    const std::vector<Framed> framed = frame_every_way(stream);
    ++cases;
    REQUIRE(!framed.empty());
    const Framed& last = framed.back();
    if (verdict == "exact") {
      CHECK(framed.size() == 2);
      CHECK(framed[0].kind == Kind::message);
      CHECK(framed[0].length == stream.size());
      if (file.starts_with("rfc4475/")) ++exact_in_4475;
    } else if (file == "rfc4475/dblreq.dat") {
      REQUIRE(framed.size() == 3);
      CHECK(framed[0].kind == Kind::message);
      CHECK(framed[1].kind == Kind::message);
      CHECK(stream.size() - last.offset == 5);
    } else if (file == "rfc4475/clerr.dat") {
      CHECK(framed.size() == 1);
      CHECK(last.kind == Kind::more);
      CHECK(last.length == 9845);
    } else if (file == "rfc4475/ncl.dat") {
      CHECK(framed.size() == 1);
      CHECK(last.reason == Errc::invalid_content_length);
    } else if (file == "rfc4475/mcl01.dat") {
      CHECK(framed.size() == 1);
      CHECK(last.reason == Errc::duplicate_content_length);
    } else if (file == "rfc4475/inv2543.dat") {
      CHECK(framed.size() == 1);
      CHECK(last.reason == Errc::missing_content_length);
    } else {
      // RFC 5118: some octets follow the message.
      CHECK(verdict.starts_with("trailing: "));
      CHECK(framed[0].kind == Kind::message);
      CHECK(stream.size() - framed[0].length == std::stoul(verdict.substr(10)));
    }
  }
  CHECK(exact_in_4475 == 44);
  CHECK(cases == 61);
}

TEST_CASE("every variant of Content-Length is framed as its index says") {
  const char* folder = corpora();
  if (folder == nullptr) return;
  const fs::path base = fs::path(folder) / "content-length";
  std::size_t cases = 0;
  for (const auto& row : read_table(base / "index.tsv")) {
    const std::string stream = read(base / row.at(0));
    const std::string& grammar = row.at(4);
    INFO(row.at(1) << ": " << grammar);
    const std::vector<Framed> framed = frame_every_way(stream);
    ++cases;
    if (grammar == "valid") {
      REQUIRE(framed.size() == 3);
      CHECK(framed[0].kind == Kind::message);
      CHECK(framed[0].length == std::stoul(row.at(5)));
      CHECK(framed[1].kind == Kind::message);
      CHECK(framed[2].length == 1);
      CHECK(framed[2].offset == stream.size());
      continue;
    }
    // Nothing of it comes out, and above all not the request that follows.
    REQUIRE(framed.size() == 1);
    CHECK(framed[0].kind == Kind::error);
    const Errc reason = framed[0].reason;
    if (grammar == "conflict" || grammar == "duplicate") {
      CHECK(reason == Errc::duplicate_content_length);
    } else if (grammar == "valid-grammar-too-large") {
      CHECK(reason == Errc::content_length_too_large);
    } else if (grammar == "missing") {
      CHECK(reason == Errc::missing_content_length);
    } else if (row.at(1) == "bare-cr-in-value") {
      CHECK(reason == Errc::bare_carriage_return);
    } else if (row.at(1) == "lf-only-line") {
      CHECK(reason == Errc::bare_line_feed);
    } else if (row.at(1) == "nul-in-value") {
      CHECK(reason == Errc::nul_in_header);
    } else {
      CHECK(reason == Errc::invalid_content_length);
    }
  }
  CHECK(cases == 39);
}

}  // namespace
}  // namespace siptls_test
