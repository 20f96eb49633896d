// siptls-verify: judges a certificate chain as a TLS connection would, without one.
#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "siptls/trust_store.hpp"
#include "tool/command_line.hpp"
#include "tool/output.hpp"

namespace {

using namespace siptls;
using tool::Json;

const tool::Usage kUsage{
    "siptls-verify",
    "Judges a certificate chain by RFC 5280 and RFC 5922.",
    {
        {"--anchors", "FILE", "trusted CA certificates (CAList.pem), or a folder of them"},
        {"--chain", "FILE", "the chain to judge, leaf first"},
        {"--at", "RFC3339", "judge as of that time, such as 2026-11-23T12:00:00Z (now)"},
        {"--identity", "NAME", "domain or IP address that the leaf must prove (any)"},
        {"--allow", "IDENTITY", "one of these must be proven as well", tool::Option::Repeat::yes},
        {"--clock", "warn|require", "with require an unsynchronised clock judges nothing (warn)"},
        {"--role", "server|client", "what the owner of the chain is (server)"},
        {"--max-depth", "N", "CA certificates above the leaf (4)"},
        {"--max-entries", "N", "trusted certificates (16)"},
        {"--crl", "FILE", "check revocation by these CRLs", tool::Option::Repeat::yes},
        {"--ocsp", "FILE", "the OCSP response (DER) that comes with the chain"},
        {"--ocsp-policy", "ignore|if-present|require", "what is asked of it (if-present)"},
        {"--eku", "either|sip-strict|ignore-client", "which extended key usage is needed (either)"},
        {"--wildcard", "one-label", "dangerous: \"*\" stands for one label"},
        {"--allow-cn", "", "dangerous: the common name counts where there is no SAN"},
    },
    ""};

// A regular file of at most 16 MiB.
Result<std::string> read_file(const std::string& path) {
  constexpr std::uintmax_t kMost = 16 << 20;
  std::error_code failure;
  const std::filesystem::file_status status = std::filesystem::status(path, failure);
  if (exists(status) && !is_regular_file(status)) {
    return Unexpected(Errc::file_not_regular, path + ": is no regular file");
  }
  const std::uintmax_t size = std::filesystem::file_size(path, failure);
  if (!failure && size > kMost) {
    return Unexpected(Errc::file_too_large,
                      fmt::format("{}: has {} octets; {} are allowed", path, size, kMost));
  }
  std::string text(failure ? 0 : size, '\0');
  std::ifstream file;
  if (!failure) {
    file.open(path, std::ios::binary);
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file) return text;
    failure = std::error_code(errno, std::system_category());
  }
  const Errc reason = failure == std::errc::no_such_file_or_directory ? Errc::file_not_found
                      : failure == std::errc::permission_denied       ? Errc::file_permission_denied
                                                                      : Errc::file_unreadable;
  return Unexpected(reason, fmt::format("{}: {}", path, failure.message()));
}

VerifyOptions read_options(const tool::CommandLine& arguments) {
  Now now{};
  if (const std::optional<std::string> at = arguments.value("--at")) {
    const Result<WallTime> time = parse_time(*at);
    if (!time) throw tool::UsageError("--at: " + time.error().evidence());
    now = VerifyOptions::given(*time).at;
  } else {
    now = Clock::system()->now();
  }
  VerifyOptions options(now);
  options.identity = arguments.value("--identity");
  options.clock =
      arguments.choice("--clock", ClockPolicy::warn,
                       {{"warn", ClockPolicy::warn}, {"require", ClockPolicy::require}});
  options.role = arguments.choice("--role", PeerRole::server,
                                  {{"server", PeerRole::server}, {"client", PeerRole::client}});
  options.eku = arguments.choice("--eku", EkuPolicy::either,
                                 {{"either", EkuPolicy::either},
                                  {"sip-strict", EkuPolicy::sip_strict},
                                  {"ignore-client", EkuPolicy::ignore_client_eku}});
  options.names.wildcard = arguments.choice("--wildcard", WildcardPolicy::none,
                                            {{"one-label", WildcardPolicy::dangerous_one_label}});
  options.ocsp = arguments.choice("--ocsp-policy", OcspPolicy::if_present,
                                  {{"ignore", OcspPolicy::ignore},
                                   {"if-present", OcspPolicy::if_present},
                                   {"require", OcspPolicy::require}});
  if (arguments.has("--allow-cn")) {
    options.names.common_name = CommonNamePolicy::dangerous_if_no_subject_alt_name;
  }
  return options;
}

