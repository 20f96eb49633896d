// What siptls-server and siptls-client share: options that become a TlsContextConfig, and how
// connections are described.
#pragma once

#include <string>
#include <vector>

#include "siptls/siptls.hpp"
#include "tool/command_line.hpp"
#include "tool/output.hpp"

namespace tool {

// Puts --credentials, --key, --cert, --ca and --policy before `own`.
std::vector<Option> with_tls_options(std::vector<Option> own);

// The preset that --policy names; `modern` if it is not given.
siptls::TlsPolicy read_policy(const CommandLine& arguments);

// Loads what --credentials DIR (privateKey.pem, publickey.pem and CAList.pem in it), or --key,
// --cert and --ca, name. A client may have --ca alone, and a server whose policy asks for no client
// certificate needs no CA list.
siptls::Result<siptls::TlsContextConfig> load_tls(const CommandLine& arguments,
                                                  siptls::TlsPolicy policy,
                                                  siptls::ConnectionRole role);

// The event `connected`, as JSON and as text.
void print_connected(const Output& output, const siptls::Connected& connected);
// The event `closed`.
void print_closed(const Output& output, const siptls::Closed& closed);

std::uint64_t number_of(siptls::ConnectionId connection);

}  // namespace tool
