#include "pki/pem.hpp"

#include <fmt/format.h>
#include <openssl/base64.h>
#include <openssl/mem.h>

#include <optional>
#include <utility>

#include "pki/certificate.hpp"

namespace siptls::pki {
namespace {

constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";
constexpr std::string_view kDashes = "-----";

// A text line by line.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}

  // The next line without its end and without blanks at its end.
  std::optional<std::string_view> next() {
    if (at_ >= text_.size()) return std::nullopt;
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    std::string_view line = text_.substr(at_, end - at_);
    start_ = at_;
    at_ = end + 1;
    ++number_;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) {
      line.remove_suffix(1);
    }
    return line;
  }

  std::size_t number() const { return number_; }
  std::size_t start() const { return start_; }                     // of the line given last
  std::size_t end() const { return std::min(at_, text_.size()); }  // behind it

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t start_ = 0;
  std::size_t number_ = 0;
};

std::optional<std::string_view> label_of(std::string_view line, std::string_view marker) {
  if (!line.starts_with(marker) || !line.ends_with(kDashes) ||
      line.size() < marker.size() + kDashes.size()) {
    return std::nullopt;
  }
  line.remove_prefix(marker.size());
  line.remove_suffix(kDashes.size());
  return line;
}

Unexpected malformed(const PemBlock& block, std::string_view what) {
  return Unexpected(Errc::pem_malformed, fmt::format("the {} block that begins in line {} {}",
                                                     printable(block.label), block.line, what));
}

Result<void> decode(std::string& base64, PemBlock& block) {
  std::size_t size = 0;
  block.der.resize(base64.size() / 4 * 3 + 3);
  const bool good =
      !base64.empty() &&
      EVP_DecodeBase64(block.der.data(), &size, block.der.size(),
                       reinterpret_cast<const std::uint8_t*>(base64.data()), base64.size()) == 1;
  const bool empty = base64.empty();
  OPENSSL_cleanse(base64.data(), base64.size());
  if (!good) return malformed(block, empty ? "is empty" : "is not base64");
  block.der.resize(size);
  return {};
}

// Header rows (RFC 1421 section 4.6): "Name: value", continued by lines that begin with a blank,
// ended by an empty line.
bool is_header_row(std::string_view line) { return line.find(':') != std::string_view::npos; }

Result<PemBlock> read_block(Lines& lines, std::string_view label, std::string_view text) {
  PemBlock block;
  block.label = label;
  block.line = lines.number();
  const std::size_t start = lines.start();
  std::string base64;
  base64.reserve(text.size() - start);  // so that no copy of a key is left behind by growth
  bool in_header = false;
  bool first = true;
  while (const auto line = lines.next()) {
    if (const auto end = label_of(*line, kEnd)) {
      if (*end != block.label) {
        OPENSSL_cleanse(base64.data(), base64.size());
        return malformed(block,
                         fmt::format("ends as {} in line {}", printable(*end), lines.number()));
      }
      block.text = text.substr(start, lines.end() - start);
      if (const auto decoded = decode(base64, block); !decoded) {
        return Unexpected(decoded.error());
      }
      return block;
    }
    if (line->starts_with(kBegin)) break;
    if (first && is_header_row(*line)) in_header = true;
    first = false;
    if (in_header) {
      if (line->starts_with("Proc-Type:") && line->find("ENCRYPTED") != std::string_view::npos) {
        block.encrypted = true;
      }
      if (line->empty()) in_header = false;
      continue;
    }
    for (const char c : *line) {
      if (c != ' ' && c != '\t') base64 += c;
    }
  }
  OPENSSL_cleanse(base64.data(), base64.size());
  return malformed(block, "does not end");
}

}  // namespace

PemBlock::~PemBlock() {
  if (!der.empty()) OPENSSL_cleanse(der.data(), der.size());
}

Result<std::vector<PemBlock>> read_pem(std::string_view text) {
  std::vector<PemBlock> blocks;
  Lines lines(text);
  while (const auto line = lines.next()) {
    if (!line->starts_with(kBegin)) continue;
    const auto label = label_of(*line, kBegin);
    if (!label) {
      return Unexpected(
          Errc::pem_malformed,
          fmt::format("line {} begins a PEM block and does not end in \"-----\"", lines.number()));
    }
    auto block = read_block(lines, *label, text);
    if (!block) return Unexpected(std::move(block).error());
    blocks.push_back(std::move(*block));
  }
  if (!blocks.empty()) return blocks;
  if (text.empty()) return Unexpected(Errc::pem_empty, "the text is empty");
  if (text.starts_with("\x30\x82")) {
    return Unexpected(Errc::pem_empty, "there is no PEM block; the text begins like DER");
  }
  return Unexpected(
      Errc::pem_empty,
      fmt::format("there is no PEM block (\"-----BEGIN ...-----\") in {} octets", text.size()));
}

Result<std::vector<PemBlock>> read_pem_of_type(std::string_view text, std::string_view label,
                                               std::string_view advice) {
  auto blocks = read_pem(text);
  if (!blocks) return blocks;
  for (const auto& block : *blocks) {
    if (block.label == label) continue;
    return Unexpected(
        Errc::pem_wrong_type,
        fmt::format("expected {}, found a {} block in line {}{}{}", label, printable(block.label),
                    block.line, advice.empty() ? "" : "; ", advice));
  }
  return blocks;
}

}  // namespace siptls::pki
