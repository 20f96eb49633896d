// Contexts that are exchanged while connections are open, and peers that are judged again by them.
#include <algorithm>
#include <unordered_set>
#include <utility>

#include "transport/transport_core.hpp"

namespace siptls {
namespace {

// What contexts have to warn of is asked for at most so often.
constexpr std::chrono::minutes kWarningInterval{1};
// A name that nobody has (RFC 2606 section 2), for a session that is only tried.
constexpr const char* kNobody = "nobody.invalid";

}  // namespace

Result<UpdateReport> TransportCore::update(const ContextUpdate& contexts) {
  if (in_wrong_process()) {
    return Unexpected(Errc::wrong_process, "this transport was made in another process");
  }
  begin_call();
  if (auto good = check_update(contexts); !good) return Unexpected(std::move(good).error());
  const UpdateReport report{++context_generation_, count_older(contexts)};
  for (const auto& [id, context] : contexts.listeners) {
    listeners_.at(static_cast<std::uint32_t>(id)).context = context;
  }
  if (contexts.outgoing) outgoing_ = contexts.outgoing;
  account_.note_update(now_);
  for (const auto& [id, context] : contexts.listeners) warn_about(context);
  if (contexts.outgoing) warn_about(*contexts.outgoing);
  forget_warned();
  end_call();
  return report;
}

// All that can be said against the new contexts, before the first one is exchanged.
Result<void> TransportCore::check_update(const ContextUpdate& contexts) const {
  for (auto update = contexts.listeners.begin(); update != contexts.listeners.end(); ++update) {
    const auto same = [&](const auto& other) { return other.first == update->first; };
    if (listeners_.find(static_cast<std::uint32_t>(update->first)) == listeners_.end()) {
      return Unexpected(Errc::unknown_listener, "no listener with this id");
    }
    if (std::any_of(contexts.listeners.begin(), update, same)) {
      return Unexpected(Errc::invalid_argument, "one listener is given two contexts");
    }
    if (auto good = check_usable(update->second, ConnectionRole::server); !good) return good;
    if (auto good = check_valid_now(update->second); !good) return good;
  }
  if (!contexts.outgoing) return {};
  if (auto good = check_usable(*contexts.outgoing, ConnectionRole::client); !good) return good;
  return check_valid_now(*contexts.outgoing);
}

// Has the context what the role needs? The sessions themselves know best.
Result<void> TransportCore::check_usable(const TlsContext& context, ConnectionRole role) const {
  auto tried = role == ConnectionRole::server ? TlsSession::server(context, now_)
                                              : TlsSession::client(context, kNobody, now_);
  if (!tried) return Unexpected(std::move(tried).error());
  return {};
}

// Peers would refuse a certificate that is not valid, so the old context is better than this one.
Result<void> TransportCore::check_valid_now(const TlsContext& context) const {
  if (!context.credentials()) return {};
  if (auto trusted = check_clock(now_, context.policy().clock); !trusted) return trusted;
  return context.valid_at(now_);
}

// What has taken the place of `own`, or `own`.
const TlsContext& TransportCore::present_context(const TlsContext& own,
                                                 const ContextSource& source) const {
  if (source.owner == ContextOwner::transport && outgoing_) return *outgoing_;
  if (source.owner == ContextOwner::listener) {
    const auto number = static_cast<std::uint32_t>(source.listener);
    if (const auto found = listeners_.find(number); found != listeners_.end()) {
      return found->second.context;
    }
    if (const auto last = last_contexts_.find(number); last != last_contexts_.end()) {
      return last->second;
    }
  }
  return own;
}

// The listeners are about to stop, and their connections stay: these are judged by the contexts
// that the listeners had last, until there is none of them left.
void TransportCore::keep_context_of(const Listener& listener) {
  last_contexts_.insert_or_assign(static_cast<std::uint32_t>(listener.id), listener.context);
}

void TransportCore::forget_last_contexts() {
  std::unordered_set<std::uint32_t> used;
  const auto note = [&](const ContextSource& source) {
    if (source.owner == ContextOwner::listener) {
      used.insert(static_cast<std::uint32_t>(source.listener));
    }
  };
  for (const auto& [key, connection] : connections_) note(connection->context_source);
  for (const Lost& lost : lost_) note(lost.context_source);
  std::erase_if(last_contexts_, [&](const auto& last) { return !used.contains(last.first); });
}

// The connections that go on with what `contexts` takes the place of.
std::size_t TransportCore::count_older(const ContextUpdate& contexts) const {
  const auto is_older = [&](const auto& entry) {
    const Connection& connection = *entry.second;
    const ContextSource& source = connection.context_source;
    if (connection.finishing || connection.generation >= context_generation_) return false;
    if (source.owner == ContextOwner::transport) return contexts.outgoing.has_value();
    return source.owner == ContextOwner::listener &&
           std::any_of(contexts.listeners.begin(), contexts.listeners.end(),
                       [&](const auto& update) { return update.first == source.listener; });
  };
  return static_cast<std::size_t>(
      std::count_if(connections_.begin(), connections_.end(), is_older));
}

Result<void> TransportCore::reverify(std::uint64_t generation) {
  if (in_wrong_process()) {
    return Unexpected(Errc::wrong_process, "this transport was made in another process");
  }
  begin_call();
  std::vector<Connection*> found;
  for (const auto& [key, connection] : connections_) {
    if (!connection->connected || connection->finishing || connection->to_judge) continue;
    if (connection->generation >= generation) continue;
    // A clock that is wrong from the beginning says nothing about the peers.
    const TlsContext& context = present_context(connection->context, connection->context_source);
    if (auto trusted = check_clock(now_, context.policy().clock); !trusted) return trusted;
    found.push_back(connection.get());
  }
  std::sort(found.begin(), found.end(),
            [](const Connection* a, const Connection* b) { return a->id < b->id; });
  for (Connection* connection : found) {
    connection->to_judge = true;
    to_judge_.push_back(connection->id);
  }
  // Handshakes that are under way are judged when they are done.
  judged_before_ = std::max(judged_before_, std::min(generation, context_generation_));
  end_call();
  return {};
}

// Judges the next peer of this slice. False if there is none.
bool TransportCore::judge_one() {
  if (to_judge_.empty() || judgements_left_ == 0) return false;
  Connection* connection = find(to_judge_.front());
  to_judge_.pop_front();
  if (connection == nullptr) return true;
  connection->to_judge = false;
  if (connection->finishing || connection->peer_close_seen) return true;  // it ends anyway
  --judgements_left_;
  if (auto good = judge(*connection); !good) {
    static_cast<void>(connection->session->close(now_));
    write_out(*connection);
    end_open(*connection, std::move(good).error(), false);
  }
  if (clock_->now().mono >= judge_until_) judgements_left_ = 0;
  return true;
}

// By what has taken the place of the connection's context. The context itself stays: it is what the
// connection was made with, and so decides whether it suits a Target.
Result<void> TransportCore::judge(Connection& connection) {
  const TlsContext& context = present_context(connection.context, connection.context_source);
  if (auto good = connection.session->judge_again(context, now_); !good) return good;
  connection.generation = context_generation_;
  return {};
}

Result<void> TransportCore::judge_if_outdated(Connection& connection) {
  if (connection.generation >= judged_before_) return {};
  return judge(connection);
}

// What runs out while it is in use is noticed with the next drain after it.
void TransportCore::note_warnings() {
  if (now_.mono < warnings_due_) return;
  warnings_due_ = now_.mono + kWarningInterval;
  for (const auto& [number, listener] : listeners_) warn_about(listener.context);
  if (outgoing_) warn_about(*outgoing_);
}

// Each warning once, however many listeners a context has. A reason that comes again after it was
// gone, or once more often, is told again.
void TransportCore::warn_about(const TlsContext& context) {
  const auto known = [&](const Warned& one) { return one.context == context.id(); };
  auto warned = std::find_if(warned_.begin(), warned_.end(), known);
  std::vector<Error> warnings = context.warnings(now_);
  if (warned == warned_.end()) {
    if (warnings.empty()) return;
    warned = warned_.insert(warned_.end(), Warned{context.id(), {}});
  }
  std::vector<Errc> reasons;
  reasons.reserve(warnings.size());
  for (const Error& warning : warnings) reasons.push_back(warning.reason());
  for (Error& warning : warnings) {
    const Errc reason = warning.reason();
    const auto times = std::count(reasons.begin(), reasons.end(), reason);
    const auto before = std::count(warned->reasons.begin(), warned->reasons.end(), reason);
    if (times > before) put_event(Warning{std::move(warning)});
  }
  warned->reasons = std::move(reasons);
}

// Contexts that are not in use any more.
void TransportCore::forget_warned() {
  const auto unused = [&](const Warned& one) {
    if (outgoing_ && outgoing_->id() == one.context) return false;
    return std::none_of(listeners_.begin(), listeners_.end(), [&](const auto& entry) {
      return entry.second.context.id() == one.context;
    });
  };
  warned_.erase(std::remove_if(warned_.begin(), warned_.end(), unused), warned_.end());
}

}  // namespace siptls
