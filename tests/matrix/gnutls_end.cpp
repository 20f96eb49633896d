// The other end of a connection, played by GnuTLS. See far_end.hpp.
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "matrix/far_end.hpp"

namespace {

using matrix::is_set;
using matrix::value;
using matrix::Words;

struct Free {
  void operator()(gnutls_session_int* it) const { gnutls_deinit(it); }
  void operator()(gnutls_certificate_credentials_st* it) const {
    gnutls_certificate_free_credentials(it);
  }
};
using Session = std::unique_ptr<gnutls_session_int, Free>;
using Credentials = std::unique_ptr<gnutls_certificate_credentials_st, Free>;

std::string text_of(const gnutls_datum_t& datum) {
  return std::string(reinterpret_cast<const char*>(datum.data), datum.size);
}

gnutls_datum_t datum_of(std::string& text) {
  return {reinterpret_cast<unsigned char*>(text.data()), static_cast<unsigned>(text.size())};
}

// What one cell keeps between its connections.
struct Cell {
  std::string session;     // a client's
  std::string ticket_key;  // a server's
};

struct Seen {
  std::string host;  // that the peer must be; empty for a server
  bool retried = false;
  int alert_sent = -1;
};

Seen& seen_of(gnutls_session_t session) {
  return *static_cast<Seen*>(gnutls_session_get_ptr(session));
}

struct Family {
  const char* name;
  const char* words;
};
// TLS 1.3 has its suites from the same list, so a family that has none there is given one, and that
// brings its suites for TLS 1.2 along.
constexpr Family kFamilies[] = {
    {"aes128gcm", ":+AES-128-GCM:+AEAD"},
    {"aes256gcm", ":+AES-256-GCM:+AEAD"},
    {"chacha20", ":+CHACHA20-POLY1305:+AEAD"},
    {"cbc128", ":+AES-128-CBC:+SHA1"},
    {"cbc256", ":+AES-256-CBC:+SHA1"},
    {"cbc128sha256", ":+AES-128-CBC:+SHA256"},
    {"static_rsa", ":+AES-128-GCM:+AES-256-GCM:+AES-128-CBC:+AES-256-CBC:+AEAD:+SHA1"},
    {"ccm", ":+AES-128-CCM:+AEAD"},
};

std::string priority(const Words& request) {
  const std::string suites = value(request, "suites");
  const std::string groups = value(request, "groups");
  std::string text = suites == "default" ? "NORMAL:-VERS-ALL" : "NONE:+COMP-NULL:+CTYPE-X509";
  if (suites != "default") {
    text += suites == "static_rsa" ? ":+RSA" : ":+ECDHE-ECDSA:+ECDHE-RSA";
    text += ":+SIGN-ALL:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1";
    for (const Family& family : kFamilies) {
      if (suites == family.name) text += family.words;
    }
  }
  const bool newer = value(request, "max") == "1.3";
  if (newer) text += ":+VERS-TLS1.3";
  if (value(request, "min") == "1.2") text += ":+VERS-TLS1.2";
  const bool legacy = suites.compare(0, 3, "cbc") == 0 || suites == "static_rsa";
  if (newer && legacy) text += ":+AES-256-GCM:+AEAD";
  if (groups.empty()) {
    if (suites != "default") text += ":+GROUP-ALL";
    return text;
  }
  text += ":-GROUP-ALL";
  matrix::for_each_part(groups, [&](std::string_view group) {
    if (group == "X25519") text += ":+GROUP-X25519";
    if (group == "P-256") text += ":+GROUP-SECP256R1";
    if (group == "P-384") text += ":+GROUP-SECP384R1";
  });
  return text;
}

int verify_peer(gnutls_session_t session) {
  unsigned count = 0;
  if (gnutls_certificate_get_peers(session, &count) == nullptr || count == 0) return 0;
  unsigned status = 0;
  const std::string& host = seen_of(session).host;
  const int result =
      gnutls_certificate_verify_peers3(session, host.empty() ? nullptr : host.c_str(), &status);
  if (result < 0) return result;
  return status == 0 ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

// Read once for each path and kind of trust: GnuTLS lets sessions share them.
gnutls_certificate_credentials_t credentials(const std::string& trust, const std::string& own) {
  static std::map<std::string, Credentials> known;
  Credentials& made = known[trust + '\n' + own];
  if (made) return made.get();
  gnutls_certificate_credentials_t fresh = nullptr;
  gnutls_certificate_allocate_credentials(&fresh);
  made.reset(fresh);
  gnutls_certificate_set_verify_function(fresh, verify_peer);
  if (gnutls_certificate_set_x509_trust_file(fresh, trust.c_str(), GNUTLS_X509_FMT_PEM) < 1) {
    return nullptr;
  }
  if (!own.empty() &&
      gnutls_certificate_set_x509_key_file(fresh, (own + ".pem").c_str(), (own + ".key").c_str(),
                                           GNUTLS_X509_FMT_PEM) < 0) {
    return nullptr;
  }
  return fresh;
}

int note_message(gnutls_session_t session, unsigned type, unsigned, unsigned,
                 const gnutls_datum_t*) {
  if (type == GNUTLS_HANDSHAKE_HELLO_RETRY_REQUEST) seen_of(session).retried = true;
  return 0;
}

Words failure(gnutls_session_t session, const std::string& where, int error) {
  Words words{{"ok", "0"}, {"where", where}, {"error", gnutls_strerror(error)}};
  // A server that requires a certificate calls every alert in its place "no certificate".
  if (const int got = gnutls_alert_get(session); got != 0) words["got"] = std::to_string(got);
  if (const int sent = seen_of(session).alert_sent; sent >= 0) words["sent"] = std::to_string(sent);
  return words;
}

// Tells the other end why, which GnuTLS leaves to its caller.
void send_alert(gnutls_session_t session, int error) {
  if (error == GNUTLS_E_FATAL_ALERT_RECEIVED || error == GNUTLS_E_PREMATURE_TERMINATION ||
      error == GNUTLS_E_PULL_ERROR || error == GNUTLS_E_PUSH_ERROR) {
    return;
  }
  int level = 0;
  const int alert = gnutls_error_to_alert(error, &level);
  if (alert < 0) return;
  if (gnutls_alert_send(session, GNUTLS_AL_FATAL, static_cast<gnutls_alert_description_t>(alert)) ==
      GNUTLS_E_SUCCESS) {
    seen_of(session).alert_sent = alert;
  }
}

int set_up(gnutls_session_t session, const Words& request, bool client, Cell& cell) {
  const char* wrong = nullptr;
  if (const int set = gnutls_priority_set_direct(session, priority(request).c_str(), &wrong);
      set < 0) {
    return set;
  }
  const auto own = credentials(value(request, "trust"), value(request, "certificate"));
  if (own == nullptr) return GNUTLS_E_FILE_ERROR;
  gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, own);
  gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_POST, note_message);
  std::vector<std::string> names;
  matrix::for_each_part(value(request, "alpn"),
                        [&](std::string_view name) { names.emplace_back(name); });
  std::vector<gnutls_datum_t> list;
  for (std::string& name : names) list.push_back(datum_of(name));
  if (!list.empty()) {
    gnutls_alpn_set_protocols(session, list.data(), static_cast<unsigned>(list.size()),
                              GNUTLS_ALPN_MANDATORY);
  }
  if (client) {
    const std::string name = value(request, "sni");
    if (!name.empty()) gnutls_server_name_set(session, GNUTLS_NAME_DNS, name.data(), name.size());
    if (is_set(request, "tickets") && !cell.session.empty()) {
      gnutls_session_set_data(session, cell.session.data(), cell.session.size());
    }
    return 0;
  }
  const std::string mode = value(request, "certificates");
  gnutls_certificate_server_set_request(session, mode == "require"   ? GNUTLS_CERT_REQUIRE
                                                 : mode == "request" ? GNUTLS_CERT_REQUEST
                                                                     : GNUTLS_CERT_IGNORE);
  if (!is_set(request, "tickets")) return 0;
  if (cell.ticket_key.empty()) {
    gnutls_datum_t key{};
    if (const int made = gnutls_session_ticket_key_generate(&key); made < 0) return made;
    cell.ticket_key = text_of(key);
    gnutls_free(key.data);
  }
  const gnutls_datum_t key = datum_of(cell.ticket_key);
  return gnutls_session_ticket_enable_server(session, &key);
}

