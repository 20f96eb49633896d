// The byte stream: cut anywhere, altered anywhere, replayed, in great amounts.
#include <algorithm>
#include <array>

#include "catch.hpp"
#include "peers.hpp"
#include "scale.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

constexpr ProtocolVersion kVersions[] = {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3};

// A connection up to the first message each way.
struct Run {
  Run(const TlsContext& both, const WireOptions& wire) : a(client(both)), b(server(both)) {
    connect(a, b, wire);
    if (!a.established() || !b.established()) return;
    if (a.session.send(octets_of("OPTIONS"), a.now) && b.session.send(octets_of("200"), b.now)) {
      connect(a, b, wire);
    }
  }
  SessionEnd a;
  SessionEnd b;
};

struct Volume {
  std::size_t to_server = 0;
  std::size_t to_client = 0;
};

// How much travels each way in the handshake alone.
Volume handshake_volume(const TlsContext& both) {
  Volume volume;
  SessionEnd a = client(both);
  SessionEnd b = server(both);
  WireOptions wire;
  wire.alter = [&](PeerRole to, Octets& octets) {
    (to == PeerRole::server ? volume.to_server : volume.to_client) += octets.size();
  };
  connect(a, b, wire);
  REQUIRE(a.established());
  REQUIRE(b.established());
  return volume;
}

// Each handshake is a full one, like the one that was measured.
Change full(ProtocolVersion version) {
  return [version](TlsContextConfig& made) {
    only(version)(made);
    made.policy.resumption = Resumption::off;
  };
}

}  // namespace

TEST_CASE("A stream that comes in pieces of any size is the same stream") {
  for (const auto version : kVersions) {
    const TlsContext both = context(only(version));
    for (const std::size_t piece :
         {std::size_t{1}, std::size_t{2}, std::size_t{5}, std::size_t{100}, std::size_t{1460}}) {
      CAPTURE(to_string(version), piece);
      WireOptions wire;
      wire.piece = piece;
      const Run run(both, wire);
      CHECK(run.a.received == "200");
      CHECK(run.b.received == "OPTIONS");
    }
  }
}

TEST_CASE("A handshake that is cut after any octet is truncated, at either end") {
  for (const auto version : kVersions) {
    const TlsContext both = context(full(version));
    const Volume volume = handshake_volume(both);
    const std::size_t rounds = scaled("truncations", 60);
    for (std::size_t round = 0; round < rounds; ++round) {
      for (const auto cut_at : {PeerRole::client, PeerRole::server}) {
        // The last octet of the stream to the server completes its handshake.
        const std::size_t whole =
            cut_at == PeerRole::server ? volume.to_server - 8 : volume.to_client - 8;
        std::size_t left = round * whole / rounds;
        CAPTURE(to_string(version), static_cast<int>(cut_at), left);
        SessionEnd a = client(both);
        SessionEnd b = server(both);
        WireOptions wire;
        wire.alter = [&](PeerRole to, Octets& octets) {
          if (to != cut_at) return;
          octets.resize(std::min(octets.size(), left));
          left -= octets.size();
        };
        connect(a, b, wire);
        SessionEnd& cut = cut_at == PeerRole::server ? b : a;
        REQUIRE_FALSE(cut.established());
        REQUIRE_FALSE(cut.error.has_value());
        cut.end_of_stream();
        REQUIRE(cut.error.has_value());
        CHECK(cut.error->reason() == Errc::truncated);
        CHECK(cut.error->evidence().find("during the handshake") != std::string::npos);
        CHECK(cut.session.pending_output().empty());
      }
    }
  }
}

