// Somebody on the wire: every octet of every flight altered, cut off, or brought in pieces; records
// dropped, repeated, swapped; flights of other connections, and of this one, brought back.
#include <algorithm>
#include <array>

#include "catch.hpp"
#include "record_maker.hpp"
#include "scale.hpp"
#include "scenes.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

constexpr PeerRole kRoles[] = {PeerRole::client, PeerRole::server};
constexpr std::array<std::byte, 4> kMasks = {std::byte{0x01}, std::byte{0x80}, std::byte{0xff},
                                             std::byte{0x10}};

std::byte type_of(const Octets& record) { return record.front(); }
constexpr std::byte kChangeCipherSpec{20};
constexpr std::byte kApplicationData{23};

std::size_t volume(const Connection& connection, PeerRole to) {
  std::size_t octets = 0;
  for (const Flight& flight : connection.flights) {
    if (flight.to == to) octets += flight.octets.size();
  }
  return octets;
}

// The version in the header of a record in the clear is protected by nothing, and means nothing
// (RFC 9846 section 5.1).
bool is_unprotected(const Flight& flight, std::size_t place) {
  for (const Octets& record : records_of(flight.octets)) {
    if (place < record.size()) {
      return (place == 1 || place == 2) && type_of(record) != kApplicationData;
    }
    place -= record.size();
  }
  return false;
}

// A connection of which one octet is altered.
void alter(const Scene& scene, PeerRole to, std::size_t place, std::byte mask) {
  CAPTURE(scene.name(), static_cast<int>(to), place, std::to_integer<int>(mask));
  bool done = false;
  bool unprotected = false;
  const Connection connection(scene, [&](const Flight& flight, SessionEnd& end) {
    Octets octets = flight.octets;
    if (!done && flight.to == to && place < flight.offset + octets.size()) {
      const std::size_t i = place - flight.offset;
      octets[i] ^= mask;
      // A client that has closed and got its answer needs no close_notify: one that is cut short
      // there changes nothing.
      const bool goodbye = to == PeerRole::client && end.received == kAnswer;
      unprotected = goodbye || is_unprotected(flight, i);
      done = true;
    }
    end.receive(octets);
  });
  CAPTURE(connection.outcome());
  CHECK(connection.content_is_genuine());
  // Signatures differ in length by an octet or two: the last places may not be there.
  if (done && connection.whole()) CHECK(unprotected);
  if (!done) CHECK(connection.whole());
}

// Calls `interfere(to, place, index)` for `rounds` places of the streams, or for every one.
template <typename Interfere>
void for_places(const Scene& scene, std::size_t rounds, Interfere interfere) {
  const Connection good(scene);
  INFO(good.outcome());
  REQUIRE(good.whole());
  for (const PeerRole to : kRoles) {
    const std::size_t octets = volume(good, to);
    const std::size_t count = std::min(rounds, octets);
    for (std::size_t round = 0; round < count; ++round) {
      interfere(to, round * octets / count, round);
    }
  }
}

constexpr std::size_t kEvery = SIZE_MAX;

// Cuts the stream to one end; the other end's goes on.
void cut(const Scene& scene, PeerRole to, std::size_t place) {
  CAPTURE(scene.name(), static_cast<int>(to), place);
  bool whole = true;
  const Connection connection(scene, [&](const Flight& flight, SessionEnd& end) {
    Octets octets = flight.octets;
    if (flight.to == to) {
      const std::size_t left = place > flight.offset ? place - flight.offset : 0;
      whole = whole && left >= octets.size();
      octets.resize(std::min(octets.size(), left));
    }
    if (!octets.empty()) end.receive(octets);
  });
  CAPTURE(connection.outcome());
  CHECK(connection.content_is_genuine());
  const SessionEnd& end = to == PeerRole::client ? connection.a : connection.b;
  if (whole) {
    CHECK(connection.whole());
  } else if (end.error) {
    CHECK(
        (end.error->reason() == Errc::truncated || end.error->reason() == Errc::handshake_timeout));
  } else {
    // It had closed and waited for the other's close_notify only.
    CHECK(to == PeerRole::client);
    CHECK(end.session.state() == SessionState::closed);
    CHECK(end.received == kAnswer);
  }
}

