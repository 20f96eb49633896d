// The call flow of a HandshakeTrace, as text and as a picture.
#include <fmt/format.h>

#include <iterator>

#include "siptls/handshake_trace.hpp"

namespace siptls {
namespace {

// The arrow between the two sides, 20 columns wide.
constexpr std::string_view kToServer = "------------------->";
constexpr std::string_view kToClient = "<-------------------";

bool is_to_server(const TraceEntry& entry) noexcept {
  return entry.direction == TraceDirection::client_to_server;
}

std::string_view title_of(const std::optional<ProtocolVersion>& version) noexcept {
  return version ? to_string(*version) : "TLS";
}

std::string number_of(const TraceEntry& entry) {
  return entry.img2020_step ? std::to_string(static_cast<unsigned>(*entry.img2020_step)) : "";
}

std::string size_of(const TraceEntry& entry) {
  return fmt::format("{} octets{}", entry.size, entry.fatal ? ", fatal" : "");
}

// Where things stand in the picture, in its own units. Whole numbers only, so that the text is the
// same in every locale.
constexpr int kWidth = 720;
constexpr int kClientX = 90;
constexpr int kServerX = 510;
constexpr int kMiddleX = (kClientX + kServerX) / 2;
constexpr int kNumberX = 70;
constexpr int kSizeX = kServerX + 20;
constexpr int kHeadSize = 8;
constexpr int kTitleY = 26;
constexpr int kNamesY = 54;
constexpr int kFirstRowY = 96;
constexpr int kRowHeight = 34;
constexpr int kLabelAbove = 7;  // the label stands so far above its arrow
constexpr int kTextBelow = 5;   // the baseline of what stands beside an arrow

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string_view colour_of(const TraceEntry& entry) noexcept {
  switch (entry.kind) {
    case TraceEntry::Kind::change_cipher_spec:
      return "#7a5c00";
    case TraceEntry::Kind::application_data:
      return "#2e6b30";
    case TraceEntry::Kind::alert:
      return entry.fatal ? "#b00020" : "#555555";
    case TraceEntry::Kind::handshake:
      break;
  }
  return "#1f4e79";
}

using Out = std::back_insert_iterator<std::string>;

void add_text(Out& out, int x, int y, std::string_view anchor, std::string_view text) {
  if (text.empty()) return;
  fmt::format_to(out, "<text x=\"{}\" y=\"{}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor,
                 escaped(text));
}

void add_line(Out& out, int x1, int y1, int x2, int y2) {
  fmt::format_to(out, "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>\n", x1, y1, x2, y2);
}

void add_row(Out& out, const TraceEntry& entry, int y) {
  const bool to_server = is_to_server(entry);
  const int tip = to_server ? kServerX : kClientX;
  const int back = to_server ? tip - kHeadSize : tip + kHeadSize;
  const std::string_view colour = colour_of(entry);
  fmt::format_to(out, "<g fill=\"{}\" stroke=\"{}\">\n", colour, colour);
  add_line(out, to_server ? kClientX : kServerX, y, back, y);
  // The head is drawn here and not by reference, so that several pictures fit into one document.
  fmt::format_to(out, "<polygon points=\"{},{} {},{} {},{}\"/>\n</g>\n", tip, y, back,
                 y - kHeadSize / 2, back, y + kHeadSize / 2);
  add_text(out, kNumberX, y + kTextBelow, "end", number_of(entry));
  add_text(out, kMiddleX, y - kLabelAbove, "middle", entry.name());
  add_text(out, kSizeX, y + kTextBelow, "start", size_of(entry));
}

}  // namespace

std::string HandshakeTrace::ladder() const {
  // The names stand over the ends of the arrows.
  std::string text = fmt::format("      {:<24}client        server\n", title_of(version_));
  auto out = std::back_inserter(text);
  for (const TraceEntry& entry : entries_) {
    fmt::format_to(out, "  {:>2}  {:<24}{}  {}\n", number_of(entry), entry.name(),
                   is_to_server(entry) ? kToServer : kToClient, size_of(entry));
  }
  if (left_out_ > 0) fmt::format_to(out, "      and {} more\n", left_out_);
  return text;
}

std::string HandshakeTrace::ladder_svg() const {
  const int rows = static_cast<int>(entries_.size());
  const int end = kFirstRowY + rows * kRowHeight;
  const int height = left_out_ > 0 ? end + kRowHeight : end;
  const std::string title = fmt::format("{} call flow", title_of(version_));
  std::string text;
  auto out = std::back_inserter(text);
  fmt::format_to(out,
                 "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
                 "viewBox=\"0 0 {0} {1}\" role=\"img\" font-family=\"sans-serif\" "
                 "font-size=\"13\" fill=\"#222222\">\n<title>{2}</title>\n"
                 "<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n",
                 kWidth, height, escaped(title));
  add_text(out, kMiddleX, kTitleY, "middle", title);
  add_text(out, kClientX, kNamesY, "middle", "client");
  add_text(out, kServerX, kNamesY, "middle", "server");
  text += "<g stroke=\"#999999\">\n";
  for (const int x : {kClientX, kServerX}) {
    add_line(out, x, kNamesY + kTextBelow, x, end - kRowHeight / 2);
  }
  text += "</g>\n";
  int y = kFirstRowY;
  for (const TraceEntry& entry : entries_) {
    add_row(out, entry, y);
    y += kRowHeight;
  }
  if (left_out_ > 0) add_text(out, kMiddleX, y, "middle", fmt::format("and {} more", left_out_));
  text += "</svg>\n";
  return text;
}

}  // namespace siptls
