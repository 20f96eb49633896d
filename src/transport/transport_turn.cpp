// Who is served when: a flood of those who are not proven must not keep those waiting who are.
//
// Of what one poll has found, established connections come first, each with one read. Then come
// handshakes, listeners and the rest, for a short time; those that find none left are still ready
// at the next poll, behind the others, since epoll goes round.
#include <algorithm>

#include "transport/transport_core.hpp"

namespace siptls {
namespace {

// For handshakes between two polls. One can take a millisecond (RSA), and is not interrupted.
constexpr std::chrono::milliseconds kLateTime{2};
// Deadlines that are served, and connections that are told of room, between two polls.
constexpr std::size_t kDeadlinesPerPoll = 32;
// A next_event() that finds no event gives the host its loop back after this time.
constexpr std::chrono::milliseconds kLongestTurn{20};

}  // namespace

bool TransportCore::poll_sockets() {
  ready_count_ = poller_.poll(ready_);
  ready_next_ = late_count_ = late_next_ = 0;
  deadlines_left_ = kDeadlinesPerPoll;
  // Whatever becomes ready from now on makes fd() readable again.
  may_be_more_ = ready_count_ == ready_.size();
  return ready_count_ > 0;
}

// Serves the next of those that the last poll has found. False if there is none.
bool TransportCore::serve_next() {
  if (ready_next_ < ready_count_) {
    const net::Ready next = ready_[ready_next_++];
    if (is_established(next)) {
      serve(next);
    } else {
      ready_[late_count_++] = next;
    }
    return true;
  }
  if (late_next_ == late_count_) return false;
  if (late_next_ == 0) late_until_ = clock_->now().mono + kLateTime;
  serve(ready_[late_next_++]);
  if (clock_->now().mono < late_until_ || late_next_ == late_count_) return true;
  late_next_ = late_count_ = 0;
  may_be_more_ = true;
  return true;
}

// Timer and waker belong to nobody who could flood.
bool TransportCore::is_established(const net::Ready& ready) {
  if (ready.key == kTimerKey || ready.key == kWakerKey) return true;
  if (ready.key < kConnectionKeys) return false;
  const Connection* connection = find(ConnectionId{ready.key});
  return connection != nullptr && connection->connected;
}

// Under a flood the time goes on, or no deadline would ever come; and the host has other work.
bool TransportCore::poll_again() {
  now_ = clock_->now();
  return now_.mono - turn_began_ < kLongestTurn && poll_sockets();
}

}  // namespace siptls