void check_every_cut(const Scene& scene, std::size_t rounds) {
  for_places(scene, rounds,
             [&](PeerRole to, std::size_t place, std::size_t /*round*/) { cut(scene, to, place); });
}

// The stream comes in two pieces, wherever it is cut.
void check_two_pieces(const Scene& scene, std::size_t rounds) {
  for_places(scene, rounds, [&](PeerRole to, std::size_t place, std::size_t /*round*/) {
    CAPTURE(scene.name(), static_cast<int>(to), place);
    const Connection connection(scene, [&](const Flight& flight, SessionEnd& end) {
      const std::span<const std::byte> octets(flight.octets);
      const bool here = flight.to == to && place > flight.offset;
      const std::size_t first = here ? std::min(place - flight.offset, octets.size()) : 0;
      if (first > 0) end.receive(octets.first(first));
      if (first < octets.size()) end.receive(octets.subspan(first));
    });
    CAPTURE(connection.outcome());
    CHECK(connection.whole());
  });
}

void alter_all(const Scene& scene, std::size_t rounds, std::size_t masks) {
  for_places(scene, rounds, [&](PeerRole to, std::size_t place, std::size_t round) {
    for (std::size_t i = 0; i < masks; ++i) {
      alter(scene, to, place, kMasks[(round + i) % kMasks.size()]);
    }
  });
}

}  // namespace

TEST_CASE("No altered octet of a connection changes what comes out of it") {
  const std::size_t rounds = scaled("altered octets of each stream", 120);
  for (const Scene& scene : all_scenes()) alter_all(scene, rounds, 1);
}

TEST_CASE("No altered octet of a connection, of all that there are", "[long]") {
  for (const Scene& scene : all_scenes()) alter_all(scene, kEvery, kMasks.size());
}

TEST_CASE("A connection that is cut off is truncated, full or resumed, until its close_notify") {
  const std::size_t rounds = scaled("cuts of each stream", 60);
  for (const Scene& scene : all_scenes()) check_every_cut(scene, rounds);
}

TEST_CASE("A connection that is cut off after any of its octets", "[long]") {
  for (const Scene& scene : all_scenes()) check_every_cut(scene, kEvery);
}

TEST_CASE("A connection in two pieces, or octet by octet, is the same connection") {
  const std::size_t rounds = scaled("pairs of pieces of each stream", 60);
  for (const Scene& scene : all_scenes()) {
    CAPTURE(scene.name());
    check_two_pieces(scene, rounds);
    const Connection slow(scene, [](const Flight& flight, SessionEnd& end) {
      for (const std::byte octet : flight.octets) end.receive({&octet, 1});
    });
    CAPTURE(slow.outcome());
    CHECK(slow.whole());
    CHECK(slow.a.session.peer().resumed == scene.resumed());
    CHECK(slow.b.session.peer().resumed == scene.resumed());
  }
}

TEST_CASE("A connection in two pieces, cut at each of its octets", "[long]") {
  for (const Scene& scene : all_scenes()) check_two_pieces(scene, kEvery);
}

