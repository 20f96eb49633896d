// Fuzz target: TlsSession.feed, as client and as server, in each phase of a connection.
//
// The first octet says which: bit 0 the role (0 server), bit 1 the version (0: TLS 1.3, 1:
// TLS 1.2), bits 2 and 3 the phase, bits 4 to 6 into which pieces the stream is cut. The phases:
//   0  the rest of the input is all that the session ever gets;
//   1  the peer is another session; the next octet tells how many alterations of its stream follow
//      (offset in two octets, value to XOR in one), and the rest comes behind that stream;
//   2  an established connection gets the rest of the input;
//   3  an established connection gets the rest as data from its peer, after alterations as in 1.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "siptls/tls_context.hpp"
#include "siptls/tls_session.hpp"

namespace {

using namespace siptls;
using Octets = std::span<const std::byte>;

constexpr const char* kDomain = "demo.example";

// A self-signed certificate that trusts itself, for both ends.
const char* const kKey =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgV0I5t98eWCuMBcBe\n"
    "SppPot6c86qPKUx3IHEnIF6EooehRANCAAQHZJSE9KFcaaRrH4pRqwv8wLLDFlGN\n"
    "QNp5lwJdwkjopPussRBBdJndyJ3h9wkNoqIUo4TsSTJyIkz1S0NLZi01\n"
    "-----END PRIVATE KEY-----\n";
const char* const kCertificate =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIB2jCCAYCgAwIBAgIQaAmzDP+AxoTFnHxBg6kgejAKBggqhkjOPQQDAjAXMRUw\n"
    "EwYDVQQDDAxkZW1vLmV4YW1wbGUwIBcNMjQwMTAxMDAwMDAwWhgPMjEwMDAxMDEw\n"
    "MDAwMDBaMBcxFTATBgNVBAMMDGRlbW8uZXhhbXBsZTBZMBMGByqGSM49AgEGCCqG\n"
    "SM49AwEHA0IABAdklIT0oVxppGsfilGrC/zAssMWUY1A2nmXAl3CSOik+6yxEEF0\n"
    "md3IneH3CQ2iohSjhOxJMnIiTPVLQ0tmLTWjgaswgagwHQYDVR0OBBYEFHwjomII\n"
    "N7DwNoHlUBV7niRTmz0oMB8GA1UdIwQYMBaAFHwjomIIN7DwNoHlUBV7niRTmz0o\n"
    "MAwGA1UdEwEB/wQCMAAwDgYDVR0PAQH/BAQDAgeAMB0GA1UdJQQWMBQGCCsGAQUF\n"
    "BwMBBggrBgEFBQcDAjApBgNVHREEIjAghhBzaXA6ZGVtby5leGFtcGxlggxkZW1v\n"
    "LmV4YW1wbGUwCgYIKoZIzj0EAwIDSAAwRQIhAK28uid0fBnBDpcEX1hrBxh9JYWZ\n"
    "xsSBcpqJrBUSdNr4AiBgDK4cIIiqxNC5PWEJy/EWjlDv7G1gWMdxsGEqqrauxA==\n"
    "-----END CERTIFICATE-----\n";

// 2026-01-01.
const Now kNow{MonoTime{} + std::chrono::hours(1), WallTime{} + std::chrono::seconds(1767225600)};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

template <typename T>
T made(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().message().c_str());
    std::abort();
  }
  return *std::move(result);
}

TlsContext make_context(ProtocolVersion version) {
  TlsContextConfig config;
  config.credentials = made(Credentials::from_pem(kKey, kCertificate));
  config.trust = made(TrustStore::from_pem(kCertificate));
  config.policy.min_version = version;
  config.policy.max_version = version;
  config.policy.groups = {0x001d, 0x0017};
  return made(TlsContext::create(std::move(config)));
}

const TlsContext& context_of(ProtocolVersion version) {
  static const TlsContext older = make_context(ProtocolVersion::tls1_2);
  static const TlsContext newer = make_context(ProtocolVersion::tls1_3);
  return version == ProtocolVersion::tls1_2 ? older : newer;
}

TlsSession make_session(bool client, ProtocolVersion version) {
  const TlsContext& context = context_of(version);
  return made(client ? TlsSession::client(context, kDomain, kNow)
                     : TlsSession::server(context, kNow));
}

struct Alteration {
  std::size_t offset;
  std::byte value;
};

// Reads the input from the front.
class Input {
 public:
  explicit Input(Octets octets) : rest_(octets) {}
  unsigned octet() {
    if (rest_.empty()) return 0;
    const auto value = std::to_integer<unsigned>(rest_.front());
    rest_ = rest_.subspan(1);
    return value;
  }
  std::vector<Alteration> alterations() {
    std::vector<Alteration> all;
    const unsigned count = octet() % 8;
    for (unsigned i = 0; i < count; ++i) {
      const std::size_t offset = std::size_t{octet()} << 8;
      all.push_back({offset + octet(), static_cast<std::byte>(octet())});
    }
    return all;
  }
  Octets rest() const { return rest_; }

