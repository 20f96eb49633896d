// siptls as the program under test of BoringSSL's test runner, which is the other end of every
// connection and misbehaves as each of its tests says. Beside the handshake, the protocol between
// the two is: the shim returns each octet with its bits inverted, until the runner closes.
//
// Where a flag asks for what siptls does not do the exit status is 89, which the runner counts as
// unimplemented. SIPTLS_RUNNER_TRUST names the file with the certificates that prove the runner.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "runner/shim_flags.hpp"
#include "siptls/siptls.hpp"

namespace siptls_runner {
namespace {

using namespace siptls;

constexpr int kUnimplemented = 89;
constexpr const char* kDomain = "runner.example";

Now now() { return Now{std::chrono::steady_clock::now(), std::chrono::system_clock::now()}; }

// Everything that a policy can allow, so that the tests get to what they are about.
TlsPolicy make_policy(const Flags& flags) {
  TlsPolicy policy = TlsPolicy::interop();
  policy.min_version = ProtocolVersion{flags.min_version};
  policy.max_version = ProtocolVersion{flags.max_version};
  policy.cipher_suites.insert(policy.cipher_suites.end(), {0x009c, 0x009d, 0x002f, 0x0035});
  if (!flags.suites.empty()) policy.cipher_suites = flags.suites;
  if (!flags.groups.empty()) policy.groups = flags.groups;
  if (!flags.signature_schemes.empty()) policy.signature_schemes = flags.signature_schemes;
  policy.extended_master_secret = ExtendedMasterSecret::dangerous_optional;
  policy.ocsp = OcspPolicy::ignore;  // the runner staples what is no OCSP response
  policy.resumption = flags.no_ticket ? Resumption::off : Resumption::tickets;
  policy.client_certificate = flags.requires_certificate   ? ClientCertificate::required
                              : flags.requests_certificate ? ClientCertificate::requested
                                                           : ClientCertificate::none;
  return policy;
}

Result<TlsContext> make_context(const Flags& flags, std::shared_ptr<TicketKeyRing> ring) {
  TlsContextConfig config;
  config.policy = make_policy(flags);
  config.ticket_keys = std::move(ring);
  if (!flags.cert_file.empty()) {
    Result<Credentials> credentials = Credentials::from_pem_files(flags.key_file, flags.cert_file);
    if (!credentials) return Unexpected(credentials.error());
    config.credentials = *std::move(credentials);
  }
  const char* path = std::getenv("SIPTLS_RUNNER_TRUST");
  Result<TrustStore> trust = TrustStore::from_pem_file(path != nullptr ? path : "");
  if (!trust) return Unexpected(trust.error());
  config.trust = *std::move(trust);
  return TlsContext::create(std::move(config));
}

int connect_to(const sockaddr* address, socklen_t size) {
  const int stream = socket(address->sa_family, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(stream, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(stream, address, size) == 0) return stream;
  ::close(stream);
  return -1;
}

// The runner listens on one of the two loopback addresses and does not always say which.
int connect_to_runner(const Flags& flags) {
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(flags.port);
  six.sin6_addr = in6addr_loopback;
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(flags.port);
  four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int stream = connect_to(reinterpret_cast<const sockaddr*>(&six), sizeof six);
  if (stream < 0) stream = connect_to(reinterpret_cast<const sockaddr*>(&four), sizeof four);
  if (stream < 0 || !flags.shim_id) return stream;
  std::array<std::uint8_t, 8> id{};
  for (std::size_t i = 0; i < id.size(); ++i) {
    id[i] = static_cast<std::uint8_t>(*flags.shim_id >> (8 * i));
  }
  return send(stream, id.data(), id.size(), MSG_NOSIGNAL) == 8 ? stream : -1;
}

// One connection from the first octet to the last.
class Exchange {
 public:
  Exchange(TlsSession session, int stream, const Flags& flags)
      : session_(std::move(session)), flags_(flags), stream_(stream) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  // The runner must get the alert: nothing unread may be left when the socket is closed.
  ~Exchange() {
    write_pending();
    shutdown(stream_, SHUT_WR);
    std::array<std::byte, 4096> rest;
    pollfd ready{stream_, POLLIN, 0};
    while (poll(&ready, 1, 2000) == 1 && read(stream_, rest.data(), rest.size()) > 0) {
    }
    ::close(stream_);
  }

  Result<void> run(bool is_resumption) {
    while (session_.state() == SessionState::handshaking) {
      if (const Result<void> moved = receive(); !moved) return moved;
    }
    if (session_.state() != SessionState::established &&
        session_.state() != SessionState::peer_closed) {
      return Unexpected(Errc::internal, "the handshake ended without error");
    }
    if (const Result<void> fits = check_peer(is_resumption); !fits) return fits;
    if (flags_.shim_writes_first) {
      if (const Result<void> sent = send_text("hello"); !sent) return sent;
    }
    if (!flags_.shim_shuts_down) {
      if (const Result<void> echoed = echo(); !echoed) return echoed;
    }
    return end();
  }

 private:
  void write_pending() {
    while (!session_.pending_output().empty()) {
      const std::span<const std::byte> output = session_.pending_output();
      const ssize_t written = send(stream_, output.data(), output.size(), MSG_NOSIGNAL);
      if (written <= 0) return;
      session_.consume_output(static_cast<std::size_t>(written));
    }
  }

  // Waits for octets and feeds them, or the end.
  Result<void> receive() {
    write_pending();
    const ssize_t count = read(stream_, input_.data(), input_.size());
    if (count <= 0) {
      ended_ = true;
      return session_.feed_end(now());
    }
    return session_.feed(std::span(input_).first(static_cast<std::size_t>(count)), now());
  }

  Result<void> send_text(std::string_view text) {
    const Result<void> sent = session_.send(std::as_bytes(std::span(text)), now());
    write_pending();
    return sent;
  }

  // Octets back with their bits inverted, until the runner has closed.
  Result<void> echo() {
    std::vector<std::byte> buffer(flags_.read_size);
    while (true) {
      const Result<std::span<const std::byte>> plain = session_.next_plaintext(buffer, now());
      if (!plain) {
        // The runner ends most connections without close_notify.
        if (plain.error().reason() == Errc::truncated) return {};
        return Unexpected(plain.error());
      }
      if (!plain->empty()) {
        std::vector<std::byte> answer(plain->begin(), plain->end());
        for (std::byte& octet : answer) octet = ~octet;
        if (const Result<void> sent = session_.send(answer, now()); !sent) return sent;
        write_pending();
        continue;
      }
      if (session_.state() == SessionState::peer_closed) return {};
      if (ended_) return {};
      if (const Result<void> moved = receive(); !moved && moved.error().reason() != Errc::truncated)
        return moved;
    }
  }

  // close_notify, and the peer's if the runner wants it to be waited for.
  Result<void> end() {
    if (session_.state() == SessionState::failed) return {};
    if (const Result<void> closed = session_.close(now()); !closed) return closed;
    write_pending();
    if (!flags_.shim_shuts_down || !flags_.check_close_notify) return {};
    std::vector<std::byte> buffer(16384);
    while (true) {
      const Result<std::span<const std::byte>> plain = session_.next_plaintext(buffer, now());
      if (!plain) return Unexpected(plain.error());
      if (session_.state() == SessionState::closed) return {};
      if (const Result<void> moved = receive(); !moved) return moved;
      if (ended_) break;
    }
    return Unexpected(Errc::truncated, "no close_notify came");
  }

  Result<void> check_peer(bool is_resumption) const {
    const PeerInfo& peer = session_.peer();
    if (peer.resumed != (is_resumption && !flags_.expects_session_miss)) {
      return Unexpected(Errc::internal, peer.resumed ? "resumed" : "not resumed");
    }
    if (flags_.expected_version && peer.version != ProtocolVersion{*flags_.expected_version}) {
      return Unexpected(Errc::internal, "another version than expected");
    }
    if (flags_.expected_group && peer.group != *flags_.expected_group) {
      return Unexpected(Errc::internal, "another group than expected");
    }
    if (flags_.expected_cipher && peer.cipher_suite != *flags_.expected_cipher) {
      return Unexpected(Errc::internal, "another suite than expected");
    }
    return {};
  }

  TlsSession session_;
  const Flags& flags_;
  int stream_;
  bool ended_ = false;
  std::array<std::byte, 16384> input_{};
};

Result<TlsSession> make_session(const TlsContext& context, const Flags& flags) {
  SessionOptions options;
  options.resumption_scope = "runner";
  if (flags.is_server) return TlsSession::server(context, now(), options);
  return TlsSession::client(context, flags.host_name.empty() ? kDomain : flags.host_name, now(),
                            options);
}

int fail(const Error& error) {
  fmt::print(stderr, "{}\n--- DONE ---\n", error.message());
  return 1;
}

// One context for all connections, as a host has it, unless the resumed ones are to differ.
int run(const Parsed& parsed) {
  const Result<std::shared_ptr<TicketKeyRing>> ring = TicketKeyRing::create();
  if (!ring) return fail(ring.error());
  std::optional<TlsContext> context;
  const bool same = same_policy(parsed.initial, parsed.resumed);
  for (unsigned i = 0; i <= parsed.initial.resume_count; ++i) {
    const Flags& flags = i == 0 ? parsed.initial : parsed.resumed;
    if (!context || (i == 1 && !same)) {
      const Result<TlsContext> made = make_context(flags, *ring);
      if (!made) {
        fmt::print(stderr, "{}\n--- DONE ---\n", made.error().message());
        return made.error().category() == Category::config ? kUnimplemented : 1;
      }
      context = *made;
    }
    Result<TlsSession> session = make_session(*context, flags);
    if (!session) return fail(session.error());
    const int stream = connect_to_runner(flags);
    if (stream < 0) return fail(Error(Errc::connect_failed, std::strerror(errno)));
    Exchange exchange(*std::move(session), stream, flags);
    const Result<void> ended = exchange.run(i > 0);
    if (!ended) return fail(ended.error());
  }
  return 0;
}

}  // namespace
}  // namespace siptls_runner

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  if (argc == 2 && std::strcmp(argv[1], "-is-handshaker-supported") == 0) {
    fmt::print("No\n");
    return 0;
  }
  std::string why;
  const std::optional<siptls_runner::Parsed> parsed =
      siptls_runner::parse_flags(argc - 1, argv + 1, why);
  if (!parsed) {
    fmt::print(stderr, "unimplemented: {}\n--- DONE ---\n", why);
    return siptls_runner::kUnimplemented;
  }
  return siptls_runner::run(*parsed);
}
