// siptls-frame: shows where the messages of a SIP byte stream begin and end.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "siptls/sip_framer.hpp"
#include "tool/command_line.hpp"
#include "tool/output.hpp"

namespace {

using namespace siptls;
using tool::Json;

const tool::Usage kUsage{
    "siptls-frame",
    "Splits a byte stream into SIP messages. The stream must end on a message boundary.",
    {
        {"--role", "server|client", "which end of the connection reads the stream (server)"},
        {"--split", "N", "hand the stream to the framer in pieces of N octets (65536)"},
        {"--max-header", "N", "limit of a message's header, in octets (65536)"},
        {"--max-body", "N", "limit of a message's body, in octets (1048576)"},
    },
    "[FILE|-]"};

void print_message(const tool::Output& output, const SipMessageView& message) {
  output.event(Json{{"event", "message"},
                    {"offset", message.offset()},
                    {"length", message.bytes().size()},
                    {"header_length", message.header().size()},
                    {"body_length", message.body().size()},
                    {"start_line", message.start_line()}},
               fmt::format("message at {}: {} octets ({} header, {} body): {}", message.offset(),
                           message.bytes().size(), message.header().size(), message.body().size(),
                           message.start_line()));
}

void print_keep_alive(const tool::Output& output, const KeepAlive& keep_alive) {
  const char* kind = keep_alive.kind == KeepAlive::Kind::ping ? "ping" : "pong";
  output.event(
      Json{{"event", "keepalive"},
           {"kind", kind},
           {"offset", keep_alive.offset},
           {"length", keep_alive.length}},
      fmt::format("keepalive at {}: {} of {} octets", keep_alive.offset, kind, keep_alive.length));
}

// With what a host could answer: the status, and the whole response where there is one.
void print_error(const tool::Output& output, const Error& error, const SipFramer& framer) {
  Json fields{{"event", "error"}, {"reason", to_string(error.reason())}};
  if (error.offset()) fields["offset"] = *error.offset();
  fields["evidence"] = error.evidence();
  std::string text;
  if (const auto status = framer.suggested_status()) {
    fields["status"] = *status;
    fields["response"] = framer.refusal_response();
    text = fmt::format("a host could answer {}:\n{}", *status, framer.refusal_response());
  }
  output.error_line(error);
  output.event(fields, text);
}

// Prints everything that is complete. Gives what the framer needs next, or nothing after an error.
std::optional<NeedMore> print_complete(const tool::Output& output, SipFramer& framer) {
  while (true) {
    const FramerOutput next = framer.next();
    if (const auto* message = std::get_if<SipMessageView>(&next)) {
      print_message(output, *message);
    } else if (const auto* keep_alive = std::get_if<KeepAlive>(&next)) {
      print_keep_alive(output, *keep_alive);
    } else if (const auto* error = std::get_if<Error>(&next)) {
      print_error(output, *error, framer);
      return std::nullopt;
    } else {
      return std::get<NeedMore>(next);
    }
  }
}

Error system_error(const std::string& path, int number) {
  const Errc reason = number == ENOENT   ? Errc::file_not_found
                      : number == EACCES ? Errc::file_permission_denied
                      : number == EISDIR ? Errc::file_not_regular
                                         : Errc::file_unreadable;
  return Error(reason, fmt::format("{}: {}", path, std::strerror(number)));
}

int frame(const tool::CommandLine& arguments, const tool::Output& output) {
  constexpr std::uint64_t kMost = 1u << 30;
  FramerOptions options;
  options.role = arguments.choice("--role", FramerRole::server,
                                  {{"server", FramerRole::server}, {"client", FramerRole::client}});
  FramerLimits& limits = options.limits;
  limits.max_header =
      static_cast<std::uint32_t>(arguments.number("--max-header", limits.max_header, 1, kMost));
  limits.max_body =
      static_cast<std::uint32_t>(arguments.number("--max-body", limits.max_body, 0, kMost));
  std::array<std::byte, 64 * 1024> buffer;
  const std::size_t piece =
      std::min<std::size_t>(buffer.size(), arguments.number("--split", buffer.size(), 1, kMost));

  const std::string path = arguments.operand().value_or("-");
  const int file = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return output.fail(system_error(path, errno));

  SipFramer framer(options);
  NeedMore needed;
  while (true) {
    const ssize_t got = ::read(file, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return output.fail(system_error(path, errno));
    if (got == 0) break;
    std::span<const std::byte> rest(buffer.data(), static_cast<std::size_t>(got));
    for (; !rest.empty(); rest = rest.subspan(std::min(piece, rest.size()))) {
      framer.push(rest.first(std::min(piece, rest.size())));
      const std::optional<NeedMore> more = print_complete(output, framer);
      if (!more) return tool::kFailed;
      needed = *more;
    }
  }
  if (framer.at_boundary()) return tool::kSuccess;

  output.error_line(
      Error(Errc::truncated,
            fmt::format("the stream ends inside a message that begins at {}: {} octets are there, "
                        "at least {} are missing",
                        framer.position(), framer.unfinished(), needed.at_least)));
  output.event(Json{{"event", "incomplete"},
                    {"offset", framer.position()},
                    {"have", framer.unfinished()},
                    {"need_at_least", needed.at_least}},
               "");
  return tool::kFailed;
}

}  // namespace

int main(int argc, char** argv) { return tool::run(kUsage, argc, argv, frame); }
