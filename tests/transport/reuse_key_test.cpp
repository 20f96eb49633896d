// By what an outgoing connection is found again: what differs must not lie in one bucket.
#include <unordered_map>

#include "catch.hpp"
#include "transport/harness.hpp"
#include "transport/named_remote.hpp"

using namespace siptls;
using namespace siptls_test;

namespace {

using Index = std::unordered_multimap<ReuseKey, ConnectionId, ReuseKeyHash>;

std::size_t largest_bucket(const Index& index) {
  std::size_t largest = 0;
  for (std::size_t i = 0; i < index.bucket_count(); ++i) {
    largest = std::max(largest, index.bucket_size(i));
  }
  return largest;
}

}  // namespace

TEST_CASE("Thousands of tenants of one provider do not stand in each other's way") {
  const NamedRemote provider{Endpoint::ipv4({192, 0, 2, 1}, 5061), "provider.example"};
  Index by_context;
  Index by_address;
  Index by_both;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    const auto high = static_cast<std::uint8_t>(i / 250);
    const auto low = static_cast<std::uint8_t>(i % 250 + 1);
    const Endpoint local = Endpoint::ipv4({10, 0, high, low}, 0);
    by_context.emplace(ReuseKey{provider, i, std::nullopt}, ConnectionId{i});
    by_address.emplace(ReuseKey{provider, 1, local}, ConnectionId{i});
    by_both.emplace(ReuseKey{provider, i, local}, ConnectionId{i});
  }
  for (const Index* index : {&by_context, &by_address, &by_both}) {
    CHECK(index->count(index->begin()->first) == 1);
    CHECK(largest_bucket(*index) <= 12);
  }
}

TEST_CASE("Tenants with a context or an address of their own have a connection of their own") {
  Host server;
  Host client;
  const Endpoint at = server.listen(world().context(world().alpha.leaf));
  std::vector<Target> tenants;
  for (int i = 0; i < 2; ++i) {
    tenants.push_back(target(at, world().context(world().beta)));
    tenants.push_back(tenants.back());
    tenants.back().local = *Endpoint::parse("127.0.0.2", 0);
  }
  std::vector<ConnectionId> ids;
  for (const Target& tenant : tenants) {
    const auto id = client.transport().connect(tenant);
    REQUIRE(id);
    CHECK(std::find(ids.begin(), ids.end(), *id) == ids.end());
    ids.push_back(*id);
  }
  run_until({&server, &client}, [&] { return client.count("Connected") == tenants.size(); });
  for (std::size_t i = 0; i < tenants.size(); ++i) {
    CHECK(*client.transport().connect(tenants[i]) == ids[i]);
    REQUIRE(client.transport().abort(ids[i]));
    CHECK(*client.transport().connect(tenants[i]) != ids[i]);
  }
}
