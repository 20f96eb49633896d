#include "tool/output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <new>

namespace tool {
namespace {

void write_line(std::FILE* stream, std::string_view line) {
  std::string text(line);
  if (text.empty() || text.back() != '\n') text += '\n';
  std::fwrite(text.data(), 1, text.size(), stream);
  std::fflush(stream);
}

Json error_event(std::string_view event, const siptls::Error& error, const Json& more) {
  Json fields{{"event", event}};
  add_error(fields, error);
  for (const auto& [key, value] : more.items()) fields[key] = value;
  return fields;
}

}  // namespace

void Output::event(const Json& fields, std::string_view text) const {
  if (format_ == Format::json) {
    // What peers send need not be UTF-8; octets that are not become U+FFFD.
    write_line(stdout, fields.dump(-1, ' ', false, Json::error_handler_t::replace));
  } else if (!text.empty()) {
    write_line(stdout, text);
  }
}

void Output::error(const siptls::Error& error, const Json& more) const {
  error_line(error);
  event(error_event("error", error, more), "");
}

void Output::error_line(const siptls::Error& error) const {
  write_line(stderr, fmt::format("error: {}", error.message()));
}

void Output::warning(const siptls::Error& error, const Json& more) const {
  write_line(stderr, fmt::format("warning: {}", error.message()));
  event(error_event("warning", error, more), "");
}

int Output::fail(const siptls::Error& failure) const {
  error(failure);
  return failure.category() == siptls::Category::usage ? kBadUsage : kFailed;
}

void add_error(Json& fields, const siptls::Error& error) {
  fields["reason"] = to_string(error.reason());
  fields["evidence"] = error.evidence();
  if (error.alert()) fields["alert"] = to_string(*error.alert());
  if (error.certificate()) fields["certificate"] = *error.certificate();
}

int run(const Usage& usage, int argc, const char* const* argv,
        const std::function<int(const CommandLine&, const Output&)>& body) {
  // Looked for by hand, so that a command line that cannot be read is reported in the right form.
  const auto* const end = std::find(argv, argv + argc, std::string_view("--"));
  const auto given = [argv, end](std::string_view option) {
    return std::find(argv, end, option) != end;
  };
  const Output output(given("--json") ? Output::Format::json : Output::Format::text);
  try {
    if (given("--help")) {
      write_line(stdout, help_text(usage));
      return kSuccess;
    }
    const int code = body(CommandLine(usage, argc, argv), output);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      output.error_line(siptls::Error(siptls::Errc::io_failed, "standard output: cannot write"));
      return code == kSuccess ? kFailed : code;
    }
    return code;
  } catch (const UsageError& mistake) {
    output.error(mistake.error());
    write_line(stderr, fmt::format("{} --help tells how it is used", usage.tool));
    return kBadUsage;
  } catch (const std::bad_alloc&) {
    output.error(siptls::Error(siptls::Errc::out_of_memory));
  } catch (const std::exception& failure) {
    output.error(siptls::Error(siptls::Errc::internal, failure.what()));
  }
  return kFailed;
}

}  // namespace tool
