// Records: how many are made of what is sent, and new keys in the midst of a connection.
#include "catch.hpp"
#include "peers.hpp"
#include "record_maker.hpp"
#include "scenes.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

constexpr ProtocolVersion kVersions[] = {ProtocolVersion::tls1_2, ProtocolVersion::tls1_3};
constexpr PeerRole kRoles[] = {PeerRole::client, PeerRole::server};
constexpr std::size_t kMessage = 600;
constexpr std::size_t kRecord = 16384;

// An established session in this role, and plain BoringSSL at the other end.
struct Met {
  Met(PeerRole role, ProtocolVersion version)
      : ours(role == PeerRole::client ? client(context(only(version)))
                                      : server(context(only(version)))),
        bare(role == PeerRole::client ? PeerRole::server : PeerRole::client,
             [version](SSL_CTX* made) {
               use_credentials(made, site().leaf);
               SSL_CTX_set_max_proto_version(made, static_cast<std::uint16_t>(version));
             }) {
    move(role);
    REQUIRE(ours.established());
    REQUIRE(bare.established);
    // Tickets that wait for data are of no concern here.
    bare.write("x");
    REQUIRE(ours.session.send(octets_of("x"), ours.now));
    move(role);
    ours.received.clear();
    bare.received.clear();
  }
  void move(PeerRole role) {
    if (role == PeerRole::client) {
      connect(ours, bare);
    } else {
      connect(bare, ours);
    }
  }
  SessionEnd ours;
  BareEnd bare;
};

}  // namespace

TEST_CASE("Many small messages that are sent together travel in as few records as hold them") {
  for (const ProtocolVersion version : kVersions) {
    for (const PeerRole role : kRoles) {
      CAPTURE(to_string(version), static_cast<int>(role));
      Met met(role, version);
      for (const unsigned count : {1U, 2U, 20U, 27U, 28U, 100U, 1000U}) {
        CAPTURE(count);
        std::string together;
        for (std::size_t i = 0; i < count; ++i) {
          together += std::string(kMessage, static_cast<char>('a' + i % 26));
        }
        REQUIRE(met.ours.session.send(octets_of(together), met.ours.now));
        const Octets wire = met.ours.take_output();
        const auto records = records_of(wire);
        CHECK(records.size() == (together.size() + kRecord - 1) / kRecord);
        // Header, nonce or type, and tag: nothing else.
        CHECK(wire.size() <= together.size() + 29 * records.size());
        met.bare.receive(wire);
        CHECK(met.bare.received == together);
        met.bare.received.clear();
      }
      // One by one they cost a record each, and gather in the same output.
      for (int i = 0; i < 20; ++i) {
        REQUIRE(met.ours.session.send(octets_of(std::string(kMessage, 'm')), met.ours.now));
      }
      CHECK(records_of(met.ours.take_output()).size() == 20);
      REQUIRE(met.ours.session.send({}, met.ours.now));
      CHECK(met.ours.take_output().empty());
    }
  }
}

TEST_CASE("A KeyUpdate is answered by one, before the next data and under the old key") {
  for (const PeerRole role : kRoles) {
    CAPTURE(static_cast<int>(role));
    Met met(role, ProtocolVersion::tls1_3);
    for (int round = 0; round < 5; ++round) {
      CAPTURE(round);
      REQUIRE(SSL_key_update(met.bare.ssl(), SSL_KEY_UPDATE_REQUESTED));
      met.bare.write("news");
      met.ours.receive(met.bare.take_output());
      CHECK_FALSE(met.ours.error.has_value());
      CHECK(met.ours.received == "news");
      met.ours.received.clear();

      REQUIRE(met.ours.session.send(octets_of("answer"), met.ours.now));
      const auto records = records_of(met.ours.take_output());
      // KeyUpdate (5 octets, their type, a tag), then the data.
      REQUIRE(records.size() == 2);
      CHECK(records[0].size() == 5 + 5 + 1 + 16);
      CHECK(records[1].size() == 5 + 6 + 1 + 16);
      // The next one of data alone.
      REQUIRE(met.ours.session.send(octets_of("more"), met.ours.now));
      const auto more = records_of(met.ours.take_output());
      CHECK(more.size() == 1);
      // The peer, which knows of no other key after a KeyUpdate, can read them.
      for (const Octets& record : records) met.bare.receive(record);
      for (const Octets& record : more) met.bare.receive(record);
      CHECK(met.bare.received == "answermore");
      met.bare.received.clear();
    }
  }
}

TEST_CASE("A KeyUpdate that wants no answer gets none, and the data after it is read") {
  for (const PeerRole role : kRoles) {
    CAPTURE(static_cast<int>(role));
    Forged forged = established_as(role);
    forged.end.receive(forged.maker.make(23, "old, "));
    forged.end.receive(forged.maker.make_key_update(false));
    forged.end.receive(forged.maker.make(23, "new"));
    CHECK_FALSE(forged.end.error.has_value());
    CHECK(forged.end.received == "old, new");
    REQUIRE(forged.end.session.send(octets_of("data"), forged.end.now));
    CHECK(records_of(forged.end.take_output()).size() == 1);
  }
}

TEST_CASE("A KeyUpdate with other content, or together with data of the old key, is refused") {
  for (const PeerRole role : kRoles) {
    for (const std::string& content :
         {std::string("\x18\0\0\1\2", 5), std::string("\x18\0\0\0", 4),
          std::string("\x18\0\0\2\0\0", 6), std::string("\x18\0\0\1\0\x18\0\0\1\0", 10)}) {
      CAPTURE(static_cast<int>(role), content.size());
      Forged forged = established_as(role);
      forged.end.receive(forged.maker.make(22, content));
      REQUIRE(forged.end.error.has_value());
      CHECK(forged.end.error->category() == Category::peer_protocol);
      CHECK(forged.end.error->alert().has_value());
    }
    Forged late = established_as(role);
    RecordMaker old = std::move(late.maker);
    const Octets before = old.make(23, "of the old key");
    late.end.receive(old.make_key_update(false));
    late.end.receive(before);
    REQUIRE(late.end.error.has_value());
    CHECK(late.end.received.empty());
  }
}

TEST_CASE("A message of the handshake after the handshake is refused in both roles") {
  for (const PeerRole role : kRoles) {
    // ClientHello, ServerHello, EncryptedExtensions, Certificate, Finished; HelloRequest.
    for (const char type : {'\x01', '\x02', '\x08', '\x0b', '\x14', '\0'}) {
      CAPTURE(static_cast<int>(role), int{type});
      Forged forged = established_as(role);
      forged.end.receive(forged.maker.make(22, std::string(1, type) + std::string("\0\0\1\0", 4)));
      REQUIRE(forged.end.error.has_value());
      CHECK(forged.end.error->alert().has_value());
      CHECK(forged.end.session.state() == SessionState::failed);
    }
  }
}
