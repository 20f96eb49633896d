// Messages of 600 octets from a client to a server in memory, both ends' processor time together:
// siptls beside bare BoringSSL over memory BIOs, which writes each message by itself, or writes
// pieces of 16 KiB that somebody else has gathered. siptls gathers them itself, as TlsTransport
// does: messages are copied behind each other and sent in pieces of up to 16 KiB. "framed": a
// SipFramer takes the plaintext.
//
// Usage: record_bench [--all]. The repetitions of all rows are interleaved, and the median counts.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "baseline/bare_records.hpp"
#include "framer_bench_traffic.hpp"
#include "measure.hpp"
#include "pki/demo_pki.hpp"
#include "siptls/sip_framer.hpp"
#include "siptls/tls_context.hpp"
#include "siptls/tls_session.hpp"

namespace {

using std::chrono::nanoseconds;

constexpr const char* kDomain = "server.example";
constexpr std::size_t kMessageSize = 600;
constexpr std::size_t kPieceSize = 16384;
constexpr std::uint16_t kTlsAes128GcmSha256 = 0x1301;
constexpr std::uint16_t kEcdheEcdsaAes128GcmSha256 = 0xc02b;

using bench::thread_time;

template <typename T>
T must(siptls::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return *std::move(result);
}
void must(siptls::Result<void> result) {
  if (!result) throw std::runtime_error(result.error().message());
}

// So many messages that the last piece, which is not full, hardly counts.
class Messages {
 public:
  Messages() {
    const framer_bench::Traffic traffic = framer_bench::invites();
    for (std::size_t i = 0; i < traffic.count(); ++i) {
      if (traffic.ends[i] - traffic.begin(i) != kMessageSize) {
        throw std::runtime_error("a message has another size than it should");
      }
    }
    for (int i = 0; i < 8; ++i) stream_ += traffic.stream;
  }

  std::size_t count() const { return stream_.size() / kMessageSize; }
  std::span<const std::byte> stream() const { return std::as_bytes(std::span(stream_)); }
  std::span<const std::byte> message(std::size_t index) const {
    return stream().subspan(index * kMessageSize, kMessageSize);
  }

 private:
  std::string stream_;
};

siptls::TlsContext make_context(const demo_pki::Hierarchy& pki, siptls::ProtocolVersion version) {
  siptls::TlsContextConfig config;
  config.credentials =
      must(siptls::Credentials::from_pem(pki.leaf.private_key_pem(), pki.leaf.chain_pem()));
  config.trust = must(siptls::TrustStore::from_pem(pki.root.certificate_pem()));
  config.policy.min_version = version;
  config.policy.max_version = version;
  config.policy.groups = {0x001d, 0x0017};
  config.policy.cipher_suites = {kEcdheEcdsaAes128GcmSha256};
  return must(siptls::TlsContext::create(config));
}

// Two sessions whose handshake is done.
class SessionPair {
 public:
  SessionPair(const siptls::TlsContext& context, bool framed)
      : now_{siptls::MonoTime{}, must(siptls::parse_time("2026-06-01T00:00:00Z"))},
        client_(must(siptls::TlsSession::client(context, kDomain, now_))),
        server_(must(siptls::TlsSession::server(context, now_))) {
    for (int round = 0; round < 4 && !established(); ++round) {
      pass(client_, server_);
      pass(server_, client_);
    }
    if (!established()) throw std::runtime_error("the handshake did not end");
    if (framed) framer_.emplace();
  }

  std::uint16_t cipher_suite() const { return client_.peer().cipher_suite; }

  // Gathers and sends all messages; all octets must arrive.
  void carry(const Messages& messages) {
    arrived_octets_ = 0;
    arrived_messages_ = 0;
    for (std::size_t i = 0; i < messages.count(); ++i) {
      auto message = messages.message(i);
      const auto room = kPieceSize - gathered_.size();
      if (message.size() >= room) {
        gather(message.first(room));
        send_gathered();
        message = message.subspan(room);
      }
      gather(message);
    }
    send_gathered();
    if (arrived_octets_ != messages.stream().size() ||
        (framer_ && arrived_messages_ != messages.count())) {
      throw std::runtime_error("not everything has arrived");
    }
  }

 private:
  bool established() const {
    return client_.state() == siptls::SessionState::established &&
           server_.state() == siptls::SessionState::established;
  }
  void pass(siptls::TlsSession& from, siptls::TlsSession& to) {
    must(to.feed(from.pending_output(), now_));
    from.consume_output(from.pending_output().size());
  }
  void gather(std::span<const std::byte> octets) {
    gathered_.insert(gathered_.end(), octets.begin(), octets.end());
  }

  void send_gathered() {
    if (gathered_.empty()) return;
    must(client_.send(gathered_, now_));
    gathered_.clear();
    must(server_.feed(client_.pending_output(), now_));
    for (;;) {
      const auto plaintext = must(server_.next_plaintext(plaintext_, now_));
      if (plaintext.empty()) break;
      arrived_octets_ += plaintext.size();
      if (framer_) frame(plaintext);
    }
    client_.consume_output(client_.pending_output().size());
  }

