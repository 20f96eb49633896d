#include "handshake_rows.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>

#include "pki/demo_pki.hpp"
#include "siptls/ticket_key_ring.hpp"
#include "siptls/tls_context.hpp"
#include "siptls/tls_session.hpp"

namespace handshake_bench {
namespace {

using baseline::BareConfig;
using baseline::BareTls;
using baseline::HandshakeCost;
using baseline::Meter;
using baseline::Negotiated;
using std::chrono::nanoseconds;

constexpr const char* kDomain = "server.example";
constexpr std::size_t kRecordSize = 16384;

template <typename T>
T must(siptls::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return *std::move(result);
}
void must(siptls::Result<void> result) {
  if (!result) throw std::runtime_error(result.error().message());
}

// One combination of what a handshake can be.
struct Shape {
  demo_pki::KeyType key = demo_pki::KeyType::p256;
  siptls::ProtocolVersion version = siptls::ProtocolVersion::tls1_3;
  bool mutual = true;
  bool default_group = false;
  int intermediates = 1;

  std::string name() const {
    std::string name = mutual ? "mutual." : "server_only.";
    name += key == demo_pki::KeyType::p256      ? "p256"
            : key == demo_pki::KeyType::rsa2048 ? "rsa2048"
                                                : "ed25519";
    name += version == siptls::ProtocolVersion::tls1_3 ? ".tls13" : ".tls12";
    if (default_group) name += ".default_group";
    if (intermediates != 1) name += ".intermediates" + std::to_string(intermediates);
    return name;
  }

  std::vector<std::uint16_t> groups() const {
    // P-256 too, because TLS 1.2 wants the certificate's curve there.
    if (!default_group) return {0x001d, 0x0017};
    return siptls::TlsPolicy::modern().groups;
  }
};

siptls::TlsContext make_context(const demo_pki::Hierarchy& pki, const Shape& shape, Kind kind,
                                Memory memory) {
  siptls::TlsContextConfig config;
  config.credentials =
      must(siptls::Credentials::from_pem(pki.leaf.private_key_pem(), pki.leaf.chain_pem()));
  siptls::TrustLimits limits;
  limits.max_remembered_chains = memory == Memory::warm ? 16 : 0;
  config.trust = must(siptls::TrustStore::from_pem(pki.root.certificate_pem(), limits));
  config.policy.min_version = shape.version;
  config.policy.max_version = shape.version;
  config.policy.groups = shape.groups();
  if (!shape.mutual) config.policy.client_certificate = siptls::ClientCertificate::none;
  config.policy.resumption =
      kind == Kind::full ? siptls::Resumption::off : siptls::Resumption::tickets;
  if (kind != Kind::full) config.ticket_keys = must(siptls::TicketKeyRing::create());
  return must(siptls::TlsContext::create(std::move(config)));
}

// Two sessions of one context, again and again.
class Ours {
 public:
  Ours(const demo_pki::Hierarchy& pki, const Shape& shape, Kind kind, Memory memory)
      : context_(make_context(pki, shape, kind, memory)), kind_(kind) {}

  HandshakeCost handshake();
  const Negotiated& negotiated() const { return negotiated_; }

 private:
  void carry(siptls::TlsSession& from, siptls::TlsSession& to) const {
    must(to.feed(from.pending_output(), now_));
    from.consume_output(from.pending_output().size());
  }
  void greet(siptls::TlsSession& server, siptls::TlsSession& client, Meter& meter,
             HandshakeCost& cost);
  void note(const siptls::TlsSession& client, const siptls::TlsSession& server);

