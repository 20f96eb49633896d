// The other end of a connection, played by OpenSSL 3. See far_end.hpp.
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>
#include <vector>

#include "matrix/far_end.hpp"

namespace {

using matrix::is_set;
using matrix::value;
using matrix::Words;

struct Free {
  void operator()(SSL_CTX* it) const { SSL_CTX_free(it); }
  void operator()(SSL* it) const { SSL_free(it); }
  void operator()(SSL_SESSION* it) const { SSL_SESSION_free(it); }
  void operator()(X509_STORE* it) const { X509_STORE_free(it); }
  void operator()(X509* it) const { X509_free(it); }
  void operator()(EVP_PKEY* it) const { EVP_PKEY_free(it); }
  void operator()(BIO* it) const { BIO_free(it); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

struct Material {
  Owned<EVP_PKEY> key;
  std::vector<Owned<X509>> chain;  // leaf first
};

// What one cell keeps between its connections.
struct Cell {
  Owned<SSL_CTX> context;
  Owned<SSL_SESSION> session;
};

// What the callbacks saw of one connection.
struct Seen {
  Cell* cell = nullptr;
  int client_hellos = 0;
  int alert_sent = -1;
  int alert_received = -1;
  std::string server_name;
};

struct Family {
  const char* name;
  const char* tls12;
  const char* tls13;  // null: OpenSSL's own
};
constexpr Family kFamilies[] = {
    {"aes128gcm", "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
     "TLS_AES_128_GCM_SHA256"},
    {"aes256gcm", "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384",
     "TLS_AES_256_GCM_SHA384"},
    {"chacha20", "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305",
     "TLS_CHACHA20_POLY1305_SHA256"},
    {"cbc128", "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA", nullptr},
    {"cbc256", "ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA", nullptr},
    {"cbc128sha256", "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256", nullptr},
    {"static_rsa", "AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA:AES256-SHA", nullptr},
    {"ccm", "ECDHE-ECDSA-AES128-CCM:AES128-CCM", "TLS_AES_128_CCM_SHA256"},
};

Seen& seen_of(const SSL* ssl) { return *static_cast<Seen*>(SSL_get_app_data(ssl)); }

std::string errors() {
  std::string all;
  while (const auto code = ERR_get_error()) {
    std::array<char, 200> text{};
    ERR_error_string_n(code, text.data(), text.size());
    if (!all.empty()) all += "; ";
    all += text.data();
  }
  return all.empty() ? "no error in the queue" : all;
}

const Material& material(const std::string& path) {
  static std::map<std::string, Material> known;
  Material& made = known[path];
  if (made.key) return made;
  const Owned<BIO> key(BIO_new_file((path + ".key").c_str(), "r"));
  if (key) made.key.reset(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr));
  const Owned<BIO> chain(BIO_new_file((path + ".pem").c_str(), "r"));
  while (X509* next = chain ? PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr) : nullptr) {
    made.chain.emplace_back(next);
  }
  ERR_clear_error();  // the end of the file
  return made;
}

X509_STORE* trust(const std::string& path) {
  static std::map<std::string, Owned<X509_STORE>> known;
  auto& made = known[path];
  if (!made) {
    made.reset(X509_STORE_new());
    X509_STORE_load_file(made.get(), path.c_str());
  }
  return made.get();
}

void note_message(int, int, int type, const void* octets, std::size_t size, SSL* ssl, void*) {
  if (type != SSL3_RT_HANDSHAKE || size == 0) return;
  if (*static_cast<const unsigned char*>(octets) == SSL3_MT_CLIENT_HELLO) {
    ++seen_of(ssl).client_hellos;
  }
}

void note_alert(const SSL* ssl, int where, int what) {
  if ((where & SSL_CB_ALERT) == 0 || what >> 8 != SSL3_AL_FATAL) return;
  Seen& seen = seen_of(ssl);
  ((where & SSL_CB_WRITE) != 0 ? seen.alert_sent : seen.alert_received) = what & 0xff;
}

int note_server_name(SSL* ssl, int*, void*) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  seen_of(ssl).server_name = name != nullptr ? name : "";
  return SSL_TLSEXT_ERR_OK;
}