  void frame(std::span<const std::byte> plaintext) {
    framer_->push(plaintext);
    for (;;) {
      const siptls::FramerOutput output = framer_->next();
      if (std::holds_alternative<siptls::NeedMore>(output)) return;
      if (const auto* const error = std::get_if<siptls::Error>(&output)) {
        throw std::runtime_error(error->message());
      }
      if (std::holds_alternative<siptls::SipMessageView>(output)) ++arrived_messages_;
    }
  }

  siptls::Now now_;
  siptls::TlsSession client_;
  siptls::TlsSession server_;
  std::optional<siptls::SipFramer> framer_;
  std::vector<std::byte> gathered_;
  std::vector<std::byte> plaintext_ = std::vector<std::byte>(kPieceSize);
  std::size_t arrived_octets_ = 0;
  std::size_t arrived_messages_ = 0;
};

using bench::median;

// One way to carry all messages, and its samples in nanoseconds a message.
struct Row {
  std::string name;
  std::function<void()> round;
  std::vector<double> samples;

  void sample(nanoseconds span, std::size_t messages) {
    std::size_t count = 0;
    const auto begin = thread_time();
    auto now = begin;
    for (; now - begin < span; count += messages, now = thread_time()) round();
    samples.push_back(static_cast<double>((now - begin).count()) / static_cast<double>(count));
  }
};

// The rows of one version: siptls plain and framed, then what they are compared with.
struct Shape {
  std::string prefix;  // "record.600."
  Row plain;
  Row framed;
  Row one_write_each;
  Row large_writes;

  std::vector<Row*> rows() { return {&plain, &one_write_each, &framed, &large_writes}; }
};

Shape make_shape(const Messages& messages, siptls::ProtocolVersion version) {
  const bool newer = version == siptls::ProtocolVersion::tls1_3;
  const auto pki = demo_pki::make_hierarchy(kDomain, 1, demo_pki::KeyType::p256);
  const siptls::TlsContext context = make_context(pki, version);
  const auto plain = std::make_shared<SessionPair>(context, false);
  const auto framed = std::make_shared<SessionPair>(context, true);
  const auto bare = std::make_shared<baseline::BareRecords>(baseline::RecordsConfig{
      pki.leaf.private_key_pem(), pki.leaf.certificate_pem(), static_cast<std::uint16_t>(version)});
  const auto suite = newer ? kTlsAes128GcmSha256 : kEcdheEcdsaAes128GcmSha256;
  if (plain->cipher_suite() != suite || bare->cipher_suite() != suite) {
    throw std::runtime_error("AES-128-GCM was not chosen: has this processor no AES instructions?");
  }
  const auto write_each = [bare, &messages] {
    for (std::size_t i = 0; i < messages.count(); ++i) bare->carry(messages.message(i));
  };
  const auto write_pieces = [bare, &messages] {
    auto rest = messages.stream();
    while (!rest.empty()) {
      const auto piece = rest.first(std::min(rest.size(), kPieceSize));
      bare->carry(piece);
      rest = rest.subspan(piece.size());
    }
  };
  return {newer ? "record.600." : "record.600.tls12.",
          {"siptls", [plain, &messages] { plain->carry(messages); }, {}},
          {"framed.siptls", [framed, &messages] { framed->carry(messages); }, {}},
          {"one_write_each", write_each, {}},
          {"16k_writes", write_pieces, {}}};
}

void print_figures(Shape& shape) {
  for (const Row* row : shape.rows()) {
    std::printf("figure %s%s %.0f messages/s\n", shape.prefix.c_str(), row->name.c_str(),
                1e9 / median(row->samples));
  }
}

// Median of the ratios of neighbouring samples: what the machine does meanwhile meets both.
void print_ratio(const Shape& shape, const char* name, const Row& of, const Row& to) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < of.samples.size(); ++i) {
    ratios.push_back(to.samples[i] / of.samples[i]);
  }
  std::printf("ratio %s%s %.2f\n", shape.prefix.c_str(), name, median(std::move(ratios)));
}

void run(bool all) {
  const Messages messages;
  std::vector<Shape> shapes;
  if (all) shapes.push_back(make_shape(messages, siptls::ProtocolVersion::tls1_2));
  shapes.push_back(make_shape(messages, siptls::ProtocolVersion::tls1_3));
  constexpr int kRepetitions = 41;
  constexpr int kEnough = 9;
  constexpr nanoseconds kSpan = std::chrono::milliseconds(25);
  // On a busy machine the processor time comes slowly; then fewer repetitions must do.
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(all ? 120 : 35);
  for (Shape& shape : shapes) {
    for (Row* row : shape.rows()) row->round();
  }
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    if (repetition >= kEnough && std::chrono::steady_clock::now() > give_up) break;
    for (Shape& shape : shapes) {
      for (Row* row : shape.rows()) row->sample(kSpan, messages.count());
    }
  }
  for (Shape& shape : shapes) print_figures(shape);
  for (const Shape& shape : shapes) {
    if (all) print_ratio(shape, "framed.16k_writes", shape.framed, shape.large_writes);
    print_ratio(shape, "one_write_each", shape.plain, shape.one_write_each);
    print_ratio(shape, "16k_writes", shape.plain, shape.large_writes);
    print_ratio(shape, "framed.one_write_each", shape.framed, shape.one_write_each);
  }
}

}  // namespace

int main(int argc, char** argv) { return bench::run_main(argc, argv, "record_bench", run); }