TEST_CASE("No altered octet of a handshake leads to a connection with altered content") {
  for (const auto version : kVersions) {
    const TlsContext both = context(full(version));
    const Volume volume = handshake_volume(both);
    const std::size_t rounds = scaled("alterations", 150);
    std::size_t survived = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
      for (const auto altered : {PeerRole::client, PeerRole::server}) {
        const std::size_t whole = altered == PeerRole::server ? volume.to_server : volume.to_client;
        std::size_t place = round * whole / rounds;
        CAPTURE(to_string(version), static_cast<int>(altered), place);
        const auto bit = static_cast<std::byte>(1U << round % 8);
        bool done = false;
        WireOptions wire;
        wire.alter = [&](PeerRole to, Octets& octets) {
          if (to != altered || done) return;
          if (place < octets.size()) {
            octets[place] ^= bit;
            done = true;
          } else {
            place -= octets.size();
          }
        };
        Run run(both, wire);
        REQUIRE(done);
        if (run.a.established() && run.b.established()) {
          // Only the version in the header of a plaintext record is protected by nothing.
          ++survived;
          CHECK(run.a.received == "200");
          CHECK(run.b.received == "OPTIONS");
          continue;
        }
        // What waits for octets that never come ends with its deadline.
        for (SessionEnd* end : {&run.a, &run.b}) {
          if (end->error || end->established()) continue;
          end->now.mono += std::chrono::minutes(1);
          CHECK_FALSE(end->session.on_deadline(end->now));
        }
        CHECK((run.a.session.error().has_value() || run.b.session.error().has_value()));
        CHECK((run.a.received.empty() || run.a.received == "200"));
        CHECK((run.b.received.empty() || run.b.received == "OPTIONS"));
      }
    }
    CHECK(survived < rounds / 10 + 2);
  }
}

TEST_CASE("An altered, replayed or reordered record ends the connection") {
  for (const auto version : kVersions) {
    const TlsContext both = context(only(version));
    for (const char* how : {"altered", "replayed", "reordered"}) {
      CAPTURE(to_string(version), how);
      SessionEnd a = client(both);
      SessionEnd b = server(both);
      connect(a, b);
      REQUIRE(a.session.send(octets_of("first"), a.now));
      Octets first = a.take_output();
      REQUIRE(a.session.send(octets_of("second"), a.now));
      const Octets second = a.take_output();
      std::string expected;
      if (how == std::string("altered")) {
        first.back() ^= std::byte{1};
        b.receive(first);
      } else if (how == std::string("replayed")) {
        b.receive(first);
        b.receive(first);
        expected = "first";
      } else {
        b.receive(second);
      }
      REQUIRE(b.error.has_value());
      CHECK(b.error->reason() == Errc::decrypt_error);
      CHECK(b.error->alert() == Alert::bad_record_mac);
      CHECK(b.received == expected);
      a.receive(b.take_output());
      REQUIRE(a.error.has_value());
      CHECK(a.error->reason() == Errc::peer_alert);
      CHECK(a.error->alert() == Alert::bad_record_mac);
    }
  }
}

TEST_CASE("Large messages travel in records of up to 16 KiB and arrive whole") {
  for (const auto version : kVersions) {
    const TlsContext both = context(only(version));
    SessionEnd a = client(both);
    SessionEnd b = server(both);
    connect(a, b);
    std::string large(3'000'000, ' ');
    for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>('a' + i * 7 % 26);
    REQUIRE(a.session.send(octets_of(large), a.now));
    const std::size_t size = a.session.pending_output().size();
    CHECK(size > large.size());
    CHECK(size < large.size() + large.size() / 100);
    connect(a, b);
    CHECK(b.received == large);
  }
}

TEST_CASE("Output is consumed in any portions, and counted") {
  const TlsContext both = context();
  SessionEnd a = client(both);
  SessionEnd b = server(both);
  connect(a, b);
  const std::uint64_t before = a.session.output_total();
  std::string sent;
  Octets wire;
  for (int i = 0; i < 200; ++i) {
    const std::string message = "message " + std::to_string(i) + std::string(500, '.');
    REQUIRE(a.session.send(octets_of(message), a.now));
    sent += message;
    const auto pending = a.session.pending_output();
    const std::size_t portion = std::min<std::size_t>(pending.size(), 300);
    wire.insert(wire.end(), pending.begin(),
                pending.begin() + static_cast<std::ptrdiff_t>(portion));
    a.session.consume_output(portion);
  }
  const Octets rest = a.take_output();
  wire.insert(wire.end(), rest.begin(), rest.end());
  CHECK(a.session.output_total() - before == wire.size());
  CHECK(a.session.pending_output().empty());
  b.receive(wire);
  CHECK(b.received == sent);
}

TEST_CASE("A session that is read as fast as it writes needs no new storage") {
  const TlsContext both = context();
  SessionEnd a = client(both);
  SessionEnd b = server(both);
  connect(a, b);
  REQUIRE(a.session.send(octets_of(std::string(600, 'x')), a.now));
  const std::byte* place = a.session.pending_output().data();
  a.session.consume_output(a.session.pending_output().size());
  for (int i = 0; i < 100; ++i) {
    REQUIRE(a.session.send(octets_of(std::string(600, 'x')), a.now));
    REQUIRE(a.session.pending_output().data() == place);
    a.session.consume_output(a.session.pending_output().size());
  }
}