int keep_session(SSL* ssl, SSL_SESSION* session) {
  seen_of(ssl).cell->session.reset(session);
  return 1;
}

std::vector<unsigned char> protocol_list(const std::string& names) {
  std::vector<unsigned char> list;
  matrix::for_each_part(names, [&](std::string_view name) {
    list.push_back(static_cast<unsigned char>(name.size()));
    list.insert(list.end(), name.begin(), name.end());
  });
  return list;
}

// RFC 7301 section 3.2: a server that knows none of the client's protocols says so.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* size,
                    const unsigned char* offered, unsigned offered_size, void* own) {
  const auto& list = *static_cast<const std::vector<unsigned char>*>(own);
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(
      &chosen, size, list.data(), static_cast<unsigned>(list.size()), offered, offered_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int version_number(const std::string& text) {
  return text == "1.2" ? TLS1_2_VERSION : TLS1_3_VERSION;
}

bool use_suites(SSL_CTX* context, const std::string& name) {
  for (const Family& family : kFamilies) {
    if (name != family.name) continue;
    return SSL_CTX_set_cipher_list(context, family.tls12) == 1 &&
           (family.tls13 == nullptr || SSL_CTX_set_ciphersuites(context, family.tls13) == 1);
  }
  return name == "default";
}

bool use_groups(SSL_CTX* context, const std::string& groups) {
  if (groups.empty()) return true;
  std::string list;
  matrix::for_each_part(groups, [&](std::string_view group) {
    if (!list.empty()) list += ':';
    list += group;
  });
  return SSL_CTX_set1_groups_list(context, list.c_str()) == 1;
}

bool use_certificate(SSL_CTX* context, const std::string& path) {
  if (path.empty()) return true;
  const Material& own = material(path);
  if (!own.key || own.chain.empty()) return false;
  if (SSL_CTX_use_certificate(context, own.chain.front().get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, own.key.get()) != 1) {
    return false;
  }
  for (std::size_t i = 1; i < own.chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, own.chain[i].get()) != 1) return false;
  }
  return true;
}

int verify_mode(const std::string& certificates) {
  if (certificates == "require") return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  return certificates == "request" ? SSL_VERIFY_PEER : SSL_VERIFY_NONE;
}

bool set_up(SSL_CTX* context, const Words& request, bool client) {
  SSL_CTX_set_min_proto_version(context, version_number(value(request, "min")));
  SSL_CTX_set_max_proto_version(context, version_number(value(request, "max")));
  SSL_CTX_set1_cert_store(context, trust(value(request, "trust")));
  SSL_CTX_set_msg_callback(context, note_message);
  SSL_CTX_set_info_callback(context, note_alert);
  SSL_CTX_set_tlsext_servername_callback(context, note_server_name);
  SSL_CTX_sess_set_new_cb(context, keep_session);
  const bool tickets = is_set(request, "tickets");
  SSL_CTX_set_session_cache_mode(context, client && tickets
                                              ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
                                              : SSL_SESS_CACHE_OFF);
  if (!tickets) {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
  }
  constexpr unsigned char kScope[] = "matrix";
  SSL_CTX_set_session_id_context(context, kScope, sizeof kScope);
  SSL_CTX_set_verify(
      context, client ? SSL_VERIFY_PEER : verify_mode(value(request, "certificates")), nullptr);
  static std::vector<unsigned char> protocols;
  protocols = protocol_list(value(request, "alpn"));
  if (!protocols.empty()) {
    SSL_CTX_set_alpn_protos(context, protocols.data(), static_cast<unsigned>(protocols.size()));
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, &protocols);
  }
  return use_suites(context, value(request, "suites")) &&
         use_groups(context, value(request, "groups")) &&
         use_certificate(context, value(request, "certificate"));
}