Result<TrustStore> load_anchors(const tool::CommandLine& arguments) {
  TrustLimits limits;
  limits.max_ca_depth = arguments.number("--max-depth", limits.max_ca_depth, 0, 100);
  limits.max_entries = arguments.number("--max-entries", limits.max_entries, 1, 100'000);
  const std::string path = arguments.required("--anchors");
  std::error_code ignored;
  Result<TrustStore> anchors = std::filesystem::is_directory(path, ignored)
                                   ? TrustStore::from_folder(path, limits)
                                   : TrustStore::from_pem_file(path, limits);
  if (!anchors || !arguments.has("--crl")) return anchors;
  std::string crls;
  for (const std::string& crl : arguments.values("--crl")) {
    const Result<std::string> text = read_file(crl);
    if (!text) return Unexpected(text.error());
    crls += *text + '\n';
  }
  return anchors->with_crls(crls);
}

// An empty file is a response that says nothing, and not the lack of one.
Result<std::string> read_response(const std::string& path) {
  Result<std::string> der = read_file(path);
  if (der && der->empty()) {
    return Unexpected(Errc::ocsp_response_invalid, path + ": is empty");
  }
  return der;
}

// By which time it was judged, and what is known about the clock that told it.
void add_time(Json& fields, const Now& at) {
  fields["at"] = format_time(at.wall);
  fields["clock"] = to_string(at.standing);
}

int print_refusal(const tool::Output& output, const Error& error, const Now& at) {
  Json fields{{"event", "verdict"}, {"ok", false}};
  tool::add_error(fields, error);
  if (!error.certificate()) fields["certificate"] = nullptr;
  add_time(fields, at);
  output.error_line(error);
  output.event(fields, error.certificate()
                           ? fmt::format("verdict: refused, certificate {}", *error.certificate())
                           : "verdict: refused");
  return tool::kFailed;
}

int print_path(const tool::Output& output, const ProvenPath& path, const Now& at) {
  Json fields{{"event", "verdict"},
              {"ok", true},
              {"identities", Json::array()},
              {"ca_depth", path.ca_depth}};
  std::string text = fmt::format("verdict: good, {} CA certificate{} above the leaf\n",
                                 path.ca_depth, path.ca_depth == 1 ? "" : "s");
  for (const Identity& identity : path.identities) {
    fields["identities"].push_back(identity.name);
    text += fmt::format("identity: {} {}\n", to_string(identity.source), identity.name);
  }
  if (path.matched) fields["matched"] = path.identities[*path.matched].name;
  for (const CertificateSummary& certificate : path.certificates) {
    text += fmt::format("certificate: {} ({}), {} to {}\n", certificate.subject, certificate.key,
                        format_time(certificate.not_before), format_time(certificate.not_after));
  }
  if (path.ocsp_valid_until) {
    fields["ocsp_valid_until"] = format_time(*path.ocsp_valid_until);
    text += fmt::format("OCSP response: good, until {}\n", format_time(*path.ocsp_valid_until));
  }
  add_time(fields, at);
  text += fmt::format("judged at: {} (clock: {})\n", format_time(at.wall), to_string(at.standing));
  output.event(fields, text);
  return tool::kSuccess;
}

int verify(const tool::CommandLine& arguments, const tool::Output& output) {
  VerifyOptions options = read_options(arguments);
  const std::vector<std::string> allowed = arguments.values("--allow");
  options.allowed = allowed;
  const std::string chain_path = arguments.required("--chain");
  const Result<TrustStore> anchors = load_anchors(arguments);
  if (!anchors) return print_refusal(output, anchors.error(), options.at);
  const Result<std::string> chain = read_file(chain_path);
  if (!chain) return print_refusal(output, chain.error(), options.at);
  Result<std::string> ocsp_response = std::string();
  if (const std::optional<std::string> file = arguments.value("--ocsp")) {
    ocsp_response = read_response(*file);
    if (!ocsp_response) return print_refusal(output, ocsp_response.error(), options.at);
  }
  options.ocsp_response = std::as_bytes(std::span(*ocsp_response));

  const Result<ProvenPath> path = anchors->verify_pem(*chain, options);
  if (path) return print_path(output, *path, options.at);
  // A name that cannot be asked for is a mistake of the command line, not a verdict.
  if (path.error().category() == Category::usage) return output.fail(path.error());
  return print_refusal(output, path.error(), options.at);
}

}  // namespace

int main(int argc, char** argv) { return tool::run(kUsage, argc, argv, verify); }