  siptls::TlsContext context_;
  Kind kind_;
  siptls::Now now_{siptls::MonoTime{}, must(siptls::parse_time("2026-06-01T00:00:00Z"))};
  std::vector<std::byte> plaintext_ = std::vector<std::byte>(kRecordSize);
  std::uint64_t handshakes_ = 0;
  Negotiated negotiated_;
};

HandshakeCost Ours::handshake() {
  HandshakeCost cost;
  siptls::SessionOptions options;
  // A client of another scope knows no session, and offers none.
  if (kind_ == Kind::ticketed) options.resumption_scope = std::to_string(++handshakes_);
  Meter meter;
  std::optional<siptls::TlsSession> client =
      must(siptls::TlsSession::client(context_, kDomain, now_, options));
  meter.charge(cost.client);
  std::optional<siptls::TlsSession> server = must(siptls::TlsSession::server(context_, now_));
  meter.charge(cost.server);
  const auto established = siptls::SessionState::established;
  for (int round = 0; round < 4 && server->state() != established; ++round) {
    carry(*client, *server);
    meter.charge(cost.server);
    carry(*server, *client);
    meter.charge(cost.client);
  }
  if (client->state() != established || server->state() != established) {
    throw std::runtime_error("the handshake did not end");
  }
  if (kind_ != Kind::full) greet(*server, *client, meter, cost);
  note(*client, *server);
  Meter freeing;
  client.reset();
  freeing.charge(cost.client);
  server.reset();
  freeing.charge(cost.server);
  return cost;
}

// The server's first octets: BoringSSL keeps the tickets of TLS 1.3 until something is written.
void Ours::greet(siptls::TlsSession& server, siptls::TlsSession& client, Meter& meter,
                 HandshakeCost& cost) {
  static constexpr std::byte kOctets[] = {std::byte{'\r'}, std::byte{'\n'}};
  must(server.send(kOctets, now_));
  meter.charge(cost.server);
  carry(server, client);
  if (must(client.next_plaintext(plaintext_, now_)).size() != sizeof kOctets ||
      !must(client.next_plaintext(plaintext_, now_)).empty()) {
    throw std::runtime_error("what was read is not what was sent");
  }
  meter.charge(cost.client);
}

void Ours::note(const siptls::TlsSession& client, const siptls::TlsSession& server) {
  const siptls::PeerInfo& peer = client.peer();
  negotiated_ = {static_cast<std::uint16_t>(peer.version), peer.cipher_suite, peer.group,
                 peer.resumed};
  if (server.peer().resumed != peer.resumed) {
    throw std::runtime_error("one end has resumed a session and the other has not");
  }
}

// Makes rows, and what they need.
class Matrix {
 public:
  Matrix(bool all, std::string_view filter) : all_(all), filter_(filter) {}
  void add(const Shape& shape) {
    for (const Kind kind : {Kind::full, Kind::ticketed, Kind::resumed}) add(shape, kind);
  }
  std::vector<Row> rows() && { return std::move(rows_); }

 private:
  void add(const Shape& shape, Kind kind);
  // A row whose handshakes are made by what `make` gives, unless the filter leaves it out.
  template <typename Make>
  void add(Row row, const Make& make);
  std::shared_ptr<BareTls> make_bare(const Shape& shape, Side side, Kind kind);
  const demo_pki::Hierarchy& pki(const Shape& shape);