Words failure(const Seen& seen, const std::string& where, const std::string& error) {
  Words words{{"ok", "0"}, {"where", where}, {"error", error}};
  if (seen.alert_sent >= 0) words["sent"] = std::to_string(seen.alert_sent);
  if (seen.alert_received >= 0) words["got"] = std::to_string(seen.alert_received);
  return words;
}

bool write_all(SSL* ssl, std::string_view text) {
  return SSL_write(ssl, text.data(), static_cast<int>(text.size())) ==
         static_cast<int>(text.size());
}

bool read_all(SSL* ssl, std::string_view expected) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (text.size() < expected.size()) {
    const int count = SSL_read(ssl, buffer.data(), static_cast<int>(buffer.size()));
    if (count <= 0) return false;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return text == expected;
}

// Both close_notify alerts, the client's first.
bool close_orderly(SSL* ssl, bool client) {
  if (client) return SSL_shutdown(ssl) >= 0 && SSL_shutdown(ssl) == 1;
  char octet = 0;
  if (SSL_read(ssl, &octet, 1) > 0 || (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) == 0) {
    return false;
  }
  return SSL_shutdown(ssl) == 1;
}

unsigned group_code(SSL* ssl) {
  const auto nid = static_cast<int>(SSL_get_negotiated_group(ssl));
  switch (nid) {
    case NID_X9_62_prime256v1:
      return 0x17;
    case NID_secp384r1:
      return 0x18;
    case NID_secp521r1:
      return 0x19;
    case NID_X25519:
      return 0x1d;
    default:
      return 0;
  }
}

Words describe(SSL* ssl, const Seen& seen) {
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &size);
  const bool peer = SSL_get0_peer_certificate(ssl) != nullptr;
  return Words{{"ok", "1"},
               {"version", matrix::hex(static_cast<unsigned>(SSL_version(ssl)))},
               {"suite", matrix::hex(SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl)))},
               {"group", matrix::hex(group_code(ssl))},
               {"resumed", SSL_session_reused(ssl) == 1 ? "1" : "0"},
               {"retried", seen.client_hellos > 1 ? "1" : "0"},
               {"alpn", std::string(reinterpret_cast<const char*>(protocol), size)},
               {"sni", seen.server_name},
               {"peer", peer ? "1" : "0"},
               {"verified", peer && SSL_get_verify_result(ssl) == X509_V_OK ? "1" : "0"}};
}

Words play(const Words& request, int descriptor) {
  static Cell cell;
  const bool client = value(request, "side") == "client";
  Seen seen;
  seen.cell = &cell;
  ERR_clear_error();
  if (!is_set(request, "again")) {
    cell.session.reset();
    cell.context.reset(SSL_CTX_new(client ? TLS_client_method() : TLS_server_method()));
    if (!set_up(cell.context.get(), request, client)) return failure(seen, "setup", errors());
  }
  const Owned<SSL> ssl(SSL_new(cell.context.get()));
  SSL_set_app_data(ssl.get(), &seen);
  SSL_set_fd(ssl.get(), descriptor);
  if (client) {
    if (cell.session && is_set(request, "tickets")) {
      SSL_set_session(ssl.get(), cell.session.get());
    }
    const std::string name = value(request, "sni");
    if (!name.empty()) SSL_set_tlsext_host_name(ssl.get(), name.c_str());
    SSL_set1_host(ssl.get(), value(request, "host").c_str());
  }
  if ((client ? SSL_connect(ssl.get()) : SSL_accept(ssl.get())) != 1) {
    return failure(seen, "handshake", errors());
  }
  const bool exchanged =
      client ? write_all(ssl.get(), matrix::kRequest) && read_all(ssl.get(), matrix::kResponse)
             : read_all(ssl.get(), matrix::kRequest) && write_all(ssl.get(), matrix::kResponse);
  if (!exchanged) return failure(seen, "exchange", errors());
  Words words = describe(ssl.get(), seen);
  if (!close_orderly(ssl.get(), client)) return failure(seen, "close", errors());
  return words;
}

}  // namespace

int main() { return matrix::serve(play); }
