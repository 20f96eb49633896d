#include "hostile/good_client.hpp"

#include <poll.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <variant>

#include "hostile/process.hpp"

namespace hostile {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr std::chrono::milliseconds kRequestInterval{5};
constexpr std::chrono::milliseconds kNewcomerInterval{100};
// For what is still under way when the attack is over.
constexpr std::chrono::milliseconds kPatience{2000};

double since(Clock::time_point begin) { return Milliseconds(Clock::now() - begin).count(); }

siptls::TlsTransport make_transport(const ClientOrder& order) {
  siptls::TransportOptions options;
  options.outgoing = make_context(order.certificates.client, order.certificates.root);
  return must(siptls::TlsTransport::create(std::move(options)));
}

siptls::Target make_target(const ClientOrder& order, const siptls::Endpoint& local) {
  siptls::Target target;
  target.remotes = {must(siptls::Endpoint::parse("127.0.0.1", order.port))};
  target.domain = kDomain;
  target.local = local;
  return target;
}

std::span<const std::byte> octets(const std::string& text) {
  return std::as_bytes(std::span(text));
}

using Handle = std::function<void(const siptls::Event&)>;

// Waits until `until`, an event, or a word of the parent.
void serve(siptls::TlsTransport& transport, int link, Clock::time_point until,
           const Handle& handle) {
  const auto left = std::max(until - Clock::now(), Clock::duration::zero());
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(left);
  const timespec limit{whole.count(), static_cast<long>((left - whole).count())};
  std::array<pollfd, 2> wait{pollfd{transport.fd(), POLLIN, 0}, pollfd{link, POLLIN, 0}};
  ppoll(wait.data(), link < 0 ? 1 : 2, &limit, nullptr);
  while (const auto event = transport.next_event()) handle(*event);
}

class Exchange {
 public:
  explicit Exchange(const ClientOrder& order) : transport_(make_transport(order)) {
    connection_ =
        must(transport_.connect(make_target(order, must(siptls::Endpoint::parse("127.0.0.2", 0)))));
  }

  void run(int link) {
    // An exchange before it counts: then both ends have proven each other.
    const Handle handle = [this](const siptls::Event& event) { take(event); };
    send();
    while (answers_ == 0 && !result_.closed) {
      serve(transport_, -1, Clock::now() + kPatience, handle);
    }
    if (result_.closed) throw std::runtime_error("the good client does not get in");
    write_value(link, '.');
    static_cast<void>(read_value<char>(link));
    begun_.assign(1, {});
    latencies_.clear();
    answers_ = 0;
    auto next = Clock::now();
    while (!is_readable(link)) {
      if (const auto now = Clock::now(); now >= next) {
        late_.push_back(Milliseconds(now - next).count());
        send();
        next += kRequestInterval;
      }
      serve(transport_, link, next, handle);
    }
    const auto end = Clock::now() + kPatience;
    while (answers_ + 1 < begun_.size() && !result_.closed && Clock::now() < end) {
      serve(transport_, -1, end, handle);
    }
    report(link);
  }

 private:
  void send() {
    const std::string request = options_request(begun_.size());
    begun_.emplace_back(Clock::now());
    // A refusal is an answer that never comes.
    static_cast<void>(transport_.send(connection_, octets(request)));
  }

  void take(const siptls::Event& event) {
    if (const auto* message = std::get_if<siptls::Message>(&event)) {
      auto& begun = begun_.at(number_of(message->message));
      if (!begun) throw std::runtime_error("a second answer to one request");
      latencies_.push_back(since(*begun));
      begun.reset();
      ++answers_;
    } else if (std::holds_alternative<siptls::Closed>(event) ||
               std::holds_alternative<siptls::HandshakeFailed>(event) ||
               std::holds_alternative<siptls::ConnectFailed>(event)) {
      result_.closed = true;
    }
  }

  void report(int link) {
    result_.sent = begun_.size() - 1;
    result_.answered = answers_;
    for (const auto& begun : begun_) {
      if (begun) latencies_.push_back(since(*begun));
    }
    result_.p50 = percentile(latencies_, 0.5);
    result_.p99 = percentile(latencies_, 0.99);
    result_.max = percentile(latencies_, 1);
    result_.late_p99 = percentile(late_, 0.99);
    write_value(link, result_);
  }

  siptls::TlsTransport transport_;
  siptls::ConnectionId connection_ = siptls::ConnectionId::none;
  // When each request was sent, by number, until it is answered.
  std::vector<std::optional<Clock::time_point>> begun_{std::nullopt};
  std::vector<double> latencies_, late_;
  std::uint64_t answers_ = 0;
  ExchangeResult result_;
};

class Newcomers {
 public:
  explicit Newcomers(const ClientOrder& order) : order_(order), transport_(make_transport(order)) {}

  void run(int link) {
    const Handle handle = [this](const siptls::Event& event) { take(event); };
    write_value(link, '.');
    static_cast<void>(read_value<char>(link));
    auto next = Clock::now();
    while (!is_readable(link)) {
      if (Clock::now() >= next) {
        open();
        next += kNewcomerInterval;
      }
      serve(transport_, link, next, handle);
    }
    const auto end = Clock::now() + kPatience;
    while (!pending_.empty() && Clock::now() < end) serve(transport_, -1, end, handle);
    result_.answered = latencies_.size();
    result_.p50 = percentile(latencies_, 0.5);
    result_.p99 = percentile(latencies_, 0.99);
    result_.max = percentile(latencies_, 1);
    write_value(link, result_);
  }

 private:
  void open() {
    const std::uint64_t number = ++result_.opened;
    const auto local = siptls::Endpoint::ipv4({127, 1, static_cast<std::uint8_t>(number / 200),
                                               static_cast<std::uint8_t>(number % 200 + 1)},
                                              0);
    const auto begun = Clock::now();
    const siptls::Target target = make_target(order_, local);
    const auto connection = transport_.connect(target);
    if (!connection || !transport_.send(*connection, octets(options_request(number)))) {
      ++result_.failed;
      return;
    }
    pending_[*connection] = begun;
  }

  void take(const siptls::Event& event) {
    if (const auto* message = std::get_if<siptls::Message>(&event)) {
      const auto found = pending_.find(message->connection);
      if (found == pending_.end()) return;
      latencies_.push_back(since(found->second));
      pending_.erase(found);
      static_cast<void>(transport_.close(message->connection));
    } else if (const auto* closed = std::get_if<siptls::Closed>(&event)) {
      result_.failed += pending_.erase(closed->connection);
    } else if (const auto* refused = std::get_if<siptls::HandshakeFailed>(&event)) {
      result_.failed += pending_.erase(refused->connection);
    } else if (const auto* failed = std::get_if<siptls::ConnectFailed>(&event)) {
      result_.failed += pending_.erase(failed->connection);
    }
  }

  ClientOrder order_;
  siptls::TlsTransport transport_;
  std::map<siptls::ConnectionId, Clock::time_point> pending_;
  std::vector<double> latencies_;
  NewcomersResult result_;
};

}  // namespace

void run_exchange(int link, const ClientOrder& order) { Exchange(order).run(link); }

void run_newcomers(int link, const ClientOrder& order) { Newcomers(order).run(link); }

double percentile(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto index = static_cast<std::size_t>(share * static_cast<double>(values.size()));
  return values[std::min(index, values.size() - 1)];
}

}  // namespace hostile
