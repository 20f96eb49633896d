#include "transport_bench_servers.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "baseline/bare_server.hpp"
#include "siptls/siptls.hpp"

namespace bench {
namespace {

namespace files = std::filesystem;

template <typename T>
T must(siptls::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return *std::move(result);
}

// 200 OK into `response`.
void answer(const siptls::SipMessageView& request, std::string& response) {
  response.assign("SIP/2.0 200 OK\r\n");
  for (std::size_t i = 0; i < request.row_count(); ++i) {
    const siptls::HeaderRow row = request.row(i);
    switch (row.id) {
      case siptls::HeaderId::via:
      case siptls::HeaderId::from:
      case siptls::HeaderId::to:
      case siptls::HeaderId::call_id:
      case siptls::HeaderId::cseq:
        response.append(row.name).append(": ").append(row.value).append("\r\n");
        break;
      default:
        break;
    }
  }
  response.append("Content-Length: 0\r\n\r\n");
}

siptls::TlsContext make_context(const ServerSetup& setup) {
  siptls::TlsContextConfig config;
  config.credentials =
      must(siptls::Credentials::from_pem(setup.certificates.key, setup.certificates.chain));
  config.trust = must(siptls::TrustStore::from_pem(setup.certificates.root));
  config.policy.min_version = config.policy.max_version =
      static_cast<siptls::ProtocolVersion>(setup.version);
  config.policy.groups = {0x001d, 0x0017};
  config.policy.resumption = siptls::Resumption::tickets;
  return must(siptls::TlsContext::create(config));
}

siptls::TlsTransport make_transport() {
  siptls::TransportOptions options;
  // All of the load comes from one host, as fast as it can.
  options.limits.accept_rate = siptls::Rate::unlimited();
  options.limits.accept_rate_per_address = siptls::Rate::unlimited();
  options.limits.max_connections_per_address = options.limits.max_connections;
  return must(siptls::TlsTransport::create(std::move(options)));
}

[[noreturn]] void serve(siptls::TlsTransport& transport) {
  std::string response;
  for (;;) {
    pollfd wait{transport.fd(), POLLIN, 0};
    poll(&wait, 1, -1);
    while (const std::optional<siptls::Event> event = transport.next_event()) {
      if (const auto* received = std::get_if<siptls::Message>(&*event)) {
        answer(received->message, response);
        const auto sent = transport.send(received->connection, std::as_bytes(std::span(response)));
        if (!sent) std::fprintf(stderr, "siptls: %s\n", sent.error().message().c_str());
      } else if (const auto* failed = std::get_if<siptls::HandshakeFailed>(&*event)) {
        std::fprintf(stderr, "siptls: %s\n", failed->error.message().c_str());
      }
    }
  }
}

void tell_port(int link, std::uint16_t port) { write_fully(link, &port, sizeof port); }

std::uint16_t hear_port(const Process& process) {
  std::uint16_t port = 0;
  read_fully(process.link(), &port, sizeof port);
  return port;
}

// --- Kamailio ---

constexpr std::string_view kKamailioConfig = R"(#!KAMAILIO
debug=-3
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
disable_core_dump=yes
enable_tls=yes
tcp_max_connections=19000
tls_max_connections=19000
tcp_connection_lifetime=3600
listen=tls:127.0.0.1:@PORT@
loadmodule "tls.so"
loadmodule "sl.so"
modparam("tls", "config", "@FOLDER@/tls.cfg")
request_route {
  sl_send_reply("200", "OK");
}
)";

// It prefers 256 bits and has no setting of its own for suites of TLS 1.3.
constexpr std::string_view kOpenSslConfig =
    "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = suites\n"
    "[suites]\nCiphersuites = TLS_AES_128_GCM_SHA256\n"
    "CipherString = ECDHE-ECDSA-AES128-GCM-SHA256\nGroups = X25519:P-256\n";

std::string replaced(std::string text, std::string_view mark, const std::string& with) {
  for (std::size_t at = 0; (at = text.find(mark, at)) != text.npos; at += with.size()) {
    text.replace(at, mark.size(), with);
  }
  return text;
}

void write_file(const files::path& path, std::string_view text) {
  std::ofstream file(path);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

std::string find_kamailio() {
  for (const char* path : {"/usr/sbin/kamailio", "/usr/local/sbin/kamailio", "/usr/bin/kamailio"}) {
    if (access(path, X_OK) == 0) return path;
  }
  throw NotInstalled("Kamailio is not installed");
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// One that was free a moment ago: Kamailio cannot pick one itself.
std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool good = bind(socket, generic, size) == 0 && getsockname(socket, generic, &size) == 0;
  close(socket);
  if (!good) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

// Kamailio listens before it is ready to accept; that is good enough for connect().
bool wait_for_listener(std::uint16_t port) {
  for (int i = 0; i < 200; ++i) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port);
    const bool there =
        connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(socket);
    if (there) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

// A new one, removed with all that is in it when nobody needs it any more.
std::shared_ptr<files::path> make_folder() {
  std::string name = (files::temp_directory_path() / "siptls-bench-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a folder");
  return {new files::path(name), [](const files::path* path) {
            std::error_code ignored;
            files::remove_all(*path, ignored);
            delete path;
          }};
}

// In the child: becomes Kamailio. Its memory is taken from the system only as it is used.
[[noreturn]] void become_kamailio(const std::string& program, const std::string& folder,
                                  bool fast_memory) {
  raise_descriptor_limit();
  const int log = open((folder + "/log").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  const std::string config = folder + "/kamailio.cfg";
  const std::string pid = folder + "/pid";
  setenv("OPENSSL_CONF", (folder + "/openssl.cnf").c_str(), 1);
  // Without -x it takes its own default.
  const char* memory = fast_memory ? "-x" : nullptr;
  execl(program.c_str(), program.c_str(), "-DD", "-E", "-f", config.c_str(), "-m", "4096", "-M",
        "64", "-w", folder.c_str(), "-Y", folder.c_str(), "-P", pid.c_str(), memory, "fm",
        static_cast<char*>(nullptr));
  _exit(1);
}

Server start_kamailio_with(const ServerSetup& setup, bool fast_memory) {
  const std::string program = find_kamailio();
  const auto owned = make_folder();
  const std::string folder = owned->string();
  const std::uint16_t port = free_port();
  const std::string method = setup.version == 0x0304 ? "TLSv1.2+" : "TLSv1.2";
  write_file(folder + "/key.pem", setup.certificates.key);
  write_file(folder + "/chain.pem", setup.certificates.chain);
  write_file(folder + "/root.pem", setup.certificates.root);
  write_file(folder + "/tls.cfg", "[server:default]\nmethod = " + method +
                                      "\nverify_certificate = yes\nrequire_certificate = yes\n" +
                                      "private_key = " + folder + "/key.pem\ncertificate = " +
                                      folder + "/chain.pem\nca_list = " + folder + "/root.pem\n");
  write_file(folder + "/openssl.cnf", kOpenSslConfig);
  write_file(folder + "/kamailio.cfg",
             replaced(replaced(std::string(kKamailioConfig), "@PORT@", std::to_string(port)),
                      "@FOLDER@", folder));
  Server server{fast_memory ? "kamailio_fm" : "kamailio", owned,
                std::make_unique<Process>(
                    [&](int /*link*/) { become_kamailio(program, folder, fast_memory); }),
                port};
  if (wait_for_listener(port)) return server;
  std::ifstream file(folder + "/log");
  const std::string log{std::istreambuf_iterator<char>(file), {}};
  if (log.find("could not find module") != log.npos) {
    throw NotInstalled("Kamailio's TLS modules are not installed");
  }
  throw std::runtime_error("Kamailio does not start: " + log.substr(0, 2000));
}

}  // namespace

Server start_siptls(const ServerSetup& setup) {
  const auto body = [&setup](int link) {
    raise_descriptor_limit();
    const siptls::TlsContext context = make_context(setup);
    siptls::ListenOptions options{must(siptls::Endpoint::parse("127.0.0.1", 0)), context};
    options.port = siptls::ListenOptions::Port::share;
    siptls::TlsTransport transport = make_transport();
    const auto listener = must(transport.listen(options));
    options.local = must(transport.local_endpoint(listener));
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < setup.threads; ++i) {
      threads.emplace_back([options] {
        siptls::TlsTransport another = make_transport();
        must(another.listen(options));
        serve(another);
      });
    }
    tell_port(link, options.local.port());
    serve(transport);
  };
  Server server{"siptls", nullptr, std::make_unique<Process>(body)};
  server.port = hear_port(*server.process);
  return server;
}

Server start_bare(const ServerSetup& setup) {
  const auto body = [&setup](int link) {
    raise_descriptor_limit();
    const baseline::ServerConfig config{setup.certificates.key, setup.certificates.chain,
                                        setup.certificates.root, setup.version};
    baseline::serve_bare(config, [link](std::uint16_t port) { tell_port(link, port); });
  };
  Server server{"bare", nullptr, std::make_unique<Process>(body)};
  server.port = hear_port(*server.process);
  return server;
}

Server start_kamailio(const ServerSetup& setup) { return start_kamailio_with(setup, false); }
Server start_kamailio_fm(const ServerSetup& setup) { return start_kamailio_with(setup, true); }

}  // namespace bench