int write_all(gnutls_session_t session, std::string_view text) {
  const auto count = gnutls_record_send(session, text.data(), text.size());
  return count == static_cast<ssize_t>(text.size()) ? 0 : static_cast<int>(count);
}

int read_all(gnutls_session_t session, std::string_view expected) {
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(matrix::kPatienceSeconds);
  std::string text;
  std::array<char, 4096> buffer{};
  while (text.size() < expected.size()) {
    const auto count = gnutls_record_recv(session, buffer.data(), buffer.size());
    // GnuTLS returns to its caller after a ticket as well; silence lasts as long as the socket
    // waits.
    const bool again = count == GNUTLS_E_AGAIN || count == GNUTLS_E_INTERRUPTED;
    if (again && std::chrono::steady_clock::now() < deadline) continue;
    if (count <= 0) return count == 0 ? GNUTLS_E_PREMATURE_TERMINATION : static_cast<int>(count);
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return text == expected ? 0 : GNUTLS_E_UNEXPECTED_PACKET;
}

// Both close_notify alerts, the client's first.
int close_orderly(gnutls_session_t session, bool client) {
  if (client) return gnutls_bye(session, GNUTLS_SHUT_RDWR);
  char octet = 0;
  const auto count = gnutls_record_recv(session, &octet, 1);
  if (count != 0) return count > 0 ? GNUTLS_E_UNEXPECTED_PACKET : static_cast<int>(count);
  return gnutls_bye(session, GNUTLS_SHUT_WR);
}

unsigned suite_code(gnutls_session_t session) {
  const bool newer = gnutls_protocol_get_version(session) == GNUTLS_TLS1_3;
  std::array<unsigned char, 2> id{};
  gnutls_kx_algorithm_t exchange = GNUTLS_KX_UNKNOWN;
  gnutls_cipher_algorithm_t cipher = GNUTLS_CIPHER_UNKNOWN;
  gnutls_mac_algorithm_t mac = GNUTLS_MAC_UNKNOWN;
  gnutls_protocol_t least = GNUTLS_VERSION_UNKNOWN;
  for (std::size_t i = 0;
       gnutls_cipher_suite_info(i, id.data(), &exchange, &cipher, &mac, &least) != nullptr; ++i) {
    if ((least == GNUTLS_TLS1_3) != newer || cipher != gnutls_cipher_get(session)) continue;
    if (newer || (exchange == gnutls_kx_get(session) && mac == gnutls_mac_get(session))) {
      return static_cast<unsigned>(id[0] << 8 | id[1]);
    }
  }
  return 0;
}

unsigned group_code(gnutls_session_t session) {
  switch (gnutls_group_get(session)) {
    case GNUTLS_GROUP_SECP256R1:
      return 0x17;
    case GNUTLS_GROUP_SECP384R1:
      return 0x18;
    case GNUTLS_GROUP_SECP521R1:
      return 0x19;
    case GNUTLS_GROUP_X25519:
      return 0x1d;
    default:
      return 0;
  }
}

std::string server_name(gnutls_session_t session) {
  std::array<char, 300> name{};
  std::size_t size = name.size();
  unsigned type = 0;
  if (gnutls_server_name_get(session, name.data(), &size, &type, 0) < 0) return {};
  return std::string(name.data(), size);
}

Words describe(gnutls_session_t session, bool client) {
  gnutls_datum_t protocol{};
  const bool agreed = gnutls_alpn_get_selected_protocol(session, &protocol) == 0;
  unsigned count = 0;
  const bool peer = gnutls_certificate_get_peers(session, &count) != nullptr && count > 0;
  const bool newer = gnutls_protocol_get_version(session) == GNUTLS_TLS1_3;
  return Words{{"ok", "1"},
               {"version", newer ? "0304" : "0303"},
               {"suite", matrix::hex(suite_code(session))},
               {"group", matrix::hex(group_code(session))},
               {"resumed", gnutls_session_is_resumed(session) != 0 ? "1" : "0"},
               {"retried", seen_of(session).retried ? "1" : "0"},
               {"alpn", agreed ? text_of(protocol) : ""},
               {"sni", client ? "" : server_name(session)},
               {"peer", peer ? "1" : "0"},
               // Nobody comes here whom verify_peer() has refused.
               {"verified", peer ? "1" : "0"}};
}

// In TLS 1.3 only what came with a ticket is worth anything, and GnuTLS would wait for one.
void keep_session(gnutls_session_t session, Cell& cell) {
  const bool newer = gnutls_protocol_get_version(session) == GNUTLS_TLS1_3;
  if (newer && (gnutls_session_get_flags(session) & GNUTLS_SFLAGS_SESSION_TICKET) == 0) return;
  gnutls_datum_t data{};
  if (gnutls_session_get_data2(session, &data) != 0) return;
  cell.session = text_of(data);
  gnutls_free(data.data);
}

Words play(const Words& request, int descriptor) {
  static Cell cell;
  const bool client = value(request, "side") == "client";
  if (!is_set(request, "again")) cell = Cell();
  unsigned flags = client ? GNUTLS_CLIENT | GNUTLS_KEY_SHARE_TOP : GNUTLS_SERVER;
  if (!is_set(request, "tickets")) flags |= GNUTLS_NO_TICKETS;
  gnutls_session_t made = nullptr;
  gnutls_init(&made, flags);
  const Session session(made);
  Seen seen;
  if (client) seen.host = value(request, "host");
  gnutls_session_set_ptr(made, &seen);
  gnutls_transport_set_int(made, descriptor);
  gnutls_handshake_set_timeout(made, matrix::kPatienceSeconds * 1000U);
  int result = set_up(made, request, client, cell);
  if (result < 0) return failure(made, "setup", result);
  do {
    result = gnutls_handshake(made);
  } while (result < 0 && gnutls_error_is_fatal(result) == 0);
  if (result < 0) {
    send_alert(made, result);
    return failure(made, "handshake", result);
  }
  result = client ? write_all(made, matrix::kRequest) : read_all(made, matrix::kRequest);
  if (result == 0) {
    result = client ? read_all(made, matrix::kResponse) : write_all(made, matrix::kResponse);
  }
  if (result < 0) return failure(made, "exchange", result);
  Words words = describe(made, client);
  if (client && is_set(request, "tickets")) keep_session(made, cell);
  result = close_orderly(made, client);
  if (result < 0) return failure(made, "close", result);
  return words;
}

}  // namespace

int main() { return matrix::serve(play); }
