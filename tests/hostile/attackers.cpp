#include "hostile/attackers.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <list>
#include <stdexcept>

#include "hostile/hostile_peer.hpp"
#include "hostile/process.hpp"

namespace hostile {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::chrono::milliseconds kTick{10};
constexpr unsigned kSources = 8;
// Lest a pause of this process becomes a burst.
constexpr double kMostCredit = 0.05;  // seconds

class Attack {
 public:
  explicit Attack(const AttackOrder& order)
      : order_(order), tools_(order.certificates), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ < 0) throw std::runtime_error("epoll_create1 failed");
  }
  Attack(const Attack&) = delete;
  Attack& operator=(const Attack&) = delete;
  ~Attack() { close(epoll_); }

  void run(int link) {
    write_value(link, '.');
    static_cast<void>(read_value<char>(link));
    auto last = Clock::now();
    auto next_tick = last;
    while (!is_readable(link)) {
      const auto now = Clock::now();
      open_due(Seconds(now - last).count());
      last = now;
      wait();
      if (now < next_tick) continue;
      next_tick = now + kTick;
      for (std::size_t kind = 0; kind < kKinds; ++kind) tick(peers_[kind]);
    }
    for (const auto& peers : peers_) {
      for (const HostilePeer& peer : peers) count(peer);
    }
    write_value(link, result_);
  }

 private:
  void open_due(double passed) {
    for (std::size_t i = 0; i < kKinds; ++i) {
      if (order_.only && *order_.only != static_cast<Kind>(i)) continue;
      const Plan& plan = plans()[i];
      const double rate = plan.opened_per_second * order_.rate;
      credit_[i] = std::min(credit_[i] + passed * rate, std::max(rate * kMostCredit, 1.0));
      for (; credit_[i] >= 1; credit_[i] -= 1) {
        if (peers_[i].size() >= plan.held) {
          if (!plan.replaces) break;
          end(peers_[i], peers_[i].begin());
        }
        open(i);
      }
    }
  }

  void open(std::size_t kind) {
    auto& peers = peers_[kind];
    const std::uint64_t number = result_.kinds[kind].opened++;
    const auto source = static_cast<std::uint8_t>(10 + opened_++ % kSources);
    peers.emplace_back(static_cast<Kind>(kind), number, tools_);
    HostilePeer& peer = peers.back();
    if (!peer.connect(source, order_.port)) {
      peers.pop_back();
      return;
    }
    peer.place = std::prev(peers.end());
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = &peer;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, peer.socket(), &event);
  }

  void wait() {
    std::array<epoll_event, 256> ready;
    const int count = epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), 1);
    for (int i = 0; i < count; ++i) {
      auto* peer = static_cast<HostilePeer*>(ready[static_cast<std::size_t>(i)].data.ptr);
      const auto kind = static_cast<std::size_t>(peer->kind());
      if (peer->move()) continue;
      if (peer->ended_by_server()) ++result_.kinds[kind].ended_by_server;
      end(peers_[kind], peer->place);
    }
  }

  void tick(std::list<HostilePeer>& peers) {
    const auto now = Clock::now();
    for (auto peer = peers.begin(); peer != peers.end();) {
      const auto next = std::next(peer);
      if (!peer->tick(now)) end(peers, peer);
      peer = next;
    }
  }

  void count(const HostilePeer& peer) {
    result_.kinds[static_cast<std::size_t>(peer.kind())].octets += peer.octets();
  }

  void end(std::list<HostilePeer>& peers, std::list<HostilePeer>::iterator peer) {
    count(*peer);
    peers.erase(peer);
  }

  const AttackOrder& order_;
  Tools tools_;
  int epoll_;
  std::uint64_t opened_ = 0;
  std::array<double, kKinds> credit_{};
  std::array<std::list<HostilePeer>, kKinds> peers_;
  AttackResult result_;
};

}  // namespace

const std::array<Plan, kKinds>& plans() {
  static constexpr std::array<Plan, kKinds> kPlans{
      Plan{"slow_handshake", 100, 300, false},   Plan{"slow_message", 20, 100, false},
      Plan{"connect_flood", 1000, 1500, true},   Plan{"garbage_flood", 9000, 2000, true},
      Plan{"certificate_flood", 200, 50, false}, Plan{"ping_flood", 50, 4, false},
      Plan{"huge_body", 50, 10, false},          Plan{"never_read", 20, 4, false},
      Plan{"half_close", 300, 200, true},        Plan{"reset_storm", 1500, 100, true}};
  return kPlans;
}

void run_attackers(int link, const AttackOrder& order) { Attack(order).run(link); }

}  // namespace hostile