 private:
  Octets rest_;
};

class Driver {
 public:
  Driver(bool client, ProtocolVersion version, std::size_t piece)
      : target_(make_session(client, version)),
        peer_(make_session(!client, version)),
        piece_(piece) {}

  // Runs the handshake between the two; what goes to the target is altered.
  void handshake(const std::vector<Alteration>& alterations) {
    alterations_ = alterations;
    for (int round = 0; round < 4; ++round) {
      take_from_target();
      const Octets output = peer_.pending_output();
      std::vector<std::byte> octets(output.begin(), output.end());
      peer_.consume_output(octets.size());
      alter(octets);
      feed(octets);
    }
  }

  void require_established() const {
    require(target_.state() == SessionState::established, "the handshake did not succeed");
  }

  // Data of the peer, altered on its way.
  void data(Octets plaintext, const std::vector<Alteration>& alterations) {
    alterations_ = alterations;
    fed_ = 0;
    require(peer_.send(plaintext, kNow).has_value(), "the peer cannot send");
    const Octets output = peer_.pending_output();
    std::vector<std::byte> octets(output.begin(), output.end());
    peer_.consume_output(octets.size());
    const bool changed = alter(octets);
    feed(octets);
    const bool whole = received_.size() == plaintext.size();
    require(whole || changed, "data was lost");
    require(received_.size() <= plaintext.size() &&
                std::equal(received_.begin(), received_.end(), plaintext.begin()),
            "data was altered");
  }

  void feed(Octets octets) {
    while (!octets.empty()) {
      const Octets piece = octets.first(std::min(piece_, octets.size()));
      octets = octets.subspan(piece.size());
      const auto fed = target_.feed(piece, kNow);
      if (!fed) note_failure(fed.error());
      read();
    }
  }

  void end() {
    if (auto ended = target_.feed_end(kNow); !ended) note_failure(ended.error());
    read();
    require(target_.state() != SessionState::handshaking, "the end of the stream changed nothing");
  }

 private:
  bool alter(std::vector<std::byte>& octets) {
    bool changed = false;
    for (const Alteration& alteration : alterations_) {
      if (alteration.offset < fed_ || alteration.offset - fed_ >= octets.size()) continue;
      octets[alteration.offset - fed_] ^= alteration.value;
      changed = changed || alteration.value != std::byte{0};
    }
    fed_ += octets.size();
    return changed;
  }

  void read() {
    std::array<std::byte, 1000> buffer;
    for (;;) {
      const bool proven = target_.state() == SessionState::established;
      const auto plaintext = target_.next_plaintext(buffer, kNow);
      if (!plaintext) return note_failure(plaintext.error());
      if (plaintext->empty()) return;
      require(proven && target_.peer().authenticated(), "data from a peer that is not proven");
      received_.insert(received_.end(), plaintext->begin(), plaintext->end());
    }
  }

  void note_failure(const Error& error) {
    require(target_.state() == SessionState::failed, "an error that is no end");
    if (!reason_) reason_ = error.reason();
    require(*reason_ == error.reason(), "the error changed");
    require(error.reason() != Errc::internal, "an internal error");
  }

  void take_from_target() {
    const Octets output = target_.pending_output();
    const auto fed = peer_.feed(output, kNow);
    static_cast<void>(fed);  // the peer may refuse what an altered handshake makes of the target
    target_.consume_output(output.size());
  }

  TlsSession target_;
  TlsSession peer_;
  std::size_t piece_;
  std::vector<Alteration> alterations_;
  std::size_t fed_ = 0;
  std::vector<std::byte> received_;
  std::optional<Errc> reason_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kPieces[] = {SIZE_MAX, 1, 2, 3, 5, 17, 100, 1460};
  Input input(std::as_bytes(std::span(data, size)));
  const unsigned choice = input.octet();
  const auto version = (choice & 2) != 0 ? ProtocolVersion::tls1_2 : ProtocolVersion::tls1_3;
  Driver driver((choice & 1) != 0, version, kPieces[choice >> 4 & 7]);
  switch (choice >> 2 & 3) {
    case 0:
      break;
    case 1:
      driver.handshake(input.alterations());
      break;
    case 2:
      driver.handshake({});
      driver.require_established();
      break;
    default: {
      driver.handshake({});
      driver.require_established();
      const auto alterations = input.alterations();
      driver.data(input.rest(), alterations);
      driver.end();
      return 0;
    }
  }
  driver.feed(input.rest());
  driver.end();
  return 0;
}