TEST_CASE("Records that are dropped, repeated or swapped end a connection, wherever they stand") {
  for (const Scene& scene : all_scenes()) {
    const Connection good(scene);
    REQUIRE(good.whole());
    std::size_t tried = 0;
    for (std::size_t index = 0; index < good.flights.size(); ++index) {
      const std::size_t count = records_of(good.flights[index].octets).size();
      for (std::size_t i = 0; i < count; ++i) {
        for (const std::string how : {"dropped", "repeated", "swapped"}) {
          if (how == "swapped" && i + 1 == count) continue;
          CAPTURE(scene.name(), index, i, how);
          std::size_t seen = 0;
          bool harmless = false;
          const Connection connection(scene, [&](const Flight& flight, SessionEnd& end) {
            if (seen++ != index) return deliver(flight, end);
            auto records = records_of(flight.octets);
            REQUIRE(i < records.size());
            const auto at = records.begin() + static_cast<std::ptrdiff_t>(i);
            // In TLS 1.3 it is there for middleboxes and means nothing (RFC 9846 appendix E.4).
            harmless = scene.version() == ProtocolVersion::tls1_3 &&
                       (type_of(*at) == kChangeCipherSpec ||
                        (how == "swapped" && type_of(at[1]) == kChangeCipherSpec));
            if (how == "dropped")
              records.erase(at);
            else if (how == "repeated")
              records.insert(at, Octets(*at));
            else
              std::iter_swap(at, at + 1);
            for (const Octets& record : records) end.receive(record);
          });
          CAPTURE(connection.outcome());
          ++tried;
          CHECK(connection.content_is_genuine());
          // What comes behind a close_notify is not read, and who has closed needs none.
          const std::size_t left = good.flights.size() - index;
          const bool too_late = (how == "repeated" && left <= 2) || (how == "dropped" && left == 1);
          if (connection.whole()) {
            CHECK((harmless || too_late));
          } else {
            CHECK(connection.any_error());
          }
        }
      }
    }
    CHECK(tried >= 15);
  }
}

TEST_CASE("Flights of another connection establish nothing, and its records are not read") {
  for (const Scene& scene : all_scenes()) {
    CAPTURE(scene.name());
    const Connection recorded(scene);
    REQUIRE(recorded.whole());
    for (const PeerRole to : kRoles) {
      CAPTURE(static_cast<int>(to));
      // The whole of what went to that end, brought to another.
      SessionEnd again = to == PeerRole::server ? scene.make_server() : scene.make_client();
      for (const Flight& flight : recorded.flights) {
        if (flight.to == to && !again.error) again.receive(flight.octets);
      }
      CHECK_FALSE(again.established());
      CHECK(again.received.empty());
      REQUIRE(again.error.has_value());
      CAPTURE(again.error->message());
      CHECK(again.error->alert().has_value());

      // Its last records, brought to an established one.
      SessionEnd a = scene.make_client();
      SessionEnd b = scene.make_server();
      connect(a, b);
      SessionEnd& end = to == PeerRole::server ? b : a;
      REQUIRE(end.established());
      for (const Flight& flight : recorded.flights) {
        if (flight.to != to || end.error) continue;
        const Octets record = records_of(flight.octets).back();
        if (type_of(record) == kApplicationData) end.receive(record);
      }
      REQUIRE(end.error.has_value());
      CHECK(end.error->reason() == Errc::decrypt_error);
      CHECK(end.received.empty());
    }
  }
}

TEST_CASE("What an end has said itself and hears again ends its connection") {
  for (const Scene& scene : all_scenes()) {
    CAPTURE(scene.name());
    const Connection good(scene);
    for (std::size_t index = 0; index + 1 < good.flights.size(); ++index) {
      CAPTURE(index);
      std::size_t seen = 0;
      const Flight* reflected = nullptr;
      Octets own;
      const Connection connection(scene, [&](const Flight& flight, SessionEnd& end) {
        // The flight comes back before the answer to it does.
        if (seen++ == index) {
          own = flight.octets;
          reflected = &good.flights[index];
        } else if (!own.empty() && flight.to != reflected->to) {
          end.receive(own);
          own.clear();
        }
        deliver(flight, end);
      });
      CAPTURE(connection.outcome());
      CHECK(connection.content_is_genuine());
      if (own.empty()) CHECK_FALSE(connection.whole());
    }
  }
}

TEST_CASE("No altered octet of a KeyUpdate changes a key") {
  for (const PeerRole role : kRoles) {
    const std::size_t size = established_as(role).maker.make_key_update(true).size();
    for (std::size_t place = 0; place < size; ++place) {
      CAPTURE(static_cast<int>(role), place);
      Forged forged = established_as(role);
      Octets update = forged.maker.make_key_update(true);
      update[place] ^= kMasks[place % kMasks.size()];
      forged.end.receive(update);
      forged.end.receive(forged.maker.make(23, "under the new key"));
      if (!forged.end.error) forged.end.end_of_stream();
      REQUIRE(forged.end.error.has_value());
      CHECK(forged.end.received.empty());
    }
  }
}
