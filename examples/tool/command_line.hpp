// The command line of a tool: which options it has, and what the user gave.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "siptls/endpoint.hpp"
#include "siptls/error.hpp"

namespace tool {

struct Option {
  enum class Repeat : std::uint8_t { no, yes };
  std::string_view name;      // "--listen"
  std::string_view argument;  // "IP[:PORT]"; empty for an option without one
  std::string_view help;
  Repeat repeat = Repeat::no;
};

// What --help tells. --json and --help belong to every tool and are added here.
struct Usage {
  std::string_view tool;
  std::string_view summary;
  std::vector<Option> options;
  std::string_view operand;  // "[FILE|-]"; empty if the tool takes none
};

// The user's mistake: the tool ends with exit code 2.
class UsageError : public std::exception {
 public:
  explicit UsageError(siptls::Error error) : error_(std::move(error)) {}
  explicit UsageError(std::string evidence)
      : UsageError(siptls::Error(siptls::Errc::invalid_argument, std::move(evidence))) {}
  const siptls::Error& error() const noexcept { return error_; }
  const char* what() const noexcept override { return error_.evidence().c_str(); }

 private:
  siptls::Error error_;
};

class CommandLine {
 public:
  // Throws UsageError, as do the functions below. Values stand in the next argument or after "=".
  CommandLine(const Usage& usage, int argc, const char* const* argv);

  bool has(std::string_view name) const { return values_.count(name) != 0; }
  std::optional<std::string> value(std::string_view name) const;
  std::string required(std::string_view name) const;
  std::vector<std::string> values(std::string_view name) const;
  const std::optional<std::string>& operand() const noexcept { return operand_; }

  // A whole number from `least` to `most`.
  std::uint64_t number(std::string_view name, std::uint64_t fallback, std::uint64_t least,
                       std::uint64_t most) const;
  // "600s", "500ms", "2m" or "1h"; never 0.
  std::chrono::milliseconds duration(std::string_view name,
                                     std::chrono::milliseconds fallback) const;
  // "IP" or "IP:PORT".
  static siptls::Endpoint endpoint(std::string_view name, std::string_view text,
                                   std::uint16_t default_port = siptls::kDefaultPort);

  template <typename Choice>
  Choice choice(std::string_view name, Choice fallback,
                std::initializer_list<std::pair<std::string_view, Choice>> choices) const {
    const std::optional<std::string> given = value(name);
    if (!given) return fallback;
    std::string names;
    for (const auto& [word, meaning] : choices) {
      if (word == *given) return meaning;
      names.append(names.empty() ? "" : ", ").append(word);
    }
    throw UsageError(std::string(name) + " is \"" + *given + "\"; it can be one of " + names);
  }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::optional<std::string> operand_;
};

std::string help_text(const Usage& usage);

}  // namespace tool
