// What a tool prints: lines for people, or with --json one object a line; and how it ends.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "siptls/error.hpp"
#include "tool/command_line.hpp"

namespace tool {

// Keeps the order in which the keys are written.
using Json = nlohmann::ordered_json;

inline constexpr int kSuccess = 0;
inline constexpr int kFailed = 1;
inline constexpr int kBadUsage = 2;

class Output {
 public:
  enum class Format : std::uint8_t { text, json };
  explicit Output(Format format) noexcept : format_(format) {}

  // Prints `fields` with --json and `text` without it (nothing if it is empty), and flushes.
  // `fields` begins with the key "event".
  void event(const Json& fields, std::string_view text) const;

  // "error: reason: evidence" to standard error; with --json also an `error` event, to which
  // `more` is appended.
  void error(const siptls::Error& error, const Json& more = Json::object()) const;
  // The standard error part alone, for an error that has an event of its own.
  void error_line(const siptls::Error& error) const;
  // Likewise for what stops nothing.
  void warning(const siptls::Error& error, const Json& more = Json::object()) const;

  // error(), and the exit code that goes with it.
  int fail(const siptls::Error& failure) const;

 private:
  Format format_;
};

// reason, evidence and, where there is one, the TLS alert and the certificate of the chain.
void add_error(Json& fields, const siptls::Error& error);

// The common part of every main(): --help, bad usage, and what `body` throws. Gives the exit code.
int run(const Usage& usage, int argc, const char* const* argv,
        const std::function<int(const CommandLine&, const Output&)>& body);

}  // namespace tool
