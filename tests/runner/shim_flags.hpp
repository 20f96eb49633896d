// What BoringSSL's test runner asks of a shim, as far as siptls has it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace siptls_runner {

// One connection: the runner may ask for something else of the resumed ones.
struct Flags {
  bool is_server = false;
  std::uint16_t port = 0;
  std::optional<std::uint64_t> shim_id;
  std::string key_file;
  std::string cert_file;
  std::string host_name;
  unsigned resume_count = 0;
  std::uint16_t min_version = 0x0303;
  std::uint16_t max_version = 0x0304;
  std::vector<std::uint16_t> suites;
  std::vector<std::uint16_t> groups;
  std::vector<std::uint16_t> signature_schemes;
  bool requests_certificate = false;
  bool requires_certificate = false;
  bool no_ticket = false;
  bool shim_writes_first = false;
  bool shim_shuts_down = false;
  bool check_close_notify = false;
  bool expects_session_miss = false;
  std::size_t read_size = 512;
  std::optional<std::uint16_t> expected_version;
  std::optional<std::uint16_t> expected_group;
  std::optional<std::uint16_t> expected_cipher;
};

struct Parsed {
  Flags initial;
  Flags resumed;
};

// Whether one context serves both connections, as it does in a host.
bool same_policy(const Flags& a, const Flags& b);

// None if a flag asks for what siptls does not do; `why` names it.
std::optional<Parsed> parse_flags(int count, char** words, std::string& why);

}  // namespace siptls_runner
