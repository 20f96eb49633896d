#include "tool/command_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace tool {
namespace {

const Option kCommonOptions[] = {
    {"--json", "", "one JSON object a line on standard output"},
    {"--help", "", "this text"},
};

const Option* find_option(const Usage& usage, std::string_view name) {
  const auto named = [name](const Option& option) { return option.name == name; };
  const auto own = std::find_if(usage.options.begin(), usage.options.end(), named);
  if (own != usage.options.end()) return &*own;
  const auto common = std::find_if(std::begin(kCommonOptions), std::end(kCommonOptions), named);
  return common != std::end(kCommonOptions) ? common : nullptr;
}

// Reads digits from the beginning of `text` and takes them away.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

// Breaks a long list of words behind a "|".
std::string wrapped(std::string_view text) {
  constexpr std::size_t kWidth = 94;
  std::string out;
  while (text.size() > kWidth) {
    const std::size_t bar = text.rfind('|', kWidth - 1);
    if (bar == text.npos) break;
    out.append(text.substr(0, bar + 1)).append("\n      ");
    text.remove_prefix(bar + 1);
  }
  return out.append(text);
}

}  // namespace

CommandLine::CommandLine(const Usage& usage, int argc, const char* const* argv) {
  bool only_operands = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!only_operands && argument == "--") {
      only_operands = true;
      continue;
    }
    if (only_operands || argument.substr(0, 1) != "-" || argument == "-") {
      if (usage.operand.empty() || operand_) {
        throw UsageError(fmt::format("\"{}\" is one argument too many", argument));
      }
      operand_ = argument;
      continue;
    }
    const std::size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const Option* option = find_option(usage, name);
    if (option == nullptr) {
      throw UsageError(fmt::format("{} has no option {}", usage.tool, name));
    }
    std::string value;
    if (option->argument.empty()) {
      if (equals != argument.npos) throw UsageError(fmt::format("{} takes no value", name));
    } else if (equals != argument.npos) {
      value = argument.substr(equals + 1);
    } else if (i + 1 < argc && std::string_view(argv[i + 1]).substr(0, 2) != "--") {
      value = argv[++i];
    } else {
      throw UsageError(fmt::format("{} needs a value: {}", name, option->argument));
    }
    std::vector<std::string>& values = values_[std::string(name)];
    if (!values.empty() && option->repeat == Option::Repeat::no) {
      throw UsageError(fmt::format("{} is given twice", name));
    }
    values.push_back(std::move(value));
  }
}

std::optional<std::string> CommandLine::value(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second.front();
}

std::string CommandLine::required(std::string_view name) const {
  if (std::optional<std::string> given = value(name)) return *std::move(given);
  throw UsageError(fmt::format("{} is missing", name));
}

std::vector<std::string> CommandLine::values(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

std::uint64_t CommandLine::number(std::string_view name, std::uint64_t fallback,
                                  std::uint64_t least, std::uint64_t most) const {
  const std::optional<std::string> given = value(name);
  if (!given) return fallback;
  std::string_view text = *given;
  const std::optional<std::uint64_t> number = take_number(text);
  if (!number || !text.empty() || *number < least || *number > most) {
    throw UsageError(
        fmt::format("{} is \"{}\"; it must be a number from {} to {}", name, *given, least, most));
  }
  return *number;
}

std::chrono::milliseconds CommandLine::duration(std::string_view name,
                                                std::chrono::milliseconds fallback) const {
  const std::optional<std::string> given = value(name);
  if (!given) return fallback;
  std::string_view unit = *given;
  const std::optional<std::uint64_t> number = take_number(unit);
  constexpr std::pair<std::string_view, std::uint64_t> kUnits[] = {
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
  constexpr std::uint64_t kMost = std::numeric_limits<std::int32_t>::max();  // 24 days
  for (const auto& [word, factor] : kUnits) {
    if (number && unit == word && *number > 0 && *number <= kMost / factor) {
      return std::chrono::milliseconds(*number * factor);
    }
  }
  throw UsageError(fmt::format(
      "{} is \"{}\"; it must be a duration of at most 24 days such as 500ms, 30s or 10m", name,
      *given));
}

siptls::Endpoint CommandLine::endpoint(std::string_view name, std::string_view text,
                                       std::uint16_t default_port) {
  siptls::Result<siptls::Endpoint> parsed = siptls::Endpoint::parse(text, default_port);
  if (parsed) return *parsed;
  throw UsageError(siptls::Error(parsed.error().reason(),
                                 fmt::format("{}: {}", name, parsed.error().evidence())));
}

std::string help_text(const Usage& usage) {
  std::string text = fmt::format("Usage: {} [OPTION]...{}{}\n{}\n\n", usage.tool,
                                 usage.operand.empty() ? "" : " ", usage.operand, usage.summary);
  const auto add = [&text](const Option& option) {
    const std::string left =
        fmt::format("{}{}{}{}", option.name, option.argument.empty() ? "" : " ", option.argument,
                    option.repeat == Option::Repeat::yes ? " ..." : "");
    text += left.size() <= 30 ? fmt::format("  {:<30}  {}\n", left, option.help)
                              : fmt::format("  {}\n  {:<30}  {}\n", wrapped(left), "", option.help);
  };
  for (const Option& option : usage.options) add(option);
  for (const Option& option : kCommonOptions) add(option);
  return text + "\nExit status: 0 success, 1 refused or failed, 2 bad usage.\n";
}

}  // namespace tool