  bool all_;
  std::string_view filter_;
  std::vector<Row> rows_;
  std::vector<Negotiated> negotiated_;  // by the rows of one shape and kind
  std::optional<demo_pki::Hierarchy> pki_;
  Shape pki_shape_;
};

void Matrix::add(const Shape& shape, Kind kind) {
  negotiated_.clear();
  const auto add_own = [&](Memory memory) {
    add({shape.name(), Side::siptls, kind, memory, {}, {}},
        [&] { return std::make_shared<Ours>(pki(shape), shape, kind, memory); });
  };
  const auto add_bare = [&](Side side) {
    add({shape.name(), side, kind, Memory::warm, {}, {}},
        [&] { return make_bare(shape, side, kind); });
  };
  // Who is compared most stands side by side.
  if (kind != Kind::resumed || all_) add_own(Memory::cold);
  add_bare(Side::plain);
  add_own(Memory::warm);
  add_bare(Side::ceiling);
}

template <typename Make>
void Matrix::add(Row row, const Make& make) {
  const std::string name = row.shape + '.' + row.variant();
  if (name.find(filter_) == std::string::npos) return;
  const auto maker = make();
  row.handshake = [maker] { return maker->handshake(); };
  // The second handshake is the first that can be resumed, and that finds a chain in memory.
  row.handshake();
  row.handshake();
  negotiated_.push_back(maker->negotiated());
  if (negotiated_.back().resumed != (row.kind == Kind::resumed)) {
    throw std::runtime_error(name + (row.kind == Kind::resumed ? ": not resumed" : ": resumed"));
  }
  if (!(negotiated_.back() == negotiated_.front())) {
    throw std::runtime_error(name + ": negotiates something else than other rows of its shape");
  }
  rows_.push_back(std::move(row));
}

std::shared_ptr<BareTls> Matrix::make_bare(const Shape& shape, Side side, Kind kind) {
  static constexpr baseline::Tickets kTickets[] = {
      baseline::Tickets::off, baseline::Tickets::issued, baseline::Tickets::resumed};
  BareConfig config;
  config.key_pem = pki(shape).leaf.private_key_pem();
  config.chain_pem = pki(shape).leaf.chain_pem();
  config.root_pem = pki(shape).root.certificate_pem();
  config.domain = kDomain;
  config.version = static_cast<std::uint16_t>(shape.version);
  config.groups = shape.groups();
  config.client_proves_itself = shape.mutual;
  config.verification =
      side == Side::plain ? baseline::Verification::full : baseline::Verification::accept_all;
  config.tickets = kTickets[static_cast<int>(kind)];
  return std::make_shared<BareTls>(config);
}

// Keys of RSA take their time: shapes that can share them follow each other.
const demo_pki::Hierarchy& Matrix::pki(const Shape& shape) {
  if (!pki_ || pki_shape_.key != shape.key || pki_shape_.intermediates != shape.intermediates) {
    pki_.emplace(demo_pki::make_hierarchy(kDomain, shape.intermediates, shape.key));
    pki_shape_ = shape;
  }
  return *pki_;
}

std::vector<Shape> make_shapes(bool all) {
  using demo_pki::KeyType;
  using siptls::ProtocolVersion;
  std::vector<Shape> shapes;
  for (const KeyType key : {KeyType::p256, KeyType::rsa2048, KeyType::ed25519}) {
    if (!all && key == KeyType::ed25519) continue;
    for (const int intermediates : {1, 0, 2, 3}) {
      for (const bool mutual : {true, false}) {
        for (const bool default_group : {false, true}) {
          for (const auto version : {ProtocolVersion::tls1_3, ProtocolVersion::tls1_2}) {
            const Shape shape{key, version, mutual, default_group, intermediates};
            if (all || (mutual && !default_group && intermediates == 1)) shapes.push_back(shape);
          }
        }
      }
    }
  }
  return shapes;
}

}  // namespace

std::string Row::variant() const {
  static constexpr const char* kSides[] = {"", "plain", "ceiling"};
  std::string name = kSides[static_cast<int>(side)];
  if (side == Side::siptls) {
    name = memory == Memory::warm ? "warm" : "cold";
    // Who resumes a session has judged its chain before.
    if (kind == Kind::resumed) return memory == Memory::warm ? "resumed" : "resumed.cold";
  }
  if (kind == Kind::ticketed) name += ".ticketed";
  if (kind == Kind::resumed) name += ".resumed";
  return name;
}

void Row::sample(nanoseconds span) {
  HandshakeCost sum;
  Sample sample;
  do {
    const HandshakeCost one = handshake();
    sum.client += one.client;
    sum.server += one.server;
    ++sample.handshakes;
  } while (sum.client + sum.server < span);
  sample.client = static_cast<double>(sum.client.count()) / static_cast<double>(sample.handshakes);
  sample.server = static_cast<double>(sum.server.count()) / static_cast<double>(sample.handshakes);
  samples.push_back(sample);
}

std::vector<Row> make_rows(bool all, std::string_view filter) {
  Matrix matrix(all, filter);
  for (const Shape& shape : make_shapes(all)) matrix.add(shape);
  return std::move(matrix).rows();
}

}  // namespace handshake_bench
