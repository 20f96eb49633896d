// Metrics as text: JSON, and OpenMetrics 1.0.0. Names and labels are ASCII words of our own, so
// that nothing has to be escaped.
#include <string>
#include <string_view>

#include "transport/metrics_table.hpp"

namespace siptls {
namespace {

class JsonObject {
 public:
  void add(std::string_view name, std::uint64_t value) { key(name) += std::to_string(value); }
  void add(std::string_view name, const JsonObject& value) { key(name) += value.text(); }
  std::string text() const { return "{" + members_ + "}"; }

 private:
  std::string& key(std::string_view name) {
    if (!members_.empty()) members_ += ',';
    return members_.append(1, '"').append(name).append("\":");
  }
  std::string members_;
};

class OpenMetrics {
 public:
  // Begins a family. The samples of a counter end with "_total".
  void family(metrics::Kind kind, std::string_view name, std::string_view help) {
    name_ = "siptls_" + std::string(name);
    const bool counter = kind == metrics::Kind::counter;
    text_ += "# TYPE " + name_ + (counter ? " counter\n" : " gauge\n");
    text_ += "# HELP " + name_ + " " + std::string(help) + "\n";
    if (counter) name_ += "_total";
  }
  void sample(std::uint64_t value) { text_ += name_ + " " + std::to_string(value) + "\n"; }
  void sample(std::string_view label, std::string_view of, std::uint64_t value) {
    text_ += name_ + "{" + std::string(label) + "=\"" + std::string(of) + "\"} " +
             std::to_string(value) + "\n";
  }
  std::string end() && { return std::move(text_) + "# EOF\n"; }

 private:
  std::string name_;
  std::string text_;
};

constexpr std::string_view kByVersion = "handshakes_by_version";

}  // namespace

std::string to_json(const TransportMetrics& metrics) {
  JsonObject json;
  for (const metrics::Number& row : metrics::kNumbers) json.add(row.name, metrics.*row.value);
  JsonObject versions;
  for (const auto& [version, count] : metrics.handshakes_by_version) {
    versions.add(to_string(version), count);
  }
  json.add(kByVersion, versions);
  for (const metrics::Codes& row : metrics::kCodes) {
    JsonObject counts;
    for (const auto& [code, count] : metrics.*row.values) counts.add(row.name_of(code), count);
    json.add(row.name, counts);
  }
  for (const metrics::Reasons& row : metrics::kReasons) {
    JsonObject counts;
    for (const auto& [reason, count] : metrics.*row.values) counts.add(to_string(reason), count);
    json.add(row.name, counts);
  }
  return json.text();
}

std::string to_openmetrics(const TransportMetrics& metrics) {
  OpenMetrics text;
  for (const metrics::Number& row : metrics::kNumbers) {
    text.family(row.kind, row.name, row.help);
    text.sample(metrics.*row.value);
  }
  text.family(metrics::Kind::counter, kByVersion, "Handshakes done, by version.");
  for (const auto& [version, count] : metrics.handshakes_by_version) {
    text.sample("version", to_string(version), count);
  }
  for (const metrics::Codes& row : metrics::kCodes) {
    text.family(metrics::Kind::counter, row.name, row.help);
    for (const auto& [code, count] : metrics.*row.values) {
      text.sample(row.label, row.name_of(code), count);
    }
  }
  for (const metrics::Reasons& row : metrics::kReasons) {
    text.family(metrics::Kind::counter, row.name, row.help);
    for (const auto& [reason, count] : metrics.*row.values) {
      text.sample("reason", to_string(reason), count);
    }
  }
  return std::move(text).end();
}

}  // namespace siptls