TEST_CASE("Lent octets may go away once they are kept") {
  const TlsContext both = context();
  SessionEnd a = client(both);
  SessionEnd b = server(both);
  connect(a, b);
  REQUIRE(a.session.send(octets_of("one"), a.now));
  Octets first = a.take_output();
  REQUIRE(b.session.feed(first, b.now));
  b.session.keep_input();
  std::fill(first.begin(), first.end(), std::byte{0xee});
  REQUIRE(a.session.send(octets_of("two"), a.now));
  // Fed behind what is kept: the order stays.
  b.receive(a.take_output());
  CHECK_FALSE(b.error.has_value());
  CHECK(b.received == "onetwo");
}

TEST_CASE("A session tells of a record whose rest has not come, and what room it takes") {
  for (const auto version : kVersions) {
    CAPTURE(to_string(version));
    const TlsContext both = context(only(version));
    SessionEnd a = client(both);
    SessionEnd b = server(both);
    connect(a, b);
    const std::string text(16'000, 'x');
    REQUIRE(a.session.send(octets_of(text), a.now));
    const Octets record = a.take_output();
    CHECK_FALSE(b.session.has_unread_input());
    CHECK(b.session.held_input() == 0);
    std::size_t fed = 0;
    const auto feed_to = [&](std::size_t end) {
      b.receive(std::span(record).subspan(fed, end - fed));
      fed = end;
    };
    // Of the header alone nothing is known but that it has begun.
    for (const std::size_t end : {1u, 4u}) {
      feed_to(end);
      CAPTURE(end);
      CHECK(b.session.has_unread_input());
      CHECK(b.session.held_input() <= 5);
    }
    for (const std::size_t end :
         {std::size_t{5}, std::size_t{6}, record.size() / 2, record.size() - 1}) {
      feed_to(end);
      CAPTURE(end);
      CHECK(b.session.has_unread_input());
      CHECK(b.session.held_input() == record.size() - 5);
    }
    feed_to(record.size());
    CHECK(b.received == text);
    CHECK_FALSE(b.session.has_unread_input());
    CHECK(b.session.held_input() == 0);

    // What is kept, unread or read in part.
    REQUIRE(a.session.send(octets_of(std::string(16'000, 'y')), a.now));
    REQUIRE(a.session.send(octets_of("and more"), a.now));
    const Octets two = a.take_output();
    REQUIRE(b.session.feed(two, b.now));
    CHECK(b.session.held_input() == 0);  // lent
    b.session.keep_input();
    CHECK(b.session.held_input() == two.size());
    std::array<std::byte, 1000> buffer;
    REQUIRE(b.session.next_plaintext(buffer, b.now));
    CHECK(b.session.held_input() >= 15'000);
    CHECK(b.session.held_input() < two.size());
    b.receive({});
    CHECK(b.session.held_input() == 0);
  }
}

TEST_CASE("Plaintext comes in the portions that the buffer has room for") {
  const TlsContext both = context();
  SessionEnd a = client(both);
  SessionEnd b = server(both);
  connect(a, b);
  REQUIRE(a.session.send(octets_of("abcdefgh"), a.now));
  const Octets wire = a.take_output();
  REQUIRE(b.session.feed(wire, b.now));
  std::array<std::byte, 3> buffer;
  std::string parts;
  for (;;) {
    const auto plaintext = b.session.next_plaintext(buffer, b.now);
    REQUIRE(plaintext);
    if (plaintext->empty()) break;
    parts += text_of(*plaintext) + "|";
  }
  CHECK(parts == "abc|def|gh|");
  CHECK_FALSE(b.session.next_plaintext({}, b.now));
}

TEST_CASE("Data that comes in the same octets as the end of the handshake is not lost") {
  const TlsContext both = context(only(ProtocolVersion::tls1_3));
  SessionEnd a = client(both);
  SessionEnd b = server(both);
  b.receive(a.take_output());
  a.receive(b.take_output());
  REQUIRE(a.established());
  REQUIRE(a.session.send(octets_of("OPTIONS"), a.now));
  b.receive(a.take_output());  // Finished and data
  CHECK(b.established());
  CHECK(b.received == "OPTIONS");
}
